//! The calls of a dispatch: all callbacks of one kind, then all of the next kind.

use super::caller::Caller;
use super::state::{Due, ORDERED, POSTS, READY, TASKS, TIMERS};
use super::unwind::OnUnwind;
use crate::watchers::Hook;

/// Calls everything that is due, in the order of docs/TURN.md, rules 11 to 20, until the budget is
/// used up.
///
/// Each kind has its own function: a single function for all costs one more instruction for each
/// event.
#[inline(always)]
pub(super) fn call_due<'a, C: Caller<'a> + ?Sized>(caller: &mut C, due: Due) {
    if due & TIMERS != 0 {
        caller.call_timers();
    }
    if due & READY != 0 {
        call_ready(caller);
    }
    if due & ORDERED != 0 {
        call_ordered(caller);
    }
    if due & TASKS != 0 {
        caller.call_tasks();
    }
    if due & POSTS != 0 {
        caller.call_posts();
    }
}

#[inline(never)]
pub(crate) fn call_timers<'a, C: Caller<'a> + ?Sized>(caller: &mut C) {
    while let Some(fired) = caller.reactor().next_timer() {
        caller.call_timer(fired);
    }
}

#[inline(never)]
fn call_ready<'a, C: Caller<'a> + ?Sized>(caller: &mut C) {
    while let Some(batch) = caller.reactor().next_events() {
        let mut rest = OnUnwind::new((&mut *caller, batch), |(caller, batch)| {
            caller.reactor().give_back_events(batch);
        });
        let (caller, batch) = &mut rest.state;
        // A batch has at least one event. Checking for the end after each event, and not before,
        // saves an instruction.
        loop {
            let at = batch.start;
            batch.start += 1;
            if let Some(fired) = caller.reactor().event(at) {
                caller.call_io(fired);
            }
            if batch.start == batch.end {
                break;
            }
        }
        rest.disarm();
    }
}

#[inline(never)]
fn call_ordered<'a, C: Caller<'a> + ?Sized>(caller: &mut C) {
    while let Some(fired) = caller.reactor().next_io() {
        caller.call_io(fired);
    }
}

#[inline(never)]
pub(crate) fn call_tasks<'a, C: Caller<'a> + ?Sized>(caller: &mut C) {
    while let Some(count) = caller.reactor().next_tasks() {
        let mut rest = OnUnwind::new((&mut *caller, count), |(caller, count)| {
            caller.reactor().give_back_tasks(*count);
        });
        let (caller, count) = &mut rest.state;
        while *count > 0 {
            *count -= 1;
            if let Some(callback) = caller.reactor().task() {
                caller.call_task(callback);
            }
        }
        rest.disarm();
    }
}

#[inline(never)]
pub(crate) fn call_posts<'a, C: Caller<'a> + ?Sized>(caller: &mut C) {
    let shared = caller.reactor().shared;
    let end = caller.reactor().begin_posts();
    loop {
        let batch = caller.reactor().next_posts(end);
        if batch.is_empty() {
            break;
        }
        let mut rest = OnUnwind::new((&mut *caller, batch), |(caller, batch)| {
            caller.reactor().give_back_posts(batch.len());
        });
        let (caller, batch) = &mut rest.state;
        while let Some(callback) = shared.take_of(batch) {
            caller.call_post(callback);
        }
        if !batch.is_empty() {
            // The poster of the next one has not finished.
            caller.reactor().give_back_posts(batch.len());
        }
        rest.disarm();
    }
}

pub(super) fn call_hooks<'a, C: Caller<'a> + ?Sized>(caller: &mut C, when: Hook) {
    while let Some(fired) = caller.reactor().next_hook(when) {
        caller.call_io(fired);
    }
}
