#![expect(unsafe_code, reason = "std has no name for scheduling policies")]
//! A loop in a real-time thread does not keep the processor from the thread for which it waits.

mod support;

use std::ffi::{c_int, c_ulong};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pirn::{BackendKind, Config, Core, Loop, Storage};

/// `SCHED_FIFO | SCHED_RESET_ON_FORK`: not for the threads that such a thread starts.
const FIRST_IN_FIRST_OUT: c_int = 1 | 0x4000_0000;
const ROUNDS: u32 = 20;
/// The kernel gives a real-time thread that spins 950 ms of each second: with a spin, a round that
/// meets the poster in the middle of its post takes most of a second.
const LIMIT: Duration = Duration::from_millis(500);

unsafe extern "C" {
    fn sched_setaffinity(thread: c_int, size: usize, mask: *const c_ulong) -> c_int;
    fn sched_setscheduler(thread: c_int, policy: c_int, priority: *const c_int) -> c_int;
}

fn stay_on_the_first_processor() {
    let mask: c_ulong = 1;
    // SAFETY: the mask is as long as is said.
    unsafe { sched_setaffinity(0, size_of::<c_ulong>(), &raw const mask) };
}

fn become_real_time() -> bool {
    let priority: c_int = 10;
    // SAFETY: `struct sched_param` is this number.
    unsafe { sched_setscheduler(0, FIRST_IN_FIRST_OUT, &raw const priority) == 0 }
}

/// The poster's write wakes the loop, whose thread takes the processor at once: the poster is in
/// the middle of its post when the loop ends. Returns `None` if this thread may not be of the
/// real-time class.
fn end_while_somebody_posts(backend: BackendKind) -> Option<Duration> {
    stay_on_the_first_processor();
    let is_over: &'static AtomicBool = Box::leak(Box::default());
    let mut longest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let storage: &'static mut Storage<0, 0, 4> = Box::leak(Box::default());
        let config = Config {
            backend,
            ..Config::default()
        };
        let mut event_loop: Loop<'static, u32> = Loop::new(storage, config).unwrap();
        let remote = event_loop.remote();
        is_over.store(false, Ordering::SeqCst);
        let poster = thread::spawn(move || {
            stay_on_the_first_processor();
            while !is_over.load(Ordering::SeqCst) {
                let count = |_: &mut Core<'_, u32>, calls: &mut u32, by: usize| *calls += by as u32;
                let _ = remote.post(count, 1usize);
            }
        });
        if !become_real_time() {
            is_over.store(true, Ordering::SeqCst);
            return None;
        }
        let mut calls = 0;
        while calls == 0 {
            event_loop
                .turn(pirn::Duration::FOREVER, &mut calls)
                .unwrap();
        }
        let begun = Instant::now();
        drop(event_loop);
        longest = longest.max(begun.elapsed());
        is_over.store(true, Ordering::SeqCst);
        poster.join().unwrap();
    }
    Some(longest)
}

#[test]
fn a_loop_that_ends_leaves_the_processor_to_whoever_posts() {
    for backend in [BackendKind::Select, BackendKind::Poll, BackendKind::Epoll] {
        let longest = thread::spawn(move || end_while_somebody_posts(backend));
        match longest.join().unwrap() {
            Some(longest) => assert!(longest < LIMIT, "{backend:?}: {longest:?}"),
            None => support::skip("the real-time class (CAP_SYS_NICE)"),
        }
    }
}
