/*
 * server_process_pool: an echo server whose parent accepts, and passes each client to one of four
 * processes.
 *
 * Shows: an open socket travels from process to process, as SCM_RIGHTS in a message on a Unix
 * socket. All workers read from the same one: an idle worker takes the next client. The parent sees
 * every client first, so it could refuse some, or choose a worker for each.
 *
 * Watch for: the parent waits for clients and for children that end, so it must wait for two things
 * at once: poll, and the signal as an fd. A worker that dies is replaced.
 *
 *     ./build/gallery/server_process_pool 7000
 *
 * Next: server_fibers.c needs neither processes nor threads. ../handover.c passes clients between
 * the loops of threads.
 */
#include <sys/signalfd.h>

#include "server.h"

#define WORKERS 4

union rights {                                      /* a message with one fd in it */
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message(struct iovec *content, union rights *rights)
{
    struct msghdr message;

    memset(&message, 0, sizeof message);
    memset(rights, 0, sizeof *rights);
    message.msg_iov = content;
    message.msg_iovlen = 1;
    message.msg_control = rights;
    message.msg_controllen = sizeof *rights;
    return message;
}

static void pass(int channel, int client)
{
    char byte = 'c';
    struct iovec content = { &byte, 1 };
    union rights rights;
    struct msghdr parcel = message(&content, &rights);
    struct cmsghdr *header = CMSG_FIRSTHDR(&parcel);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof client);
    memcpy(CMSG_DATA(header), &client, sizeof client);
    (void)!sendmsg(channel, &parcel, MSG_NOSIGNAL); /* waits while the channel is full */
    close(client);                                  /* the worker has its own */
}

static int receive(int channel)
{
    char byte;
    struct iovec content = { &byte, 1 };
    union rights rights;
    struct msghdr parcel = message(&content, &rights);
    struct cmsghdr *header;
    int client = -1;

    if (recvmsg(channel, &parcel, MSG_CMSG_CLOEXEC) <= 0)
        _exit(0);                                   /* the parent has gone */
    header = CMSG_FIRSTHDR(&parcel);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&client, CMSG_DATA(header), sizeof client);
    return client;
}

static void start_worker(int channel[2], int listener)
{
    if (fork() != 0)
        return;
    close(channel[0]);
    close(listener);
    counts->worker_pid = getpid();
    count(&counts->workers, 1);
    for (;;) {
        int client = receive(channel[1]);

        if (client >= 0)
            echo_until_end(client);
    }
}

static void serve(int listener)
{
    int channel[2];
    sigset_t ended;
    struct pollfd wait[2] = { { listener, POLLIN, 0 }, { -1, POLLIN, 0 } };

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0);
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &ended, NULL) == 0);
    wait[1].fd = signalfd(-1, &ended, SFD_CLOEXEC | SFD_NONBLOCK);
    for (int at = 0; at < WORKERS; at++)
        start_worker(channel, listener);
    while (poll(wait, 2, -1) > 0) {
        struct signalfd_siginfo unused;

        if (wait[1].revents != 0) {
            (void)!read(wait[1].fd, &unused, sizeof unused);
            while (waitpid(-1, NULL, WNOHANG) > 0)  /* one signal may stand for several */
                start_worker(channel, listener);
        }
        if (wait[0].revents != 0) {
            int client = accept_client(listener, 0);

            if (client >= 0)
                pass(channel[0], client);
        }
    }
}

static void prove(void)
{
    uint16_t port = begin_server(serve);
    int clients[WORKERS];

    load_server(port, 60, 5);
    CHECK(counts->clients == 60 && counts->workers <= WORKERS && counts->peak <= WORKERS);
    kill_a_worker(WORKERS);
    for (int at = 0; at < WORKERS; at++) {
        clients[at] = load_dial(port, 0);
        say(clients[at], 'a');
        CHECK(hear(clients[at]) == 'a');
    }
    for (int at = 0; at < WORKERS; at++)
        close(clients[at]);
    end_server();
    printf("server_process_pool: 64 clients passed on, one worker was killed and replaced\n");
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
