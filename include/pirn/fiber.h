/*
 * pirn/fiber.h: fibers, as a layer above pirn.h and pirn/wait.h.
 *
 * Generated from crates/fiber by `cargo build --features header`. Do not edit.
 *
 * The layer is in the same library. A program that does not call it does not contain it. Version 0
 * of this header: nothing in it is frozen yet.
 *
 *
 * IN ONE PAGE
 *
 * A fiber is a function that has a stack of its own. It can wait anywhere, also inside functions
 * that it calls. While it waits, other fibers run. So an echo server for a hundred clients reads
 * like one that serves a single client:
 *
 *     static PIRN_STORAGE(block, 128, 8, 8);                the loop: 128 fds
 *     static struct pirn_hub hub;                           needed once for each loop
 *     PIRN_POOL(clients, 100, 16384);                       at most 100 fibers, 16 KiB each
 *
 *     static int serve(struct pirn_hub *hub_, void *argument)
 *     {
 *         struct pirn_port client;
 *         char bytes[1024];
 *         intptr_t count;
 *         int fd = *(int *)argument;
 *         if (pirn_port_open(hub_, &client, fd, 0) == 0) {
 *             while ((count = pirn_port_read(&client, bytes, sizeof bytes, 5000000000u)) > 0)
 *                 if (pirn_port_write_all(&client, bytes, (size_t)count, 5000000000u) < 0)
 *                     break;
 *             pirn_port_close(&client);
 *         }
 *         return close(fd);
 *     }
 *
 *     static int listen_for_ever(int fd)
 *     {
 *         struct pirn_port listener;
 *         int client;
 *         if (pirn_port_open(&hub, &listener, fd, 0) < 0)
 *             return 1;
 *         while ((client = pirn_port_accept(&listener, PIRN_FOREVER)) >= 0)
 *             pirn_pool_spawn(&hub, &clients, serve, &client, sizeof client, PIRN_FOREVER);
 *         return 1;
 *     }
 *
 *     int main(void)
 *     {
 *         struct pirn_loop *loop;
 *         if (pirn_init(&loop, block, sizeof block, NULL) < 0 || pirn_hub_init(loop, &hub, 63) < 0)
 *             return 1;
 *         return listen_for_ever(listening_socket());
 *     }
 *
 * The main program waits as fibers do: its calls run the loop until the wait is over.
 * pirn_pool_spawn waits while all hundred fibers are in use. So the memory of the server is known
 * before it runs.
 *
 * The loop runs a fiber inside a callback. No other fiber runs between two waits, so most programs
 * need no locks. What docs/TURN.md says about callbacks holds for fibers.
 *
 *
 * STACKS
 *
 * A signal handler runs on the stack of the fiber that it interrupts, unless it was installed with
 * SA_ONSTACK and the thread has called sigaltstack. On x86-64 the kernel puts 1 to 11 KiB there for
 * each signal. Give fibers 16 KiB, or use sigaltstack in a program that handles signals. This
 * library needs less than 500 bytes of a stack; functions of the C library may need several KiB.
 * docs/WAITING.md tells what interrupts take on a microcontroller.
 *
 * Any memory of yours can be a stack: a static array, a part of one, or the result of mmap. There
 * are three ways to find out whether it is large enough:
 *
 * - Each time a fiber waits, its stack pointer and the lowest word of its stack are checked. If the
 *   stack has overflowed, pirn_run returns PIRN_STOPPED, and every later wait returns -EUCLEAN.
 *   What lies below the stack in memory was overwritten, so end the program.
 * - With PIRN_FIBER_FILL, pirn_fiber_info reports the deepest use.
 * - With PIRN_FIBER_GUARD, an overflow faults at the instruction.
 *
 *
 * TIME LIMITS AND CANCELLATION
 *
 * Every call that waits has a time limit of its own, and returns -ETIMEDOUT when it has passed. A
 * scope has one limit for all waits in a part of a fiber, whatever functions they are in:
 *
 *     struct pirn_scope scope;
 *     pirn_scope_enter(hub, &scope, 2000000000u, 0);
 *     rc = fetch(hub, url);                                 its waits end with -ECANCELED
 *     if (pirn_scope_leave(hub, &scope) == -ETIMEDOUT)
 *         rc = -ETIMEDOUT;
 *
 * Cancellation is a state. After pirn_fiber_cancel, the wait in progress and all later waits end
 * with -ECANCELED. So a fiber that ignores the error once gets it again at its next wait. Write
 * each function so that it returns such an error, and closes what it has opened.
 *
 * A cancelled fiber that waits still goes behind all others that are ready. If it ignores
 * -ECANCELED in a loop, it wastes time, but the others run.
 *
 *
 * WHAT A FIBER MUST NOT DO
 *
 * - Throw or longjmp past the beginning of its body.
 * - Run the loop: pirn_run, pirn_turn and the like return -EBUSY, as in any callback.
 * - Wait between a change of the rounding mode, or of another control word of floating point, and
 *   its restoration: these are not switched.
 * - Use floating-point registers on 32-bit Arm if the library is one without them: those of a
 *   program that is compiled with -mfloat-abi=softfp are not switched. Compile with soft, or with
 *   hard and link a library for that (eabihf, gnueabihf).
 * - Rely on `errno` across a wait: other fibers change it. Functions of this library return errors
 *   and do not use it.
 * - Compute for long without a wait: nothing else runs meanwhile. pirn_fiber_yield lets the others
 *   run. After 32 reads or writes in a row that did not have to wait, the library does so itself.
 *
 * The rules of every wait are on the first page of pirn/wait.h.
 */
