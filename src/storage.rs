#![expect(
    unsafe_code,
    reason = "memory lent by the caller is cut into the loop's parts"
)]
//! The memory of a loop: one block, cut into its parts once, at init.
//!
//! A C program hands over a block of bytes; a Rust program a [`Storage`]. Both hold the same parts,
//! and the sizes that `PIRN_STORAGE_SIZE` promises to C are tied to the real ones by the assertions
//! at the end.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

#[cfg(feature = "host")]
use crate::host::Readiness;
use crate::remote::{Entry, Shared, Wake};
use crate::slab::NONE;
use crate::tasks;
use crate::timers::{MAX_TIMERS, TimerSlot};
use crate::watchers::Watcher;

/// What a loop works on.
pub(crate) struct Parts<'a, W> {
    pub(crate) tables: Tables<'a>,
    pub(crate) shared: &'a Shared<'a, W>,
    pub(crate) block_size: u32,
    /// A hash of the block and of which life of it this is.
    pub(crate) hash: u32,
}

/// How many of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Capacity {
    /// I/O watchers, raise handlers included.
    pub io: u32,
    /// Timers.
    pub timers: u32,
    /// Tasks of the loop's own queue; half as many, rounded up, can wait that were posted from
    /// elsewhere.
    pub tasks: u32,
}

impl Capacity {
    pub(crate) const fn remote(self) -> u32 {
        self.tasks / 2 + self.tasks % 2
    }
}

/// Words of the backend's area that do not depend on the number of watchers. Six sets of 1024 fds
/// for select; the kernel's records of 64 events for epoll.
#[cfg(any(feature = "select", feature = "poll", feature = "epoll"))]
pub(crate) const AREA_BASE_WORDS: usize = 6 * 1024 / 64;
/// A host needs room for what it finds ready, which the watchers bring.
#[cfg(not(any(feature = "select", feature = "poll", feature = "epoll")))]
pub(crate) const AREA_BASE_WORDS: usize = 1;

/// What surplus can be of use: six sets of 2^20 fds for select, which is as many as a process may
/// have open by default. More is not even touched.
const AREA_MOST_WORDS: usize = 6 * (1 << 20) / 64;
/// Bytes of the backend's area for each watcher: a record of epoll with 12 bytes, or of poll with
/// 8, or 16 fds of select's six sets.
pub(crate) const AREA_PER_IO: usize = 12;

/// What no part is aligned to more than: that of a `u64`, on every machine.
const ALIGNMENT: usize = 8;

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
// SAFETY: a `Target`, which is a pointer and a `NonNull` that is not null.
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

        let used = area.offset + area.count * size_of::<u64>();
        // SAFETY: writable, as the caller promises; no more than `size`.
        unsafe { block.write_bytes(u8::MAX, used) };
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

/// What must be skipped to align a block.
fn skipped(memory: *const u8) -> usize {
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

/// Differs for each block, and for each life of a block.
fn hash(block: *const u8, epoch: u32) -> u32 {
    let block = (block.addr() >> 3) as u32;
    block.wrapping_mul(0x85EB_CA6B) ^ epoch.wrapping_mul(0x9E37_79B1)
}

/// A block, cut.
pub(crate) struct Cut<'a, W> {
    place: &'a mut MaybeUninit<Shared<'a, W>>,
    tables: Tables<'a>,
    block_size: u32,
    hash: u32,
}

impl<'a, W: Wake> Cut<'a, W> {
    /// Cuts a block, without what its owner took from its front, into parts. `None` if it is too
    /// small.
    ///
    /// # Safety
    ///
    /// The `size` bytes from `memory` are writable and lent for 'a to the result alone.
    pub(crate) unsafe fn new(
        memory: *mut u8,
        size: usize,
        capacity: Capacity,
        epoch: u32,
    ) -> Option<Self> {
        let hash = hash(memory, epoch);
        let (tables, length) = Self::behind_shared(memory, size)?;
        // SAFETY: behind the shared half, to the end of the block; the rest is passed on.
        let tables = unsafe { Tables::cut(tables, length, capacity)? };
        let place = memory.wrapping_add(skipped(memory)).cast();
        // SAFETY: aligned above to what nothing is aligned to more than, in front of the tables,
        // and lent for 'a; need not be valid at all.
        let place = unsafe { &mut *place };
        Some(Cut {
            place,
            tables,
            block_size: 0,
            hash,
        })
    }

