#![expect(unsafe_code, reason = "memory lent by the caller is cut into tables")]
//! The tables of a loop: the layout of a block, and its division into tables.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::{AREA_BASE_WORDS, AREA_MOST_WORDS, AREA_PER_IO, Capacity};
use crate::remote::Entry;
use crate::room::{FilledWithOnes, Room, filled};
use crate::slab::NONE;
use crate::tasks;
use crate::timers::{MAX_TIMERS, TimerDetails, TimerSlot, TimerTable};
use crate::watchers::Watcher;

/// The largest alignment of any part: that of a `u64`, on every machine.
pub(super) const ALIGNMENT: usize = 8;

/// Computes the layout of a block, before any part of it is written.
struct LayoutCursor {
    /// The number of bytes used so far, from the start of the block, which is aligned to
    /// `ALIGNMENT`. It cannot overflow, because capacities are 32-bit numbers.
    end: u64,
}

/// A part of a block that holds `count` values of type `T`, at an aligned offset.
struct Region<T> {
    offset: usize,
    count: usize,
    element: PhantomData<T>,
}

impl LayoutCursor {
    /// Returns the next region. It may be used only if the complete layout fits into the block.
    fn region<T>(&mut self, count: u32) -> Region<T> {
        const { assert!(align_of::<T>() <= ALIGNMENT) };
        let alignment = align_of::<T>() as u64;
        let offset = (self.end + alignment - 1) & !(alignment - 1);
        self.end = offset + u64::from(count) * size_of::<T>() as u64;
        Region {
            offset: offset as usize,
            count: count as usize,
            element: PhantomData,
        }
    }
}

impl LayoutCursor {
    /// Returns the region of the backend's area for `io` watchers.
    #[inline(always)]
    fn area_region(&mut self, io: u32) -> Region<MaybeUninit<u64>> {
        let base = self.region(AREA_BASE_WORDS as u32);
        let words = (u64::from(io) * AREA_PER_IO as u64).div_ceil(size_of::<u64>() as u64);
        self.end += words * size_of::<u64>() as u64;
        Region {
            count: base.count + words as usize,
            ..base
        }
    }
}

// SAFETY: integers, a pointer, and a `NonNull`, which is not null.
unsafe impl FilledWithOnes for Watcher {}
// SAFETY: integers.
unsafe impl FilledWithOnes for TimerSlot {}
// SAFETY: an integer, a pointer, and a `NonNull`, which is not null.
unsafe impl FilledWithOnes for TimerDetails {}
// SAFETY: a `Callback`, which is a pointer and a `NonNull` that is not null.
unsafe impl FilledWithOnes for tasks::Slot {}
// SAFETY: two pointers. (Under loom, whose atomics are more, no loop is made.)
unsafe impl FilledWithOnes for Entry {}

const _: () = assert!(NONE == u32::MAX);

impl<T> Region<T> {
    /// Returns the address of the region in a block.
    #[cfg(feature = "ffi")]
    fn slice_at(&self, block: *const u8) -> *const [T] {
        core::ptr::slice_from_raw_parts(block.wrapping_add(self.offset).cast(), self.count)
    }
}

impl<T> Region<T> {
    /// The same memory, which need not be filled.
    fn uninit(self) -> Region<MaybeUninit<T>> {
        Region {
            offset: self.offset,
            count: self.count,
            element: PhantomData,
        }
    }
}

impl<T: FilledWithOnes> Region<T> {
    /// Returns the region as a slice.
    ///
    /// # Safety
    ///
    /// The block is aligned to `ALIGNMENT`, at least as long as the layout that the region belongs
    /// to, and filled with ones. It is lent for 'a, and used only through the regions of that
    /// layout.
    unsafe fn take_slice<'a>(self, block: *mut u8) -> &'a mut [T] {
        let first = block.wrapping_add(self.offset).cast::<T>();
        // SAFETY: inside the block, because the whole layout is; aligned, because the block and the
        // offset are. The regions of a layout do not overlap, the bytes are lent for 'a as the
        // caller promises, and they are a valid value by `FilledWithOnes`.
        unsafe { core::slice::from_raw_parts_mut(first, self.count) }
    }
}

/// The offset of each table from the aligned start of the block. It depends only on the capacities.
struct Layout {
    watchers: Region<Watcher>,
    timers: Region<TimerSlot>,
    timer_details: Region<TimerDetails>,
    tasks: Region<tasks::Slot>,
    mailbox: Region<Entry>,
    buckets: Region<u32>,
    area: Region<MaybeUninit<u64>>,
    end: u64,
}

