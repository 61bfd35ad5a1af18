#![expect(unsafe_code, reason = "C functions are called for a pinned object")]
//! A barrier: a number of parties that wait for each other.

use core::ffi::c_int;
use core::marker::PhantomPinned;
use core::num::NonZeroU32;
use core::pin::Pin;

use pirn_wait::{ECANCELED, Hub, Result, Start, Wait, pirn_waiter, result};

use crate::barrier::{pirn_barrier, pirn_barrier_reset, pirn_barrier_wait_start};
use crate::end_all;

/// A number of parties that wait for each other.
pub struct Barrier<'h> {
    hub: &'h Hub,
    barrier: pirn_barrier,
    // Waiters are in a list of the barrier.
    _pinned: PhantomPinned,
}

impl<'h> Barrier<'h> {
    /// Makes a barrier for so many parties, 2^30 - 1 at most. Pin it:
    /// `pin!(Barrier::new(hub, parties))`.
    pub fn new(hub: &'h Hub, parties: NonZeroU32) -> Barrier<'h> {
        let barrier = pirn_barrier::default();
        barrier.parties.set(parties.get().min((1 << 30) - 1));
        Barrier {
            hub,
            barrier,
            _pinned: PhantomPinned,
        }
    }

    /// Waits until all parties have arrived, and returns how many had arrived before. The last one
    /// does not wait. The barrier is then ready for the next round.
    ///
    /// # Errors
    ///
    /// Of the wait: [`EPIPE`](pirn::Error::EPIPE): the barrier is broken. A party that leaves,
    /// because of its limit or because its future is dropped, breaks it for all others.
    pub fn wait<'b>(self: Pin<&'b Self>) -> Wait<'b, BarrierWait<'b, 'h>> {
        Wait::new(self.get_ref().hub, BarrierWait { barrier: self })
    }

    /// Resets the barrier to its first state. The present waiters get
    /// [`EPIPE`](pirn::Error::EPIPE).
    pub fn reset(&self) {
        // SAFETY: a barrier in use.
        unsafe { pirn_barrier_reset(self.address()) };
    }

    /// True if a party has left, until the barrier is reset.
    pub fn is_broken(&self) -> bool {
        self.barrier.is_broken.get() != 0
    }

    /// How many parties wait now.
    pub fn arrived(&self) -> u32 {
        self.barrier.arrived.get()
    }

    fn address(&self) -> *mut pirn_barrier {
        (&raw const self.barrier).cast_mut()
    }
}

impl Drop for Barrier<'_> {
    fn drop(&mut self) {
        // A waiter that is still in the list belongs to a future that was leaked.
        let this = &*self;
        end_all(&this.barrier.waiters, -ECANCELED);
    }
}

/// What [`Barrier::wait`] waits for.
pub struct BarrierWait<'b, 'h> {
    barrier: Pin<&'b Barrier<'h>>,
}

// SAFETY: the barrier is pinned; when it is dropped it ends the waits that are left.
unsafe impl Start for BarrierWait<'_, '_> {
    type Output = Result<u32>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        // SAFETY: passed on.
        unsafe { pirn_barrier_wait_start(self.barrier.address(), waiter, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<u32> {
        result(status as isize).map(|place| place as u32)
    }
}
