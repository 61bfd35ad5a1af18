//! Remote: the part of the loop that other threads, signal handlers and interrupts may touch.
//!
//! Everything else in a loop belongs to one thread. This is the exception, and all of it works through `&self`. It has
//! to hold against four enemies.
//!
//! **Two at once.** Messages go into a ring over lent [`Entry`]s. A poster reserves a place by moving `tail` on with a
//! compare-and-swap, fills it in, and publishes it by writing its callback last. The one consumer follows with `head`.
//! Both are *tickets*: they count messages, for ever, wrapping as a `usize` does. So a poster that was held up anywhere
//! can be misled by an old value of `tail` only after 2^32 further messages (2^31 if the loop closes among them; 2^64
//! and 2^63 on 64-bit), and never by an index that came round. The place of a ticket is its distance from the ticket
//! with which the current lap around the ring began; the consumer notes that once per lap, and one comparison corrects
//! a poster that is already a lap ahead. So nothing divides, and nothing asks the capacity to divide 2^32: any will do.
//!
//! **Being stopped anywhere.** A signal handler may post while the thread below it is in the middle of posting, and an
//! interrupt while the loop is in the middle of taking. So there is no lock and nobody waits for anybody: each loop in
//! here that starts over does so because someone else has got further. A poster stopped between reserving and
//! publishing holds back the messages behind its own, for they run in order, but not their posters, nor the loop: to
//! the loop an unpublished entry is the end of the queue. It goes to sleep, and the late publication wakes it.
//!
//! **The wake-up that falls between the check and the sleep.** Waking is dear (a system call), so it is done only for a
//! loop that sleeps. Whoever brings work first publishes it and then looks whether the loop sleeps; the loop first
//! publishes that it sleeps and then looks for work. With a full barrier between the two steps on either side, one of
//! them sees the other. Of many who see a sleeping loop, the one that takes the [`SLEEPING`] bit out of the state makes
//! the call, so a burst costs one.
//!
//! **The end.** The wake object may be an fd, and its number may belong to another file as soon as it is closed. So
//! whoever is about to wake is counted in, in the very same step that takes the `SLEEPING` bit and sees that the loop
//! is not closed: flags and count are one word. [`Shared::retire`] closes, and answers `EBUSY` while anybody is inside.
//! And what a post has accepted must not be lost: closing moves `tail` away by half the range of tickets, so that every
//! reservation under way fails, and how many succeeded before is known for good. It costs posts nothing: to them a
//! closed ring is a full one.
//!
//! What this cannot do is keep the memory: whoever might still call must be known to be finished before it is used for
//! something else.
//!
//! Async-signal-safe, of [`post`](Shared::post), [`raise`](Shared::raise), [`wake`](Shared::wake) and
//! [`stop`](Shared::stop), means: no lock, no allocation, no thread-local (errno neither), bounded stack, and correct
//! when entered again at any instruction. It holds as far as [`Wake::wake`] keeps it.

use core::ptr::{NonNull, null_mut};

use static_assertions::const_assert;

use crate::error::{Error, Result};
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
use crate::target::Target;

/// Makes the loop's wait return: a write to an eventfd, an interrupt, a flag of the host.
pub trait Wake: Send + Sync {
    /// Makes the current wait return or, if the loop is on its way into it, the next one. Called from any thread, from
    /// signal handlers and from interrupts, by several at once: must not block, panic, touch errno or call back. Never
    /// called once the loop has ended. A call too many must do no harm: the loop then finds nothing and
    /// sleeps again.
    fn wake(&self);
}

/// A place for one message. Free, or reserved and not yet published, while the callback is null.
pub(crate) struct Entry {
    callback: AtomicPtr<()>,
    user: AtomicPtr<()>,
}

#[cfg(not(loom))]
const_assert!(size_of::<Entry>() == 2 * size_of::<usize>());

impl Entry {
    /// A free place.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Entry {
        Entry { callback: AtomicPtr::new(null_mut()), user: AtomicPtr::new(null_mut()) }
    }

    /// A free place. (Loom's atomics cannot be made at compile time.)
    #[cfg(loom)]
    pub(crate) fn new() -> Entry {
        Entry { callback: AtomicPtr::new(null_mut()), user: AtomicPtr::new(null_mut()) }
    }
}

/// Where the mailbox ended at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ticket(usize);

/// How far closing moves `tail` away. A ring over memory is always shorter than half the number of tickets.
const CLOSED_DISTANCE: usize = 1 << (usize::BITS - 1);

const_assert!(isize::MAX as usize / size_of::<Entry>() < CLOSED_DISTANCE / 2);

/// The ring of messages: many post, one takes.
struct Mailbox<'a> {
    entries: &'a [Entry],
    /// The next ticket to be given out: the number of messages ever accepted. Written by posters, by compare-and-swap.
    tail: AtomicUsize,
    /// The next ticket to be taken. Written by the consumer alone.
    head: AtomicUsize,
    /// The ticket with which the lap that `head` is in began: the one at index 0. Written by the consumer alone.
    lap: AtomicUsize,
    peak: AtomicUsize,
    refused: AtomicU32,
}

