#![expect(
    unsafe_code,
    reason = "memory lent by the caller is made valid piece by piece"
)]
//! Room in lent memory for a number of values, of which the first are valid.
//!
//! The memory behind them is neither read nor written: a block for a million watchers costs no more
//! pages than the watchers that were ever used.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// Types for which a value with all bits set is valid: memory that is filled with 0xFF holds valid
/// values.
///
/// # Safety
///
/// All bits set is a valid value, and there is nothing to drop.
pub(crate) unsafe trait FilledWithOnes {}

// SAFETY: an integer.
unsafe impl FilledWithOnes for u32 {}
// SAFETY: an integer.
unsafe impl FilledWithOnes for u64 {}
// SAFETY: an integer.
unsafe impl FilledWithOnes for usize {}
// SAFETY: need not be valid at all.
unsafe impl<T> FilledWithOnes for MaybeUninit<T> {}

/// Room for values, as a slice of those that are valid: at most 2^32 - 1, as all that is counted in
/// a loop.
pub(crate) struct Room<'a, T> {
    first: NonNull<T>,
    valid: u32,
    capacity: u32,
    lent: PhantomData<&'a mut [T]>,
}

/// As many of the places as a room can count.
fn count_of(places: usize) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

impl<'a, T> Room<'a, T> {
    /// Makes empty room of memory.
    pub(crate) fn new(memory: &'a mut [MaybeUninit<T>]) -> Self {
        Room {
            capacity: count_of(memory.len()),
            first: NonNull::from(memory).cast(),
            valid: 0,
            lent: PhantomData,
        }
    }

    /// How many values there can be.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Lets there be no more than `most` values. Before the first is made.
    pub(crate) fn limit(&mut self, most: usize) {
        self.capacity = self.capacity.min(count_of(most));
    }

    /// Where the values are, those that are not valid yet included. Of a room that something has
    /// written into, a place that is no room's.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [T] {
        let count = self.capacity.max(self.valid);
        core::ptr::slice_from_raw_parts(self.first.as_ptr(), count as usize)
    }
}

impl<T: FilledWithOnes> Room<'_, T> {
    /// Makes one more value valid, with all bits set. `None` if there is no room.
    #[inline(always)]
    pub(crate) fn grow(&mut self) -> Option<&mut T> {
        if self.valid == self.capacity {
            return None;
        }
        // SAFETY: inside the memory of `new`, since it is below the capacity.
        let place = unsafe { self.first.add(self.valid as usize) };
        // SAFETY: writable and lent for 'a, as `new` was given it by a mutable reference.
        unsafe { place.write_bytes(u8::MAX, 1) };
        self.valid += 1;
        self.last_mut()
    }

    /// Makes values valid until there are `count`, as far as there is room.
    pub(crate) fn grow_to(&mut self, count: usize) {
        while (self.valid as usize) < count && self.grow().is_some() {}
    }
}

impl<T> Deref for Room<'_, T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the first `valid` values of the memory of `new`, which is lent for 'a to this
        // room alone, were made valid by `grow`; the borrow is that of the room.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), self.valid as usize) }
    }
}

impl<T> DerefMut for Room<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the room is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.first.as_ptr(), self.valid as usize) }
    }
}

/// Room in a slice, whose values are valid already: they are made so again, one by one.
impl<'a, T> From<&'a mut [T]> for Room<'a, T> {
    fn from(slice: &'a mut [T]) -> Self {
        Room {
            capacity: count_of(slice.len()),
            first: NonNull::from(slice).cast(),
            valid: 0,
            lent: PhantomData,
        }
    }
}

/// Makes memory valid, all of it: with ones.
///
/// A loop that the compiler does not recognise: it would call `memset` through a table of
/// addresses, and a program without a C library has such a table for nothing else.
pub(crate) fn filled(memory: &mut [MaybeUninit<u64>]) -> &mut [u64] {
    let ones = core::hint::black_box(u64::MAX);
    for word in memory.iter_mut() {
        word.write(ones);
    }
    // SAFETY: all words were written; `MaybeUninit<u64>` is as large and as aligned as `u64`; the
    // borrow is passed on.
    unsafe { &mut *(core::ptr::from_mut(memory) as *mut [u64]) }
}
