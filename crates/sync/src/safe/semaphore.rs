#![expect(unsafe_code, reason = "C functions are called for a pinned object")]
//! A semaphore: a number of units, which programs acquire and release.

use core::ffi::c_int;
use core::marker::PhantomPinned;
use core::num::NonZeroU32;
use core::pin::Pin;

use pirn_wait::{ECANCELED, Hub, Result, Start, Wait, pirn_waiter, result};

use super::done;
use crate::end_all;
use crate::semaphore::{pirn_semaphore, pirn_semaphore_acquire_start, pirn_semaphore_release};

/// A number of units, which programs acquire and release.
pub struct Semaphore<'h> {
    hub: &'h Hub,
    semaphore: pirn_semaphore,
    // Waiters are in a list of the semaphore.
    _pinned: PhantomPinned,
}

impl<'h> Semaphore<'h> {
    /// Makes a semaphore with so many free units. Any number can be released to it. Pin it:
    /// `pin!(Semaphore::new(hub, 4))`.
    pub fn new(hub: &'h Hub, value: u32) -> Semaphore<'h> {
        let semaphore = pirn_semaphore::default();
        semaphore.value.set(value);
        Semaphore {
            hub,
            semaphore,
            _pinned: PhantomPinned,
        }
    }

    /// Makes a semaphore of which so many units are free, and never more: to release more is an
    /// error.
    pub fn bounded(hub: &'h Hub, most: NonZeroU32) -> Semaphore<'h> {
        let semaphore = Semaphore::new(hub, most.get());
        semaphore.semaphore.most.set(most.get());
        semaphore
    }

    /// Acquires units, all at once. They are released when the permit is dropped.
    ///
    /// First come, first served: a wait for more units than there are holds back those behind it.
    ///
    /// # Errors
    ///
    /// Of the wait: [`EINVAL`](pirn::Error::EINVAL): no units, or more than there can be.
    pub fn acquire<'s>(self: Pin<&'s Self>, units: u32) -> Wait<'s, Acquire<'s, 'h>> {
        let semaphore = self;
        Wait::new(self.get_ref().hub, Acquire { semaphore, units })
    }

    /// Releases units that are held by no permit: new ones, or those of [`Permit::keep`].
    ///
    /// # Errors
    ///
    /// [`EOVERFLOW`](pirn::Error::EOVERFLOW): more would be free than can be.
    pub fn release(&self, units: NonZeroU32) -> Result<()> {
        // SAFETY: a semaphore in use.
        done(unsafe { pirn_semaphore_release(self.address(), units.get()) })
    }

    /// How many units are free.
    pub fn value(&self) -> u32 {
        self.semaphore.value.get()
    }

    pub(super) fn hub(&self) -> &'h Hub {
        self.hub
    }

    pub(super) fn address(&self) -> *mut pirn_semaphore {
        (&raw const self.semaphore).cast_mut()
    }
}

impl Drop for Semaphore<'_> {
    fn drop(&mut self) {
        // A waiter that is still in the list belongs to a future that was leaked.
        let this = &*self;
        end_all(&this.semaphore.waiters, -ECANCELED);
    }
}

/// What [`Semaphore::acquire`] waits for.
pub struct Acquire<'s, 'h> {
    semaphore: Pin<&'s Semaphore<'h>>,
    units: u32,
}

// SAFETY: the semaphore is pinned; when it is dropped it ends the waits that are left.
unsafe impl<'s, 'h> Start for Acquire<'s, 'h> {
    type Output = Result<Permit<'s, 'h>>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let semaphore = self.semaphore.address();
        // SAFETY: passed on.
        unsafe { pirn_semaphore_acquire_start(semaphore, waiter, self.units, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<Permit<'s, 'h>> {
        result(status as isize)?;
        Ok(Permit {
            semaphore: self.semaphore,
            units: self.units,
        })
    }
}

/// Units of a semaphore, which are released when this is dropped.
#[must_use = "the units are released when this is dropped"]
pub struct Permit<'s, 'h> {
    semaphore: Pin<&'s Semaphore<'h>>,
    units: u32,
}

impl Permit<'_, '_> {
    /// Keeps the units. Somebody else may release them: [`Semaphore::release`].
    pub fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Permit<'_, '_> {
    fn drop(&mut self) {
        // It fails if somebody else has released so much that more would be free than can be.
        // SAFETY: a semaphore in use.
        unsafe { pirn_semaphore_release(self.semaphore.address(), self.units) };
    }
}
