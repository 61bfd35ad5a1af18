#![expect(
    unsafe_code,
    reason = "memory lent by the caller is cut into the loop's parts"
)]
//! The memory of a loop: one block, which is divided into its parts once, at init.
//!
//! A C program passes a block of bytes, a Rust program a [`Storage`]. Both contain the same parts.
//! The assertions at the end of this file check that the sizes in `PIRN_STORAGE_SIZE` for C agree
//! with the real ones.

mod tables;

use core::mem::MaybeUninit;

use crate::remote::{Entry, Shared};
use crate::tasks;
use crate::timers::{TimerDetails, TimerSlot};
use crate::wake::Wake;
use crate::watchers::Watcher;

pub(crate) use tables::Tables;
use tables::{ALIGNMENT, skipped};
#[cfg(feature = "ffi")]
pub(crate) use tables::{PartAddresses, part_addresses};

/// The parts of a loop's memory.
pub(crate) struct Parts<'a, W> {
    pub(crate) tables: Tables<'a>,
    pub(crate) shared: &'a Shared<'a, W>,
    pub(crate) block_size: u32,
    /// A hash of the block's address and its epoch, which counts the loops made in it.
    pub(crate) hash: u32,
}

/// How many watchers, timers and tasks a loop can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Capacity {
    /// I/O watchers, including handlers of raised bits and hooks.
    pub io: u32,
    /// Timers.
    pub timers: u32,
    /// Tasks in the loop's own queue. The capacity for posts from other threads is half of this,
    /// rounded up.
    pub tasks: u32,
}

impl Capacity {
    pub(crate) const fn remote(self) -> u32 {
        self.tasks / 2 + self.tasks % 2
    }
}

/// The fixed part of the backend's area, in words: six sets of 1024 fds for select, the kernel's
/// records of 64 events for epoll.
#[cfg(not(host_only))]
pub(crate) const AREA_BASE_WORDS: usize = 6 * 1024 / 64;
/// A host needs room only for ready sources, which is counted with the watchers.
#[cfg(host_only)]
pub(crate) const AREA_BASE_WORDS: usize = 1;

/// The largest area that is of use: six sets of 2^20 fds for select, the number of fds that a
/// process may have open by default. The rest of a larger block is not touched.
const AREA_MOST_WORDS: usize = 6 * (1 << 20) / 64;
/// The backend's area for each watcher in bytes: a record of epoll with 12 bytes, or of poll with
/// 8, or 16 fds in each of select's six sets.
pub(crate) const AREA_PER_IO: usize = 12;

/// Returns a number that differs for each block, and for each loop made in a block.
fn hash(block: *const u8, epoch: u32) -> u32 {
    let block = (block.addr() >> 3) as u32;
    block.wrapping_mul(0x85EB_CA6B) ^ epoch.wrapping_mul(0x9E37_79B1)
}

/// A block of memory that was divided into the parts of a loop.
pub(crate) struct Block<'a, W> {
    shared: &'a mut MaybeUninit<Shared<'a, W>>,
    tables: Tables<'a>,
    block_size: u32,
    hash: u32,
}

impl<'a, W: Wake> Block<'a, W> {
    /// Divides a block, without the part at its front that the caller uses itself. `None` if the
    /// block is too small.
    ///
    /// # Safety
    ///
    /// The `size` bytes from `memory` are writable and lent for 'a to the result alone.
    pub(crate) unsafe fn divide(
        memory: *mut u8,
        size: usize,
        capacity: Capacity,
        epoch: u32,
    ) -> Option<Self> {
        let hash = hash(memory, epoch);
        let (tables, length) = Self::table_memory(memory, size)?;
        // SAFETY: the memory behind the shared part, to the end of the block; the other
        // requirements are passed on.
        let tables = unsafe { Tables::divide(tables, length, capacity)? };
        let shared = memory.wrapping_add(skipped(memory)).cast();
        // SAFETY: aligned to `ALIGNMENT`, which no type here exceeds; in front of the tables; lent
        // for 'a. A `MaybeUninit` may hold any bytes.
        let shared = unsafe { &mut *shared };
        Some(Block {
            shared,
            tables,
            block_size: 0,
            hash,
        })
    }

    /// Returns the address and the size of the memory for the tables, which begins behind the
    /// shared part.
    pub(crate) fn table_memory(memory: *mut u8, size: usize) -> Option<(*mut u8, usize)> {
        const { assert!(align_of::<Shared<'a, W>>() <= ALIGNMENT) };
        let taken = skipped(memory) + size_of::<Shared<'a, W>>().next_multiple_of(ALIGNMENT);
        Some((memory.wrapping_add(taken), size.checked_sub(taken)?))
    }

    /// Returns the backend's area; an empty slice at a second call.
    pub(crate) fn take_area(&mut self) -> &'a mut [MaybeUninit<u64>] {
        core::mem::take(&mut self.tables.area)
    }

    /// Sets the size of the block that the statistics report.
    pub(crate) fn with_size(mut self, block_size: usize) -> Self {
        self.block_size = u32::try_from(block_size).unwrap_or(u32::MAX);
        self
    }

    /// Initialises the part that other threads may use, and returns all parts.
    pub(crate) fn into_parts(self, waker: W) -> Parts<'a, W> {
        Parts {
            shared: self.shared.write(Shared::new(self.tables.mailbox, waker)),
            tables: self.tables,
            block_size: self.block_size,
            hash: self.hash,
        }
    }
}

