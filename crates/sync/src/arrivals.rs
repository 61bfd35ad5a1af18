#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! The items that other threads have put into a linked queue, and that its loop has not taken over
//! yet.

use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use pirn_wait::functions::pirn_remote_push;
use pirn_wait::{EINVAL, pirn_hub, pirn_remote};

use crate::queue::pirn_queue;
use crate::storage::pirn_link;

type LinkPointer = AtomicPtr<pirn_link>;

/// The items of a queue that other threads have put. All zero: none. Opaque.
#[repr(C)]
#[derive(Default)]
pub struct pirn_arrivals {
    // The last one first.
    last: LinkPointer,
    remote: pirn_remote,
}

impl pirn_arrivals {
    /// Adds an item. Any thread.
    fn push(&self, item: &pirn_link, link: *mut pirn_link) {
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            item.next.set(last);
            // Release: the loop sees the item as it is now. Nobody takes a single one out, so there
            // is no ABA.
            match self
                .last
                .compare_exchange_weak(last, link, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(changed) => last = changed,
            }
        }
    }

    /// Takes all items out, linked in the order in which they were added. Loop thread.
    fn take(&self) -> *mut pirn_link {
        let mut rest = self.last.swap(null_mut(), Ordering::Acquire);
        let mut first = null_mut();
        // SAFETY: NULL, or an item that was put and is the queue's.
        while let Some(item) = unsafe { rest.as_ref() } {
            let next = item.next.replace(first);
            first = rest;
            rest = next;
        }
        first
    }
}

/// Put an item into a linked queue from another thread, a signal handler or an interrupt.
///
/// This cannot fail because something is full. The loop adds the item in its next turn, behind the
/// items that the same thread has put before, also if the queue was closed meanwhile. The call does
/// not keep `pirn_run` going: if only other threads put items, call `pirn_hold` first.
///
/// @param hub   the hub of the loop whose waiters wait for the queue
/// @param link  the first field of the item, which belongs to the queue until it is got
///
/// Returns 0, or -EINVAL: a NULL, or a queue that is not linked. Async-signal-safe. Cost: O(1),
/// two system calls at most. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_put_from(
    hub: *mut pirn_hub,
    queue: *mut pirn_queue,
    link: *mut pirn_link,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented. What is used of it here is atomic, or does not
    // change.
    let Some(this) = (unsafe { queue.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: NULL, or the first field of an item that nobody else uses.
    let Some(item) = (unsafe { link.as_ref() }) else {
        return -EINVAL;
    };
    if hub.is_null() || !this.items.is_linked() {
        return -EINVAL;
    }
    this.arrivals.push(item, link);
    // SAFETY: not NULL, hence a queue as documented. Nothing but the address is taken.
    let remote = unsafe { &raw mut (*queue).arrivals.remote };
    // SAFETY: passed on; the queue stays until it is called, as documented.
    unsafe { pirn_remote_push(hub, remote, Some(on_remote)) };
    0
}

unsafe extern "C" fn on_remote(_hub: *mut pirn_hub, remote: *mut pirn_remote) {
    let offset = core::mem::offset_of!(pirn_queue, arrivals.remote);
    let queue = remote.wrapping_byte_sub(offset).cast::<pirn_queue>();
    // SAFETY: `pirn_queue_put_from` has pushed the part of a queue, which is still there.
    let queue = unsafe { &*queue };
    let mut next = queue.arrivals.take();
    // SAFETY: NULL, or an item that was put and is the queue's.
    while let Some(item) = unsafe { next.as_ref() } {
        let link = next;
        next = item.next.get();
        // SAFETY: a linked queue has room for every item, and this is one.
        unsafe { queue.accept(link.cast()) };
    }
}
