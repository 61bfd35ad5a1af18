#![cfg_attr(
    feature = "ffi",
    expect(
        unsafe_code,
        reason = "while the mailbox is moved, no other thread may use it"
    )
)]
//! Remote: the part of the loop that other threads, signal handlers and interrupts may use.
//!
//! All other parts of a loop belong to one thread. This part is shared, so all its methods take
//! `&self`. It has to deal with four dangers.
//!
//! **Several posters at once.** Messages go into a ring whose places are given out by
//! compare-and-swap: see [`mailbox`].
//!
//! **A poster that is stopped anywhere.** A signal handler may post while the thread that it
//! interrupted is in the middle of a post, and an interrupt while the loop is taking messages. So
//! there is no lock, and no thread waits for another: a loop in this code repeats only because
//! another thread has made progress. A poster that is stopped after it has reserved a place holds
//! back the messages behind its own, because messages run in order. It does not hold back other
//! posters. The loop takes the first unpublished entry for the end of the queue; it may sleep, and
//! the late publication wakes it.
//!
//! **A wake-up between the last look and the sleep.** Waking costs a system call, so only a loop
//! that sleeps is woken. A thread that brings work publishes it, and then looks whether the loop
//! sleeps. The loop announces that it will sleep, and then looks for work. Both put a full fence
//! between the two steps, so at least one sees the other. Of several threads that see a sleeping
//! loop, the one that clears the `SLEEPING` flag makes the call, so a burst of posts costs one. The
//! thread that makes the call may be preempted before it; until the wait is over, other threads
//! that bring work make the call too. If a call fails the flag is set again, so that the next
//! thread tries. See [`state`].
//!
//! **The end of the loop.** The wake object may be an fd, and after it is closed its number may
//! belong to another file. So a thread that will wake the loop is counted, in the same atomic step
//! that clears `SLEEPING` and sees that the loop is not closed.
//! [`Shared::close_and_check_idle`] returns `EBUSY` while that count is not zero. A message that
//! was accepted must not be lost either: closing moves the ring's `tail` away by half the range of
//! tickets. Then every reservation in progress fails, and the number of accepted messages is final.
//! This costs posts nothing, since a closed ring looks like a full one.
//!
//! The memory is the program's responsibility: before it is used for something else, all threads
//! that may call must have finished.
//!
//! [`post`](Shared::post), [`raise`](Shared::raise), [`wake`](Shared::wake) and
//! [`stop`](Shared::stop) are async-signal-safe: no lock, no allocation, no thread-local variable
//! (so no errno), bounded stack, and correct when entered again at any instruction. This holds as
//! far as [`Wake::wake`] is async-signal-safe.

mod entry;
mod mailbox;
mod raised;
mod state;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(test)]
mod tests_support;

pub(crate) use self::entry::Entry;
use self::mailbox::Mailbox;
pub(crate) use self::mailbox::Ticket;
use self::raised::RaisedBits;
use self::state::{CLOSED, STOP, State, WAKE};
#[cfg(feature = "ffi")]
use crate::atomic::AtomicPtr;
use crate::atomic::{AtomicU32, Ordering, fence};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::wake::{Owned, Wake};

/// A turn with at least this many posts is part of a burst: before the next wait, the loop lets
/// further posts gather.
pub(crate) const BURST: usize = 8;
/// How long it does so, in pauses of the processor, which take 10 to 40 ns each. On machines
/// without an operating system no other thread posts during a pause.
const PAUSES: usize = if cfg!(host_only) { 0 } else { 100 };

/// What other threads may use of a loop. Each method says which thread may call it: any thread, or
/// the loop's.
///
/// The mailbox comes first, since its consumer's part is to be near what the loop's thread writes.
#[repr(C)]
pub(crate) struct Shared<'a, W> {
    mailbox: Mailbox<'a>,
    state: State,
    raised: RaisedBits,
    wake_count: AtomicU32,
    #[cfg(feature = "ffi")]
    caller: AtomicPtr<()>,
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

    /// [`take`](Self::take), also in a copy that fork made, where the thread that was posting the
    /// next message may not exist. Loop thread.
    pub(crate) fn take_here(&self) -> Option<Callback> {
        self.take().or_else(|| {
            if self.mailbox.is_pending(self.mailbox.end()) && self.is_copy() == Some(true) {
                self.forget_others();
            }
            self.take()
        })
    }

    /// [`close_and_check_idle`](Self::close_and_check_idle), also in a copy that fork made, where
    /// other threads do not exist. Loop thread.
    pub(crate) fn close_and_check_idle_here(&self) -> Result<()> {
        match self.close_and_check_idle() {
            Err(Error::EBUSY) if self.is_copy() == Some(true) => {
                self.close();
                Ok(())
            }
            result => result,
        }
    }
}