/// The bytes for each I/O watcher: its slot, a bucket, its part of the backend's area.
pub(crate) const PER_IO: usize = size_of::<Watcher>() + size_of::<u32>() + AREA_PER_IO;
/// The bytes for each timer: its slot and its details.
pub(crate) const PER_TIMER: usize = size_of::<TimerSlot>() + size_of::<TimerDetails>();
/// The bytes for each task: a place in the loop's own queue, and half a place in the mailbox.
pub(crate) const PER_TASK: usize = size_of::<tasks::Slot>() + size_of::<Entry>() / 2;

/// The fixed part of a block in bytes, without the part that the caller uses itself: the shared
/// part, the fixed part of the backend's area, half a mailbox entry for an odd number of tasks, and
/// alignment.
pub(crate) const fn fixed_size<W>() -> usize {
    size_of::<Shared<'static, W>>()
        + AREA_BASE_WORDS * size_of::<u64>()
        + size_of::<Entry>() / 2
        + 3 * size_of::<u64>()
}

/// The memory of a loop in a Rust program, for `IO` watchers, `TIMERS` timers and `TASKS` tasks.
///
/// ```
/// use pirn::Storage;
/// use std::sync::Mutex;
///
/// static STORAGE: Mutex<Storage<64, 16, 32>> = Mutex::new(Storage::new());
/// assert!(size_of::<Storage<64, 16, 32>>() < 4096 + 64 * 64 + 16 * 56 + 32 * 24);
/// ```
#[repr(C, align(8))]
pub struct Storage<const IO: usize, const TIMERS: usize, const TASKS: usize> {
    epoch: u32,
    fixed: MaybeUninit<[u64; FIXED_WORDS]>,
    io: [MaybeUninit<[u8; PER_IO]>; IO],
    timers: [MaybeUninit<[u8; PER_TIMER]>; TIMERS],
    tasks: [MaybeUninit<[u8; PER_TASK]>; TASKS],
}

/// The largest waker that a host may have in a [`Storage`], in words.
const MAX_WAKER_WORDS: usize = 4;
const FIXED_WORDS: usize = fixed_size::<[usize; MAX_WAKER_WORDS]>().div_ceil(size_of::<u64>());

impl<const IO: usize, const TIMERS: usize, const TASKS: usize> Storage<IO, TIMERS, TASKS> {
    /// Make memory that is not in use yet.
    #[must_use]
    pub const fn new() -> Self {
        Storage {
            epoch: 0,
            fixed: MaybeUninit::uninit(),
            io: [const { MaybeUninit::uninit() }; IO],
            timers: [const { MaybeUninit::uninit() }; TIMERS],
            tasks: [const { MaybeUninit::uninit() }; TASKS],
        }
    }
}

impl<const IO: usize, const TIMERS: usize, const TASKS: usize> Default
    for Storage<IO, TIMERS, TASKS>
{
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Storage`] of any size, lent to a loop.
pub struct Memory<'s> {
    block: &'s mut [MaybeUninit<u64>],
    capacity: Capacity,
    epoch: u32,
}

impl<'s, const IO: usize, const TIMERS: usize, const TASKS: usize>
    From<&'s mut Storage<IO, TIMERS, TASKS>> for Memory<'s>
{
    fn from(storage: &'s mut Storage<IO, TIMERS, TASKS>) -> Self {
        storage.epoch = storage.epoch.wrapping_add(1);
        let capacity = Capacity {
            io: IO as u32,
            timers: TIMERS as u32,
            tasks: TASKS as u32,
        };
        let epoch = storage.epoch;
        let skipped = core::mem::offset_of!(Storage<IO, TIMERS, TASKS>, fixed);
        let words = (size_of::<Storage<IO, TIMERS, TASKS>>() - skipped) / size_of::<u64>();
        let first = (storage as *mut Storage<IO, TIMERS, TASKS>).cast::<u8>();
        // SAFETY: `skipped` is the offset of a field of the storage.
        let first = unsafe { first.add(skipped) }.cast::<MaybeUninit<u64>>();
        // SAFETY: the storage is aligned to 8 and so is the field, a word's offset; from it to the
        // end of the storage there are `words` words, all of them `MaybeUninit` or padding, lent
        // for 's.
        let block = unsafe { core::slice::from_raw_parts_mut(first, words) };
        Memory {
            block,
            capacity,
            epoch,
        }
    }
}

impl<'s> Memory<'s> {
    pub(crate) fn divide<W: Wake>(self) -> Option<Block<'s, W>> {
        let size = size_of_val(self.block);
        // SAFETY: the block is writable and lent for 's, and `self` is used up here.
        let divided = unsafe {
            Block::divide(
                self.block.as_mut_ptr().cast(),
                size,
                self.capacity,
                self.epoch,
            )?
        };
        Some(divided.with_size(size))
    }

    /// Divides the block into tables only, for a loop that already has the other parts, and returns
    /// its size too.
    pub(crate) fn tables(self) -> Option<(Tables<'s>, usize)> {
        let size = size_of_val(self.block);
        // SAFETY: the block is writable and lent for 's, and `self` is used up here.
        let tables =
            unsafe { Tables::divide(self.block.as_mut_ptr().cast(), size, self.capacity)? };
        Some((tables, size))
    }
}

// `PIRN_STORAGE_SIZE` in the header and src/ffi/memory.rs use these sizes.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(PER_IO == 64 && PER_TIMER == 56 && PER_TASK == 24);
#[cfg(target_pointer_width = "32")]
const _: () = assert!(PER_IO == 56 && PER_TIMER <= 48 && PER_TASK == 12);
