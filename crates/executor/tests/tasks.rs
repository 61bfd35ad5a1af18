#![allow(unsafe_code, reason = "a hub in virtual time is made by C functions")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! Tasks in virtual time.

#[path = "../../sync/tests/support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, Pending, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Poll, Waker};

use ::pirn::Error;
use pirn_executor::*;

use support::{World, hub, ns};

type Boxed<'a> = Pin<Box<dyn Future<Output = u32> + 'a>>;

fn boxed<'a>(future: impl Future<Output = u32> + 'a) -> Boxed<'a> {
    Box::pin(future)
}

/// Wakers of a test's own.
macro_rules! wakers {
    ($count:literal) => {{
        static WAKERS: Wakers<$count> = Wakers::new();
        &WAKERS
    }};
}

/// A loop that waits for other threads. Miri has none but that in virtual time.
fn with_real_hub<R>(program: impl FnOnce(&Hub) -> R) -> R {
    if cfg!(miri) {
        return program(hub(&World::new()));
    }
    let capacity = Capacity {
        io: 4,
        timers: 2,
        tasks: 4,
    };
    run(&mut [0; 1024], capacity, program).expect("there is room")
}

async fn counts(world: &World, name: &str, times: u32, pause: u64) -> u32 {
    for at in 0..times {
        sleep(hub(world), ns(pause)).await.expect("it is over");
        world.log(format!("{name}{at}@{}", world.now()));
    }
    times
}

#[test]
fn tasks_run_side_by_side_and_return_what_their_futures_do() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let sum = scope(hub, wakers!(2), &mut Slots::new(), |tasks| {
        block_on(hub, wakers!(1), async {
            let a = tasks
                .spawn(counts(world, "a", 3, 10))
                .unwrap_or_else(|_| panic!());
            let b = tasks
                .spawn(counts(world, "b", 2, 14))
                .unwrap_or_else(|_| panic!());
            a.await + b.await
        })
    });
    assert_eq!(sum, Ok(Ok(5)));
    assert_eq!(world.events(), "a0@10 b0@14 a1@20 b1@28 a2@30");
}

#[test]
fn without_a_free_slot_the_future_is_given_back() {
    let world = World::new();
    let hub = hub(&world);
    scope(hub, wakers!(2), &mut Slots::new(), |tasks| {
        let mut started = Vec::new();
        for number in [1, 2] {
            let task = tasks.spawn(boxed(async move { number }));
            started.push(task.unwrap_or_else(|_| panic!("there is room")));
        }
        let Err(rejected) = tasks.spawn(boxed(async { 3 })) else {
            panic!("there is no room");
        };
        let sum = block_on(hub, wakers!(1), async {
            let mut sum = 0;
            for task in started {
                sum += task.await;
            }
            // There is room again.
            let again = tasks
                .spawn(rejected)
                .unwrap_or_else(|_| panic!("there is room"));
            sum + again.await
        });
        assert_eq!(sum, Ok(6));
    })
    .expect("the wakers are free");
}

#[test]
fn slots_are_used_again_and_again() {
    let world = World::new();
    let hub = hub(&world);
    let mut slots = Slots::<_, 3>::new();
    for _ in 0..2 {
        let total = scope(hub, wakers!(3), &mut slots, |tasks| {
            block_on(hub, wakers!(1), async {
                let mut total = 0;
                for at in 0..20u32 {
                    let delay = ns(u64::from(at % 4));
                    let body = boxed(async move {
                        sleep(hub, delay).await.expect("it is over");
                        at
                    });
                    let mut body = Some(body);
                    while let Some(rejected) = body.take() {
                        match tasks.spawn(rejected) {
                            Ok(task) if at % 2 == 0 => total += task.await,
                            Ok(task) => task.detach(),
                            Err(rejected) => {
                                body = Some(rejected);
                                sleep(hub, ns(1)).await.expect("it is over");
                            }
                        }
                    }
                }
                total
            })
        });
        assert_eq!(total, Ok(Ok(90)));
    }
}

