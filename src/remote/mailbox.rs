#![expect(
    unsafe_code,
    reason = "the ring can be moved: its memory is known by an atomic address"
)]
//! The mailbox: a lock-free ring of messages. Any number of posters, one consumer.
//!
//! The ring lies in lent [`Entry`]s. Three positions describe it. All are *tickets*: they count
//! messages and wrap as a `usize` does.
//!
//! ```text
//! head ≤ next ≤ tail
//! [head, next)  taken, the place not yet free
//! [next, tail)  posted, or reserved by a poster that has not finished
//! ```
//!
//! A poster reserves a place by moving `tail` with a compare-and-swap, writes the user's word, and
//! publishes the message by writing the function last. The consumer takes messages from `next` on,
//! and stops at the first that is not published. It frees places in batches, by moving `head`:
//! posters read `head`, and a cache line that two processors write for each message would cost more
//! than all the rest.
//!
//! Since tickets do not repeat for a long time, an old value of `tail` cannot mislead a poster that
//! was stopped between reading it and the compare-and-swap: that would take 2^32 further messages
//! (2^31 if the loop closes among them; 2^64 and 2^63 on 64-bit machines).
//!
//! The place of a ticket is its distance from `lap`, the ticket of the message at index 0 in the
//! consumer's current lap around the ring. A poster may be one lap ahead, so one comparison finds
//! its place. Nothing divides, so any capacity will do.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::slice;
use core::sync::atomic;

use static_assertions::const_assert;

use super::Entry;
use crate::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::callback::Callback;
use crate::error::{Error, Result};

/// Where the mailbox ended at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ticket(pub(super) usize);

/// How far closing moves `tail` away. A ring in memory is always shorter than half the number of
/// tickets.
pub(super) const CLOSED_DISTANCE: usize = 1 << (usize::BITS - 1);

const_assert!(isize::MAX as usize / size_of::<Entry>() < CLOSED_DISTANCE / 2);

/// A batch of messages is at most this part of the ring, or one message in a short ring. Under
/// loom, which cannot try all orders of a long ring, a batch may be the whole ring.
const BATCHES_PER_LAP: usize = if cfg!(loom) { 1 } else { 8 };

/// Words that keep what the consumer writes for each message out of the cache line that posters
/// use. Small machines have no caches to keep coherent, and no memory to spare.
const APART: usize = if cfg!(target_pointer_width = "64") {
    7
} else {
    0
};

/// The ring of messages.
#[repr(C)]
pub(super) struct Mailbox<'a> {
    /// The index of the next message to be taken. The consumer alone reads and writes it, so it is
    /// no part of the protocol, and loom need not know of it.
    index: atomic::AtomicUsize,
    _apart: [MaybeUninit<usize>; APART],
    /// The next ticket to be given out: the number of messages ever accepted. Posters move it on,
    /// by compare-and-swap.
    pub(super) tail: AtomicUsize,
    /// The places of all messages before it are free. The consumer alone writes it.
    pub(super) head: AtomicUsize,
    /// The ticket of the message at index 0 in the lap of `index`. The consumer alone writes it.
    pub(super) lap: AtomicUsize,
    /// The ring: where it is, and how many places it has. Both change in `move_to` alone, while
    /// nobody else uses the mailbox, so they are no part of the protocol either.
    entries: atomic::AtomicPtr<Entry>,
    length: atomic::AtomicUsize,
    lent: PhantomData<&'a [Entry]>,
    pub(super) peak: AtomicUsize,
    pub(super) refused: AtomicU32,
}

