#![expect(unsafe_code, reason = "a waiter in pinned memory is in lists")]
//! A wait as a future.

use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_int, c_void};
use core::future::Future;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::ptr::null_mut;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use pirn_abi::PIRN_FOREVER;

use super::hub::Hub;
use super::wakers;
use crate::hub::pirn_hub;
use crate::waiter::{PIRN_WAITS, pirn_waiter};

/// How a wait for an object begins, and what it returns. For code that builds objects.
///
/// # Safety
///
/// `start` begins the wait with the waiter that it is given and with no other, and returns what a
/// C function does whose name ends in `_start`. What the wait needs stays in place while `self`
/// does, and while the waiter waits after `self` was leaked.
pub unsafe trait Start {
    /// What the wait returns.
    type Output;

    /// Begins the wait. The waiter is NULL if nothing but a try is wanted; then the limit is 0.
    ///
    /// # Safety
    ///
    /// `self` stays where it is until the wait is over, and the waiter is idle.
    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int;

    /// Makes what the wait returns of its result. Called once for each time that it began.
    fn finish(&self, result: c_int) -> Self::Output;

    /// The wait was over, with this result, and nobody took it. What was granted is given back
    /// already.
    fn undone(&self, _result: c_int) {}
}

/// A wait that has not begun. It begins when it is first polled, and is over when it returns; one
/// that is dropped before leaves all others as if it had never come.
///
/// For a fiber to wait, pass it to `pirn_fiber::Hub::wait`.
#[must_use = "a wait begins when it is awaited"]
// In this order, the waiter is not filled with zeros before it is initialised.
#[repr(C)]
pub struct Wait<'h, S: Start> {
    start: S,
    hub: &'h Hub,
    timeout_ns: u64,
    waker: Cell<Option<Waker>>,
    state: Cell<State>,
    // Initialised when it begins, where it is.
    waiter: UnsafeCell<MaybeUninit<pirn_waiter>>,
    // The waiter is in lists while it waits.
    _pinned: PhantomPinned,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Fresh,
    Begun,
    Over,
}

impl<'h, S: Start> Wait<'h, S> {
    /// Makes a wait without a time limit. For code that builds objects.
    #[inline]
    pub fn new(hub: &'h Hub, start: S) -> Self {
        Wait {
            start,
            hub,
            timeout_ns: PIRN_FOREVER,
            waker: Cell::new(None),
            state: Cell::new(State::Fresh),
            waiter: UnsafeCell::new(MaybeUninit::uninit()),
            _pinned: PhantomPinned,
        }
    }

    /// Sets a time limit, after which the wait returns `ETIMEDOUT`. It counts from the time of the
    /// turn in which the wait begins. No time at all only tries, and returns `EAGAIN`.
    pub fn within(mut self, limit: Duration) -> Self {
        self.timeout_ns = Hub::nanoseconds(Some(limit));
        self
    }

    /// Tries, without waiting. An error is `EAGAIN` if it would have to wait.
    pub fn try_now(self) -> S::Output {
        // SAFETY: there is no waiter, so nothing begins.
        let result = unsafe { self.start.start(null_mut(), 0) };
        self.start.finish(result)
    }

    /// For the layers above: what is waited for.
    pub fn what(&self) -> &S {
        &self.start
    }

    /// For the layers above: true if the wait is one in this hub.
    pub fn is_in(&self, hub: &Hub) -> bool {
        core::ptr::eq(self.hub, hub)
    }

    /// For the layers above: the time limit.
    pub fn timeout_ns(&self) -> u64 {
        self.timeout_ns
    }

    /// The waiter, if the wait has begun.
    #[inline]
    fn waiter(&self) -> Option<&pirn_waiter> {
        let waiter = self.waiter.get().cast::<pirn_waiter>();
        // SAFETY: initialised before the state was set, and only ever borrowed shared since.
        (self.state.get() != State::Fresh).then(|| unsafe { &*waiter })
    }

    /// Begins the wait. Returns what a C function does whose name ends in `_start`.
    ///
    /// # Safety
    ///
    /// Pinned, and fresh.
    #[inline(never)]
    unsafe fn begin(&self) -> c_int {
        let waiter = self.waiter.get().cast::<pirn_waiter>();
        let waker = (&raw const self.waker).cast_mut().cast();
        let fresh = pirn_waiter::new(self.hub.address(), Some(on_wake), waker);
        fresh.set_deferred();
        // SAFETY: it has not begun, so nobody knows the waiter.
        unsafe { waiter.write(fresh) };
        // Until it is known that it waits.
        self.state.set(State::Over);
        // SAFETY: pinned, so all stay where they are until they are dropped; `drop` ends the wait.
        unsafe { self.start.start(waiter, self.timeout_ns) }
    }
}

/// Keeps a waker for [`on_wake`].
pub(super) fn remember(place: &Cell<Option<Waker>>, waker: &Waker) {
    let known = place.take().filter(|known| known.will_wake(waker));
    place.set(Some(known.unwrap_or_else(|| waker.clone())));
}

impl<S: Start> Future for Wait<'_, S> {
    type Output = S::Output;

    /// # Panics
    ///
    /// If the wait has returned already.
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<S::Output> {
        // Only ever borrowed shared: what changes is in cells.
        let this = self.into_ref().get_ref();
        let result = match (this.state.get(), this.waiter()) {
            (State::Begun, Some(waiter)) if waiter.is_waiting() => PIRN_WAITS,
            (State::Begun, Some(waiter)) => waiter.take_over(),
            (State::Over, _) => panic!("a wait is polled after its end"),
            // SAFETY: pinned, and fresh.
            _ => unsafe { this.begin() },
        };
        if result == PIRN_WAITS {
            this.state.set(State::Begun);
            remember(&this.waker, context.waker());
            return Poll::Pending;
        }
        this.state.set(State::Over);
        Poll::Ready(this.start.finish(result))
    }
}

impl<S: Start> Drop for Wait<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // Only ever borrowed shared.
        let this = &*self;
        let Some(waiter) = this.waiter() else { return };
        if waiter.is_live() {
            let result = waiter.over();
            waiter.forget(this.hub.raw());
            if let Some(result) = result {
                this.start.undone(result);
            }
        }
        waiter.abandon_all();
    }
}

/// `wake` of a waiter in a future, whose `user` is where the future keeps the waker.
pub(super) unsafe extern "C" fn on_wake(
    hub: *mut pirn_hub,
    waiter: *mut pirn_waiter,
    _result: c_int,
) {
    // SAFETY: called with a live waiter.
    let user: *mut c_void = unsafe { &*waiter }.user.get();
    // SAFETY: set by `begin` to a part of the same future, which is pinned and not dropped yet.
    let waker = unsafe { &*user.cast::<Cell<Option<Waker>>>() }.take();
    // From here on the future may be gone.
    if let Some(waker) = waker {
        wakers::wake_here(hub, waker);
    }
}
