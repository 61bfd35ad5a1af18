#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! A semaphore: a number of units, which programs acquire and release.

use core::cell::Cell;
use core::ffi::c_int;

use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant};
use pirn_wait::{EINVAL, EOVERFLOW, pirn_wait_kind, pirn_waiter, pirn_waiters};

/// What a waiter waits for: units of a semaphore.
pub const PIRN_FOR_SEMAPHORE: u32 = 18u32;

/// A number of units. All zero is a semaphore without units and without a maximum. The memory is
/// yours, and must stay where it is while a waiter waits for it.
#[repr(C)]
#[derive(Default)]
pub struct pirn_semaphore {
    pub(crate) waiters: pirn_waiters,
    /// How many units are free. Read only.
    pub value: Cell<u32>,
    /// The maximum of free units; 0: no maximum. Read only.
    pub most: Cell<u32>,
}

static SEMAPHORE: pirn_wait_kind = pirn_wait_kind {
    leave: Some(on_leave),
    undo: Some(on_undo),
    ..pirn_wait_kind::plain(PIRN_FOR_SEMAPHORE)
};

/// Prepare a semaphore. Nobody must wait for it.
///
/// @param value  how many units are free
/// @param most   the maximum of free units: releasing more is an error; 0: no maximum
///
/// Returns 0, or -EINVAL: NULL, or `value` is above `most`. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_semaphore_init(
    semaphore: *mut pirn_semaphore,
    value: u32,
    most: u32,
) -> c_int {
    if semaphore.is_null() || (most != 0 && value > most) {
        return -EINVAL;
    }
    let fresh = pirn_semaphore {
        waiters: pirn_waiters::default(),
        value: Cell::new(value),
        most: Cell::new(most),
    };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { semaphore.write(fresh) };
    0
}

/// Acquire units of a semaphore.
///
/// First come, first served: if the first waiter wants more units than there are, the waiters
/// behind it wait too.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param units       how many, 1 or more; all at once
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns 0: the units are acquired; `PIRN_WAITS`: the wait has begun, and ends with 0,
/// -ETIMEDOUT or -ECANCELED. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and there are not enough units or others wait
/// - -EINVAL: `semaphore` is NULL; `units` is 0, or above `most`; `waiter` is of another loop than
///   the others that wait
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_semaphore_acquire_start(
    semaphore: *mut pirn_semaphore,
    waiter: *mut pirn_waiter,
    units: u32,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, zeroed or initialised, as documented; all zero is a semaphore.
    let Some(this) = (unsafe { semaphore.as_ref() }) else {
        return -EINVAL;
    };
    if units == 0 || (this.most.get() != 0 && units > this.most.get()) {
        return -EINVAL;
    }
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    let rest = this.value.get().checked_sub(units);
    if let Some(rest) = rest.filter(|_| this.waiters.is_empty()) {
        this.value.set(rest);
        return 0;
    }
    // SAFETY: passed on; the list is part of the semaphore, which outlives its waiters as
    // documented.
    unsafe {
        pirn_waiter_begin(
            waiter,
            &raw const this.waiters,
            &raw const SEMAPHORE,
            semaphore.cast(),
            units as usize,
            timeout_ns,
        )
    }
}

impl pirn_semaphore {
    fn serve(&self) {
        while let Some(first) = self.waiters.first() {
            let Some(rest) = self.value.get().checked_sub(first.word() as u32) else {
                break;
            };
            self.value.set(rest);
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(first, 0) };
        }
    }
}

/// Release units of a semaphore. They need not have been acquired before.
///
/// The waiters that have waited longest get the units at once, before they run.
///
/// @param units  how many, 1 or more
///
/// Returns 0, or -EINVAL: NULL, or `units` is 0; -EOVERFLOW: more would be free than `most`, or
/// than a uint32_t can hold; nothing has changed. Cost: O(waiters that are served). Loop thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_semaphore_release(
    semaphore: *mut pirn_semaphore,
    units: u32,
) -> c_int {
    // SAFETY: NULL, zeroed or initialised, as documented.
    let Some(semaphore) = (unsafe { semaphore.as_ref() }) else {
        return -EINVAL;
    };
    if units == 0 {
        return -EINVAL;
    }
    let most = match semaphore.most.get() {
        0 => u32::MAX,
        most => most,
    };
    match semaphore.value.get().checked_add(units) {
        Some(value) if value <= most => semaphore.value.set(value),
        _ => return -EOVERFLOW,
    }
    semaphore.serve();
    0
}

/// Called when a waiter has left: the waiters behind it may want fewer units.
unsafe extern "C" fn on_leave(waiter: *mut pirn_waiter) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    // SAFETY: the semaphore that the waiter waited for, which outlives its waiters as documented.
    unsafe { &*waiter.object().cast::<pirn_semaphore>() }.serve();
}

/// Called when a waiter that got its units is dropped: they go to the waiters behind it.
unsafe extern "C" fn on_undo(waiter: *mut pirn_waiter, _result: c_int) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    // SAFETY: the semaphore that it waited for, which outlives its waiters as documented.
    let semaphore = unsafe { &*waiter.object().cast::<pirn_semaphore>() };
    let units = waiter.word() as u32;
    semaphore
        .value
        .set(semaphore.value.get().saturating_add(units));
    semaphore.serve();
}
