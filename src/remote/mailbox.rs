#![expect(
    unsafe_code,
    reason = "the ring can be moved: its memory is known by an atomic address"
)]
//! The mailbox: a ring of messages, lock-free. Many post, one takes.
//!
//! Messages go into a ring over lent [`Entry`]s. A poster reserves a place by moving `tail` on with
//! a compare-and-swap, fills it in, and publishes it by writing its function last. The one consumer
//! follows with `head`. Both are *tickets*: they count messages, for ever, wrapping as a `usize`
//! does. So a poster that was held up anywhere can be misled by an old value of `tail` only after
//! 2^32 further messages (2^31 if the loop closes among them; 2^64 and 2^63 on 64-bit), and never
//! by an index that came round. The place of a ticket is its distance from the ticket with which
//! the current lap around the ring began; the consumer notes that once per lap, and one comparison
//! corrects a poster that is already a lap ahead. So nothing divides, and nothing asks the capacity
//! to divide 2^32: any will do.

use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic;

use static_assertions::const_assert;

use crate::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::callback::Callback;
use crate::error::{Error, Result};

/// A place for one message. Free, or reserved and not yet published, while the function is null.
pub(crate) struct Entry {
    pub(super) function: AtomicPtr<()>,
    pub(super) user: AtomicPtr<()>,
}

#[cfg(not(loom))]
const_assert!(size_of::<Entry>() == 2 * size_of::<usize>());

#[cfg(test)]
impl Entry {
    /// A free place.
    pub(crate) fn new() -> Entry {
        Entry {
            function: AtomicPtr::new(null_mut()),
            user: AtomicPtr::new(null_mut()),
        }
    }
}

/// Where the mailbox ended at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ticket(pub(super) usize);

/// How far closing moves `tail` away. A ring over memory is always shorter than half the number of
/// tickets.
pub(super) const CLOSED_DISTANCE: usize = 1 << (usize::BITS - 1);

const_assert!(isize::MAX as usize / size_of::<Entry>() < CLOSED_DISTANCE / 2);

/// The ring of messages: many post, one takes.
pub(super) struct Mailbox<'a> {
    /// The ring: where it is, and how many places it has. Both change in `move_to` alone, while
    /// nobody else is inside: they take no part in the protocol, and loom need not know of them.
    entries: atomic::AtomicPtr<Entry>,
    length: atomic::AtomicUsize,
    lent: PhantomData<&'a [Entry]>,
    /// The next ticket to be given out: the number of messages ever accepted. Written by posters,
    /// by compare-and-swap.
    pub(super) tail: AtomicUsize,
    /// The next ticket to be taken. Written by the consumer alone.
    pub(super) head: AtomicUsize,
    /// The ticket with which the lap that `head` is in began: the one at index 0. Written by the
    /// consumer alone.
    pub(super) lap: AtomicUsize,
    pub(super) peak: AtomicUsize,
    pub(super) refused: AtomicU32,
}

impl<'a> Mailbox<'a> {
    /// An empty ring over `entries`, whose first ticket is `first`.
    pub(super) fn new(entries: &'a [Entry], first: usize) -> Self {
        for entry in entries {
            // Relaxed: nobody else knows of the ring yet. Whatever tells them of it orders this
            // before their first post.
            entry.function.store(null_mut(), Ordering::Relaxed);
        }
        Mailbox {
            entries: atomic::AtomicPtr::new(entries.as_ptr().cast_mut()),
            length: atomic::AtomicUsize::new(entries.len()),
            lent: PhantomData,
            tail: AtomicUsize::new(first),
            head: AtomicUsize::new(first),
            lap: AtomicUsize::new(first),
            peak: AtomicUsize::new(0),
            refused: AtomicU32::new(0),
        }
    }

