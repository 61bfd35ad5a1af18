#![expect(unsafe_code, reason = "memory lent by the caller is cut into tables")]
//! The tables of a loop: where in a block each of them is, and how they come to be there.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::{AREA_BASE_WORDS, AREA_MOST_WORDS, AREA_PER_IO, Capacity};
use crate::remote::Entry;
use crate::slab::NONE;
use crate::tasks;
use crate::timers::{MAX_TIMERS, TimerSlot};
use crate::watchers::Watcher;

/// What no part is aligned to more than: that of a `u64`, on every machine.
pub(super) const ALIGNMENT: usize = 8;

/// Where the parts of a block will be, said before any of them is written.
struct Plan {
    /// Bytes that are taken, from the start of the block, which is aligned to `ALIGNMENT`. No
    /// number of parts that a capacity can name comes near the end of the range.
    end: u64,
}

/// A place for `count` of `T`, at an offset that suits them.
struct Place<T> {
    offset: usize,
    count: usize,
    of: PhantomData<T>,
}

impl Plan {
    /// The next place, to be used only if the plan turns out to be no longer than the block.
    fn place<T>(&mut self, count: u32) -> Place<T> {
        const { assert!(align_of::<T>() <= ALIGNMENT) };
        let alignment = align_of::<T>() as u64;
        let offset = (self.end + alignment - 1) & !(alignment - 1);
        self.end = offset + u64::from(count) * size_of::<T>() as u64;
        Place {
            offset: offset as usize,
            count: count as usize,
            of: PhantomData,
        }
    }
}

impl Plan {
    /// The backend's area for so many watchers.
    fn place_area(&mut self, io: u32) -> Place<u64> {
        let base = self.place(AREA_BASE_WORDS as u32);
        let words = (u64::from(io) * AREA_PER_IO as u64).div_ceil(size_of::<u64>() as u64);
        self.end += words * size_of::<u64>() as u64;
        Place {
            count: base.count + words as usize,
            ..base
        }
    }
}

/// What a block may be taken for that was filled with ones, so that one call makes all parts valid.
///
/// # Safety
///
/// All bits set is a valid value, and there is nothing to drop.
unsafe trait Blank {}

// SAFETY: integers, a pointer, and a `NonNull`, which is not null.
unsafe impl Blank for Watcher {}
// SAFETY: as above.
unsafe impl Blank for TimerSlot {}
// SAFETY: a `Callback`, which is a pointer and a `NonNull` that is not null.
unsafe impl Blank for tasks::Slot {}
// SAFETY: two pointers. (Under loom, whose atomics are more, no loop is made.)
unsafe impl Blank for Entry {}
// SAFETY: an integer. `NONE` is this value.
unsafe impl Blank for u32 {}
// SAFETY: an integer.
unsafe impl Blank for u64 {}
// SAFETY: need not be valid at all.
unsafe impl<T> Blank for MaybeUninit<T> {}

const _: () = assert!(NONE == u32::MAX);

impl<T> Place<T> {
    /// Where it is in a block.
    #[cfg(feature = "ffi")]
    fn at(&self, block: *const u8) -> *const [T] {
        core::ptr::slice_from_raw_parts(block.wrapping_add(self.offset).cast(), self.count)
    }
}

impl<T: Blank> Place<T> {
    /// What stands there.
    ///
    /// # Safety
    ///
    /// The block is aligned to `ALIGNMENT`, at least as long as the place's plan, filled with ones,
    /// and for 'a lent to those alone who hold a place of that plan.
    unsafe fn of<'a>(self, block: *mut u8) -> &'a mut [T] {
        let first = block.wrapping_add(self.offset).cast::<T>();
        // SAFETY: inside the block, since the plan is, and aligned, since the block and the offset
        // are; a plan makes no other place of these bytes, they are lent for 'a as the caller
        // promises, and what they hold is valid, as `Blank` says.
        unsafe { core::slice::from_raw_parts_mut(first, self.count) }
    }
}

/// Where each table is, counted from where their block is aligned: a matter of the capacities
/// alone.
struct Layout {
    watchers: Place<Watcher>,
    timers: Place<TimerSlot>,
    tasks: Place<tasks::Slot>,
    mailbox: Place<Entry>,
    buckets: Place<u32>,
    area: Place<u64>,
    end: u64,
}

