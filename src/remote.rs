#![cfg_attr(
    feature = "ffi",
    expect(
        unsafe_code,
        reason = "moving the mailbox asks that nobody else is inside"
    )
)]
//! Remote: the part of the loop that other threads, signal handlers and interrupts may touch.
//!
//! Everything else in a loop belongs to one thread. This is the exception, and all of it works
//! through `&self`. It has to hold against four enemies.
//!
//! **Two at once.** Messages go into a ring whose places are given out by compare-and-swap: see
//! [`mailbox`].
//!
//! **Being stopped anywhere.** A signal handler may post while the thread below it is in the middle
//! of posting, and an interrupt while the loop is in the middle of taking. So there is no lock and
//! nobody waits for anybody: each loop in here that starts over does so because someone else has
//! got further. A poster stopped between reserving and publishing holds back the messages behind
//! its own, for they run in order, but not their posters, nor the loop: to the loop an unpublished
//! entry is the end of the queue. It goes to sleep, and the late publication wakes it.
//!
//! **The wake-up that falls between the check and the sleep.** Waking is dear (a system call), so
//! it is done only for a loop that sleeps. Whoever brings work first publishes it and then looks
//! whether the loop sleeps; the loop first publishes that it sleeps and then looks for work. With a
//! full barrier between the two steps on either side, one of them sees the other. Of many who see a
//! sleeping loop, the one that takes the [`SLEEPING`] bit out of the state makes the call, so a
//! burst costs one. Until that call is over nobody can know when it will be, for its thread may
//! have been preempted: whoever brings work in that time makes the call too. A call that fails
//! gives the bit back, so that the next one tries again.
//!
//! **The end.** The wake object may be an fd, and its number may belong to another file as soon as
//! it is closed. So whoever is about to wake is counted in, in the very same step that takes the
//! `SLEEPING` bit and sees that the loop is not closed: flags and count are one word.
//! [`Shared::retire`] closes, and answers `EBUSY` while anybody is inside. And what a post has
//! accepted must not be lost: closing moves `tail` away by half the range of tickets, so that every
//! reservation under way fails, and how many succeeded before is known for good. It costs posts
//! nothing: to them a closed ring is a full one.
//!
//! What this cannot do is keep the memory: whoever might still call must be known to be finished
//! before it is used for something else.
//!
//! Async-signal-safe, of [`post`](Shared::post), [`raise`](Shared::raise), [`wake`](Shared::wake)
//! and [`stop`](Shared::stop), means: no lock, no allocation, no thread-local (errno neither),
//! bounded stack, and correct when entered again at any instruction. It holds as far as
//! [`Wake::wake`] keeps it.

mod mailbox;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use self::mailbox::Mailbox;
pub(crate) use self::mailbox::{Entry, Ticket};
use crate::atomic::{AtomicU32, Ordering, fence};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::wake::{Owned, Wake};

/// The queues are closed; nothing leaves this state.
const CLOSED: u32 = 1;
/// The loop is asked to stop.
const STOP: u32 = 2;
/// A wait is to return, the current one or the next.
const WAKE: u32 = 4;
/// The loop waits or is about to.
const WAITING: u32 = 8;
/// And nobody has taken on waking it.
const SLEEPING: u32 = 16;
/// One who is about to call [`Wake::wake`], is inside or is just leaving. All bits from here up are
/// their number.
const ONE_WAKER: u32 = 32;

/// True if whoever brings work is to call [`Wake::wake`]: nobody has yet, or somebody may still be
/// short of it.
const fn needs_waking(state: u32) -> bool {
    state & SLEEPING != 0 || (state & WAITING != 0 && state >= ONE_WAKER)
}

/// The highest bit [`Shared::raise`] takes.
pub(crate) const MAX_RAISED: u32 = 63;

/// What others may touch of a loop. The methods say who may call them: any thread, or the loop's.
pub(crate) struct Shared<'a, W> {
    mailbox: Mailbox<'a>,
    /// The flags and the number of wakers, in one word so that they change together.
    state: AtomicU32,
    /// Bits 0 to 31, and 32 to 63: two words, for 32-bit callbacks have no atomic of 64 bits.
    raised: [AtomicU32; 2],
    wake_count: AtomicU32,
    wake: W,
}