#ifndef PIRN_FIBER_H
#define PIRN_FIBER_H

#include <stddef.h>
#include <stdint.h>

#include <pirn/wait.h>

/*
 * 1 if fibers can be started on the machine that this is compiled for. Where it is 0, on
 * powerpc64le for example, pirn_fiber_start returns -EOPNOTSUPP, as no fiber can change to another
 * stack there. All that needs no fiber works: loops, waits of the main program, and coroutines.
 */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__arm__) || \
    defined(__s390x__) || (defined(__riscv) && __riscv_xlen == 64)
#define PIRN_HAS_FIBERS 1
#else
#define PIRN_HAS_FIBERS 0
#endif

struct pirn_fiber;
struct pirn_scope;
struct pirn_group;
struct pirn_pool;

#ifdef __cplusplus
extern "C" {
#endif

/* ============================ Scopes ============================ */

/**
 * Option of `pirn_scope_enter`: cancellation and the limits of outer scopes do not end the waits
 * in the scope.
 */
#define PIRN_SCOPE_SHIELD (1u << 0)

/**
 * A time limit for all waits in a part of a fiber. It must be on the fiber's own stack.
 */
struct pirn_scope {
  struct pirn_scope *outer_;
  uint64_t outer_bound_ns_;
  uint64_t deadline_ns_;
  uint32_t options_;
};

/**
 * Limit all waits of the running fiber until `pirn_scope_leave`, whatever functions they are in.
 *
 * When the limit has passed, each of these waits ends with -ECANCELED.
 *
 * @param scope     on the stack of the calling function, which must leave it before it returns
 * @param limit_ns  from the turn's time; `PIRN_FOREVER`: no limit of its own (not for a shield)
 * @param options   `PIRN_SCOPE_SHIELD`, or 0
 *
 * Returns 0, or
 * - -EINVAL: a NULL, other options, or a shield without a limit
 * - -EDEADLK: no fiber runs here
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_scope_enter(struct pirn_hub *hub,
                     struct pirn_scope *scope,
                     uint64_t limit_ns,
                     uint32_t options);

/**
 * Leave a scope, the innermost first.
 *
 * Returns 0, or
 * - -ETIMEDOUT: its limit has passed
 * - -EINVAL: a NULL, or not the innermost scope of the fiber that runs
 * - -EDEADLK: no fiber runs here
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_scope_leave(struct pirn_hub *hub, struct pirn_scope *scope);

/* ============================ Fibers ============================ */

/**
 * The size of the smallest stack in bytes: the library's needs, and a little for the body.
 *
 * A signal handler that has no stack of its own (`SA_ONSTACK`) runs on the stack of the fiber that
 * it interrupts. On x86-64 its frame alone takes 1 to 11 KiB, so use 16 KiB if you can.
 */
#define PIRN_FIBER_STACK_MIN 1024

/**
 * Option of a fiber: fill the stack with a pattern, so that `pirn_fiber_info` can report the
 * deepest use. O(size) at the start.
 */
#define PIRN_FIBER_FILL (1u << 0)

/**
 * Option of a fiber: the lowest page of the stack is inaccessible until the fiber has ended, so an
 * overflow faults at once. Takes two system calls, and up to two pages of the stack.
 */
#define PIRN_FIBER_GUARD (1u << 1)

/**
 * Option of a fiber: its time limits do not keep the loop going. Open its ports with `PIRN_UNREF`.
 */
#define PIRN_FIBER_DAEMON (1u << 2)

/**
 * What a waiter waits for: the end of a fiber.
 */
#define PIRN_FOR_FIBER 3u

/**
 * State of a fiber: never started.
 */
#define PIRN_FIBER_FRESH 0u

/**
 * State of a fiber: its wait is over, and it will run.
 */
#define PIRN_FIBER_READY 1u

/**
 * State of a fiber: it runs.
 */
#define PIRN_FIBER_RUNNING 2u

/**
 * State of a fiber: it waits.
 */
#define PIRN_FIBER_WAITING 3u

/**
 * State of a fiber: its body has returned.
 */
#define PIRN_FIBER_ENDED 4u

/**
 * State of a fiber: its stack has overflowed, and it never runs again.
 */
#define PIRN_FIBER_BROKEN 5u

/**
 * The stack of a fiber. All zero: no stack.
 */
struct pirn_stack {
  size_t lowest_;
  size_t top_;
  uint32_t guard_;
  uint32_t is_filled_;
};

/**
 * A fiber. Zero it before the first start. The memory is yours, and must stay where it is until
 * the fiber has ended. `name` and `result` may be read; set `name` after the start.
 */
struct pirn_fiber {
  struct pirn_waiter waiter_;
  /**
   * A name for people who debug. The string is not copied. May be NULL.
   */
  const char *name;
  /**
   * The result of the body; -EUCLEAN if the stack has overflowed.
   */
  int result;
  uint8_t state_;
  uint8_t is_cancelled_;
  uint16_t calls_;
  size_t pointer_;
  struct pirn_stack stack_;
  struct pirn_waiters joiners_;
  struct pirn_fiber *next_;
  struct pirn_fiber *previous_;
  struct pirn_scope *scope_;
  struct pirn_group *group_;
  struct pirn_fiber *group_next_;
  struct pirn_fiber *group_previous_;
  /**
   * For the functions of `pirn_fiber_hooks`.
   */
  void *tool;
};

/**
 * The body of a fiber. `user` is that of `pirn_fiber_start`, and the result is what
 * `pirn_fiber_join` returns. Must not unwind or longjmp out.
 */
typedef int (*pirn_fiber_fn)(struct pirn_hub *hub, void *user);

/**
 * The state of a fiber: see `pirn_fiber_info`.
 */
struct pirn_fiber_info {
  /**
   * `sizeof(struct pirn_fiber_info)`, set by the caller: no more than that is written.
   */
  uint32_t size;
  /**
   * `PIRN_FIBER_WAITING` or one of the others.
   */
  uint32_t state;
  /**
   * `name` of the fiber.
   */
  const char *name;
  /**
   * What it waits for: `PIRN_FOR_PORT` and so on; 0 if it does not wait.
   */
  uint32_t waits_for;
  /**
   * `result` of the fiber.
   */
  int result;
  /**
   * The object that it waits for; NULL if it does not wait, or is parked.
   */
  const void *object;
  /**
   * When the wait ends by itself, on the loop's clock; 0: never.
   */
  uint64_t deadline_ns;
  /**
   * Bytes of its stack.
   */
  size_t stack;
  /**
   * Bytes of the stack in use while it waits; 0 while it runs.
   */
  size_t used;
  /**
   * The most bytes that were ever in use; 0 without `PIRN_FIBER_FILL`.
   */
  size_t deepest;
  /**
   * The stack pointer while it waits.
   */
  size_t pointer;
};

/**
 * Functions that are called around each switch, to tell tools about stacks. A fiber that is NULL
 * stands for the loop's own stack; a fiber that waits also switches straight to another one.
 * `include/pirn/fiber_debug.h` has such functions for AddressSanitizer, ThreadSanitizer and
 * valgrind. Each may be NULL.
 */
struct pirn_fiber_hooks {
  /**
   * Called when a fiber is started: `fiber->tool` may be set.
   */
  void (*start)(struct pirn_fiber *fiber);
  /**
   * Called before a switch, on the stack that is left. `ends` is 1 if `from` never runs again.
   */
  void (*leave)(struct pirn_fiber *from, struct pirn_fiber *to, int ends);
  /**
   * Called after a switch, on the stack that was entered.
   */
  void (*enter)(struct pirn_fiber *now);
};

/**
 * Start a fiber. Its body first runs in the coming turn, never inside this call.
 *
 * @param hub      the fiber runs in callbacks of its loop
 * @param fiber    all zero; or a fiber that has ended, and whose joiners have run
 * @param stack    memory of yours, of any alignment; the fiber uses it until it has ended
 * @param size     bytes of the stack, at least `PIRN_FIBER_STACK_MIN`; 16384 is a good size
 * @param options  `PIRN_FIBER_FILL`, `PIRN_FIBER_GUARD`, `PIRN_FIBER_DAEMON`, or 0
 * @param body     the function that it runs
 * @param user     passed to the body, never looked at
 *
 * Returns 0, or
 * - -EINVAL: a NULL, a stack that is too small, or other options
 * - -EBUSY: the fiber is live
 * - -EOPNOTSUPP: `PIRN_HAS_FIBERS` is 0, the process runs with a shadow stack, or there are no
 *   guard pages here
 * - -EUCLEAN: the stack of a fiber has overflowed
 *
 * On an error nothing has changed. Cost: O(1), no system call; O(size) with `PIRN_FIBER_FILL`.
 * Loop thread. Since 0.1.
 */
int pirn_fiber_start(struct pirn_hub *hub,
                     struct pirn_fiber *fiber,
                     void *stack,
                     size_t size,
                     uint32_t options,
                     pirn_fiber_fn body,
                     void *user);

/**
 * Return the waiter of the caller, for functions whose names end in `_start`.
 *
 * In a fiber, that is the fiber's waiter. In the main program it is a waiter for which
 * `pirn_fiber_await` runs the loop. In a callback it is NULL, because a callback cannot wait.
 *
 * NULL for NULL. Cost: O(1). Loop thread. Since 0.1.
 */
struct pirn_waiter *pirn_fiber_self(struct pirn_hub *hub);

/**
 * Wait until a wait is over that a function whose name ends in `_start` has begun, and return its
 * result.
 *
 * In a fiber, other fibers run meanwhile. In the main program, this runs the loop until the wait
 * is over.
 *
 * @param begun  the result of that function; if it is not `PIRN_WAITS`, it is returned unchanged
 *
 * Returns the result of the wait, or in the main program
 * - -EDEADLK: nothing is left that could end the wait; or in a callback, where the loop cannot be
 *   run
 * - -ECANCELED: `pirn_stop` was called
 * - -EUCLEAN: the stack of a fiber has overflowed
 * - what `pirn_run` returns
 *
 * After one of these errors the wait is dropped. Cost: two switches of stacks. Loop thread. Since
 * 0.1.
 */
int pirn_fiber_await(struct pirn_hub *hub, int begun);

/**
 * Let the fibers and waiters that are ready run first. Never returns -ECANCELED.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -EDEADLK: no fiber runs here
 *
 * Cost: two switches of stacks. Loop thread. Since 0.1.
 */
int pirn_fiber_yield(struct pirn_hub *hub);

/**
 * Wait until some time has passed, never less.
 *
 * @param delay_ns  from a fresh reading of the clock; 0: until the loop has made a whole turn,
 *                  which includes the kernel's events
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -ECANCELED: the fiber was cancelled, or the limit of a scope is over
 * - -EDEADLK: inside a callback
 *
 * Cost: as a wait with a time limit, and a reading of the clock. Loop thread. Since 0.1.
 */
int pirn_fiber_sleep(struct pirn_hub *hub, uint64_t delay_ns);

/**
 * Wait for `pirn_fiber_wake`. Use it to wait for any callback, and to switch by hand.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns the `result` of `pirn_fiber_wake`, or
 * - -EINVAL: NULL
 * - -ETIMEDOUT, -ECANCELED, -EAGAIN: as any wait
 * - -EDEADLK: inside a callback
 *
 * Cost: as any wait. Loop thread. Since 0.1.
 */
int pirn_fiber_park(struct pirn_hub *hub, uint64_t timeout_ns);

/**
 * End the wait of a fiber that is parked: its `pirn_fiber_park` returns `result`.
 *
 * Returns 0, or
 * - -EINVAL: NULL
 * - -ENOENT: it is not parked
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_fiber_wake(struct pirn_fiber *fiber, int result);

/**
 * Begin to wait until a fiber has ended. Any number of waiters may wait for it. The result of its
 * body is then in `fiber->result`.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns `PIRN_WAITS`, or 0: it has ended, or
 * - -EINVAL: `fiber` is NULL, or the waiter belongs to another hub
 * - -ENOENT: it was never started
 * - -EDEADLK: `waiter` is NULL or the fiber's own, or the fiber waits for the waiter's fiber to
 *   end, directly or through others
 * - -EBUSY: the waiter waits already
 * - -EUCLEAN: its stack has overflowed
 *
 * Cost: O(fibers that wait for one another in a row). Loop thread. Since 0.1.
 */
int pirn_fiber_join_start(struct pirn_fiber *fiber,
                          struct pirn_waiter *waiter,
                          uint64_t timeout_ns);

/**
 * Wait until a fiber has ended.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 * @param result      where the result of the body is written; unchanged on error; or NULL
 *
 * Returns 0, or an error of `pirn_fiber_join_start` or `pirn_fiber_await`. Loop thread. Since
 * 0.1.
 */
int pirn_fiber_join(struct pirn_fiber *fiber, uint64_t timeout_ns, int *result);

/**
 * Cancel a fiber.
 *
 * Its wait in progress and all later waits end with -ECANCELED at once. Calls with a time limit of
 * 0 still work, so that the fiber can clean up. If it has to wait in order to clean up, it enters
 * a scope with `PIRN_SCOPE_SHIELD`. It keeps what it was granted already. A fiber that has not
 * begun still begins, and its first wait returns -ECANCELED.
 *
 * Returns 0, also if it was cancelled before, or
 * - -EINVAL: NULL
 * - -ENOENT: the fiber is not live
 *
 * Cost: O(1), and what the object does for the waiters behind. Loop thread. Since 0.1.
 */
int pirn_fiber_cancel(struct pirn_fiber *fiber);

/**
 * Return the fiber that runs, or NULL. Cost: O(1). Loop thread. Since 0.1.
 */
struct pirn_fiber *pirn_fiber_current(const struct pirn_hub *hub);

/**
 * Return the next live fiber, in no particular order.
 *
 * @param after  the fiber that was returned last, or NULL to begin
 *
 * Returns NULL at the end. No fiber may end between two calls. A program whose `pirn_run` returns
 * `PIRN_DONE` while this finds a fiber is in a deadlock. Cost: O(1). Loop thread. Since 0.1.
 */
struct pirn_fiber *pirn_fiber_next(const struct pirn_hub *hub, const struct pirn_fiber *after);

/**
 * Describe a fiber.
 *
 * @param info  written on success; set its `size` before
 *
 * Returns 0, or -EINVAL: a NULL, or `size` is not that of this library. Cost: O(1); O(stack) with
 * `PIRN_FIBER_FILL`. Loop thread. Since 0.1.
 */
int pirn_fiber_info(const struct pirn_fiber *fiber, struct pirn_fiber_info *info);

/**
 * Set functions that are called around each switch of stacks: see `pirn/fiber_debug.h`.
 *
 * @param hooks  stay where they are until the hub is ended; NULL: none
 *
 * Returns 0, or
 * - -EINVAL: `hub` is NULL
 * - -EBUSY: a fiber is live
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_fiber_set_hooks(struct pirn_hub *hub, const struct pirn_fiber_hooks *hooks);

/* ============================ Input and output ============================ */

/*
 * A library for a microcontroller has only the first of these functions: the others make system
 * calls. pirn_port_wait works with the sources of a host, and the program reads and writes itself.
 */

/**
 * Wait until an fd is ready. For calls that this header does not have, such as recvmsg.
 *
 * @param interest    `PIRN_READ`, `PIRN_WRITE` or both
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns the bits that are ready (more than 0), or an error of `pirn_port_wait_start` or
 * `pirn_fiber_await`. Loop thread. Since 0.1.
 */
int pirn_port_wait(struct pirn_port *port, uint32_t interest, uint64_t timeout_ns);

/**
 * Read, and wait if there is nothing to read yet.
 *
 * @param buffer      may be NULL if `size` is 0: then nothing is done, while a call with an
 *                    address and a size of 0 waits like any other
 * @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns how many bytes were read; 0: the end of the stream; or
 * - -EAGAIN: there is nothing to read, and `timeout_ns` is 0
 * - -ETIMEDOUT, -ECANCELED, -EDEADLK: as any wait; -ECANCELED also if the port was closed
 * - -EINVAL: a NULL
 * - -ENOENT: the port is closed
 * - the error of read(2)
 *
 * After a read that has returned fewer bytes than `size`, the next one waits before it tries.
 * Cost: a system call; a second one if the first has found nothing to read. Loop thread. Since
 * 0.1.
 */
ptrdiff_t pirn_port_read(struct pirn_port *port, void *buffer, size_t size, uint64_t timeout_ns);

/**
 * Write some of a buffer, and wait if there is no room yet.
 *
 * If the peer of a socket is gone, this returns -EPIPE and raises no SIGPIPE. A pipe does raise
 * it.
 *
 * @param buffer      may be NULL if `size` is 0: then nothing is done, while a call with an
 *                    address and a size of 0 waits like any other
 * @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns how many bytes were written, or an error as `pirn_port_read`. Loop thread. Since 0.1.
 */
ptrdiff_t pirn_port_write(struct pirn_port *port,
                          const void *buffer,
                          size_t size,
                          uint64_t timeout_ns);

/**
 * Write all of a buffer, and wait whenever there is no room.
 *
 * @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns 0, or an error as `pirn_port_read`. After an error some of the buffer may have been
 * written, and how much is not known: close the connection. Loop thread. Since 0.1.
 */
int pirn_port_write_all(struct pirn_port *port,
                        const void *buffer,
                        size_t size,
                        uint64_t timeout_ns);

/**
 * Accept a connection, and wait if there is none yet.
 *
 * Clients that have closed the connection before it was accepted are skipped.
 *
 * @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: only try
 *
 * Returns an fd, non-blocking and closed on exec, which you must close; or an error as
 * `pirn_port_read`. After -EMFILE or -ENFILE close something, or sleep, before you try again. Loop
 * thread. Since 0.1.
 */
int pirn_port_accept(struct pirn_port *port, uint64_t timeout_ns);

/**
 * Connect a socket, and wait until it is connected.
 *
 * @param address     a `struct sockaddr` of the socket's family
 * @param length      bytes of the address
 * @param timeout_ns  for the whole call; `PIRN_FOREVER`: no limit; 0: begin, and return -EAGAIN
 *
 * Returns 0, or an error as `pirn_port_read`. After an error close the socket.
 * Cost: two or three system calls. Loop thread. Since 0.1.
 */
int pirn_port_connect(struct pirn_port *port,
                      const void *address,
                      uint32_t length,
                      uint64_t timeout_ns);

/* ============================ Groups ============================ */

/**
 * Option of a group: the first member that ends with a negative result cancels the others.
 */
#define PIRN_GROUP_FAIL_FAST (1u << 0)

/**
 * What a waiter waits for: the end of all members of a group.
 */
#define PIRN_FOR_GROUP 4u

/**
 * A group of fibers. All zero is an empty one. The memory is yours, and must stay where it is
 * while the group has members.
 */
struct pirn_group {
  /**
   * How many members have not ended.
   */
  uint32_t live;
  /**
   * The result of the first member that ended with a negative one; otherwise 0. It stays after
   * that member has ended.
   */
  int result;
  /**
   * `PIRN_GROUP_FAIL_FAST`, or 0. May be set.
   */
  uint32_t options;
  uint32_t is_cancelled_;
  struct pirn_fiber *first_;
  struct pirn_waiters joiners_;
  const void *functions_;
};

/**
 * Add a fiber to a group, until the fiber ends. Call it right after the start.
 *
 * A fiber that is added to a cancelled group is cancelled.
 *
 * Returns 0, or
 * - -EINVAL: a NULL, or the group has members of another hub
 * - -ENOENT: the fiber is not live
 * - -EBUSY: it is in a group
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_group_add(struct pirn_group *group, struct pirn_fiber *fiber);

/**
 * Cancel all members of a group, and all fibers that are added later.
 *
 * If the group is a pool's, the waits for a free slot end with -ECANCELED, and later attempts to
 * spawn return -ESHUTDOWN. To use a cancelled group again, zero it when it has no members.
 *
 * Returns 0, also if it was cancelled before, or -EINVAL: NULL. Cost: O(members). Loop thread.
 * Since 0.1.
 */
int pirn_group_cancel(struct pirn_group *group);

/**
 * Begin to wait until a group has no members. Then `group->result` is negative if one has failed.
 *
 * If the waiter is a fiber's, and the fiber is cancelled or the limit of a scope around it has
 * passed, the members are cancelled. The wait goes on until they have ended, and ends with
 * -ECANCELED. So a function that starts fibers and joins their group does not return before they
 * have ended. The time limit of this call does not cancel the members.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns `PIRN_WAITS`, or 0: it has no members, or
 * - -EINVAL: `group` is NULL, or the waiter belongs to another hub
 * - -EDEADLK: `waiter` is NULL, or the waiter of a member
 * - -EBUSY: the waiter waits already
 * - -EUCLEAN: the stack of a fiber has overflowed
 *
 * Cost: O(1). Loop thread. Since 0.1.
 */
int pirn_group_join_start(struct pirn_group *group,
                          struct pirn_waiter *waiter,
                          uint64_t timeout_ns);

/* ============================ Pools ============================ */

/**
 * What a waiter waits for: a free slot of a pool.
 */
#define PIRN_FOR_POOL 5u

/**
 * The most bytes of an argument that a pool copies.
 */
#define PIRN_POOL_ARGUMENT 128

/**
 * The memory of a pool, filled in by `PIRN_POOL`.
 */
struct pirn_pool_memory {
  /**
   * Where the slots are, aligned as a `uint64_t`.
   */
  void *slots;
  /**
   * Bytes of one slot: a fiber and its stack, a multiple of 8.
   */
  size_t slot_size;
  /**
   * How many slots there are.
   */
  uint32_t count;
  /**
   * Options of each fiber, as for `pirn_fiber_start`. May be set.
   */
  uint32_t options;
};

/**
 * Figures of a pool, and its free slots.
 */
struct pirn_pool_state {
  /**
   * The most members that the pool had at once.
   */
  uint32_t peak;
  uint32_t used_;
  /**
   * The deepest stack of a member that has ended, in bytes; 0 without `PIRN_FIBER_FILL`.
   */
  size_t deepest;
  struct pirn_fiber *free_;
  struct pirn_waiters spawners_;
};

/**
 * A bounded number of fibers with their stacks. Declare it with `PIRN_POOL`.
 */
struct pirn_pool {
  /**
   * The slots.
   */
  struct pirn_pool_memory memory;
  /**
   * The members: for `pirn_group_join` and `pirn_group_cancel`.
   */
  struct pirn_group group;
  /**
   * Figures.
   */
  struct pirn_pool_state state;
};

/**
 * The body of a member of a pool, and its argument.
 */
struct pirn_spawn {
  /**
   * Called with the address of the copied argument; NULL if there is none.
   */
  pirn_fiber_fn body;
  /**
   * The argument, which is copied.
   */
  const void *argument;
  /**
   * Bytes of the argument, at most `PIRN_POOL_ARGUMENT`.
   */
  size_t size;
};

/**
 * Start a member of a pool in a free slot, or begin to wait for one.
 *
 * When a slot becomes free, the member of the first waiter is started at once.
 *
 * @param hub         the members run in callbacks of its loop
 * @param waiter      the waiter; NULL: do not wait, return -EDEADLK instead
 * @param what        must stay where it is until the wait is over
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns `PIRN_WAITS`, or 0: the member is started, or
 * - -EINVAL: another NULL, more than `PIRN_POOL_ARGUMENT` bytes, or the stacks are too small
 * - -EAGAIN: all slots are taken, and `timeout_ns` is 0
 * - -ESHUTDOWN: the pool was cancelled
 * - -EDEADLK: the waiter is a member's, and then all members would wait here; or it is NULL
 * - -EBUSY: the waiter waits already
 * - -EOPNOTSUPP, -EUCLEAN: as `pirn_fiber_start`
 *
 * Cost: O(1), and as `pirn_fiber_start`; O(waiters) for a member. Loop thread. Since 0.1.
 */
int pirn_pool_spawn_start(struct pirn_hub *hub,
                          struct pirn_pool *pool,
                          struct pirn_waiter *waiter,
                          const struct pirn_spawn *what,
                          uint64_t timeout_ns);

/* All zero, as an initialiser. */
#ifdef __cplusplus
#define PIRN_ZERO {}
#else
#define PIRN_ZERO { 0 }
#endif

/**
 * Declare a pool of fibers, at file scope.
 *
 * @param name         the name of the `struct pirn_pool`
 * @param fibers       how many fibers it has, at least 1
 * @param stack_bytes  bytes of the stack of each fiber: at least `PIRN_FIBER_STACK_MIN` and the
 *                     bytes of the argument
 *
 * Takes static memory: `fibers` times the stack and a `struct pirn_fiber`. Since 0.1.
 */
#define PIRN_POOL(name, fibers, stack_bytes) \
    static uint64_t name##_slots_[fibers] \
        [(sizeof(struct pirn_fiber) + 7) / 8 + ((stack_bytes) + 15) / 16 * 2]; \
    static struct pirn_pool name = { { name##_slots_, sizeof name##_slots_[0], fibers, 0 }, \
                                     PIRN_ZERO, PIRN_ZERO }

/* pirn_fiber_self, and no call of it in a fiber, whose first field is its waiter. */
static inline struct pirn_waiter *pirn_fiber_self_(struct pirn_hub *hub)
{
    return hub && hub->running_ ? (struct pirn_waiter *)hub->running_ : pirn_fiber_self(hub);
}

/* pirn_fiber_await, and no call of it if the wait was over at once. */
static inline int pirn_fiber_await_(struct pirn_hub *hub, int begun)
{
    return begun == PIRN_WAITS ? pirn_fiber_await(hub, begun) : begun;
}

/**
 * Run a function in a fiber of a pool. Waits while all fibers are in use.
 *
 * @param body        called with the address of the copied argument; NULL if `size` is 0
 * @param argument    copied, at most `PIRN_POOL_ARGUMENT` bytes, so it can be a variable that the
 *                    caller uses again at once
 * @param size        bytes of the argument
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN if all are in use
 *
 * Returns 0, or an error of `pirn_pool_spawn_start` or `pirn_fiber_await`. In a callback it cannot
 * wait: it returns -EDEADLK if all fibers are in use. Loop thread. Since 0.1.
 */
static inline int pirn_pool_spawn(struct pirn_hub *hub, struct pirn_pool *pool, pirn_fiber_fn body,
                                  const void *argument, size_t size, uint64_t timeout_ns)
{
    struct pirn_spawn what = { body, argument, size };
    return pirn_fiber_await_(
        hub, pirn_pool_spawn_start(hub, pool, pirn_fiber_self_(hub), &what, timeout_ns));
}

/**
 * Wait until a group has no members: `&pool.group` for those of a pool.
 *
 * @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
 *
 * Returns 0, or an error of `pirn_group_join_start` or `pirn_fiber_await`. Loop thread. Since 0.1.
 */
static inline int pirn_group_join(struct pirn_hub *hub, struct pirn_group *group,
                                  uint64_t timeout_ns)
{
    return pirn_fiber_await_(hub, pirn_group_join_start(group, pirn_fiber_self_(hub), timeout_ns));
}


#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PIRN_FIBER_H */
