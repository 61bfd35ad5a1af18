#![expect(
    unsafe_code,
    reason = "futures are polled in slots that their wakers lead to"
)]
//! Tasks: futures that run side by side, in slots that the caller provides.

use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use pirn_wait::{Claim, Hub, Result, Wakers};

/// Memory for `N` tasks: futures of one type, and what they return.
pub struct Slots<F: Future, const N: usize> {
    slots: [Slot<F>; N],
}

impl<F: Future, const N: usize> Slots<F, N> {
    /// Makes free slots.
    #[expect(clippy::new_without_default, reason = "it may be for a static")]
    pub const fn new() -> Self {
        Slots {
            slots: [const { Slot::new() }; N],
        }
    }
}

/// A slot, and the task in it.
struct Slot<F: Future> {
    state: Cell<State>,
    // A handle waits for the output, or could.
    has_handle: Cell<bool>,
    // Where its wakers point to, while a scope uses the slot.
    cell: Cell<Option<&'static pirn_wait::Cell>>,
    joiner: Cell<Option<Waker>>,
    stage: UnsafeCell<Stage<F>>,
    // The future is pinned here.
    _pinned: PhantomPinned,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Free,
    /// There is a future, which can be polled.
    Live,
    /// The stage is in use: the future is being polled, or something in it is being dropped.
    Busy,
    /// As `Busy`, and the future is to be dropped afterwards.
    Cancelled,
    /// There is an output.
    Ended,
}

enum Stage<F: Future> {
    Empty,
    Future(F),
    Output(F::Output),
}

impl<F: Future> Slot<F> {
    const fn new() -> Self {
        Slot {
            state: Cell::new(State::Free),
            has_handle: Cell::new(false),
            cell: Cell::new(None),
            joiner: Cell::new(None),
            stage: UnsafeCell::new(Stage::Empty),
            _pinned: PhantomPinned,
        }
    }

    /// Puts a future into the slot, which is free.
    fn start(&self, future: F) {
        // SAFETY: the slot is free, so nobody uses the stage.
        unsafe { *self.stage.get() = Stage::Future(future) };
        self.has_handle.set(true);
        self.state.set(State::Live);
        if let Some(cell) = self.cell.get() {
            cell.wake();
        }
    }

    /// Polls the future, if there is one.
    fn poll(&self) {
        let Some(cell) = self.cell.get() else { return };
        match self.state.get() {
            State::Live => self.state.set(State::Busy),
            // Another loop runs inside the future.
            State::Busy => return cell.wake(),
            _ => return,
        }
        // SAFETY: the state says that nobody else uses the stage, until it is changed below.
        let stage = unsafe { &mut *self.stage.get() };
        let Stage::Future(future) = stage else { return };
        // SAFETY: the slot does not move while a scope uses it, and the future is dropped in it.
        let future = unsafe { Pin::new_unchecked(future) };
        let waker = cell.waker();
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Pending if self.state.get() == State::Busy => self.state.set(State::Live),
            Poll::Pending => self.clear(),
            Poll::Ready(output) => {
                *stage = Stage::Empty;
                self.end(output);
            }
        }
    }

    /// The future has returned, and is dropped.
    fn end(&self, output: F::Output) {
        if self.has_handle.get() {
            // SAFETY: the state is `Busy`, and this is its user.
            unsafe { *self.stage.get() = Stage::Output(output) };
            self.state.set(State::Ended);
            if let Some(joiner) = self.joiner.take() {
                joiner.wake();
            }
        } else {
            self.clear();
            drop(output);
        }
    }

    /// Drops what is in the slot, and frees it.
    fn clear(&self) {
        struct Freeing<'a>(&'a Cell<State>);
        impl Drop for Freeing<'_> {
            fn drop(&mut self) {
                self.0.set(State::Free);
            }
        }
        // What is dropped may do anything, but nothing with this slot.
        self.state.set(State::Busy);
        let _freeing = Freeing(&self.state);
        self.has_handle.set(false);
        self.joiner.set(None);
        // SAFETY: the state says that nobody else uses the stage.
        unsafe { *self.stage.get() = Stage::Empty };
    }

    /// There is no handle any more.
    fn forsake(&self, is_cancelled: bool) {
        self.has_handle.set(false);
        self.joiner.set(None);
        match self.state.get() {
            State::Ended => self.clear(),
            State::Live if is_cancelled => self.clear(),
            State::Busy if is_cancelled => self.state.set(State::Cancelled),
            _ => {}
        }
    }

    /// Takes the output, if the task has ended.
    fn take(&self) -> Option<F::Output> {
        if self.state.get() != State::Ended {
            return None;
        }
        // SAFETY: the task has ended, so nobody else uses the stage.
        let stage = core::mem::replace(unsafe { &mut *self.stage.get() }, Stage::Empty);
        self.state.set(State::Free);
        match stage {
            Stage::Output(output) => Some(output),
            _ => None,
        }
    }
}

