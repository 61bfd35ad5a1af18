//! Tests of the remote part, one thread at a time.

use std::sync::{Condvar, Mutex, OnceLock};
use std::vec::Vec;

use super::mailbox::CLOSED_DISTANCE;
use super::raised::MAX_RAISED;
use super::state::{ONE_WAKER, SLEEPING, needs_waking};
use super::tests_support::{callback, take_all};
use super::*;

/// A wake object that counts its calls.
#[derive(Default)]
struct CountingWaker {
    calls: AtomicU32,
    /// How many of the next calls fail.
    failures: AtomicU32,
}

impl Wake for CountingWaker {
    fn wake(&self) -> Result<()> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let failures = self.failures.load(Ordering::Relaxed);
        if failures > 0 {
            self.failures.store(failures - 1, Ordering::Relaxed);
            return Err(Error::EBADF);
        }
        Ok(())
    }
}

impl Shared<'_, CountingWaker> {
    fn wake_calls(&self) -> u32 {
        self.wake_object().calls.load(Ordering::Relaxed)
    }
}

fn entries(count: usize) -> Vec<Entry> {
    (0..count).map(|_| Entry::new()).collect()
}

/// Takes what is there now, as one turn does.
fn turn<W: Wake>(shared: &Shared<'_, W>) -> Vec<usize> {
    let (end, _) = shared.snapshot_end();
    take_all(shared, end)
}

/// Does the first half of a post, as a poster that is stopped there: returns the reserved entry.
fn reserve<'s>(shared: &'s Shared<'_, CountingWaker>) -> &'s Entry {
    let ticket = shared.mailbox.tail.fetch_add(1, Ordering::Relaxed);
    let index = ticket.wrapping_sub(shared.mailbox.lap.load(Ordering::Relaxed)) % shared.capacity();
    &shared.mailbox.entries()[index]
}

/// Does the second half of a post.
fn publish(shared: &Shared<'_, CountingWaker>, entry: &Entry, callback: Callback) {
    entry.publish(callback);
    shared.wake_if_sleeping();
}

