#![expect(unsafe_code, reason = "C functions are called for a pinned object")]
//! A condition: programs wait until another program notifies them.

use core::cell::Cell;
use core::ffi::c_int;
use core::marker::PhantomPinned;
use core::pin::{Pin, pin};
use core::ptr::{null, null_mut};

use pirn_wait::{ECANCELED, Hub, Result, Start, Wait, pirn_waiter};

use super::done;
use super::mutex::Guard;
use crate::condition::{pirn_condition, pirn_condition_notify, pirn_condition_wait_start};
use crate::end_all;

/// Lets programs wait until another program notifies them.
///
/// Nobody else runs between two waits. So a program that looks at something and then waits misses
/// no notification in between, and needs no mutex for that:
///
/// ```text
/// while items.borrow().is_empty() {
///     changed.notified().await?;
/// }
/// ```
pub struct Condition<'h> {
    hub: &'h Hub,
    condition: pirn_condition,
    // Waiters are in a list of the condition.
    _pinned: PhantomPinned,
}

impl<'h> Condition<'h> {
    /// Makes a condition. Pin it: `pin!(Condition::new(hub))`.
    pub fn new(hub: &'h Hub) -> Condition<'h> {
        Condition {
            hub,
            condition: pirn_condition::default(),
            _pinned: PhantomPinned,
        }
    }

    /// Waits for a notification. There are no spurious ones.
    pub fn notified<'c>(self: Pin<&'c Self>) -> Wait<'c, Notified<'c, 'h>> {
        let notified = Notified {
            condition: self,
            waiter: Cell::new(null()),
            is_meant: Cell::new(false),
        };
        Wait::new(self.get_ref().hub, notified)
    }

    /// Unlocks a mutex, waits for a notification, and locks the mutex again. For tasks: a fiber
    /// does these three one after the other.
    ///
    /// A future that is dropped while it waits to lock passes its notification on.
    ///
    /// # Errors
    ///
    /// Those of [`Condition::notified`]. The mutex is then unlocked.
    pub async fn wait<'m, 'g, T>(
        self: Pin<&Self>,
        guard: Guard<'m, 'g, T>,
    ) -> Result<Guard<'m, 'g, T>> {
        struct PassingOn<'a, 'h>(Pin<&'a Condition<'h>>);
        impl Drop for PassingOn<'_, '_> {
            fn drop(&mut self) {
                self.0.notify(1);
            }
        }
        let mutex = guard.mutex();
        drop(guard);
        let is_meant = {
            let mut notified = pin!(self.notified());
            notified.as_mut().await?;
            notified.what().is_meant.get()
        };
        let passing_on = is_meant.then(|| PassingOn(self));
        let guard = mutex.lock().await?;
        core::mem::forget(passing_on);
        Ok(guard)
    }

    /// Notifies the waiters that have waited longest, `count` at most. A wait that begins later is
    /// not notified. Returns how many waiters were notified.
    pub fn notify(&self, count: u32) -> u32 {
        let condition = (&raw const self.condition).cast_mut();
        // SAFETY: a condition in use.
        unsafe { pirn_condition_notify(condition, count) }.unsigned_abs()
    }

    /// Notifies all waiters. Returns how many were notified.
    pub fn notify_all(&self) -> u32 {
        self.notify(u32::MAX)
    }
}

impl Drop for Condition<'_> {
    fn drop(&mut self) {
        // A waiter that is still in the list belongs to a future that was leaked.
        let this = &*self;
        end_all(&this.condition.waiters, -ECANCELED);
    }
}

/// What [`Condition::notified`] waits for.
pub struct Notified<'c, 'h> {
    condition: Pin<&'c Condition<'h>>,
    // With which the wait began; it is there until the wait is over.
    waiter: Cell<*const pirn_waiter>,
    // The notification was for a number of waiters, and not for all.
    is_meant: Cell<bool>,
}

// SAFETY: the condition is pinned; when it is dropped it ends the waits that are left.
unsafe impl Start for Notified<'_, '_> {
    type Output = Result<()>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        self.waiter.set(waiter);
        let condition = (&raw const self.condition.get_ref().condition).cast_mut();
        // SAFETY: passed on.
        unsafe { pirn_condition_wait_start(condition, null_mut(), waiter, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<()> {
        // SAFETY: NULL, or the waiter of a wait that is just over.
        let waiter = unsafe { self.waiter.get().as_ref() };
        let is_meant = waiter.is_some_and(crate::condition::is_meant);
        self.is_meant.set(status >= 0 && is_meant);
        done(status)
    }
}
