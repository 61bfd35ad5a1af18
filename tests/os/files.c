/* Files and directories that change. */
#include "sources.h"

#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

DECLARE_BLOCK(block);

#define MOST 64

/* The reports, in order; the names are copies. */
struct told {
    int calls;
    struct pirn_file_event events[MOST];
    char names[MOST][NAME_MAX + 1];
    struct pirn_files *remove;
    int is_freed;
    int overflow_count;
};

static void on_change(struct pirn_loop *loop, struct pirn_files *files,
                      const struct pirn_file_event *event, void *user)
{
    struct told *told = user;
    CHECK(files->loop == loop);
    EQUAL(event->size, sizeof *event);
    EQUAL(strlen(event->name), event->name_length);
    EQUAL(event->reserved, 0);
    if (told->calls < MOST) {
        told->events[told->calls] = *event;
        strcpy(told->names[told->calls], event->name);
    }
    told->calls++;
    if (event->mask & IN_Q_OVERFLOW) {
        told->overflow_count++;
        EQUAL(event->watch, -1);
    }
    if (told->remove) {
        OK(pirn_files_remove(told->remove));
        if (told->is_freed)
            free(files);
    }
}

static struct pirn_loop *loop;
static struct pirn_files files;
static struct told told;

/* A loop without a source. */
static void open_empty(void)
{
    memset(&told, 0, sizeof told);
    memset(&files, 0, sizeof files);
    OPEN(loop, block, the_backend);
}

/* A loop with a source that watches nothing yet. */
static void begin(uint32_t options)
{
    open_empty();
    OK(pirn_files_add(loop, &files, options, on_change, &told));
}

static void end(void)
{
    OK(pirn_files_remove(&files));
    CLOSE(loop);
}

/* ---- a directory of the test's own ---- */

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[2][PATH_MAX];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", directory, name);
    return path[turn];
}

static void make_directory(void)
{
    strcpy(directory, "/tmp/pirn-files-XXXXXX");
    MUST(mkdtemp(directory) != NULL);
}

static void remove_directory(void)
{
    MUST(rmdir(directory) == 0);
}