/// Counts its drops.
struct Dropped<'a>(&'a Cell<u32>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_task_whose_handle_is_dropped_is_cancelled_at_once() {
    let world = World::new();
    let (hub, dropped) = (hub(&world), Cell::new(0));
    scope(hub, wakers!(2), &mut Slots::new(), |tasks| {
        let result = block_on(hub, wakers!(1), async {
            let waits = || async {
                let _dropped = Dropped(&dropped);
                sleep(hub, ns(100)).await.expect("it is over");
                1
            };
            let never_polled = tasks.spawn(boxed(waits())).unwrap_or_else(|_| panic!());
            drop(never_polled);
            let polled = tasks.spawn(boxed(waits())).unwrap_or_else(|_| panic!());
            sleep(hub, ns(1)).await.expect("it is over");
            assert_eq!(dropped.get(), 0);
            drop(polled);
            assert_eq!(dropped.get(), 1);
            sleep(hub, ns(200)).await.expect("it is over");
            let over = tasks.spawn(boxed(async { 7 })).unwrap_or_else(|_| panic!());
            sleep(hub, ns(1)).await.expect("it is over");
            drop(over);
        });
        assert_eq!(result, Ok(()));
    })
    .expect("the wakers are free");
    assert_eq!(dropped.get(), 1);
    assert_eq!(world.now(), 202);
}

#[test]
fn a_detached_task_goes_on_and_a_scope_drops_what_is_left() {
    let world = World::new();
    let (hub, dropped, ended) = (hub(&world), Cell::new(0), Cell::new(0));
    scope(hub, wakers!(4), &mut Slots::new(), |tasks| {
        for delay in [10, 1000] {
            let (dropped, ended) = (&dropped, &ended);
            let task = tasks.spawn(async move {
                let _dropped = Dropped(dropped);
                sleep(hub, ns(delay)).await.expect("it is over");
                ended.set(ended.get() + 1);
            });
            task.unwrap_or_else(|_| panic!("there is room")).detach();
        }
        assert_eq!(block_on(hub, wakers!(1), sleep(hub, ns(20))), Ok(Ok(())));
        assert_eq!((dropped.get(), ended.get()), (1, 1));
    })
    .expect("the wakers are free");
    assert_eq!((dropped.get(), ended.get()), (2, 1));
}

#[test]
fn a_task_can_be_awaited_by_another_and_before_it_ends() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let sum = scope(hub, wakers!(1), &mut Slots::new(), |first| {
        scope(hub, wakers!(1), &mut Slots::new(), |second| {
            let slow = first
                .spawn(counts(world, "s", 2, 5))
                .unwrap_or_else(|_| panic!());
            let waits = second.spawn(async move { slow.await + 1 });
            block_on(hub, wakers!(1), waits.unwrap_or_else(|_| panic!()))
        })
    });
    assert_eq!(sum, Ok(Ok(Ok(3))));
    assert_eq!(world.events(), "s0@5 s1@10");
}

// ---- time ----

#[test]
fn a_limit_ends_a_future_and_a_result_in_the_same_turn_wins() {
    let world = World::new();
    let hub = hub(&world);
    let result = block_on(hub, wakers!(1), async {
        let late = timeout(hub, ns(10), sleep(hub, ns(11))).await;
        let now = world.now();
        let at_once = timeout(hub, ns(10), async { 3 }).await;
        let in_time = timeout(hub, ns(10), sleep(hub, ns(10))).await;
        let never = timeout(hub, ns(5), pending::<()>()).await;
        (late, now, at_once, in_time, never)
    });
    let expected = (
        Err(Error::ETIMEDOUT),
        10,
        Ok(3),
        Ok(Ok(())),
        Err(Error::ETIMEDOUT),
    );
    assert_eq!(result, Ok(expected));
    assert_eq!(world.now(), 25);
}

#[test]
fn tasks_that_yield_take_turns() {
    let world = World::new();
    let (hub, log) = (hub(&world), RefCell::new(String::new()));
    let yields = |name: char| {
        let log = &log;
        async move {
            for _ in 0..3 {
                log.borrow_mut().push(name);
                yield_now(hub).await.expect("nobody cancels");
            }
        }
    };
    scope(hub, wakers!(3), &mut Slots::new(), |tasks| {
        let started = ['a', 'b', 'c'].map(|name| {
            let task = tasks.spawn(yields(name));
            task.unwrap_or_else(|_| panic!("there is room"))
        });
        let result = block_on(hub, wakers!(1), async {
            for task in started {
                task.await;
            }
        });
        assert_eq!(result, Ok(()));
    })
    .expect("the wakers are free");
    assert_eq!(log.take(), "abcabcabc");
}

