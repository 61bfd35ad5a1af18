/*
 * server_select: an echo server on select, the first call that waits for many sockets at once.
 *
 * Shows: a read list and a write list. A client is in one of them: in the read list while the
 * server waits for its next message, in the write list while its socket is full. A socket that has
 * room is always writable, so a client that is in the write list for no reason makes select return
 * at once, for ever.
 *
 * Watch for: the sets are bits by fd, and the C library's fd_set ends at 1024. The kernel's does
 * not: this server has sets of its own for 4096. Both are rebuilt for each call, copied into the
 * kernel and out of it, and searched to the end. That grows with the largest fd, not with the
 * clients that are ready.
 *
 *     ./build/gallery/server_select 7000
 *
 * Next: server_poll.c has a list instead of sets.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "server.h"

#define MAX_FD 4096
#define WORD (8 * (int)sizeof(unsigned long))

struct set { unsigned long bits[MAX_FD / (8 * sizeof(unsigned long))]; };

static void add(struct set *set, int fd)
{
    set->bits[fd / WORD] |= 1ul << fd % WORD;
}

static int has(const struct set *set, int fd)
{
    return (set->bits[fd / WORD] >> fd % WORD & 1) != 0;
}

static int is_high;                 /* the self-test: clients' fds above 1024 */

static void admit(int client)
{
    if (client >= 0 && is_high) {
        int high = fcntl(client, F_DUPFD_CLOEXEC, 1100);

        CHECK(high >= 0);
        close(client);
        client = high;
    }
    if (client >= MAX_FD)
        close(client);              /* a bit beyond the set would be a byte of something else */
    else if (client >= 0)
        session_open(client);
}

static void serve(int listener)
{
    static int is_full[SESSIONS];   /* in the write list */

    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    for (;;) {
        struct set read, write;
        int last = listener;

        memset(&read, 0, sizeof read);
        memset(&write, 0, sizeof write);
        add(&read, listener);
        for (int at = 0; at < session_end; at++)
            if (sessions[at].fd >= 0) {
                add(is_full[at] ? &write : &read, sessions[at].fd);
                last = sessions[at].fd > last ? sessions[at].fd : last;
            }
        if (select(last + 1, (fd_set *)&read, (fd_set *)&write, NULL, NULL) < 0)
            continue;
        for (int at = 0; at < session_end; at++) {
            int fd = sessions[at].fd;
            enum session_state state;

            if (fd < 0 || !(has(&read, fd) || has(&write, fd)))
                continue;
            state = session_step(&sessions[at]);
            is_full[at] = state == SESSION_WRITE;
            if (state == SESSION_OVER)
                session_close(&sessions[at]);
        }
        if (has(&read, listener))   /* last: the sets say nothing of a client that is new */
            admit(accept_client(listener, SOCK_NONBLOCK));
    }
}

/* The kernel has no limit; an emulator of system calls may have one. Ask in a child process. */
static int is_possible_beyond_1024(void)
{
    int status, fds[2];
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        static struct set read;
        struct timeval now = { 0, 0 };
        int high;

        CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
        high = fcntl(fds[0], F_DUPFD, 1100);
        if (high < 0)
            _exit(1);
        add(&read, high);
        _exit(select(high + 1, (fd_set *)&read, NULL, NULL, &now) != 1 || !has(&read, high));
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status == 0;
}

static void prove(void)
{
    struct rlimit limit;
    uint16_t port;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < MAX_FD ? limit.rlim_max : MAX_FD;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    is_high = limit.rlim_cur > 1300 && is_possible_beyond_1024();
    port = begin_server(serve);
    check_that_a_full_client_keeps_nobody_waiting(port);
    load_server(port, 100, 5);
    CHECK(counts->clients == 103 && counts->peak > 1);
    CHECK(!is_high || counts->largest_fd > 1024);
    end_server();
    printf("server_select: 103 clients, fds up to %d, %u times in the write list\n",
           counts->largest_fd, counts->waits_to_write);
}

int main(int argc, char **argv)
{
    return server_main(argc, argv, serve, prove);
}