static void write_file(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void is_event(const struct told *told, int at, int watch, uint32_t mask, const char *name)
{
    EQUAL(told->events[at].watch, watch);
    EQUAL(told->events[at].mask, mask);
    if (!CHECK(strcmp(told->names[at], name) == 0))
        printf("  it is \"%s\", not \"%s\"\n", told->names[at], name);
}

/* Turns until there is nothing more. */
static void settle_files(struct pirn_loop *loop)
{
    while (pirn_turn(loop, 0) > 0)
        ;
}

/* ---- the claims ---- */

static void bad_arguments_are_refused(void)
{
    struct pirn_loop *loop, *host;
    struct pirn_files files = { 0 };
    host = open_host();
    OPEN(loop, block, the_backend);
    int fds = open_fd_count();
    GIVES(pirn_files_add(NULL, &files, 0, on_change, NULL), -EINVAL);
    GIVES(pirn_files_add(loop, NULL, 0, on_change, NULL), -EINVAL);
    GIVES(pirn_files_add(loop, &files, 0, NULL, NULL), -EINVAL);
    GIVES(pirn_files_add(loop, &files, 1, on_change, NULL), -EINVAL);
    GIVES(pirn_files_add(loop, &files, PIRN_ONESHOT, on_change, NULL), -EINVAL);
    GIVES(pirn_files_add(host, &files, 0, on_change, NULL), -EOPNOTSUPP);
    GIVES(pirn_files_watch(NULL, directory, IN_CREATE), -EINVAL);
    GIVES(pirn_files_watch(&files, directory, IN_CREATE), -EINVAL);
    GIVES(pirn_files_unwatch(NULL, 1), -EINVAL);
    GIVES(pirn_files_unwatch(&files, 1), -EINVAL);
    GIVES(pirn_files_remove(NULL), -EINVAL);
    GIVES(pirn_files_remove(&files), -ENOENT);
    OK(pirn_files_add(loop, &files, 0, on_change, NULL));
    GIVES(pirn_files_add(loop, &files, 0, on_change, NULL), -EEXIST);
    EQUAL(fcntl(files.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    GIVES(pirn_files_watch(&files, NULL, IN_CREATE), -EINVAL);
    GIVES(pirn_files_watch(&files, directory, 0), -EINVAL);
    GIVES(pirn_files_watch(&files, path_of("none"), IN_CREATE), -ENOENT);
    GIVES(pirn_files_watch(&files, "/dev/null/none", IN_CREATE), -ENOTDIR);
    GIVES(pirn_files_unwatch(&files, 1), -EINVAL);
    GIVES(pirn_files_unwatch(&files, -1), -EINVAL);
    GIVES(pirn_turn(loop, 0), 0);
    OK(pirn_files_remove(&files));
    CHECK(files.loop == NULL && files.fd == 0);
    EQUAL(open_fd_count(), fds);
    CLOSE(host);
    CLOSE(loop);
}

static void changes_are_reported_in_order(void)
{
    begin(0);
    int watch = pirn_files_watch(&files, directory, IN_CREATE | IN_MODIFY | IN_MOVE | IN_DELETE);
    CHECK(watch > 0);
    GIVES(pirn_files_watch(&files, directory, IN_CREATE | IN_MODIFY | IN_MOVE | IN_DELETE), watch);
    GIVES(pirn_turn(loop, 0), 0);
    write_file("a", "text");
    MUST(rename(path_of("a"), path_of("b")) == 0);
    MUST(mkdir(path_of("d"), 0700) == 0);
    MUST(unlink(path_of("b")) == 0);
    MUST(rmdir(path_of("d")) == 0);
    /* One turn is enough for these. */
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 7);
    is_event(&told, 0, watch, IN_CREATE, "a");
    is_event(&told, 1, watch, IN_MODIFY, "a");
    is_event(&told, 2, watch, IN_MOVED_FROM, "a");
    is_event(&told, 3, watch, IN_MOVED_TO, "b");
    is_event(&told, 4, watch, IN_CREATE | IN_ISDIR, "d");
    is_event(&told, 5, watch, IN_DELETE, "b");
    is_event(&told, 6, watch, IN_DELETE | IN_ISDIR, "d");
    CHECK(told.events[2].cookie != 0);
    EQUAL(told.events[2].cookie, told.events[3].cookie);
    EQUAL(told.events[0].cookie, 0);
    GIVES(pirn_turn(loop, 0), 0);
    end();
}

static void a_file_has_no_name_of_its_own(void)
{
    begin(0);
    write_file("one", "");
    write_file("two", "");
    int one = pirn_files_watch(&files, path_of("one"), IN_MODIFY | IN_DELETE_SELF);
    int two = pirn_files_watch(&files, path_of("two"), IN_MODIFY);
    CHECK(one > 0 && two > 0 && one != two);
    write_file("one", "x");
    write_file("two", "x");
    MUST(unlink(path_of("one")) == 0);
    OK(pirn_files_unwatch(&files, two));
    GIVES(pirn_files_unwatch(&files, two), -EINVAL);
    MUST(unlink(path_of("two")) == 0);
    settle_files(loop);
    EQUAL(told.calls, 5);
    is_event(&told, 0, one, IN_MODIFY, "");
    is_event(&told, 1, two, IN_MODIFY, "");
    is_event(&told, 2, one, IN_DELETE_SELF, "");
    is_event(&told, 3, one, IN_IGNORED, "");
    is_event(&told, 4, two, IN_IGNORED, "");
    end();
}

static void the_longest_name_fits(void)
{
    char name[NAME_MAX + 1];
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    begin(0);
    int watch = pirn_files_watch(&files, directory, IN_CREATE | IN_DELETE);
    for (int round = 0; round < 3; round++) {
        write_file(name, "");
        MUST(unlink(path_of(name)) == 0);
    }
    settle_files(loop);
    EQUAL(told.calls, 6);
    for (int at = 0; at < 6; at++)
        is_event(&told, at, watch, at % 2 ? IN_DELETE : IN_CREATE, name);
    EQUAL(told.events[0].name_length, NAME_MAX);
    end();
}

static void a_turn_reads_a_few(void)
{
    begin(0);
    CHECK(pirn_files_watch(&files, directory, IN_CREATE | IN_DELETE) > 0);
    for (int round = 0; round < 100; round++) {
        write_file("a", "");
        MUST(unlink(path_of("a")) == 0);
    }
    int turns = 0;
    while (pirn_turn(loop, 0) > 0) {
        int before = told.calls;
        turns++;
        CHECK(told.calls - before <= 16);
    }
    EQUAL(told.calls, 200);
    CHECK(turns >= 200 / 16);
    end();
}

static void what_the_kernel_drops_is_reported(void)
{
    long most = 16384;
    FILE *setting = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (setting) {
        MUST(fscanf(setting, "%ld", &most) == 1);
        fclose(setting);
    }
    if (most > 100000)
        return;
    begin(0);
    CHECK(pirn_files_watch(&files, directory, IN_ATTRIB) > 0);
    write_file("a", "");
    write_file("b", "");
    /* Two in a row that are equal would count as one. */
    for (long at = 0; at < most + 100; at++)
        MUST(chmod(path_of(at % 2 ? "a" : "b"), 0600) == 0);
    settle_files(loop);
    EQUAL(told.overflow_count, 1);
    EQUAL(told.calls, most + 1);
    /* And it goes on. */
    MUST(chmod(path_of("a"), 0600) == 0);
    settle_files(loop);
    EQUAL(told.calls, most + 2);
    MUST(unlink(path_of("a")) == 0 && unlink(path_of("b")) == 0);
    end();
}

static void removing_in_the_callback_ends_it(void)
{
    struct pirn_loop *loop;
    static struct told told;
    memset(&told, 0, sizeof told);
    OPEN(loop, block, the_backend);
    /* Its memory is gone before the callback returns: the sanitizers would notice a look at it. */
    struct pirn_files *files = calloc(1, sizeof *files);
    MUST(files != NULL);
    OK(pirn_files_add(loop, files, 0, on_change, &told));
    CHECK(pirn_files_watch(files, directory, IN_CREATE | IN_DELETE) > 0);
    write_file("a", "");
    MUST(unlink(path_of("a")) == 0);
    told.remove = files;
    told.is_freed = 1;
    GIVES(pirn_run(loop), PIRN_DONE);
    EQUAL(told.calls, 1);
    /* Removed by another between two turns, with changes queued. */
    struct pirn_files again = { 0 };
    told.remove = NULL;
    OK(pirn_files_add(loop, &again, 0, on_change, &told));
    CHECK(pirn_files_watch(&again, directory, IN_CREATE) > 0);
    write_file("a", "");
    OK(pirn_files_remove(&again));
    GIVES(pirn_turn(loop, 0), 0);
    EQUAL(told.calls, 1);
    MUST(unlink(path_of("a")) == 0);
    CLOSE(loop);
}

/*
 * Adds the source again in its own callback. The changes that were read for the old one are
 * dropped.
 */
static void renew(struct pirn_loop *loop, struct pirn_files *files,
                  const struct pirn_file_event *event, void *user)
{
    (void)event;
    if (++*(int *)user == 1) {
        OK(pirn_files_remove(files));
        OK(pirn_files_add(loop, files, 0, renew, user));
        CHECK(pirn_files_watch(files, directory, IN_DELETE) > 0);
    }
}

static void a_source_can_be_renewed_in_its_callback(void)
{
    struct pirn_loop *loop;
    struct pirn_files files = { 0 };
    int calls = 0;
    OPEN(loop, block, the_backend);
    OK(pirn_files_add(loop, &files, 0, renew, &calls));
    CHECK(pirn_files_watch(&files, directory, IN_CREATE | IN_OPEN | IN_CLOSE) > 0);
    write_file("a", "");
    settle_files(loop);
    EQUAL(calls, 1);
    MUST(unlink(path_of("a")) == 0);
    settle_files(loop);
    EQUAL(calls, 2);
    OK(pirn_files_remove(&files));
    CLOSE(loop);
}

static void its_handle_is_that_of_a_watcher(void)
{
    begin(PIRN_UNREF | PIRN_LOW);
    CHECK(pirn_files_watch(&files, directory, IN_CREATE) > 0);
    GIVES(pirn_run(loop), PIRN_DONE);
    OK(pirn_io_modify(loop, files.io, 0));
    write_file("a", "");
    GIVES(pirn_turn(loop, MILLISECOND), 0);
    OK(pirn_io_modify(loop, files.io, PIRN_READ));
    GIVES(pirn_turn(loop, SECOND), 1);
    EQUAL(told.calls, 1);
    MUST(unlink(path_of("a")) == 0);
    end();
}

/* In a foreign loop: by the fd where there is one, else by steps. */
static void a_foreign_loop_reports_them(void)
{
    open_empty();
    int fd = pirn_fd(loop);
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    OK(pirn_files_add(loop, &files, 0, on_change, &told));
    CHECK(pirn_files_watch(&files, directory, IN_CREATE | IN_DELETE) > 0);
    for (int round = 1; round <= 3; round++) {
        uint64_t timeout = 0;
        OK(pirn_prepare(loop, PIRN_FOREVER, &timeout));
        EQUAL(timeout, PIRN_FOREVER);
        if (fd >= 0)
            EQUAL(poll(&poll_fd, 1, 2), 0);
        write_file("a", "");
        MUST(unlink(path_of("a")) == 0);
        if (fd >= 0) {
            EQUAL(poll(&poll_fd, 1, 1000), 1);
            GIVES(pirn_turn(loop, 0), 1);
        } else {
            EQUAL(fd, -EOPNOTSUPP);
            GIVES(pirn_wait(loop, timeout), 1);
            GIVES(pirn_dispatch(loop), 1);
        }
        EQUAL(told.calls, 2 * round);
    }
    end();
}

static void a_copy_of_the_loop_takes_nothing_away(void)
{
    begin(0);
    CHECK(pirn_files_watch(&files, directory, IN_CREATE | IN_DELETE) > 0);
    write_file("a", "");
    pid_t copy = begin_copy();
    if (copy == 0) {
        GIVES(pirn_files_remove(&files), -ECHILD);
        OK(pirn_after_fork(loop));
        CHECK(pirn_turn(loop, 0) >= 0);
        GIVES(pirn_turn(loop, 2 * MILLISECOND), 0);
        EQUAL(told.calls, 0);
        GIVES(pirn_files_watch(&files, directory, IN_CREATE), -ECHILD);
        GIVES(pirn_files_unwatch(&files, 1), -ECHILD);
        OK(pirn_files_remove(&files));
        OK(pirn_files_add(loop, &files, 0, on_change, &told));
        CHECK(pirn_files_watch(&files, directory, IN_DELETE) > 0);
        MUST(unlink(path_of("a")) == 0);
        settle_files(loop);
        EQUAL(told.calls, 1);
        OK(pirn_files_remove(&files));
        CLOSE(loop);
    }
    end_copy(copy);
    settle_files(loop);
    EQUAL(told.calls, 2);
    end();
}

static void a_lost_fd_is_reported(void)
{
    begin(0);
    close(files.fd);
    settle_files(loop);
    if (told.calls > 0) {
        EQUAL(told.calls, 1);
        is_event(&told, 0, -1, 0, "");
        EQUAL(files.fd, -1);
        GIVES(pirn_files_watch(&files, directory, IN_CREATE), -EINVAL);
    } else {
        CHECK(the_backend == PIRN_BACKEND_EPOLL);
    }
    end();
}

static void test(uint32_t backend)
{
    the_backend = backend;
    make_directory();
    bad_arguments_are_refused();
    changes_are_reported_in_order();
    a_file_has_no_name_of_its_own();
    the_longest_name_fits();
    a_turn_reads_a_few();
    what_the_kernel_drops_is_reported();
    removing_in_the_callback_ends_it();
    a_source_can_be_renewed_in_its_callback();
    its_handle_is_that_of_a_watcher();
    a_foreign_loop_reports_them();
    a_copy_of_the_loop_takes_nothing_away();
    a_lost_fd_is_reported();
    remove_directory();
}

int main(int argc, char **argv)
{
    return run_on_backends(argc, argv, test);
}
