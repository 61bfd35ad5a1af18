/* Signals that a loop watches. */
#include "sources.h"

#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>

DECLARE_BLOCK(block);
DECLARE_BLOCK(other_block);

/* The reports, in order. */
struct told {
    int calls;
    struct pirn_signal_info info[16];
    struct pirn_signal *remove;
};

static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
                      const struct pirn_signal_info *info, void *user)
{
    struct told *told = user;
    CHECK(signal->loop == loop);
    EQUAL(info->size, sizeof *info);
    if (told->calls < 16)
        told->info[told->calls] = *info;
    told->calls++;
    if (told->remove)
        OK(pirn_signal_remove(told->remove));
}

/* In this thread. */
static void block_only(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    if (signo)
        sigaddset(&set, signo);
    MUST(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
}

static int is_blocked(int signo)
{
    sigset_t set;
    MUST(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    return sigismember(&set, signo);
}

static int is_zero(const void *memory, size_t size)
{
    const unsigned char *bytes = memory;
    while (size > 0)
        if (bytes[--size])
            return 0;
    return 1;
}

static int signal_is_ignored(int signo)
{
    return signal(signo, SIG_IGN) != SIG_ERR;
}

static void queue(int signo, int number)
{
    union sigval value;
    memset(&value, 0, sizeof value);
    value.sival_int = number;
    MUST(sigqueue(getpid(), signo, value) == 0);
}

static struct pirn_loop *loop;
static struct pirn_signal one;
static struct told told;

/* A loop without a source. */
static void open_empty(void)
{
    memset(&told, 0, sizeof told);
    memset(&one, 0, sizeof one);
    OPEN(loop, block, the_backend);
}

/* A loop that watches a signal, the only one that is blocked. */
static void begin(int signo)
{
    open_empty();
    block_only(signo);
    OK(pirn_signal_add(loop, &one, signo, 0, on_signal, &told));
}

static void end(void)
{
    OK(pirn_signal_remove(&one));
    CLOSE(loop);
}

/* ---- errors, after which nothing has changed ---- */

static void bad_arguments_are_refused(void)
{
    struct pirn_loop *host;
    static const int wrong[] = { INT32_MIN, -1, 0, 65, INT32_MAX, SIGKILL, SIGSTOP,
                                 SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
    open_empty();
    host = open_host();
    block_only(SIGUSR1);
    int fds = open_fd_count();
    GIVES(pirn_signal_add(NULL, &one, SIGUSR1, 0, on_signal, &told), -EINVAL);
    GIVES(pirn_signal_add(loop, NULL, SIGUSR1, 0, on_signal, &told), -EINVAL);
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, 0, NULL, &told), -EINVAL);
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, PIRN_READ << 2, on_signal, &told), -EINVAL);
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, PIRN_ONESHOT, on_signal, &told), -EINVAL);
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, UINT32_C(0x80000000), on_signal, &told), -EINVAL);
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, PIRN_HIGH | PIRN_LOW, on_signal, &told), -EINVAL);
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++)
        GIVES(pirn_signal_add(loop, &one, wrong[at], PIRN_SIGNAL_BLOCK, on_signal, &told),
              -EINVAL);
    GIVES(pirn_signal_remove(NULL), -EINVAL);
    GIVES(pirn_signal_remove(&one), -ENOENT);
    GIVES(pirn_signal_add(host, &one, SIGUSR1, 0, on_signal, &told), -EOPNOTSUPP);
    CHECK(is_zero(&one, sizeof one));
    OK(pirn_signal_add(loop, &one, SIGUSR1, 0, on_signal, &told));
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, 0, on_signal, &told), -EEXIST);
    GIVES(pirn_signal_add(loop, &one, SIGUSR2, PIRN_SIGNAL_BLOCK, on_signal, &told), -EEXIST);
    CHECK(!is_blocked(SIGUSR2));
    OK(pirn_signal_remove(&one));
    GIVES(pirn_signal_remove(&one), -ENOENT);
    CHECK(is_zero(&one, sizeof one));
    EQUAL(open_fd_count(), fds);
    CLOSE(host);
    CLOSE(loop);
}

static void a_signal_that_is_not_blocked_is_refused(void)
{
    open_empty();
    block_only(0);
    int fds = open_fd_count();
    GIVES(pirn_signal_add(loop, &one, SIGUSR1, 0, on_signal, &told), -EBUSY);
    CHECK(!is_blocked(SIGUSR1));
    EQUAL(open_fd_count(), fds);
    CLOSE(loop);
}

