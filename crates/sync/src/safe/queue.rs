#![expect(
    unsafe_code,
    reason = "items are moved as bytes, by C functions, for a pinned object"
)]
//! A queue of items.

use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_int, c_void};
use core::fmt;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::pin::Pin;

use pirn::Error;
use pirn_wait::{Hub, Result, Start, Wait, pirn_waiter, result};

use super::done;
use crate::queue::{
    PIRN_QUEUE_DRAIN, pirn_queue, pirn_queue_close, pirn_queue_done, pirn_queue_get_start,
    pirn_queue_init, pirn_queue_init_priority, pirn_queue_join_start, pirn_queue_put_start,
    pirn_queue_size,
};
use crate::storage::{PIRN_QUEUE_FIFO, PIRN_QUEUE_LIFO};

/// The order in which the items of a queue are got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The item that was put first.
    Fifo,
    /// The item that was put last.
    Lifo,
    /// The item with the smallest key ([`Queue::put_with`]); equal ones in any order.
    Priority,
}

/// An item with its key, as a queue by priority keeps it.
#[repr(C)]
struct Entry<T> {
    // First: `is_before` knows nothing else.
    key: i64,
    item: T,
}

/// Room for an entry.
type Room<T> = UnsafeCell<MaybeUninit<Entry<T>>>;

/// A queue of at most `N` items, which are in the queue itself.
///
/// The waiter that has waited longest is served first. The order of the queue is the order of its
/// items.
pub struct Queue<'h, T, const N: usize> {
    hub: &'h Hub,
    order: Order,
    // Written when the queue is first used, because only then it is pinned.
    is_ready: Cell<bool>,
    queue: UnsafeCell<MaybeUninit<pirn_queue>>,
    entries: UnsafeCell<[MaybeUninit<Entry<T>>; N]>,
    // Waiters are in lists of the queue.
    _pinned: PhantomPinned,
}

impl<'h, T, const N: usize> Queue<'h, T, N> {
    /// Makes an empty queue. Pin it: `pin!(Queue::new(hub, Order::Fifo))`.
    pub fn new(hub: &'h Hub, order: Order) -> Self {
        const { assert!(N > 0 && N <= 1 << 30 && size_of::<Entry<T>>() <= u32::MAX as usize) };
        Queue {
            hub,
            order,
            is_ready: Cell::new(false),
            queue: UnsafeCell::new(MaybeUninit::uninit()),
            entries: UnsafeCell::new([const { MaybeUninit::uninit() }; N]),
            _pinned: PhantomPinned,
        }
    }