impl<'a, W: Wake> Shared<'a, W> {
    /// An open, empty mailbox over `entries`, any number of them, and a loop that is awake. What
    /// the entries held is forgotten.
    pub(crate) fn new(entries: &'a [Entry], wake: W) -> Self {
        Self::starting_at(0, entries, wake)
    }

    /// [`new`](Self::new) with another first ticket. Tests begin shortly before the tickets wrap.
    fn starting_at(first: usize, entries: &'a [Entry], wake: W) -> Self {
        Shared {
            mailbox: Mailbox::new(entries, first),
            state: State::new(),
            raised: RaisedBits::new(),
            wake_count: AtomicU32::new(0),
            #[cfg(feature = "ffi")]
            caller: AtomicPtr::new(core::ptr::null_mut()),
            wake,
        }
    }

    // ---- any thread, signal handler or interrupt ----

    /// Queues a message, and wakes the loop if it sleeps. The loop runs the message once, after all
    /// that were accepted before it.
    ///
    /// `EAGAIN` if there is no room, `ESHUTDOWN` once closed. Lock-free, async-signal-safe. A
    /// system call only if the loop sleeps and nobody has woken it yet. Any thread.
    #[inline]
    pub(crate) fn post(&self, callback: Callback) -> Result<()> {
        self.mailbox.push(callback)?;
        self.wake_if_sleeping();
        Ok(())
    }

