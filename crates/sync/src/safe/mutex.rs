#![expect(unsafe_code, reason = "the holder of the lock reaches the value")]
//! A mutex: a value that one program uses at a time.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;

use pirn_wait::{Hub, Result, Start, Wait, pirn_waiter, result};

use super::semaphore::Semaphore;
use crate::semaphore::{pirn_semaphore_acquire_start, pirn_semaphore_release};

/// A value that one program uses at a time, across waits. Between two waits no other program of the
/// hub runs, so a `Cell` or a `RefCell` is enough for a value that is not held during a wait.
///
/// The lock is handed over to the waiter that has waited longest, before that waiter runs. The lock
/// belongs to the guard and not to a task or a fiber: locking it twice waits for ever.
pub struct Mutex<'h, T> {
    // One unit, which is the lock.
    lock: Semaphore<'h>,
    value: UnsafeCell<T>,
}

impl<'h, T> Mutex<'h, T> {
    /// Makes a mutex that nobody has locked. Pin it: `pin!(Mutex::new(hub, value))`.
    pub fn new(hub: &'h Hub, value: T) -> Mutex<'h, T> {
        Mutex {
            lock: Semaphore::new(hub, 1),
            value: UnsafeCell::new(value),
        }
    }

    /// Locks the mutex, until the guard is dropped.
    pub fn lock<'m>(self: Pin<&'m Self>) -> Wait<'m, Lock<'m, 'h, T>> {
        Wait::new(self.get_ref().lock.hub(), Lock { mutex: self })
    }

    /// True if somebody has locked the mutex.
    pub fn is_locked(&self) -> bool {
        self.lock.value() == 0
    }
}

/// What [`Mutex::lock`] waits for.
pub struct Lock<'m, 'h, T> {
    mutex: Pin<&'m Mutex<'h, T>>,
}

// SAFETY: the mutex is pinned; when its semaphore is dropped it ends the waits that are left.
unsafe impl<'m, 'h, T> Start for Lock<'m, 'h, T> {
    type Output = Result<Guard<'m, 'h, T>>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        // SAFETY: passed on.
        unsafe { pirn_semaphore_acquire_start(self.mutex.lock.address(), waiter, 1, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<Guard<'m, 'h, T>> {
        result(status as isize)?;
        Ok(Guard { mutex: self.mutex })
    }
}

/// The value of a mutex, which is unlocked when this is dropped.
#[must_use = "the mutex is unlocked when this is dropped"]
pub struct Guard<'m, 'h, T> {
    mutex: Pin<&'m Mutex<'h, T>>,
}

impl<'m, 'h, T> Guard<'m, 'h, T> {
    /// The mutex.
    pub fn mutex(&self) -> Pin<&'m Mutex<'h, T>> {
        self.mutex
    }
}

impl<T> Deref for Guard<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this is the only guard, for there is one unit.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above. The value is not pinned: nobody but guards reaches it.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for Guard<'_, '_, T> {
    fn drop(&mut self) {
        // SAFETY: a semaphore in use.
        unsafe { pirn_semaphore_release(self.mutex.lock.address(), 1) };
    }
}