impl<'a> Mailbox<'a> {
    /// An empty ring over `entries`, whose first ticket is `first`.
    fn new(entries: &'a [Entry], first: usize) -> Self {
        for entry in entries {
            // Relaxed: nobody else knows of the ring yet. Whatever tells them of it orders this before their first post.
            entry.callback.store(null_mut(), Ordering::Relaxed);
        }
        Mailbox {
            entries,
            tail: AtomicUsize::new(first),
            head: AtomicUsize::new(first),
            lap: AtomicUsize::new(first),
            peak: AtomicUsize::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// Reserves, fills in and publishes. Any thread.
    #[inline]
    fn push(&self, target: Target) -> Result<()> {
        // Acquire, with the Release in `pop`: all before this head has been taken out, so the places may be written
        // again.
        let mut head = self.head.load(Ordering::Acquire);
        // Relaxed: a tail too old only makes the compare-and-swap fail. It is never older than `head`, which was loaded
        // before: a ticket is reserved before it is published, and published before it is taken, so whoever has seen
        // the head has seen the reservation. So the difference below is a length, or more if head has moved on
        // meanwhile.
        let mut tail = self.tail.load(Ordering::Relaxed);
        loop {
            if tail.wrapping_sub(head) >= self.entries.len() {
                let newer = self.head.load(Ordering::Acquire);
                if newer == head {
                    return Err(self.refuse(tail.wrapping_sub(head)));
                }
                head = newer;
                tail = self.tail.load(Ordering::Relaxed);
                continue;
            }
            // Relaxed: reserving tells nobody anything; publishing does. If it succeeds there is room, for tail is what
            // we compared and head only moves forward.
            match self.tail.compare_exchange_weak(tail, tail.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => tail = now,
            }
        }
        // Relaxed: the consumer wrote it before the head we have acquired. It is the lap of that head or of a later
        // one, and head cannot pass our ticket until we publish; so our ticket is in that lap or in the next.
        let mut index = tail.wrapping_sub(self.lap.load(Ordering::Relaxed));
        if index >= self.entries.len() {
            index = index.wrapping_sub(self.entries.len());
        }
        let Some(entry) = self.entries.get(index) else {
            return Err(Error::EUCLEAN);
        };
        // Relaxed: the next line publishes it.
        entry.user.store(target.user, Ordering::Relaxed);
        // Release: who sees the callback sees its user word, and all that this thread did before it posted.
        entry.callback.store(target.callback.as_ptr(), Ordering::Release);
        Ok(())
    }

    /// Why there is no room. `length` is exact here, since `head` was the same before and after `tail` was read.
    #[cold]
    fn refuse(&self, length: usize) -> Error {
        if length >= CLOSED_DISTANCE {
            return Error::ESHUTDOWN;
        }
        // Relaxed, both: counts that order nothing.
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(length, Ordering::Relaxed);
        Error::EAGAIN
    }

    /// Takes the next message if it was reserved before `end` and is published. The consumer alone.
    #[inline]
    fn pop(&self, end: Ticket) -> Option<Target> {
        // Relaxed, `head` and `lap`: only this thread writes them.
        let head = self.head.load(Ordering::Relaxed);
        // As a signed distance, since somebody may have taken more than this turn's meanwhile: then head is past the end.
        if end.0.wrapping_sub(head) as isize <= 0 {
            return None;
        }
        let index = head.wrapping_sub(self.lap.load(Ordering::Relaxed));
        let entry = self.entries.get(index)?;
        // Acquire, with the Release in `push`.
        let callback = NonNull::new(entry.callback.load(Ordering::Acquire))?;
        // Relaxed: ordered by the line before.
        let user = entry.user.load(Ordering::Relaxed);
        // Relaxed, both: the head below releases them.
        entry.callback.store(null_mut(), Ordering::Relaxed);
        let next = head.wrapping_add(1);
        if index + 1 == self.entries.len() {
            self.lap.store(next, Ordering::Relaxed);
        }
        // Release: who sees this head may write the entry, and finds the lap that goes with it.
        self.head.store(next, Ordering::Release);
        Some(Target { callback, user })
    }

    /// Whether `pop` would find a message. The consumer alone.
    fn is_published(&self) -> bool {
        let index = self.head.load(Ordering::Relaxed).wrapping_sub(self.lap.load(Ordering::Relaxed));
        // Acquire as in `pop`, though nothing is read through it here.
        self.entries.get(index).is_some_and(|entry| !entry.callback.load(Ordering::Acquire).is_null())
    }

    /// Refuses all further reservations. At most once.
    fn close(&self) {
        // Relaxed: it is the change of the value that makes reservations under way fail, in whatever order it is seen.
        self.tail.fetch_add(CLOSED_DISTANCE, Ordering::Relaxed);
    }

    /// The ticket after the last one given out, whether closed or not. The consumer alone, for the exact answer.
    #[inline]
    fn end(&self) -> Ticket {
        // Head before tail, so that the difference is not negative even for another thread than the consumer.
        let head = self.head.load(Ordering::Acquire);
        // Relaxed: what it misses the turn leaves to the next, and going to sleep looks at the entries themselves.
        let tail = self.tail.load(Ordering::Relaxed);
        if tail.wrapping_sub(head) >= CLOSED_DISTANCE { Ticket(tail.wrapping_sub(CLOSED_DISTANCE)) } else { Ticket(tail) }
    }

    /// Messages reserved and not taken.
    fn len(&self) -> usize {
        self.end().0.wrapping_sub(self.head.load(Ordering::Relaxed))
    }

    /// Whether a poster stands between reserving and publishing. The consumer alone; exact once closed. O(length).
    fn is_pending(&self) -> bool {
        let lap = self.lap.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Relaxed);
        (0..self.len()).any(|distance| {
            let index = head.wrapping_add(distance).wrapping_sub(lap);
            let index = if index >= self.entries.len() { index.wrapping_sub(self.entries.len()) } else { index };
            // Acquire as in `pop`: a published entry will be read without looking again.
            self.entries.get(index).is_some_and(|entry| entry.callback.load(Ordering::Acquire).is_null())
        })
    }

    fn is_sound(&self) -> bool {
        let index = self.head.load(Ordering::Relaxed).wrapping_sub(self.lap.load(Ordering::Relaxed));
        let capacity = self.entries.len();
        self.len() <= capacity && (index < capacity || (index == 0 && capacity == 0))
    }
}

/// The queues are closed; nothing leaves this state.
const CLOSED: u32 = 1;
/// The loop is asked to stop.
const STOP: u32 = 2;
/// A wait is to return, the current one or the next.
const WAKE: u32 = 4;
/// The loop waits or is about to, and nobody has taken on waking it.
const SLEEPING: u32 = 8;
/// One who is about to call [`Wake::wake`], is inside or is just leaving. All bits from here up are their number.
const ONE_WAKER: u32 = 16;

/// The highest bit [`Shared::raise`] takes.
pub(crate) const MAX_RAISED: u32 = 63;

/// What others may touch of a loop. The methods say who may call them: any thread, or the loop's.
pub(crate) struct Shared<'a, W> {
    mailbox: Mailbox<'a>,
    /// The flags and the number of wakers, in one word so that they change together.
    state: AtomicU32,
    /// Bits 0 to 31, and 32 to 63: two words, for 32-bit targets have no atomic of 64 bits.
    raised: [AtomicU32; 2],
    wake_count: AtomicU32,
    wake: W,
}

impl<'a, W: Wake> Shared<'a, W> {
    /// An open, empty mailbox over `entries`, any number of them, and a loop that is awake. Whatever the entries held
    /// is forgotten.
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

