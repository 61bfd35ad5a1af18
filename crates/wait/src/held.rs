#![expect(unsafe_code, reason = "owned objects are reached by their addresses")]
//! Objects that a waiter owns, and that are passed on when it ends: locked mutexes.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::waiter::pirn_waiter;

/// The part of an object by which a waiter owns it. All zero: it has no owner. For objects of your
/// own: see "Building objects".
///
/// When a fiber ends, `abandon` is called for each object that its waiter still owns. The function
/// passes the object on.
#[repr(C)]
#[derive(Default)]
pub struct pirn_held {
    owner: Cell<Option<NonNull<pirn_waiter>>>,
    next: Cell<Option<NonNull<pirn_held>>>,
    previous: Cell<Option<NonNull<pirn_held>>>,
    abandon: Cell<pirn_abandon_fn>,
}

/// Called when the owner of an object has ended. The object has no owner any more.
pub type pirn_abandon_fn = Option<unsafe extern "C" fn(held: *mut pirn_held)>;

fn neighbour<'a>(held: NonNull<pirn_held>) -> &'a pirn_held {
    // SAFETY: linked by `attach`, and detached before its memory is reused, as documented there. It
    // is borrowed shared only.
    unsafe { held.as_ref() }
}

impl pirn_held {
    /// The owner.
    #[inline]
    pub fn owner(&self) -> Option<&pirn_waiter> {
        // SAFETY: a waiter passes on what it owns before it ends, as documented.
        self.owner.get().map(|owner| unsafe { owner.as_ref() })
    }

    /// Makes a waiter the owner. There must be none yet. Detach the object before its memory is
    /// reused.
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

    /// Ends the ownership, if there is an owner.
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
    /// Passes on all objects that the waiter still owns.
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
