#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and C functions are called"
)]
//! A queue of items, bounded or linked.

#[cfg(feature = "safe")]
mod discard;
mod kinds;

use core::cell::Cell;
use core::ffi::{c_int, c_void};

use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant};
use pirn_wait::{EINVAL, ESHUTDOWN, pirn_wait_kind, pirn_waiter, pirn_waiters};

use crate::arrivals::pirn_arrivals;
use crate::end_all;
use crate::storage::{pirn_items, pirn_queue_before_fn};
use kinds::{GET, JOIN, PUT};

/// What a waiter waits for: an item, room for one, or the end of all.
pub const PIRN_FOR_QUEUE: u32 = 21u32;

/// For `pirn_queue_close`: items that are in the queue can still be got.
pub const PIRN_QUEUE_DRAIN: u32 = 0u32;
/// For `pirn_queue_close`: the queue is emptied, and its items count as done.
pub const PIRN_QUEUE_NOW: u32 = 1u32;

/// A queue. Prepare it with `pirn_queue_init`, `pirn_queue_init_priority` or
/// `pirn_queue_init_linked`. It is yours, and must stay where it is while a waiter waits for it,
/// and until the loop has seen every `pirn_queue_put_from`.
#[repr(C)]
pub struct pirn_queue {
    getters: pirn_waiters,
    putters: pirn_waiters,
    joiners: pirn_waiters,
    pub(crate) items: pirn_items,
    // How many items were put and are not done.
    unfinished: Cell<u64>,
    // How many items are reserved for getters that have not run yet. They stay in the queue until
    // then, so that a reservation can be undone at any time.
    claims: Cell<u32>,
    // `OPEN`, or one more than the `how` of `pirn_queue_close`.
    closed: Cell<u32>,
    // The items that other threads have put.
    pub(crate) arrivals: pirn_arrivals,
}

const OPEN: u32 = 0;
const DRAINED: u32 = PIRN_QUEUE_DRAIN + 1;
const CLOSED_NOW: u32 = PIRN_QUEUE_NOW + 1;

/// Prepare a queue, which copies its items into an array of yours: empty and open.
///
/// Nobody may wait for it, and the loop must have seen every `pirn_queue_put_from`.
///
/// @param storage    the array, which must stay while the queue is in use
/// @param size       bytes of the array: room for `size / item_size` items, at most 2^30
/// @param item_size  bytes of an item, 1 or more
/// @param order      `PIRN_QUEUE_FIFO` or `PIRN_QUEUE_LIFO`
///
/// Returns 0, or -EINVAL: a NULL; there is no room for one item; or no such order. Cost: O(1). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_init(
    queue: *mut pirn_queue,
    storage: *mut c_void,
    size: usize,
    item_size: u32,
    order: u32,
) -> c_int {
    // SAFETY: passed on.
    unsafe { init(queue, pirn_items::new(storage, size, item_size, order)) }
}

/// Prepare a queue as `pirn_queue_init` does, in an order of yours: the item that is got is one
/// before which `before` puts no other. Equal items are got in any order.
///
/// To put or get an item costs O(log n) calls of `before`, and swaps of items.
///
/// @param storage    the array, aligned as `before` needs it
/// @param size       bytes of the array: room for `size / item_size` items, at most 2^30
/// @param item_size  bytes of an item, 1 or more
/// @param before     which of two items is got first
///
/// Returns 0, or -EINVAL: a NULL, or there is no room for one item. Cost: O(1). Loop thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_init_priority(
    queue: *mut pirn_queue,
    storage: *mut c_void,
    size: usize,
    item_size: u32,
    before: pirn_queue_before_fn,
) -> c_int {
    // SAFETY: passed on.
    unsafe { init(queue, pirn_items::ordered(storage, size, item_size, before)) }
}

/// Prepare a queue whose items are linked, and not copied: empty and open.
///
/// An item is a struct of yours that begins with a `struct pirn_link`. The queue has no bound, and
/// other threads can put items into it (`pirn_queue_put_from`). Nobody may wait for it, and the
/// loop must have seen all that they have put.
///
/// @param order  `PIRN_QUEUE_FIFO` or `PIRN_QUEUE_LIFO`
///
/// Returns 0, or -EINVAL: NULL, or no such order. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_init_linked(queue: *mut pirn_queue, order: u32) -> c_int {
    // SAFETY: passed on.
    unsafe { init(queue, pirn_items::linked(order)) }
}