    /// The ring. Any thread.
    #[inline]
    pub(super) fn entries(&self) -> &'a [Entry] {
        // Relaxed, both: they change only while no other thread is inside.
        let (first, length) = (
            self.entries.load(atomic::Ordering::Relaxed),
            self.length.load(atomic::Ordering::Relaxed),
        );
        // SAFETY: the address of a slice, which is not null.
        unsafe { core::hint::assert_unchecked(!first.is_null()) };
        // SAFETY: the address and length of a slice that was lent for 'a: of the one given to
        // `new`, or to `move_to`, whose caller promises that nobody sees one of the two changed
        // without the other.
        unsafe { core::slice::from_raw_parts(first, length) }
    }

    /// True if what is queued can be moved to a ring of `count` places: there is room, nobody is in
    /// the middle of a post, and the mailbox is open. Loop thread.
    #[cfg(feature = "ffi")]
    pub(super) fn fits(&self, count: usize) -> bool {
        // Relaxed, both: no poster is inside, as the caller of `move_to` promises.
        let head = self.head.load(Ordering::Relaxed);
        let length = self.tail.load(Ordering::Relaxed).wrapping_sub(head);
        let is_published = |entry: &Entry| !entry.function.load(Ordering::Acquire).is_null();
        length <= count && (0..length).all(|place| self.queued(place).is_some_and(is_published))
    }

    /// The entry that many places behind the oldest.
    fn queued(&self, place: usize) -> Option<&'a Entry> {
        // Relaxed, both: the consumer's own.
        let lap = self.lap.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Relaxed);
        self.entry(head.wrapping_sub(lap), place)
    }

    /// The entry that many places behind the one at `first`, around the end.
    fn entry(&self, first: usize, place: usize) -> Option<&'a Entry> {
        let entries = self.entries();
        let index = first.wrapping_add(place);
        entries.get(if index >= entries.len() {
            index.wrapping_sub(entries.len())
        } else {
            index
        })
    }

    /// Moves the ring into `entries`, where what is queued [fits](Self::fits). Loop thread.
    ///
    /// # Safety
    ///
    /// No other thread, signal handler or interrupt uses the mailbox meanwhile, and whatever tells
    /// them to go on orders this before.
    #[cfg(feature = "ffi")]
    pub(super) unsafe fn move_to(&self, entries: &'a [Entry]) {
        // Relaxed, all: nobody else is inside, as the caller promises.
        let head = self.head.load(Ordering::Relaxed);
        let length = self.tail.load(Ordering::Relaxed).wrapping_sub(head);
        for (place, new) in entries.iter().enumerate() {
            let (mut function, mut user) = (null_mut(), null_mut());
            if place < length {
                if let Some(old) = self.queued(place) {
                    function = old.function.load(Ordering::Relaxed);
                    user = old.user.load(Ordering::Relaxed);
                }
            }
            new.function.store(function, Ordering::Relaxed);
            new.user.store(user, Ordering::Relaxed);
        }
        self.entries
            .store(entries.as_ptr().cast_mut(), atomic::Ordering::Relaxed);
        self.length.store(entries.len(), atomic::Ordering::Relaxed);
        self.lap.store(head, Ordering::Relaxed);
    }

    /// Reserves, fills in and publishes. Any thread.
    #[inline]
    pub(super) fn push(&self, callback: Callback) -> Result<()> {
        let entries = self.entries();
        // Acquire, with the Release in `pop`: all before this head has been taken out, so the
        // places may be written again.
        let mut head = self.head.load(Ordering::Acquire);
        // Relaxed: a tail too old only makes the compare-and-swap fail. It is never older than
        // `head`, which was loaded before: a ticket is reserved before it is published, and
        // published before it is taken, so whoever has seen the head has seen the reservation. So
        // the difference below is a length, or more if head has moved on meanwhile.
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
            // Relaxed: reserving tells nobody anything; publishing does. If it succeeds there is
            // room, for tail is what we compared and head only moves forward.
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
        // Relaxed: the consumer wrote it before the head we have acquired. It is the lap of that
        // head or of a later one, and head cannot pass our ticket until we publish; so our ticket
        // is in that lap or in the next.
        let index = tail.wrapping_sub(self.lap.load(Ordering::Relaxed));
        let next_lap = || entries.get(index.wrapping_sub(entries.len()));
        let Some(entry) = entries.get(index).or_else(next_lap) else {
            return Err(Error::EUCLEAN);
        };
        // Relaxed: the next line publishes it.
        entry.user.store(callback.user, Ordering::Relaxed);
        // Release: who sees the function sees its user word, and all that this thread did before it
        // posted.
        entry
            .function
            .store(callback.function.as_ptr(), Ordering::Release);
        Ok(())
    }

    /// Why there is no room. `length` is exact here, since `head` was the same before and after
    /// `tail` was read.
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
    pub(super) fn pop(&self, end: Ticket) -> Option<Callback> {
        // Relaxed, `head` and `lap`: only this thread writes them.
        let head = self.head.load(Ordering::Relaxed);
        // As a signed distance, since somebody may have taken more than this turn's meanwhile: then
        // head is past the end.
        if end.0.wrapping_sub(head) as isize <= 0 {
            return None;
        }
        let index = head.wrapping_sub(self.lap.load(Ordering::Relaxed));
        let entries = self.entries();
        let entry = entries.get(index)?;
        // Acquire, with the Release in `push`.
        let function = NonNull::new(entry.function.load(Ordering::Acquire))?;
        // Relaxed: ordered by the line before.
        let user = entry.user.load(Ordering::Relaxed);
        // Relaxed, both: the head below releases them.
        entry.function.store(null_mut(), Ordering::Relaxed);
        let next = head.wrapping_add(1);
        if index + 1 == entries.len() {
            self.lap.store(next, Ordering::Relaxed);
        }
        // Release: who sees this head may write the entry, and finds the lap that goes with it.
        self.head.store(next, Ordering::Release);
        Some(Callback { function, user })
    }

    /// Whether `pop` would find a message. The consumer alone.
    pub(super) fn is_published(&self) -> bool {
        let index = self
            .head
            .load(Ordering::Relaxed)
            .wrapping_sub(self.lap.load(Ordering::Relaxed));
        // Acquire as in `pop`, though nothing is read through it here.
        self.entries()
            .get(index)
            .is_some_and(|entry| !entry.function.load(Ordering::Acquire).is_null())
    }

    /// Refuses all further reservations. At most once.
    pub(super) fn close(&self) {
        // Relaxed: it is the change of the value that makes reservations under way fail, in
        // whatever order it is seen.
        self.tail.fetch_add(CLOSED_DISTANCE, Ordering::Relaxed);
    }

    /// The same, unless somebody has reserved a place since `end`. Not if it is closed already.
    pub(super) fn close_at(&self, end: Ticket) -> bool {
        // Relaxed, both, as in `close`.
        let closed = end.0.wrapping_add(CLOSED_DISTANCE);
        self.tail
            .compare_exchange(end.0, closed, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Takes closing back.
    pub(super) fn open(&self) {
        // Relaxed, as in `close`.
        self.tail.fetch_sub(CLOSED_DISTANCE, Ordering::Relaxed);
    }

    /// The ticket after the last one given out, whether closed or not. The consumer alone, for the
    /// exact answer.
    #[inline]
    pub(super) fn end(&self) -> Ticket {
        // Head before tail, so that the difference is not negative even for another thread than the
        // consumer.
        let head = self.head.load(Ordering::Acquire);
        // Relaxed: what it misses the turn leaves to the next, and going to sleep looks at the
        // entries themselves.
        let tail = self.tail.load(Ordering::Relaxed);
        if tail.wrapping_sub(head) >= CLOSED_DISTANCE {
            Ticket(tail.wrapping_sub(CLOSED_DISTANCE))
        } else {
            Ticket(tail)
        }
    }

    /// Messages reserved and not taken.
    pub(super) fn len(&self) -> usize {
        self.end().0.wrapping_sub(self.head.load(Ordering::Relaxed))
    }

    /// Whether a poster of before `end` stands between reserving and publishing. The consumer
    /// alone. O(length).
    pub(super) fn is_pending(&self, end: Ticket) -> bool {
        let lap = self.lap.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Relaxed);
        (0..end.0.wrapping_sub(head)).any(|place| {
            // Acquire as in `pop`: a published entry will be read without looking again.
            self.entry(head.wrapping_sub(lap), place)
                .is_some_and(|entry| entry.function.load(Ordering::Acquire).is_null())
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
            // Relaxed, all: nobody else is there.
            let function = from.function.load(Ordering::Relaxed);
            if function.is_null() {
                continue;
            }
            from.function.store(null_mut(), Ordering::Relaxed);
            to.user
                .store(from.user.load(Ordering::Relaxed), Ordering::Relaxed);
            to.function.store(function, Ordering::Relaxed);
            kept += 1;
        }
        self.tail.fetch_sub(length - kept, Ordering::Relaxed);
    }

    pub(super) fn is_sound(&self) -> bool {
        let index = self
            .head
            .load(Ordering::Relaxed)
            .wrapping_sub(self.lap.load(Ordering::Relaxed));
        let capacity = self.entries().len();
        self.len() <= capacity && (index < capacity || (index == 0 && capacity == 0))
    }
}
