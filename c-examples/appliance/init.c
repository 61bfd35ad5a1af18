/*
 * The appliance: /init of a Linux system that has no other program, and no C library.
 *
 *   port 80   HTTP: GET / is the status, GET /log the log; POST /shutdown ends the machine,
 *             POST /restart ends the worker, POST /hang hangs, so that the watchdog strikes
 *   port 7    echo
 *
 * It feeds /dev/watchdog, keeps one worker running (this program again, called with `worker`), logs
 * what the worker writes, and shuts down in order, on request or at Ctrl-Alt-Del. One loop, one
 * block of memory, nothing allocated.
 */
#include <pirn/os.h>

#include "kernel.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

#define CLIENTS 32
#define WATCHDOG_SECONDS 5
#define LOG "/run/log"
#define MAX_LOG (256 * 1024)

enum service { FREE, ECHO, HTTP };

struct client {
    struct pirn_io io;
    struct pirn_timer silence;
    enum service service;
    int is_sending;
    uint32_t used, sent;
    char buffer[4096];
};

/* Clients, two listeners, two signals, the worker's end and its pipe. Timers: a client's, and 3. */
static PIRN_ZERO_STORAGE(block, CLIENTS + 6, CLIENTS + 3, 1);

static struct {
    struct pirn_loop *loop;
    struct client clients[CLIENTS];
    struct pirn_io echo, http;
    struct pirn_signal interrupt, terminate;
    struct pirn_timer feeding, patience;
    long log, watchdog;
    uint64_t echoed, requests, connections, feeds, logged;
    int is_ending;
    struct {
        struct pirn_child child;
        struct pirn_io output;
        struct pirn_timer restart;
        long pid;
        int fd;                             /* the pipe that it writes to; -1: none */
        uint64_t starts;
    } worker;
} it;

/* ---- log ---- */

static uint64_t uptime_ms(void)
{
    uint64_t now = 0;

    (void)pirn_clock_now(PIRN_CLOCK_BOOTTIME, &now);
    return now / MS;
}

/* To the console, and to a file that begins anew before it fills the memory. */
static void log_text(const char *what, const char *detail, int64_t number)
{
    char line[256];
    struct text text = { line, 0, sizeof line - 1 };

    add_number(&text, uptime_ms());
    add(&text, " ms ");
    add(&text, what);
    add(&text, detail);
    if (number >= 0)
        add_number(&text, (uint64_t)number);
    text.room++;
    add(&text, "\n");
    (void)CALL(write, 1, line, text.length);
    if (it.logged + text.length > MAX_LOG) {
        (void)CALL(ftruncate, it.log, 0);
        (void)CALL(lseek, it.log, 0, 0);
        it.logged = 0;
    }
    (void)CALL(write, it.log, line, text.length);
    it.logged += text.length;
}

/* Reports a failure that the appliance can live with. */
static int check(const char *what, long rc)
{
    if (rc < 0) {
        log_text(what, ": errno ", -rc);
        return (int)rc;
    }
    return 0;
}

/* ---- end ---- */

static void __attribute__((noreturn)) power_off(void)
{
    /* With this letter, closing the watchdog stops it. */
    (void)CALL(write, it.watchdog, "V", 1);
    (void)CALL(close, it.watchdog);
    log_text("power off", "", -1);
    (void)CALL(sync, 0);
    for (;;)
        (void)CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
                   LINUX_REBOOT_CMD_POWER_OFF, 0);
}

static void on_patience(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                        void *user)
{
    (void)timer, (void)missed, (void)user;
    if (it.worker.pid > 0)
        (void)CALL(kill, it.worker.pid, SIGNAL_KILL);
    else
        pirn_stop(loop);
}

/* Takes no new clients, and ends when the worker has ended. Those there are get a moment. */
static void shut_down(struct pirn_loop *loop, const char *why)
{
    if (it.is_ending)
        return;
    it.is_ending = 1;
    log_text("shut down: ", why, -1);
    (void)pirn_io_remove(loop, it.echo);
    (void)pirn_io_remove(loop, it.http);
    if (it.worker.pid > 0)
        (void)CALL(kill, it.worker.pid, SIGNAL_TERM);
    check("patience", pirn_timer_start(loop, 2 * SECOND, SECOND, 0, on_patience, NULL,
                                       &it.patience));
}

static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
                      const struct pirn_signal_info *info, void *user)
{
    (void)signal, (void)user;
    if (info->signo != 0)
        shut_down(loop, "signal");
}

/* ---- watchdog ---- */

