#![expect(unsafe_code, reason = "the same functions as on machines")]
//! Miri, which runs no assembly. Each stack is a thread here, and one of them runs at a time: a
//! switch wakes another thread and sleeps. So everything but the switch itself can be checked.
//!
//! Fibers that have ended leave a thread that sleeps for ever: run with `-Zmiri-ignore-leaks`.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec::Vec;

use super::Main;

/// A stack that was prepared.
struct Prepared {
    pointer: usize,
    /// Tells it from earlier stacks in the same memory, whose threads sleep for ever.
    number: u64,
    /// What it runs, until that has begun.
    main: Option<(Main, usize)>,
}

struct State {
    /// The pointer of the stack that runs.
    running: usize,
    count: u64,
    prepared: Vec<Prepared>,
}

static STATE: Mutex<State> = Mutex::new(State {
    running: 0,
    count: 0,
    prepared: Vec::new(),
});
static SWITCHED: Condvar = Condvar::new();

std::thread_local! {
    /// The pointer and the number of this thread's stack. The loop's own stack has no number.
    static OWN: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True if a stack is not the last one that was prepared in its memory.
fn is_outdated(state: &State, (pointer, number): (usize, u64)) -> bool {
    let mut prepared = state.prepared.iter();
    let last = prepared.find(|it| it.pointer == pointer);
    number != 0 && last.is_none_or(|last| last.number != number)
}

/// Sleeps until this thread's stack runs.
fn wait(mut state: MutexGuard<'_, State>, own: (usize, u64)) {
    while state.running != own.0 || is_outdated(&state, own) {
        state = SWITCHED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Leaves this stack for another.
///
/// # Safety
///
/// As on x86-64.
pub unsafe extern "C" fn switch(save: *mut usize, to: usize) {
    if OWN.get().0 == 0 {
        let address = OWN.with(|own| (&raw const *own).addr());
        OWN.set((address, 0));
    }
    let own = OWN.get();
    // SAFETY: writable, as the caller promises.
    unsafe { save.write(own.0) };
    let mut state = state();
    state.running = to;
    let mut prepared = state.prepared.iter_mut();
    if let Some(begins) = prepared.find(|it| it.pointer == to)
        && let Some((main, argument)) = begins.main.take()
    {
        let new = (to, begins.number);
        thread::spawn(move || {
            OWN.set(new);
            wait(self::state(), new);
            // SAFETY: as the caller of `prepare` has promised.
            unsafe { main(argument) };
        });
    }
    SWITCHED.notify_all();
    wait(state, own);
}

/// Notes what a new stack below `top` is to run, and returns its pointer.
///
/// # Safety
///
/// As on x86-64.
pub unsafe fn prepare(top: usize, main: Main, argument: usize) -> usize {
    let pointer = top - 64;
    let mut state = state();
    state.count += 1;
    let number = state.count;
    state.prepared.retain(|it| it.pointer != pointer);
    state.prepared.push(Prepared {
        pointer,
        number,
        main: Some((main, argument)),
    });
    pointer
}

/// The pointer of the stack that runs.
pub fn here() -> usize {
    OWN.get().0
}

/// True if stacks can be switched in this process.
pub fn is_supported() -> bool {
    true
}