static void what_fails_leaves_the_mask_alone(void)
{
    struct pirn_loop *loop;
    struct pirn_signal signals[IO + 1], *last = &signals[IO];
    struct told told = { 0 };
    struct rlimit limit, few;
    memset(signals, 0, sizeof signals);
    block_only(0);
    OPEN(loop, block, the_backend);
    for (int at = 0; at < IO; at++)
        OK(pirn_signal_add(loop, &signals[at], SIGRTMIN + at, PIRN_SIGNAL_BLOCK, on_signal, &told));
    int fds = open_fd_count();
    GIVES(pirn_signal_add(loop, last, SIGRTMIN + IO, PIRN_SIGNAL_BLOCK, on_signal, &told), -ENOSPC);
    CHECK(!is_blocked(SIGRTMIN + IO) && is_zero(last, sizeof *last));
    EQUAL(open_fd_count(), fds);
    OK(pirn_signal_remove(&signals[0]));
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    few = limit;
    few.rlim_cur = 0;
    MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
    GIVES(pirn_signal_add(loop, last, SIGRTMIN + IO, PIRN_SIGNAL_BLOCK, on_signal, &told), -EMFILE);
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(!is_blocked(SIGRTMIN + IO) && is_zero(last, sizeof *last));
    for (int at = 1; at < IO; at++)
        OK(pirn_signal_remove(&signals[at]));
    for (int at = 0; at < IO; at++)
        CHECK(!is_blocked(SIGRTMIN + at));
    CLOSE(loop);
}

/* ---- delivery ---- */

