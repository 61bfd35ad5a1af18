/*
 * state_machine: a line protocol with login, retries and time limits, written as coroutines
 * (pirn/co.h).
 *
 * Every session is one function that reads like the description of the protocol: ask for the user,
 * ask for the password, three attempts, then commands. With callbacks it would be a table of
 * states. The memory is SESSIONS structs and nothing else.
 *
 *     make && ./build/state_machine --port 7001 &
 *     nc 127.0.0.1 7001                            (user ada, password engine; ECHO text, TIME,
 *                                                  WAIT ms, QUIT)
 *     ./build/state_machine --self-test            clients in the same loop walk every path; exit
 *                                                  status 0 if all is well
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pirn.h>
#include <pirn/co.h>

#define SESSIONS 4
#define TRIES 3
#define LINE_SIZE 128
#define MS UINT64_C(1000000)

/* ---- a connection: lines in, text out; server and test clients use the same ---- */

struct stream {
    int fd;
    uint64_t timeout_ns;                            /* for a whole line */
    uint64_t deadline_ns;                           /* of the line being read */
    size_t length, sent;
    char line[LINE_SIZE];                           /* of the last read_line, without its end */
    char input[LINE_SIZE];                          /* received, not yet a line */
    char output[LINE_SIZE];
};

/* Moves the first line from input to line. 1 if there was one. */
static int take_line(struct stream *stream)
{
    char *end = memchr(stream->input, '\n', stream->length);
    size_t length;

    if (end == NULL)
        return 0;
    length = (size_t)(end - stream->input);
    memcpy(stream->line, stream->input, length);
    stream->line[length] = '\0';
    if (length > 0 && stream->line[length - 1] == '\r')
        stream->line[length - 1] = '\0';
    stream->length -= length + 1;
    memmove(stream->input, end + 1, stream->length);
    return 1;
}

/* Value: 1 a line, 0 the peer has ended, -ETIMEDOUT, -EMSGSIZE, or the error of the connection. The
 * limit is for the whole line, so that a peer that sends a byte now and then gets no more time than
 * one that sends nothing. */
static struct pirn_co_step read_line(struct pirn_co *co, void *user)
{
    struct stream *stream = user;
    uint64_t now;
    ssize_t n;

    PIRN_CO_BEGIN(co);
    stream->deadline_ns = pirn_now(co->loop) + stream->timeout_ns;
    while (!take_line(stream)) {
        if (stream->length == LINE_SIZE)
            PIRN_CO_RETURN(co, -EMSGSIZE);
        n = recv(stream->fd, stream->input + stream->length, LINE_SIZE - stream->length, 0);
        if (n > 0) {
            stream->length += (size_t)n;
        } else if (n == 0) {
            PIRN_CO_RETURN(co, 0);
        } else if (errno == EAGAIN) {
            now = pirn_update(co->loop);
            PIRN_CO_READABLE(co, stream->fd,
                             now < stream->deadline_ns ? stream->deadline_ns - now : 0);
            if (co->result < 0)
                PIRN_CO_RETURN(co, co->result);
        } else if (errno != EINTR) {
            PIRN_CO_RETURN(co, -errno);
        }
    }
    PIRN_CO_RETURN(co, 1);
    PIRN_CO_END(co);
}

/* Sends `output`. Value: 1, or the error. */
static struct pirn_co_step write_output(struct pirn_co *co, void *user)
{
    struct stream *stream = user;
    ssize_t n;

    PIRN_CO_BEGIN(co);
    stream->sent = 0;
    while (stream->output[stream->sent] != '\0') {
        n = send(stream->fd, stream->output + stream->sent, strlen(stream->output + stream->sent),
                 MSG_NOSIGNAL);
        if (n >= 0) {
            stream->sent += (size_t)n;
        } else if (errno == EAGAIN) {
            PIRN_CO_WRITABLE(co, stream->fd, stream->timeout_ns);
            if (co->result < 0)
                PIRN_CO_RETURN(co, co->result);
        } else if (errno != EINTR) {
            PIRN_CO_RETURN(co, -errno);
        }
    }
    PIRN_CO_RETURN(co, 1);
    PIRN_CO_END(co);
}

