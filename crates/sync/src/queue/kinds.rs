#![expect(unsafe_code, reason = "called by C functions, with a waiter")]
//! What the waiters of a queue wait for, and what happens to what they were granted.

use core::ffi::c_int;

use pirn_wait::{ESHUTDOWN, pirn_wait_kind, pirn_waiter};

use super::{CLOSED_NOW, PIRN_FOR_QUEUE, pirn_queue};

pub(super) static GET: pirn_wait_kind = pirn_wait_kind {
    take: Some(on_take),
    undo: Some(on_undo_get),
    ..pirn_wait_kind::plain(PIRN_FOR_QUEUE)
};

/// An item that was accepted is in the queue: there is nothing to undo.
pub(super) static PUT: pirn_wait_kind = pirn_wait_kind {
    take: None,
    undo: None,
    ..GET
};

pub(super) static JOIN: pirn_wait_kind = PUT;

/// The queue of a waiter.
fn queue_of(waiter: &pirn_waiter) -> &pirn_queue {
    // SAFETY: what it waits for, which outlives its waiters as documented.
    unsafe { &*waiter.object().cast::<pirn_queue>() }
}

/// Called when a getter for which an item is reserved is about to run.
unsafe extern "C" fn on_take(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: called with a live waiter.
    let waiter = unsafe { &*waiter };
    let queue = queue_of(waiter);
    if result < 0 {
        return result;
    }
    if queue.closed.get() == CLOSED_NOW {
        return -ESHUTDOWN;
    }
    queue.claims.set(queue.claims.get() - 1);
    let item = core::ptr::with_exposed_provenance_mut(waiter.word());
    // SAFETY: the reserved item is there; the memory for it stays until the wait is over, as
    // documented.
    unsafe { queue.get_and_serve(item) }
}

/// Called when a getter for which an item is reserved is dropped before it ran.
unsafe extern "C" fn on_undo_get(waiter: *mut pirn_waiter, result: c_int) {
    // SAFETY: called with a live waiter.
    let queue = queue_of(unsafe { &*waiter });
    if result >= 0 && queue.closed.get() != CLOSED_NOW {
        queue.claims.set(queue.claims.get() - 1);
        queue.serve_getter();
    }
}