/// Makes a queue of items, if there are some.
///
/// # Safety
///
/// `queue` is NULL or writable.
unsafe fn init(queue: *mut pirn_queue, items: Option<pirn_items>) -> c_int {
    let (Some(items), false) = (items, queue.is_null()) else {
        return -EINVAL;
    };
    let fresh = pirn_queue {
        getters: pirn_waiters::default(),
        putters: pirn_waiters::default(),
        joiners: pirn_waiters::default(),
        items,
        unfinished: Cell::new(0),
        claims: Cell::new(0),
        closed: Cell::new(OPEN),
        arrivals: pirn_arrivals::default(),
    };
    // SAFETY: as the caller promises.
    unsafe { queue.write(fresh) };
    0
}

/// Put an item into a queue.
///
/// The item is copied when there is room. If this returns `PIRN_WAITS`, the item must stay where it
/// is until the wait is over. If the waiter is dropped after the grant, the item stays in the
/// queue.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param item        the address of the item, outside of the queue's array. Linked: the struct
///                    itself, which belongs to the queue until it is got
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns 0: the item is in the queue; `PIRN_WAITS`: the wait has begun, and ends with 0,
/// -ETIMEDOUT, -ECANCELED or -ESHUTDOWN. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and the queue is full
/// - -ESHUTDOWN: the queue is closed
/// - -EINVAL: a NULL; or `waiter` is of another loop than the others that wait
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(item_size), with `pirn_queue_init_priority` times the logarithm of the items. Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_put_start(
    queue: *mut pirn_queue,
    waiter: *mut pirn_waiter,
    item: *const c_void,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let (Some(this), false) = (unsafe { queue.as_ref() }, item.is_null()) else {
        return -EINVAL;
    };
    let item = item.cast_mut();
    if this.items.is_full() {
        // SAFETY: passed on.
        unsafe { this.wait_for_room(waiter, item, timeout_ns) }
    } else {
        // SAFETY: passed on; there is room.
        unsafe { this.check_and(waiter, item, timeout_ns, pirn_queue::put) }
    }
}

/// Get the first item of a queue.
///
/// An item is reserved for the waiter that has waited longest, and copied when the waiter runs.
/// Which item that is, is decided then, by the order of the queue. If this returns `PIRN_WAITS`,
/// the memory at `item` must stay until the wait is over.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param item        where the item is written, outside of the queue's array; linked: where its
///                    address is written
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only try
///
/// Returns 0: the item is there; `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT,
/// -ECANCELED or -ESHUTDOWN. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and the queue is empty or all items are reserved
/// - -ESHUTDOWN: the queue is closed, and it is empty or all items are reserved
/// - -EINVAL: a NULL; or `waiter` is of another loop than the others that wait
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: as `pirn_queue_put_start`. Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_get_start(
    queue: *mut pirn_queue,
    waiter: *mut pirn_waiter,
    item: *mut c_void,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let (Some(this), false) = (unsafe { queue.as_ref() }, item.is_null()) else {
        return -EINVAL;
    };
    if this.free_items() == 0 {
        // SAFETY: passed on.
        unsafe { this.wait_for_item(waiter, item, timeout_ns) }
    } else {
        // SAFETY: passed on; there is an item.
        unsafe { this.check_and(waiter, item, timeout_ns, pirn_queue::get) }
    }
}

/// `pirn_queue::put`, `pirn_queue::get` or `refuse`.
type Act = unsafe fn(&pirn_queue, *mut c_void) -> c_int;

/// What a queue does that is closed.
fn refuse(_queue: &pirn_queue, _item: *mut c_void) -> c_int {
    -ESHUTDOWN
}

impl pirn_queue {
    /// Puts or gets an item at once, if the waiter may wait.
    ///
    /// # Safety
    ///
    /// As for `act`; the waiter is NULL or initialised.
    #[inline(always)]
    unsafe fn check_and(
        &self,
        waiter: *mut pirn_waiter,
        item: *mut c_void,
        timeout_ns: u64,
        act: Act,
    ) -> c_int {
        // SAFETY: NULL, or initialised, as the caller promises.
        if unsafe { waiter.as_ref() }.is_some_and(pirn_waiter::may_wait) {
            // SAFETY: passed on.
            unsafe { act(self, item) }
        } else {
            // SAFETY: passed on.
            unsafe { self.check_apart_and(waiter, item, timeout_ns, act) }
        }
    }

    /// The rest of `check_and` with a waiter that must not wait, or without one. It is a function
    /// of its own, so that a put or a get saves no registers for it.
    ///
    /// # Safety
    ///
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn check_apart_and(
        &self,
        waiter: *mut pirn_waiter,
        item: *mut c_void,
        timeout_ns: u64,
        act: Act,
    ) -> c_int {
        // SAFETY: passed on.
        match unsafe { pirn_waiter_check(waiter, timeout_ns) } {
            // SAFETY: passed on.
            0 => unsafe { act(self, item) },
            refused => refused,
        }
    }

