#![expect(unsafe_code, reason = "C functions: raw pointers come in")]
//! The hub of a loop.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use pirn_abi::{
    PIRN_DUE_IO, PIRN_DUE_RAISED, PIRN_DUE_TASK, PIRN_DUE_TIMER, pirn_due, pirn_io_info, pirn_loop,
};

use crate::errno::{EBUSY, EINVAL, EUCLEAN};
use crate::hub::{on_bit, on_task, on_timer, pirn_hub};
use crate::port::on_port;

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
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hub_init(
    r#loop: *mut pirn_loop,
    hub: *mut pirn_hub,
    bit: u32,
) -> c_int {
    if hub.is_null() {
        return -EINVAL;
    }
    // SAFETY: passed on; not NULL, hence writable.
    unsafe { pirn_hub::init(r#loop, hub, bit) }
}

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
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hub_deinit(hub: *mut pirn_hub) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(-EINVAL, pirn_hub::deinit)
}

/// Return the loop of a hub; NULL for NULL. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hub_loop(hub: *const pirn_hub) -> *mut pirn_loop {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(null_mut(), pirn_hub::event_loop)
}

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
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hub_handle(hub: *mut pirn_hub, due: *const pirn_due) -> c_int {
    // SAFETY: NULL, or as documented.
    let (Some(owner), Some(due)) = (unsafe { hub.as_ref() }, unsafe { due.as_ref() }) else {
        return -EINVAL;
    };
    if !owner.running().get().is_null() {
        return -EBUSY;
    }
    let (event_loop, user) = (owner.event_loop(), due.user);
    let is_own = user == hub.cast::<c_void>();
    match due.kind {
        PIRN_DUE_IO => {
            // SAFETY: this kind has a callback of this type.
            let callback = unsafe { due.callback.io };
            if callback.is_none_or(|it| it as usize != on_port as *const () as usize) {
                return 0;
            }
            // SAFETY: this kind has a handle of this type.
            let io = unsafe { due.handle.io };
            // The memory of the port of a stale event may be reused already.
            // SAFETY: the loop is live as long as its hub; NULL asks only whether the handle is
            // live.
            if unsafe { pirn_io_info(event_loop, io, null_mut()) } == 0 {
                // SAFETY: the watcher of a port that is open.
                unsafe { on_port(event_loop, io, due.fd, due.ready, user) };
            }
        }
        PIRN_DUE_RAISED if is_own => {
            // SAFETY: this kind has a handle of this type.
            let io = unsafe { due.handle.io };
            // SAFETY: the hub's own bit.
            unsafe { on_bit(event_loop, io, due.fd, due.ready, user) };
        }
        PIRN_DUE_TIMER if is_own => {
            // SAFETY: this kind has a handle of this type.
            let timer = unsafe { due.handle.timer };
            // SAFETY: the hub's own timer.
            unsafe { on_timer(event_loop, timer, due.missed, user) };
        }
        // SAFETY: the hub's own task.
        PIRN_DUE_TASK if is_own => unsafe { on_task(event_loop, user) },
        _ => return 0,
    }
    1
}

/// Check the lists of a hub, as `pirn_verify` checks a loop.
///
/// Returns 0, or
/// - -EINVAL: NULL
/// - -EUCLEAN: a list or the heap of deadlines is damaged, the hub does not see the loop's time,
///   or the stack of a fiber has overflowed
///
/// Cost: O(waiters that are ready or have a time limit). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_hub_verify(hub: *const pirn_hub) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    match unsafe { hub.as_ref() } {
        None => -EINVAL,
        Some(hub) if hub.is_sound() && !hub.is_broken() => 0,
        Some(_) => -EUCLEAN,
    }
}
