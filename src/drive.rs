//! The turn's calls: asks the reactor for one item after the other, and has each called.
//!
//! Written once for both faces. `Calls` is what they differ in: how the reactor is reached while
//! nothing else is borrowed, and how a target becomes the function it was. A third caller,
//! [`Taker`], calls nothing: it hands each item over as data.
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
use crate::token::Token;
use crate::watch::Hook;

/// A face of the loop, as the driver sees it.
pub(crate) trait Calls<'a> {
    type Backend: Backend + 'a;

    /// The reactor, borrowed until a call is made.
    fn reactor(&mut self) -> &mut Reactor<'a, Self::Backend>;

    fn call_timer(&mut self, fired: Fired);
    fn call_io(&mut self, fired: FiredIo);
    fn call_task(&mut self, target: Target);

    /// Does what [`dispatch_with_hooks`] does if the loop may have hooks. A face says so for
    /// itself, so that a program without hooks does not contain it.
    #[inline]
    fn dispatch_with_hooks(&mut self) -> Option<u32> {
        None
    }

    /// To those who call, a post is a task.
    #[inline]
    fn call_post(&mut self, target: Target) {
        self.call_task(target);
    }
}

/// Calls everything that is due, in the order of a turn, and returns how many calls that were;
/// hooks are not counted.
#[inline(always)]
pub(crate) fn dispatch<'a, C: Calls<'a> + ?Sized>(face: &mut C) -> u32 {
    match face.dispatch_with_hooks() {
        Some(called) => called,
        None => dispatch_due(face),
    }
}

/// The same without hooks.
#[inline(always)]
fn dispatch_due<'a, C: Calls<'a> + ?Sized>(face: &mut C) -> u32 {
    let work = face.reactor().begin_dispatch();
    if work == 0 {
        return 0;
    }
    let dispatch = OnUnwind::new(face, |face| {
        face.reactor().end_dispatch();
    });
    hand_over(&mut *dispatch.state, work);
    let called = dispatch.state.reactor().end_dispatch();
    dispatch.disarm();
    called
}