static void a_signal_is_delivered(void)
{
    open_empty();
    block_only(SIGUSR1);
    int fds = open_fd_count();
    OK(pirn_signal_add(loop, &one, SIGUSR1, 0, on_signal, &told));
    CHECK(one.loop == loop && one.signo == SIGUSR1 && one.user == &told);
    EQUAL(fcntl(one.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EQUAL(fcntl(one.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    GIVES(pirn_turn(loop, 0), 0);
    for (int round = 1; round <= 3; round++) {
        MUST(kill(getpid(), SIGUSR1) == 0);
        GIVES(pirn_turn(loop, SECOND), 1);
        GIVES(pirn_turn(loop, 0), 0);
        EQUAL(told.calls, round);
    }
    EQUAL(told.info[0].signo, SIGUSR1);
    EQUAL(told.info[0].code, SI_USER);
    EQUAL(told.info[0].pid, getpid());
    EQUAL(told.info[0].uid, getuid());
    CHECK(told.info[0].value == 0 && told.info[0].pointer == 0 && told.info[0].reserved == 0);
    OK(pirn_signal_remove(&one));
    EQUAL(open_fd_count(), fds);
    /* It is the application's again, and still pending. */
    MUST(kill(getpid(), SIGUSR1) == 0);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(told.calls, 3);
    CLOSE(loop);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EQUAL(sigwaitinfo(&set, NULL), SIGUSR1);
}

static void a_signal_raised_often_comes_once(void)
{
    begin(SIGUSR1);
    for (int at = 0; at < 5; at++)
        MUST(kill(getpid(), SIGUSR1) == 0);
    settle(loop, 8);
    EQUAL(told.calls, 1);
    for (int at = 0; at < 5; at++)
        queue(SIGUSR1, 40 + at);
    settle(loop, 8);
    EQUAL(told.calls, 2);
    EQUAL(told.info[1].code, SI_QUEUE);
    EQUAL(told.info[1].value, 40);
    end();
}

static void real_time_signals_queue(void)
{
    union sigval value;
    begin(SIGRTMIN + 3);
    for (int at = 0; at < 5; at++)
        queue(SIGRTMIN + 3, 70 + at);
    value.sival_ptr = &told;
    MUST(sigqueue(getpid(), SIGRTMIN + 3, value) == 0);
    for (int turn = 1; turn <= 6; turn++) {
        GIVES(pirn_turn(loop, 0), 1);
        EQUAL(told.calls, turn);
    }
    GIVES(pirn_turn(loop, 0), 0);
    for (int at = 0; at < 5; at++)
        EQUAL(told.info[at].value, 70 + at);
    EQUAL(told.info[5].pointer, (uintptr_t)&told);
    end();
}

static void an_ignored_signal_is_delivered_while_it_is_blocked(void)
{
    open_empty();
    block_only(SIGHUP);
    MUST(signal_is_ignored(SIGHUP));
    OK(pirn_signal_add(loop, &one, SIGHUP, 0, on_signal, &told));
    MUST(kill(getpid(), SIGHUP) == 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 1);
    end();
}

/* ---- the mask ---- */

static void pirn_blocks_what_it_is_told_to(void)
{
    open_empty();
    block_only(0);
    OK(pirn_signal_add(loop, &one, SIGUSR1, PIRN_SIGNAL_BLOCK, on_signal, &told));
    CHECK(is_blocked(SIGUSR1));
    MUST(kill(getpid(), SIGUSR1) == 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    OK(pirn_signal_remove(&one));
    CHECK(!is_blocked(SIGUSR1));
    /* A signal that the application has blocked stays blocked. */
    block_only(SIGUSR1);
    OK(pirn_signal_add(loop, &one, SIGUSR1, PIRN_SIGNAL_BLOCK, on_signal, &told));
    OK(pirn_signal_remove(&one));
    CHECK(is_blocked(SIGUSR1));
    EQUAL(told.calls, 1);
    CLOSE(loop);
}

static void a_child_with_an_empty_mask_hears_its_signals(void)
{
    /* It ends by the signal if it does not block it, and with status 0 if it does. */
    static char *const arguments[] = { "sh", "-c", "kill -TERM $$; exit 0", NULL };
    static char *const no_environment[] = { NULL };
    begin(SIGTERM);
    for (int is_empty = 0; is_empty < 2; is_empty++) {
        posix_spawnattr_t attributes;
        sigset_t none;
        pid_t child;
        int status;
        sigemptyset(&none);
        MUST(posix_spawnattr_init(&attributes) == 0);
        if (is_empty) {
            MUST(posix_spawnattr_setsigmask(&attributes, &none) == 0);
            MUST(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0);
        }
        MUST(posix_spawn(&child, "/bin/sh", NULL, &attributes, arguments, no_environment) == 0);
        MUST(waitpid(child, &status, 0) == child);
        posix_spawnattr_destroy(&attributes);
        if (is_empty)
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        else
            CHECK(WIFEXITED(status));
    }
    GIVES(pirn_turn(loop, 0), 0);
    end();
}

/* ---- threads, loops, processes ---- */

static void one_of_two_loops_gets_a_signal(void)
{
    struct pirn_loop *loop, *other;
    struct pirn_signal signal = { 0 }, other_signal = { 0 };
    struct told told = { 0 }, other_told = { 0 };
    OPEN(loop, block, the_backend);
    OPEN(other, other_block, the_backend);
    block_only(SIGUSR1);
    OK(pirn_signal_add(loop, &signal, SIGUSR1, 0, on_signal, &told));
    OK(pirn_signal_add(other, &other_signal, SIGUSR1, 0, on_signal, &other_told));
    for (int round = 1; round <= 4; round++) {
        MUST(kill(getpid(), SIGUSR1) == 0);
        GIVES(pirn_turn(loop, SECOND), 1);
        GIVES(pirn_turn(other, 0), 0);
    }
    EQUAL(told.calls, 4);
    EQUAL(other_told.calls, 0);
    /* When the first is gone the second gets them. */
    OK(pirn_signal_remove(&signal));
    MUST(kill(getpid(), SIGUSR1) == 0);
    GIVES(pirn_turn(other, SECOND), 1);
    EQUAL(other_told.calls, 1);
    /* Two in one loop: the second finds nothing, and its callback does not run. */
    OK(pirn_signal_add(other, &signal, SIGUSR1, PIRN_LOW, on_signal, &told));
    MUST(kill(getpid(), SIGUSR1) == 0);
    CHECK(pirn_turn(other, SECOND) >= 1);
    EQUAL(told.calls, 4);
    EQUAL(other_told.calls, 2);
    OK(pirn_signal_remove(&signal));
    OK(pirn_signal_remove(&other_signal));
    CLOSE(loop);
    CLOSE(other);
}

static int thread_number;
static pthread_barrier_t barrier;

static void *waiting_thread(void *nothing)
{
    thread_number = (int)syscall(SYS_gettid);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return nothing;
}

static void a_signal_for_a_thread_stays_with_it(void)
{
    pthread_t thread;
    begin(SIGUSR1);
    MUST(pthread_barrier_init(&barrier, NULL, 2) == 0);
    MUST(pthread_create(&thread, NULL, waiting_thread, NULL) == 0);
    pthread_barrier_wait(&barrier);
    MUST(syscall(SYS_tgkill, getpid(), thread_number, SIGUSR1) == 0);
    GIVES(pirn_turn(loop, 5 * MILLISECOND), 0);
    EQUAL(told.calls, 0);
    MUST(syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), SIGUSR1) == 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 1);
    EQUAL(told.info[0].code, SI_TKILL);
    /* One for the process, while all threads block it. */
    MUST(kill(getpid(), SIGUSR1) == 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 2);
    pthread_barrier_wait(&barrier);
    MUST(pthread_join(thread, NULL) == 0);
    end();
}

static volatile sig_atomic_t handled_count;

static void handler(int signo)
{
    (void)signo;
    handled_count++;
}

static void *careless_thread(void *nothing)
{
    block_only(0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return nothing;
}

/* As the header warns: the kernel delivers a signal to any thread that does not block it. */
static void a_thread_that_does_not_block_a_signal_takes_it(void)
{
    struct sigaction action, before;
    pthread_t thread;
    begin(SIGUSR1);
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    MUST(sigaction(SIGUSR1, &action, &before) == 0);
    MUST(pthread_barrier_init(&barrier, NULL, 2) == 0);
    MUST(pthread_create(&thread, NULL, careless_thread, NULL) == 0);
    pthread_barrier_wait(&barrier);
    handled_count = 0;
    MUST(kill(getpid(), SIGUSR1) == 0);
    /* The loop would take it too, if it looked before the thread runs. */
    for (uint64_t begun = monotonic_ns(); !handled_count && monotonic_ns() - begun < 5 * SECOND;)
        sched_yield();
    EQUAL(handled_count, 1);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(told.calls, 0);
    pthread_barrier_wait(&barrier);
    MUST(pthread_join(thread, NULL) == 0);
    /* Without that thread the loop gets the next one. */
    MUST(kill(getpid(), SIGUSR1) == 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(handled_count, 1);
    MUST(sigaction(SIGUSR1, &before, NULL) == 0);
    end();
}

static void a_copy_of_the_loop_hears_its_own(void)
{
    begin(SIGUSR1);
    pid_t child = begin_copy();
    if (child == 0) {
        GIVES(pirn_signal_remove(&one), -ECHILD);
        CHECK(one.loop == loop);
        OK(pirn_after_fork(loop));
        MUST(kill(getpid(), SIGUSR1) == 0);
        GIVES(pirn_turn(loop, SECOND), 1);
        EQUAL(told.calls, 1);
        EQUAL(told.info[0].pid, getpid());
        OK(pirn_signal_remove(&one));
        CLOSE(loop);
    }
    end_copy(child);
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(told.calls, 0);
    MUST(kill(getpid(), SIGUSR1) == 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 1);
    end();
}

/* ---- as a watcher ---- */

static void removing_in_the_callback_ends_it(void)
{
    open_empty();
    block_only(SIGRTMIN);
    for (int at = 0; at < 3; at++)
        queue(SIGRTMIN, at);
    OK(pirn_signal_add(loop, &one, SIGRTMIN, 0, on_signal, &told));
    told.remove = &one;
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(told.calls, 1);
    CHECK(is_zero(&one, sizeof one));
    /* Two are left for the next. */
    told.remove = NULL;
    OK(pirn_signal_add(loop, &one, SIGRTMIN, 0, on_signal, &told));
    settle(loop, 8);
    EQUAL(told.calls, 3);
    EQUAL(told.info[2].value, 2);
    end();
}

static void removing_another_takes_its_signal_away(void)
{
    struct pirn_loop *loop;
    struct pirn_signal first = { 0 }, second = { 0 };
    struct told told = { 0 }, second_told = { 0 };
    OPEN(loop, block, the_backend);
    block_only(0);
    OK(pirn_signal_add(loop, &first, SIGRTMIN, PIRN_SIGNAL_BLOCK | PIRN_HIGH, on_signal, &told));
    OK(pirn_signal_add(loop, &second, SIGRTMIN + 1, PIRN_SIGNAL_BLOCK, on_signal, &second_told));
    told.remove = &second;
    MUST(signal_is_ignored(SIGRTMIN + 1));
    queue(SIGRTMIN, 0);
    queue(SIGRTMIN + 1, 0);
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 1);
    EQUAL(second_told.calls, 0);
    OK(pirn_signal_remove(&first));
    CLOSE(loop);
}

static void its_handle_is_that_of_a_watcher(void)
{
    struct pirn_loop *loop;
    struct pirn_signal signal = { 0 }, low = { 0 };
    struct told told = { 0 }, low_told = { 0 };
    OPEN(loop, block, the_backend);
    block_only(0);
    uint32_t options = PIRN_SIGNAL_BLOCK | PIRN_UNREF;
    OK(pirn_signal_add(loop, &low, SIGRTMIN + 2, options | PIRN_LOW, on_signal, &low_told));
    OK(pirn_signal_add(loop, &signal, SIGRTMIN, options | PIRN_HIGH, on_signal, &told));
    /* Neither keeps the loop going. */
    GIVES(pirn_run(loop), PIRN_DONE);
    queue(SIGRTMIN + 2, 0);
    queue(SIGRTMIN, 0);
    OK(pirn_limit(loop, 1, 0));
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 1);
    EQUAL(low_told.calls, 0);
    OK(pirn_limit(loop, 0, 0));
    settle(loop, 4);
    EQUAL(low_told.calls, 1);
    /* Paused, and resumed. */
    OK(pirn_io_modify(loop, signal.io, 0));
    queue(SIGRTMIN, 0);
    GIVES(pirn_turn(loop, MILLISECOND), 0);
    OK(pirn_io_modify(loop, signal.io, PIRN_READ));
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 2);
    /* Kept going by one that is ref'ed, until the other removes it. */
    OK(pirn_io_ref(loop, signal.io));
    low_told.remove = &signal;
    queue(SIGRTMIN + 2, 0);
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(low_told.calls, 2);
    OK(pirn_signal_remove(&low));
    CLOSE(loop);
}

/* ---- mistakes of the application ---- */

static void removing_after_the_loop_has_ended_closes_the_fd(void)
{
    struct pirn_loop *loop;
    struct pirn_signal signal = { 0 }, handled = { 0 };
    struct told told = { 0 };
    int fds = open_fd_count();
    OPEN(loop, block, the_backend);
    block_only(0);
    OK(pirn_signal_add(loop, &signal, SIGUSR1, PIRN_SIGNAL_BLOCK, on_signal, &told));
    OK(pirn_signal_add(loop, &handled, SIGUSR2, PIRN_SIGNAL_BLOCK, on_signal, &told));
    /* By the handle alone the fd stays open, until the source is removed too. */
    OK(pirn_io_remove(loop, handled.io));
    OK(pirn_signal_remove(&handled));
    CLOSE(loop);
    OK(pirn_signal_remove(&signal));
    CHECK(!is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
    EQUAL(open_fd_count(), fds);
}

static void a_lost_fd_is_told_and_not_closed_again(void)
{
    begin(SIGUSR1);
    int fd = one.fd;
    close(fd);
    settle(loop, 4);
    if (told.calls > 0) {
        EQUAL(told.calls, 1);
        EQUAL(told.info[0].signo, 0);
        EQUAL(one.fd, -1);
        /* The number is another's now, and stays so. */
        int pipe_fds[2];
        MUST(pipe(pipe_fds) == 0);
        EQUAL(pipe_fds[0], fd);
        OK(pirn_signal_remove(&one));
        CHECK(fcntl(fd, F_GETFD) >= 0);
        close_all(pipe_fds, 2);
    } else {
        /* epoll does not report a closed fd. */
        CHECK(the_backend == PIRN_BACKEND_EPOLL);
        OK(pirn_signal_remove(&one));
    }
    CLOSE(loop);
}

static void test(uint32_t backend)
{
    the_backend = backend;
    bad_arguments_are_refused();
    a_signal_that_is_not_blocked_is_refused();
    what_fails_leaves_the_mask_alone();
    a_signal_is_delivered();
    a_signal_raised_often_comes_once();
    real_time_signals_queue();
    an_ignored_signal_is_delivered_while_it_is_blocked();
    pirn_blocks_what_it_is_told_to();
    a_child_with_an_empty_mask_hears_its_signals();
    one_of_two_loops_gets_a_signal();
    a_signal_for_a_thread_stays_with_it();
    a_thread_that_does_not_block_a_signal_takes_it();
    a_copy_of_the_loop_hears_its_own();
    removing_in_the_callback_ends_it();
    removing_another_takes_its_signal_away();
    its_handle_is_that_of_a_watcher();
    removing_after_the_loop_has_ended_closes_the_fd();
    a_lost_fd_is_told_and_not_closed_again();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
