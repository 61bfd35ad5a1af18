#![expect(unsafe_code, reason = "items are linked through themselves")]
//! Items that are linked, and not copied.

use core::ffi::c_void;
use core::ptr::null_mut;

use super::{Functions, PIRN_QUEUE_FIFO, PIRN_QUEUE_LIFO, Storage, pirn_link};

static FIFO: Functions = Functions {
    put: |items, item| {
        let link = item.cast_mut();
        // SAFETY: begins with a link, as the caller promises.
        unsafe { link_of(link) }.next.set(null_mut());
        // SAFETY: NULL, or an item that is in the queue, and hence still there.
        match unsafe { items.other.get().cast::<pirn_link>().as_ref() } {
            Some(last) => last.next.set(link.cast()),
            None => items.first.set(link),
        }
        items.other.set(link);
    },
    take: |items, item| {
        // SAFETY: passed on.
        unsafe { take_first(items, item) };
        if items.first.get().is_null() {
            items.other.set(null_mut());
        }
    },
};

static LIFO: Functions = Functions {
    put: |items, item| {
        // SAFETY: begins with a link, as the caller promises.
        unsafe { link_of(item) }.next.set(items.first.get().cast());
        items.first.set(item.cast_mut());
    },
    take: take_first,
};

/// # Safety
///
/// An item, which begins with a link.
unsafe fn link_of<'a>(item: *const c_void) -> &'a pirn_link {
    // SAFETY: the caller promises it.
    unsafe { &*item.cast::<pirn_link>() }
}

/// Takes the first item out.
///
/// # Safety
///
/// There is one, and room for its address.
unsafe fn take_first(items: &Storage, item: *mut c_void) {
    let first = items.first.get();
    // SAFETY: an item that is in the queue, and hence still there.
    items.first.set(unsafe { link_of(first) }.next.get().cast());
    // SAFETY: the caller promises it.
    unsafe { item.cast::<*mut c_void>().write_unaligned(first) };
}

impl Storage {
    /// No items, which will be linked. `None`: there is no such order.
    pub(crate) fn linked(order: u32) -> Option<Storage> {
        let functions = match order {
            PIRN_QUEUE_FIFO => &FIFO,
            PIRN_QUEUE_LIFO => &LIFO,
            _ => return None,
        };
        Some(Storage::with(functions, null_mut(), 0, u32::MAX))
    }
}