/* ---- the server ---- */

static uint64_t line_timeout_ns = 30000 * MS;       /* the self-test shortens it */

struct session {
    struct pirn_co co, sub;  /* sub: the read_line or write_output in progress */
    struct stream stream;
    char user[LINE_SIZE];
    int tries;
    unsigned long wait_ms;
};

struct server {
    struct pirn_co co;
    int listener;
    unsigned served, refused;
    struct session sessions[SESSIONS];
};

/*
 * One line out; gives up the session if it cannot be sent. Two macros on one line would not work:
 * see "traps" in pirn/co.h.
 */
#define SAY(session, text) \
    do { \
        snprintf((session)->stream.output, sizeof (session)->stream.output, "%s", (text)); \
        PIRN_CO_CALL(&(session)->co, &(session)->sub, write_output, &(session)->stream); \
        if ((session)->co.result < 0) \
            goto out; \
    } while (0)

/* One line in; the session is over when there is none. */
#define HEAR(session) \
    do { \
        PIRN_CO_CALL(&(session)->co, &(session)->sub, read_line, &(session)->stream); \
        if ((session)->co.result <= 0) \
            goto out; \
    } while (0)

static int is_known(const char *user, const char *password)
{
    return strcmp(user, "ada") == 0 && strcmp(password, "engine") == 0;
}

static struct pirn_co_step session_body(struct pirn_co *co, void *user)
{
    struct session *session = user;
    struct stream *stream = &session->stream;
    char text[LINE_SIZE];

    PIRN_CO_BEGIN(co);
    for (session->tries = 1;; ++session->tries) {
        SAY(session, "user?\n");
        HEAR(session);
        memcpy(session->user, stream->line, sizeof session->user);
        SAY(session, "password?\n");
        HEAR(session);
        if (is_known(session->user, stream->line))
            break;
        if (session->tries == TRIES) {
            SAY(session, "denied, goodbye\n");
            PIRN_CO_DELAY(co, 10 * MS);             /* make guessing slow */
            goto out;
        }
        SAY(session, "denied, try again\n");
    }
    SAY(session, "welcome\n");
    for (;;) {
        HEAR(session);
        if (strncmp(stream->line, "ECHO ", 5) == 0) {
            snprintf(text, sizeof text, "%.*s\n", LINE_SIZE - 7, stream->line + 5);
            SAY(session, text);
        } else if (strcmp(stream->line, "TIME") == 0) {
            snprintf(text, sizeof text, "%" PRIu64 " ms\n", pirn_now(co->loop) / MS);
            SAY(session, text);
        } else if (strncmp(stream->line, "WAIT ", 5) == 0) {
            session->wait_ms = strtoul(stream->line + 5, NULL, 10);
            if (session->wait_ms > 60000)
                session->wait_ms = 60000;
            PIRN_CO_DELAY(co, session->wait_ms * MS);
            if (co->result < 0)
                goto out;
            SAY(session, "waited\n");
        } else if (strcmp(stream->line, "QUIT") == 0) {
            SAY(session, "goodbye\n");
            goto out;
        } else {
            SAY(session, "unknown command\n");
        }
    }
out:
    /* Best effort and never a wait: this peer has had its time. */
    if (co->result == -ETIMEDOUT)
        (void)!send(stream->fd, "too slow, goodbye\n", 18, MSG_NOSIGNAL | MSG_DONTWAIT);
    else if (co->result == -EMSGSIZE)
        (void)!send(stream->fd, "line too long, goodbye\n", 23, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(stream->fd);
    PIRN_CO_END(co);
}

static struct session *free_session(struct server *server)
{
    for (int i = 0; i < SESSIONS; ++i)
        if (!pirn_co_is_live(&server->sessions[i].co))
            return &server->sessions[i];
    return NULL;
}

/* Accepts for ever; ends when it is cancelled, or when accepting makes no sense any more. */
static struct pirn_co_step server_body(struct pirn_co *co, void *user)
{
    struct server *server = user;
    struct session *session;
    int fd;

