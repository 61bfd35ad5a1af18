#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! A mutex: a lock that is handed over.

use core::cell::Cell;
use core::ffi::c_int;

use pirn_abi::PIRN_FOREVER;
use pirn_wait::functions::{
    pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant, pirn_waiter_move,
};
use pirn_wait::{
    EDEADLK, EINVAL, EOVERFLOW, EOWNERDEAD, EPERM, pirn_held, pirn_wait_kind, pirn_waiter,
    pirn_waiters,
};

/// What a waiter waits for: a mutex.
pub const PIRN_FOR_MUTEX: u32 = 17u32;

/// Option of `pirn_mutex_init`: the owner can lock the mutex again, and must unlock it as often.
pub const PIRN_MUTEX_RECURSIVE: u32 = 1u32 << 0;

/// A lock. All zero is a mutex that is not locked and not recursive. The memory is yours, and must
/// stay where it is while the mutex is locked.
///
/// A program needs it only if it waits while it uses what the mutex protects: between two waits no
/// other program of the loop runs.
#[repr(C)]
#[derive(Default)]
pub struct pirn_mutex {
    // The first field, so that its address is the mutex's.
    held: pirn_held,
    waiters: pirn_waiters,
    // How often its owner has locked it. Without an owner it says nothing.
    depth: Cell<u16>,
    options: u16,
    // What the wait of the next owner returns: -EOWNERDEAD if the last one has ended without
    // unlocking the mutex, or 0.
    next_result: Cell<c_int>,
}

static MUTEX: pirn_wait_kind = pirn_wait_kind {
    // No `leave`: while anybody waits the mutex is locked, so nothing is due to those behind.
    undo: Some(on_undo),
    ..pirn_wait_kind::plain(PIRN_FOR_MUTEX)
};

/// Prepare a mutex. It must not be locked.
///
/// @param options  `PIRN_MUTEX_RECURSIVE`, or 0
///
/// Returns 0, or -EINVAL: NULL, or other bits. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_mutex_init(mutex: *mut pirn_mutex, options: u32) -> c_int {
    if mutex.is_null() || options & !PIRN_MUTEX_RECURSIVE != 0 {
        return -EINVAL;
    }
    let fresh = pirn_mutex {
        options: options as u16,
        ..pirn_mutex::default()
    };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { mutex.write(fresh) };
    0
}

