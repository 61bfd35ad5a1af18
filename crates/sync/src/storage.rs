#![expect(
    unsafe_code,
    reason = "items are bytes in memory that the caller provides"
)]
//! The items of a queue: in an array of the caller's, in one of three orders, or linked through
//! themselves.

#[cfg(not(loom))]
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{null_mut, swap_nonoverlapping};

// Checks that what other threads have written is seen.
#[cfg(loom)]
use loom::cell::Cell;

/// The order of a queue: the item that was put first is got first.
pub const PIRN_QUEUE_FIFO: u32 = 0u32;
/// The order of a queue: the item that was put last is got first.
pub const PIRN_QUEUE_LIFO: u32 = 1u32;
/// The order of a queue: the item before which no other belongs is got first. Equal items are got
/// in any order. To put or get one costs O(log n) comparisons and swaps.
pub const PIRN_QUEUE_PRIORITY: u32 = 2u32;
/// Option, with `PIRN_QUEUE_FIFO` or `PIRN_QUEUE_LIFO`: items are linked, and not copied. There is
/// no array and no bound. An item is a struct of yours that begins with a `struct pirn_link`.
pub const PIRN_QUEUE_LINKED: u32 = 1u32 << 4;

/// True (not 0) if the item at `a` is to be got before the item at `b`. Must not call the library.
pub type pirn_queue_before_fn =
    Option<unsafe extern "C" fn(a: *const c_void, b: *const c_void) -> c_int>;

/// The beginning of an item of a linked queue. The queue uses it while the item is in the queue.
#[repr(C)]
pub struct pirn_link {
    pub(crate) next: Cell<*mut pirn_link>,
}

/// The items of a queue. Opaque.
#[repr(C)]
pub struct pirn_items {
    // The array, or the first linked item.
    first: Cell<*mut c_void>,
    // The last linked item.
    last: Cell<*mut pirn_link>,
    before: pirn_queue_before_fn,
    item_size: u32,
    capacity: u32,
    // For a FIFO: the place of the first item.
    head: Cell<u32>,
    count: Cell<u32>,
    // How many items there may be: the capacity, or 0 if none can be put any more.
    limit: Cell<u32>,
    order: u16,
    // 1 if items are as long as a pointer, in an array, and the first one is got first.
    is_plain: u16,
}

type Storage = pirn_items;

/// An item of a queue that `is_plain`: any bytes, also a pointer or padding.
type Word = MaybeUninit<*mut c_void>;

impl Storage {
    /// No items, in an array or linked. `None`: the arguments contradict each other.
    pub(crate) fn new(
        array: *mut c_void,
        size: usize,
        item_size: u32,
        order: u32,
        before: pirn_queue_before_fn,
    ) -> Option<Storage> {
        let is_linked = order & PIRN_QUEUE_LINKED != 0;
        let has_order = (order & !PIRN_QUEUE_LINKED) <= PIRN_QUEUE_PRIORITY;
        let is_priority = order & !PIRN_QUEUE_LINKED == PIRN_QUEUE_PRIORITY;
        let capacity = if is_linked {
            let is_alone = array.is_null() && size == 0 && item_size == 0 && !is_priority;
            is_alone.then_some(u32::MAX)?
        } else {
            let capacity = (size as u64).checked_div(u64::from(item_size))?;
            (!array.is_null() && capacity != 0).then_some(capacity.min(1 << 30) as u32)?
        };
        (has_order && is_priority == before.is_some()).then_some(Storage {
            first: Cell::new(array),
            last: Cell::new(null_mut()),
            before,
            item_size,
            capacity,
            head: Cell::new(0),
            count: Cell::new(0),
            limit: Cell::new(capacity),
            order: order as u16,
            is_plain: u16::from(
                order == PIRN_QUEUE_FIFO && item_size as usize == size_of::<Word>(),
            ),
        })
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.order() & PIRN_QUEUE_LINKED != 0
    }

