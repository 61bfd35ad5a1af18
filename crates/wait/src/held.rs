#![expect(
    unsafe_code,
    reason = "held things are reached by the addresses that their owners gave"
)]
//! What a waiter owns, and what must not be lost when the waiter ends: locked mutexes.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::waiter::pirn_waiter;

/// The part of an object that a waiter can own. All zero is one that nobody owns. For those who
/// build objects.
///
/// When a fiber ends, `abandon` is called for each thing that its waiter still owns: pass it on.
#[repr(C)]
#[derive(Default)]
pub struct pirn_held {
    owner: Cell<Option<NonNull<pirn_waiter>>>,
    next: Cell<Option<NonNull<pirn_held>>>,
    previous: Cell<Option<NonNull<pirn_held>>>,
    abandon: Cell<pirn_abandon_fn>,
}

/// Called when the owner of a held thing has ended. `held` has no owner any more.
pub type pirn_abandon_fn = Option<unsafe extern "C" fn(held: *mut pirn_held)>;

fn neighbour<'a>(held: NonNull<pirn_held>) -> &'a pirn_held {
    // SAFETY: linked by `attach`, and unlinked before it is gone, as documented there; borrowed
    // shared only.
    unsafe { held.as_ref() }
}

impl pirn_held {
    /// The waiter that owns it.
    #[inline]
    pub fn owner(&self) -> Option<&pirn_waiter> {
        // SAFETY: a waiter passes on what it holds before it ends, as documented.
        self.owner.get().map(|owner| unsafe { owner.as_ref() })
    }

    /// Gives it, which nobody owns, to a waiter. It must be detached before its memory is reused.
    pub fn attach(&self, owner: &pirn_waiter, abandon: pirn_abandon_fn) {
        let first = owner.held.replace(Some(NonNull::from(self)));
        self.owner.set(Some(NonNull::from(owner)));
        self.abandon.set(abandon);
        self.previous.set(None);
        self.next.set(first);
        if let Some(first) = first {
            neighbour(first).previous.set(Some(NonNull::from(self)));
        }
    }

    /// Takes it from its owner, if it has one.
    pub fn detach(&self) {
        let Some(owner) = self.owner() else { return };
        let (next, previous) = (self.next.take(), self.previous.take());
        if let Some(next) = next {
            neighbour(next).previous.set(previous);
        }
        match previous {
            Some(previous) => neighbour(previous).next.set(next),
            None => owner.held.set(next),
        }
        self.owner.set(None);
    }
}

impl pirn_waiter {
    /// Passes on whatever the waiter still owns.
    pub(crate) fn abandon_all(&self) {
        while let Some(held) = self.held.get() {
            let abandon = neighbour(held).abandon.get();
            neighbour(held).detach();
            if let Some(abandon) = abandon {
                // SAFETY: called as documented there.
                unsafe { abandon(held.as_ptr()) };
            }
        }
    }
}
