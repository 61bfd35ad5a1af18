#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! An event: a flag that programs wait for.

use core::cell::Cell;
use core::ffi::c_int;

use pirn_wait::functions::{
    pirn_remote_push, pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant,
};
use pirn_wait::{EINVAL, pirn_hub, pirn_remote, pirn_wait_kind, pirn_waiter, pirn_waiters};

/// What a waiter waits for: an event.
pub const PIRN_FOR_EVENT: u32 = 16u32;

/// A flag that programs wait for. All zero is an event that is not set. It is yours, and must stay
/// where it is while a waiter waits for it, and until the loop has seen every
/// `pirn_event_set_from`.
#[repr(C)]
#[derive(Default)]
pub struct pirn_event {
    pub(crate) waiters: pirn_waiters,
    remote: pirn_remote,
    is_set: Cell<u32>,
    reserved: Cell<u32>,
}

static EVENT: pirn_wait_kind = pirn_wait_kind::plain(PIRN_FOR_EVENT);

/// Wait until an event is set. The event stays set.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only look
///
/// Returns 0: the event is set; `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT or
/// -ECANCELED. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and the event is not set
/// - -EINVAL: `event` is NULL, or `waiter` is of another loop than the others that wait
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_event_wait_start(
    event: *mut pirn_event,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, zeroed or in use, as documented; all zero is an event.
    let Some(this) = (unsafe { event.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if this.is_set.get() != 0 {
        return 0;
    }
    // SAFETY: passed on; the list is part of the event, which outlives its waiters as documented.
    unsafe {
        pirn_waiter_begin(
            waiter,
            &raw const this.waiters,
            &raw const EVENT,
            event.cast(),
            0,
            timeout_ns,
        )
    }
}

impl pirn_event {
    fn set(&self) {
        self.is_set.set(1);
        while let Some(waiter) = self.waiters.first() {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(waiter, 0) };
        }
    }
}

/// Set an event. All waiters that wait now are woken, even if the event is cleared before they run.
///
/// Returns 0, also if it is set already; -EINVAL: NULL. Cost: O(waiters). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_event_set(event: *mut pirn_event) -> c_int {
    // SAFETY: NULL, zeroed or in use, as documented.
    let Some(event) = (unsafe { event.as_ref() }) else {
        return -EINVAL;
    };
    event.set();
    0
}

/// Set an event from another thread, a signal handler or an interrupt. It is set in the next turn
/// of the loop.
///
/// This cannot fail because something is full. Several calls before that turn have the effect of
/// one. The call does not keep `pirn_run` going: if only other threads can end a wait, call
/// `pirn_hold` first.
///
/// @param hub    the hub of the loop whose waiters wait for the event
/// @param event  must stay where it is until that turn
///
/// Returns 0, or -EINVAL: a NULL. Async-signal-safe. Cost: O(1), two system calls at most. Any
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_event_set_from(hub: *mut pirn_hub, event: *mut pirn_event) -> c_int {
    if hub.is_null() || event.is_null() {
        return -EINVAL;
    }
    // SAFETY: not NULL, hence an event as documented. Nothing but the address is taken.
    let remote = unsafe { &raw mut (*event).remote };
    // SAFETY: passed on; the event stays until it is called, as documented.
    unsafe { pirn_remote_push(hub, remote, Some(on_remote)) };
    0
}

unsafe extern "C" fn on_remote(_hub: *mut pirn_hub, remote: *mut pirn_remote) {
    let offset = core::mem::offset_of!(pirn_event, remote);
    let event = remote.wrapping_byte_sub(offset).cast::<pirn_event>();
    // SAFETY: `pirn_event_set_from` has pushed the part of an event, which is still there.
    unsafe { pirn_event_set(event) };
}

/// Clear an event: from now on programs wait for it again.
///
/// Returns 0, or -EINVAL: NULL. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_event_clear(event: *mut pirn_event) -> c_int {
    // SAFETY: NULL, zeroed or in use, as documented.
    let Some(event) = (unsafe { event.as_ref() }) else {
        return -EINVAL;
    };
    event.is_set.set(0);
    0
}

/// Return 1 if an event is set, else 0; -EINVAL: NULL. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_event_is_set(event: *const pirn_event) -> c_int {
    // SAFETY: NULL, zeroed or in use, as documented.
    unsafe { event.as_ref() }.map_or(-EINVAL, |event| c_int::from(event.is_set.get() != 0))
}
