//! The turn's calls: asks the reactor for one item after the other, and has each called.
//!
//! Written once for both faces. `Calls` is what they differ in: how the reactor is reached while nothing else is borrowed, and how a target
//! becomes the function it was.

use crate::backend::Backend;
use crate::error::Result;
use crate::reactor::{Ended, FiredIo, IO, REMOTE, Reactor, TASKS, TIMERS};
use crate::target::Target;
use crate::time::Nanos;
use crate::timers::Fired;

/// A face of the loop, as the driver sees it.
pub(crate) trait Calls<'a> {
    type Backend: Backend + 'a;

    /// The reactor, borrowed until a call is made.
    fn reactor(&mut self) -> &mut Reactor<'a, Self::Backend>;

    fn call_timer(&mut self, fired: Fired);
    fn call_io(&mut self, fired: FiredIo);
    fn call_task(&mut self, target: Target);
}

/// Calls everything that is due, and returns how many calls that were.
pub(crate) fn dispatch<'a, C: Calls<'a>>(face: &mut C) -> u32 {
    if face.reactor().begin_dispatch() { call_all(face) } else { 0 }
}

/// Apart, so that a turn with nothing to call is a short one.
#[inline(never)]
fn call_all<'a, C: Calls<'a>>(face: &mut C) -> u32 {
    loop {
        let work = face.reactor().work();
        if work & TIMERS != 0 {
            while let Some(fired) = face.reactor().next_timer() {
                face.call_timer(fired);
            }
        } else if work & IO != 0 {
            while let Some(fired) = face.reactor().next_io() {
                face.call_io(fired);
            }
        } else if work & TASKS != 0 {
            while let Some(target) = face.reactor().next_task() {
                face.call_task(target);
            }
        } else if work & REMOTE != 0 {
            while let Some(target) = face.reactor().next_post() {
                face.call_task(target);
            }
        } else {
            return face.reactor().end_dispatch();
        }
    }
}

/// One turn: prepare, wait, dispatch, as an embedding program would write it.
#[inline]
pub(crate) fn turn<'a, C: Calls<'a>>(face: &mut C, limit: Nanos) -> Result<u32> {
    let reactor = face.reactor();
    let timeout = reactor.prepare(limit)?;
    reactor.wait(timeout)?;
    Ok(dispatch(face))
}

/// Turns until stopped, nothing keeps the loop going, or the deadline has passed.
pub(crate) fn run<'a, C: Calls<'a>>(face: &mut C, deadline: Nanos) -> Result<Ended> {
    face.reactor().check_fork()?;
    loop {
        let reactor = face.reactor();
        if let Some(ended) = reactor.ended(deadline) {
            return Ok(ended);
        }
        reactor.check_fork_in_run()?;
        let limit = reactor.limit_until(deadline);
        turn(face, limit)?;
    }
}