/// Everything there is to do, in the order of a turn, until the budget is used up.
#[inline(always)]
fn hand_over<'a, C: Calls<'a> + ?Sized>(face: &mut C, work: u8) {
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
fn call_timers<'a, C: Calls<'a> + ?Sized>(face: &mut C) {
    while let Some(fired) = face.reactor().next_timer() {
        face.call_timer(fired);
    }
}

#[inline(never)]
fn call_events<'a, C: Calls<'a> + ?Sized>(face: &mut C) {
    while let Some(batch) = face.reactor().next_events() {
        let mut rest = OnUnwind::new((&mut *face, batch), |(face, batch)| {
            face.reactor().give_back_events(batch);
        });
        let (face, batch) = &mut rest.state;
        // There is at least one. To look for the end behind each, and not before, saves an instruction.
        loop {
            let at = batch.start;
            batch.start += 1;
            if let Some(fired) = face.reactor().event(at) {
                face.call_io(fired);
            }
            if batch.start == batch.end {
                break;
            }
        }
        rest.disarm();
    }
}

#[inline(never)]
fn call_io<'a, C: Calls<'a> + ?Sized>(face: &mut C) {
    while let Some(fired) = face.reactor().next_io() {
        face.call_io(fired);
    }
}

#[inline(never)]
fn call_tasks<'a, C: Calls<'a> + ?Sized>(face: &mut C) {
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
fn call_posts<'a, C: Calls<'a> + ?Sized>(face: &mut C) {
    while let Some(target) = face.reactor().next_post() {
        face.call_post(target);
    }
}

/// Calls hooks, and between them everything that is due.
#[cold]
#[inline(never)]
pub(crate) fn dispatch_with_hooks<'a, C: Calls<'a> + ?Sized>(face: &mut C) -> u32 {
    face.reactor().begin_hooks();
    // Ends it in any case.
    let hooked = OnUnwind::new(face, |face| face.reactor().end_hooks());
    let face = &mut *hooked.state;
    call_hooks(face, Hook::First);
    let called = dispatch_due(face);
    if called == 0 {
        call_hooks(face, Hook::Idle);
    }
    call_hooks(face, Hook::Last);
    called
}

#[inline(never)]
fn call_hooks<'a, C: Calls<'a> + ?Sized>(face: &mut C, when: Hook) {
    while let Some(fired) = face.reactor().next_hook(when) {
        face.call_io(fired);
    }
}

/// One turn.
pub(crate) fn turn<'a, C: Calls<'a> + ?Sized>(face: &mut C, limit: Nanos) -> Result<u32> {
    face.reactor().check_fork()?;
    turn_here(face, limit)
}

/// One turn in the process that the loop belongs to: prepare, wait, dispatch, as an embedding program
/// writes it.
#[inline(never)]
fn turn_here<'a, C: Calls<'a> + ?Sized>(face: &mut C, limit: Nanos) -> Result<u32> {
    let timeout = face.reactor().prepare(limit)?;
    face.reactor().wait(timeout)?;
    Ok(dispatch(face))
}

/// Turns until stopped, nothing keeps the loop going, or the deadline has passed.
pub(crate) fn run<'a, C: Calls<'a> + ?Sized>(face: &mut C, deadline: Nanos) -> Result<Ended> {
    loop {
        let reactor = face.reactor();
        // In each turn: a callback of the last one may have forked, and returned here twice. The copy's
        // wait would take a wake-up from the parent.
        reactor.check_fork()?;
        if let Some(ended) = reactor.ended(deadline) {
            return Ok(ended);
        }
        let limit = reactor.limit_until(deadline);
        turn_here(face, limit)?;
    }
}

// ---- handing over as data ----

/// What an item is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Timer,
    Io,
    Raised,
    Task,
    Post,
}

/// An item handed over as data.
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// Of a post: all zero. Stale already for a one-shot timer and a task.
    pub(crate) token: Token,
    /// Of I/O the fd, of a raised bit the bit, else -1.
    pub(crate) fd: i32,
    pub(crate) ready: u32,
    pub(crate) missed: u64,
    pub(crate) target: Target,
}

/// Hands over at most `capacity` items, which is not 0, and returns how many they were; 0 when the
/// turn is over. `give` is called for each.
pub(crate) fn take<'a, B: Backend + 'a>(
    reactor: &mut Reactor<'a, B>,
    capacity: u32,
    give: impl FnMut(Item),
) -> u32 {
    let work = reactor.begin_take(capacity);
    if work == 0 {
        return 0;
    }
    let mut taker = Taker { reactor, give };
    hand_over(&mut taker, work);
    taker.reactor.end_take()
}

struct Taker<'r, 'a, B: Backend, F> {
    reactor: &'r mut Reactor<'a, B>,
    give: F,
}

impl<'a, B: Backend + 'a, F: FnMut(Item)> Calls<'a> for Taker<'_, 'a, B, F> {
    type Backend = B;

    fn reactor(&mut self) -> &mut Reactor<'a, B> {
        self.reactor
    }

    fn call_timer(&mut self, fired: Fired) {
        (self.give)(Item {
            kind: Kind::Timer,
            token: fired.token,
            fd: -1,
            ready: 0,
            missed: fired.missed,
            target: fired.target,
        });
    }

    fn call_io(&mut self, fired: FiredIo) {
        (self.give)(Item {
            kind: if self.reactor.is_raise_handler(fired.io) {
                Kind::Raised
            } else {
                Kind::Io
            },
            token: fired.io,
            fd: fired.fd,
            ready: fired.ready,
            missed: 0,
            target: fired.target,
        });
    }

    fn call_task(&mut self, target: Target) {
        (self.give)(Item {
            kind: Kind::Task,
            token: self.reactor.last_task(),
            fd: -1,
            ready: 0,
            missed: 0,
            target,
        });
    }

    fn call_post(&mut self, target: Target) {
        (self.give)(Item {
            kind: Kind::Post,
            token: Token::default(),
            fd: -1,
            ready: 0,
            missed: 0,
            target,
        });
    }
}