/// Lock a mutex. The waiter owns it from then on.
///
/// The mutex is handed over: as soon as the owner unlocks it, it belongs to the waiter that has
/// waited longest, before that waiter runs. The owner must unlock the mutex, or end
/// (`pirn_waiter_end`), before the memory of the waiter is used for something else.
///
/// @param waiter      the new owner
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns 0: the mutex is locked; -EOWNERDEAD: it is locked too, but the last owner has ended
/// without unlocking it, so check the data that it protects; `PIRN_WAITS`: the wait has begun, and
/// ends with 0, -EOWNERDEAD, -ETIMEDOUT or -ECANCELED. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and it is locked
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback; or it owns the
///   mutex already, and that is not recursive; or `timeout_ns` is `PIRN_FOREVER`, and its owner
///   waits without a limit for a mutex that `waiter` owns, directly or through other owners
/// - -EOVERFLOW: the owner has locked it 65535 times
/// - -EINVAL: `mutex` is NULL, or `waiter` is of another loop than the others that wait
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(1); with `PIRN_FOREVER`, where it has to wait, O(owners that wait for one another). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_mutex_lock_start(
    mutex: *mut pirn_mutex,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, zeroed or initialised, as documented; all zero is a mutex.
    let Some(this) = (unsafe { mutex.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: NULL, or initialised, as documented.
    let Some(locker) = (unsafe { waiter.as_ref() }) else {
        return -EDEADLK;
    };
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    let Some(owner) = this.held.owner() else {
        return this.give_to(locker, 1);
    };
    if core::ptr::eq(owner, locker) {
        return this.lock_again();
    }
    if timeout_ns == PIRN_FOREVER && this.is_locked_behind(locker) {
        return -EDEADLK;
    }
    // How often it will have locked the mutex.
    locker.extra().set(1);
    // SAFETY: passed on; the list is part of the mutex, which outlives its waiters as documented.
    unsafe {
        pirn_waiter_begin(
            waiter,
            &raw const this.waiters,
            &raw const MUTEX,
            mutex.cast(),
            0,
            timeout_ns,
        )
    }
}

/// Unlock a mutex in the name of its owner. For fibers, and where no callback runs, there is
/// `pirn_mutex_unlock`.
///
/// @param owner  the waiter that has locked it
///
/// Returns 0, or -EINVAL: `mutex` is NULL; -EPERM: `owner` does not own it, or is NULL. Cost:
/// O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_mutex_unlock_by(
    mutex: *mut pirn_mutex,
    owner: *const pirn_waiter,
) -> c_int {
    // SAFETY: NULL, zeroed or initialised, as documented.
    let Some(mutex) = (unsafe { mutex.as_ref() }) else {
        return -EINVAL;
    };
    if !mutex.is_owned_by(owner) {
        return -EPERM;
    }
    let depth = mutex.depth.get() - 1;
    mutex.depth.set(depth);
    if depth == 0 {
        mutex.pass_on();
    }
    0
}

impl pirn_mutex {
    pub(crate) fn is_owned_by(&self, waiter: *const pirn_waiter) -> bool {
        self.held
            .owner()
            .is_some_and(|owner| core::ptr::eq(owner, waiter))
    }

    /// Gives the mutex, which has no owner, to a waiter. Returns the result of the waiter's wait.
    fn give_to(&self, waiter: &pirn_waiter, depth: u16) -> c_int {
        self.held.attach(waiter, Some(on_abandon));
        self.depth.set(depth);
        self.next_result.take()
    }

    fn lock_again(&self) -> c_int {
        if u32::from(self.options) & PIRN_MUTEX_RECURSIVE == 0 {
            return -EDEADLK;
        }
        let Some(depth) = self.depth.get().checked_add(1) else {
            return -EOVERFLOW;
        };
        self.depth.set(depth);
        0
    }

    /// How often its owner has locked it.
    pub(crate) fn depth(&self) -> u16 {
        self.depth.get()
    }

    /// Unlocks the mutex, however often it was locked.
    pub(crate) fn pass_on(&self) {
        self.held.detach();
        self.serve();
    }

    /// Gives the mutex, which has no owner, to the waiter that has waited longest.
    fn serve(&self) {
        let Some(first) = self.waiters.first() else {
            return;
        };
        let result = self.give_to(first, first.extra().get() as u16);
        // SAFETY: it is in the list, so it waits.
        unsafe { pirn_waiter_grant(first, result) };
    }

    /// Moves a waiter of a condition to the waiters of the mutex, to lock it as often as the first
    /// 16 bits of its `extra` say.
    pub(crate) fn take_back(&self, waiter: &pirn_waiter, kind: &'static pirn_wait_kind) {
        let own = (&raw const *self).cast_mut().cast();
        // SAFETY: it waits for a condition; the mutex outlives its waiters as documented.
        unsafe { pirn_waiter_move(waiter, &raw const self.waiters, kind, own) };
        if self.held.owner().is_none() {
            self.serve();
        }
    }

    /// The mutex of a waiter that waits for one, or was given it and has not run yet.
    pub(crate) fn of(waiter: &pirn_waiter) -> &pirn_mutex {
        // SAFETY: what such a waiter waits for is a mutex, which outlives its waiters as
        // documented.
        unsafe { &*waiter.object().cast::<pirn_mutex>() }
    }

    /// True if the owner waits without a limit for a mutex that `waiter` owns, directly or through
    /// other owners.
    fn is_locked_behind(&self, waiter: &pirn_waiter) -> bool {
        // Owners that wait in a ring without `waiter` would be followed for ever. So one of them is
        // remembered at every power of two steps, and meeting it again ends the search.
        let (mut mark, mut steps) = (self, 0u32);
        let mut at = self;
        while let Some(owner) = at.held.owner() {
            if core::ptr::eq(owner, waiter) {
                return true;
            }
            // An owner whose wait is over may have waited for a mutex that is gone.
            let is_stuck = owner.is_waiting() && owner.deadline_ns() == 0;
            match owner.kind() {
                Some(kind) if is_stuck && kind.number == PIRN_FOR_MUTEX => {
                    at = pirn_mutex::of(owner);
                }
                _ => return false,
            }
            if core::ptr::eq(at, mark) {
                return false;
            }
            steps += 1;
            if steps.is_power_of_two() {
                mark = at;
            }
        }
        false
    }
}

/// Called when a waiter that was given the mutex is dropped before it ran: the next one has it.
pub(crate) unsafe extern "C" fn on_undo(waiter: *mut pirn_waiter, result: c_int) {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    let mutex = pirn_mutex::of(waiter);
    if mutex.is_owned_by(waiter) {
        mutex.next_result.set(result);
        mutex.pass_on();
    }
}

/// Called when the owner has ended.
unsafe extern "C" fn on_abandon(held: *mut pirn_held) {
    // SAFETY: `held` is the first field of a mutex, which stays where it is while it is locked.
    let mutex = unsafe { &*held.cast::<pirn_mutex>() };
    mutex.next_result.set(-EOWNERDEAD);
    mutex.serve();
}