static void on_feeding(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed,
                       void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
    if (CALL(ioctl, it.watchdog, WDIOC_KEEPALIVE, 0) == 0)
        it.feeds++;
}

static void start_watchdog(struct pirn_loop *loop)
{
    int seconds = WATCHDOG_SECONDS;

    it.watchdog = CALL(open, "/dev/watchdog", O_WRONLY | O_CLOEXEC);
    if (check("watchdog", it.watchdog) < 0)
        return;
    check("watchdog's timeout", CALL(ioctl, it.watchdog, WDIOC_SETTIMEOUT, &seconds));
    check("feeding", pirn_timer_start(loop, 0, SECOND, PIRN_TIMER_SKIP, on_feeding, NULL,
                                      &it.feeding));
}

/* ---- the worker ---- */

static void start_worker(struct pirn_loop *loop);

static void on_restart(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)timer, (void)missed, (void)user;
    start_worker(loop);
}

static void on_worker_end(struct pirn_loop *loop, struct pirn_child *child,
                          const struct pirn_child_status *status, void *user)
{
    (void)child, (void)user;
    it.worker.pid = 0;
    log_text("worker ended, ", status->code == 1 ? "status " : "signal ", status->status);
    if (it.is_ending)
        /* The answer to a request may still be on its way. */
        check("end", pirn_timer_start(loop, 100 * MS, 0, 0, on_patience, NULL, NULL));
    else
        check("restart", pirn_timer_start(loop, 200 * MS, 0, 0, on_restart, NULL,
                                          &it.worker.restart));
}

static void on_output(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char line[128];
    long n = CALL(read, fd, line, sizeof line - 1);

    (void)ready, (void)user;
    if (n == ERROR_AGAIN)
        return;
    if (n <= 0) {
        (void)pirn_io_remove(loop, io);
        (void)CALL(close, fd);
        it.worker.fd = -1;
        return;
    }
    while (n > 0 && line[n - 1] == '\n')
        n--;
    line[n] = '\0';
    log_text("worker: ", line, -1);
}

/* Runs in the new process. */
static void __attribute__((noreturn)) become_worker(int output)
{
    static char *const arguments[] = { "/init", "worker", NULL };
    static char *const environment[] = { NULL };
    uint64_t none = 0;

    /* A blocked signal stays blocked over execve. */
    (void)CALL(rt_sigprocmask, SET_MASK, &none, NULL, sizeof none);
    (void)CALL(dup2, output, 1);
    (void)CALL(execve, arguments[0], arguments, environment);
    for (;;)
        (void)CALL(exit_group, 127);
}

static void start_worker(struct pirn_loop *loop)
{
    int pipe[2];
    long pid;

    if (check("pipe", CALL(pipe2, pipe, NONBLOCK | CLOSE_ON_EXEC)) < 0)
        return;
    pid = CALL(fork, 0);
    if (pid == 0)
        become_worker(pipe[1]);
    (void)CALL(close, pipe[1]);
    if (check("fork", pid) < 0) {
        (void)CALL(close, pipe[0]);
        return;
    }
    it.worker.pid = pid;
    it.worker.starts++;
    if (it.worker.fd >= 0) {
        /* The one before has left its pipe to nobody, so this is its end. */
        (void)pirn_io_remove(loop, it.worker.output);
        (void)CALL(close, it.worker.fd);
    }
    it.worker.fd = pipe[0];
    check("worker's output", pirn_io_add(loop, pipe[0], PIRN_READ, on_output, NULL,
                                         &it.worker.output));
    check("worker", pirn_child_add(loop, &it.worker.child, (int)pid, 0, on_worker_end, NULL));
}

/* ---- HTTP ---- */

static void add_fact(struct text *text, const char *name, uint64_t value)
{
    add(text, name);
    add(text, " ");
    add_number(text, value);
    add(text, "\n");
}

static void write_status(struct text *text)
{
    struct pirn_stats stats = { .size = sizeof stats };
    struct system_info system = { 0 };

    (void)CALL(sysinfo, &system);
    (void)pirn_stats(it.loop, &stats);
    add_fact(text, "uptime_ms", uptime_ms());
    add_fact(text, "memory_total_kb", system.total * system.unit / 1024);
    add_fact(text, "memory_free_kb", system.free * system.unit / 1024);
    add_fact(text, "block_bytes", sizeof block);
    add_fact(text, "connections", it.connections);
    add_fact(text, "requests", it.requests);
    add_fact(text, "echoed_bytes", it.echoed);
    add_fact(text, "watchdog_feeds", it.feeds);
    add_fact(text, "worker_pid", (uint64_t)it.worker.pid);
    add_fact(text, "worker_starts", it.worker.starts);
    add_fact(text, "watchers", stats.io_used);
    add_fact(text, "watchers_peak", stats.io_peak);
}

