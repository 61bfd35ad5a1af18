/*
 * For demo.c and check_echo.c: an echo server as a child process, its first line and its line of
 * statistics.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct server_process {
    pid_t pid;
    FILE *output;                                   /* the server's stdout, through a pipe */
    struct sockaddr_in address;
    char statistics[1024];  /* " key=value key=value ..." once it has ended */
};

/*
 * Starts argv[0] and waits until it listens. `fd_limit`: its RLIMIT_NOFILE, 0: as ours. 0, or -1.
 */
static int server_start(struct server_process *server, char *const argv[], rlim_t fd_limit)
{
    char line[128];
    unsigned port;
    int fds[2];

    if (pipe(fds) < 0)
        return -1;
    server->pid = fork();
    if (server->pid < 0)
        return -1;
    if (server->pid == 0) {
        struct rlimit limit = { fd_limit, fd_limit };

        prctl(PR_SET_PDEATHSIG, SIGKILL);  /* whatever becomes of us, it does not stay behind */
        if (dup2(fds[1], STDOUT_FILENO) < 0 || close(fds[0]) < 0 || close(fds[1]) < 0
            || (fd_limit != 0 && setrlimit(RLIMIT_NOFILE, &limit) < 0))
            _exit(126);
        execv(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    close(fds[1]);
    server->output = fdopen(fds[0], "r");
    if (server->output == NULL || fgets(line, sizeof line, server->output) == NULL
        || sscanf(line, "listening on 127.0.0.1:%u", &port) != 1)
        return -1;
    memset(&server->address, 0, sizeof server->address);
    server->address.sin_family = AF_INET;
    server->address.sin_port = htons((uint16_t)port);
    server->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return 0;
}

/*
 * Waits for the end of the server, after `signal_number` if that is not 0, and keeps its
 * statistics. Its exit status, or -1.
 */
static int server_end(struct server_process *server, int signal_number)
{
    char line[sizeof server->statistics];
    int status;

    server->statistics[0] = '\0';
    if (signal_number != 0 && kill(server->pid, signal_number) < 0)
        return -1;
    while (fgets(line, sizeof line, server->output) != NULL)
        if (strncmp(line, "stats ", 6) == 0)
            strcpy(server->statistics, line + 5);
    fclose(server->output);
    if (waitpid(server->pid, &status, 0) != server->pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * One of the statistics; all ones if there is no such key, so that no comparison passes by
 * accident.
 */
static uint64_t server_value(const struct server_process *server, const char *key)
{
    const char *at = server->statistics;
    size_t length = strlen(key);

    while ((at = strchr(at, ' ')) != NULL)
        if (strncmp(++at, key, length) == 0 && at[length] == '=')
            return strtoull(at + length + 1, NULL, 10);
    return UINT64_MAX;
}

#endif