    /// Puts an item, and waits while the queue is full.
    ///
    /// # Errors
    ///
    /// Of the wait: the item, with the error. [`ESHUTDOWN`](Error::ESHUTDOWN): the queue is closed.
    pub fn put<'q>(self: Pin<&'q Self>, item: T) -> Wait<'q, Put<'q, 'h, T, N>> {
        self.put_with(0, item)
    }

    /// Puts an item with a key, which says when it is got if the order is [`Order::Priority`]. As
    /// [`Queue::put`].
    pub fn put_with<'q>(self: Pin<&'q Self>, key: i64, item: T) -> Wait<'q, Put<'q, 'h, T, N>> {
        let put = Put {
            queue: self,
            entry: UnsafeCell::new(MaybeUninit::new(Entry { key, item })),
            is_own: Cell::new(true),
        };
        Wait::new(self.get_ref().hub, put)
    }

    /// Gets the first item, and waits while the queue is empty.
    ///
    /// # Errors
    ///
    /// Of the wait: [`ESHUTDOWN`](Error::ESHUTDOWN): the queue is closed, and empty.
    pub fn get<'q>(self: Pin<&'q Self>) -> Wait<'q, Get<'q, 'h, T, N>> {
        let get = Get {
            queue: self,
            entry: UnsafeCell::new(MaybeUninit::uninit()),
        };
        Wait::new(self.get_ref().hub, get)
    }

    /// Waits until every item that was put is done: [`Queue::done`] was called for each.
    pub fn join<'q>(self: Pin<&'q Self>) -> Wait<'q, Join<'q, 'h, T, N>> {
        Wait::new(self.get_ref().hub, Join { queue: self })
    }

    /// Says that an item that was got is done.
    ///
    /// # Errors
    ///
    /// [`EINVAL`](Error::EINVAL): it was said more often than items were put.
    pub fn done(self: Pin<&Self>) -> Result<()> {
        // SAFETY: a queue in use.
        done(unsafe { pirn_queue_done(self.address()) })
    }

    /// Closes the queue: nothing can be put any more. Items that are in it can still be got.
    pub fn close(self: Pin<&Self>) {
        // SAFETY: a queue in use.
        unsafe { pirn_queue_close(self.address(), PIRN_QUEUE_DRAIN) };
    }

    /// Closes the queue and empties it. The items are dropped, and count as done.
    pub fn close_now(self: Pin<&Self>) {
        self.close();
        self.drop_items();
    }

    /// How many items can be got without a wait.
    pub fn size(self: Pin<&Self>) -> usize {
        // SAFETY: a queue in use.
        unsafe { pirn_queue_size(self.address()) }.unsigned_abs() as usize
    }

    /// The C queue, which is made if this is the first use.
    fn address(self: Pin<&Self>) -> *mut pirn_queue {
        let this = self.get_ref();
        let queue = this.queue.get().cast::<pirn_queue>();
        if !this.is_ready.replace(true) {
            let item_size = if this.has_keys() {
                size_of::<Entry<T>>()
            } else {
                size_of::<T>()
            };
            let (array, size) = (this.entries.get().cast(), N * item_size);
            let item_size = item_size as u32;
            match this.order {
                // SAFETY: pinned, so queue and array stay where they are until they are dropped.
                Order::Fifo => unsafe {
                    pirn_queue_init(queue, array, size, item_size, PIRN_QUEUE_FIFO)
                },
                // SAFETY: as above.
                Order::Lifo => unsafe {
                    pirn_queue_init(queue, array, size, item_size, PIRN_QUEUE_LIFO)
                },
                // SAFETY: as above.
                Order::Priority => unsafe {
                    pirn_queue_init_priority(queue, array, size, item_size, Some(is_before))
                },
            };
        }
        queue
    }

    /// True if the queue keeps entries, and not the items alone. An item must have a size.
    fn has_keys(&self) -> bool {
        self.order == Order::Priority || size_of::<T>() == 0
    }

    /// The part of an entry that the queue copies.
    fn part(&self, room: &Room<T>) -> *mut c_void {
        let entry = room.get().cast::<Entry<T>>();
        if self.has_keys() {
            entry.cast()
        } else {
            // SAFETY: inside the room.
            unsafe { &raw mut (*entry).item }.cast()
        }
    }

    /// Drops all items of a queue that is closed.
    fn drop_items(self: Pin<&Self>) {
        // SAFETY: made by `address`.
        let queue = unsafe { &*self.address() };
        queue.break_promises();
        let room = Room::new(MaybeUninit::uninit());
        // An item that is dropped may do anything, so each is out of the queue before.
        // SAFETY: room for what the queue copies.
        while unsafe { queue.discard(self.part(&room)) } {
            // SAFETY: just written.
            drop(unsafe { item_of(&room) });
        }
    }
}

impl<T, const N: usize> Drop for Queue<'_, T, N> {
    fn drop(&mut self) {
        if self.is_ready.get() {
            // SAFETY: it was in use, hence pinned, and is not moved while it is dropped.
            let this = unsafe { Pin::new_unchecked(&*self) };
            // A waiter that is still in the list belongs to a future that was leaked.
            this.close();
            // SAFETY: made by `address`.
            unsafe { &*this.address() }.end_joiners();
            this.drop_items();
        }
    }
}

