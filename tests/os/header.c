/* The header by itself, as C and as C++: every struct, constant and function in it used. */
#include <pirn/os.h>

#define USE(value) ((void)(value))

static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
                      const struct pirn_signal_info *info, void *user)
{
    USE(loop), USE(info), USE(user);
    USE(pirn_signal_remove(signal));
}

static void on_child(struct pirn_loop *loop, struct pirn_child *child,
                     const struct pirn_child_status *status, void *user)
{
    USE(loop), USE(status), USE(user);
    USE(pirn_child_scan(child));
    USE(pirn_child_remove(child));
}

static void on_clock(struct pirn_loop *loop, struct pirn_clock *clock, uint32_t what,
                     uint64_t missed, void *user)
{
    USE(loop), USE(missed), USE(user);
    if (what == PIRN_CLOCK_DUE || what == PIRN_CLOCK_SET)
        USE(pirn_clock_again(clock, PIRN_FOREVER));
    USE(pirn_clock_remove(clock));
}

static void on_change(struct pirn_loop *loop, struct pirn_files *files,
                      const struct pirn_file_event *event, void *user)
{
    USE(loop), USE(event), USE(user);
    USE(pirn_files_remove(files));
}

int main(void)
{
    struct pirn_files files = { { 0, 0 }, 0, 0, 0, 0, 0, 0, 0, 0 };
    uint64_t now;
    struct pirn_clock clock = { { 0, 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    struct pirn_child child = { { 0, 0 }, 0, 0, 0, 0, 0, 0, 0 };
    struct pirn_signal signal = { { 0, 0 }, 0, 0, 0, 0, 0, 0, 0 };
    USE(pirn_signal_add(0, &signal, 1, PIRN_SIGNAL_BLOCK, on_signal, 0));
    USE(pirn_child_add(0, &child, 1, PIRN_CHILD_SCAN, on_child, 0));
    USE(pirn_child_add_fd(0, &child, 1, PIRN_CHILD_KEEP, on_child, 0));
    USE(pirn_clock_now(PIRN_CLOCK_BOOTTIME, &now));
    USE(pirn_clock_add(0, &clock, PIRN_CLOCK_REALTIME, 0, 0, PIRN_CLOCK_TELL_SET, on_clock, 0));
    USE(PIRN_CLOCK_REALTIME_ALARM | PIRN_CLOCK_BOOTTIME_ALARM);
    USE(pirn_files_add(0, &files, 0, on_change, 0));
    USE(pirn_files_watch(&files, "/", 1));
    USE(pirn_files_unwatch(&files, 1));
    return 0;
}
