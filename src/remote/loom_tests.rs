//! Tests under loom, which runs each once for every order of its atomic operations:
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_`.
//!
//! The loop sleeps on a condition variable that only [`Wake::wake`] notifies, so a lost wake-up is
//! a deadlock, which loom reports. Entries and loop are leaked, because loom's threads can only
//! borrow what lives for ever.

use std::boxed::Box;
use std::vec::Vec;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::tests_support::{callback, take_all};
use super::*;
use crate::atomic::AtomicBool;

struct Sleeper {
    is_woken: Mutex<bool>,
    changed: Condvar,
    /// True until the loop has closed its wake object.
    is_open: AtomicBool,
    /// True while a thread is in `wake`.
    is_inside: AtomicBool,
    /// What goes wrong in the next call of `wake`. `None` in tests in which nothing does: they do
    /// not look into the mutex, so loom has fewer orders to try.
    mishap: Option<Mutex<Option<Mishap>>>,
}

/// What goes wrong in a call of `wake`: it opens `begin`, and then waits until `end` opens, or
/// fails if there is no `end`.
#[derive(Clone, Copy)]
struct Mishap {
    begin: &'static Gate,
    end: Option<&'static Gate>,
}

/// A gate that one thread opens, once, and others wait for.
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn new() -> &'static Gate {
        Box::leak(Box::new(Gate {
            is_open: Mutex::new(false),
            changed: Condvar::new(),
        }))
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.changed.wait(is_open).unwrap();
        }
    }
}

impl Wake for Sleeper {
    fn wake(&self) -> Result<()> {
        assert!(
            self.is_open.load(Ordering::Relaxed),
            "woken after the wake object was closed"
        );
        let mishap = self.mishap.as_ref();
        if let Some(mishap) = mishap.and_then(|next| next.lock().unwrap().take()) {
            mishap.begin.open();
            mishap.end.ok_or(Error::EBADF)?.wait();
        }
        self.is_inside.store(true, Ordering::Relaxed);
        *self.is_woken.lock().unwrap() = true;
        self.changed.notify_one();
        self.is_inside.store(false, Ordering::Relaxed);
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

type Loop = Shared<'static, Sleeper>;

fn new_loop(first: usize, capacity: usize) -> &'static Loop {
    new_loop_with(first, capacity, None)
}

fn new_loop_with(first: usize, capacity: usize, mishap: Option<Mishap>) -> &'static Loop {
    let entries: &'static [Entry] = Vec::leak((0..capacity).map(|_| Entry::new()).collect());
    let bed = Sleeper {
        is_woken: Mutex::new(false),
        changed: Condvar::new(),
        is_open: AtomicBool::new(true),
        is_inside: AtomicBool::new(false),
        mishap: mishap.map(|mishap| Mutex::new(Some(mishap))),
    };
    Box::leak(Box::new(Shared::starting_at(first, entries, bed)))
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Makes a turn as the loop does: sleeps if it may, then takes the messages.
fn turn(shared: &Loop, taken: &mut Vec<usize>) {
    if shared.about_to_sleep() {
        shared.wake_object().sleep();
    }
    shared.awake();
    let (end, _) = shared.snapshot_end();
    taken.extend(take_all(shared, end));
}

/// Takes all messages, also those that would belong to a later turn.
fn drain(shared: &Loop, taken: &mut Vec<usize>) {
    taken.extend(core::iter::from_fn(|| shared.take()).map(|callback| callback.user.addr()));
}

#[test]
fn loom_a_post_is_not_lost_to_the_sleep() {
    check(5, || {
        let shared = new_loop(usize::MAX, 2);
        let poster = thread::spawn(move || {
            shared.post(callback(1)).unwrap();
            shared.post(callback(2)).unwrap();
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

/// One of the orders is that of a stopped poster: one reserves a place, the other publishes behind
/// it and wakes the loop, the loop finds nothing and sleeps again, and then the first publishes.
#[test]
fn loom_two_posters_and_a_sleeper_lose_nothing() {
    check(3, || {
        let shared = new_loop(usize::MAX, 2);
        let posters = [1, 2].map(|n| thread::spawn(move || shared.post(callback(n)).unwrap()));
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

/// Two threads post. If the first one wakes the loop, its call is held up or fails; the second one
/// posts after that. The loop must get the second message.
fn other_is_heard(end: Option<&'static Gate>) {
    let begin = Gate::new();
    let shared = new_loop_with(0, 2, Some(Mishap { begin, end }));
    let one = thread::spawn(move || {
        shared.post(callback(1)).unwrap();
        if let Some(next) = &shared.wake_object().mishap {
            *next.lock().unwrap() = None;
        }
        begin.open();
    });
    let other = thread::spawn(move || {
        begin.wait();
        shared.post(callback(2)).unwrap();
    });
    let mut taken = Vec::new();
    while taken.len() < 2 {
        turn(shared, &mut taken);
    }
    assert_eq!(taken, [1, 2]);
    if let Some(end) = end {
        end.open();
    }
    one.join().unwrap();
    other.join().unwrap();
}

#[test]
fn loom_a_waker_that_is_held_up_delays_nobody_else() {
    check(3, || other_is_heard(Some(Gate::new())));
}

#[test]
fn loom_a_wake_that_fails_is_made_up_for_by_the_next() {
    check(3, || other_is_heard(None));
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
                    accepted += usize::from(shared.post(callback(n + i)).is_ok());
                }
                accepted
            })
        });
        let mut taken = Vec::new();
        for _ in 0..2 {
            taken.extend(shared.take().map(|callback| callback.user.addr()));
            thread::yield_now();
        }
        let accepted: usize = posters
            .into_iter()
            .map(|poster| poster.join().unwrap())
            .sum();
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

/// A full ring of two, both places of which are freed together.
#[test]
fn loom_places_of_a_batch_are_reused_only_when_they_are_free() {
    check(3, || {
        let shared = new_loop(usize::MAX, 2);
        shared.post(callback(1)).unwrap();
        shared.post(callback(2)).unwrap();
        let poster = thread::spawn(move || {
            let accepted = [3, 4].map(|n| shared.post(callback(n)).is_ok());
            [3, 4].into_iter().zip(accepted)
        });
        let (end, _) = shared.snapshot_end();
        let mut taken = take_all(shared, end);
        assert_eq!(taken, [1, 2]);
        let accepted = poster
            .join()
            .unwrap()
            .filter(|(_, is_accepted)| *is_accepted);
        taken.clear();
        drain(shared, &mut taken);
        assert_eq!(taken, accepted.map(|(n, _)| n).collect::<Vec<_>>());
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

/// Two threads raise the same bit. The second cannot rely on the first to wake the loop.
#[test]
fn loom_what_comes_before_a_raise_is_seen_with_it() {
    check(3, || {
        let shared = new_loop(0, 0);
        let done: &'static [AtomicBool; 2] =
            Box::leak(Box::new([AtomicBool::new(false), AtomicBool::new(false)]));
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

/// The second waker finds the flag set already. What it did before must be seen too.
#[test]
fn loom_what_comes_before_a_second_wake_is_seen_too() {
    check(3, || {
        let shared = new_loop(0, 0);
        let done: &'static [AtomicBool; 2] =
            Box::leak(Box::new([AtomicBool::new(false), AtomicBool::new(false)]));
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

/// A busy turn does not sleep but takes the request to wake up, so it must see what came before.
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
            shared.post(callback(1)).unwrap();
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
fn loom_no_waker_is_inside_after_closing() {
    check(3, || {
        let shared = new_loop(0, 1);
        let posters = [
            thread::spawn(move || shared.post(callback(1))),
            thread::spawn(move || shared.wake()),
        ];
        // The loop has announced its sleep and did not sleep. A thread that has seen the
        // announcement may call `wake` late.
        let _ = shared.about_to_sleep();
        while shared.close_and_check_idle().is_err() {
            thread::yield_now();
        }
        assert!(
            !shared.wake_object().is_inside.load(Ordering::Relaxed),
            "closed while a waker writes"
        );
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
        let posters = [1, 2].map(|n| thread::spawn(move || shared.post(callback(n))));
        let mut taken = Vec::new();
        taken.extend(shared.take().map(|callback| callback.user.addr()));
        while shared.close_and_check_idle().is_err() {
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

/// A loop that has announced its sleep is asked to end during a post. If it does not end, the post
/// wakes it.
#[test]
fn loom_a_refused_end_loses_no_post() {
    check(4, || {
        let shared = new_loop(0, 2);
        let poster = thread::spawn(move || shared.post(callback(1)));
        let sleeps = shared.about_to_sleep();
        let mut taken = Vec::new();
        if shared.close_and_check_idle().is_ok() {
            drain(shared, &mut taken);
            let post = poster.join().unwrap();
            assert_eq!(taken.len(), usize::from(post.is_ok()));
            return;
        }
        if sleeps {
            shared.wake_object().sleep();
        }
        shared.awake();
        while taken.is_empty() {
            turn(shared, &mut taken);
        }
        assert_eq!(poster.join().unwrap(), Ok(()));
    });
}
