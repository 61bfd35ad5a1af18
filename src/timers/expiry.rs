//! What runs when the time of a timer comes, reached through a table of functions.
//!
//! The first timer that can fire leaves the table's address in the queue. A program that starts no
//! timer does not name the table, and the linker leaves out everything that is reached only through
//! it: a seventh of a small program.

use super::Timers;
use crate::time::Instant;

pub(super) struct Expiry {
    pub(super) collect: fn(&mut Timers<'_>, Instant) -> Option<Instant>,
    pub(super) fill_due: fn(&mut Timers<'_>),
    pub(super) find_wake: fn(&mut Timers<'_>) -> Instant,
    pub(super) rearm: fn(&mut Timers<'_>, u32, Instant) -> u64,
}

pub(super) static EXPIRY: Expiry = Expiry {
    collect: |timers, now| timers.collect_due(now),
    fill_due: |timers| timers.fill_due(),
    find_wake: |timers| timers.find_wake(),
    rearm: |timers, index, now| timers.rearm(index, now),
};