impl<W: Owned> Shared<'_, W> {
    /// [`Owned::owner`]. Loop thread.
    pub(crate) fn owner(&self) -> u32 {
        self.wake.owner()
    }

    /// [`Owned::is_copy`]. Loop thread.
    #[inline]
    pub(crate) fn is_copy(&self) -> Option<bool> {
        self.wake.is_copy()
    }

    /// [`Owned::adopt`]. Loop thread.
    pub(crate) fn adopt(&self) {
        self.wake.adopt();
    }

    /// [`take`](Self::take), in whichever process: in a copy the poster that a message waits for
    /// may not exist. Loop thread.
    pub(crate) fn take_here(&self) -> Option<Callback> {
        self.take().or_else(|| {
            if self.mailbox.is_pending(self.mailbox.end()) && self.is_copy() == Some(true) {
                self.forget_others();
            }
            self.take()
        })
    }

    /// [`retire`](Self::retire), in whichever process: in a copy other threads' steps are none.
    /// Loop thread.
    pub(crate) fn retire_here(&self) -> Result<()> {
        match self.retire() {
            Err(Error::EBUSY) if self.is_copy() == Some(true) => {
                self.close();
                Ok(())
            }
            result => result,
        }
    }
}

impl<'a, W: Wake> Shared<'a, W> {
    /// An open, empty mailbox over `entries`, any number of them, and a loop that is awake.
    /// Whatever the entries held is forgotten.
    pub(crate) fn new(entries: &'a [Entry], wake: W) -> Self {
        Self::starting_at(0, entries, wake)
    }

    /// As [`new`](Self::new), with another first ticket: tests begin shortly before it wraps.
    fn starting_at(first: usize, entries: &'a [Entry], wake: W) -> Self {
        Shared {
            mailbox: Mailbox::new(entries, first),
            state: AtomicU32::new(0),
            raised: [AtomicU32::new(0), AtomicU32::new(0)],
            wake_count: AtomicU32::new(0),
            wake,
        }
    }

    // Any thread, signal handler or interrupt.

    /// Queues a message: the loop runs it once, after all that were accepted before it, and wakes
    /// for it if it sleeps.
    ///
    /// `EAGAIN` if there is no room, `ESHUTDOWN` once closed. Lock-free, async-signal-safe; a
    /// system call only if the loop sleeps and nobody has woken it yet. Any thread.
    #[inline]
    pub(crate) fn post(&self, callback: Callback) -> Result<()> {
        self.mailbox.push(callback)?;
        self.rouse();
        Ok(())
    }

