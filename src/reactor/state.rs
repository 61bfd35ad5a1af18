//! What a reactor remembers besides its tables, by noun.

use core::num::NonZero;
use core::ops::Range;

use super::Reactor;
use crate::backend::Backend;
use crate::remote::Ticket;
use crate::slab::NONE;
use crate::time::{Duration, Instant};

/// A function that only some programs need, by address: the call that makes a program need it
/// leaves the address in the reactor. So the linker leaves the code out of a program without that
/// call.
pub(super) type CodeOnUse<B, T> = for<'r, 'a> fn(&'r mut Reactor<'a, B>) -> T;

/// What a turn may have to hand over: a set of these bits.
pub(crate) type Due = u8;
/// Due timers.
pub(crate) const TIMERS: Due = 0x01;
/// Events of the backend, where nothing is needed but a look at each watcher.
pub(crate) const READY: Due = 0x02;
/// I/O in order: raised bits, then what is on the pending list; by priority.
pub(crate) const ORDERED: Due = 0x04;
/// The loop's own tasks.
pub(crate) const TASKS: Due = 0x08;
/// Posts from other threads.
pub(crate) const POSTS: Due = 0x10;

/// How far a turn is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No dispatch has begun: there may be events of a wait.
    Idle,
    /// Between two dispatches of one turn. With nothing due: all of it was taken, and the next take
    /// reports that.
    Begun,
    /// A dispatch is under way.
    Dispatching,
}

/// Where a turn is in the ordered I/O of one priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Raised,
    Pending,
}

/// The turn that is under way, or the next one.
pub(super) struct Turn {
    /// What is still to be handed over.
    pub(super) due: Due,
    pub(super) phase: Phase,
    /// True if the last wait found something besides the loop's own fds, and nothing was called
    /// yet.
    pub(super) has_found: bool,
    /// True if the ordered I/O of this turn has several priorities, whatever its callbacks make of
    /// them.
    pub(super) has_priorities: bool,
    /// Where the ordered I/O is.
    pub(super) stage: Stage,
    /// `HIGH`, `NORMAL` or `LOW`.
    pub(super) priority: u16,
    /// What the last wait found, without those of the loop's own fds that were come across since.
    pub(super) found_count: u32,
    /// The places of the backend's events that are still to be handed over.
    pub(super) events: Range<u32>,
    /// True if the last turn with posts had so many that the next wait is to let others gather.
    pub(super) had_burst: bool,
    /// Posts before it are of this turn.
    pub(super) posts_end: Ticket,
    /// The turn's time, to be read through [`Reactor::now`].
    pub(super) now: Instant,
    /// True if a wait has ended since the clock was read.
    pub(super) now_is_stale: bool,
}

impl Turn {
    pub(super) fn new(now: Instant) -> Turn {
        Turn {
            due: 0,
            phase: Phase::Idle,
            has_found: false,
            has_priorities: false,
            stage: Stage::Raised,
            priority: 0,
            found_count: 0,
            events: 0..0,
            had_burst: false,
            posts_end: Ticket::default(),
            now,
            now_is_stale: false,
        }
    }
}

/// What is known of the backend's set besides its entries.
pub(super) struct Set {
    /// True if an entry has left the set since the last wait: a stale event is no surprise then.
    pub(super) has_removed: bool,
    /// True if an event came from an fd that is watched no more: the set is to be rebuilt.
    pub(super) needs_rebuild: bool,
    /// The spurious wake-ups there had been when a set that needs to be rebuilt was last waited
    /// for.
    pub(super) spurious_before: u32,
}

impl Set {
    pub(super) fn new() -> Set {
        Set {
            has_removed: false,
            needs_rebuild: false,
            spurious_before: 0,
        }
    }
}

/// The slot of the watcher that is to be called next, and what it is called with.
pub(super) type ToCall = (u32, NonZero<u32>);

/// The bits that other threads raise.
pub(super) struct Raised<B: Backend> {
    /// Looks for the next handler to be called. The call that adds a handler leaves it here.
    pub(super) next: Option<CodeOnUse<B, Option<ToCall>>>,
    /// Those found and not yet handed over, bits without a handler included.
    pub(super) raised_bits: u64,
    /// Those that have a handler.
    pub(super) handled_bits: u64,
}

impl<B: Backend> Raised<B> {
    pub(super) fn new() -> Self {
        Raised {
            next: None,
            raised_bits: 0,
            handled_bits: 0,
        }
    }

    /// The bits that are to be handed over.
    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.raised_bits & self.handled_bits
    }
}

/// The hooks of a loop.
pub(super) struct Hooks<B: Backend> {
    /// Takes a hook out of the list. By address, which the call that adds one leaves here, so that
    /// the linker leaves the code out of a program without hooks.
    pub(super) unlink: Option<for<'r, 'a> fn(&'r mut Reactor<'a, B>, u32)>,
    /// The first of the list.
    pub(super) first: u32,
    /// True if there is a hook for idle times: the loop does not sleep.
    pub(super) has_idle: bool,
    /// True while a dispatch with hooks is under way.
    pub(super) is_calling: bool,
}

impl<B: Backend> Hooks<B> {
    pub(super) fn new() -> Self {
        Hooks {
            unlink: None,
            first: NONE,
            has_idle: false,
            is_calling: false,
        }
    }
}

/// What a turn does for timers besides calling them. The first start of a timer leaves it in the
/// reactor.
pub(super) struct TimerCode<B: Backend> {
    /// Notes the due timers in the turn.
    pub(super) collect: CodeOnUse<B, ()>,
    /// How long may be slept for the timers.
    pub(super) time_to_next: CodeOnUse<B, Duration>,
}

/// The fd that a foreign loop waits for.
pub(super) struct Pollable<B: Backend> {
    /// Makes the fd readable if there is something to do: to be called after every change, once the
    /// application has the fd. The call that hands out the fd leaves it here.
    pub(super) update: Option<CodeOnUse<B, ()>>,
    /// When the fd's alarm rings: `NEVER` while it is off.
    pub(super) alarm: Instant,
    /// True if the start of a timer touches nothing but the timers: from the first start on, as
    /// long as the application does not have the fd.
    pub(super) timers_start_quietly: bool,
}

impl<B: Backend> Pollable<B> {
    pub(super) fn new() -> Self {
        Pollable {
            update: None,
            alarm: Instant::NEVER,
            timers_start_quietly: false,
        }
    }
}