impl Layout {
    /// Returns `None` for more timers than an index can count: it has two bytes on small machines.
    #[inline(always)]
    fn new(capacity: Capacity) -> Option<Self> {
        if capacity.timers > MAX_TIMERS {
            return None;
        }
        let Capacity { io, timers, tasks } = capacity;
        let mut cursor = LayoutCursor { end: 0 };
        Some(Layout {
            watchers: cursor.region(io),
            timers: cursor.region(timers),
            timer_details: cursor.region(timers),
            tasks: cursor.region(tasks),
            mailbox: cursor.region(capacity.remote()),
            buckets: cursor.region(io),
            area: cursor.area_region(io),
            end: cursor.end,
        })
    }
}

/// The parts whose size depends on the capacities. All of them can be moved to another block while
/// the loop is live.
pub(crate) struct Tables<'a> {
    pub(crate) watchers: Room<'a, Watcher>,
    pub(crate) timers: TimerTable<'a>,
    pub(crate) tasks: Room<'a, tasks::Slot>,
    pub(crate) mailbox: &'a [Entry],
    pub(crate) buckets: Room<'a, u32>,
    /// The memory of the backend.
    pub(crate) area: &'a mut [MaybeUninit<u64>],
}

impl<'a> Tables<'a> {
    /// Divides a block into tables. `None` if the block is too small.
    ///
    /// # Safety
    ///
    /// The `size` bytes from `memory` are writable and lent for 'a to the result alone.
    #[inline(always)]
    pub(crate) unsafe fn divide(memory: *mut u8, size: usize, capacity: Capacity) -> Option<Self> {
        let skipped = skipped(memory);
        let (block, size) = (memory.wrapping_add(skipped), size.saturating_sub(skipped));
        let layout = Layout::new(capacity)?;
        if layout.end > size as u64 {
            return None;
        }
        let mut area = layout.area;
        // The backend gets the rest of the block.
        let room = (size - area.offset) / size_of::<u64>();
        area.count = room.min(area.count.max(AREA_MOST_WORDS));

        // What is not filled here is filled when it is used for the first time.
        let filled_from = layout.mailbox.offset / size_of::<u64>();
        let words = layout.buckets.offset.div_ceil(size_of::<u64>()) - filled_from;
        let first = block.wrapping_add(filled_from * size_of::<u64>());
        // SAFETY: aligned above, writable, as the caller promises, and no more than `size`, for the
        // area follows the buckets.
        let memory = unsafe { core::slice::from_raw_parts_mut(first.cast(), words) };
        let _ = filled(memory);
        Some(Tables {
            // SAFETY: the block was aligned above, the layout fits into it, also with the enlarged
            // area, and the caller promises the rest. All that needs to be was filled: that is
            // the mailbox. The same holds for all that follow.
            watchers: Room::new(unsafe { layout.watchers.uninit().take_slice(block) }),
            timers: TimerTable {
                // SAFETY: as above.
                slots: Room::new(unsafe { layout.timers.uninit().take_slice(block) }),
                // SAFETY: as above.
                details: Room::new(unsafe { layout.timer_details.uninit().take_slice(block) }),
            },
            // SAFETY: as above.
            tasks: Room::new(unsafe { layout.tasks.uninit().take_slice(block) }),
            // SAFETY: as above.
            mailbox: unsafe { layout.mailbox.take_slice(block) },
            // SAFETY: as above.
            buckets: Room::new(unsafe { layout.buckets.uninit().take_slice(block) }),
            // SAFETY: as above.
            area: unsafe { area.take_slice(block) },
        })
    }
}

/// Returns the number of bytes before the first aligned address of a block.
pub(super) fn skipped(memory: *const u8) -> usize {
    memory.addr().wrapping_neg() % ALIGNMENT
}

/// The addresses of a loop's parts. `verify` compares those stored in the loop with computed ones,
/// before it uses any of them.
#[cfg(feature = "ffi")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartAddresses {
    pub(crate) shared: *const (),
    pub(crate) watchers: *const [Watcher],
    pub(crate) buckets: *const [u32],
    pub(crate) timers: (*const [TimerSlot], *const [TimerDetails]),
    pub(crate) tasks: *const [tasks::Slot],
}

/// Computes the addresses of the parts and of the mailbox of a loop, from the address of its shared
/// part and that of its tables. `None` if no loop can have these capacities.
#[cfg(feature = "ffi")]
pub(crate) fn part_addresses(
    memory: *const u8,
    tables: *const u8,
    capacity: Capacity,
) -> Option<(PartAddresses, *const [Entry])> {
    let layout = Layout::new(capacity)?;
    let tables = tables.wrapping_add(skipped(tables));
    let addresses = PartAddresses {
        shared: memory.wrapping_add(skipped(memory)).cast(),
        watchers: layout.watchers.slice_at(tables),
        buckets: layout.buckets.slice_at(tables),
        timers: (
            layout.timers.slice_at(tables),
            layout.timer_details.slice_at(tables),
        ),
        tasks: layout.tasks.slice_at(tables),
    };
    Some((addresses, layout.mailbox.slice_at(tables)))
}