#[test]
fn a_yield_that_is_dropped_does_no_harm() {
    let world = World::new();
    let hub = hub(&world);
    let result = block_on(hub, wakers!(1), async {
        for _ in 0..3 {
            let mut dropped = Box::pin(yield_now(hub));
            poll_fn(|context| {
                assert_eq!(dropped.as_mut().poll(context), Poll::Pending);
                Poll::Ready(())
            })
            .await;
            drop(dropped);
            yield_now(hub).await.expect("nobody cancels");
        }
    });
    assert_eq!(result, Ok(()));
}

// ---- the program's own future ----

#[test]
fn a_future_that_nothing_can_wake_is_a_deadlock() {
    let world = World::new();
    let hub = hub(&world);
    let stuck: Result<()> = block_on(hub, wakers!(1), pending());
    assert_eq!(stuck, Err(Error::EDEADLK));
    // The loop can be used again.
    assert_eq!(block_on(hub, wakers!(1), async { 1 }), Ok(1));
}

#[test]
fn block_on_is_refused_inside_itself() {
    let world = World::new();
    let hub = hub(&world);
    let result = block_on(hub, wakers!(1), async {
        let inner = block_on(hub, wakers!(1), async { 1 });
        sleep(hub, ns(1)).await.expect("it is over");
        inner
    });
    assert_eq!(result, Ok(Err(Error::EBUSY)));
}

#[test]
fn a_loop_that_is_stopped_cancels_the_future() {
    let world = World::new();
    let event_loop = world.event_loop;
    world.at(5, move || {
        assert_eq!(unsafe { pirn_abi::pirn_stop(event_loop) }, 0);
    });
    let dropped = Cell::new(0);
    let result = block_on(hub(&world), wakers!(1), async {
        let _dropped = Dropped(&dropped);
        sleep(hub(&world), ns(10)).await
    });
    assert_eq!(result, Err(Error::ECANCELED));
    assert_eq!(dropped.get(), 1);
}

#[test]
fn wakers_serve_one_scope_at_a_time() {
    let world = World::new();
    let (hub, shared) = (hub(&world), wakers!(1));
    let result = scope(hub, shared, &mut Slots::<Boxed<'_>, 1>::new(), |_| {
        scope(hub, shared, &mut Slots::<Boxed<'_>, 1>::new(), |_| ())
    });
    assert_eq!(result, Ok(Err(Error::EBUSY)));
}

// ---- wakers ----

/// Takes its waker out, and waits until the flag is set.
fn until<'a>(flag: &'a AtomicBool, kept: &'a RefCell<Vec<Waker>>) -> impl Future<Output = ()> + 'a {
    poll_fn(move |context| {
        if flag.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        kept.borrow_mut().push(context.waker().clone());
        Poll::Pending
    })
}