    PIRN_CO_BEGIN(co);
    for (;;) {
        PIRN_CO_READABLE(co, server->listener, PIRN_FOREVER);
        if (co->result < 0)
            PIRN_CO_RETURN(co, co->result);
        fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                /* the queue stays readable: without a pause this would spin */
                PIRN_CO_DELAY(co, 100 * MS);
                if (co->result < 0)
                    PIRN_CO_RETURN(co, co->result);
            }
            continue;
        }
        session = free_session(server);
        if (session != NULL) {
            memset(session, 0, sizeof *session);
            session->stream.fd = fd;
            session->stream.timeout_ns = line_timeout_ns;
        }
        if (session == NULL || pirn_co_start(co->loop, &session->co, session_body, session) < 0) {
            (void)!send(fd, "busy, try later\n", 16, MSG_NOSIGNAL | MSG_DONTWAIT);
            close(fd);
            server->refused++;
        } else {
            server->served++;
        }
    }
    PIRN_CO_END(co);
}

/* ---- the self-test: clients that follow a script ---- */

struct step {
    const char *send;                               /* NULL: nothing */
    const char *expect;                             /* NULL: nothing; "": the server closes */
};

#define END_SENDING "\004"                          /* shut our side down */

static const struct step success[] = {
    { NULL, "user?" }, { "ada\n", "password?" }, { "engine\n", "welcome" },
        { "ECHO hello, world\n", "hello, world" },
    { "WAIT 20\n", "waited" }, { "DANCE\n", "unknown command" },
    { "ECHO in pieces\r\n", "in pieces" },
    { "QUIT\n", "goodbye" }, { NULL, "" }, { NULL, NULL }
};
static const struct step second_try[] = {
    { NULL, "user?" }, { "ada\n", "password?" }, { "engin\n", "denied, try again" },
        { NULL, "user?" },
    { "ada\n", "password?" }, { "engine\n", "welcome" }, { "QUIT\n", "goodbye" }, { NULL, "" },
    { NULL, NULL }
};
static const struct step wrong_password[] = {
    { NULL, "user?" }, { "eve\n", "password?" }, { "1\n", "denied, try again" }, { NULL, "user?" },
    { "eve\n", "password?" }, { "2\n", "denied, try again" }, { NULL, "user?" },
    { "eve\n", "password?" },
    { "3\n", "denied, goodbye" }, { NULL, "" }, { NULL, NULL }
};
static const struct step too_slow[] = {
    { NULL, "user?" }, { "ada", "too slow, goodbye" }, { NULL, "" }, { NULL, NULL }
};
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const struct step too_long[] = {
    { NULL, "user?" }, { A64, NULL }, { A64, "line too long, goodbye" }, { NULL, "" },
        { NULL, NULL }
};
/* everything at once, then no more: all answers must still come */
static const struct step half_close[] = {
    { "ada\nengine\nECHO one\nWAIT 10\nECHO two\n", NULL }, { END_SENDING, "user?" },
        { NULL, "password?" },
    { NULL, "welcome" }, { NULL, "one" }, { NULL, "waited" }, { NULL, "two" }, { NULL, "" },
    { NULL, NULL }
};
static const struct step refused[] = { { NULL, "busy, try later" }, { NULL, "" }, { NULL, NULL } };
static const struct step silent[] = { { NULL, "user?" }, { NULL, "" }, { NULL, NULL } };

static const struct { const char *name; const struct step *steps; } scripts[] = {
    { "success", success }, { "second try", second_try }, { "wrong password", wrong_password },
        { "too slow", too_slow },
    { "too long", too_long }, { "half-close", half_close },
};
#define SCRIPTS (sizeof scripts / sizeof scripts[0])

struct client {
    struct pirn_co co, sub;
    struct stream stream;
    const struct step *step;
    const struct sockaddr_in *address;
};

/* Value: 0, or -EPROTO with a line on stderr that says what came instead. */
static struct pirn_co_step client_body(struct pirn_co *co, void *user)
{
    struct client *client = user;
    struct stream *stream = &client->stream;
    int error;
    socklen_t length = sizeof error;

