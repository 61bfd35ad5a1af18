#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! The items that other threads have put into a linked queue, and that its loop has not taken over
//! yet.

use core::ffi::c_int;
use core::ptr::null_mut;
#[cfg(not(loom))]
use core::sync::atomic::{AtomicPtr, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, Ordering};
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

#[cfg(all(test, loom))]
mod loom_tests {
    use core::mem::MaybeUninit;
    use std::boxed::Box;
    use std::vec::Vec;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::queue::pirn_queue_init_linked;
    use crate::storage::PIRN_QUEUE_FIFO;

    /// An item: which one of which thread.
    #[repr(C)]
    struct Item {
        link: pirn_link,
        thread: usize,
        number: usize,
    }

    /// A linked queue, to which other threads add.
    struct Shared(pirn_queue);

    // SAFETY: other threads use nothing but the arrivals.
    unsafe impl Sync for Shared {}
    // SAFETY: as above.
    unsafe impl Send for Shared {}

    fn shared() -> Arc<Shared> {
        let mut queue = MaybeUninit::uninit();
        // SAFETY: room for a queue.
        let rc = unsafe { pirn_queue_init_linked(queue.as_mut_ptr(), PIRN_QUEUE_FIFO) };
        assert_eq!(rc, 0);
        // SAFETY: initialised.
        Arc::new(Shared(unsafe { queue.assume_init() }))
    }

    /// Adds some items as a thread.
    fn add(shared: &Shared, thread: usize, count: usize) {
        for number in 0..count {
            let link = pirn_link {
                next: null_mut::<pirn_link>().into(),
            };
            let item = Box::leak(Box::new(Item {
                link,
                thread,
                number,
            }));
            let address = (&raw mut *item).cast();
            // SAFETY: the item was just made.
            shared.0.arrivals.push(unsafe { &*address }, address);
        }
    }

    /// Moves the arrivals to the items, as the loop does after a notification.
    fn take_over(shared: &Shared) {
        let remote = (&raw const shared.0.arrivals.remote).cast_mut();
        // SAFETY: the part of a queue.
        unsafe { on_remote(null_mut(), remote) };
    }

    /// Gets all items, and frees them.
    fn get_all(shared: &Shared) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        while shared.0.items.count() != 0 {
            let mut item: *mut Item = null_mut();
            // SAFETY: there is one, and room for its address.
            unsafe { shared.0.items.take((&raw mut item).cast()) };
            // SAFETY: leaked by `add`.
            let item = unsafe { Box::from_raw(item) };
            all.push((item.thread, item.number));
        }
        all
    }

    /// Each item of each thread is there once, and those of one thread are in their order.
    fn is_whole(all: &[(usize, usize)], counts: &[usize]) -> bool {
        let of = |thread| all.iter().filter(move |item| item.0 == thread);
        let numbers = |thread| of(thread).map(|item| item.1);
        let sum: usize = counts.iter().sum();
        let mut counts = counts.iter().enumerate();
        all.len() == sum && counts.all(|(thread, count)| numbers(thread).eq(0..*count))
    }

    /// The loop takes over what is there while two threads add.
    #[test]
    fn loom_no_item_is_lost_and_those_of_a_thread_are_in_order() {
        loom::model(|| {
            let shared = shared();
            let counts = [2, 1];
            let threads: Vec<_> = (0..2)
                .map(|number| {
                    let shared = shared.clone();
                    thread::spawn(move || add(&shared, number, counts[number]))
                })
                .collect();
            take_over(&shared);
            for thread in threads {
                thread.join().expect("it ends");
            }
            take_over(&shared);
            assert!(is_whole(&get_all(&shared), &counts));
        });
    }

    /// The loop takes over again and again while a thread adds.
    #[test]
    fn loom_what_is_added_while_the_loop_takes_over_comes_later() {
        loom::model(|| {
            let shared = shared();
            let adds = shared.clone();
            let thread = thread::spawn(move || add(&adds, 0, 3));
            take_over(&shared);
            let mut all = get_all(&shared);
            take_over(&shared);
            all.extend(get_all(&shared));
            thread.join().expect("it ends");
            take_over(&shared);
            all.extend(get_all(&shared));
            assert!(is_whole(&all, &[3]));
        });
    }
}