    /// Sets bit `bit`, 0 to 63, to be found by the loop: any number of times before it looks is
    /// once. For those who may not find the mailbox full, and need to say only that something
    /// happened.
    ///
    /// `EINVAL` beyond 63, `ESHUTDOWN` once closed; a bit raised while the loop closes may be found
    /// by nobody. Lock-free, async-signal-safe; a system call as in [`post`](Self::post). Any
    /// thread.
    pub(crate) fn raise(&self, bit: u32) -> Result<()> {
        let [low, high] = &self.raised;
        let word = match bit {
            0..32 => low,
            32..=MAX_RAISED => high,
            _ => return Err(Error::EINVAL),
        };
        // Relaxed: this only refuses those who come after closing; a race with it is documented
        // above.
        if self.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return Err(Error::ESHUTDOWN);
        }
        // Release: who finds the bit sees what was done before it was raised.
        word.fetch_or(1 << (bit & 31), Ordering::Release);
        // Even if the bit was set already: whoever set it may be stopped short of waking the loop.
        self.rouse();
        Ok(())
    }

    /// Makes the loop's current wait return or, if it is not waiting, its next: at least one turn
    /// begins or goes on after this call, and sees what was done before it.
    ///
    /// `ESHUTDOWN` once closed. Lock-free, async-signal-safe; a system call only if the loop
    /// sleeps. Any thread.
    pub(crate) fn wake(&self) -> Result<()> {
        self.request(WAKE)
    }

    /// Asks the loop to stop, and wakes it; it stays asked until [`take_stop`](Self::take_stop).
    /// Errors, cost and thread as [`wake`](Self::wake).
    pub(crate) fn stop(&self) -> Result<()> {
        self.request(STOP | WAKE)
    }

    /// Wakes the loop if it sleeps, after work was published.
    #[inline]
    fn rouse(&self) {
        // Our half of the bargain in `about_to_sleep`: publish, barrier, look at the state. The two
        // fences have one order. If ours is first, the loop sees what we published and does not
        // sleep. If the loop's is first, we see SLEEPING, or that another has taken it and is at
        // the call, or that the wait is over or will be: then the loop looks again before it
        // sleeps. Nothing weaker will do: a store and a later load of something else may change
        // places on every processor but for a fence.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence. One comparison for the commonest case, a loop that is
        // awake.
        if self.state.load(Ordering::Relaxed) >= SLEEPING {
            self.rouse_sleeping();
        }
    }

    #[cold]
    fn rouse_sleeping(&self) {
        // Refused only if closed, by the loop's thread, which then is not asleep.
        let _ = self.request(0);
    }

    /// Sets flags of the loop's state, and wakes the loop unless that was done.
    fn request(&self, flags: u32) -> Result<()> {
        // Relaxed: a value too old makes the compare-and-swap fail.
        let mut state = self.state.load(Ordering::Relaxed);
        let wakes = loop {
            if state & CLOSED != 0 {
                return Err(Error::ESHUTDOWN);
            }
            let wakes = needs_waking(state);
            let next = if wakes {
                (state & !SLEEPING).wrapping_add(ONE_WAKER)
            } else {
                state
            } | flags;
            // Release: the loop that finds a flag, or itself woken, sees what was done before. Done
            // even where nothing changes, for a flag that another has set does not release what we
            // did. All changes of one word have one order, so it needs no fence: either the loop's
            // SLEEPING comes first and we find it, or our flag does and the loop finds that.
            match self.state.compare_exchange_weak(
                state,
                next,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break wakes,
                Err(now) => state = now,
            }
        };
        if wakes {
            // Relaxed: a count that orders nothing.
            self.wake_count.fetch_add(1, Ordering::Relaxed);
            if self.wake.wake().is_err() {
                // The loop may sleep on: the next one is to try. Relaxed: nothing was done that is
                // to be seen with it. If the wait is over by now, the bit costs a call too many.
                self.state.fetch_or(SLEEPING, Ordering::Relaxed);
            }
            // Release, with the Acquire in `retire`: who finds nobody inside knows that the call
            // above is over.
            self.state.fetch_sub(ONE_WAKER, Ordering::Release);
        }
        Ok(())
    }

    // The loop's thread.

    /// Calls [`Wake::wake`] whatever the state: for news that is not in the mailbox. Loop thread.
    pub(crate) fn ring(&self) {
        // If it fails, whatever is changed next tries again.
        let _ = self.wake.wake();
    }

    /// Declares that the loop is about to wait. `true`: it may; from now on, whatever brings work
    /// calls [`Wake::wake`]. `false`: there is work, or a wake-up or stop was asked for; look
    /// without waiting. Call [`awake`](Self::awake) afterwards in either case.
    ///
    /// Whatever [`Wake::wake`] leaves behind (a readable eventfd) is to be cleared between the end
    /// of the wait and the next call of this, never between this and the wait: there it would be a
    /// wake-up lost.
    pub(crate) fn about_to_sleep(&self) -> bool {
        // Acquire: a request found here is acted upon, and what came before it must be seen.
        let before = self.state.fetch_or(WAITING | SLEEPING, Ordering::Acquire);
        // The loop's half of the bargain in `rouse`: say so, barrier, look for work.
        fence(Ordering::SeqCst);
        if before & WAKE == 0 && !self.has_work() {
            return true;
        }
        // Relaxed: takes back what was said. Somebody may have woken us already; that costs an
        // empty turn at a later wait.
        self.state
            .fetch_and(!(WAITING | SLEEPING), Ordering::Relaxed);
        false
    }

    /// Declares the wait over, whether it slept or only looked, and consumes the wake-up asked for:
    /// this turn is the one. Loop thread.
    #[inline]
    pub(crate) fn awake(&self) {
        // Acquire, both, with the Release in `request`: this turn sees what was done before it was
        // asked for. The load spares busy loops a locked instruction; a request it misses is found
        // before the next sleep.
        const OVER: u32 = WAITING | SLEEPING | WAKE;
        if self.state.load(Ordering::Acquire) & OVER != 0 {
            self.state.fetch_and(!OVER, Ordering::Acquire);
        }
    }

    /// Whether a message was posted, published or not; or the queues are closed, which looks alike.
    /// Loop thread.
    #[inline]
    pub(crate) fn has_posts(&self) -> bool {
        // Relaxed, both: only whether, not what; taking them acquires. A message it misses is found
        // before the next sleep.
        self.mailbox.head.load(Ordering::Relaxed) != self.mailbox.tail.load(Ordering::Relaxed)
    }

    /// Whether a message can be taken or a bit is raised. Loop thread.
    pub(crate) fn has_work(&self) -> bool {
        self.has_raised() || (self.has_posts() && self.mailbox.is_published())
    }

    /// The bits raised since the last call. Loop thread.
    #[inline]
    pub(crate) fn take_raised(&self) -> u64 {
        // Spares idle turns the locked instructions; a bit it misses is found before the next
        // sleep.
        if !self.has_raised() {
            return 0;
        }
        let [low, high] = &self.raised;
        // Acquire, with the Release in `raise`.
        let take = |word: &AtomicU32| u64::from(word.swap(0, Ordering::Acquire));
        take(low) | take(high) << 32
    }

    /// True if a bit is raised. Loop thread.
    #[inline]
    fn has_raised(&self) -> bool {
        let [low, high] = &self.raised;
        // Relaxed, both: only whether, not which; taking them acquires.
        low.load(Ordering::Relaxed) | high.load(Ordering::Relaxed) != 0
    }

    /// Whether a stop was asked for since the last call. Loop thread.
    #[inline]
    pub(crate) fn take_stop(&self) -> bool {
        // Acquire, both, as in `awake`.
        self.state.load(Ordering::Acquire) & STOP != 0
            && self.state.fetch_and(!STOP, Ordering::Acquire) & STOP != 0
    }

    /// Where the mailbox ends now, and how many are in it: a turn takes what is before. Loop
    /// thread.
    #[inline]
    pub(crate) fn published_end(&self) -> (Ticket, usize) {
        let end = self.mailbox.end();
        // Relaxed, both: a statistic.
        let length = end
            .0
            .wrapping_sub(self.mailbox.head.load(Ordering::Relaxed));
        if length > self.mailbox.peak.load(Ordering::Relaxed) {
            self.mailbox.peak.fetch_max(length, Ordering::Relaxed);
        }
        (end, length)
    }

    /// The next message of those before `end`, or `None` if there is none or its poster has not
    /// finished. Loop thread.
    #[inline]
    pub(crate) fn pop(&self, end: Ticket) -> Option<Callback> {
        self.mailbox.pop(end)
    }

    /// The next message of all: to hand back what is left at the end of the loop's life. Loop
    /// thread.
    pub(crate) fn take(&self) -> Option<Callback> {
        self.mailbox.pop(self.mailbox.end())
    }

    /// True if [`close`](Self::close) was called. Loop thread.
    #[cfg(any(test, feature = "ffi"))]
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: the loop's own doing.
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// True if what is queued can be moved to `count` places: see [`move_to`](Self::move_to). Loop
    /// thread.
    #[cfg(feature = "ffi")]
    pub(crate) fn fits(&self, count: usize) -> bool {
        self.mailbox.fits(count)
    }

    /// Moves the mailbox into `entries`, where what is queued [fits](Self::fits). Loop thread.
    ///
    /// # Safety
    ///
    /// No other thread, signal handler or interrupt uses this meanwhile, and whatever tells them to
    /// go on orders this before.
    #[cfg(feature = "ffi")]
    pub(crate) unsafe fn move_to(&self, entries: &'a [Entry]) {
        // SAFETY: passed on.
        unsafe { self.mailbox.move_to(entries) };
    }

    /// Refuses posts, bits, wake-ups and stops from now on, with `ESHUTDOWN`. What was accepted is
    /// still to be taken. Closing again does nothing. Loop thread.
    pub(crate) fn close(&self) {
        // Acquire: what was asked for before is still found, with all that came before it.
        if self.state.fetch_or(CLOSED, Ordering::Acquire) & CLOSED == 0 {
            self.mailbox.close();
        }
    }

    /// Closes, if the wake object may go: `EBUSY`, with nothing changed, while a poster is inside
    /// [`Wake::wake`], or has been promised a place in the mailbox and not filled it; try again.
    /// Once it has succeeded, no late caller touches more than this struct and the entries, no
    /// further message appears, and what [`take`](Self::take) yields is all. Loop thread.
    pub(crate) fn retire(&self) -> Result<()> {
        // Acquire, with the Release with which wakers leave: their calls are over.
        let before = self.state.load(Ordering::Acquire);
        let end = self.mailbox.end();
        if before >= ONE_WAKER || self.mailbox.is_pending(end) {
            return Err(Error::EBUSY);
        }
        if before & CLOSED != 0 {
            return Ok(());
        }
        if !self.mailbox.close_at(end) {
            return Err(Error::EBUSY);
        }
        // A waker enters by taking SLEEPING out of this very word, if CLOSED is not in it. If the
        // word is as it was nobody has entered, and nobody will.
        let closed = self.state.compare_exchange(
            before,
            before | CLOSED,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if closed.is_err() {
            self.mailbox.open();
            return Err(Error::EBUSY);
        }
        Ok(())
    }

    /// In a copy that fork made: forgets what threads were in the middle of that do not exist here.
    /// Nobody is inside [`Wake::wake`], and places in the mailbox that were promised and not filled
    /// are given up. The only thread.
    pub(crate) fn forget_others(&self) {
        // Relaxed: nobody else is there.
        self.state.fetch_and(ONE_WAKER - 1, Ordering::Relaxed);
        self.mailbox.forget_pending();
    }

    // To look at.

    /// What wakes the loop: to clear it, to wait for it.
    #[cfg(test)]
    pub(crate) fn wake_object(&self) -> &W {
        &self.wake
    }

    pub(crate) fn capacity(&self) -> usize {
        self.mailbox.entries().len()
    }

    /// Messages accepted and not taken, those being filled in included. Loop thread.
    pub(crate) fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// Messages accepted since the beginning, modulo 2^32 on 32-bit callbacks. Loop thread.
    pub(crate) fn accepted_count(&self) -> usize {
        self.mailbox.end().0
    }

    /// Posts refused for want of room, modulo 2^32.
    pub(crate) fn refused_count(&self) -> u32 {
        self.mailbox.refused.load(Ordering::Relaxed)
    }

    /// Calls of [`Wake::wake`], modulo 2^32.
    pub(crate) fn wake_count(&self) -> u32 {
        self.wake_count.load(Ordering::Relaxed)
    }

    /// The longest the mailbox was seen: by the loop, when a turn began, and by posts that found it
    /// full. It may have been longer while a turn ran.
    pub(crate) fn peak(&self) -> usize {
        self.mailbox.peak.load(Ordering::Relaxed)
    }

    /// Where the entries are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [Entry] {
        core::ptr::from_ref(self.mailbox.entries())
    }

    /// Whether the tickets agree with the ring. For `verify`. Loop thread.
    pub(crate) fn is_sound(&self) -> bool {
        self.mailbox.is_sound()
    }
}
