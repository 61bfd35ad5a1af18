//! The reactor: watchers, timers, tasks and a backend, and the turn that moves them.
//!
//! | module | contents |
//! |---|---|
//! | `turn` | prepare, wait, dispatch, run: begin to read here |
//! | `calls`, `caller` | calling one kind of items after the other |
//! | `items` | the next item of each kind |
//! | `ordered` | I/O for which an order must be kept: siblings, priorities, raised bits |
//! | `budget` | how many callbacks a dispatch may call, and for how long |
//! | `hooks`, `take`, `unwind` | callbacks in every turn; items as data; panics in callbacks |
//! | `io` | adding, modifying and removing watchers |
//! | `registration` | keeping the backend's set up to date |
//! | `sources` | time, timers, tasks, raised bits |
//! | `pollable` | the fd for a foreign loop |
//! | `life` | holds, limits, forked children |
//! | `info` | the state of watchers, timers and tasks |
//! | `state` | the state of a reactor besides its tables |
//!
//! The reactor never calls a callback: see [`turn`]. Each item is checked at the moment when it is
//! returned, so items that an earlier callback has removed are skipped.
//!
//! If a limit interrupts a turn, the next dispatch continues it before anything new is fetched:
//! everything in the turn is called once before anything is called again.

mod budget;
mod caller;
mod calls;
mod hooks;
mod info;
mod io;
mod items;
mod life;
mod ordered;
mod pollable;
mod registration;
mod sources;
mod state;
pub(crate) mod take;
pub(crate) mod turn;
mod unwind;

use crate::backend::{Backend, MoveTo};
use crate::error::{Error, Result};
use crate::remote::{Entry, Shared};
use crate::stats::Stats;
#[cfg(feature = "ffi")]
use crate::storage::PartAddresses;
use crate::storage::{Parts, Tables};
use crate::tasks::Tasks;
use crate::time::Duration;
use crate::timers::Timers;
use crate::token::first_generation;
use crate::watchers::Watchers;

use budget::Budget;
pub(crate) use info::Live;
pub(crate) use items::FiredIo;
use state::{Hooks, Pollable, Raised, Set, TimerCode, Turn};

/// The value of `owner` in a forked child.
const FORKED: u32 = u32::MAX;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(i32)]
pub enum Ended {
    /// Nothing keeps the loop going any more.
    Done = 0,
    /// `stop` was called.
    Stopped = 1,
    /// The deadline passed.
    Expired = 2,
}

/// The limits of one turn. Zero means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// The largest number of callbacks.
    pub callbacks: u32,
    /// For how long callbacks may be started.
    pub time: Duration,
}

impl Limit {
    fn most_callbacks(self) -> u32 {
        if self.callbacks == 0 {
            u32::MAX
        } else {
            self.callbacks
        }
    }
}

/// The fields are in this order in memory: first those that every turn and every item use, within
/// reach of the machine's short addresses; last the timers, which are by far the largest. On small
/// machines the compiler chooses the order that takes the least memory.
#[cfg_attr(target_pointer_width = "64", repr(C))]
pub(crate) struct Reactor<'a, B: Backend> {
    turn: Turn,
    shared: &'a Shared<'a, B::Waker>,
    set: Set,
    watchers: Watchers<'a>,
    budget: Budget,
    /// The process that the loop belongs to; 0 if that is not checked; [`FORKED`] in a forked
    /// child.
    owner: u32,
    hold_count: u32,
    hooks: Hooks<B>,
    raised: Raised<B>,
    pollable: Pollable<B>,
    timer_code: Option<TimerCode<B>>,
    block_size: u32,
    tasks: Tasks<'a>,
    pub(crate) backend: B,
    stats: Stats,
    timers: Timers<'a>,
}

