/*
 * Prints what C makes of every public struct and constant; c_api.rs compares it with what Rust
 * makes of them. T121.
 */
#include <inttypes.h>
#include <stdio.h>

#include <pirn.h>

struct aligned_io { char c; struct pirn_io value; };
struct aligned_timer { char c; struct pirn_timer value; };
struct aligned_task { char c; struct pirn_task value; };
struct aligned_ready { char c; struct pirn_ready value; };
struct aligned_host { char c; struct pirn_host value; };
struct aligned_config { char c; struct pirn_config value; };
struct aligned_stats { char c; struct pirn_stats value; };
struct aligned_due { char c; struct pirn_due value; };
struct aligned_info { char c; struct pirn_info value; };

#define STRUCT(name) \
    printf("struct pirn_%s %zu %zu\n", #name, sizeof(struct pirn_##name), \
           offsetof(struct aligned_##name, value))
#define FIELD(name, field) \
    printf("field pirn_%s.%s %zu %zu\n", #name, #field, offsetof(struct pirn_##name, field), \
           sizeof(((struct pirn_##name *)0)->field))
#define CONSTANT(name) printf("constant %s %" PRIu64 "\n", #name, (uint64_t)(name))

int main(void)
{
    STRUCT(io);
    FIELD(io, slot);
    FIELD(io, generation);
    STRUCT(timer);
    FIELD(timer, slot);
    FIELD(timer, generation);
    STRUCT(task);
    FIELD(task, slot);
    FIELD(task, generation);
    STRUCT(ready);
    FIELD(ready, fd);
    FIELD(ready, ready);
    STRUCT(host);
    FIELD(host, size);
    FIELD(host, capabilities);
    FIELD(host, user);
    FIELD(host, now);
    FIELD(host, wait);
    FIELD(host, watch);
    FIELD(host, wake);
    STRUCT(config);
    FIELD(config, size);
    FIELD(config, backend);
    FIELD(config, io);
    FIELD(config, timers);
    FIELD(config, tasks);
    FIELD(config, flags);
    FIELD(config, seed);
    FIELD(config, reserved);
    FIELD(config, host);
    STRUCT(stats);
    FIELD(stats, size);
    FIELD(stats, backend);
    FIELD(stats, turns);
    FIELD(stats, waits);
    FIELD(stats, events);
    FIELD(stats, stale_events);
    FIELD(stats, spurious_wakeups);
    FIELD(stats, callbacks);
    FIELD(stats, longest_callback_ns);
    FIELD(stats, longest_lag_ns);
    FIELD(stats, interest_changes);
    FIELD(stats, interest_syscalls);
    FIELD(stats, rebuilds);
    FIELD(stats, remote_posts);
    FIELD(stats, wake_writes);
    FIELD(stats, io_capacity);
    FIELD(stats, io_used);
    FIELD(stats, io_peak);
    FIELD(stats, timer_capacity);
    FIELD(stats, timer_used);
    FIELD(stats, timer_peak);
    FIELD(stats, task_capacity);
    FIELD(stats, task_used);
    FIELD(stats, task_peak);
    FIELD(stats, remote_capacity);
    FIELD(stats, remote_peak);
    FIELD(stats, task_refused);
    FIELD(stats, remote_refused);
    FIELD(stats, block_size);
    FIELD(stats, io_referenced);
    FIELD(stats, timer_referenced);
    FIELD(stats, holds);
    FIELD(stats, remote_used);
    STRUCT(due);
    FIELD(due, kind);
    FIELD(due, fd);
    FIELD(due, handle);
    FIELD(due, ready);
    FIELD(due, reserved);
    FIELD(due, missed);
    FIELD(due, callback);
    FIELD(due, user);
    FIELD(due, more);
    STRUCT(info);
    FIELD(info, size);
    FIELD(info, kind);
    FIELD(info, handle);
    FIELD(info, fd);
    FIELD(info, options);
    FIELD(info, deadline_ns);
    FIELD(info, period_ns);
    FIELD(info, slack_ns);
    FIELD(info, callback);
    FIELD(info, user);

    CONSTANT(PIRN_FOREVER);
    CONSTANT(PIRN_STORAGE_BASE);
    CONSTANT(PIRN_STORAGE_MAGIC);
    CONSTANT(PIRN_BACKEND_AUTO);
    CONSTANT(PIRN_BACKEND_SELECT);
    CONSTANT(PIRN_BACKEND_POLL);
    CONSTANT(PIRN_BACKEND_EPOLL);
    CONSTANT(PIRN_BACKEND_HOST);
    CONSTANT(PIRN_MEASURE);
    CONSTANT(PIRN_TAKE);
    CONSTANT(PIRN_NO_FORK_CHECK);
    CONSTANT(PIRN_READ);
    CONSTANT(PIRN_URGENT);
    CONSTANT(PIRN_WRITE);
    CONSTANT(PIRN_ERROR);
    CONSTANT(PIRN_HANGUP);
    CONSTANT(PIRN_INVALID);
    CONSTANT(PIRN_PEER_CLOSED);
    CONSTANT(PIRN_EDGE);
    CONSTANT(PIRN_ONESHOT);
    CONSTANT(PIRN_EXCLUSIVE);
    CONSTANT(PIRN_HIGH);
    CONSTANT(PIRN_LOW);
    CONSTANT(PIRN_UNREF);
    CONSTANT(PIRN_TIMER_ABSOLUTE);
    CONSTANT(PIRN_TIMER_CACHED);
    CONSTANT(PIRN_TIMER_FIXED_DELAY);
    CONSTANT(PIRN_TIMER_SKIP);
    CONSTANT(PIRN_DONE);
    CONSTANT(PIRN_STOPPED);
    CONSTANT(PIRN_EXPIRED);
    CONSTANT(PIRN_GOING);
    CONSTANT(PIRN_DUE_TIMER);
    CONSTANT(PIRN_DUE_IO);
    CONSTANT(PIRN_DUE_RAISED);
    CONSTANT(PIRN_DUE_TASK);
    CONSTANT(PIRN_DUE_POST);
    CONSTANT(PIRN_DUE_HOOK);
    CONSTANT(PIRN_HOOK_FIRST);
    CONSTANT(PIRN_HOOK_LAST);
    CONSTANT(PIRN_HOOK_IDLE);
    CONSTANT(PIRN_CAN_EDGE);
    CONSTANT(PIRN_CAN_EXCLUSIVE);
    CONSTANT(PIRN_CAN_FD);
    CONSTANT(PIRN_CAN_NANOSECONDS);
    CONSTANT(PIRN_VERSION);

    /* Constant expressions against the function. */
#define SIZE(io, timers, tasks) \
    printf("size %d/%d/%d %zu %zu\n", io, timers, tasks, \
           (size_t)PIRN_STORAGE_SIZE(io, timers, tasks), \
           pirn_storage_size(io, timers, tasks))
    SIZE(0, 0, 0);
    SIZE(1, 0, 0);
    SIZE(0, 1, 0);
    SIZE(0, 0, 1);
    SIZE(1, 1, 1);
    SIZE(2, 3, 5);
    SIZE(3, 5, 7);
    SIZE(7, 7, 7);
    SIZE(16, 8, 8);
    SIZE(63, 64, 65);
    SIZE(64, 16, 32);
    SIZE(1000, 1000, 1000);
    SIZE(1024, 0, 0);
    SIZE(0, 1000000, 0);
    SIZE(100000, 1000000, 65536);
    return 0;
}
