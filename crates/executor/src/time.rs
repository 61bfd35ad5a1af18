#![expect(
    unsafe_code,
    reason = "C functions are called, and futures are pinned in a struct"
)]
//! Waiting for time.

use core::ffi::c_int;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use pirn::Error;
use pirn_abi::pirn_update;
use pirn_wait::ffi::pirn_park_start;
use pirn_wait::{ETIMEDOUT, Hub, Result, Start, Wait, pirn_waiter, result};

/// Time that passes: what [`sleep`] waits for.
pub struct Pause<'h> {
    // The clock is read when it begins.
    fresh: Option<&'h Hub>,
}

// SAFETY: the waiter is parked, and needs nothing.
unsafe impl Start for Pause<'_> {
    type Output = Result<()>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        if let Some(hub) = self.fresh {
            // SAFETY: the loop is live as long as its hub.
            unsafe { pirn_update(hub.raw().event_loop()) };
        }
        // SAFETY: passed on. No time at all lets the others have a turn.
        unsafe { pirn_park_start(waiter, timeout_ns.max(1)) }
    }

    fn finish(&self, status: c_int) -> Result<()> {
        if status == -ETIMEDOUT {
            return Ok(());
        }
        result(status as isize).map(|_| ())
    }
}

/// Waits until some time has passed, never less. No time at all lets the loop have a whole turn.
pub fn sleep(hub: &Hub, delay: Duration) -> Wait<'_, Pause<'_>> {
    Wait::new(hub, Pause { fresh: Some(hub) }).within(delay)
}

/// Limits a future: when the time is over it is not polled any more, and the result is
/// [`Error::ETIMEDOUT`]. The time counts from the turn in which it is first polled.
///
/// If the future has its result in the turn in which the time is over, the result wins.
pub fn timeout<F: Future>(hub: &Hub, limit: Duration, future: F) -> Timeout<'_, F> {
    Timeout {
        future,
        pause: Wait::new(hub, Pause { fresh: None }).within(limit),
    }
}

/// A future with a limit: see [`timeout`].
#[must_use = "a future does nothing until it is polled"]
pub struct Timeout<'h, F> {
    future: F,
    pause: Wait<'h, Pause<'h>>,
}

impl<F: Future> Future for Timeout<'_, F> {
    type Output = Result<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of the struct.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: pinned with the struct.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        if let Poll::Ready(output) = future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        // SAFETY: as above.
        let pause = unsafe { Pin::new_unchecked(&mut this.pause) };
        pause
            .poll(context)
            .map(|passed| Err(passed.err().unwrap_or(Error::ETIMEDOUT)))
    }
}