    /// Puts an item. There must be room.
    ///
    /// # Safety
    ///
    /// `item` is an item as for `pirn_queue_put_start`.
    #[inline]
    unsafe fn put(&self, item: *mut c_void) -> c_int {
        if !self.items.is_plain() || !self.getters.is_empty() {
            // SAFETY: passed on; there is room.
            return unsafe { self.put_and_serve(item) };
        }
        self.count_put();
        // SAFETY: passed on; there is room, and the items are plain.
        unsafe { self.items.put_word(item) };
        0
    }

    /// Puts an item that is no word, or for which a getter waits. This and the functions below are
    /// apart, so that a put or a get that only copies a word calls nothing and saves no registers.
    ///
    /// # Safety
    ///
    /// As for `put`; there is room.
    #[inline(never)]
    unsafe fn put_and_serve(&self, item: *mut c_void) -> c_int {
        // SAFETY: passed on.
        unsafe { self.accept(item) };
        0
    }

    /// Begins to wait in a list of the queue, unless it is closed.
    ///
    /// # Safety
    ///
    /// The waiter is NULL or initialised; the item is good for what the kind does with it.
    #[inline(always)]
    unsafe fn wait_in(
        &self,
        list: &pirn_waiters,
        kind: &'static pirn_wait_kind,
        waiter: *mut pirn_waiter,
        item: *mut c_void,
        timeout_ns: u64,
    ) -> c_int {
        if self.closed.get() != OPEN {
            // SAFETY: passed on.
            return unsafe { self.check_apart_and(waiter, item, timeout_ns, refuse) };
        }
        let own = (&raw const *self).cast_mut().cast();
        let word = item.expose_provenance();
        // SAFETY: passed on; the list is part of the queue, which outlives its waiters as
        // documented.
        unsafe { pirn_waiter_begin(waiter, list, kind, own, word, timeout_ns) }
    }

    /// Begins to wait until there is room: the rest of `pirn_queue_put_start`.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(never)]
    unsafe fn wait_for_room(
        &self,
        waiter: *mut pirn_waiter,
        item: *mut c_void,
        timeout_ns: u64,
    ) -> c_int {
        // SAFETY: passed on.
        unsafe { self.wait_in(&self.putters, &PUT, waiter, item, timeout_ns) }
    }

    /// Gets an item. There must be one that is not reserved.
    ///
    /// # Safety
    ///
    /// There is room at `item`, as for `pirn_queue_get_start`.
    #[inline]
    unsafe fn get(&self, item: *mut c_void) -> c_int {
        if !self.items.is_plain() || !self.putters.is_empty() {
            // SAFETY: passed on; there is an item.
            return unsafe { self.get_and_serve(item) };
        }
        // SAFETY: room for an item, as documented; there is one, and the items are plain.
        unsafe { self.items.take_word(item) };
        0
    }

    /// Gets an item that is no word, or for whose place a putter waits.
    ///
    /// # Safety
    ///
    /// As for `get`; there is an item.
    #[inline(never)]
    pub(super) unsafe fn get_and_serve(&self, item: *mut c_void) -> c_int {
        // SAFETY: room for an item, as documented; there is one.
        unsafe { self.items.take(item) };
        self.serve_putter();
        0
    }

    /// Begins to wait for an item: the rest of `pirn_queue_get_start`.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(never)]
    unsafe fn wait_for_item(
        &self,
        waiter: *mut pirn_waiter,
        item: *mut c_void,
        timeout_ns: u64,
    ) -> c_int {
        // SAFETY: passed on.
        unsafe { self.wait_in(&self.getters, &GET, waiter, item, timeout_ns) }
    }

    /// How many items are not reserved.
    #[inline]
    fn free_items(&self) -> u32 {
        self.items.count() - self.claims.get()
    }

    /// Adds an item, which is reserved for the getter that has waited longest.
    ///
    /// # Safety
    ///
    /// There is room, and `item` is an item as for `pirn_queue_put_start`.
    #[inline]
    pub(crate) unsafe fn accept(&self, item: *const c_void) {
        self.count_put();
        // SAFETY: the caller promises it.
        unsafe { self.items.put(item) };
        self.serve_getter();
    }

    #[inline]
    fn count_put(&self) {
        self.unfinished.set(self.unfinished.get() + 1);
    }

    // ---- waiters ----
    //
    // A getter waits only while no item is free, and a putter only while the queue is full. So an
    // item that becomes free is for one getter, and a place for one putter.