#[test]
fn a_waker_that_outlives_its_task_wakes_nothing() {
    let (kept, never) = (RefCell::new(Vec::new()), AtomicBool::new(false));
    let shared = wakers!(2);
    {
        let world = World::new();
        let hub = hub(&world);
        let result = scope(hub, shared, &mut Slots::new(), |tasks| {
            let task = tasks.spawn(until(&never, &kept));
            let task = task.unwrap_or_else(|_| panic!("there is room"));
            let result = block_on(hub, wakers!(1), async {
                sleep(hub, ns(1)).await.expect("it is over");
                drop(task);
                kept.borrow()[0].wake_by_ref();
                sleep(hub, ns(1)).await.expect("it is over");
            });
            // Woken, and still to be called when the scope ends.
            kept.borrow()[0].wake_by_ref();
            result
        });
        assert_eq!(result, Ok(Ok(())));
        kept.borrow()[0].wake_by_ref();
    }
    // The loop is gone.
    kept.borrow()[0].wake_by_ref();
    let world = World::new();
    let hub = hub(&world);
    let polls = Cell::new(0);
    let result = scope(hub, shared, &mut Slots::new(), |tasks| {
        let task = tasks.spawn(async {
            // Another task has the slot now: it is polled once more, which does no harm.
            kept.borrow()[0].wake_by_ref();
            poll_fn(|_| {
                polls.set(polls.get() + 1);
                if polls.get() == 2 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        });
        block_on(
            hub,
            wakers!(1),
            task.unwrap_or_else(|_| panic!("there is room")),
        )
    });
    assert_eq!(result, Ok(Ok(())));
}

#[test]
fn other_threads_wake_tasks() {
    const TIMES: u32 = if cfg!(miri) { 5 } else { 1000 };
    static FLAGS: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
    static WOKEN: AtomicU32 = AtomicU32::new(0);
    let result = with_real_hub(|hub| {
        // Threads are nothing that the loop waits for.
        let hold = hub.hold().expect("it can be held");
        scope(hub, wakers!(3), &mut Slots::new(), |tasks| {
            let started = [0, 1, 2].map(|at| {
                tasks.spawn(async move {
                    let mut threads = Vec::new();
                    for _ in 0..TIMES {
                        let mut has_begun = false;
                        poll_fn(|context| {
                            if FLAGS[at].swap(false, Ordering::Acquire) {
                                return Poll::Ready(());
                            }
                            if !has_begun {
                                has_begun = true;
                                let waker = context.waker().clone();
                                threads.push(std::thread::spawn(move || {
                                    FLAGS[at].store(true, Ordering::Release);
                                    waker.wake();
                                    WOKEN.fetch_add(1, Ordering::Relaxed);
                                }));
                            }
                            Poll::Pending
                        })
                        .await;
                        threads
                            .pop()
                            .expect("there is one")
                            .join()
                            .expect("it ends");
                    }
                })
            });
            block_on(hub, wakers!(1), async {
                for task in started {
                    task.unwrap_or_else(|_| panic!("there is room")).await;
                }
                drop(hold);
            })
        })
    });
    assert_eq!(result, Ok(Ok(())));
    assert_eq!(WOKEN.load(Ordering::Relaxed), 3 * TIMES);
}

#[test]
fn threads_that_wake_while_the_scope_ends_do_no_harm() {
    const TIMES: u32 = if cfg!(miri) { 3 } else { 300 };
    let shared = wakers!(1);
    for _ in 0..TIMES {
        let (kept, never) = (RefCell::new(Vec::new()), AtomicBool::new(false));
        let world = World::new();
        let hub = hub(&world);
        let thread = scope(hub, shared, &mut Slots::new(), |tasks| {
            let task = tasks.spawn(until(&never, &kept));
            let _task = task.unwrap_or_else(|_| panic!("there is room"));
            let result = block_on(hub, wakers!(1), sleep(hub, ns(1)));
            assert_eq!(result, Ok(Ok(())));
            let waker = kept.borrow()[0].clone();
            std::thread::spawn(move || {
                for _ in 0..100 {
                    waker.wake_by_ref();
                }
            })
        });
        drop(world);
        thread
            .expect("the wakers are free")
            .join()
            .expect("it ends");
    }
}

/// A wait may be polled with the waker of a task of another loop.
#[test]
fn a_wait_in_one_loop_wakes_a_task_of_another() {
    let (one, other) = (World::new(), World::new());
    let (here, there) = (hub(&one), hub(&other));
    let result = scope(here, wakers!(1), &mut Slots::new(), |tasks| {
        let task = tasks.spawn(async { sleep(there, ns(5)).await });
        let mut task = pin!(task.unwrap_or_else(|_| panic!("there is room")));
        // Begins to wait in the other loop.
        let stuck: Result<()> = block_on(here, wakers!(1), pending());
        assert_eq!(stuck, Err(Error::EDEADLK));
        other.run();
        block_on(here, wakers!(1), task.as_mut())
    });
    assert_eq!(result, Ok(Ok(Ok(()))));
}

// ---- memory ----

/// The figures of docs/WAITING.md.
#[test]
#[cfg(target_pointer_width = "64")]
fn tasks_are_small() {
    let cell = size_of::<Wakers<8>>() - size_of::<Wakers<7>>();
    let header = size_of::<Slots<Pending<()>, 1>>();
    let wait = size_of::<Wait<'_, Pause<'_>>>();
    assert_eq!((cell, header, wait), (56, 32, 184));
}

#[test]
fn a_wait_that_is_forgotten_does_no_harm() {
    let world = World::new();
    let hub = hub(&world);
    let forgotten = Cell::new(std::ptr::null_mut());
    let result = block_on(hub, wakers!(1), async {
        let wait = Box::into_raw(Box::new(sleep(hub, ns(10))));
        forgotten.set(wait);
        let mut wait = unsafe { Pin::new_unchecked(&mut *wait) };
        let polled = poll_fn(|context| Poll::Ready(wait.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        sleep(hub, ns(20)).await.expect("it is over");
    });
    assert_eq!(result, Ok(()));
    // Over long since, and never taken. Its memory has stayed, as that of pinned futures does.
    drop(unsafe { Box::from_raw(forgotten.get()) });
}
