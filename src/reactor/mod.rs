//! The reactor: watchers, timers, tasks and a backend, and the turn that moves them.
//!
//! ```text
//! turn          prepare, wait, dispatch, run: begin here     calls        one kind after the other
//! items         what a dispatch hands over, one at a time     ordered      I/O with siblings or
//! priorities budget        how many calls, and for how long              hooks, take, unwind io
//! add, modify, remove                           registration the backend's set in step sources
//! timers, tasks, raised bits                    pollable     the fd for a foreign loop life
//! holds, forks, growing                         info         what is alive state         what a
//! reactor remembers, by noun
//! ```
//!
//! The reactor never calls out: see [`turn`]. An item is validated at the moment it is handed over,
//! so that what an earlier callback removed is skipped.
//!
//! A turn that is cut short by its limit is continued by the next dispatch before anything new is
//! fetched: everything that was there is served before anything of it is served twice.

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

/// As the owner of a loop: this process is a copy, made by fork, of the one that it belongs to.
const FORKED: u32 = u32::MAX;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(i32)]
pub enum Ended {
    /// Nothing is left that keeps the loop going.
    Done = 0,
    /// `stop` was called.
    Stopped = 1,
    /// The deadline passed.
    Expired = 2,
}

/// What one turn may use up. Zero means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// How many callbacks may run.
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

/// In this order in memory: first what every turn and every item touches, where the machine's short
/// addresses reach it; the timers, by far the largest, last. On small machines in the order that
/// takes the least memory.
#[cfg_attr(target_pointer_width = "64", repr(C))]
pub(crate) struct Reactor<'a, B: Backend> {
    turn: Turn,
    shared: &'a Shared<'a, B::Waker>,
    watchers: Watchers<'a>,
    budget: Budget,
    set: Set,
    /// The process that the loop belongs to; 0: nobody asks; [`FORKED`] in a copy.
    owner: u32,
    hold_count: u32,
    hooks: Hooks<B>,
    raised: Raised<B>,
    pollable: Pollable<B>,
    timer_code: Option<TimerCode<B>>,
    tasks: Tasks<'a>,
    pub(crate) backend: B,
    stats: Stats,
    block_size: u32,
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

    /// Moves all tables to another block. Every handle stays what it is.
    ///
    /// `EBUSY` if a turn is not finished, or if something in use has no place there; then nothing
    /// has changed. `mailbox` moves the half that others touch, or leaves it where it is.
    pub(crate) fn move_to(
        &mut self,
        tables: Tables<'a>,
        mailbox: impl FnOnce(&Shared<'a, B::Waker>, &'a [Entry]) -> Result<()>,
    ) -> Result<()>
    where
        B: MoveTo<'a>,
    {
        let fits = !self.is_unfinished()
            && self.watchers.slab.fits(tables.watchers.len())
            && self.timers.fits(tables.timers.len())
            && self.tasks.fits(tables.tasks.len())
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

    /// Where its parts are, to be compared before any of them is looked into.
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

    /// `EUCLEAN` if any structure contradicts itself. O(everything), and whatever stands in the
    /// parts.
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
