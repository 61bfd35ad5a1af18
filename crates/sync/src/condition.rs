#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! A condition: waiters unlock a mutex while they wait for a notification.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr::NonNull;

use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant};
use pirn_wait::{
    EAGAIN, EDEADLK, EINVAL, EPERM, PIRN_WAIT_FIRM, PIRN_WAITS, pirn_wait_kind, pirn_waiter,
    pirn_waiters,
};

use crate::mutex::{PIRN_FOR_MUTEX, pirn_mutex};

/// What a waiter waits for: a notification.
pub const PIRN_FOR_CONDITION: u32 = 19u32;

/// Waiters for a notification. All zero is a condition for which nobody waits. It is yours, and
/// must stay where it is until every wait for it is over.
#[repr(C)]
#[derive(Default)]
pub struct pirn_condition {
    pub(crate) waiters: pirn_waiters,
    // The mutex of the waiters in the list; NULL: they have none.
    mutex: Cell<Option<NonNull<pirn_mutex>>>,
}

static CONDITION: pirn_wait_kind = pirn_wait_kind {
    quit: Some(on_quit),
    undo: Some(on_undo),
    ..pirn_wait_kind::plain(PIRN_FOR_CONDITION)
};

/// The second part of a wait with a mutex: the waiter locks it again.
static TAKEN_BACK: pirn_wait_kind = pirn_wait_kind {
    number: PIRN_FOR_MUTEX,
    flags: PIRN_WAIT_FIRM,
    quit: None,
    leave: Some(on_leave_taken_back),
    take: Some(on_take_back),
    undo: Some(on_undo_taken_back),
};

// The parts of a waiter's `extra` until it runs: in the first 16 bits, how often it had locked the
// mutex; the result of its wait without the sign; and whether a notification was for this waiter
// alone.
const RESULT: u32 = 16;
const MOST_RESULT: usize = 0xfff;
const IS_MEANT: usize = 1 << 28;

/// True if the notification of a waiter was for a number of them, and not for all.
#[cfg(feature = "safe")]
pub(crate) fn is_meant(waiter: &pirn_waiter) -> bool {
    waiter.extra().get() & IS_MEANT != 0
}

/// Wait for a notification, with a mutex unlocked meanwhile.
///
/// The mutex is unlocked, however often it was locked. Whatever the result of the wait is, it is
/// locked again as often before `wake` is called. Neither time limits nor cancellation end that
/// part of the wait. A waiter that is notified joins the waiters of the mutex at once, and runs
/// when it owns the mutex. There are no spurious wake-ups.
///
/// @param mutex       owned by `waiter`, and the same for all that wait at a time; NULL: no mutex
/// @param waiter      the waiter
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit
///
/// Returns `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT or -ECANCELED, or with
/// -EOWNERDEAD as `pirn_mutex_lock_start`. Or, with nothing begun and the mutex still locked:
/// - -EAGAIN: `timeout_ns` is 0
/// - -EPERM: `waiter` does not own `mutex`
/// - -EINVAL: `condition` is NULL; other waiters have another mutex, or none, or another loop
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_condition_wait_start(
    condition: *mut pirn_condition,
    mutex: *mut pirn_mutex,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, zeroed or in use, as documented; all zero is a condition.
    let Some(this) = (unsafe { condition.as_ref() }) else {
        return -EINVAL;
    };
    if waiter.is_null() {
        return -EDEADLK;
    }
    if !this.waiters.is_empty() && this.mutex.get() != NonNull::new(mutex) {
        return -EINVAL;
    }
    // SAFETY: NULL, zeroed or in use, as documented.
    let lock = unsafe { mutex.as_ref() };
    if lock.is_some_and(|lock| !lock.is_owned_by(waiter)) {
        return -EPERM;
    }
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if timeout_ns == 0 {
        return -EAGAIN;
    }
    // SAFETY: passed on; the list is part of the condition, which outlives its waiters as
    // documented.
    let begun = unsafe {
        pirn_waiter_begin(
            waiter,
            &raw const this.waiters,
            &raw const CONDITION,
            condition.cast(),
            condition.expose_provenance(),
            timeout_ns,
        )
    };
    if begun == PIRN_WAITS {
        this.mutex.set(NonNull::new(mutex));
        let depth = lock.map_or(0, pirn_mutex::depth);
        // SAFETY: not NULL, hence initialised as documented.
        unsafe { &*waiter }.extra().set(usize::from(depth));
        if let Some(lock) = lock {
            lock.pass_on();
        }
    }
    begun
}

