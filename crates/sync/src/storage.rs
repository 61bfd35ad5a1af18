#![expect(
    unsafe_code,
    reason = "items are bytes in memory that the caller provides"
)]
//! The items of a queue: in an array of the caller's, in one of three orders, or linked through
//! themselves.

mod heap;
mod linked;

#[cfg(not(loom))]
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

// Checks that what other threads have written is seen.
#[cfg(loom)]
use loom::cell::Cell;

/// The order of a queue: the item that was put first is got first.
pub const PIRN_QUEUE_FIFO: u32 = 0u32;
/// The order of a queue: the item that was put last is got first.
pub const PIRN_QUEUE_LIFO: u32 = 1u32;

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
    // Linked: the last item. In an order by `before`: that function.
    other: Cell<*mut c_void>,
    // How an item is put and taken: see `Functions`.
    functions: *const c_void,
    // 0: they are linked.
    item_size: u32,
    capacity: u32,
    // For a FIFO: the place of the first item.
    head: Cell<u32>,
    count: Cell<u32>,
    // How many items there may be: the capacity, or 0 if none can be put any more.
    limit: Cell<u32>,
    // 1 if items are as long as a pointer, in an array, and the first one is got first.
    is_plain: u32,
}

type Storage = pirn_items;

/// How an item is put and taken. A queue reaches the code of its order only through these: a
/// program contains that of the orders that it uses.
struct Functions {
    /// Adds an item, which is counted already.
    put: unsafe fn(&Storage, *const c_void),
    /// Takes the first item, which is not counted any more.
    take: unsafe fn(&Storage, *mut c_void),
}

static FIFO: Functions = Functions {
    // SAFETY: the place is in the array and free, and the item outside, as the caller promises.
    put: |items, item| unsafe { items.copy_in(items.nth(items.count() - 1), item) },
    // SAFETY: the place has an item, and the room is outside, as the caller promises.
    take: |items, item| unsafe { items.copy_out(items.advance(), item) },
};

static LIFO: Functions = Functions {
    // SAFETY: as for a FIFO.
    put: |items, item| unsafe { items.copy_in(items.count() - 1, item) },
    // SAFETY: as for a FIFO.
    take: |items, item| unsafe { items.copy_out(items.count(), item) },
};

/// An item of a queue that `is_plain`: any bytes, also a pointer or padding.
type Word = MaybeUninit<*mut c_void>;

impl Storage {
    /// No items, in an array. `None`: the array has no room for one, or there is no such order.
    pub(crate) fn new(
        array: *mut c_void,
        size: usize,
        item_size: u32,
        order: u32,
    ) -> Option<Storage> {
        // The order comes last: so the code that checks the array is there once.
        let mut items = Storage::in_array(&FIFO, array, size, item_size)?;
        match order {
            PIRN_QUEUE_FIFO => items.is_plain = u32::from(item_size as usize == size_of::<Word>()),
            PIRN_QUEUE_LIFO => items.functions = (&raw const LIFO).cast(),
            _ => return None,
        }
        Some(items)
    }

    fn in_array(
        functions: &'static Functions,
        array: *mut c_void,
        size: usize,
        item_size: u32,
    ) -> Option<Storage> {
        let room = (size as u64).checked_div(u64::from(item_size))?;
        let capacity = room.min(1 << 30) as u32;
        (!array.is_null() && capacity != 0)
            .then(|| Storage::with(functions, array, item_size, capacity))
    }

    fn with(
        functions: &'static Functions,
        first: *mut c_void,
        item_size: u32,
        capacity: u32,
    ) -> Storage {
        Storage {
            first: Cell::new(first),
            other: Cell::new(null_mut()),
            functions: (&raw const *functions).cast(),
            item_size,
            capacity,
            head: Cell::new(0),
            count: Cell::new(0),
            limit: Cell::new(capacity),
            is_plain: 0,
        }
    }

    fn functions(&self) -> &'static Functions {
        // SAFETY: set by `with`.
        unsafe { &*self.functions.cast() }
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.item_size == 0
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

    /// Removes all items of an array.
    pub(crate) fn clear(&self) {
        self.count.set(0);
        self.head.set(0);
    }

    /// Adds an item. There must be room.
    ///
    /// # Safety
    ///
    /// `item` is an item outside of the array and as long as those in it, or one that begins with a
    /// link and stays.
    #[inline]
    pub(crate) unsafe fn put(&self, item: *const c_void) {
        if self.is_plain() {
            // SAFETY: passed on.
            unsafe { self.put_word(item) }
        } else {
            self.count.set(self.count.get() + 1);
            // SAFETY: passed on.
            unsafe { (self.functions().put)(self, item) }
        }
    }

    /// Takes the first item out. There must be one.
    ///
    /// # Safety
    ///
    /// `item` has room, outside of the array, for an item of it, or for the address of one that is
    /// linked.
    #[inline]
    pub(crate) unsafe fn take(&self, item: *mut c_void) {
        if self.is_plain() {
            // SAFETY: passed on.
            unsafe { self.take_word(item) }
        } else {
            self.count.set(self.count.get() - 1);
            // SAFETY: passed on.
            unsafe { (self.functions().take)(self, item) }
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

    /// Copies an item to a place.
    ///
    /// # Safety
    ///
    /// The place is free, and the item outside of the array.
    unsafe fn copy_in(&self, at: u32, item: *const c_void) {
        let size = self.item_size as usize;
        // SAFETY: as the caller promises.
        unsafe { self.place(at).copy_from_nonoverlapping(item.cast(), size) };
    }

    /// Copies the item of a place out.
    ///
    /// # Safety
    ///
    /// The place has an item, and there is room for it outside of the array.
    unsafe fn copy_out(&self, at: u32, item: *mut c_void) {
        let size = self.item_size as usize;
        // SAFETY: as the caller promises.
        unsafe { self.place(at).copy_to_nonoverlapping(item.cast(), size) };
    }
}