/* The end of the log, as much as there is room for. */
static void write_log(struct text *text)
{
    uint64_t room = text->room - text->length - 1;
    uint64_t from = it.logged > room ? it.logged - room : 0;
    long n = CALL(pread64, it.log, text->at + text->length, room, from);

    if (n > 0)
        text->length += (size_t)n;
}

static void hang(void)
{
    log_text("hangs", "", -1);
    for (;;)
        ;
}

/* Reads the request in the client's buffer, and puts the answer in its place. */
static void answer(struct pirn_loop *loop, struct client *client)
{
    struct text text = { client->buffer, 0, sizeof client->buffer };
    const char *request = client->buffer;
    int is_status = begins_with(request, "GET / ");
    int is_log = begins_with(request, "GET /log ");
    int is_restart = begins_with(request, "POST /restart ");
    int is_end = begins_with(request, "POST /shutdown ");

    it.requests++;
    if (begins_with(request, "POST /hang "))
        hang();
    add(&text, is_status || is_log || is_end || is_restart ? "HTTP/1.0 200 OK\r\n"
                                                           : "HTTP/1.0 404 Not Found\r\n");
    add(&text, "Content-Type: text/plain\r\nConnection: close\r\n\r\n");
    if (is_status)
        write_status(&text);
    else if (is_log)
        write_log(&text);
    else if (is_end)
        add(&text, "shutting down\n");
    else if (is_restart)
        add(&text, "restarting the worker\n");
    else
        add(&text, "GET / or /log, POST /restart, /shutdown or /hang\n");
    client->used = (uint32_t)text.length;
    client->sent = 0;
    client->is_sending = 1;
    if (is_restart && it.worker.pid > 0)
        (void)CALL(kill, it.worker.pid, SIGNAL_TERM);
    if (is_end)
        shut_down(loop, "requested");
}

/* ---- clients ---- */

static void drop_client(struct pirn_loop *loop, struct client *client, int fd)
{
    (void)pirn_io_remove(loop, client->io);
    (void)pirn_timer_stop(loop, client->silence);
    (void)CALL(close, fd);
    client->service = FREE;
}

static void on_silence(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    struct client *client = user;
    struct pirn_info info = { .size = sizeof info };

    (void)timer, (void)missed;
    if (pirn_io_info(loop, client->io, &info) == 0)
        drop_client(loop, client, info.fd);
}

/* Returns 0 when the request is complete or the buffer full, or there is something to echo. */
static long receive(struct client *client, int fd)
{
    long n = CALL(read, fd, client->buffer + client->used,
                  sizeof client->buffer - 1 - client->used);

    if (n <= 0)
        return n == 0 ? -1 : n;
    client->used += (uint32_t)n;
    client->buffer[client->used] = '\0';
    if (client->service == ECHO) {
        it.echoed += (uint64_t)n;
        client->sent = 0;
        client->is_sending = 1;
        return 0;
    }
    if (client->used == sizeof client->buffer - 1)
        return 0;
    for (const char *at = client->buffer; *at != '\0'; at++)
        if (begins_with(at, "\r\n\r\n"))
            return 0;
    return ERROR_AGAIN;
}

static void on_client(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    struct client *client = user;
    long rc;

    (void)ready;
    (void)pirn_timer_again(loop, client->silence, 10 * SECOND);
    if (!client->is_sending) {
        rc = receive(client, fd);
        if (rc == ERROR_AGAIN)
            return;
        if (rc < 0) {
            drop_client(loop, client, fd);
            return;
        }
        if (client->service == HTTP)
            answer(loop, client);
    }
    while (client->sent < client->used) {
        rc = CALL(write, fd, client->buffer + client->sent, client->used - client->sent);
        if (rc == ERROR_AGAIN) {
            (void)pirn_io_modify(loop, io, PIRN_WRITE);
            return;
        }
        if (rc < 0)
            break;
        client->sent += (uint32_t)rc;
    }
    if (client->service == HTTP || client->sent < client->used) {
        drop_client(loop, client, fd);
        return;
    }
    client->used = 0;
    client->is_sending = 0;
    (void)pirn_io_modify(loop, io, PIRN_READ);
}

static struct client *free_client(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (it.clients[i].service == FREE)
            return &it.clients[i];
    return NULL;
}

