//! Tasks: callbacks that the loop's own thread posts for the next turn. They are called in order.
//!
//! Besides first in, first out, a queue of callbacks must solve four problems:
//!
//! - *A task may post another task, again and again.* [`begin`](Tasks::begin) stores the number of
//!   queued tasks when the turn begins, and [`batch`](Tasks::batch) returns only those. Tasks that
//!   are posted by running tasks wait for the next turn, so timers and I/O are not starved.
//! - *The queue may be full.* A post is then refused and nothing has changed. A task's place is
//!   free before the task runs, so a queue of one is enough for a task that posts itself again.
//! - *A task between others must be cancelled in O(1).* It cannot be removed from the middle of a
//!   ring without moving those behind it, whose handles contain their positions. So its callback is
//!   cleared, and the place becomes free when the queue reaches it, in the next turn at the latest.
//! - *A stale handle must be recognised.* The handle is the number of the task, counted from the
//!   first post on. The queue contains consecutive numbers, beginning with that of its oldest
//!   entry, so it finds a task by a subtraction. A task needs only its two words of memory.
//!
//! The ring is `slots`, of which the first lap makes one valid after the other: there is always a
//! valid one at `tail`, unless there is no room. The queue consists of the `used` slots from `head`
//! on, up to before `tail`, around the end of the ring. Indices wrap by a comparison, so any
//! capacity is possible without a division.

use static_assertions::const_assert;

use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::room::Room;
use crate::token::Token;

/// The largest capacity of a queue: twice that number still fits into a `u32`.
const MAX_CAPACITY: usize = 1 << 31;

/// A place for one task: its callback while it is queued and not cancelled.
pub(crate) struct Slot(Option<Callback>);

const_assert!(size_of::<Slot>() == 2 * size_of::<usize>());

/// Makes one more slot valid: an unused place. False if there is no room.
fn add_slot(slots: &mut Room<'_, Slot>) -> bool {
    slots.grow().map(|slot| slot.0 = None).is_some()
}

/// Tasks are numbered modulo 2^63, because a handle has 63 bits for the number.
const NUMBERS: u64 = u64::MAX >> 1;

/// Returns the handle of the task with this number. Its generation is odd, like that of every live
/// handle.
#[inline]
fn token_of(number: u64) -> Token {
    Token {
        slot: number as u32,
        generation: ((number >> 32) as u32) << 1 | 1,
    }
}

/// Returns the number of the task that a handle names, if the handle can be one of a task.
fn number_of(token: Token) -> Option<u64> {
    let is_live = token.generation & 1 == 1;
    is_live.then_some(u64::from(token.generation >> 1) << 32 | u64::from(token.slot))
}

/// The loop's own task queue. Only one thread uses it, so nothing here is atomic.
pub(crate) struct Tasks<'a> {
    slots: Room<'a, Slot>,
    /// The index of the oldest entry, and the index for the next one.
    head: u32,
    tail: u32,
    /// The number of the next task.
    next: u64,
    /// The number of entries in the ring, including cancelled ones.
    used: u32,
    /// The number of the oldest entries that belong to this turn; at most `used`.
    turn: u32,
    /// How many of the entries are cancelled.
    cancelled: u32,
    peak: u32,
    refused: u32,
}

impl<'a> Tasks<'a> {
    /// Makes an empty queue of at most 2^31 `slots`. Tasks are numbered from `seed` on, so that
    /// handles of an earlier loop in the same memory are stale.
    pub(crate) fn new(slots: impl Into<Room<'a, Slot>>, seed: u32) -> Self {
        let mut slots = slots.into();
        slots.limit(MAX_CAPACITY);
        add_slot(&mut slots);
        Tasks {
            slots,
            head: 0,
            tail: 0,
            next: u64::from(seed >> 1) << 32,
            used: 0,
            turn: 0,
            cancelled: 0,
            peak: 0,
            refused: 0,
        }
    }

    /// Adds a task at the end of the queue and returns its handle. `EAGAIN` if the queue is full:
    /// then only the count of refusals has changed.
    #[inline]
    pub(crate) fn push(&mut self, callback: Callback) -> Result<Token> {
        let capacity = self.slots.len() as u32;
        let slot = self.tail;
        let token = token_of(self.next);
        match self.slots.get_mut(slot as usize) {
            Some(place) if self.used < capacity => place.0 = Some(callback),
            _ => return Err(self.refuse()),
        }
        self.tail = if slot + 1 == capacity {
            self.end_lap()
        } else {
            slot + 1
        };
        self.next = self.next.wrapping_add(1);
        self.used += 1;
        if self.used > self.peak {
            self.peak = self.used;
        }
        Ok(token)
    }