impl<'a> Mailbox<'a> {
    /// An empty ring over `entries`, whose first ticket is `first`.
    pub(super) fn new(entries: &'a [Entry], first: usize) -> Self {
        for entry in entries {
            entry.clear();
        }
        Mailbox {
            index: atomic::AtomicUsize::new(0),
            _apart: [MaybeUninit::uninit(); APART],
            tail: AtomicUsize::new(first),
            head: AtomicUsize::new(first),
            lap: AtomicUsize::new(first),
            entries: atomic::AtomicPtr::new(entries.as_ptr().cast_mut()),
            length: atomic::AtomicUsize::new(entries.len()),
            lent: PhantomData,
            peak: AtomicUsize::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// The ring. Any thread.
    #[inline]
    pub(super) fn entries(&self) -> &'a [Entry] {
        // Relaxed, both: they change only while no other thread uses the mailbox.
        let (first, length) = (
            self.entries.load(atomic::Ordering::Relaxed),
            self.length.load(atomic::Ordering::Relaxed),
        );
        // SAFETY: the address of a slice, which is not null.
        unsafe { core::hint::assert_unchecked(!first.is_null()) };
        // SAFETY: the address and length of a slice that was lent for 'a: of the one given to
        // `new`, or to `move_to`, whose caller promises that nobody sees one of the two changed
        // without the other.
        unsafe { slice::from_raw_parts(first, length) }
    }

    // ---- for posters: any thread ----

    /// Reserves a place, fills it in and publishes it.
    #[inline]
    pub(super) fn push(&self, callback: Callback) -> Result<()> {
        let entries = self.entries();
        // Acquire, with the Release in `free_taken`: the messages before this head were taken, so
        // their places may be written again.
        let mut head = self.head.load(Ordering::Acquire);
        // Relaxed: an old tail only makes the compare-and-swap fail. It is never older than `head`,
        // which was loaded before: a ticket is reserved before it is published, and published
        // before it is taken, so a thread that has seen the head has seen the reservation. So the
        // difference below is a length, or more if head has moved on meanwhile.
        let mut tail = self.tail.load(Ordering::Relaxed);
        loop {
            if tail.wrapping_sub(head) >= entries.len() {
                let newer = self.head.load(Ordering::Acquire);
                if newer == head {
                    return Err(self.refuse(tail.wrapping_sub(head)));
                }
                head = newer;
                tail = self.tail.load(Ordering::Relaxed);
                continue;
            }
            // Relaxed: the message is not published yet. If this succeeds there is room, for tail
            // is what was compared and head only moves forward.
            match self.tail.compare_exchange_weak(
                tail,
                tail.wrapping_add(1),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => tail = now,
            }
        }
        // Relaxed: the consumer wrote this lap before the head that was acquired. It is the lap of
        // that head or a later one. It is not later than the ticket, which the consumer cannot pass
        // before the message is published. So the ticket is in that lap or in the next.
        let index = tail.wrapping_sub(self.lap.load(Ordering::Relaxed));
        let next_lap = || entries.get(index.wrapping_sub(entries.len()));
        let Some(entry) = entries.get(index).or_else(next_lap) else {
            return Err(Error::EUCLEAN);
        };
        entry.publish(callback);
        Ok(())
    }

    /// Why there is no room. `length` is exact here, since `head` was the same before and after
    /// `tail` was read.
    #[cold]
    #[inline(never)]
    fn refuse(&self, length: usize) -> Error {
        if length >= CLOSED_DISTANCE {
            return Error::ESHUTDOWN;
        }
        // Relaxed: a statistic, which orders nothing.
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.note_length(length);
        Error::EAGAIN
    }

    /// Notes that the mailbox was seen to be that long.
    #[inline]
    pub(super) fn note_length(&self, length: usize) {
        // Relaxed, both: a statistic. The load comes first since a mailbox that is full is found
        // full by many posts, and a load does not take the cache line from other processors.
        if length > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(length, Ordering::Relaxed);
        }
    }

    // ---- for the consumer: the loop's thread ----

