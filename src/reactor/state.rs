//! The state of a reactor besides its tables.

use core::num::NonZero;
use core::ops::Range;

use super::Reactor;
use crate::backend::Backend;
use crate::slab::NONE;
use crate::time::{Duration, Instant};

/// A function that only some programs need, by address: the call that makes a program need it
/// leaves the address in the reactor. So the linker leaves the code out of a program without that
/// call.
pub(super) type CodeOnUse<B, T> = for<'r, 'a> fn(&'r mut Reactor<'a, B>) -> T;

/// The kinds of items that are still due in a turn: a set of these bits.
pub(crate) type Due = u8;
/// Due timers.
pub(crate) const TIMERS: Due = 0x01;
/// Events of the backend on the plain path: each is delivered directly to its watcher.
pub(crate) const READY: Due = 0x02;
/// I/O on the ordered path: for each priority raised bits, then the pending list.
pub(crate) const ORDERED: Due = 0x04;
/// The loop's own tasks.
pub(crate) const TASKS: Due = 0x08;
/// Posts from other threads.
pub(crate) const POSTS: Due = 0x10;

/// The progress of a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No dispatch has begun. Events of a wait may be due.
    Idle,
    /// Between two dispatches of one turn. If nothing is due, everything was taken, and the next
    /// take must report the end of the turn.
    Begun,
    /// A dispatch is in progress.
    Dispatching,
}

/// The progress of the ordered path within one priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Raised,
    Pending,
}

/// The current turn, or the next one.
pub(super) struct Turn {
    /// The kinds of items that are still due.
    pub(super) due: Due,
    pub(super) phase: Phase,
    /// True if the last wait found something besides the loop's own fds, and no callback was called
    /// since. If the dispatch then calls none, the wake-up was spurious.
    pub(super) has_found: bool,
    /// True if the ordered path of this turn serves several priorities. Fixed for the whole turn,
    /// even if a callback removes the last watcher with a priority.
    pub(super) has_priorities: bool,
    /// The progress of the ordered path.
    pub(super) stage: Stage,
    /// `HIGH`, `NORMAL` or `LOW`.
    pub(super) priority: u16,
    /// The number of sources that the last wait found, without those of the loop's own fds that
    /// were recognised since.
    pub(super) found_count: u32,
    /// The indices of the backend's events that are still due.
    pub(super) events: Range<u32>,
    /// True if the last turn with posts had so many that the next wait lets others gather first.
    pub(super) had_burst: bool,
    /// The tail of the mailbox when the turn began: posts before it belong to this turn.
    pub(super) posts_tail: usize,
    /// The turn's time. Read it only through [`Reactor::now`].
    pub(super) now: Instant,
    /// True if a wait has ended since the clock was last read.
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
            posts_tail: 0,
            now,
            now_is_stale: false,
        }
    }
}

/// The state of the backend's set besides its entries.
pub(super) struct Set {
    /// True if an entry was removed from the set since the last wait: stale events are then normal.
    pub(super) has_removed: bool,
    /// True if an event came from a stale registration: the set must be rebuilt.
    pub(super) needs_rebuild: bool,
    /// The number of spurious wake-ups at the last wait with a set that needs to be rebuilt.
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

/// The slot of the watcher that is to be called next, and the readiness that it is called with.
pub(super) type ToCall = (u32, NonZero<u32>);

/// The bits that threads, signal handlers and interrupts raise.
pub(super) struct Raised<B: Backend> {
    /// Returns the next handler to be called. The call that adds a handler stores it here.
    pub(super) next: Option<CodeOnUse<B, Option<ToCall>>>,
    /// The raised bits whose handler was not called yet, including bits without a handler.
    pub(super) raised_bits: u64,
    /// The bits that have a handler.
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

    /// Returns the raised bits that have a handler.
    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.raised_bits & self.handled_bits
    }
}

/// The hooks of a loop.
pub(super) struct Hooks<B: Backend> {
    /// The function that removes a hook from the list. `hook_add` stores it here, so that a program
    /// without hooks does not link that code.
    pub(super) unlink: Option<for<'r, 'a> fn(&'r mut Reactor<'a, B>, u32)>,
    /// The first hook of the list.
    pub(super) first: u32,
    /// True if there is an idle hook: the loop then does not sleep.
    pub(super) has_idle: bool,
    /// True during a dispatch with hooks.
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
    /// The function that makes the fd readable if there is something to do. It must be called after
    /// every change, once the application has the fd. `pollable_fd` stores it here.
    pub(super) update: Option<CodeOnUse<B, ()>>,
    /// The deadline of the fd's alarm: `NEVER` while the alarm is off.
    pub(super) alarm: Instant,
    /// True if starting a timer changes nothing but the timers: after the first start of a timer,
    /// until the application asks for the fd.
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
