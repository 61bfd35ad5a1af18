#![expect(
    unsafe_code,
    reason = "items are bytes in memory that the caller provides"
)]
//! Items in an order of the caller's: a heap, in which each item comes before the two below it.

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::swap_nonoverlapping;

use super::{Functions, Storage, pirn_queue_before_fn};

static HEAP: Functions = Functions {
    put: |items, item| {
        let at = items.count() - 1;
        // SAFETY: the place is in the array and free, and the item outside, as the caller promises.
        unsafe { items.copy_in(at, item) };
        items.rise(at);
    },
    take: |items, item| {
        // SAFETY: the place has an item, and the room is outside, as the caller promises.
        unsafe { items.copy_out(0, item) };
        let last = items.count();
        if last != 0 {
            let size = items.item_size as usize;
            // SAFETY: two different places of the array, each as long as an item.
            unsafe {
                items
                    .place(0)
                    .copy_from_nonoverlapping(items.place(last), size)
            };
            items.sink(last);
        }
    },
};

impl Storage {
    /// No items, in an array, in an order. `None`: the array has no room for one, or there is no
    /// order.
    pub(crate) fn ordered(
        array: *mut c_void,
        size: usize,
        item_size: u32,
        before: pirn_queue_before_fn,
    ) -> Option<Storage> {
        let before = before?;
        let items = Storage::in_array(&HEAP, array, size, item_size)?;
        items.other.set(before as *mut c_void);
        Some(items)
    }

    fn is_before(&self, a: u32, b: u32) -> bool {
        // SAFETY: `ordered` has put a function of this type there.
        let before = unsafe { transmute::<*mut c_void, pirn_queue_before_fn>(self.other.get()) };
        let (a, b) = (self.place(a), self.place(b));
        // SAFETY: called as documented, with two items.
        before.is_some_and(|before| unsafe { before(a.cast(), b.cast()) } != 0)
    }

    fn swap(&self, a: u32, b: u32) {
        // SAFETY: two different places of the array, each as long as an item.
        unsafe { swap_nonoverlapping(self.place(a), self.place(b), self.item_size as usize) };
    }

    /// Moves the item at `at` up.
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

    /// Moves the first of `count` items down.
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
}
