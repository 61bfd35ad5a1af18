/*
 * tail: prints what is appended to a file, as tail -F does.
 *
 * It watches the directory and not the file. So it notices when the file is replaced, as in log
 * rotation, and continues with the new one.
 *
 *     make && ./build/tail FILE
 *     ./build/tail --self-test
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pirn/os.h>

#include "check.h"

static PIRN_STORAGE(block, 4, 1, 0);

static struct tail {
    char path[PATH_MAX], name[NAME_MAX + 1];
    int fd;
    void (*print)(const char *text, size_t length);
    struct pirn_files files;
    struct pirn_signal interrupt, terminate;
} the_tail;

/* Prints what is there to be read. What was cut off is read from its new beginning. */
static void read_on(struct tail *tail)
{
    char buffer[4096];
    struct stat status;
    ssize_t length;

    if (tail->fd < 0)
        return;
    if (fstat(tail->fd, &status) == 0 && status.st_size < lseek(tail->fd, 0, SEEK_CUR))
        lseek(tail->fd, 0, SEEK_SET);
    while ((length = read(tail->fd, buffer, sizeof buffer)) > 0)
        tail->print(buffer, (size_t)length);
}

/* The file that has the name now, from its beginning. */
static void reopen(struct tail *tail)
{
    if (tail->fd >= 0)
        close(tail->fd);
    tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC);
}

static void on_change(struct pirn_loop *loop, struct pirn_files *files,
                      const struct pirn_file_event *event, void *user)
{
    struct tail *tail = user;
    uint32_t is_new = IN_CREATE | IN_MOVED_TO | IN_Q_OVERFLOW;

    if (event->mask & IN_IGNORED) {                 /* the directory is gone */
        pirn_files_remove(files);
        pirn_stop(loop);
        return;
    }
    /* What was dropped may have been about our file: look. */
    if (!(event->mask & IN_Q_OVERFLOW) && strcmp(event->name, tail->name) != 0)
        return;
    read_on(tail);                                  /* the rest of the old one first */
    if (event->mask & is_new) {
        reopen(tail);
        read_on(tail);
    }
}

static void on_stop(struct pirn_loop *loop, struct pirn_signal *signal,
                    const struct pirn_signal_info *info, void *user)
{
    (void)signal, (void)info, (void)user;
    pirn_stop(loop);
}

/* Watches, and begins at the end of the file if there is one. */
static int begin(struct tail *tail, struct pirn_loop *loop, const char *path)
{
    uint32_t mask = IN_MODIFY | IN_CREATE | IN_MOVED_TO;
    char directory[PATH_MAX], name[PATH_MAX];
    int rc;

    tail->fd = -1;
    if (strlen(path) >= sizeof tail->path)
        return -ENAMETOOLONG;
    strcpy(tail->path, path);
    strcpy(directory, path);
    strcpy(name, path);
    strncat(tail->name, basename(name), sizeof tail->name - 1);
    rc = pirn_files_add(loop, &tail->files, 0, on_change, tail);
    if (rc == 0)
        rc = pirn_files_watch(&tail->files, dirname(directory), mask);
    if (rc < 0)
        return rc;
    reopen(tail);
    if (tail->fd >= 0)
        lseek(tail->fd, 0, SEEK_END);
    rc = pirn_signal_add(loop, &tail->interrupt, SIGINT, PIRN_SIGNAL_BLOCK, on_stop, NULL);
    if (rc == 0)
        rc = pirn_signal_add(loop, &tail->terminate, SIGTERM, PIRN_SIGNAL_BLOCK, on_stop, NULL);
    return rc;
}

static void end(struct tail *tail)
{
    pirn_files_remove(&tail->files);
    pirn_signal_remove(&tail->interrupt);
    pirn_signal_remove(&tail->terminate);
    if (tail->fd >= 0)
        close(tail->fd);
}

static void print(const char *text, size_t length)
{
    if (fwrite(text, 1, length, stdout) == length)
        fflush(stdout);
}

/* ---- the self-test ---- */

static char printed[4096];
static size_t printed_length;

static void keep(const char *text, size_t length)
{
    CHECK(printed_length + length < sizeof printed);
    memcpy(printed + printed_length, text, length);
    printed_length += length;
    printed[printed_length] = '\0';
}

static void write_to(const char *path, int flags, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

/* All that is known now has been printed. */
static void expect(struct pirn_loop *loop, const char *text)
{
    while (pirn_turn(loop, 0) > 0)
        ;
    if (strcmp(printed, text) != 0)
        fprintf(stderr, "printed: \"%s\"\n", printed);
    CHECK(strcmp(printed, text) == 0);
}

static int self_test(void)
{
    char directory[] = "/tmp/pirn-tail-XXXXXX", path[64], old[64];
    struct tail *tail = &the_tail;
    struct pirn_loop *loop;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/log", directory);
    snprintf(old, sizeof old, "%s/log.1", directory);
    write_to(path, 0, "before\n");
    tail->print = keep;
    CHECK(pirn_init(&loop, block, sizeof block, NULL) == 0 && begin(tail, loop, path) == 0);
    expect(loop, "");
    write_to(path, O_APPEND, "one\n");
    expect(loop, "one\n");
    write_to(old, O_APPEND, "another file\n");
    write_to(path, O_APPEND, "two\n");
    /* Rotated, with what nobody has read yet. */
    CHECK(rename(path, old) == 0);
    write_to(path, O_APPEND, "three\n");
    expect(loop, "one\ntwo\nthree\n");
    /* Cut off, and written anew. */
    write_to(path, O_TRUNC, "4\n");
    expect(loop, "one\ntwo\nthree\n4\n");
    CHECK(raise(SIGTERM) == 0 && pirn_run(loop) == PIRN_STOPPED);
    end(tail);
    CHECK(pirn_deinit(loop) == 0);
    CHECK(unlink(path) == 0 && unlink(old) == 0 && rmdir(directory) == 0);
    puts("tail: follows what is appended, over rotation and truncation");
    return 0;
}

int main(int argc, char **argv)
{
    struct pirn_loop *loop;
    int rc;

    if (argc == 2 && strcmp(argv[1], "--self-test") == 0)
        return self_test();
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE | --self-test\n", argv[0]);
        return 2;
    }
    the_tail.print = print;
    rc = pirn_init(&loop, block, sizeof block, NULL);
    if (rc == 0) {
        rc = begin(&the_tail, loop, argv[1]);
        if (rc == 0)
            rc = pirn_run(loop);
        end(&the_tail);
        pirn_deinit(loop);
    }
    if (rc < 0)
        fprintf(stderr, "tail: %s\n", pirn_strerror(rc));
    return rc < 0;
}