    /// Returns what comes after the last valid slot: a new one if there is room, else the first.
    #[cold]
    #[inline(never)]
    fn end_lap(&mut self) -> u32 {
        let next = self.slots.len() as u32;
        if add_slot(&mut self.slots) { next } else { 0 }
    }

    #[cold]
    fn refuse(&mut self) -> Error {
        self.refused = self.refused.saturating_add(1);
        Error::EAGAIN
    }

    /// Cancels a queued task: it will not run. `ENOENT` if it has run, is running, was cancelled
    /// before, or never existed.
    pub(crate) fn cancel(&mut self, token: Token) -> Result<()> {
        let index = self.find(token).ok_or(Error::ENOENT)?;
        // The place of a cancelled task has no callback.
        let place = self.slots.get_mut(index as usize).ok_or(Error::ENOENT)?;
        place.0.take().ok_or(Error::ENOENT)?;
        self.cancelled += 1;
        Ok(())
    }

    /// Begins a turn: the tasks that are queued now belong to it, those pushed from now on to a
    /// later one. Returns true if there are any.
    #[inline]
    pub(crate) fn begin(&mut self) -> bool {
        self.turn = self.used;
        self.turn > 0
    }

    /// Begins a batch of at most `most` entries of this turn, and returns their number, including
    /// cancelled ones. The caller pops exactly that many with [`pop`](Self::pop).
    #[inline]
    pub(crate) fn batch(&mut self, most: u32) -> u32 {
        let count = self.turn.min(most);
        self.turn -= count;
        count
    }

    /// Ends a batch of which `count` entries were not popped: they belong to this turn again.
    pub(crate) fn give_back(&mut self, count: u32) {
        self.turn += count;
    }

    /// Removes and returns the oldest task of any turn. For the end of the loop's life; not during
    /// a batch.
    pub(crate) fn take(&mut self) -> Option<Callback> {
        while self.used > 0 {
            self.turn = self.turn.saturating_sub(1);
            let callback = self.pop();
            if callback.is_some() {
                return callback;
            }
        }
        None
    }

    /// As [`take`](Self::take), during a batch, whose entries are already counted. The place
    /// becomes free when the queue reaches it, like that of a cancelled task. O(places taken in
    /// this way before).
    #[cold]
    pub(crate) fn take_in_place(&mut self) -> Option<Callback> {
        let place = (0..self.used).find(|&place| self.is_live(place))?;
        let index = self.wrap(self.head, place);
        self.cancelled += 1;
        self.slots.get_mut(index as usize)?.0.take()
    }