    PIRN_CO_BEGIN(co);
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        PIRN_CO_RETURN(co, -errno);
    if (connect(stream->fd, (const struct sockaddr *)client->address,
                sizeof *client->address) < 0) {
        if (errno == EINPROGRESS) {
            PIRN_CO_WRITABLE(co, stream->fd, 1000 * MS);
            if (co->result < 0)
                goto failed;
        }
        if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0)
            goto failed;
    }
    for (; client->step->send != NULL || client->step->expect != NULL; ++client->step) {
        if (client->step->send != NULL && strcmp(client->step->send, END_SENDING) == 0) {
            shutdown(stream->fd, SHUT_WR);
        } else if (client->step->send != NULL) {
            snprintf(stream->output, sizeof stream->output, "%s", client->step->send);
            PIRN_CO_CALL(co, &client->sub, write_output, stream);
            if (co->result < 0)
                goto failed;
        }
        if (client->step->expect != NULL) {
            PIRN_CO_CALL(co, &client->sub, read_line, stream);
            if (co->result < 0 && !(co->result == -ECONNRESET && client->step->expect[0] == '\0'))
                goto failed;
            if (co->result <= 0)
                stream->line[0] = '\0';
            if (strcmp(stream->line, client->step->expect) != 0)
                goto failed;
        }
    }
    close(stream->fd);
    PIRN_CO_RETURN(co, 0);
failed:
    fprintf(stderr, "state_machine: expected \"%s\", got \"%s\" (%s)\n",
            client->step->expect != NULL ? client->step->expect : "", stream->line,
            strerror(co->result < 0 ? -co->result : 0));
    close(stream->fd);
    PIRN_CO_RETURN(co, -EPROTO);
    PIRN_CO_END(co);
}

struct test {
    struct pirn_co co;
    struct server *server;
    struct sockaddr_in address;
    struct client clients[SESSIONS + 1];
    unsigned i, failures;
};

/* -EBUSY if an earlier script is still at it: its memory must not be touched. */
static int start_client(struct test *test, unsigned at, const struct step *steps)
{
    struct client *client = &test->clients[at];

    if (pirn_co_is_live(&client->co))
        return -EBUSY;
    memset(client, 0, sizeof *client);
    client->stream.fd = -1;
    client->stream.timeout_ns = 5000 * MS;
    client->step = steps;
    client->address = &test->address;
    return pirn_co_start(test->co.loop, &client->co, client_body, client);
}

/* What became of a client that was joined. If it has not ended it is stopped and its fd closed. */
static int is_satisfied(struct client *client, int result)
{
    if (pirn_co_stop(&client->co) == 0 && client->stream.fd >= 0)
        close(client->stream.fd);
    return result == 0;
}

/* Value: how many clients did not see what they expected. */
static struct pirn_co_step test_body(struct pirn_co *co, void *user)
{
    struct test *test = user;
    int is_ok;

    PIRN_CO_BEGIN(co);

    /* Each path alone. */
    for (test->i = 0; test->i < SCRIPTS && pirn_co_is_live(&test->server->co); ++test->i) {
        if (start_client(test, 0, scripts[test->i].steps) < 0)
            goto failed;
        PIRN_CO_JOIN(co, &test->clients[0].co, 5000 * MS);
        is_ok = is_satisfied(&test->clients[0], co->result);
        test->failures += !is_ok;
        printf("%s: %s\n", scripts[test->i].name, is_ok ? "ok" : "FAILED");
    }

    /* All sessions taken, by clients that say nothing; one more is refused. */
    line_timeout_ns = 5000 * MS;
    for (test->i = 0; test->i < SESSIONS; ++test->i)
        if (start_client(test, test->i, silent) < 0)
            goto failed;
    for (test->i = 0; test->i < 1000 && test->server->served < SCRIPTS + SESSIONS; ++test->i)
        PIRN_CO_DELAY(co, 1 * MS);
    if (test->server->served < SCRIPTS + SESSIONS || start_client(test, SESSIONS, refused) < 0)
        goto failed;
    PIRN_CO_JOIN(co, &test->clients[SESSIONS].co, 5000 * MS);
    is_ok = is_satisfied(&test->clients[SESSIONS], co->result);
    test->failures += !is_ok;
    printf("refused: %s\n", is_ok ? "ok" : "FAILED");

