//! The state word: whether the loop sleeps, how many threads wake it, and what it was asked for.
//!
//! The flags and the number of wakers are one word, so that one atomic step can look at some and
//! change others.

use crate::atomic::{AtomicU32, Ordering};
use crate::error::{Error, Result};

/// The queues are closed. This flag is never taken back.
pub(super) const CLOSED: u32 = 1;
/// The loop is asked to stop.
pub(super) const STOP: u32 = 2;
/// A wait is to return: the current one or the next.
pub(super) const WAKE: u32 = 4;
/// The loop waits or is about to.
const WAITING: u32 = 8;
/// The loop waits or is about to, and no waker has begun to wake it.
pub(super) const SLEEPING: u32 = 16;
/// One waker: a thread that is about to call [`Wake::wake`](crate::wake::Wake::wake), is in that
/// call, or is just leaving it. All bits from here up are the number of wakers.
pub(super) const ONE_WAKER: u32 = 32;

/// True if a thread that brings work must wake the loop: no waker has begun yet, or the wait is not
/// over and a waker may not have made its call.
pub(super) const fn needs_waking(state: u32) -> bool {
    state & SLEEPING != 0 || (state & WAITING != 0 && state >= ONE_WAKER)
}

/// The state word. Each method says which thread may call it.
pub(super) struct State {
    pub(super) word: AtomicU32,
}

impl State {
    /// An open loop that is awake.
    pub(super) fn new() -> State {
        State {
            word: AtomicU32::new(0),
        }
    }

    // ---- any thread ----

    /// True if the queues are closed. From another thread than the loop's, this may be old.
    pub(super) fn is_closed(&self) -> bool {
        // Relaxed: it orders nothing, and for the loop's thread it is its own doing.
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// True if the loop may be asleep. The caller has published its work, and put a full fence
    /// between that and this call.
    #[inline]
    pub(super) fn may_sleep(&self) -> bool {
        // Relaxed: ordered by the fence. One comparison for the commonest case, a loop that is
        // awake.
        self.word.load(Ordering::Relaxed) >= SLEEPING
    }

    /// Sets flags. If this returns true the caller is counted as a waker: it must call
    /// [`Wake::wake`](crate::wake::Wake::wake), and then [`waker_leaves`](Self::waker_leaves).
    ///
    /// `ESHUTDOWN`, with nothing changed, once the queues are closed.
    pub(super) fn request(&self, flags: u32) -> Result<bool> {
        // Relaxed: an old value makes the compare-and-swap fail.
        let mut state = self.word.load(Ordering::Relaxed);
        loop {
            if state & CLOSED != 0 {
                return Err(Error::ESHUTDOWN);
            }
            let wakes = needs_waking(state);
            let next = if wakes {
                (state & !SLEEPING).wrapping_add(ONE_WAKER)
            } else {
                state
            } | flags;
            // Release: the loop that finds a flag, or finds itself woken, sees what was done
            // before. The word is written even if its value stays the same, since a flag that
            // another thread has set does not release what this one did. All changes of one word
            // have one order, so no fence is needed: either the loop's SLEEPING comes first and is
            // found here, or the flag comes first and the loop finds that.
            let exchanged =
                self.word
                    .compare_exchange_weak(state, next, Ordering::Release, Ordering::Relaxed);
            match exchanged {
                Ok(_) => return Ok(wakes),
                Err(now) => state = now,
            }
        }
    }

    /// A waker has made its call, which failed if `has_failed`.
    pub(super) fn waker_leaves(&self, has_failed: bool) {
        if has_failed {
            // The loop may still sleep, so the next thread that brings work must try. Relaxed:
            // nothing was done that must be seen with it. If the wait is over by now, the flag
            // costs one needless call.
            self.word.fetch_or(SLEEPING, Ordering::Relaxed);
        }
        // Release, with the Acquire in `snapshot`: the thread that finds no waker knows that the
        // call is over.
        self.word.fetch_sub(ONE_WAKER, Ordering::Release);
    }

    // ---- the loop's thread ----

    /// Announces that the loop is about to sleep. Returns false if it was asked not to.
    pub(super) fn announce_sleep(&self) -> bool {
        // Acquire: the loop acts upon a request found here, so it must see what came before it.
        self.word.fetch_or(WAITING | SLEEPING, Ordering::Acquire) & WAKE == 0
    }

    /// Takes the announcement back.
    pub(super) fn cancel_sleep(&self) {
        // Relaxed: it releases nothing. If a thread has woken the loop already, one turn is empty.
        self.word
            .fetch_and(!(WAITING | SLEEPING), Ordering::Relaxed);
    }

    /// Ends a wait, whether it slept or not, and takes the request for a wake-up that it answers.
    #[inline]
    pub(super) fn end_wait(&self) {
        // Acquire, both, with the Release in `request`: this turn sees what was done before the
        // request. The load saves busy loops a locked instruction; a request that it misses is
        // found before the next sleep.
        const OVER: u32 = WAITING | SLEEPING | WAKE;
        if self.word.load(Ordering::Acquire) & OVER != 0 {
            self.word.fetch_and(!OVER, Ordering::Acquire);
        }
    }

    /// Takes the request to stop. Returns true if there was one.
    #[inline]
    pub(super) fn take_stop(&self) -> bool {
        // Acquire, both, as in `end_wait`.
        self.word.load(Ordering::Acquire) & STOP != 0
            && self.word.fetch_and(!STOP, Ordering::Acquire) & STOP != 0
    }

    /// Closes. Returns true if it was open.
    pub(super) fn close(&self) -> bool {
        // Acquire: the loop still finds what was asked for before, with all that came before it.
        self.word.fetch_or(CLOSED, Ordering::Acquire) & CLOSED == 0
    }

    /// The state now, to be given to [`close_at`](Self::close_at); `None` if there is a waker.
    pub(super) fn snapshot(&self) -> Option<u32> {
        // Acquire, with the Release in `waker_leaves`: the calls of the wakers that left are over.
        Some(self.word.load(Ordering::Acquire)).filter(|state| *state < ONE_WAKER)
    }

    /// Closes, if the state is what it was at the snapshot: then no thread has become a waker since
    /// then, and none will.
    pub(super) fn close_at(&self, snapshot: u32) -> bool {
        // Relaxed, both: `snapshot` has acquired what must be seen.
        self.word
            .compare_exchange(
                snapshot,
                snapshot | CLOSED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Forgets all wakers. Only while no other thread exists.
    pub(super) fn forget_wakers(&self) {
        // Relaxed: there is no other thread.
        self.word.fetch_and(ONE_WAKER - 1, Ordering::Relaxed);
    }
}