    fn order(&self) -> u32 {
        u32::from(self.order)
    }

    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.count.get()
    }

    /// True if no item can be put, because there is no room or `shut` was called.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.count.get() >= self.limit.get()
    }

    /// From now on the items are full.
    pub(crate) fn shut(&self) {
        self.limit.set(0);
    }

    /// True if `put_word` and `take_word` can be used, which spare an item of a queue a third of
    /// the instructions.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain != 0
    }

    /// Adds an item to items that are plain. There must be room.
    ///
    /// # Safety
    ///
    /// As for `put`.
    #[inline]
    pub(crate) unsafe fn put_word(&self, item: *const c_void) {
        let count = self.count.get();
        self.count.set(count + 1);
        let place = self.place_of_word(self.nth(count));
        // SAFETY: the item is as long as a word, as the caller promises; it may have any alignment.
        let word = unsafe { item.cast::<Word>().read_unaligned() };
        // SAFETY: the place is in the array and free.
        unsafe { place.write_unaligned(word) };
    }

    /// Takes the first item of items that are plain. There must be one.
    ///
    /// # Safety
    ///
    /// As for `take`.
    #[inline]
    pub(crate) unsafe fn take_word(&self, item: *mut c_void) {
        self.count.set(self.count.get() - 1);
        let place = self.place_of_word(self.advance());
        // SAFETY: the place is in the array and holds an item, which may have any alignment.
        let word = unsafe { place.read_unaligned() };
        // SAFETY: room for an item, as the caller promises.
        unsafe { item.cast::<Word>().write_unaligned(word) };
    }

    /// The address of a place below the capacity.
    #[inline]
    fn place_of_word(&self, at: u32) -> *mut Word {
        self.first.get().cast::<Word>().wrapping_add(at as usize)
    }

    /// Removes all items.
    pub(crate) fn clear(&self) {
        self.count.set(0);
        self.head.set(0);
        if self.is_linked() {
            self.first.set(null_mut());
            self.last.set(null_mut());
        }
    }

    /// Adds an item. There must be room.
    ///
    /// # Safety
    ///
    /// `item` is an item as long as those of the array, or one that begins with a link and stays.
    #[inline]
    pub(crate) unsafe fn put(&self, item: *const c_void) {
        if self.is_plain() {
            // SAFETY: passed on.
            unsafe { self.put_word(item) }
        } else {
            // SAFETY: passed on.
            unsafe { self.put_any(item) }
        }
    }

    /// `put` for items that are not plain.
    #[inline(never)]
    unsafe fn put_any(&self, item: *const c_void) {
        let count = self.count.get();
        self.count.set(count + 1);
        if self.is_linked() {
            // SAFETY: begins with a link, as the caller promises.
            unsafe { self.link(item.cast_mut().cast()) };
            return;
        }
        let at = if self.order() == PIRN_QUEUE_FIFO {
            self.nth(count)
        } else {
            count
        };
        // SAFETY: the place is in the array and free; the item is as long as one, and outside.
        unsafe {
            self.place(at)
                .copy_from(item.cast(), self.item_size as usize)
        };
        if self.order() == PIRN_QUEUE_PRIORITY {
            self.rise(at);
        }
    }

    /// Takes the first item out. There must be one.
    ///
    /// # Safety
    ///
    /// `item` has room for an item of the array, or for the address of one that is linked.
    #[inline]
    pub(crate) unsafe fn take(&self, item: *mut c_void) {
        if self.is_plain() {
            // SAFETY: passed on.
            unsafe { self.take_word(item) }
        } else {
            // SAFETY: passed on.
            unsafe { self.take_any(item) }
        }
    }

    /// `take` for items that are not plain.
    #[inline(never)]
    unsafe fn take_any(&self, item: *mut c_void) {
        let last = self.count.get() - 1;
        self.count.set(last);
        if self.is_linked() {
            let first = self.unlink();
            // SAFETY: room for an address, as the caller promises.
            unsafe { item.cast::<*mut c_void>().write_unaligned(first.cast()) };
            return;
        }
        let at = match self.order() {
            PIRN_QUEUE_FIFO => self.advance(),
            PIRN_QUEUE_LIFO => last,
            _ => 0,
        };
        // SAFETY: room for an item outside of the array; the place holds one.
        unsafe {
            self.place(at)
                .copy_to(item.cast::<u8>(), self.item_size as usize)
        };
        if self.order() == PIRN_QUEUE_PRIORITY && last != 0 {
            self.swap(0, last);
            self.sink(last);
        }
    }

    // ---- the array ----

    /// The place of item `n` of a FIFO, counted from 0; with the count of items, the next free
    /// place.
    #[inline]
    fn nth(&self, n: u32) -> u32 {
        let at = self.head.get() + n;
        if at >= self.capacity {
            at - self.capacity
        } else {
            at
        }
    }

    /// The place of the first item of a FIFO, which is the one behind it from now on.
    #[inline]
    fn advance(&self) -> u32 {
        let first = self.head.get();
        let second = first + 1;
        self.head
            .set(if second == self.capacity { 0 } else { second });
        first
    }

    /// The address of a place below the capacity.
    fn place(&self, at: u32) -> *mut u8 {
        let offset = at as usize * self.item_size as usize;
        self.first.get().cast::<u8>().wrapping_add(offset)
    }

    fn swap(&self, a: u32, b: u32) {
        // SAFETY: two different places of the array, each as long as an item.
        unsafe { swap_nonoverlapping(self.place(a), self.place(b), self.item_size as usize) };
    }

    fn is_before(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.place(a), self.place(b));
        self.before
            // SAFETY: called as documented, with two items.
            .is_some_and(|before| unsafe { before(a.cast(), b.cast()) } != 0)
    }

    /// Moves the item at `at` up the heap, in which each item comes before the two below it.
    fn rise(&self, mut at: u32) {
        while at != 0 {
            let above = (at - 1) / 2;
            if !self.is_before(at, above) {
                return;
            }
            self.swap(at, above);
            at = above;
        }
    }

    /// Moves the first of `count` items down the heap.
    fn sink(&self, count: u32) {
        let mut at = 0;
        loop {
            let mut best = at;
            for below in [2 * at + 1, 2 * at + 2] {
                if below < count && self.is_before(below, best) {
                    best = below;
                }
            }
            if best == at {
                return;
            }
            self.swap(at, best);
            at = best;
        }
    }

    // ---- the links ----

    /// # Safety
    ///
    /// `link` is one.
    unsafe fn link(&self, link: *mut pirn_link) {
        let is_lifo = self.order() & !PIRN_QUEUE_LINKED == PIRN_QUEUE_LIFO;
        let next = if is_lifo {
            self.first.get()
        } else {
            null_mut()
        };
        // SAFETY: the caller promises it.
        unsafe { &*link }.next.set(next.cast());
        // SAFETY: NULL, or an item that is in the queue, and hence still there.
        match unsafe { self.last.get().as_ref() } {
            Some(last) if !is_lifo => last.next.set(link),
            _ => self.first.set(link.cast()),
        }
        if !is_lifo {
            self.last.set(link);
        }
    }

    fn unlink(&self) -> *mut pirn_link {
        let first = self.first.get().cast::<pirn_link>();
        // SAFETY: NULL, or an item that is in the queue, and hence still there.
        let next = unsafe { first.as_ref() }.map_or(null_mut(), |first| first.next.get());
        self.first.set(next.cast());
        if next.is_null() {
            self.last.set(null_mut());
        }
        first
    }
}
