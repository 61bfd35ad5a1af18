#![expect(unsafe_code, reason = "a waiter in pinned memory is in lists")]
//! A task that lets the others run.

use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use pirn_abi::PIRN_FOREVER;

use super::hub::{Hub, Result, result};
use super::wait::{on_wake, remember};
use crate::hub::pirn_hub;
use crate::waiter::{PIRN_WAITS, pirn_waiter};

/// Lets all others run that are ready, and goes on behind them.
#[inline]
pub fn yield_now(hub: &Hub) -> Yield<'_> {
    Yield {
        hub,
        has_begun: Cell::new(false),
        waiter: UnsafeCell::new(MaybeUninit::uninit()),
        waker: Cell::new(None),
        _pinned: PhantomPinned,
    }
}

/// The turn of the others: see [`yield_now`]. It is not a [`Wait`](super::Wait), because nothing is
/// granted that would have to be taken or given back: that halves its cost.
#[must_use = "a future does nothing until it is polled"]
// In this order, the waiter is not filled with zeros before it is initialised.
#[repr(C)]
pub struct Yield<'h> {
    hub: &'h Hub,
    waker: Cell<Option<Waker>>,
    has_begun: Cell<bool>,
    // Initialised when it begins, where it is.
    waiter: UnsafeCell<MaybeUninit<pirn_waiter>>,
    // The waiter is in lists while it waits.
    _pinned: PhantomPinned,
}

impl Yield<'_> {
    /// The waiter, if it has begun to wait.
    #[inline]
    fn waiter(&self) -> Option<&pirn_waiter> {
        let waiter = self.waiter.get().cast::<pirn_waiter>();
        // SAFETY: initialised before the flag was set, and only ever borrowed shared since.
        self.has_begun.get().then(|| unsafe { &*waiter })
    }

    /// Joins those that are ready.
    #[inline(never)]
    fn begin(&self, waker: &Waker) -> Poll<Result<()>> {
        let (hub, user) = (self.hub.raw(), (&raw const self.waker).cast_mut().cast());
        let fresh = pirn_waiter::new(self.hub.address(), Some(on_wake), user);
        // SAFETY: it has not begun, so nobody knows the waiter.
        unsafe { self.waiter.get().cast::<pirn_waiter>().write(fresh) };
        self.has_begun.set(true);
        self.waker.set(Some(waker.clone()));
        match self.waiter() {
            Some(waiter) if !waiter.step_back(hub) => wake_itself(waiter, hub),
            _ => Poll::Pending,
        }
    }
}

/// The rest of `begin`: a wait that ends as soon as it has begun.
#[cold]
#[inline(never)]
fn wake_itself(waiter: &pirn_waiter, hub: &pirn_hub) -> Poll<Result<()>> {
    let begun = waiter.park(PIRN_FOREVER);
    if begun != PIRN_WAITS {
        return Poll::Ready(result(begun as isize).map(|_| ()));
    }
    waiter.wake_parked(hub, 0);
    Poll::Pending
}

impl Future for Yield<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        // Only ever borrowed shared: what changes is in cells.
        let this = self.into_ref().get_ref();
        match this.waiter() {
            None => this.begin(context.waker()),
            Some(waiter) if !waiter.is_live() => Poll::Ready(Ok(())),
            Some(_) => {
                remember(&this.waker, context.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for Yield<'_> {
    #[inline]
    fn drop(&mut self) {
        // Only ever borrowed shared.
        let this = &*self;
        if let Some(waiter) = this.waiter().filter(|waiter| waiter.is_live()) {
            waiter.forget(this.hub.raw());
        }
    }
}