impl pirn_condition {
    fn mutex(&self) -> Option<&pirn_mutex> {
        // SAFETY: the waiters in the list lock the mutex again, so it stays, as documented.
        self.mutex.get().map(|mutex| unsafe { mutex.as_ref() })
    }

    fn notify(&self, count: u32) -> u32 {
        let meant = if count == u32::MAX { 0 } else { IS_MEANT };
        let mut notified = 0;
        while notified < count {
            let Some(first) = self.waiters.first() else {
                break;
            };
            first.extra().set(first.extra().get() | meant);
            match self.mutex() {
                Some(mutex) => mutex.take_back(first, &TAKEN_BACK),
                // SAFETY: it is in the list, so it waits.
                None => unsafe { pirn_waiter_grant(first, 0) },
            }
            notified += 1;
        }
        notified
    }

    /// Gives the notification of a waiter that was dropped before it ran to the next one.
    fn pass_on(&self, waiter: &pirn_waiter) {
        if waiter.extra().get() & IS_MEANT != 0 {
            self.notify(1);
        }
    }
}

/// Notify the waiters that have waited longest. Waits that begin later are not affected.
///
/// The caller need not own the mutex.
///
/// @param count  how many waiters at most; UINT32_MAX: all
///
/// Returns how many were notified, at most 2^31 - 1; -EINVAL: NULL. Cost: O(notified). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_condition_notify(
    condition: *mut pirn_condition,
    count: u32,
) -> c_int {
    // SAFETY: NULL, zeroed or in use, as documented.
    let Some(condition) = (unsafe { condition.as_ref() }) else {
        return -EINVAL;
    };
    c_int::try_from(condition.notify(count)).unwrap_or(c_int::MAX)
}

/// The condition of a waiter, which may wait for the mutex already.
fn condition_of(waiter: &pirn_waiter) -> &pirn_condition {
    let condition = core::ptr::with_exposed_provenance::<pirn_condition>(waiter.word());
    // SAFETY: the word of a wait for a condition is its address, and it outlives the wait as
    // documented.
    unsafe { &*condition }
}

/// Called when time or cancellation ends the wait: the waiter locks the mutex first.
unsafe extern "C" fn on_quit(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    let Some(mutex) = condition_of(waiter).mutex() else {
        return 0;
    };
    let result = (result.unsigned_abs() as usize).min(MOST_RESULT);
    waiter.extra().set(waiter.extra().get() | result << RESULT);
    mutex.take_back(waiter, &TAKEN_BACK);
    1
}

/// Without a mutex: called when a waiter that was notified is dropped before it ran.
unsafe extern "C" fn on_undo(waiter: *mut pirn_waiter, _result: c_int) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    condition_of(waiter).pass_on(waiter);
}

/// Called when a waiter that owns the mutex again is about to run. Returns the result of its wait.
unsafe extern "C" fn on_take_back(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: called with a live waiter.
    let extra = unsafe { &*waiter }.extra().get();
    if result < 0 {
        result
    } else {
        -((extra >> RESULT & MOST_RESULT) as c_int)
    }
}

/// Called when a waiter that was notified is dropped before it owns the mutex again.
unsafe extern "C" fn on_leave_taken_back(waiter: *mut pirn_waiter) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    condition_of(waiter).pass_on(waiter);
}

/// Called when a waiter that owns the mutex again is dropped before it ran.
unsafe extern "C" fn on_undo_taken_back(waiter: *mut pirn_waiter, result: c_int) {
    // SAFETY: called with a live waiter.
    let own = unsafe { &*waiter };
    condition_of(own).pass_on(own);
    // SAFETY: passed on.
    unsafe { crate::mutex::on_undo(waiter, result) };
}
