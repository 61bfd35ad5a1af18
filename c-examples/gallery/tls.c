/*
 * tls: a fiber that speaks TLS by a library that knows nothing of fibers.
 *
 * Shows: OpenSSL on a non-blocking socket returns SSL_ERROR_WANT_READ or _WRITE where it would
 * block. A fiber then waits for its port, and calls again: `insist` is all that it takes. Most
 * libraries for protocols have such a pair of answers. Watch for: a handshake reads and writes in
 * turns, and a read may have to write, so the direction to wait for is the library's answer, and
 * not the name of the call. A time limit of the scope holds for all the waits inside.
 * Next: server_pool.c, for the same server without TLS and with many clients.
 *
 *     ./build/gallery/tls                          server and client are fibers of one program
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <pirn/fiber.h>
#include <pirn/fiber_debug.h>

#include "../check.h"

#define SECOND UINT64_C(1000000000)

enum { MESSAGES = 100, STACK = 131072 };             /* cryptography uses large stacks */

static PIRN_STORAGE(block, 4, 4, 4);
static struct pirn_loop *loop;
static struct pirn_hub hub;
static struct pirn_fiber fibers[2];
static char stacks[2][STACK];

/* A connection, and the port of its fd. */
struct secure { SSL *ssl; struct pirn_port port; };

/* After a call of OpenSSL that has failed: wait until it is worth calling again. Returns 0, or the
 * error of the wait; -EPROTO: it failed for another reason. */
static int may_retry(struct secure *it, int returned)
{
    int ready;

    switch (SSL_get_error(it->ssl, returned)) {
    case SSL_ERROR_WANT_READ: ready = pirn_port_wait(&it->port, PIRN_READ, PIRN_FOREVER); break;
    case SSL_ERROR_WANT_WRITE: ready = pirn_port_wait(&it->port, PIRN_WRITE, PIRN_FOREVER); break;
    default: return -EPROTO;
    }
    return ready < 0 ? ready : 0;
}

/* Makes the call until it succeeds. `result` is what it has returned, or a negative errno. */
#define insist(result, it, call)                                  \
    do {                                                          \
        while (((result) = (call)) <= 0) {                        \
            int insist_rc = may_retry((it), (result));            \
            if (insist_rc < 0) {                                  \
                (result) = insist_rc;                             \
                break;                                            \
            }                                                     \
        }                                                         \
    } while (0)

static void secure_open(struct secure *it, SSL_CTX *context, int fd)
{
    CHECK(pirn_port_open(&hub, &it->port, fd, 0) == 0);    /* also makes it non-blocking */
    it->ssl = SSL_new(context);
    CHECK(it->ssl != NULL && SSL_set_fd(it->ssl, fd) == 1);
}

static void secure_close(struct secure *it)
{
    SSL_free(it->ssl);
    CHECK(pirn_port_close(&it->port) == 0);
    close(it->port.fd);
}

static void print_depth(const struct pirn_fiber *fiber, const char *name)
{
    struct pirn_fiber_info info = { 0 };

    info.size = sizeof info;
    CHECK(pirn_fiber_info(fiber, &info) == 0);
    printf("tls: the %s used %zu bytes of its stack\n", name, info.deepest);
}

/* ---- both sides ---- */

static SSL_CTX *contexts[2];
static int fds[2], answered;

static int serve(struct pirn_hub *its_hub, void *user)
{
    struct secure client;
    char message[64];
    int size;

    (void)its_hub, (void)user;
    secure_open(&client, contexts[0], fds[0]);
    insist(size, &client, SSL_accept(client.ssl));
    CHECK(size == 1);
    for (;;) {
        int written;

        insist(size, &client, SSL_read(client.ssl, message, sizeof message));
        if (size <= 0)
            break;
        insist(written, &client, SSL_write(client.ssl, message, size));
        CHECK(written == size);
    }
    secure_close(&client);
    print_depth(&fibers[0], "server");
    return 0;
}

static int talk(struct pirn_hub *its_hub, void *user)
{
    struct pirn_scope scope;
    struct secure server;
    int rc;

    (void)user;
    secure_open(&server, contexts[1], fds[1]);
    CHECK(pirn_scope_enter(its_hub, &scope, 30 * SECOND, 0) == 0);
    insist(rc, &server, SSL_connect(server.ssl));
    CHECK(rc == 1);
    printf("tls: %s, %s\n", SSL_get_version(server.ssl), SSL_get_cipher(server.ssl));
    for (int number = 0; number < MESSAGES; number++) {
        char message[64], answer[64];

        memset(message, number, sizeof message);
        insist(rc, &server, SSL_write(server.ssl, message, sizeof message));
        CHECK(rc == sizeof message);
        insist(rc, &server, SSL_read(server.ssl, answer, sizeof answer));
        CHECK(rc == sizeof answer && memcmp(message, answer, sizeof answer) == 0);
        answered++;
    }
    SSL_shutdown(server.ssl);
    CHECK(pirn_scope_leave(its_hub, &scope) == 0);
    secure_close(&server);
    print_depth(&fibers[1], "client");
    return 0;
}

/* ---- a certificate that nobody has signed but its owner ---- */

static void use_own_certificate(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *certificate = X509_new();

    CHECK(key != NULL && certificate != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

int main(void)
{
    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0 && pirn_hub_init(loop, &hub, 63) == 0);
    CHECK(pirn_fiber_debug(&hub) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    contexts[0] = SSL_CTX_new(TLS_server_method());
    contexts[1] = SSL_CTX_new(TLS_client_method());
    CHECK(contexts[0] != NULL && contexts[1] != NULL);
    use_own_certificate(contexts[0]);

    CHECK(pirn_fiber_start(&hub, &fibers[0], stacks[0], STACK, PIRN_FIBER_FILL, serve, NULL) == 0);
    CHECK(pirn_fiber_start(&hub, &fibers[1], stacks[1], STACK, PIRN_FIBER_FILL, talk, NULL) == 0);
    CHECK(pirn_fiber_join(&fibers[0], PIRN_FOREVER, NULL) == 0);
    CHECK(pirn_fiber_join(&fibers[1], PIRN_FOREVER, NULL) == 0);
    printf("tls: %d messages were answered\n", answered);
    CHECK(answered == MESSAGES);
    SSL_CTX_free(contexts[0]);
    SSL_CTX_free(contexts[1]);
    CHECK(pirn_hub_verify(&hub) == 0 && pirn_hub_deinit(&hub) == 0);
    return pirn_deinit(loop);
}