impl<'a, B: Backend> Reactor<'a, B> {
    #[inline]
    pub(crate) fn new(
        mut backend: B,
        parts: Parts<'a, B::Waker>,
        measures: bool,
        seed: u32,
    ) -> Self {
        let now = backend.now();
        let generation = first_generation(seed, parts.hash, now.0);
        Reactor {
            turn: Turn::new(now),
            budget: Budget::new(measures),
            set: Set::new(),
            hooks: Hooks::new(),
            raised: Raised::new(),
            pollable: Pollable::new(),
            timer_code: None,
            owner: parts.shared.owner(),
            hold_count: 0,
            shared: parts.shared,
            watchers: Watchers::new(parts.tables.watchers, parts.tables.buckets, generation),
            backend,
            tasks: Tasks::new(parts.tables.tasks, generation),
            stats: Stats::default(),
            block_size: parts.block_size,
            timers: Timers::new(parts.tables.timers, generation, now),
        }
    }

    /// Moves all tables to another block. No handle changes.
    ///
    /// `EBUSY` if a turn is not finished, or if something in use does not fit; then nothing has
    /// changed. `mailbox` moves the part that other threads use, or leaves it where it is.
    pub(crate) fn move_to(
        &mut self,
        tables: Tables<'a>,
        mailbox: impl FnOnce(&Shared<'a, B::Waker>, &'a [Entry]) -> Result<()>,
    ) -> Result<()>
    where
        B: MoveTo<'a>,
    {
        let fits = !self.is_unfinished()
            && self.watchers.slab.fits(tables.watchers.capacity())
            && self.timers.fits(tables.timers.slots.capacity())
            && self.tasks.fits(tables.tasks.capacity())
            && self.backend.fits(tables.area.len());
        if !fits {
            return Err(Error::EBUSY);
        }
        mailbox(self.shared, tables.mailbox)?;
        self.watchers.move_to(tables.watchers, tables.buckets);
        self.timers.move_to(tables.timers);
        self.tasks.move_to(tables.tasks);
        self.backend.move_to(tables.area);
        Ok(())
    }

    // ---- asking ----

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            remote_posts: self.shared.accepted_count() as u64,
            wake_writes: u64::from(self.shared.wake_count()),
            io_capacity: self.watchers.slab.capacity(),
            io_used: self.watchers.slab.used(),
            io_peak: self.watchers.slab.peak(),
            timer_capacity: self.timers.capacity(),
            timer_used: self.timers.used(),
            timer_peak: self.timers.peak(),
            task_capacity: self.tasks.capacity(),
            task_used: self.tasks.len(),
            task_peak: self.tasks.peak(),
            remote_capacity: self.shared.capacity() as u32,
            remote_peak: self.shared.peak() as u32,
            task_refused: self.tasks.refused_count(),
            remote_refused: self.shared.refused_count(),
            block_size: self.block_size,
            io_referenced: self.watchers.referenced_count,
            timer_referenced: self.timers.referenced(),
            holds: self.hold_count,
            remote_used: self.shared.len() as u32,
            ..self.stats
        }
    }

    /// The addresses of the parts, for a check before any of them is used.
    #[cfg(feature = "ffi")]
    pub(crate) fn part_addresses(&self) -> PartAddresses {
        PartAddresses {
            shared: core::ptr::from_ref(self.shared).cast(),
            watchers: self.watchers.slab.place(),
            buckets: self.watchers.place(),
            timers: self.timers.place(),
            tasks: self.tasks.place(),
        }
    }

    /// Returns `EUCLEAN` if any structure is inconsistent. O(everything), even if the parts are
    /// damaged.
    pub(crate) fn verify(&self) -> Result<()> {
        let is_handled = |bit| self.raised.handled_bits >> bit & 1 == 1;
        if self.watchers.is_sound()
            && self.are_hooks_sound()
            && (0..64).all(|bit| is_handled(bit) == self.watchers.find(-1 - bit).is_some())
            && self.timers.is_sound()
            && self.tasks.is_sound()
            && self.shared.is_sound()
        {
            Ok(())
        } else {
            Err(Error::EUCLEAN)
        }
    }
}
