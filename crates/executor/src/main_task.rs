#![expect(
    unsafe_code,
    reason = "the loop is run, and a future is pinned in a struct"
)]
//! The future of the program itself.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use pirn::Error;
use pirn_abi::{PIRN_DONE, PIRN_STOPPED, pirn_run, pirn_stop};
use pirn_wait::{Hub, Result, Wakers};

use crate::tasks::{Slots, scope};

/// Runs the loop until a future has returned, and returns that. Everything else in the loop goes on
/// meanwhile.
///
/// # Errors
///
/// - [`Error::EBUSY`]: called in a callback, a fiber or a task, or the waker is in use
/// - [`Error::EDEADLK`]: the loop waits for nothing any more that could wake the future. If another
///   thread can, hold the loop: [`Hub::hold`]
/// - [`Error::ECANCELED`]: somebody has stopped the loop
pub fn block_on<F: Future>(hub: &Hub, waker: &'static Wakers<1>, future: F) -> Result<F::Output> {
    scope(hub, waker, &mut Slots::new(), |tasks| {
        let Ok(mut task) = tasks.spawn(Main { hub, future }) else {
            return Err(Error::ENOSPC);
        };
        // SAFETY: the loop is live as long as its hub.
        let ended = unsafe { pirn_run(hub.raw().event_loop()) };
        match task.take() {
            Some(output) => Ok(output),
            None => Err(match ended {
                PIRN_DONE => Error::EDEADLK,
                PIRN_STOPPED => Error::ECANCELED,
                errno => Error::from_errno(errno.saturating_neg()),
            }),
        }
    })?
}

/// Stops the loop when its future has returned.
struct Main<'h, F> {
    hub: &'h Hub,
    future: F,
}

impl<F: Future> Future for Main<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let event_loop = self.hub.raw().event_loop();
        // SAFETY: the future is pinned with the struct, and nothing moves it out.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.future) };
        let output = future.poll(context);
        if output.is_ready() {
            // SAFETY: the loop is live as long as its hub.
            unsafe { pirn_stop(event_loop) };
        }
        output
    }
}