static void on_listener(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready,
                        void *user)
{
    const enum service *service = user;
    long client_fd = CALL(accept4, fd, NULL, NULL, NONBLOCK | CLOSE_ON_EXEC);
    struct client *client = free_client();

    (void)io, (void)ready;
    if (client_fd < 0)
        return;
    it.connections++;
    if (client == NULL ||
        pirn_io_add(loop, (int)client_fd, PIRN_READ, on_client, client, &client->io) < 0) {
        (void)CALL(close, client_fd);
        return;
    }
    client->service = *service;
    client->used = 0;
    client->is_sending = 0;
    if (pirn_timer_start(loop, 10 * SECOND, 0, 0, on_silence, client, &client->silence) < 0)
        drop_client(loop, client, (int)client_fd);
}

static int serve(struct pirn_loop *loop, uint8_t port, enum service service, struct pirn_io *io)
{
    static const enum service services[] = { FREE, ECHO, HTTP };
    struct internet_address name = { FAMILY_INET, { 0, port }, { 0 }, { 0 } };
    int one = 1;
    long fd = CALL(socket, FAMILY_INET, TYPE_STREAM | NONBLOCK | CLOSE_ON_EXEC, 0);
    long rc = fd;

    if (rc >= 0)
        rc = CALL(setsockopt, fd, LEVEL_SOCKET, REUSE_ADDRESS, &one, sizeof one);
    if (rc >= 0)
        rc = CALL(bind, fd, &name, sizeof name);
    if (rc >= 0)
        rc = CALL(listen, fd, 64);
    if (rc >= 0)
        rc = pirn_io_add(loop, (int)fd, PIRN_READ, on_listener, (void *)&services[service], io);
    return check("listen", rc);
}

/* ---- the worker's own program ---- */

static void on_beat(struct pirn_loop *loop, struct pirn_timer timer, uint64_t missed, void *user)
{
    (void)loop, (void)timer, (void)missed, (void)user;
    (void)CALL(write, 1, "works\n", 6);
}

static void on_end(struct pirn_loop *loop, struct pirn_signal *signal,
                   const struct pirn_signal_info *info, void *user)
{
    (void)signal, (void)info, (void)user;
    (void)CALL(write, 1, "ends\n", 5);
    pirn_stop(loop);
}

static int work(struct pirn_loop *loop)
{
    int rc = pirn_signal_add(loop, &it.terminate, SIGNAL_TERM, PIRN_SIGNAL_BLOCK, on_end, NULL);

    if (rc == 0)
        rc = pirn_timer_start(loop, 0, 5 * SECOND, 0, on_beat, NULL, NULL);
    return rc == 0 ? pirn_run(loop) : rc;
}

/* ---- start ---- */

static void boot(void)
{
    static const unsigned long ignore[4] = { SIGNAL_IGNORE, 0, 0, 0 };
    int rc = mount_all();
    long console = CALL(open, "/dev/console", O_RDWR);

    for (int fd = 0; fd <= 2; fd++)
        if (console >= 0 && console != fd)
            (void)CALL(dup2, console, fd);
    it.log = CALL(open, LOG, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    log_text("pirn appliance", "", -1);
    check("mount", rc);
    check("modules", load_modules());
    check("network", bring_up_network());
    (void)CALL(rt_sigaction, SIGNAL_PIPE, ignore, NULL, 8);
    /* Ctrl-Alt-Del is a signal from here on. */
    (void)CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0);
}

static void run(struct pirn_loop *loop)
{
    it.worker.fd = -1;
    start_watchdog(loop);
    check("signals", pirn_signal_add(loop, &it.interrupt, SIGNAL_INT, PIRN_SIGNAL_BLOCK,
                                     on_signal, NULL));
    check("signals", pirn_signal_add(loop, &it.terminate, SIGNAL_TERM, PIRN_SIGNAL_BLOCK,
                                     on_signal, NULL));
    start_worker(loop);
    serve(loop, 7, ECHO, &it.echo);
    serve(loop, 80, HTTP, &it.http);
    log_text("serves", "", -1);
    check("run", pirn_run(loop));
}

/* The stack as the kernel leaves it: the argument count, then the arguments. */
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
__attribute__((noreturn, used)) void begin(long *stack);

void begin(long *stack)
{
    struct pirn_config config = PIRN_CONFIG(block);
    int is_worker = stack[0] > 1 && begins_with((const char *)stack[2], "worker");
    int rc;

    if (!is_worker)
        boot();
    rc = pirn_init(&it.loop, block, sizeof block, &config);
    if (is_worker) {
        rc = rc == 0 ? work(it.loop) : rc;
        for (;;)
            (void)CALL(exit_group, rc < 0);
    }
    if (check("loop", rc) == 0)
        run(it.loop);
    power_off();
}