    /// The places of the messages to be taken next: at most `most`, all reserved before `end`, and
    /// each to be given to [`take`](Self::take).
    #[inline]
    pub(super) fn batch(&self, end: Ticket, most: u32) -> &'a [Entry] {
        let entries = self.entries();
        let rest = entries.get(self.index()..).unwrap_or_default();
        // As a signed distance: the callback of a post may have taken messages beyond `end`.
        let left = end.0.wrapping_sub(self.next()) as isize;
        let count = (left.max(0) as usize)
            .min(most as usize)
            .min((entries.len() / BATCHES_PER_LAP).max(1))
            .min(rest.len());
        rest.get(..count).unwrap_or_default()
    }

    /// Takes the next message of a batch. `None`, with nothing changed, if the batch is empty, or
    /// if the message is not published. When the last one is taken, the places of all are free.
    #[inline]
    pub(super) fn take(&self, batch: &mut &'a [Entry]) -> Option<Callback> {
        let (entry, rest) = batch.split_first()?;
        let callback = entry.take()?;
        *batch = rest;
        self.set_index(self.index().wrapping_add(1));
        if rest.is_empty() {
            self.free_taken();
        }
        Some(callback)
    }

    /// Lets posters use the places of all messages taken so far.
    #[inline]
    pub(super) fn free_taken(&self) {
        let next = self.next();
        if self.index() >= self.entries().len() {
            // Relaxed: the next store releases it.
            self.lap.store(next, Ordering::Relaxed);
            self.set_index(0);
        }
        // Release: the poster that sees this head may write the entries, and finds the lap that
        // goes with it or a later one.
        self.head.store(next, Ordering::Release);
    }

    /// The index of the next message to be taken. At most the length of the ring, and less except
    /// between taking the last message of a lap and the `free_taken` that follows.
    #[inline]
    fn index(&self) -> usize {
        self.index.load(atomic::Ordering::Relaxed)
    }

    #[inline]
    fn set_index(&self, index: usize) {
        self.index.store(index, atomic::Ordering::Relaxed);
    }

    /// The ticket of the next message to be taken.
    #[inline]
    pub(super) fn next(&self) -> usize {
        // Relaxed: only this thread writes it.
        self.lap.load(Ordering::Relaxed).wrapping_add(self.index())
    }

    /// True if the next message is there to be taken.
    #[inline(always)]
    pub(super) fn is_published(&self) -> bool {
        self.entries()
            .get(self.index())
            .is_some_and(Entry::is_published)
    }

    /// Refuses all further reservations. At most once.
    pub(super) fn close(&self) {
        // Relaxed: reservations under way fail because the value changes, in whatever order they
        // see it.
        self.tail.fetch_add(CLOSED_DISTANCE, Ordering::Relaxed);
    }

    /// Closes, unless a poster has reserved a place since `end`. Only if not closed already.
    pub(super) fn close_at(&self, end: Ticket) -> bool {
        // Relaxed, both, as in `close`.
        let closed = end.0.wrapping_add(CLOSED_DISTANCE);
        self.tail
            .compare_exchange(end.0, closed, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Undoes `close`.
    pub(super) fn open(&self) {
        // Relaxed, as in `close`.
        self.tail.fetch_sub(CLOSED_DISTANCE, Ordering::Relaxed);
    }

    /// The ticket after the last one given out, whether closed or not.
    #[inline]
    pub(super) fn end(&self) -> Ticket {
        // Relaxed: a reservation that this misses belongs to a later turn, and before it sleeps the
        // loop looks at the entries themselves.
        self.end_at(self.tail.load(Ordering::Relaxed))
    }

    /// As [`end`](Self::end), when `tail` was that.
    #[inline]
    pub(super) fn end_at(&self, tail: usize) -> Ticket {
        let is_closed = tail.wrapping_sub(self.next()) >= CLOSED_DISTANCE;
        Ticket(tail.wrapping_sub(if is_closed { CLOSED_DISTANCE } else { 0 }))
    }

    /// Messages reserved and not taken.
    pub(super) fn len(&self) -> usize {
        self.end().0.wrapping_sub(self.next())
    }

    /// True if the poster of a message before `end` has reserved its place and not published it.
    /// O(length).
    pub(super) fn is_pending(&self, end: Ticket) -> bool {
        (0..end.0.wrapping_sub(self.next())).any(|place| {
            self.queued(place)
                .is_some_and(|entry| !entry.is_published())
        })
    }

    /// The entry that many places behind the next to be taken.
    #[inline(always)]
    fn queued(&self, place: usize) -> Option<&'a Entry> {
        let entries = self.entries();
        let index = self.index().wrapping_add(place);
        entries.get(if index >= entries.len() {
            index.wrapping_sub(entries.len())
        } else {
            index
        })
    }

    /// Gives up the places that were reserved and not filled; the messages behind them move up.
    /// Only while no other thread exists. O(length).
    pub(super) fn forget_pending(&self) {
        let length = self.len();
        let mut kept = 0;
        for place in 0..length {
            let (Some(from), Some(to)) = (self.queued(place), self.queued(kept)) else {
                return;
            };
            if let Some(callback) = from.take() {
                to.publish(callback);
                kept += 1;
            }
        }
        // Relaxed: there is no other thread.
        self.tail.fetch_sub(length - kept, Ordering::Relaxed);
    }

    /// True if what is queued can be moved to a ring of `count` places: there is room, no poster is
    /// in the middle of a post, and the mailbox is open.
    #[cfg(feature = "ffi")]
    pub(super) fn fits(&self, count: usize) -> bool {
        let length = self.tail.load(Ordering::Relaxed).wrapping_sub(self.next());
        length <= count
            && (0..length).all(|place| self.queued(place).is_some_and(Entry::is_published))
    }

    /// Moves the ring into `entries`, where what is queued [fits](Self::fits).
    ///
    /// # Safety
    ///
    /// No other thread, signal handler or interrupt uses the mailbox meanwhile, and whatever tells
    /// them to go on orders this before.
    #[cfg(feature = "ffi")]
    pub(super) unsafe fn move_to(&self, entries: &'a [Entry]) {
        let (next, length) = (self.next(), self.len());
        for entry in entries {
            entry.clear();
        }
        for (place, new) in entries.iter().enumerate().take(length) {
            if let Some(callback) = self.queued(place).and_then(Entry::take) {
                new.publish(callback);
            }
        }
        // Relaxed, all: nobody else uses it, as the caller promises.
        self.entries
            .store(entries.as_ptr().cast_mut(), atomic::Ordering::Relaxed);
        self.length.store(entries.len(), atomic::Ordering::Relaxed);
        self.lap.store(next, Ordering::Relaxed);
        self.set_index(0);
        self.head.store(next, Ordering::Relaxed);
    }

    /// True if the positions agree with one another and with the ring.
    pub(super) fn is_sound(&self) -> bool {
        let capacity = self.entries().len();
        let index = self.index();
        // Relaxed: only this thread writes it.
        let unfreed = self.next().wrapping_sub(self.head.load(Ordering::Relaxed));
        (index < capacity || (index == 0 && capacity == 0))
            && unfreed <= capacity
            && self.len() <= capacity - unfreed
    }
}