impl Layout {
    /// `None` on small machines, where an index of a timer has two bytes, for more timers than
    /// that.
    #[inline(always)]
    fn new(capacity: Capacity) -> Option<Self> {
        if capacity.timers > MAX_TIMERS {
            return None;
        }
        let Capacity { io, timers, tasks } = capacity;
        let mut plan = Plan { end: 0 };
        Some(Layout {
            watchers: plan.place(io),
            timers: plan.place(timers),
            tasks: plan.place(tasks),
            mailbox: plan.place(capacity.remote()),
            buckets: plan.place(io),
            area: plan.place_area(io),
            end: plan.end,
        })
    }
}

/// What grows with the capacities. All of it can be moved to another block while the loop lives.
pub(crate) struct Tables<'a> {
    pub(crate) watchers: &'a mut [Watcher],
    pub(crate) timers: &'a mut [TimerSlot],
    pub(crate) tasks: &'a mut [tasks::Slot],
    pub(crate) mailbox: &'a [Entry],
    /// All `NONE`.
    pub(crate) buckets: &'a mut [u32],
    /// The backend's.
    pub(crate) area: &'a mut [u64],
}

impl<'a> Tables<'a> {
    /// Cuts a block into tables. `None` if it is too small.
    ///
    /// # Safety
    ///
    /// The `size` bytes from `memory` are writable and lent for 'a to the result alone.
    pub(crate) unsafe fn cut(memory: *mut u8, size: usize, capacity: Capacity) -> Option<Self> {
        let skipped = skipped(memory);
        let (block, size) = (memory.wrapping_add(skipped), size.saturating_sub(skipped));
        let layout = Layout::new(capacity)?;
        if layout.end > size as u64 {
            return None;
        }
        let mut area = layout.area;
        // All that is left.
        let room = (size - area.offset) / size_of::<u64>();
        area.count = room.min(area.count.max(AREA_MOST_WORDS));

        let words = area.offset / size_of::<u64>() + area.count;
        // SAFETY: aligned above, writable, as the caller promises, and no more than `size`.
        fill_with_ones(unsafe { core::slice::from_raw_parts_mut(block.cast(), words) });
        Some(Tables {
            // SAFETY: the block was aligned and filled above, the plan is no longer than it, with
            // the last place as with all before it, and the rest the caller promises; so in all
            // that follow.
            watchers: unsafe { layout.watchers.of(block) },
            // SAFETY: as above.
            timers: unsafe { layout.timers.of(block) },
            // SAFETY: as above.
            tasks: unsafe { layout.tasks.of(block) },
            // SAFETY: as above.
            mailbox: unsafe { layout.mailbox.of(block) },
            // SAFETY: as above.
            buckets: unsafe { layout.buckets.of(block) },
            // SAFETY: as above.
            area: unsafe { area.of(block) },
        })
    }
}

/// Fills memory with ones.
///
/// A loop that the compiler does not recognise: it would call `memset` through a table of
/// addresses, and a program without a C library has such a table for nothing else.
fn fill_with_ones(memory: &mut [MaybeUninit<u64>]) {
    let ones = core::hint::black_box(u64::MAX);
    for word in memory {
        word.write(ones);
    }
}

/// What must be skipped to align a block.
pub(super) fn skipped(memory: *const u8) -> usize {
    memory.addr().wrapping_neg() % ALIGNMENT
}

/// Where the parts of a loop are, as the loop itself has it: to be compared before any of them is
/// followed.
#[cfg(feature = "ffi")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Places {
    pub(crate) shared: *const (),
    pub(crate) watchers: *const [Watcher],
    pub(crate) buckets: *const [u32],
    pub(crate) timers: *const [TimerSlot],
    pub(crate) tasks: *const [tasks::Slot],
}

/// Where the parts of a loop are whose shared half is in a block like this and whose tables are at
/// `tables`, and its mailbox. `None` if there is no such loop.
#[cfg(feature = "ffi")]
pub(crate) fn places(
    memory: *const u8,
    tables: *const u8,
    capacity: Capacity,
) -> Option<(Places, *const [Entry])> {
    let layout = Layout::new(capacity)?;
    let tables = tables.wrapping_add(skipped(tables));
    let places = Places {
        shared: memory.wrapping_add(skipped(memory)).cast(),
        watchers: layout.watchers.at(tables),
        buckets: layout.buckets.at(tables),
        timers: layout.timers.at(tables),
        tasks: layout.tasks.at(tables),
    };
    Some((places, layout.mailbox.at(tables)))
}