    /// Removes the oldest entry of a batch, which must exist, and returns its callback, or `None`
    /// if it was cancelled. When this returns, its handle is stale and its place is free.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Callback> {
        debug_assert!(self.used > 0);
        let callback = self.slots.get_mut(self.head as usize)?.0.take();
        let next = self.head + 1;
        self.head = if next as usize == self.slots.len() {
            0
        } else {
            next
        };
        self.used -= 1;
        if callback.is_none() {
            self.cancelled -= 1;
        }
        callback
    }

    /// Returns the handle of the task that was popped last, as [`push`](Self::push) returned it.
    /// Valid only until another task is pushed.
    pub(crate) fn popped(&self) -> Token {
        token_of(self.next.wrapping_sub(u64::from(self.used) + 1))
    }

    /// Returns the index of the entry that a handle names, cancelled or not.
    fn find(&self, token: Token) -> Option<u32> {
        let oldest = self.next.wrapping_sub(u64::from(self.used));
        let place = number_of(token)?.wrapping_sub(oldest) & NUMBERS;
        (place < u64::from(self.used)).then(|| self.wrap(self.head, place as u32))
    }

    /// Returns the callback of a queued task. `ENOENT` as [`cancel`](Self::cancel).
    pub(crate) fn get(&self, token: Token) -> Result<Callback> {
        let index = self.find(token).ok_or(Error::ENOENT)?;
        let place = self.slots.get(index as usize).ok_or(Error::ENOENT)?;
        place.0.ok_or(Error::ENOENT)
    }

    /// Returns the next queued task behind `after`, which may have run since, or the first one.
    pub(crate) fn next_live(&self, after: Option<Token>) -> Option<Token> {
        let oldest = self.next.wrapping_sub(u64::from(self.used));
        let place = after.and_then(number_of).map_or(0, |number| {
            number.wrapping_add(1).wrapping_sub(oldest) & NUMBERS
        });
        // If `after` has run since, the difference is larger than any index.
        let first = u32::try_from(place).unwrap_or(0);
        (first..self.used)
            .find(|&place| self.is_live(place))
            .map(|place| token_of(oldest.wrapping_add(u64::from(place))))
    }

    /// True if all queued entries fit into `count` slots.
    pub(crate) fn fits(&self, count: usize) -> bool {
        self.used as usize <= count
    }

    /// Moves the queue into `slots`, into which it [fits](Self::fits). Not during a batch.
    pub(crate) fn move_to(&mut self, slots: impl Into<Room<'a, Slot>>) {
        let mut slots = slots.into();
        slots.limit(MAX_CAPACITY);
        add_slot(&mut slots);
        for place in 0..self.used {
            let index = self.wrap(self.head, place);
            let old = self.slots.get_mut(index as usize);
            if let (Some(slot), Some(old)) = (slots.last_mut(), old) {
                core::mem::swap(slot, old);
            }
            add_slot(&mut slots);
        }
        self.slots = slots;
        self.head = 0;
        self.tail = self.wrap(0, self.used);
    }

    /// The number of tasks that are queued and not cancelled.
    pub(crate) fn len(&self) -> u32 {
        self.used - self.cancelled
    }

    /// True if no task is queued. Cancelled ones do not count.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.used == self.cancelled
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.slots.capacity() as u32
    }

    /// The largest number of places in use at the same time, including those of cancelled tasks:
    /// the smallest capacity that would have been enough.
    pub(crate) fn peak(&self) -> u32 {
        self.peak
    }

    /// How often the queue was full. Stays at its maximum once it has reached it.
    pub(crate) fn refused_count(&self) -> u32 {
        self.refused
    }

    /// The address of the slots.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [Slot] {
        self.slots.place()
    }

    /// True if the counts agree with the slots. For `verify`: O(n).
    pub(crate) fn is_sound(&self) -> bool {
        let length = self.slots.len() as u32;
        if self.used > length
            || self.turn > self.used
            || self.peak < self.used
            || (self.head != 0 && self.head >= length)
        {
            return false;
        }
        let live = (0..self.used).filter(|&place| self.is_live(place)).count();
        let all = self.slots.iter().filter(|place| place.0.is_some()).count();
        // Every callback belongs to a queued entry, and every queued entry without one was
        // cancelled.
        live == all
            && self.used.checked_sub(self.cancelled) == Some(live as u32)
            && self.wrap(self.head, self.used) == self.tail
    }

    /// True if the entry at this distance behind the oldest one is not cancelled.
    fn is_live(&self, place: u32) -> bool {
        let index = self.wrap(self.head, place);
        self.slots
            .get(index as usize)
            .is_some_and(|place| place.0.is_some())
    }

    /// Returns the index `distance` places after `index`, around the end of the ring. Both are at
    /// most its length, so the sum cannot overflow, and one subtraction is enough.
    #[inline]
    fn wrap(&self, index: u32, distance: u32) -> u32 {
        let length = self.slots.len() as u32;
        let sum = index.wrapping_add(distance);
        if sum >= length {
            sum.wrapping_sub(length)
        } else {
            sum
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use core::ptr::{NonNull, without_provenance_mut};

    use super::*;

    fn slots(count: usize) -> Vec<Slot> {
        (0..count).map(|_| Slot(None)).collect()
    }

    /// A callback told from others by its user word.
    fn callback(number: usize) -> Callback {
        Callback {
            function: NonNull::dangling(),
            user: without_provenance_mut(number),
        }
    }

    fn number(callback: Callback) -> usize {
        callback.user.addr()
    }

    /// The next task of the turn that was not cancelled.
    fn next(tasks: &mut Tasks<'_>) -> Option<Callback> {
        while tasks.batch(1) == 1 {
            if let Some(callback) = tasks.pop() {
                return Some(callback);
            }
        }
        None
    }

    /// Runs one turn and returns what ran.
    fn turn(tasks: &mut Tasks<'_>) -> Vec<usize> {
        tasks.begin();
        core::iter::from_fn(|| next(tasks)).map(number).collect()
    }

    #[test]
    fn every_capacity_holds_exactly_that_many() {
        for capacity in [0, 1, 2, 3, 4, 7, 8, 100] {
            let mut slots = slots(capacity);
            let mut tasks = Tasks::new(&mut slots[..], 0);
            for round in 0..3 {
                for n in 0..capacity {
                    assert!(
                        tasks.push(callback(n)).is_ok(),
                        "capacity {capacity} round {round} push {n}"
                    );
                }
                assert_eq!(tasks.push(callback(999)), Err(Error::EAGAIN));
                assert_eq!(tasks.len() as usize, capacity);
                assert!(tasks.is_sound());
                assert_eq!(turn(&mut tasks), (0..capacity).collect::<Vec<_>>());
                assert!(tasks.is_empty() && tasks.is_sound());
            }
            assert_eq!(tasks.peak() as usize, capacity);
            assert_eq!(tasks.refused_count(), 3);
        }
    }

    #[test]
    fn order_is_kept_around_the_end_of_the_ring() {
        for capacity in 1..9 {
            let mut slots = slots(capacity);
            let mut tasks = Tasks::new(&mut slots[..], 0);
            let mut next = 0;
            let mut expected = 0;
            for step in 0..100 {
                for _ in 0..=(step % capacity) {
                    if tasks.push(callback(next)).is_ok() {
                        next += 1;
                    }
                }
                for ran in turn(&mut tasks) {
                    assert_eq!(ran, expected);
                    expected += 1;
                }
            }
            assert_eq!(expected, next);
        }
    }

    #[test]
    fn a_refused_push_changes_nothing() {
        let mut slots = slots(2);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        let first = tasks.push(callback(1)).unwrap();
        tasks.push(callback(2)).unwrap();
        assert_eq!(tasks.push(callback(3)), Err(Error::EAGAIN));
        assert_eq!(
            (tasks.len(), tasks.peak(), tasks.refused_count()),
            (2, 2, 1)
        );
        assert_eq!(tasks.cancel(first), Ok(()));
        assert_eq!(turn(&mut tasks), [2]);
    }

    #[test]
    fn a_task_pushed_by_a_task_waits_for_the_next_turn() {
        let mut slots = slots(1);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        tasks.push(callback(1)).unwrap();
        tasks.begin();
        assert_eq!(next(&mut tasks).map(number), Some(1));
        tasks.push(callback(2)).unwrap();
        assert_eq!(next(&mut tasks), None);
        assert_eq!(turn(&mut tasks), [2]);
    }

    #[test]
    fn nothing_is_popped_before_a_turn_begins() {
        let mut slots = slots(2);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        tasks.push(callback(1)).unwrap();
        assert_eq!(next(&mut tasks), None);
        assert_eq!(tasks.len(), 1);
    }

    /// Within a batch the places of those taken back are passed by, and what is pushed then is not
    /// of the batch.
    #[test]
    fn batch_outlives_what_is_taken_back_in_it() {
        let mut slots = slots(4);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        for n in 0..4 {
            tasks.push(callback(n)).unwrap();
        }
        tasks.begin();
        assert_eq!(tasks.batch(u32::MAX), 4);
        assert_eq!(tasks.pop().map(number), Some(0));
        assert_eq!(tasks.take_in_place().map(number), Some(1));
        assert_eq!(tasks.pop(), None);
        assert_eq!(tasks.take_in_place().map(number), Some(2));
        assert_eq!(tasks.take_in_place().map(number), Some(3));
        assert_eq!(tasks.take_in_place(), None);
        assert!(tasks.is_empty() && tasks.is_sound());
        tasks.push(callback(4)).unwrap();
        assert_eq!((tasks.pop(), tasks.pop()), (None, None));
        assert!(tasks.is_sound());
        assert_eq!(turn(&mut tasks), [4]);
    }

    #[test]
    fn a_cancelled_task_does_not_run() {
        let mut slots = slots(4);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        let handles: Vec<_> = (0..4).map(|n| tasks.push(callback(n)).unwrap()).collect();
        assert_eq!(tasks.cancel(handles[0]), Ok(()));
        assert_eq!(tasks.cancel(handles[2]), Ok(()));
        assert_eq!(tasks.len(), 2);
        assert!(tasks.is_sound());
        assert_eq!(turn(&mut tasks), [1, 3]);
        assert!(tasks.is_sound());
    }

    #[test]
    fn a_handle_is_stale_once_its_task_runs_or_is_cancelled() {
        let mut slots = slots(3);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        let first = tasks.push(callback(1)).unwrap();
        let second = tasks.push(callback(2)).unwrap();
        tasks.push(callback(3)).unwrap();
        tasks.begin();
        assert_eq!(next(&mut tasks).map(number), Some(1));
        assert_eq!(tasks.cancel(first), Err(Error::ENOENT));
        assert_eq!(tasks.cancel(second), Ok(()));
        assert_eq!(tasks.cancel(second), Err(Error::ENOENT));
        assert_eq!(next(&mut tasks).map(number), Some(3));
        assert!(tasks.is_sound());
    }

    #[test]
    fn made_up_handles_are_refused() {
        let mut slots = slots(2);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        let live = tasks.push(callback(1)).unwrap();
        for made_up in [
            Token::default(),
            Token {
                slot: 1,
                generation: 1,
            },
            Token {
                slot: 2,
                generation: live.generation,
            },
            Token {
                slot: u32::MAX,
                generation: u32::MAX,
            },
            Token {
                slot: live.slot,
                generation: 0,
            },
            Token {
                slot: live.slot,
                generation: live.generation ^ 2,
            },
            Token {
                slot: live.slot,
                generation: live.generation + 1,
            },
        ] {
            assert_eq!(tasks.cancel(made_up), Err(Error::ENOENT), "{made_up:?}");
        }
        assert_eq!(tasks.len(), 1);
    }

    #[test]
    fn a_cancelled_place_is_freed_when_the_queue_reaches_it() {
        let mut slots = slots(2);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        tasks.push(callback(1)).unwrap();
        let newest = tasks.push(callback(2)).unwrap();
        tasks.cancel(newest).unwrap();
        assert_eq!(
            (tasks.len(), tasks.push(callback(3))),
            (1, Err(Error::EAGAIN))
        );
        assert_eq!(turn(&mut tasks), [1]);
        assert!(tasks.push(callback(3)).is_ok() && tasks.push(callback(4)).is_ok());
        assert_eq!(turn(&mut tasks), [3, 4]);
    }

    #[test]
    fn nothing_waits_when_all_are_cancelled() {
        let mut slots = slots(2);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        let only = tasks.push(callback(1)).unwrap();
        tasks.cancel(only).unwrap();
        assert!(tasks.is_empty() && tasks.is_sound());
        assert_eq!(turn(&mut tasks), []);
    }

    #[test]
    fn take_hands_back_tasks_of_every_turn() {
        let mut slots = slots(4);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        tasks.push(callback(1)).unwrap();
        let second = tasks.push(callback(2)).unwrap();
        tasks.begin();
        tasks.push(callback(3)).unwrap();
        tasks.cancel(second).unwrap();
        assert_eq!(tasks.take().map(number), Some(1));
        assert!(tasks.is_sound());
        assert_eq!(tasks.take().map(number), Some(3));
        assert_eq!(tasks.take(), None);
        assert_eq!(next(&mut tasks), None);
        assert!(tasks.is_sound());
    }

    #[test]
    fn numbers_come_round_without_passing_zero() {
        let mut slots = slots(2);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        tasks.next = NUMBERS;
        let last = tasks.push(callback(1)).unwrap();
        assert_eq!((last.slot, last.generation), (u32::MAX, u32::MAX));
        let first = tasks.push(callback(2)).unwrap();
        assert_eq!((first.slot, first.generation), (0, 1));
        assert_eq!(tasks.cancel(first), Ok(()));
        assert_eq!(tasks.cancel(last), Ok(()));
        assert_eq!(tasks.cancel(last), Err(Error::ENOENT));
    }

    #[test]
    fn a_moved_queue_keeps_its_order_and_its_handles() {
        let (mut few, mut many, fewer) = (slots(4), slots(9), slots(2));
        let mut tasks = Tasks::new(&mut few[..], 0);
        for n in 0..3 {
            tasks.push(callback(n)).unwrap();
        }
        assert_eq!(turn(&mut tasks), [0, 1, 2]);
        // Around the end of the ring.
        let handles: Vec<Token> = (3..7).map(|n| tasks.push(callback(n)).unwrap()).collect();
        assert_eq!(tasks.cancel(handles[1]), Ok(()));
        assert!(!tasks.fits(fewer.len()));
        tasks.move_to(&mut many[..]);
        assert!(tasks.is_sound());
        assert_eq!(tasks.cancel(handles[1]), Err(Error::ENOENT));
        assert_eq!(tasks.cancel(handles[2]), Ok(()));
        tasks.push(callback(7)).unwrap();
        assert_eq!(turn(&mut tasks), [3, 6, 7]);
        assert_eq!(tasks.cancel(handles[0]), Err(Error::ENOENT));
    }

    #[test]
    fn handles_of_an_earlier_queue_in_the_same_memory_are_stale() {
        let mut slots = slots(2);
        let old = Tasks::new(&mut slots[..], 1).push(callback(1)).unwrap();
        let mut tasks = Tasks::new(&mut slots[..], 77);
        assert!(tasks.is_empty() && tasks.is_sound());
        tasks.push(callback(2)).unwrap();
        assert_eq!(tasks.cancel(old), Err(Error::ENOENT));
    }

    #[test]
    fn damage_is_found() {
        let mut slots = slots(3);
        let mut tasks = Tasks::new(&mut slots[..], 0);
        tasks.push(callback(1)).unwrap();
        assert!(tasks.is_sound());
        tasks.used = 2;
        assert!(!tasks.is_sound());
        tasks.used = 1;
        tasks.head = 3;
        assert!(!tasks.is_sound());
        tasks.head = 0;
        tasks.slots[1].0 = Some(callback(2));
        assert!(!tasks.is_sound());
    }

    /// Random pushes, cancels (of live and of stale handles), turns cut short and turns run,
    /// against a model.
    #[test]
    fn random_scripts_behave_as_a_plain_list_does() {
        for seed in 1..200_u64 {
            let capacity = (seed % 7) as usize;
            let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut roll = move |sides: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 8) % sides
            };
            let mut slots = slots(capacity);
            let mut tasks = Tasks::new(&mut slots[..], 0);
            // The model: entries in order (cancelled ones have no handle), how many are of this
            // turn, and all handles ever given.
            let mut queue: VecDeque<(usize, Option<Token>)> = VecDeque::new();
            let mut in_turn = 0;
            let mut handles = Vec::new();
            for step in 0..400 {
                match roll(8) {
                    0..=2 => match tasks.push(callback(step)) {
                        Ok(handle) => {
                            assert!(queue.len() < capacity, "seed {seed}");
                            assert!(
                                !handles.contains(&handle),
                                "seed {seed}: a handle was given out twice"
                            );
                            queue.push_back((step, Some(handle)));
                            handles.push(handle);
                        }
                        Err(error) => assert_eq!(
                            (error, queue.len()),
                            (Error::EAGAIN, capacity),
                            "seed {seed}"
                        ),
                    },
                    3 | 4 if !handles.is_empty() => {
                        let recent = handles.len().min(2 * capacity + 1) as u64;
                        let handle = handles[handles.len() - 1 - roll(recent) as usize];
                        let entry = queue.iter_mut().find(|entry| entry.1 == Some(handle));
                        let expected = if entry.is_some() {
                            Ok(())
                        } else {
                            Err(Error::ENOENT)
                        };
                        assert_eq!(tasks.cancel(handle), expected, "seed {seed} step {step}");
                        if let Some(entry) = entry {
                            entry.1 = None;
                        }
                    }
                    5 => {
                        tasks.begin();
                        in_turn = queue.len();
                    }
                    _ => {
                        let mut expected = None;
                        while in_turn > 0 && expected.is_none() {
                            in_turn -= 1;
                            expected = queue
                                .pop_front()
                                .and_then(|(number, handle)| handle.map(|_| number));
                        }
                        assert_eq!(
                            next(&mut tasks).map(number),
                            expected,
                            "seed {seed} step {step}"
                        );
                    }
                }
                assert!(tasks.is_sound(), "seed {seed} step {step}");
                assert_eq!(
                    tasks.len() as usize,
                    queue.iter().filter(|entry| entry.1.is_some()).count(),
                    "seed {seed}"
                );
                assert_eq!(
                    tasks.is_empty(),
                    queue.iter().all(|entry| entry.1.is_none())
                );
            }
        }
    }
}