    /// Queues a message: the loop runs it once, after all that were accepted before it, and wakes for it if it sleeps.
    ///
    /// `EAGAIN` if there is no room, `ESHUTDOWN` once closed. Lock-free, async-signal-safe; a system call only if the
    /// loop sleeps and nobody has woken it yet. Any thread.
    #[inline]
    pub(crate) fn post(&self, target: Target) -> Result<()> {
        self.mailbox.push(target)?;
        self.rouse();
        Ok(())
    }

    /// Sets bit `bit`, 0 to 63, to be found by the loop: any number of times before it looks is once. For those who may
    /// not find the mailbox full, and need to say only that something happened.
    ///
    /// `EINVAL` beyond 63, `ESHUTDOWN` once closed; a bit raised while the loop closes may be found by nobody.
    /// Lock-free, async-signal-safe; a system call as in [`post`](Self::post). Any thread.
    pub(crate) fn raise(&self, bit: u32) -> Result<()> {
        let [low, high] = &self.raised;
        let word = match bit {
            0..32 => low,
            32..=MAX_RAISED => high,
            _ => return Err(Error::EINVAL),
        };
        // Relaxed: this only refuses those who come after closing; a race with it is documented above.
        if self.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return Err(Error::ESHUTDOWN);
        }
        // Release: who finds the bit sees what was done before it was raised.
        word.fetch_or(1 << (bit & 31), Ordering::Release);
        // Even if the bit was set already: whoever set it may be stopped short of waking the loop.
        self.rouse();
        Ok(())
    }

    /// Makes the loop's current wait return or, if it is not waiting, its next: at least one turn begins or goes on
    /// after this call, and sees what was done before it.
    ///
    /// `ESHUTDOWN` once closed. Lock-free, async-signal-safe; a system call only if the loop sleeps. Any thread.
    pub(crate) fn wake(&self) -> Result<()> {
        self.request(WAKE)
    }

    /// Asks the loop to stop, and wakes it; it stays asked until [`take_stop`](Self::take_stop). Errors, cost and
    /// thread as [`wake`](Self::wake).
    pub(crate) fn stop(&self) -> Result<()> {
        self.request(STOP | WAKE)
    }

    /// Wakes the loop if it sleeps, after work was published.
    #[inline]
    fn rouse(&self) {
        // Our half of the bargain in `about_to_sleep`: publish, barrier, look at the state. The two fences have one
        // order. If ours is first, the loop sees what we published and does not sleep. If the loop's is first, we see
        // SLEEPING, or that another has taken it and wakes the loop, which then will pass through here again before it
        // sleeps. Nothing weaker will do: a store and a later load of something else may change places on every
        // processor but for a fence.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        if self.state.load(Ordering::Relaxed) & SLEEPING != 0 {
            self.rouse_sleeping();
        }
    }

    #[cold]
    fn rouse_sleeping(&self) {
        // Refused only if closed, by the loop's thread, which then is not asleep.
        let _ = self.request(0);
    }

    /// Sets flags of the loop's state, and wakes the loop if this is what ends its sleep.
    fn request(&self, flags: u32) -> Result<()> {
        // Relaxed: a value too old makes the compare-and-swap fail.
        let mut state = self.state.load(Ordering::Relaxed);
        let ends_sleep = loop {
            if state & CLOSED != 0 {
                return Err(Error::ESHUTDOWN);
            }
            let ends_sleep = state & SLEEPING != 0;
            let next = if ends_sleep { (state & !SLEEPING).wrapping_add(ONE_WAKER) } else { state } | flags;
            // Release: the loop that finds a flag, or itself woken, sees what was done before. Done even where nothing
            // changes, for a flag that another has set does not release what we did. All changes of one word have one
            // order, so it needs no fence: either the loop's SLEEPING comes first and we find it, or our flag does and
            // the loop finds that.
            match self.state.compare_exchange_weak(state, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break ends_sleep,
                Err(now) => state = now,
            }
        };
        if ends_sleep {
            // Relaxed: a count that orders nothing.
            self.wake_count.fetch_add(1, Ordering::Relaxed);
            self.wake.wake();
            // Release, with the Acquire in `retire`: who finds nobody inside knows that the call above is over.
            self.state.fetch_sub(ONE_WAKER, Ordering::Release);
        }
        Ok(())
    }

    // The loop's thread.

    /// Declares that the loop is about to wait. `true`: it may; from now on, whatever brings work calls [`Wake::wake`].
    /// `false`: there is work, or a wake-up or stop was asked for; look without waiting. Call [`awake`](Self::awake)
    /// afterwards in either case.
    ///
    /// Whatever [`Wake::wake`] leaves behind (a readable eventfd) is to be cleared between the end of the wait and the
    /// next call of this, never between this and the wait: there it would be a wake-up lost.
    pub(crate) fn about_to_sleep(&self) -> bool {
        // Acquire: a request found here is acted upon, and what came before it must be seen.
        let before = self.state.fetch_or(SLEEPING, Ordering::Acquire);
        // The loop's half of the bargain in `rouse`: say so, barrier, look for work.
        fence(Ordering::SeqCst);
        if before & WAKE == 0 && !self.has_work() {
            return true;
        }
        // Relaxed: takes back what was said. Somebody may have woken us already; that costs an empty turn at a later
        // wait.
        self.state.fetch_and(!SLEEPING, Ordering::Relaxed);
        false
    }

    /// Declares the wait over, whether it slept or only looked, and consumes the wake-up asked for: this turn is the
    /// one. Loop thread.
    #[inline]
    pub(crate) fn awake(&self) {
        // Acquire, both, with the Release in `request`: this turn sees what was done before it was asked for. The load
        // spares busy loops a locked instruction; a request it misses is found before the next sleep.
        if self.state.load(Ordering::Acquire) & (SLEEPING | WAKE) != 0 {
            self.state.fetch_and(!(SLEEPING | WAKE), Ordering::Acquire);
        }
    }

    /// Whether a message was posted, published or not. Loop thread.
    #[inline]
    pub(crate) fn has_posts(&self) -> bool {
        // Relaxed, both: only whether, not what; taking them acquires. A message it misses is found before the next sleep.
        self.mailbox.head.load(Ordering::Relaxed) != self.mailbox.tail.load(Ordering::Relaxed)
    }

    /// Whether a message can be taken or a bit is raised. Loop thread.
    pub(crate) fn has_work(&self) -> bool {
        // Relaxed: only whether, not what; taking them acquires.
        self.mailbox.is_published() || self.raised.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// The bits raised since the last call. Loop thread.
    #[inline]
    pub(crate) fn take_raised(&self) -> u64 {
        let take = |word: &AtomicU32| -> u64 {
            // Relaxed: spares idle turns the locked instruction; a bit it misses is found before the next sleep.
            if word.load(Ordering::Relaxed) == 0 {
                return 0;
            }
            // Acquire, with the Release in `raise`.
            u64::from(word.swap(0, Ordering::Acquire))
        };
        let [low, high] = &self.raised;
        take(low) | take(high) << 32
    }

    /// Whether a stop was asked for since the last call. Loop thread.
    #[inline]
    pub(crate) fn take_stop(&self) -> bool {
        // Acquire, both, as in `awake`.
        self.state.load(Ordering::Acquire) & STOP != 0 && self.state.fetch_and(!STOP, Ordering::Acquire) & STOP != 0
    }

    /// Where the mailbox ends now: a turn takes what is before. Loop thread.
    #[inline]
    pub(crate) fn published_end(&self) -> Ticket {
        let end = self.mailbox.end();
        // Relaxed, both: a statistic.
        let length = end.0.wrapping_sub(self.mailbox.head.load(Ordering::Relaxed));
        if length > self.mailbox.peak.load(Ordering::Relaxed) {
            self.mailbox.peak.fetch_max(length, Ordering::Relaxed);
        }
        end
    }

    /// The next message of those before `end`, or `None` if there is none or its poster has not finished. Loop thread.
    #[inline]
    pub(crate) fn pop(&self, end: Ticket) -> Option<Target> {
        self.mailbox.pop(end)
    }

    /// The next message of all: to hand back what is left at the end of the loop's life. Loop thread.
    pub(crate) fn take(&self) -> Option<Target> {
        self.mailbox.pop(self.mailbox.end())
    }

    /// Refuses posts, bits, wake-ups and stops from now on, with `ESHUTDOWN`. What was accepted is still to be taken.
    /// Closing again does nothing. Loop thread.
    pub(crate) fn close(&self) {
        // Acquire: what was asked for before is still found, with all that came before it.
        if self.state.fetch_or(CLOSED, Ordering::Acquire) & CLOSED == 0 {
            self.mailbox.close();
        }
    }

    /// Closes, and says whether the wake object may go: `EBUSY`, with nothing else changed, while somebody is inside
    /// [`Wake::wake`], or has been promised a place in the mailbox and not filled it; try again. Once it has succeeded,
    /// no late caller touches more than this struct and the entries, no further message appears, and what
    /// [`take`](Self::take) yields is all. Loop thread.
    pub(crate) fn retire(&self) -> Result<()> {
        self.close();
        // Acquire, with the Release with which wakers leave: their calls are over. A waker enters by changing this very
        // word from a value without CLOSED, and we have read or written one with it: who is not counted here never
        // enters.
        if self.state.load(Ordering::Acquire) >= ONE_WAKER || self.mailbox.is_pending() {
            return Err(Error::EBUSY);
        }
        Ok(())
    }

    // To look at.

    /// Whether [`close`](Self::close) was called. Loop thread.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// What wakes the loop: to clear it, to wait for it.
    #[cfg(test)]
    pub(crate) fn wake_object(&self) -> &W {
        &self.wake
    }

    pub(crate) fn capacity(&self) -> usize {
        self.mailbox.entries.len()
    }

    /// Messages accepted and not taken, those being filled in included. Loop thread.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// Messages accepted since the beginning, modulo 2^32 on 32-bit targets. Loop thread.
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

    /// The longest the mailbox was seen: by the loop, when a turn began, and by posts that found it full. It may have
    /// been longer while a turn ran.
    pub(crate) fn peak(&self) -> usize {
        self.mailbox.peak.load(Ordering::Relaxed)
    }

    /// Whether the tickets agree with the ring. For `verify`. Loop thread.
    pub(crate) fn is_sound(&self) -> bool {
        self.mailbox.is_sound()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::{Condvar, Mutex, OnceLock};
    use std::vec::Vec;

    use core::ptr::without_provenance_mut;

    use super::*;

    /// A wake object that counts.
    #[derive(Default)]
    struct Bell {
        rings: AtomicU32,
    }

    impl Wake for Bell {
        fn wake(&self) {
            self.rings.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Shared<'_, Bell> {
        fn rings(&self) -> u32 {
            self.wake_object().rings.load(Ordering::Relaxed)
        }
    }

    fn entries(count: usize) -> Vec<Entry> {
        (0..count).map(|_| Entry::new()).collect()
    }

    /// A target told from others by its user word.
    fn target(number: usize) -> Target {
        Target { callback: NonNull::dangling(), user: without_provenance_mut(number) }
    }

    /// Takes what is there now, as one turn does.
    fn turn<W: Wake>(shared: &Shared<'_, W>) -> Vec<usize> {
        let end = shared.published_end();
        core::iter::from_fn(|| shared.pop(end)).map(|target| target.user.addr()).collect()
    }

    /// What a poster does first, for one that is to be stopped there: the reserved entry.
    fn reserve<'s>(shared: &'s Shared<'_, Bell>) -> &'s Entry {
        let ticket = shared.mailbox.tail.fetch_add(1, Ordering::Relaxed);
        let index = ticket.wrapping_sub(shared.mailbox.lap.load(Ordering::Relaxed)) % shared.capacity();
        &shared.mailbox.entries[index]
    }

    /// What it does last.
    fn publish(shared: &Shared<'_, Bell>, entry: &Entry, target: Target) {
        entry.user.store(target.user, Ordering::Relaxed);
        entry.callback.store(target.callback.as_ptr(), Ordering::Release);
        shared.rouse();
    }

    #[test]
    fn every_capacity_holds_exactly_that_many() {
        for capacity in [0, 1, 2, 3, 4, 7, 8, 100] {
            let entries = entries(capacity);
            let shared = Shared::new(&entries, Bell::default());
            for round in 0..3 {
                for n in 0..capacity {
                    assert_eq!(shared.post(target(n)), Ok(()), "capacity {capacity} round {round} post {n}");
                    assert!(shared.is_sound());
                }
                assert_eq!(shared.post(target(999)), Err(Error::EAGAIN));
                assert_eq!(shared.len(), capacity);
                assert_eq!(turn(&shared), (0..capacity).collect::<Vec<_>>());
                assert!(shared.is_sound());
            }
            assert_eq!(shared.accepted_count(), 3 * capacity);
            assert_eq!(shared.refused_count(), 3);
            assert_eq!(shared.peak(), capacity);
        }
    }

    #[test]
    fn order_is_kept_while_tickets_wrap() {
        for capacity in 1..9 {
            for before in 0..20 {
                let entries = entries(capacity);
                let shared = Shared::starting_at(usize::MAX - before, &entries, Bell::default());
                let mut next = 0;
                let mut expected = 0;
                for step in 0..50 {
                    for _ in 0..=(step % capacity) {
                        shared.post(target(next)).unwrap();
                        next += 1;
                        assert!(shared.is_sound());
                    }
                    for taken in turn(&shared) {
                        assert_eq!(taken, expected);
                        expected += 1;
                    }
                    assert_eq!(expected, next);
                }
            }
        }
    }

    #[test]
    fn full_is_answered_while_tickets_wrap() {
        for capacity in 1..5 {
            for before in 0..10 {
                let entries = entries(capacity);
                let shared = Shared::starting_at(usize::MAX - before, &entries, Bell::default());
                for _ in 0..20 {
                    while shared.len() < capacity {
                        assert_eq!(shared.post(target(1)), Ok(()));
                    }
                    assert_eq!(shared.post(target(2)), Err(Error::EAGAIN));
                    assert!(shared.take().is_some());
                }
            }
        }
    }

    #[test]
    fn closing_works_wherever_the_tickets_are() {
        for first in [0, 1, CLOSED_DISTANCE - 2, CLOSED_DISTANCE - 1, CLOSED_DISTANCE, usize::MAX - 1, usize::MAX] {
            let entries = entries(3);
            let shared = Shared::starting_at(first, &entries, Bell::default());
            shared.post(target(1)).unwrap();
            shared.post(target(2)).unwrap();
            shared.close();
            shared.close();
            assert_eq!(shared.post(target(3)), Err(Error::ESHUTDOWN));
            assert_eq!((shared.len(), shared.refused_count()), (2, 0));
            assert!(shared.is_sound());
            assert_eq!(turn(&shared), [1, 2]);
            assert_eq!(shared.post(target(4)), Err(Error::ESHUTDOWN));
            assert_eq!(shared.take(), None);
            assert_eq!(shared.accepted_count(), first.wrapping_add(2));
        }
    }

    #[test]
    fn a_message_posted_within_a_turn_waits_for_the_next() {
        let entries = entries(2);
        let shared = Shared::new(&entries, Bell::default());
        shared.post(target(1)).unwrap();
        let end = shared.published_end();
        assert!(shared.pop(end).is_some());
        shared.post(target(2)).unwrap();
        assert_eq!(shared.pop(end), None);
        assert_eq!(turn(&shared), [2]);
    }

    #[test]
    fn a_turn_cut_off_by_take_ends_there() {
        let entries = entries(4);
        let shared = Shared::new(&entries, Bell::default());
        shared.post(target(1)).unwrap();
        let end = shared.published_end();
        shared.post(target(2)).unwrap();
        while shared.take().is_some() {}
        shared.post(target(3)).unwrap();
        assert_eq!(shared.pop(end), None);
    }

    #[test]
    fn a_closed_mailbox_refuses_everything() {
        let entries = entries(2);
        let shared = Shared::new(&entries, Bell::default());
        assert!(!shared.is_closed());
        shared.close();
        assert!(shared.is_closed());
        assert_eq!(shared.post(target(1)), Err(Error::ESHUTDOWN));
        assert_eq!(shared.raise(0), Err(Error::ESHUTDOWN));
        assert_eq!(shared.wake(), Err(Error::ESHUTDOWN));
        assert_eq!(shared.stop(), Err(Error::ESHUTDOWN));
        assert_eq!(shared.take_raised(), 0);
        assert!(!shared.take_stop());
        assert_eq!(shared.rings(), 0);
    }

    #[test]
    fn a_full_mailbox_that_closes_says_so() {
        let entries = entries(1);
        let shared = Shared::new(&entries, Bell::default());
        shared.post(target(1)).unwrap();
        assert_eq!(shared.post(target(2)), Err(Error::EAGAIN));
        shared.close();
        assert_eq!(shared.post(target(2)), Err(Error::ESHUTDOWN));
        let none: [Entry; 0] = [];
        let shared = Shared::new(&none, Bell::default());
        shared.close();
        assert_eq!(shared.post(target(1)), Err(Error::ESHUTDOWN));
    }

    #[test]
    fn a_loop_that_is_awake_is_not_woken() {
        let entries = entries(4);
        let shared = Shared::new(&entries, Bell::default());
        shared.post(target(1)).unwrap();
        shared.raise(3).unwrap();
        shared.wake().unwrap();
        shared.stop().unwrap();
        assert_eq!((shared.rings(), shared.wake_count()), (0, 0));
    }

    #[test]
    fn a_burst_of_posts_wakes_a_sleeping_loop_once() {
        let entries = entries(100);
        let shared = Shared::new(&entries, Bell::default());
        for sleep in 1..4 {
            assert!(shared.about_to_sleep());
            for n in 0..10 {
                shared.post(target(n)).unwrap();
                shared.raise(1).unwrap();
                shared.wake().unwrap();
            }
            assert_eq!((shared.rings(), shared.wake_count()), (sleep, sleep));
            shared.awake();
            assert_eq!(turn(&shared).len(), 10);
            assert_eq!(shared.take_raised(), 2);
        }
    }

    #[test]
    fn a_loop_with_work_does_not_sleep() {
        let entries = entries(2);
        let shared = Shared::new(&entries, Bell::default());
        shared.post(target(1)).unwrap();
        assert!(!shared.about_to_sleep());
        shared.post(target(2)).unwrap();
        assert_eq!(shared.rings(), 0, "it is awake again");
        shared.awake();
        assert_eq!(turn(&shared), [1, 2]);
        shared.raise(63).unwrap();
        assert!(!shared.about_to_sleep());
        shared.take_raised();
        assert!(shared.about_to_sleep());
    }

    #[test]
    fn a_wake_before_the_sleep_is_not_lost_and_counts_once() {
        let shared = Shared::new(&[], Bell::default());
        shared.wake().unwrap();
        shared.wake().unwrap();
        assert!(!shared.about_to_sleep());
        shared.awake();
        assert!(shared.about_to_sleep());
    }

    #[test]
    fn a_wake_during_the_sleep_ends_that_one_only() {
        let shared = Shared::new(&[], Bell::default());
        assert!(shared.about_to_sleep());
        shared.wake().unwrap();
        assert_eq!(shared.rings(), 1);
        shared.awake();
        assert!(shared.about_to_sleep());
        shared.awake();
        shared.wake().unwrap();
        assert_eq!(shared.rings(), 1);
        assert!(!shared.about_to_sleep());
    }

    #[test]
    fn a_stop_stays_until_it_is_taken() {
        let shared = Shared::new(&[], Bell::default());
        assert!(!shared.take_stop());
        assert!(shared.about_to_sleep());
        shared.stop().unwrap();
        assert_eq!(shared.rings(), 1);
        shared.awake();
        assert!(shared.about_to_sleep());
        shared.awake();
        assert!(shared.take_stop());
        assert!(!shared.take_stop());
        assert!(shared.about_to_sleep());
    }

    #[test]
    fn raised_bits_coalesce_and_are_found_once() {
        let shared = Shared::new(&[], Bell::default());
        for bit in 0..=MAX_RAISED {
            shared.raise(bit).unwrap();
            shared.raise(bit).unwrap();
            assert_eq!(shared.take_raised(), 1 << bit);
            assert_eq!(shared.take_raised(), 0);
        }
        shared.raise(0).unwrap();
        shared.raise(31).unwrap();
        shared.raise(32).unwrap();
        assert_eq!(shared.take_raised(), 1 | 1 << 31 | 1 << 32);
        assert_eq!(shared.raise(64), Err(Error::EINVAL));
        assert_eq!(shared.raise(u32::MAX), Err(Error::EINVAL));
        assert_eq!(shared.take_raised(), 0);
    }

    #[test]
    fn a_raise_wakes_the_loop_though_a_stopped_one_has_set_the_bit() {
        let shared = Shared::new(&[], Bell::default());
        assert!(shared.about_to_sleep());
        shared.raised[0].fetch_or(1 << 5, Ordering::Release);
        shared.raise(5).unwrap();
        assert_eq!(shared.rings(), 1);
    }

    #[test]
    fn a_stopped_poster_holds_back_later_messages_but_nobody() {
        let entries = entries(3);
        let shared = Shared::new(&entries, Bell::default());
        let reserved = reserve(&shared);
        assert!(shared.about_to_sleep(), "nothing to run: it may sleep");
        assert_eq!(shared.post(target(2)), Ok(()));
        assert_eq!(shared.rings(), 1);
        shared.awake();
        assert_eq!(turn(&shared), []);
        assert!(shared.about_to_sleep());
        publish(&shared, reserved, target(1));
        assert_eq!(shared.rings(), 2, "the late publication wakes it");
        shared.awake();
        assert_eq!(turn(&shared), [1, 2]);
    }

    #[test]
    fn a_handler_may_post_a_whole_lap_past_a_stopped_poster() {
        let entries = entries(3);
        let shared = Shared::new(&entries, Bell::default());
        shared.post(target(0)).unwrap();
        let reserved = reserve(&shared);
        shared.post(target(2)).unwrap();
        assert_eq!(turn(&shared), [0]);
        shared.post(target(3)).unwrap();
        assert_eq!(shared.post(target(4)), Err(Error::EAGAIN));
        assert_eq!(turn(&shared), []);
        publish(&shared, reserved, target(1));
        assert_eq!(turn(&shared), [1, 2, 3]);
    }

    #[test]
    fn retire_is_busy_until_a_reserved_place_is_filled() {
        let entries = entries(3);
        let shared = Shared::starting_at(usize::MAX - 1, &entries, Bell::default());
        shared.post(target(1)).unwrap();
        let reserved = reserve(&shared);
        assert_eq!(shared.retire(), Err(Error::EBUSY));
        assert!(shared.take().is_some());
        assert_eq!(shared.retire(), Err(Error::EBUSY));
        publish(&shared, reserved, target(2));
        assert_eq!(shared.retire(), Ok(()));
        assert_eq!(turn(&shared), [2]);
        assert_eq!(shared.retire(), Ok(()));
    }

    /// A wake object that tries to retire its loop, the one below, from inside its own call.
    #[derive(Default)]
    struct Inside {
        answer: OnceLock<Result<()>>,
    }

    static RETIRED_INSIDE: OnceLock<Shared<'static, Inside>> = OnceLock::new();

    impl Wake for Inside {
        fn wake(&self) {
            self.answer.set(RETIRED_INSIDE.get().unwrap().retire()).unwrap();
        }
    }

    #[test]
    fn retire_is_busy_while_a_waker_is_inside() {
        let shared = RETIRED_INSIDE.get_or_init(|| Shared::new(&[], Inside::default()));
        assert!(shared.about_to_sleep());
        shared.wake().unwrap();
        assert_eq!(shared.wake_object().answer.get(), Some(&Err(Error::EBUSY)));
        assert_eq!(shared.retire(), Ok(()));
    }

    #[test]
    fn a_retired_loop_is_not_woken_even_if_it_sleeps() {
        let entries = entries(1);
        let shared = Shared::new(&entries, Bell::default());
        assert!(shared.about_to_sleep());
        assert_eq!(shared.retire(), Ok(()));
        assert_eq!(shared.post(target(1)), Err(Error::ESHUTDOWN));
        shared.rouse();
        assert_eq!(shared.wake(), Err(Error::ESHUTDOWN));
        assert_eq!(shared.rings(), 0);
    }

    #[test]
    fn entries_left_over_from_before_are_forgotten() {
        let entries = entries(2);
        Shared::new(&entries, Bell::default()).post(target(1)).unwrap();
        let shared = Shared::new(&entries, Bell::default());
        assert!(!shared.has_work());
        assert_eq!(turn(&shared), []);
    }

    /// A wake object to sleep on.
    #[derive(Default)]
    struct Bed {
        rung: Mutex<bool>,
        changed: Condvar,
    }

    impl Wake for Bed {
        fn wake(&self) {
            *self.rung.lock().unwrap() = true;
            self.changed.notify_one();
        }
    }

    impl Bed {
        fn sleep(&self) {
            let mut rung = self.rung.lock().unwrap();
            while !*rung {
                rung = self.changed.wait(rung).unwrap();
            }
            *rung = false;
        }
    }

    #[test]
    fn four_threads_lose_nothing_and_keep_their_order() {
        const POSTERS: usize = 4;
        const EACH: usize = if cfg!(miri) { 50 } else { 100_000 };
        for (capacity, first) in [(1000, 0), (7, usize::MAX - 1000), (1, usize::MAX - 10)] {
            let each = if capacity == 1 { EACH / 10 } else { EACH };
            let entries = entries(capacity);
            let shared = Shared::starting_at(first, &entries, Bed::default());
            std::thread::scope(|scope| {
                for poster in 0..POSTERS {
                    let shared = &shared;
                    scope.spawn(move || {
                        for n in 0..each {
                            while shared.post(target(n * POSTERS + poster)) == Err(Error::EAGAIN) {
                                std::thread::yield_now();
                            }
                        }
                    });
                }
                let mut next = [0; POSTERS];
                let mut taken = 0;
                while taken < POSTERS * each {
                    if shared.about_to_sleep() {
                        shared.wake_object().sleep();
                    }
                    shared.awake();
                    for number in turn(&shared) {
                        let (poster, n) = (number % POSTERS, number / POSTERS);
                        assert_eq!(n, next[poster], "poster {poster}");
                        next[poster] += 1;
                        taken += 1;
                    }
                }
            });
            assert_eq!(shared.accepted_count(), first.wrapping_add(POSTERS * each));
            assert_eq!(shared.len(), 0);
            assert!(shared.is_sound());
            assert_eq!(shared.retire(), Ok(()));
        }
    }

    #[test]
    fn what_was_accepted_before_closing_is_handed_back() {
        for round in 0..if cfg!(miri) { 3 } else { 300 } {
            let entries = entries(64);
            let shared = Shared::new(&entries, Bed::default());
            std::thread::scope(|scope| {
                let posters: Vec<_> = (0..3)
                    .map(|_| {
                        scope.spawn(|| {
                            let mut accepted = 0;
                            loop {
                                match shared.post(target(1)) {
                                    Ok(()) => accepted += 1,
                                    Err(Error::EAGAIN) => std::thread::yield_now(),
                                    Err(error) => {
                                        assert_eq!(error, Error::ESHUTDOWN);
                                        return accepted;
                                    }
                                }
                            }
                        })
                    })
                    .collect();
                let mut taken = 0;
                for _ in 0..round {
                    taken += turn(&shared).len();
                }
                while shared.retire() == Err(Error::EBUSY) {
                    std::thread::yield_now();
                }
                while shared.take().is_some() {
                    taken += 1;
                }
                let accepted: usize = posters.into_iter().map(|poster| poster.join().unwrap()).sum();
                assert_eq!((taken, shared.accepted_count()), (accepted, accepted));
            });
        }
    }
}

/// Every order of the atomic operations: `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_`.
///
/// The loop sleeps on a condition variable that only [`Wake::wake`] notifies, so a lost wake-up is a deadlock, and loom
/// reports that. Entries and loop are leaked, since loom's threads want them to live for ever.
#[cfg(all(test, loom))]
mod loom_tests {
    use std::boxed::Box;
    use std::vec::Vec;

    use core::ptr::without_provenance_mut;

    use loom::sync::{Condvar, Mutex};
    use loom::thread;

    use super::*;
    use crate::sync::AtomicBool;

    struct Bed {
        rung: Mutex<bool>,
        changed: Condvar,
        /// Whether the fd is still ours.
        is_open: AtomicBool,
        /// Whether somebody is writing to it.
        is_inside: AtomicBool,
    }

    impl Wake for Bed {
        fn wake(&self) {
            assert!(self.is_open.load(Ordering::Relaxed), "a late waker writes into what is not ours any more");
            self.is_inside.store(true, Ordering::Relaxed);
            *self.rung.lock().unwrap() = true;
            self.changed.notify_one();
            self.is_inside.store(false, Ordering::Relaxed);
        }
    }

    impl Bed {
        fn sleep(&self) {
            let mut rung = self.rung.lock().unwrap();
            while !*rung {
                rung = self.changed.wait(rung).unwrap();
            }
            *rung = false;
        }
    }

    type Loop = Shared<'static, Bed>;

    fn new_loop(first: usize, capacity: usize) -> &'static Loop {
        let entries: &'static [Entry] = Vec::leak((0..capacity).map(|_| Entry::new()).collect());
        let bed = Bed {
            rung: Mutex::new(false),
            changed: Condvar::new(),
            is_open: AtomicBool::new(true),
            is_inside: AtomicBool::new(false),
        };
        Box::leak(Box::new(Shared::starting_at(first, entries, bed)))
    }

    fn target(number: usize) -> Target {
        Target { callback: NonNull::dangling(), user: without_provenance_mut(number) }
    }

    fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(model);
    }

    /// Waits as the loop does, then takes what is there.
    fn turn(shared: &Loop, taken: &mut Vec<usize>) {
        if shared.about_to_sleep() {
            shared.wake_object().sleep();
        }
        shared.awake();
        let end = shared.published_end();
        while let Some(target) = shared.pop(end) {
            taken.push(target.user.addr());
        }
    }

    /// Takes what is there, whatever the turn.
    fn drain(shared: &Loop, taken: &mut Vec<usize>) {
        taken.extend(core::iter::from_fn(|| shared.take()).map(|target| target.user.addr()));
    }

    #[test]
    fn loom_a_post_is_not_lost_to_the_sleep() {
        check(5, || {
            let shared = new_loop(usize::MAX, 2);
            let poster = thread::spawn(move || {
                shared.post(target(1)).unwrap();
                shared.post(target(2)).unwrap();
            });
            let mut taken = Vec::new();
            while taken.len() < 2 {
                turn(shared, &mut taken);
            }
            assert_eq!(taken, [1, 2]);
            poster.join().unwrap();
            assert!(shared.wake_count() <= 2);
        });
    }

    /// Also the stopped poster: among the orders is that one reserves, the other publishes behind it and wakes the
    /// loop, the loop finds nothing and sleeps again, and only then the first publishes.
    #[test]
    fn loom_two_posters_and_a_sleeper_lose_nothing() {
        check(3, || {
            let shared = new_loop(usize::MAX, 2);
            let posters = [1, 2].map(|n| thread::spawn(move || shared.post(target(n)).unwrap()));
            let mut taken = Vec::new();
            while taken.len() < 2 {
                turn(shared, &mut taken);
            }
            taken.sort_unstable();
            assert_eq!(taken, [1, 2]);
            for poster in posters {
                poster.join().unwrap();
            }
        });
    }

    /// A ring of one: every post meets a full ring, an entry just freed and a new lap.
    #[test]
    fn loom_places_are_reused_only_when_they_are_free() {
        check(3, || {
            let shared = new_loop(usize::MAX, 1);
            let posters = [10, 20].map(|n| {
                thread::spawn(move || {
                    let mut accepted = 0;
                    for i in 0..2 {
                        accepted += usize::from(shared.post(target(n + i)).is_ok());
                    }
                    accepted
                })
            });
            let mut taken = Vec::new();
            for _ in 0..2 {
                taken.extend(shared.take().map(|target| target.user.addr()));
                thread::yield_now();
            }
            let accepted: usize = posters.into_iter().map(|poster| poster.join().unwrap()).sum();
            drain(shared, &mut taken);
            assert_eq!(taken.len(), accepted);
            assert_eq!(shared.len(), 0);
            // Each poster's own in its order, and none twice.
            for range in [10..12, 20..22] {
                let own: Vec<_> = taken.iter().filter(|n| range.contains(*n)).collect();
                assert!(own.is_sorted_by(|a, b| a < b), "{taken:?}");
            }
        });
    }

    #[test]
    fn loom_a_raised_bit_is_not_lost_to_the_sleep() {
        check(3, || {
            let shared = new_loop(0, 0);
            let raisers = [1, 33].map(|bit| thread::spawn(move || shared.raise(bit).unwrap()));
            let mut found = 0;
            while found != 1 << 1 | 1 << 33 {
                turn(shared, &mut Vec::new());
                found |= shared.take_raised();
            }
            for raiser in raisers {
                raiser.join().unwrap();
            }
        });
    }

    /// Two raise the same bit: the second may not rely on the first to wake the loop.
    #[test]
    fn loom_what_comes_before_a_raise_is_seen_with_it() {
        check(3, || {
            let shared = new_loop(0, 0);
            let done: &'static [AtomicBool; 2] = Box::leak(Box::new([AtomicBool::new(false), AtomicBool::new(false)]));
            for flag in done {
                thread::spawn(move || {
                    flag.store(true, Ordering::Relaxed);
                    shared.raise(5).unwrap();
                });
            }
            while !done.iter().all(|flag| flag.load(Ordering::Relaxed)) {
                turn(shared, &mut Vec::new());
                shared.take_raised();
            }
        });
    }

    #[test]
    fn loom_a_wake_ends_the_current_or_the_next_wait() {
        check(5, || {
            let shared = new_loop(0, 0);
            let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
            let waker = thread::spawn(move || {
                done.store(true, Ordering::Relaxed);
                shared.wake().unwrap();
            });
            while !done.load(Ordering::Relaxed) {
                turn(shared, &mut Vec::new());
            }
            waker.join().unwrap();
        });
    }

    /// The second waker finds the flag set, and what it did before must be seen all the same.
    #[test]
    fn loom_what_comes_before_a_second_wake_is_seen_too() {
        check(3, || {
            let shared = new_loop(0, 0);
            let done: &'static [AtomicBool; 2] = Box::leak(Box::new([AtomicBool::new(false), AtomicBool::new(false)]));
            for flag in done {
                thread::spawn(move || {
                    flag.store(true, Ordering::Relaxed);
                    shared.wake().unwrap();
                });
            }
            while !done.iter().all(|flag| flag.load(Ordering::Relaxed)) {
                turn(shared, &mut Vec::new());
            }
        });
    }

    /// A busy turn does not sleep, and yet consumes the wake-up: it must see what came before.
    #[test]
    fn loom_a_wake_consumed_by_a_busy_turn_is_seen_by_it() {
        check(5, || {
            let shared = new_loop(0, 0);
            let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
            thread::spawn(move || {
                done.store(true, Ordering::Relaxed);
                shared.wake().unwrap();
            });
            shared.awake();
            while !done.load(Ordering::Relaxed) {
                turn(shared, &mut Vec::new());
            }
        });
    }

    #[test]
    fn loom_a_stop_is_not_lost_to_the_sleep() {
        check(5, || {
            let shared = new_loop(0, 1);
            let stopper = thread::spawn(move || {
                shared.post(target(1)).unwrap();
                shared.stop().unwrap();
            });
            let mut taken = Vec::new();
            while !shared.take_stop() {
                turn(shared, &mut taken);
            }
            // Before the join, which would order everything.
            drain(shared, &mut taken);
            assert_eq!(taken, [1]);
            stopper.join().unwrap();
        });
    }

    #[test]
    fn loom_no_waker_is_inside_after_retiring() {
        check(3, || {
            let shared = new_loop(0, 1);
            let posters = [thread::spawn(move || shared.post(target(1))), thread::spawn(move || shared.wake())];
            // It looked, was not woken and went on: whoever has seen it sleep may come late.
            let _ = shared.about_to_sleep();
            while shared.retire().is_err() {
                thread::yield_now();
            }
            assert!(!shared.wake_object().is_inside.load(Ordering::Relaxed), "closed while a waker writes");
            shared.wake_object().is_open.store(false, Ordering::Relaxed);
            let mut taken = Vec::new();
            drain(shared, &mut taken);
            let [post, _] = posters.map(|poster| poster.join().unwrap());
            assert_eq!(taken.len(), usize::from(post.is_ok()));
        });
    }

    #[test]
    fn loom_what_was_accepted_before_closing_is_handed_back() {
        check(3, || {
            let shared = new_loop(usize::MAX, 2);
            let posters = [1, 2].map(|n| thread::spawn(move || shared.post(target(n))));
            let mut taken = Vec::new();
            taken.extend(shared.take().map(|target| target.user.addr()));
            while shared.retire().is_err() {
                thread::yield_now();
            }
            drain(shared, &mut taken);
            let mut accepted = Vec::new();
            for (n, poster) in [1, 2].into_iter().zip(posters) {
                match poster.join().unwrap() {
                    Ok(()) => accepted.push(n),
                    Err(error) => assert_eq!(error, Error::ESHUTDOWN),
                }
            }
            taken.sort_unstable();
            assert_eq!(taken, accepted);
            assert_eq!(shared.take(), None);
        });
    }
}