/// Moves the item out of an entry.
///
/// # Safety
///
/// The item is there, and is not used again.
unsafe fn item_of<T>(room: &Room<T>) -> T {
    let entry = room.get().cast::<Entry<T>>();
    // SAFETY: inside the room.
    let item = unsafe { &raw const (*entry).item };
    // SAFETY: the caller promises it.
    unsafe { item.read() }
}

/// No code of the program runs here: a heap is being changed.
unsafe extern "C" fn is_before(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: an entry, which begins with its key.
    let key = |entry: *const c_void| unsafe { entry.cast::<i64>().read() };
    c_int::from(key(a) < key(b))
}

/// An item that was not put, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rejected<T> {
    /// The item.
    pub item: T,
    /// Why it was not put.
    pub error: Error,
}

impl<T> fmt::Debug for Rejected<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rejected({:?})", self.error)
    }
}

/// What [`Queue::put`] waits for.
pub struct Put<'q, 'h, T, const N: usize> {
    queue: Pin<&'q Queue<'h, T, N>>,
    entry: Room<T>,
    // The entry has not been moved out.
    is_own: Cell<bool>,
}

// SAFETY: the queue is pinned; when it is dropped it ends the waits that are left. The entry stays
// where it is as long as `self`, also if that was leaked: its item may be put, and then is the
// queue's.
unsafe impl<T, const N: usize> Start for Put<'_, '_, T, N> {
    type Output = core::result::Result<(), Rejected<T>>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let (queue, entry) = (self.queue.address(), self.queue.part(&self.entry));
        // SAFETY: passed on.
        unsafe { pirn_queue_put_start(queue, waiter, entry, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Self::Output {
        self.is_own.set(false);
        match result(status as isize) {
            Ok(_) => Ok(()),
            Err(error) => {
                // SAFETY: it was not put, and is not read again.
                let item = unsafe { item_of(&self.entry) };
                Err(Rejected { item, error })
            }
        }
    }

    fn undone(&self, status: c_int) {
        if status >= 0 {
            // It is in the queue, and stays there.
            self.is_own.set(false);
        }
    }
}

impl<T, const N: usize> Drop for Put<'_, '_, T, N> {
    fn drop(&mut self) {
        if self.is_own.get() {
            // SAFETY: it was neither put nor given back.
            unsafe { self.entry.get_mut().assume_init_drop() };
        }
    }
}

/// What [`Queue::get`] waits for.
pub struct Get<'q, 'h, T, const N: usize> {
    queue: Pin<&'q Queue<'h, T, N>>,
    entry: Room<T>,
}

// SAFETY: the queue is pinned; when it is dropped it ends the waits that are left. The room for the
// entry stays where it is as long as `self`, and is written only when the wait is finished.
unsafe impl<T, const N: usize> Start for Get<'_, '_, T, N> {
    type Output = Result<T>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let (queue, entry) = (self.queue.address(), self.queue.part(&self.entry));
        // SAFETY: passed on.
        unsafe { pirn_queue_get_start(queue, waiter, entry, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<T> {
        result(status as isize)?;
        // SAFETY: written, and not read again.
        Ok(unsafe { item_of(&self.entry) })
    }
}

/// What [`Queue::join`] waits for.
pub struct Join<'q, 'h, T, const N: usize> {
    queue: Pin<&'q Queue<'h, T, N>>,
}

// SAFETY: the queue is pinned; when it is dropped it ends the waits that are left.
unsafe impl<T, const N: usize> Start for Join<'_, '_, T, N> {
    type Output = Result<()>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        // SAFETY: passed on.
        unsafe { pirn_queue_join_start(self.queue.address(), waiter, timeout_ns) }
    }

    fn finish(&self, status: c_int) -> Result<()> {
        done(status)
    }
}