    /* Cancelled sessions close their connections: that is how the silent clients' scripts end. */
    for (test->i = 0; test->i < SESSIONS; ++test->i)
        test->failures += pirn_co_cancel(&test->server->sessions[test->i].co) != 0;
    for (test->i = 0; test->i < SESSIONS; ++test->i) {
        PIRN_CO_JOIN(co, &test->clients[test->i].co, 5000 * MS);
        test->failures += !is_satisfied(&test->clients[test->i], co->result);
    }
    printf("cancelled: %s\n", test->failures == 0 ? "ok" : "FAILED");

    /* Without its acceptor nothing keeps the loop going, and pirn_run returns. */
    test->failures += pirn_co_cancel(&test->server->co) != 0;
    PIRN_CO_JOIN(co, &test->server->co, PIRN_FOREVER);
    test->failures += co->result != -ECANCELED;
    PIRN_CO_RETURN(co, (int)test->failures);

failed:
    /* What is still under way ends by its own time limits, the acceptor by this. */
    (void)pirn_co_cancel(&test->server->co);
    PIRN_CO_RETURN(co, -EPROTO);
    PIRN_CO_END(co);
}

/* ---- main ---- */

/*
 * A session holds at most one I/O slot, one timer and one task, whatever it does; so do the
 * acceptor and the test's own.
 */
#define COROUTINES (2 * SESSIONS + 3)
static PIRN_STORAGE(block, COROUTINES, COROUTINES, COROUTINES);
static struct server server;
static struct test test;
static struct pirn_loop *signalled_loop;

static void on_signal(int number)
{
    (void)number;
    (void)pirn_stop(signalled_loop);
}

static int listen_on(uint16_t port, struct sockaddr_in *name)
{
    socklen_t length = sizeof *name;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(name, 0, sizeof *name);
    name->sin_family = AF_INET;
    name->sin_port = htons(port);
    name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0
        || bind(fd, (const struct sockaddr *)name, sizeof *name) < 0 || listen(fd, SOMAXCONN) < 0
        || getsockname(fd, (struct sockaddr *)name, &length) < 0) {
        perror("state_machine: cannot listen");
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    int is_test = argc == 2 && strcmp(argv[1], "--self-test") == 0;
    int has_port = argc == 3 && strcmp(argv[1], "--port") == 0;
    struct pirn_loop *loop;
    int rc;

    if (argc != 1 && !is_test && !has_port) {
        fprintf(stderr, "usage: state_machine [--port N | --self-test]\n");
        return 2;
    }
    server.listener = listen_on(has_port ? (uint16_t)atoi(argv[2]) : is_test ? 0 : 7001,
                                &test.address);
    if (server.listener < 0)
        return 1;
    rc = pirn_init(&loop, block, sizeof block, NULL);
    if (rc == 0) {
        signalled_loop = loop;
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        rc = pirn_co_start(loop, &server.co, server_body, &server);
    }
    if (rc == 0 && is_test) {
        line_timeout_ns = 200 * MS;
        test.server = &server;
        rc = pirn_co_start(loop, &test.co, test_body, &test);
    }
    if (rc == 0) {
        printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(test.address.sin_port));
        fflush(stdout);
        rc = pirn_run(loop);
    }
    if (rc < 0) {
        fprintf(stderr, "state_machine: %s\n", pirn_strerror(rc));
        return 1;
    }
    if (is_test && (test.co.result != 0 || pirn_co_is_live(&test.co) || pirn_verify(loop) != 0)) {
        fprintf(stderr, "state_machine: self-test failed (%d)\n", test.co.result);
        return 1;
    }
    printf("%u sessions, %u refused\n", server.served, server.refused);
    return pirn_deinit(loop) == 0 ? 0 : 1;
}