    /// Leaves the address of the function that calls posts, before the first post. A program that
    /// posts nothing does not name the function, so it does not contain it. Any thread.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn set_caller(&self, caller: *mut ()) {
        // Relaxed: the Release of the post that follows orders it.
        self.caller.store(caller, Ordering::Relaxed);
    }

    /// Sets bit `bit`, 0 to 63. If it is set several times before the loop looks, the loop finds it
    /// once. This never fails for want of room.
    ///
    /// `EINVAL` beyond 63, `ESHUTDOWN` once closed. If the loop is just closing, a bit may be set
    /// and never found. Lock-free, async-signal-safe. A system call as in [`post`](Self::post). Any
    /// thread.
    pub(crate) fn raise(&self, bit: u32) -> Result<()> {
        if bit <= raised::MAX_RAISED && self.state.is_closed() {
            return Err(Error::ESHUTDOWN);
        }
        self.raised.raise(bit)?;
        // Even if the bit was set already: the thread that set it may be stopped before its call.
        self.wake_if_sleeping();
        Ok(())
    }

    /// Makes the loop's current wait return, or its next wait if it is not waiting: at least one
    /// turn begins or continues after this call, and sees what was done before it.
    ///
    /// `ESHUTDOWN` once closed. Lock-free, async-signal-safe. A system call only if the loop
    /// sleeps. Any thread.
    pub(crate) fn wake(&self) -> Result<()> {
        self.request(WAKE)
    }

    /// Asks the loop to stop, and wakes it. The request stays until
    /// [`take_stop`](Self::take_stop). Errors, cost and thread as [`wake`](Self::wake).
    pub(crate) fn stop(&self) -> Result<()> {
        self.request(STOP | WAKE)
    }

    /// Wakes the loop if it sleeps. Called after work was published.
    #[inline]
    fn wake_if_sleeping(&self) {
        // The counterpart of the fence in `about_to_sleep`: publish, fence, look at the state. The
        // two fences have one order. If this one is first, the loop sees what was published and
        // does not sleep. If the loop's is first, this thread sees SLEEPING, or that another thread
        // is waking the loop, or that the wait is over; then the loop looks again before it sleeps.
        // Nothing weaker than this fence will do: any processor may exchange a store and a later
        // load of something else.
        fence(Ordering::SeqCst);
        if self.state.may_sleep() {
            self.wake_sleeping();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_sleeping(&self) {
        // Refused only once closed, by the loop's thread, which is not asleep then.
        let _ = self.request(0);
    }

    /// Sets flags of the loop's state, and wakes the loop if it sleeps.
    fn request(&self, flags: u32) -> Result<()> {
        if self.state.request(flags)? {
            // Relaxed: a count that orders nothing.
            self.wake_count.fetch_add(1, Ordering::Relaxed);
            let has_failed = self.wake.wake().is_err();
            self.state.waker_leaves(has_failed);
        }
        Ok(())
    }

    // ---- the loop's thread ----

    /// Calls [`Wake::wake`] whatever the state is, for news that are not in the mailbox. Loop
    /// thread.
    pub(crate) fn ring(&self) {
        // If it fails, the next change tries again.
        let _ = self.wake.wake();
    }

    /// Pauses for one to four microseconds, so that further posts gather. Loop thread.
    ///
    /// The loop is usually faster than the threads that post to it. Without the pause it catches up
    /// with them again and again. Then each turn makes its system calls for a few messages and
    /// takes the cache line of `tail` from the posters several times, or the loop sleeps, and a
    /// poster makes the system call that wakes it.
    #[cold]
    #[inline(never)]
    pub(crate) fn let_posts_gather(&self) {
        // A short mailbox would be full before the end.
        for _ in 0..PAUSES.min(self.capacity() / 2) {
            core::hint::spin_loop();
        }
    }

    /// Announces that the loop is about to wait. Returns true if it may sleep: from now on, a
    /// thread that brings work calls [`Wake::wake`]. Returns false if there is work, or a request
    /// to wake up: then the loop must not sleep. In either case call [`awake`](Self::awake) after
    /// the wait.
    ///
    /// If [`Wake::wake`] leaves something behind (a readable eventfd), clear it between the end of
    /// the wait and the next call of this. Clearing it between this call and the wait would lose a
    /// wake-up.
    pub(crate) fn about_to_sleep(&self) -> bool {
        let may_sleep = self.state.announce_sleep();
        // The counterpart of the fence in `wake_if_sleeping`: announce, fence, look for work.
        fence(Ordering::SeqCst);
        if may_sleep && !self.has_work() {
            return true;
        }
        self.state.cancel_sleep();
        false
    }

    /// Declares the wait over, whether it slept or not. The wake-up that was asked for has taken
    /// place: this turn is the one. Loop thread.
    #[inline]
    pub(crate) fn awake(&self) {
        self.state.end_wait();
    }

    /// True if a message was posted, published or not; also if the queues are closed. Loop thread.
    #[inline]
    pub(crate) fn has_posts(&self) -> bool {
        self.snapshot_tail().is_some()
    }

    /// True if a message can be taken or a bit is raised. Loop thread.
    pub(crate) fn has_work(&self) -> bool {
        self.raised.has_any() || (self.has_posts() && self.mailbox.is_published())
    }

    /// Takes the bits that were raised since the last call. Loop thread.
    #[inline(always)]
    pub(crate) fn take_raised(&self) -> u64 {
        self.raised.take()
    }

    /// Returns true if a stop was asked for since the last call. Loop thread.
    #[inline]
    pub(crate) fn take_stop(&self) -> bool {
        self.state.take_stop()
    }

    /// The tail of the mailbox, if there may be messages before it. Loop thread.
    #[inline]
    pub(crate) fn snapshot_tail(&self) -> Option<usize> {
        // Relaxed, both: this only asks whether there are messages. Taking them acquires. A message
        // that this misses is found before the next sleep.
        let tail = self.mailbox.tail.load(Ordering::Relaxed);
        (self.mailbox.head.load(Ordering::Relaxed) != tail).then_some(tail)
    }

    /// Returns where the mailbox ended when its tail was that, and how many messages are in it
    /// before that end: a turn takes these. Loop thread.
    #[inline]
    pub(crate) fn end_at(&self, tail: usize) -> (Ticket, usize) {
        let end = self.mailbox.end_at(tail);
        let length = end.0.wrapping_sub(self.mailbox.next());
        self.mailbox.note_length(length);
        (end, length)
    }

    /// The address that [`set_caller`](Self::set_caller) left. Null at most until the first post is
    /// published, and the loop has seen that. Loop thread.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn caller(&self) -> *mut () {
        self.caller.load(Ordering::Relaxed)
    }

    /// The places of the messages to be taken next: at most `most`, and only those that were
    /// accepted before `end`. Loop thread.
    #[inline]
    pub(crate) fn batch(&self, end: Ticket, most: u32) -> &'a [Entry] {
        self.mailbox.batch(end, most)
    }

    /// Takes the next message of a batch. `None` if there is none, or if its poster has not
    /// finished; then call [`end_batch`](Self::end_batch). Loop thread.
    #[inline]
    pub(crate) fn take_of(&self, batch: &mut &'a [Entry]) -> Option<Callback> {
        self.mailbox.take(batch)
    }

    /// Frees the places of the messages that were taken of a batch, if that was not taken to its
    /// end. Returns true if there is a message to be taken. Loop thread.
    pub(crate) fn end_batch(&self) -> bool {
        self.mailbox.free_taken();
        self.mailbox.is_published()
    }

    /// Takes the next message, whatever turn it belongs to: to hand back what is left at the end of
    /// the loop's life. Loop thread.
    pub(crate) fn take(&self) -> Option<Callback> {
        self.take_of(&mut self.batch(self.mailbox.end(), 1))
    }

    /// True if [`close`](Self::close) was called. Loop thread.
    #[cfg(any(test, feature = "ffi"))]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.is_closed()
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

    /// Refuses posts, bits, wake-ups and stops from now on, with `ESHUTDOWN`. What was accepted can
    /// still be taken. Closing again does nothing. Loop thread.
    pub(crate) fn close(&self) {
        if self.state.close() {
            self.mailbox.close();
        }
    }

    /// Closes, if no other thread is in the middle of something. `EBUSY`, with nothing changed,
    /// while a thread is in [`Wake::wake`], or has reserved a place in the mailbox and not filled
    /// it; try again.
    ///
    /// Once it has succeeded, the wake object may go: late callers touch only this struct and the
    /// entries, no further message appears, and what [`take`](Self::take) yields is all. Loop
    /// thread.
    pub(crate) fn close_and_check_idle(&self) -> Result<()> {
        let snapshot = self.state.snapshot().ok_or(Error::EBUSY)?;
        let end = self.mailbox.end();
        if self.mailbox.is_pending(end) {
            return Err(Error::EBUSY);
        }
        if snapshot & CLOSED != 0 {
            return Ok(());
        }
        if !self.mailbox.close_at(end) {
            return Err(Error::EBUSY);
        }
        if !self.state.close_at(snapshot) {
            self.mailbox.open();
            return Err(Error::EBUSY);
        }
        Ok(())
    }

    /// In a copy that fork made: forgets what threads were in the middle of that do not exist here.
    /// Then no thread is in [`Wake::wake`], and places in the mailbox that were reserved and not
    /// filled are given up. Only while no other thread exists.
    pub(crate) fn forget_others(&self) {
        self.state.forget_wakers();
        self.mailbox.forget_pending();
    }

    // ---- what statistics and `verify` look at ----

    /// What wakes the loop.
    #[cfg(test)]
    pub(crate) fn wake_object(&self) -> &W {
        &self.wake
    }

    pub(crate) fn capacity(&self) -> usize {
        self.mailbox.entries().len()
    }

    /// Messages accepted and not taken, including those that are not published yet. Loop thread.
    pub(crate) fn len(&self) -> usize {
        self.mailbox.len()
    }

    /// Messages accepted since the beginning, modulo 2^32 on 32-bit machines. Loop thread.
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

    /// The longest that the mailbox was seen: by the loop when a turn began, and by posts that
    /// found it full. It may have been longer during a turn.
    pub(crate) fn peak(&self) -> usize {
        self.mailbox.peak.load(Ordering::Relaxed)
    }

    /// Where the entries are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [Entry] {
        core::ptr::from_ref(self.mailbox.entries())
    }

    /// True if the tickets agree with the ring. Loop thread.
    pub(crate) fn is_sound(&self) -> bool {
        self.mailbox.is_sound()
    }
}
