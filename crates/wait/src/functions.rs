//! The functions of this layer as the layers above call them: by their C names, so that each layer
//! is an object of its own. Generated from crates/wait/src/ffi by `cargo build --features
//! header`. Do not edit.

#![expect(unsafe_code, reason = "C functions are declared here; to call one is unsafe")]

use core::ffi::{c_int, c_void};

use pirn_abi::*;

use crate::*;

unsafe extern "C" {
    /// Check a waiter before the object changes anything.
    ///
    /// A `_start` function that does more than to call `pirn_waiter_begin` calls this first. If this
    /// does not return 0, the function returns the same value.
    ///
    /// Returns 0: the object may go on, and call `pirn_waiter_begin` or return a result; `PIRN_WAITS`:
    /// the waiter is cancelled, so its wait is over already; or
    /// - -EDEADLK: `waiter` is NULL, and `timeout_ns` is not 0
    /// - -EINVAL: the waiter was never initialised
    /// - -EBUSY: it waits already
    /// - -EUCLEAN: the stack of a fiber has overflowed
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_check(
        waiter: *const pirn_waiter,
        timeout_ns: u64,
    ) -> c_int;
    /// Begin a wait.
    ///
    /// @param list        the object's list of waiters, or NULL: the waiter is in none
    /// @param kind        the functions of the object, which stay where they are for ever
    /// @param object      for the functions of the kind: `pirn_waiter_object`
    /// @param word        for the object, such as a number of units: `pirn_waiter_word`
    /// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
    ///
    /// Returns `PIRN_WAITS`, or
    /// - -EAGAIN: `timeout_ns` is 0
    /// - -EINVAL: `kind` is NULL, or waiters of another hub are in the list
    /// - what `pirn_waiter_check` returns
    ///
    /// Cost: O(1); with a time limit O(log waiters) amortised. Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_begin(
        waiter: *const pirn_waiter,
        list: *const pirn_waiters,
        kind: *const pirn_wait_kind,
        object: *mut c_void,
        word: usize,
        timeout_ns: u64,
    ) -> c_int;
    /// Grant what a waiter waits for: its wait ends with `result`.
    ///
    /// From now on the waiter owns what was granted. Only `pirn_waiter_drop` takes it back, by the
    /// kind's `undo`. An object also calls this to end a wait with an error, such as -ESHUTDOWN.
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_grant(waiter: *const pirn_waiter, result: c_int);
    /// Move a waiter that waits to another list, behind all others there, without a time limit.
    ///
    /// A condition moves a waiter to the list of its mutex when it has to lock the mutex again.
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_move(
        waiter: *const pirn_waiter,
        list: *const pirn_waiters,
        kind: *const pirn_wait_kind,
        object: *mut c_void,
    );
    /// End a waiter: drop its wait as `pirn_waiter_drop` does, and pass on the objects that it owns
    /// (`struct pirn_held`), such as mutexes. Call it before the memory of a waiter that owns something
    /// is reused. A fiber that ends does so by itself.
    ///
    /// Cost: O(objects that it owns). Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_end(waiter: *const pirn_waiter);
    /// Ask the loop to call `run` with `remote`. For other threads, signal handlers and interrupts.
    ///
    /// This cannot fail. Several calls before the loop runs cause one call of `run`. `remote` must stay
    /// where it is until then.
    ///
    /// Cost: O(1); a system call if the loop waits for the kernel. Any thread. Since 0.1.
    pub unsafe fn pirn_remote_push(
        hub: *const pirn_hub,
        remote: *const pirn_remote,
        run: pirn_remote_fn,
    );
    /// Prepare a hub for a loop.
    ///
    /// Takes one I/O slot and one timer slot of the loop until `pirn_hub_deinit`. Waits need no slots,
    /// so no wait is refused because the loop is full.
    ///
    /// @param bit  a bit of `pirn_raise` that the program does not use, 0 to 63
    ///
    /// Returns 0, or
    /// - -EINVAL: no live loop, `hub` is NULL, or `bit` is above 63
    /// - -EEXIST: the bit has a handler
    /// - -ENOSPC: no I/O slot or no timer slot is free
    ///
    /// Cost: O(1), no system call. Loop thread. Since 0.1.
    pub unsafe fn pirn_hub_init(
        r#loop: *mut pirn_loop,
        hub: *mut pirn_hub,
        bit: u32,
    ) -> c_int;
    /// End a hub, and give its slots back to the loop.
    ///
    /// Call it before `pirn_deinit`. To end a program early, cancel its fibers and run the loop until
    /// they have ended.
    ///
    /// Returns 0, or
    /// - -EINVAL: NULL
    /// - -EBUSY: a waiter waits or was woken and not called yet, a port is open, a fiber lives, work
    ///   was submitted and is not done, a notification from another thread was not handled yet, or the
    ///   hub is calling a waiter. Nothing has changed. After the stack of a fiber has overflowed, this
    ///   error does not occur.
    ///
    /// Cost: O(1), no system call. Loop thread. Since 0.1.
    pub unsafe fn pirn_hub_deinit(hub: *mut pirn_hub) -> c_int;
    /// Return the loop of a hub; NULL for NULL. Any thread. Since 0.1.
    pub unsafe fn pirn_hub_loop(hub: *const pirn_hub) -> *mut pirn_loop;
    /// Handle an event that `pirn_take` has returned, if it belongs to this layer.
    ///
    /// A program that takes events as data calls this first for each of them. The hub's own event calls
    /// all waiters that are ready, as in a dispatch.
    ///
    /// Returns 1: the event was the layer's, and is handled; 0: it is the program's; or
    /// - -EINVAL: a NULL
    /// - -EBUSY: called in a fiber
    ///
    /// If the handler of an earlier event has closed the port of an event, this returns 1 and does
    /// nothing. Cost: that of the waiters that are called. Loop thread. Since 0.1.
    pub unsafe fn pirn_hub_handle(hub: *mut pirn_hub, due: *const pirn_due) -> c_int;
    /// Check the lists of a hub, as `pirn_verify` checks a loop.
    ///
    /// Returns 0, or
    /// - -EINVAL: NULL
    /// - -EUCLEAN: a list or the heap of deadlines is damaged, the hub does not see the loop's time,
    ///   or the stack of a fiber has overflowed
    ///
    /// Cost: O(waiters that are ready or have a time limit). Loop thread. Since 0.1.
    pub unsafe fn pirn_hub_verify(hub: *const pirn_hub) -> c_int;
    /// Open a port for an fd.
    ///
    /// Takes one I/O slot of the loop, and sets `O_NONBLOCK` on the fd unless `options` has
    /// `PIRN_PORT_BLOCKING`. The fd stays yours: close it after `pirn_port_close`. An open port keeps
    /// `pirn_run` going.
    ///
    /// The kernel watches the fd from the first wait on, until the fd becomes ready while there is no
    /// waiter. So a program that reads, works and reads again makes no system call for its waits.
    ///
    /// @param options  `PIRN_HIGH` or `PIRN_LOW`, `PIRN_UNREF`, `PIRN_PORT_BLOCKING`, or 0
    ///
    /// Returns 0, or
    /// - -EINVAL: a NULL, or other options
    /// - what `pirn_io_add` returns: -EBADF, -EEXIST, -ENOSPC and so on
    /// - the error of fcntl(2), which sets `O_NONBLOCK`
    ///
    /// Cost: as `pirn_io_add`, and one or two system calls. Loop thread. Since 0.1.
    pub unsafe fn pirn_port_open(
        hub: *mut pirn_hub,
        port: *mut pirn_port,
        fd: c_int,
        options: u32,
    ) -> c_int;
    /// Close a port.
    ///
    /// All waits for it end with -ECANCELED, also that of a waiter that was woken because the fd is
    /// ready, and was not called yet. The fd stays open: close it now.
    ///
    /// Returns 0, or
    /// - -EINVAL: NULL
    /// - -ENOENT: the port is closed
    /// - -ECHILD: as `pirn_io_remove`
    ///
    /// Cost: O(waiters of the port, and ready waiters), and as `pirn_io_remove`. Loop thread. Since
    /// 0.1.
    pub unsafe fn pirn_port_close(port: *mut pirn_port) -> c_int;
    /// Begin to wait until an fd is ready.
    ///
    /// Any number of waiters may wait for one port, for reading and for writing at once. One event
    /// wakes the first waiter for reading and the first for writing; errors and hang-ups wake all.
    /// Readiness is a hint: read or write, and wait again if that returns -EAGAIN.
    ///
    /// @param interest    `PIRN_READ`, `PIRN_WRITE` or both
    /// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
    ///
    /// Returns `PIRN_WAITS`, or
    /// - -EDEADLK: `waiter` is NULL
    /// - -EINVAL: `port` is NULL, other bits, or the waiter belongs to another hub
    /// - -EBUSY: the waiter waits already
    /// - -ENOENT: the port is closed
    /// - -EUCLEAN: the stack of a fiber has overflowed
    ///
    /// The wait ends with the bits that are ready (more than 0), or
    /// - -EBADF: the fd was closed while it was watched
    /// - -ETIMEDOUT: the fd was not ready when the kernel was asked after the limit
    /// - -ECANCELED: the waiter was cancelled, or the port was closed
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_port_wait_start(
        port: *mut pirn_port,
        waiter: *mut pirn_waiter,
        interest: u32,
        timeout_ns: u64,
    ) -> c_int;
    /// Prepare a waiter.
    ///
    /// @param hub   where it waits
    /// @param wake  called when a wait is over
    /// @param user  for you: `waiter->user`
    ///
    /// Returns 0, or -EINVAL: a NULL. A waiter that waits must not be prepared again. Cost: O(1). Loop
    /// thread. Since 0.1.
    pub unsafe fn pirn_waiter_init(
        hub: *mut pirn_hub,
        waiter: *mut pirn_waiter,
        wake: pirn_wake_fn,
        user: *mut c_void,
    ) -> c_int;
    /// End a wait early, with `result`, whatever the waiter waits for.
    ///
    /// A wait that is over keeps its result, even if `wake` was not called yet.
    ///
    /// @param result  a negative errno, usually -ECANCELED
    ///
    /// Returns 0, or
    /// - -EINVAL: NULL, or `result` is not negative
    /// - -ENOENT: the waiter does not wait
    /// - -EALREADY: the wait is over, or it is the part of the wait for a condition that locks the
    ///   mutex again
    ///
    /// Cost: O(1), and what the object does for the waiters behind. Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_cancel(waiter: *mut pirn_waiter, result: c_int) -> c_int;
    /// Drop a wait.
    ///
    /// `wake` is not called, and what was granted already is given back. Afterwards the memory of the
    /// waiter may be reused.
    ///
    /// Returns 0, also if the waiter does not wait, or -EINVAL: NULL, or never initialised. Cost: O(1),
    /// and what the object does for the waiters behind. Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_drop(waiter: *mut pirn_waiter) -> c_int;
    /// Return 1 from the beginning of a wait until `wake` is called, and 0 otherwise; -EINVAL for NULL.
    /// Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_is_waiting(waiter: *const pirn_waiter) -> c_int;
    /// Begin a wait that only `pirn_waiter_wake`, time and cancellation end: use it to wait for any
    /// callback.
    ///
    /// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
    ///
    /// Returns `PIRN_WAITS`, or
    /// - -EDEADLK: `waiter` is NULL
    /// - -EINVAL: it was never initialised
    /// - -EBUSY: it waits already
    /// - -EUCLEAN: the stack of a fiber has overflowed
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_park_start(waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int;
    /// End the wait of a parked waiter (`pirn_park_start`).
    ///
    /// @param result  of the wait
    ///
    /// Returns 0, or
    /// - -EINVAL: NULL, or never initialised
    /// - -ENOENT: the waiter is not parked
    ///
    /// Cost: O(1). Loop thread. Since 0.1.
    pub unsafe fn pirn_waiter_wake(waiter: *mut pirn_waiter, result: c_int) -> c_int;
}