/// Polls the future of a slot whose cell was woken.
unsafe fn poll_slot<F: Future>(slot: *const ()) {
    // SAFETY: attached by `scope`, which outlives the claim.
    unsafe { &*slot.cast::<Slot<F>>() }.poll();
}

/// Runs `part` with tasks, in the slots and with the wakers that are given.
///
/// Tasks run while the loop does: in [`block_on`](crate::block_on), or while a fiber or the program
/// waits. When `part` returns, the futures of all tasks that have not ended are dropped.
///
/// # Errors
///
/// [`Error::EBUSY`](pirn::Error::EBUSY): another scope uses the wakers.
pub fn scope<F: Future, R, const N: usize>(
    hub: &Hub,
    wakers: &'static Wakers<N>,
    slots: &mut Slots<F, N>,
    part: impl FnOnce(&Tasks<'_, F>) -> R,
) -> Result<R> {
    // SAFETY: dropped before this returns, and the hub is borrowed for longer.
    let claim = unsafe { wakers.claim(hub) }?;
    let slots = &slots.slots;
    for (slot, cell) in slots.iter().zip(claim.cells()) {
        slot.cell.set(Some(cell));
        // SAFETY: one of its cells; the slot is borrowed for longer than the claim lives.
        unsafe { claim.attach(cell, poll_slot::<F>, (&raw const *slot).cast()) };
    }
    let tasks = Tasks {
        slots,
        first: Cell::new(0),
        claim,
    };
    Ok(part(&tasks))
}

/// Tasks of a scope: see [`scope`].
pub struct Tasks<'s, F: Future> {
    slots: &'s [Slot<F>],
    // Where to begin to look for a free slot.
    first: Cell<usize>,
    // Dropped after the futures.
    claim: Claim<'s>,
}

impl<F: Future> Tasks<'_, F> {
    /// Starts a task. Its future is first polled when the caller waits.
    ///
    /// Cost: O(slots) if nearly all are in use.
    ///
    /// # Errors
    ///
    /// The future, if no slot is free.
    pub fn spawn(&self, future: F) -> core::result::Result<Task<'_, F>, F> {
        let (before, from) = self.slots.split_at(self.first.get());
        let mut order = from.iter().chain(before).enumerate();
        match order.find(|(_, slot)| slot.state.get() == State::Free) {
            Some((distance, slot)) => {
                let place = self.first.get() + distance + 1;
                self.first.set(place % self.slots.len());
                slot.start(future);
                Ok(Task { slot: Some(slot) })
            }
            None => Err(future),
        }
    }

    /// The hub in which the tasks wait.
    pub fn hub(&self) -> &Hub {
        self.claim.hub()
    }
}

impl<F: Future> Drop for Tasks<'_, F> {
    fn drop(&mut self) {
        /// A future whose drop panics must not leave others in their slots.
        struct Aborting;
        impl Drop for Aborting {
            fn drop(&mut self) {
                abort();
            }
        }
        let aborting = Aborting;
        for slot in self.slots {
            match slot.state.get() {
                State::Free => {}
                State::Live | State::Ended => slot.clear(),
                State::Busy | State::Cancelled => abort(),
            }
            slot.cell.set(None);
        }
        core::mem::forget(aborting);
    }
}

/// Ends the program: a panic cannot leave this function.
extern "C" fn abort() -> ! {
    panic!("a scope ends while one of its tasks runs, or fails to drop one");
}

/// A task, and what it will return: a future of that.
///
/// Dropping it cancels the task: its future is dropped at once.
#[must_use = "a task is cancelled when this is dropped"]
pub struct Task<'t, F: Future> {
    // `None` once the output was taken.
    slot: Option<&'t Slot<F>>,
}

impl<F: Future> Task<'_, F> {
    /// Lets the task go on by itself. What it returns is dropped.
    pub fn detach(mut self) {
        if let Some(slot) = self.slot.take() {
            slot.forsake(false);
        }
    }

    /// What the task has returned, if it has ended.
    pub(crate) fn take(&mut self) -> Option<F::Output> {
        let output = self.slot?.take()?;
        self.slot = None;
        Some(output)
    }
}

impl<F: Future> Future for Task<'_, F> {
    type Output = F::Output;

    /// # Panics
    ///
    /// If the output was taken already.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let slot = self.slot.expect("a task is polled after its end");
        match self.take() {
            Some(output) => Poll::Ready(output),
            None => {
                slot.joiner.set(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl<F: Future> Drop for Task<'_, F> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.forsake(true);
        }
    }
}
