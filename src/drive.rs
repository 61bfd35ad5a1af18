//! The turn's calls: asks the reactor for one item after the other, and has each called.
//!
//! Written once for both faces. `Calls` is what they differ in: how the reactor is reached while nothing else is borrowed, and how a target
//! becomes the function it was.
//!
//! A callback may unwind where the program is built for that. Then a batch gives back what was not
//! reached and the dispatch ends, as if a limit had cut it short there: the next one continues the
//! turn.

use core::mem;

use crate::backend::Backend;
use crate::error::Result;
use crate::reactor::{EVENTS, Ended, FiredIo, IO, REMOTE, Reactor, TASKS, TIMERS};
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

/// Calls everything that is due, in the order of a turn, and returns how many calls that were.
#[inline(always)]
pub(crate) fn dispatch<'a, C: Calls<'a>>(face: &mut C) -> u32 {
    let work = face.reactor().begin_dispatch();
    if work == 0 {
        return 0;
    }
    let dispatch = OnUnwind::new(face, |face| {
        face.reactor().end_dispatch();
    });
    let face = &mut *dispatch.state;
    if work & TIMERS != 0 {
        call_timers(face);
    }
    if work & EVENTS != 0 {
        call_events(face);
    }
    if work & IO != 0 {
        call_io(face);
    }
    if work & TASKS != 0 {
        call_tasks(face);
    }
    if work & REMOTE != 0 {
        call_posts(face);
    }
    let called = face.reactor().end_dispatch();
    dispatch.disarm();
    called
}

/// Cleans up after a callback that unwinds. Costs nothing in a program that aborts instead.
struct OnUnwind<S, F: FnMut(&mut S)> {
    state: S,
    clean_up: F,
}

impl<S, F: FnMut(&mut S)> OnUnwind<S, F> {
    #[inline(always)]
    fn new(state: S, clean_up: F) -> Self {
        OnUnwind { state, clean_up }
    }

    /// Nothing has unwound.
    #[inline(always)]
    fn disarm(self) {
        mem::forget(self);
    }
}

impl<S, F: FnMut(&mut S)> Drop for OnUnwind<S, F> {
    fn drop(&mut self) {
        (self.clean_up)(&mut self.state);
    }
}

#[inline(never)]
fn call_timers<'a, C: Calls<'a>>(face: &mut C) {
    while let Some(fired) = face.reactor().next_timer() {
        face.call_timer(fired);
    }
}

#[inline(never)]
fn call_events<'a, C: Calls<'a>>(face: &mut C) {
    while let Some(batch) = face.reactor().next_events() {
        let mut rest = OnUnwind::new((&mut *face, batch), |(face, batch)| {
            face.reactor().give_back_events(batch);
        });
        let (face, batch) = &mut rest.state;
        for at in batch.by_ref() {
            if let Some(fired) = face.reactor().event(at) {
                face.call_io(fired);
            }
        }
        rest.disarm();
    }
}

#[inline(never)]
fn call_io<'a, C: Calls<'a>>(face: &mut C) {
    while let Some(fired) = face.reactor().next_io() {
        face.call_io(fired);
    }
}

#[inline(never)]
fn call_tasks<'a, C: Calls<'a>>(face: &mut C) {
    while let Some(count) = face.reactor().next_tasks() {
        let mut rest = OnUnwind::new((&mut *face, count), |(face, count)| {
            face.reactor().give_back_tasks(*count);
        });
        let (face, count) = &mut rest.state;
        while *count > 0 {
            *count -= 1;
            if let Some(target) = face.reactor().task() {
                face.call_task(target);
            }
        }
        rest.disarm();
    }
}

#[inline(never)]
fn call_posts<'a, C: Calls<'a>>(face: &mut C) {
    while let Some(target) = face.reactor().next_post() {
        face.call_task(target);
    }
}

/// One turn: prepare, wait, dispatch, as an embedding program writes it.
#[inline(never)]
pub(crate) fn turn<'a, C: Calls<'a>>(face: &mut C, limit: Nanos) -> Result<u32> {
    let timeout = face.reactor().prepare(limit)?;
    face.reactor().wait(timeout)?;
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
