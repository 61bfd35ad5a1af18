#![expect(unsafe_code, reason = "C functions are called for a pinned object")]
//! An event: a flag that programs wait for.

use core::ffi::c_int;
use core::marker::PhantomPinned;
use core::pin::Pin;

use pirn_wait::{ECANCELED, Hub, Result, Start, Wait, pirn_waiter};

use super::done;
use crate::end_all;
use crate::event::{
    pirn_event, pirn_event_clear, pirn_event_is_set, pirn_event_set, pirn_event_wait_start,
};

/// A flag that programs wait for.
pub struct Event<'h> {
    hub: &'h Hub,
    event: pirn_event,
    // Waiters are in a list of the event.
    _pinned: PhantomPinned,
}

impl<'h> Event<'h> {
    /// Makes an event that is not set. Pin it: `pin!(Event::new(hub))`.
    pub fn new(hub: &'h Hub) -> Event<'h> {
        Event {
            hub,
            event: pirn_event::default(),
            _pinned: PhantomPinned,
        }
    }

    /// Waits until the event is set. It stays set.
    pub fn wait<'e>(self: Pin<&'e Self>) -> Wait<'e, EventWait<'e, 'h>> {
        Wait::new(self.get_ref().hub, EventWait { event: self })
    }

    /// Sets the event. All present waiters are woken, even if the event is cleared before they run.
    pub fn set(&self) {
        // SAFETY: an event in use.
        unsafe { pirn_event_set(self.address()) };
    }

    /// Clears the event: from now on programs wait for it again.
    pub fn clear(&self) {
        // SAFETY: an event in use.
        unsafe { pirn_event_clear(self.address()) };
    }

    /// True if the event is set.
    pub fn is_set(&self) -> bool {
        // SAFETY: an event in use.
        unsafe { pirn_event_is_set(self.address()) == 1 }
    }

    fn address(&self) -> *mut pirn_event {
        (&raw const self.event).cast_mut()
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        // A waiter that is still in the list belongs to a future that was leaked.
        let this = &*self;
        end_all(&this.event.waiters, -ECANCELED);
    }
}

/// What [`Event::wait`] waits for.
pub struct EventWait<'e, 'h> {
    event: Pin<&'e Event<'h>>,
}

// SAFETY: the event is pinned; when it is dropped it ends the waits that are left.
unsafe impl Start for EventWait<'_, '_> {
    type Output = Result<()>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        // SAFETY: passed on.
        unsafe { pirn_event_wait_start(self.event.address(), waiter, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<()> {
        done(status)
    }
}
