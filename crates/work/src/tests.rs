#![allow(unsafe_code, reason = "work is reached by its address")]
//! Threads that work: with loom in every order of the lock's and the sleepers' operations, and
//! otherwise as the kernel, or Miri, runs them. With loom:
//! `RUSTFLAGS="--cfg loom" cargo test --release --package pirn-work loom_`.
//!
//! There a thread sleeps on a condition variable that only `pirn_word::wake` notifies, so a lost
//! wake-up is a deadlock, and loom reports that.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::thread;

#[cfg(loom)]
use loom::thread;

use crate::lock::pirn_lock;
use crate::queue::{pirn_work, pirn_workers};

/// What has happened to a piece of work.
#[derive(Default)]
struct Counts {
    ran: AtomicU32,
    delivered: AtomicU32,
}

fn counts<'a>(work: *const pirn_work) -> &'a Counts {
    // SAFETY: the work is leaked.
    let work = unsafe { &*work };
    // SAFETY: its user data are its counts, which are leaked too.
    unsafe { &*work.user.get().cast::<Counts>() }
}

unsafe extern "C" fn function(work: *mut pirn_work, _user: *mut c_void) -> c_int {
    counts(work).ran.fetch_add(1, Ordering::SeqCst);
    7
}

fn deliver(work: NonNull<pirn_work>) {
    counts(work.as_ptr())
        .delivered
        .fetch_add(1, Ordering::SeqCst);
}

fn work() -> &'static pirn_work {
    // SAFETY: all zero is idle work.
    let work: &pirn_work = Box::leak(Box::new(unsafe { core::mem::zeroed() }));
    let counts: &Counts = Box::leak(Box::default());
    work.user.set((&raw const *counts).cast_mut().cast());
    work
}

fn submit(workers: &pirn_workers, work: &pirn_work) -> c_int {
    workers.push(work, || work.function.set(Some(function)))
}

/// A thread that works for the workers at this address.
fn worker(workers: &'static pirn_workers) -> thread::JoinHandle<()> {
    let address = (&raw const *workers).expose_provenance();
    thread::spawn(move || {
        // SAFETY: leaked.
        let workers = unsafe { &*core::ptr::with_exposed_provenance::<pirn_workers>(address) };
        workers.run(deliver);
    })
}

/// Runs a test in every order with so many preemptions.
#[cfg(loom)]
fn explore(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

/// Runs a test several times.
#[cfg(not(loom))]
fn explore(_preemptions: usize, run: impl Fn()) {
    for _ in 0..if cfg!(miri) { 10 } else { 1000 } {
        run();
    }
}

fn model(run: impl Fn(&'static pirn_workers) + Sync + Send + 'static) {
    explore(3, move || run(Box::leak(Box::new(pirn_workers::new(0)))));
}

fn was(work: &pirn_work, ran: u32, delivered: u32) {
    let counts = counts(work);
    assert_eq!(counts.ran.load(Ordering::SeqCst), ran);
    assert_eq!(counts.delivered.load(Ordering::SeqCst), delivered);
}

#[test]
fn loom_a_lock_lets_one_in_and_wakes_the_next() {
    explore(2, || {
        let lock: &'static (pirn_lock, AtomicU32) =
            Box::leak(Box::new((pirn_lock::new(), AtomicU32::new(0))));
        let enter = || {
            lock.0.with(|| {
                assert_eq!(lock.1.swap(1, Ordering::SeqCst), 0);
                assert_eq!(lock.1.swap(0, Ordering::SeqCst), 1);
            });
        };
        let others = [thread::spawn(enter), thread::spawn(enter)];
        enter();
        for other in others {
            other.join().expect("it ends");
        }
    });
}

#[test]
fn loom_work_is_done_once_and_the_threads_return() {
    model(|workers| {
        let (a, b) = (work(), work());
        let threads = [worker(workers), worker(workers)];
        assert_eq!(submit(workers, a), 0);
        assert_eq!(submit(workers, b), 0);
        workers.close(false, deliver);
        for thread in threads {
            thread.join().expect("it ends");
        }
        was(a, 1, 1);
        was(b, 1, 1);
    });
}

#[test]
fn loom_work_that_is_taken_back_never_runs_and_other_work_is_done_once() {
    model(|workers| {
        let (a, b) = (work(), work());
        let thread = worker(workers);
        assert_eq!(submit(workers, a), 0);
        assert_eq!(submit(workers, b), 0);
        let is_taken_back = workers.take_back(b) == 0;
        workers.close(false, deliver);
        thread.join().expect("it ends");
        was(a, 1, 1);
        let once = u32::from(!is_taken_back);
        was(b, once, once);
    });
}

#[test]
fn loom_what_has_not_begun_when_the_workers_are_closed_is_delivered_all_the_same() {
    model(|workers| {
        let (a, b) = (work(), work());
        let thread = worker(workers);
        assert_eq!(submit(workers, a), 0);
        assert_eq!(submit(workers, b), 0);
        workers.close(true, deliver);
        thread.join().expect("it ends");
        for work in [a, b] {
            let ran = counts(work).ran.load(Ordering::SeqCst);
            assert!(ran <= 1);
            was(work, ran, 1);
        }
    });
}