    /// Reserves an item that has become free for the first getter.
    #[inline]
    fn serve_getter(&self) {
        debug_assert!(self.free_items() != 0);
        if let Some(getter) = self.getters.first() {
            self.claims.set(self.claims.get() + 1);
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(getter, 0) };
        }
    }

    /// Gives a place that has become free to the first putter.
    #[inline]
    fn serve_putter(&self) {
        if let Some(putter) = self.putters.first() {
            debug_assert!(!self.items.is_full());
            let item = core::ptr::with_exposed_provenance(putter.word());
            self.count_put();
            // SAFETY: there is room, and the item stays until the wait is over, as documented.
            unsafe { self.items.put(item) };
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(putter, 0) };
            self.serve_getter();
        }
    }

    /// Counts items as done, and ends the waits of the joiners if all are.
    fn finish(&self, count: u64) {
        let left = self.unfinished.get().saturating_sub(count);
        self.unfinished.set(left);
        if self.unfinished.get() == 0 {
            end_all(&self.joiners, 0);
        }
    }
}

/// Close a queue: nothing can be put any more.
///
/// Waits in progress end with -ESHUTDOWN. With `PIRN_QUEUE_DRAIN` items that are in the queue can
/// still be got. With `PIRN_QUEUE_NOW` the queue is emptied: getters for which an item is reserved,
/// and that have not run, get -ESHUTDOWN too, and `pirn_queue_join` waits only for the items that
/// were got before.
///
/// @param how  `PIRN_QUEUE_DRAIN` or `PIRN_QUEUE_NOW`, which also empties a queue that was closed
///             before; a linked queue can only be drained
///
/// Returns 0, also if it is closed already; -EINVAL: NULL, or `how` is another number. Cost:
/// O(waiters). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_close(queue: *mut pirn_queue, how: u32) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(queue) = (unsafe { queue.as_ref() }) else {
        return -EINVAL;
    };
    if how > PIRN_QUEUE_NOW || (how == PIRN_QUEUE_NOW && queue.items.is_linked()) {
        return -EINVAL;
    }
    let closed = how + DRAINED;
    queue.closed.set(queue.closed.get().max(closed));
    queue.items.shut();
    end_all(&queue.putters, -ESHUTDOWN);
    end_all(&queue.getters, -ESHUTDOWN);
    if how == PIRN_QUEUE_NOW {
        let count = queue.items.count();
        queue.items.clear();
        queue.claims.set(0);
        queue.finish(u64::from(count));
    }
    0
}

/// Count an item that was got as done: see `pirn_queue_join`.
///
/// Returns 0, or -EINVAL: NULL, or it was called more often than items were put. Cost: O(1), for
/// the last item O(joiners). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_done(queue: *mut pirn_queue) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(queue) = (unsafe { queue.as_ref() }) else {
        return -EINVAL;
    };
    if queue.unfinished.get() == 0 {
        return -EINVAL;
    }
    queue.finish(1);
    0
}

/// Wait until `pirn_queue_done` was called for every item that was put.
///
/// @param waiter      the waiter; may be NULL if `timeout_ns` is 0
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: only look
///
/// Returns 0: all are done; `PIRN_WAITS`: the wait has begun, and ends with 0, -ETIMEDOUT or
/// -ECANCELED. Or, with nothing begun:
/// - -EAGAIN: `timeout_ns` is 0, and some are not done
/// - -EINVAL: `queue` is NULL, or `waiter` is of another loop than the others that wait
/// - -EDEADLK: `waiter` is NULL, which `pirn_fiber_self` returns inside a callback
/// - -EBUSY: `waiter` waits already
///
/// Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_join_start(
    queue: *mut pirn_queue,
    waiter: *mut pirn_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(this) = (unsafe { queue.as_ref() }) else {
        return -EINVAL;
    };
    // SAFETY: passed on.
    let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if this.unfinished.get() == 0 {
        return 0;
    }
    // SAFETY: passed on; the list is part of the queue, which outlives its waiters as documented.
    unsafe {
        pirn_waiter_begin(
            waiter,
            &raw const this.joiners,
            &raw const JOIN,
            queue.cast(),
            0,
            timeout_ns,
        )
    }
}

/// Return how many items can be got without a wait, at most 2^31 - 1: those in the queue that are
/// not reserved. -EINVAL: NULL. Cost: O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_queue_size(queue: *const pirn_queue) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { queue.as_ref() }.map_or(-EINVAL, |queue| {
        c_int::try_from(queue.free_items()).unwrap_or(c_int::MAX)
    })
}
