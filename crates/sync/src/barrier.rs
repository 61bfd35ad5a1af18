#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! A barrier: a number of parties that wait for each other.

use core::cell::Cell;
use core::ffi::c_int;

use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant};
use pirn_wait::{EINVAL, EPIPE, PIRN_WAITS, pirn_wait_kind, pirn_waiter, pirn_waiters};

/// What a waiter waits for: the other parties.
pub const PIRN_FOR_BARRIER: u32 = 20u32;

/// A number of parties that wait for each other. Prepare it with `pirn_barrier_init`. It is yours,
/// and must stay where it is while a waiter waits for it.
#[repr(C)]
#[derive(Default)]
pub struct pirn_barrier {
    pub(crate) waiters: pirn_waiters,
    /// How many parties it takes. Read only.
    pub parties: Cell<u32>,
    /// How many parties wait now. Read only.
    pub arrived: Cell<u32>,
    /// 1 if a party has left, until `pirn_barrier_reset`. Read only.
    pub is_broken: Cell<u32>,
    reserved: Cell<u32>,
}

static BARRIER: pirn_wait_kind = pirn_wait_kind {
    leave: Some(on_leave),
    ..pirn_wait_kind::plain(PIRN_FOR_BARRIER)
};

/// Prepare a barrier. Nobody must wait for it.
///
/// @param parties  how many have to arrive, 1 to 2^30 - 1
///
/// Returns 0, or -EINVAL: NULL, or another number. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_barrier_init(barrier: *mut pirn_barrier, parties: u32) -> c_int {
    if barrier.is_null() || parties == 0 || parties >= PIRN_WAITS as u32 {
        return -EINVAL;
    }
    let fresh = pirn_barrier {
        parties: Cell::new(parties),
        ..pirn_barrier::default()
    };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { barrier.write(fresh) };
    0
}

/// Wait until all parties have arrived.
///
/// The party that arrives last does not wait, and wakes the others. Then the next round begins,
/// also for parties that arrive before the others have run. A party that leaves because of its time
/// limit, cancellation or `pirn_waiter_drop` breaks the barrier: all others get -EPIPE, and so does
/// every later wait until `pirn_barrier_reset`.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: pass only as the last
///                    party
///
/// Returns how many had arrived before, if this was the last party: parties - 1; `PIRN_WAITS`: the
/// wait has begun, and ends with how many had arrived before, -EPIPE, -ETIMEDOUT or -ECANCELED.
/// Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and this is not the last party; this does not break the barrier
/// - -EPIPE: the barrier is broken
/// - -EINVAL: `barrier` is NULL, or was never initialised; `waiter` is of another loop than the
///   others that wait
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(1), for the last party O(parties). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_barrier_wait_start(
    barrier: *mut pirn_barrier,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, zeroed or initialised, as documented.
    let Some(this) = (unsafe { barrier.as_ref() }) else {
        return -EINVAL;
    };
    let (parties, arrived) = (this.parties.get(), this.arrived.get());
    if parties == 0 {
        return -EINVAL;
    }
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if this.is_broken.get() != 0 {
        return -EPIPE;
    }
    if arrived + 1 == parties {
        this.let_all_pass();
        return arrived as c_int;
    }
    // SAFETY: passed on; the list is part of the barrier, which outlives its waiters as documented.
    let begun = unsafe {
        pirn_waiter_begin(
            waiter,
            &raw const this.waiters,
            &raw const BARRIER,
            barrier.cast(),
            0,
            timeout_ns,
        )
    };
    if begun == PIRN_WAITS {
        this.arrived.set(arrived + 1);
    }
    begun
}

impl pirn_barrier {
    fn let_all_pass(&self) {
        self.arrived.set(0);
        let mut place = 0;
        while let Some(first) = self.waiters.first() {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(first, place) };
            place += 1;
        }
    }

    fn send_all_away(&self) {
        self.arrived.set(0);
        while let Some(first) = self.waiters.first() {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(first, -EPIPE) };
        }
    }
}

/// Reset a barrier to its first state. Waits in progress end with -EPIPE.
///
/// Returns 0, or -EINVAL: NULL, or it was never initialised. Cost: O(waiters). Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_barrier_reset(barrier: *mut pirn_barrier) -> c_int {
    // SAFETY: NULL, zeroed or initialised, as documented.
    let Some(barrier) = (unsafe { barrier.as_ref() }) else {
        return -EINVAL;
    };
    if barrier.parties.get() == 0 {
        return -EINVAL;
    }
    barrier.send_all_away();
    barrier.is_broken.set(0);
    0
}

/// Called when a party has left: breaks the barrier, because the others would wait in vain.
unsafe extern "C" fn on_leave(waiter: *mut pirn_waiter) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    // SAFETY: the barrier that the waiter waited for, which outlives its waiters as documented.
    let barrier = unsafe { &*waiter.object().cast::<pirn_barrier>() };
    barrier.is_broken.set(1);
    barrier.send_all_away();
}