#[test]
fn every_capacity_holds_exactly_that_many() {
    for capacity in [0, 1, 2, 3, 4, 7, 8, 100] {
        let entries = entries(capacity);
        let shared = Shared::new(&entries, CountingWaker::default());
        for round in 0..3 {
            for n in 0..capacity {
                assert_eq!(
                    shared.post(callback(n)),
                    Ok(()),
                    "capacity {capacity} round {round} post {n}"
                );
                assert!(shared.is_sound());
            }
            assert_eq!(shared.post(callback(999)), Err(Error::EAGAIN));
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
            let shared =
                Shared::starting_at(usize::MAX - before, &entries, CountingWaker::default());
            let mut next = 0;
            let mut expected = 0;
            for step in 0..50 {
                for _ in 0..=(step % capacity) {
                    shared.post(callback(next)).unwrap();
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
            let shared =
                Shared::starting_at(usize::MAX - before, &entries, CountingWaker::default());
            for _ in 0..20 {
                while shared.len() < capacity {
                    assert_eq!(shared.post(callback(1)), Ok(()));
                }
                assert_eq!(shared.post(callback(2)), Err(Error::EAGAIN));
                assert!(shared.take().is_some());
            }
        }
    }
}

#[test]
fn closing_works_wherever_the_tickets_are() {
    for first in [
        0,
        1,
        CLOSED_DISTANCE - 2,
        CLOSED_DISTANCE - 1,
        CLOSED_DISTANCE,
        usize::MAX - 1,
        usize::MAX,
    ] {
        let entries = entries(3);
        let shared = Shared::starting_at(first, &entries, CountingWaker::default());
        shared.post(callback(1)).unwrap();
        shared.post(callback(2)).unwrap();
        shared.close();
        shared.close();
        assert_eq!(shared.post(callback(3)), Err(Error::ESHUTDOWN));
        assert_eq!((shared.len(), shared.refused_count()), (2, 0));
        assert!(shared.is_sound());
        assert_eq!(turn(&shared), [1, 2]);
        assert_eq!(shared.post(callback(4)), Err(Error::ESHUTDOWN));
        assert_eq!(shared.take(), None);
        assert_eq!(shared.accepted_count(), first.wrapping_add(2));
    }
}

#[test]
fn a_message_posted_within_a_turn_waits_for_the_next() {
    let entries = entries(2);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    let (end, _) = shared.snapshot_end();
    assert!(shared.take_of(&mut shared.batch(end, 1)).is_some());
    shared.post(callback(2)).unwrap();
    assert_eq!(shared.take_of(&mut shared.batch(end, 1)), None);
    assert_eq!(turn(&shared), [2]);
}

#[test]
fn a_turn_cut_off_by_take_ends_there() {
    let entries = entries(4);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    let (end, _) = shared.snapshot_end();
    shared.post(callback(2)).unwrap();
    while shared.take().is_some() {}
    shared.post(callback(3)).unwrap();
    assert_eq!(shared.take_of(&mut shared.batch(end, 1)), None);
}

#[test]
fn the_places_of_a_batch_are_freed_together() {
    let entries = entries(16);
    let shared = Shared::starting_at(usize::MAX - 8, &entries, CountingWaker::default());
    for n in 0..16 {
        shared.post(callback(n)).unwrap();
    }
    let (end, _) = shared.snapshot_end();
    for lap in 0..3 {
        for n in (0..16).step_by(2) {
            let mut batch = shared.batch(shared.snapshot_end().0, u32::MAX);
            assert_eq!(batch.len(), 2);
            assert_eq!(shared.take_of(&mut batch), Some(callback(16 * lap + n)));
            assert_eq!(shared.post(callback(99)), Err(Error::EAGAIN));
            assert_eq!(shared.len(), 15);
            assert!(shared.is_sound());
            assert_eq!(shared.take_of(&mut batch), Some(callback(16 * lap + n + 1)));
            assert_eq!(shared.take_of(&mut batch), None);
            for more in 0..2 {
                assert_eq!(shared.post(callback(16 * lap + 16 + n + more)), Ok(()));
            }
            assert_eq!(shared.post(callback(99)), Err(Error::EAGAIN));
        }
    }
    assert_eq!(shared.batch(end, u32::MAX).len(), 0, "of an earlier turn");
}

#[test]
fn a_short_ring_frees_each_place_at_once() {
    for capacity in 1..16 {
        let entries = entries(capacity);
        let shared = Shared::new(&entries, CountingWaker::default());
        for n in 0..capacity {
            shared.post(callback(n)).unwrap();
        }
        for n in 0..50 {
            let mut batch = shared.batch(shared.snapshot_end().0, u32::MAX);
            assert_eq!(
                (batch.len(), shared.take_of(&mut batch)),
                (1, Some(callback(n)))
            );
            assert_eq!(shared.post(callback(n + capacity)), Ok(()));
        }
    }
}

#[test]
fn a_batch_is_no_longer_than_asked_for_and_stops_at_the_end_of_the_turn() {
    let entries = entries(80);
    let shared = Shared::new(&entries, CountingWaker::default());
    for n in 0..3 {
        shared.post(callback(n)).unwrap();
    }
    let (end, length) = shared.snapshot_end();
    assert_eq!(length, 3);
    shared.post(callback(3)).unwrap();
    assert_eq!(shared.batch(end, 2).len(), 2);
    assert_eq!(shared.batch(end, 0).len(), 0);
    assert_eq!(shared.batch(end, u32::MAX).len(), 3);
    assert_eq!(take_all(&shared, end), [0, 1, 2]);
    assert_eq!(turn(&shared), [3]);
}

#[test]
fn a_batch_stops_at_an_unpublished_message_and_frees_what_was_taken() {
    let entries = entries(40);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(0)).unwrap();
    let reserved = reserve(&shared);
    for n in 2..40 {
        shared.post(callback(n)).unwrap();
    }
    let mut batch = shared.batch(shared.snapshot_end().0, u32::MAX);
    assert_eq!(batch.len(), 5);
    assert_eq!(shared.take_of(&mut batch), Some(callback(0)));
    assert_eq!((shared.take_of(&mut batch), batch.len()), (None, 4));
    assert_eq!(shared.post(callback(40)), Err(Error::EAGAIN));
    shared.end_batch();
    assert_eq!(shared.post(callback(40)), Ok(()));
    assert_eq!(turn(&shared), []);
    publish(&shared, reserved, callback(1));
    assert_eq!(turn(&shared), (1..41).collect::<Vec<_>>());
}

#[test]
fn a_closed_mailbox_refuses_everything() {
    let entries = entries(2);
    let shared = Shared::new(&entries, CountingWaker::default());
    assert!(!shared.is_closed());
    shared.close();
    assert!(shared.is_closed());
    assert_eq!(shared.post(callback(1)), Err(Error::ESHUTDOWN));
    assert_eq!(shared.raise(0), Err(Error::ESHUTDOWN));
    assert_eq!(shared.wake(), Err(Error::ESHUTDOWN));
    assert_eq!(shared.stop(), Err(Error::ESHUTDOWN));
    assert_eq!(shared.take_raised(), 0);
    assert!(!shared.take_stop());
    assert_eq!(shared.wake_calls(), 0);
}

#[test]
fn a_full_mailbox_that_closes_says_so() {
    let entries = entries(1);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    assert_eq!(shared.post(callback(2)), Err(Error::EAGAIN));
    shared.close();
    assert_eq!(shared.post(callback(2)), Err(Error::ESHUTDOWN));
    let none: [Entry; 0] = [];
    let shared = Shared::new(&none, CountingWaker::default());
    shared.close();
    assert_eq!(shared.post(callback(1)), Err(Error::ESHUTDOWN));
}

#[test]
fn a_loop_that_is_awake_is_not_woken() {
    let entries = entries(4);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    shared.raise(3).unwrap();
    shared.wake().unwrap();
    shared.stop().unwrap();
    assert_eq!((shared.wake_calls(), shared.wake_count()), (0, 0));
}

#[test]
fn a_burst_of_posts_wakes_a_sleeping_loop_once() {
    let entries = entries(100);
    let shared = Shared::new(&entries, CountingWaker::default());
    for sleep in 1..4 {
        assert!(shared.about_to_sleep());
        for n in 0..10 {
            shared.post(callback(n)).unwrap();
            shared.raise(1).unwrap();
            shared.wake().unwrap();
        }
        assert_eq!((shared.wake_calls(), shared.wake_count()), (sleep, sleep));
        shared.awake();
        assert_eq!(turn(&shared).len(), 10);
        assert_eq!(shared.take_raised(), 2);
    }
}

#[test]
fn a_loop_with_work_does_not_sleep() {
    let entries = entries(2);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    assert!(!shared.about_to_sleep());
    shared.post(callback(2)).unwrap();
    assert_eq!(shared.wake_calls(), 0, "it is awake again");
    shared.awake();
    assert_eq!(turn(&shared), [1, 2]);
    shared.raise(63).unwrap();
    assert!(!shared.about_to_sleep());
    shared.take_raised();
    assert!(shared.about_to_sleep());
}

#[test]
fn a_wake_before_the_sleep_is_not_lost_and_counts_once() {
    let shared = Shared::new(&[], CountingWaker::default());
    shared.wake().unwrap();
    shared.wake().unwrap();
    assert!(!shared.about_to_sleep());
    shared.awake();
    assert!(shared.about_to_sleep());
}

#[test]
fn a_wake_during_the_sleep_ends_that_one_only() {
    let shared = Shared::new(&[], CountingWaker::default());
    assert!(shared.about_to_sleep());
    shared.wake().unwrap();
    assert_eq!(shared.wake_calls(), 1);
    shared.awake();
    assert!(shared.about_to_sleep());
    shared.awake();
    shared.wake().unwrap();
    assert_eq!(shared.wake_calls(), 1);
    assert!(!shared.about_to_sleep());
}

#[test]
fn a_stop_stays_until_it_is_taken() {
    let shared = Shared::new(&[], CountingWaker::default());
    assert!(!shared.take_stop());
    assert!(shared.about_to_sleep());
    shared.stop().unwrap();
    assert_eq!(shared.wake_calls(), 1);
    shared.awake();
    assert!(shared.about_to_sleep());
    shared.awake();
    assert!(shared.take_stop());
    assert!(!shared.take_stop());
    assert!(shared.about_to_sleep());
}

#[test]
fn raised_bits_coalesce_and_are_found_once() {
    let shared = Shared::new(&[], CountingWaker::default());
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
    let shared = Shared::new(&[], CountingWaker::default());
    assert!(shared.about_to_sleep());
    shared.raised.words[0].fetch_or(1 << 5, Ordering::Release);
    shared.raise(5).unwrap();
    assert_eq!(shared.wake_calls(), 1);
}

#[test]
fn a_stopped_poster_holds_back_later_messages_but_nobody() {
    let entries = entries(3);
    let shared = Shared::new(&entries, CountingWaker::default());
    let reserved = reserve(&shared);
    assert!(shared.about_to_sleep(), "nothing to run: it may sleep");
    assert_eq!(shared.post(callback(2)), Ok(()));
    assert_eq!(shared.wake_calls(), 1);
    shared.awake();
    assert_eq!(turn(&shared), []);
    assert!(shared.about_to_sleep());
    publish(&shared, reserved, callback(1));
    assert_eq!(shared.wake_calls(), 2, "the late publication wakes it");
    shared.awake();
    assert_eq!(turn(&shared), [1, 2]);
}

#[test]
fn a_handler_may_post_a_whole_lap_past_a_stopped_poster() {
    let entries = entries(3);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.post(callback(0)).unwrap();
    let reserved = reserve(&shared);
    shared.post(callback(2)).unwrap();
    assert_eq!(turn(&shared), [0]);
    shared.post(callback(3)).unwrap();
    assert_eq!(shared.post(callback(4)), Err(Error::EAGAIN));
    assert_eq!(turn(&shared), []);
    publish(&shared, reserved, callback(1));
    assert_eq!(turn(&shared), [1, 2, 3]);
}

#[test]
fn closing_is_busy_until_a_reserved_place_is_filled() {
    let entries = entries(3);
    let shared = Shared::starting_at(usize::MAX - 1, &entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    let reserved = reserve(&shared);
    assert_eq!(shared.close_and_check_idle(), Err(Error::EBUSY));
    assert!(shared.take().is_some());
    assert_eq!(shared.close_and_check_idle(), Err(Error::EBUSY));
    // Until closing succeeds, the loop goes on as before.
    shared.post(callback(3)).unwrap();
    shared.raise(5).unwrap();
    shared.stop().unwrap();
    assert_eq!((shared.take_raised(), shared.take_stop()), (1 << 5, true));
    publish(&shared, reserved, callback(2));
    assert_eq!(shared.close_and_check_idle(), Ok(()));
    assert_eq!(shared.post(callback(4)), Err(Error::ESHUTDOWN));
    assert_eq!(turn(&shared), [2, 3]);
    assert_eq!(shared.close_and_check_idle(), Ok(()));
}

#[test]
fn closed_queues_stay_closed_while_a_poster_is_busy() {
    let entries = entries(3);
    let shared = Shared::new(&entries, CountingWaker::default());
    let reserved = reserve(&shared);
    shared.close();
    assert_eq!(shared.close_and_check_idle(), Err(Error::EBUSY));
    assert_eq!(shared.post(callback(1)), Err(Error::ESHUTDOWN));
    assert_eq!(shared.wake(), Err(Error::ESHUTDOWN));
    publish(&shared, reserved, callback(2));
    assert_eq!(shared.close_and_check_idle(), Ok(()));
    assert_eq!(turn(&shared), [2]);
}

/// A wake object that tries to close its loop, the one below, from inside its own call.
#[derive(Default)]
struct Inside {
    answer: OnceLock<Result<()>>,
}

static CLOSED_INSIDE: OnceLock<Shared<'static, Inside>> = OnceLock::new();

impl Wake for Inside {
    fn wake(&self) -> Result<()> {
        let shared = CLOSED_INSIDE.get().unwrap();
        self.answer.set(shared.close_and_check_idle()).unwrap();
        // A refused end has changed nothing.
        assert_eq!(shared.state.word.load(Ordering::Relaxed) & CLOSED, 0);
        Ok(())
    }
}

/// Does what `request` does before it calls `wake`, as a poster that is stopped there.
fn begin_waking(shared: &Shared<'_, CountingWaker>) {
    let state = shared.state.word.load(Ordering::Relaxed);
    assert!(needs_waking(state));
    let next = (state & !SLEEPING) + ONE_WAKER;
    shared.state.word.store(next, Ordering::Relaxed);
}

fn begin_waking_if_asleep(shared: &Shared<'_, CountingWaker>) {
    if needs_waking(shared.state.word.load(Ordering::Relaxed)) {
        begin_waking(shared);
    }
}

#[test]
fn a_waker_that_is_held_up_keeps_nobody_else_from_waking() {
    let entries = entries(4);
    let shared = Shared::new(&entries, CountingWaker::default());
    assert!(shared.about_to_sleep());
    begin_waking(&shared);
    shared.post(callback(1)).unwrap();
    assert_eq!(
        shared.wake_calls(),
        1,
        "the other thread may not reach its call for a long time"
    );
    shared.wake().unwrap();
    assert_eq!(shared.wake_calls(), 2);
    // The loop is awake: no thread needs to wake it, however long the other one takes.
    shared.awake();
    assert_eq!(turn(&shared), [1]);
    shared.post(callback(2)).unwrap();
    assert_eq!(shared.wake_calls(), 2);
    assert!(!shared.about_to_sleep(), "there is a message");
    shared.awake();
    assert_eq!(turn(&shared), [2]);
    // The first post ends its next sleep.
    assert!(shared.about_to_sleep());
    shared.post(callback(3)).unwrap();
    assert_eq!(shared.wake_calls(), 3);
}

#[test]
fn a_wake_that_fails_is_tried_again_by_the_next() {
    let entries = entries(4);
    let shared = Shared::new(&entries, CountingWaker::default());
    shared.wake_object().failures.store(2, Ordering::Relaxed);
    assert!(shared.about_to_sleep());
    for number in 1..=4 {
        shared.post(callback(number)).unwrap();
    }
    assert_eq!(shared.wake_calls(), 3, "two that failed, one that did not");
    shared.awake();
    assert_eq!(turn(&shared), [1, 2, 3, 4]);
    // A SLEEPING flag that is set again after the wait costs one needless call.
    shared.wake_object().failures.store(1, Ordering::Relaxed);
    assert!(shared.about_to_sleep());
    shared.wake().unwrap();
    shared.awake();
    shared.post(callback(5)).unwrap();
    assert_eq!(shared.wake_calls(), 4);
    assert!(shared.close_and_check_idle().is_ok());
}

/// A copy made by fork has posters that were stopped and never go on.
#[test]
fn steps_of_others_are_forgotten_wherever_they_were_stopped() {
    for capacity in 1..7 {
        for before in 0..3 {
            for stopped in 0..1u32 << capacity {
                let entries = entries(capacity);
                let shared = Shared::starting_at(
                    usize::MAX - capacity.min(2),
                    &entries,
                    CountingWaker::default(),
                );
                for _ in 0..before {
                    shared.post(callback(99)).unwrap();
                    assert_eq!(turn(&shared), [99]);
                }
                let mut published = Vec::new();
                for number in 0..capacity {
                    if stopped & 1 << number != 0 {
                        reserve(&shared);
                    } else {
                        shared.post(callback(number)).unwrap();
                        published.push(number);
                    }
                }
                assert!(shared.about_to_sleep() || stopped & 1 == 0);
                begin_waking_if_asleep(&shared);
                shared.forget_others();
                shared.awake();
                assert!(shared.is_sound());
                assert_eq!(shared.len(), published.len());
                assert_eq!(turn(&shared), published);
                for round in 0..2 * capacity {
                    shared.post(callback(round)).unwrap();
                    assert_eq!(turn(&shared), [round]);
                }
                assert!(shared.close_and_check_idle().is_ok());
            }
        }
    }
}

#[test]
fn steps_of_others_are_forgotten_after_closing_too() {
    let entries = entries(4);
    let shared = Shared::starting_at(CLOSED_DISTANCE - 2, &entries, CountingWaker::default());
    shared.post(callback(1)).unwrap();
    reserve(&shared);
    shared.post(callback(3)).unwrap();
    shared.close();
    assert_eq!(turn(&shared), [1]);
    assert_eq!(shared.take(), None);
    assert_eq!(shared.close_and_check_idle(), Err(Error::EBUSY));
    shared.forget_others();
    assert_eq!(turn(&shared), [3]);
    assert_eq!(shared.post(callback(4)), Err(Error::ESHUTDOWN));
    assert_eq!(shared.close_and_check_idle(), Ok(()));
}

#[test]
fn closing_is_busy_while_a_waker_is_inside() {
    let shared = CLOSED_INSIDE.get_or_init(|| Shared::new(&[], Inside::default()));
    assert!(shared.about_to_sleep());
    shared.wake().unwrap();
    assert_eq!(shared.wake_object().answer.get(), Some(&Err(Error::EBUSY)));
    assert_eq!(shared.close_and_check_idle(), Ok(()));
}

#[test]
fn a_loop_that_has_closed_is_not_woken_even_if_it_sleeps() {
    let entries = entries(1);
    let shared = Shared::new(&entries, CountingWaker::default());
    assert!(shared.about_to_sleep());
    assert_eq!(shared.close_and_check_idle(), Ok(()));
    assert_eq!(shared.post(callback(1)), Err(Error::ESHUTDOWN));
    shared.wake_if_sleeping();
    assert_eq!(shared.wake(), Err(Error::ESHUTDOWN));
    assert_eq!(shared.wake_calls(), 0);
}

#[test]
fn entries_left_over_from_before_are_forgotten() {
    let entries = entries(2);
    Shared::new(&entries, CountingWaker::default())
        .post(callback(1))
        .unwrap();
    let shared = Shared::new(&entries, CountingWaker::default());
    assert!(!shared.has_work());
    assert_eq!(turn(&shared), []);
}

/// A wake object on which a thread can sleep.
#[derive(Default)]
struct Sleeper {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Sleeper {
    fn wake(&self) -> Result<()> {
        *self.is_woken.lock().unwrap() = true;
        self.changed.notify_one();
        Ok(())
    }
}

impl Sleeper {
    fn sleep(&self) {
        let mut is_woken = self.is_woken.lock().unwrap();
        while !*is_woken {
            is_woken = self.changed.wait(is_woken).unwrap();
        }
        *is_woken = false;
    }
}

#[test]
fn four_threads_lose_nothing_and_keep_their_order() {
    const POSTERS: usize = 4;
    const EACH: usize = if cfg!(miri) { 50 } else { 100_000 };
    for (capacity, first) in [(1000, 0), (7, usize::MAX - 1000), (1, usize::MAX - 10)] {
        let each = if capacity == 1 { EACH / 10 } else { EACH };
        let entries = entries(capacity);
        let shared = Shared::starting_at(first, &entries, Sleeper::default());
        std::thread::scope(|scope| {
            for poster in 0..POSTERS {
                let shared = &shared;
                scope.spawn(move || {
                    for n in 0..each {
                        while shared.post(callback(n * POSTERS + poster)) == Err(Error::EAGAIN) {
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
        assert_eq!(shared.close_and_check_idle(), Ok(()));
    }
}

#[test]
fn what_was_accepted_before_closing_is_handed_back() {
    for round in 0..if cfg!(miri) { 3 } else { 300 } {
        let entries = entries(64);
        let shared = Shared::new(&entries, Sleeper::default());
        std::thread::scope(|scope| {
            let posters: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut accepted = 0;
                        loop {
                            match shared.post(callback(1)) {
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
            while shared.close_and_check_idle() == Err(Error::EBUSY) {
                std::thread::yield_now();
            }
            while shared.take().is_some() {
                taken += 1;
            }
            let accepted: usize = posters
                .into_iter()
                .map(|poster| poster.join().unwrap())
                .sum();
            assert_eq!((taken, shared.accepted_count()), (accepted, accepted));
        });
    }
}
