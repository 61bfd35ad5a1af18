#![expect(unsafe_code, reason = "the core's C functions are called")]
//! Time limits: the loop's timer, the deadlines that it is set to, and what keeps the loop going
//! until then.

use core::ffi::c_void;

use pirn_abi::{PIRN_FOREVER, pirn_hold, pirn_loop, pirn_release, pirn_timer, pirn_timer_again};

use super::{NEVER, hub, pirn_hub};

impl pirn_hub {
    /// Keeps the loop going, or no longer.
    #[cold]
    #[inline(never)]
    pub(super) fn hold(&self, is_held: bool) {
        if is_held {
            // SAFETY: the loop is live as long as its hub.
            unsafe { pirn_hold(self.event_loop.get()) };
        } else {
            // SAFETY: as above.
            unsafe { pirn_release(self.event_loop.get()) };
        }
    }

    /// Counts a waiter that has a deadline now. The loop is held while there is one.
    #[inline]
    pub(crate) fn count_timed(&self) {
        let before = self.timed.get();
        self.timed.set(before.wrapping_add(1));
        if before == 0 {
            self.hold(true);
        }
    }

    /// Counts a waiter that has none any more.
    #[inline]
    pub(crate) fn uncount_timed(&self) {
        let after = self.timed.get().wrapping_sub(1);
        self.timed.set(after);
        if after == 0 {
            self.hold(false);
        }
    }

    /// For the layers above: counts work that other threads do for the loop. Until it is done the
    /// loop goes on, and the hub cannot end.
    #[inline]
    pub fn begin_work(&self) {
        self.count_wait();
        self.count_timed();
    }

    /// For the layers above: counts that such work is done.
    #[inline]
    pub fn end_work(&self) {
        self.uncount_wait();
        self.uncount_timed();
    }

    /// Sets the loop's timer to a deadline, if that is earlier.
    #[inline]
    pub(crate) fn set_timer_for(&self, deadline_ns: u64) {
        if deadline_ns < self.timer_at_ns.get() {
            self.set_timer(deadline_ns);
        }
    }

    fn set_timer(&self, at_ns: u64) {
        self.timer_at_ns.set(at_ns);
        let delay = if at_ns == PIRN_FOREVER {
            NEVER
        } else {
            at_ns.saturating_sub(self.now())
        };
        // SAFETY: the loop and the timer are live as long as the hub.
        unsafe { pirn_timer_again(self.event_loop.get(), self.timer.get(), delay) };
    }

    /// Ends the waits whose deadline has passed. With `and_late` also those that end only after the
    /// kernel was asked once more; without it they wait for the next call of the hub.
    pub(super) fn end_due(&self, and_late: bool) {
        let now = self.now();
        self.timer_at_ns.set(0);
        while let Some((at, waiter)) = self.deadlines.first() {
            if at > now {
                break;
            }
            if waiter.is_late() && !and_late {
                self.is_due.set(1);
                self.ask_to_be_called();
                return;
            }
            waiter.fall_due(self);
        }
        self.set_timer(self.deadlines.first().map_or(PIRN_FOREVER, |(at, _)| at));
    }
}

pub(crate) unsafe extern "C" fn on_timer(
    _loop: *mut pirn_loop,
    _timer: pirn_timer,
    _missed: u64,
    user: *mut c_void,
) {
    // SAFETY: started with the hub.
    unsafe { hub(user) }.end_due(false);
}