    /// Where the tables of a block begin, and how long they are: behind the shared half.
    pub(crate) fn behind_shared(memory: *mut u8, size: usize) -> Option<(*mut u8, usize)> {
        const { assert!(align_of::<Shared<'a, W>>() <= ALIGNMENT) };
        let taken = skipped(memory) + size_of::<Shared<'a, W>>().next_multiple_of(ALIGNMENT);
        Some((memory.wrapping_add(taken), size.checked_sub(taken)?))
    }

    /// The backend's part, which is handed over once.
    pub(crate) fn take_area(&mut self) -> &'a mut [u64] {
        core::mem::take(&mut self.tables.area)
    }

    /// What the block is to be reported as.
    pub(crate) fn sized(mut self, block_size: usize) -> Self {
        self.block_size = u32::try_from(block_size).unwrap_or(u32::MAX);
        self
    }

    /// The parts, complete with the half that other threads may touch.
    pub(crate) fn finish(self, waker: W) -> Parts<'a, W> {
        Parts {
            shared: self.place.write(Shared::new(self.tables.mailbox, waker)),
            tables: self.tables,
            block_size: self.block_size,
            hash: self.hash,
        }
    }
}

/// The backend's area as room for what a host finds ready.
#[cfg(feature = "host")]
pub(crate) fn host_area(area: &mut [u64]) -> &mut [Readiness] {
    // SAFETY: `Readiness` is two integers: every bit pattern is valid, and so are all bytes of the
    // words.
    let (_, ready, _) = unsafe { area.align_to_mut::<Readiness>() };
    ready
}

/// Bytes for each I/O watcher: its slot, a bucket, its part of the backend's area.
pub(crate) const PER_IO: usize = size_of::<Watcher>() + size_of::<u32>() + AREA_PER_IO;
/// Bytes for each timer: its slot.
pub(crate) const PER_TIMER: usize = size_of::<TimerSlot>();
/// Bytes for each task: a place in the loop's own queue, and half a place in the mailbox.
pub(crate) const PER_TASK: usize = size_of::<tasks::Slot>() + size_of::<Entry>() / 2;

/// Bytes of a block beside the above and beside what its owner takes: the shared half, what does
/// not depend on the number of watchers, half a mailbox entry for an odd number of tasks, and
/// alignment.
pub(crate) const fn fixed_size<W>() -> usize {
    size_of::<Shared<'static, W>>()
        + AREA_BASE_WORDS * size_of::<u64>()
        + size_of::<Entry>() / 2
        + 3 * size_of::<u64>()
}

/// Memory for a loop in a Rust program: for `IO` watchers, `TIMERS` timers and `TASKS` tasks.
///
/// ```
/// static STORAGE: std::sync::Mutex<pirn::Storage<64, 16, 32>> =
/// std::sync::Mutex::new(pirn::Storage::new()); assert!(size_of::<pirn::Storage<64, 16, 32>>() <
/// 4096 + 64 * 64 + 16 * 56 + 32 * 24);
/// ```
#[repr(C, align(8))]
pub struct Storage<const IO: usize, const TIMERS: usize, const TASKS: usize> {
    epoch: u32,
    fixed: MaybeUninit<[u64; FIXED_WORDS]>,
    io: [MaybeUninit<[u8; PER_IO]>; IO],
    timers: [MaybeUninit<[u8; PER_TIMER]>; TIMERS],
    tasks: [MaybeUninit<[u8; PER_TASK]>; TASKS],
}

/// The largest waker a host may have in a [`Storage`], in words.
const MAX_WAKER_WORDS: usize = 4;
const FIXED_WORDS: usize = fixed_size::<[usize; MAX_WAKER_WORDS]>().div_ceil(size_of::<u64>());

impl<const IO: usize, const TIMERS: usize, const TASKS: usize> Storage<IO, TIMERS, TASKS> {
    /// Memory not yet in use.
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

/// A [`Storage`] of whatever size, lent to a loop.
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
    pub(crate) fn cut<W: Wake>(self) -> Option<Cut<'s, W>> {
        let size = size_of_val(self.block);
        // SAFETY: the block is writable and lent for 's; it is given away here.
        let cut = unsafe {
            Cut::new(
                self.block.as_mut_ptr().cast(),
                size,
                self.capacity,
                self.epoch,
            )?
        };
        Some(cut.sized(size))
    }

    /// The block as tables alone, for a loop that has the rest, and how long it is.
    pub(crate) fn tables(self) -> Option<(Tables<'s>, usize)> {
        let size = size_of_val(self.block);
        // SAFETY: the block is writable and lent for 's; it is given away here.
        let tables = unsafe { Tables::cut(self.block.as_mut_ptr().cast(), size, self.capacity)? };
        Some((tables, size))
    }
}

// What `PIRN_STORAGE_SIZE` says of each part, in src/ffi/init.rs, is worked out from these.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(PER_IO == 64 && PER_TIMER == 56 && PER_TASK == 24);
#[cfg(target_pointer_width = "32")]
const _: () = assert!(PER_IO == 56 && PER_TIMER <= 48 && PER_TASK == 12);
