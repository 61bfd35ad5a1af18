#![allow(unsafe_code, reason = "a hub in virtual time is made by C functions")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! The cases of CPython 3.13 for locks, events, conditions, semaphores, barriers and queues, played
//! with tasks. Each test has the name of its case. Only the scenarios are CPython's.
//!
//! - `Lib/test/test_asyncio/test_locks.py`: the modules `lock`, `event`, `condition`, `semaphore`
//!   and `barrier`.
//! - `Lib/test/test_asyncio/test_queues.py`: the module `queue`.
//! - `Lib/test/lock_tests.py` and `Lib/test/test_queue.py`, which are about threads: the module
//!   `threading`, with cases that asyncio does not have.
//!
//! Left out:
//! - `test_repr`, `test_str`, `test_format`, `test_generic_alias`, `test_weakref_*`,
//!   `test_thread_leak`, `test_at_fork_reinit`, `test_references`: they are about Python objects.
//! - `test_constructor`, `test_semaphore_value`, `test_float_maxsize`, `test_negative_timeout_*`,
//!   `test_lock_doesnt_accept_loop_parameter`, `test_ambiguous_loops`: the types exclude them.
//! - `test_release_not_acquired` and `test_release_unacquired` of a lock, `test_wait_unacquired`,
//!   `test_notify_unacquired` and their like: to unlock, and to wait with a lock, needs a guard.
//! - `test_cancelled_error_*`, `test_failing_queue`: they are about exceptions.
//! - `test_wait_cancel_after_notify` expects that a cancelled task takes its lock back. A task that
//!   is dropped does not, since none of its code runs any more.
//! - `test_draining_state`, `test_blocking_tasks_while_draining` and the cases with a barrier that
//!   is draining: here a barrier is ready for the next round at once.
//! - `test_abort_barrier*`: a barrier is broken by a party that leaves.
//! - The maximum size 0 of a queue: a queue always has a bound.

#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use ::pirn::Error;
use pirn_executor::{Hub, Slots, Task, Tasks, Wakers, block_on, scope, sleep, timeout, yield_now};
use pirn_sync::{Barrier, Condition, Event, Mutex, Order, Queue, Semaphore};

use support::{World, hub, number};

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What tasks have noted, in order.
type Noted = RefCell<Vec<u32>>;

const LIMIT: Duration = Duration::from_nanos(500);

/// Runs a part with tasks, as the program's own future.
macro_rules! play {
    ($hub:expr, |$tasks:ident| $part:block) => {{
        static TASKS: Wakers<8> = Wakers::new();
        static MAIN: Wakers<1> = Wakers::new();
        let mut slots = Slots::<Boxed<'_>, 8>::new();
        let result = scope($hub, &TASKS, &mut slots, |$tasks| {
            block_on($hub, &MAIN, async $part)
        });
        assert_eq!(result, Ok(Ok(())));
    }};
}

fn start<'t, 'a>(
    tasks: &'t Tasks<'_, Boxed<'a>>,
    future: impl Future<Output = ()> + 'a,
) -> Task<'t, Boxed<'a>> {
    tasks
        .spawn(Box::pin(future))
        .unwrap_or_else(|_| panic!("there is room"))
}

/// Lets all run that can.
async fn settle(hub: &Hub) {
    sleep(hub, Duration::from_nanos(1))
        .await
        .expect("it is over");
}

fn noted(noted: &Noted) -> Vec<u32> {
    noted.borrow().clone()
}

/// A world, its hub, and what is noted.
macro_rules! world {
    ($hub:ident, $noted:ident) => {
        let world = World::new();
        let ($hub, $noted) = (hub(&world), &Noted::default());
    };
}

macro_rules! pinned {
    ($name:ident = $object:expr) => {
        let $name = pin!($object);
        let $name = $name.as_ref();
    };
}

mod lock {
    use super::*;

    #[test]
    fn test_lock() {
        world!(hub, _noted);
        pinned!(lock = Mutex::new(hub, 7));
        assert!(!lock.is_locked());
        play!(hub, |_tasks| {
            let guard = lock.lock().await.expect("it is free");
            assert!(lock.is_locked());
            drop(guard);
        });
        assert!(!lock.is_locked());
    }

    #[test]
    fn test_acquire() {
        world!(hub, noted);
        pinned!(lock = Mutex::new(hub, ()));
        let take = |number| async move {
            let _guard = lock.lock().await.expect("it comes");
            noted.borrow_mut().push(number);
            settle(hub).await;
        };
        play!(hub, |tasks| {
            let guard = lock.lock().await.expect("it is free");
            let first = start(tasks, take(1));
            let second = start(tasks, take(2));
            settle(hub).await;
            assert_eq!(super::noted(noted), []);
            drop(guard);
            let third = start(tasks, take(3));
            first.await;
            second.await;
            third.await;
        });
        assert_eq!(super::noted(noted), [1, 2, 3]);
        assert!(!lock.is_locked());
    }

    #[test]
    fn test_acquire_cancel() {
        world!(hub, noted);
        pinned!(lock = Mutex::new(hub, ()));
        play!(hub, |tasks| {
            let guard = lock.lock().await.expect("it is free");
            let waits = start(tasks, async {
                let _guard = lock.lock().await;
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            drop(waits);
            drop(guard);
            // Nobody waits any more.
            assert!(!lock.is_locked());
        });
        assert_eq!(super::noted(noted), []);
    }

    /// A is granted the lock and cancelled before it runs: B gets it.
    #[test]
    fn test_cancel_race() {
        world!(hub, noted);
        pinned!(lock = Mutex::new(hub, ()));
        let take = |number| async move {
            let _guard = lock.lock().await.expect("it comes");
            noted.borrow_mut().push(number);
        };
        play!(hub, |tasks| {
            let guard = lock.lock().await.expect("it is free");
            let first = start(tasks, take(1));
            let second = start(tasks, take(2));
            settle(hub).await;
            drop(guard);
            drop(first);
            second.await;
        });
        assert_eq!(super::noted(noted), [2]);
    }

    /// The second is cancelled in the turn in which the lock is released.
    #[test]
    fn test_cancel_release_race() {
        world!(hub, noted);
        pinned!(lock = Mutex::new(hub, ()));
        let take = |number| async move {
            let _guard = lock.lock().await.expect("it comes");
            noted.borrow_mut().push(number);
        };
        play!(hub, |tasks| {
            let guard = lock.lock().await.expect("it is free");
            let first = start(tasks, take(1));
            let second = start(tasks, take(2));
            settle(hub).await;
            drop(second);
            drop(guard);
            first.await;
        });
        assert_eq!(super::noted(noted), [1]);
    }

    /// bpo-32734: a waiter that is over and cancelled does not hold the lock up.
    #[test]
    fn test_finished_waiter_cancelled() {
        world!(hub, noted);
        pinned!(lock = Mutex::new(hub, ()));
        play!(hub, |tasks| {
            let guard = lock.lock().await.expect("it is free");
            let waits = start(tasks, async {
                let _guard = lock.lock().await;
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            drop(guard);
            drop(waits);
            assert!(!lock.is_locked());
        });
        assert_eq!(super::noted(noted), []);
    }

    #[test]
    fn test_context_manager() {
        world!(hub, _noted);
        pinned!(lock = Mutex::new(hub, ()));
        play!(hub, |_tasks| {
            {
                let _guard = lock.lock().await.expect("it is free");
                assert!(lock.is_locked());
            }
            assert!(!lock.is_locked());
        });
    }
}

mod event {
    use super::*;

    #[test]
    fn test_wait() {
        world!(hub, noted);
        pinned!(event = Event::new(hub));
        play!(hub, |tasks| {
            let started = [1, 2, 3].map(|number| {
                start(tasks, async move {
                    event.wait().await.expect("it is set");
                    noted.borrow_mut().push(number);
                })
            });
            settle(hub).await;
            assert_eq!(super::noted(noted), []);
            event.set();
            for task in started {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [1, 2, 3]);
    }

    #[test]
    fn test_wait_on_set() {
        world!(hub, _noted);
        pinned!(event = Event::new(hub));
        event.set();
        play!(hub, |_tasks| {
            assert_eq!(event.wait().await, Ok(()));
        });
    }

    #[test]
    fn test_wait_cancel() {
        world!(hub, noted);
        pinned!(event = Event::new(hub));
        play!(hub, |tasks| {
            let waits = start(tasks, async {
                event.wait().await.expect("it is set");
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            drop(waits);
            event.set();
            settle(hub).await;
        });
        assert_eq!(super::noted(noted), []);
    }

    #[test]
    fn test_clear() {
        world!(hub, _noted);
        pinned!(event = Event::new(hub));
        assert!(!event.is_set());
        event.set();
        assert!(event.is_set());
        event.clear();
        assert!(!event.is_set());
    }

    /// Set, cleared and set again before the waiter runs: it is woken once.
    #[test]
    fn test_clear_with_waiters() {
        world!(hub, noted);
        pinned!(event = Event::new(hub));
        play!(hub, |tasks| {
            let waits = start(tasks, async {
                event.wait().await.expect("it is set");
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            event.set();
            event.clear();
            event.set();
            waits.await;
        });
        assert_eq!(super::noted(noted), [1]);
        assert!(event.is_set());
    }
}

mod condition {
    use super::*;

    /// Tasks that lock, wait, note their number, and hold the lock until they may go.
    macro_rules! waiters {
        ($hub:ident, $noted:ident, $lock:ident, $condition:ident, $waits:ident) => {
            world!($hub, $noted);
            pinned!($lock = Mutex::new($hub, ()));
            pinned!($condition = Condition::new($hub));
            let $waits = |number| async move {
                let guard = $lock.lock().await.expect("it comes");
                let _guard = $condition.wait(guard).await.expect("nobody cancels");
                $noted.borrow_mut().push(number);
            };
        };
    }

    #[test]
    fn test_wait() {
        waiters!(hub, noted, lock, condition, waits);
        play!(hub, |tasks| {
            let _started = [1, 2, 3].map(|number| start(tasks, waits(number)));
            settle(hub).await;
            assert!(!lock.is_locked());
            let guard = lock.lock().await.expect("it is free");
            assert_eq!(condition.notify(1), 1);
            settle(hub).await;
            assert_eq!(super::noted(noted), []);
            drop(guard);
            settle(hub).await;
            assert_eq!(super::noted(noted), [1]);
            assert_eq!(condition.notify(2), 2);
            settle(hub).await;
            assert_eq!(super::noted(noted), [1, 2, 3]);
        });
    }

    #[test]
    fn test_wait_cancel() {
        waiters!(hub, noted, lock, condition, waits);
        play!(hub, |tasks| {
            let first = start(tasks, waits(1));
            settle(hub).await;
            drop(first);
            assert_eq!(condition.notify(1), 0);
            assert!(!lock.is_locked());
        });
        assert_eq!(super::noted(noted), []);
    }

    #[test]
    fn test_wait_cancel_contested() {
        waiters!(hub, noted, lock, condition, waits);
        play!(hub, |tasks| {
            let first = start(tasks, waits(1));
            settle(hub).await;
            let guard = lock.lock().await.expect("it is free");
            assert_eq!(condition.notify(1), 1);
            settle(hub).await;
            drop(first);
            drop(guard);
            assert!(!lock.is_locked());
        });
        assert_eq!(super::noted(noted), []);
    }

    #[test]
    fn test_wait_for() {
        world!(hub, noted);
        pinned!(condition = Condition::new(hub));
        let is_true = &Cell::new(false);
        play!(hub, |tasks| {
            let waits = start(tasks, async {
                while !is_true.get() {
                    condition.notified().await.expect("nobody cancels");
                }
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            condition.notify(1);
            settle(hub).await;
            assert_eq!(super::noted(noted), []);
            is_true.set(true);
            condition.notify(1);
            waits.await;
        });
        assert_eq!(super::noted(noted), [1]);
    }

    #[test]
    fn test_notify() {
        waiters!(hub, noted, _lock, condition, waits);
        play!(hub, |tasks| {
            let _started = [1, 2, 3].map(|number| start(tasks, waits(number)));
            settle(hub).await;
            condition.notify(1);
            settle(hub).await;
            assert_eq!(super::noted(noted), [1]);
            condition.notify(1);
            condition.notify(2048);
            settle(hub).await;
        });
        assert_eq!(super::noted(noted), [1, 2, 3]);
    }

    #[test]
    fn test_notify_all() {
        waiters!(hub, noted, _lock, condition, waits);
        play!(hub, |tasks| {
            let _started = [1, 2].map(|number| start(tasks, waits(number)));
            settle(hub).await;
            assert_eq!(condition.notify_all(), 2);
            settle(hub).await;
        });
        assert_eq!(super::noted(noted), [1, 2]);
    }

    #[test]
    fn test_timeout_in_block() {
        world!(hub, _noted);
        pinned!(condition = Condition::new(hub));
        play!(hub, |_tasks| {
            let result = condition.notified().within(LIMIT).await;
            assert_eq!(result, Err(Error::ETIMEDOUT));
        });
    }

    /// The first is notified and cancelled: the notification is for the second.
    #[test]
    fn test_cancelled_wakeup() {
        waiters!(hub, noted, _lock, condition, waits);
        play!(hub, |tasks| {
            let first = start(tasks, waits(1));
            let second = start(tasks, waits(2));
            settle(hub).await;
            assert_eq!(condition.notify(1), 1);
            drop(first);
            second.await;
        });
        assert_eq!(super::noted(noted), [2]);
    }

    /// The same while it waits for the lock.
    #[test]
    fn test_cancelled_wakeup_relock() {
        waiters!(hub, noted, lock, condition, waits);
        play!(hub, |tasks| {
            let first = start(tasks, waits(1));
            let second = start(tasks, waits(2));
            settle(hub).await;
            let guard = lock.lock().await.expect("it is free");
            assert_eq!(condition.notify(1), 1);
            settle(hub).await;
            drop(first);
            drop(guard);
            second.await;
        });
        assert_eq!(super::noted(noted), [2]);
    }
}

mod semaphore {
    use super::*;

    /// A task that acquires one unit for good, and notes its number.
    macro_rules! takers {
        ($hub:ident, $noted:ident, $semaphore:ident = $value:literal, $take:ident) => {
            world!($hub, $noted);
            pinned!($semaphore = Semaphore::new($hub, $value));
            let $take = |number| async move {
                $semaphore.acquire(1).await.expect("it comes").keep();
                $noted.borrow_mut().push(number);
            };
        };
    }

    #[test]
    fn test_acquire() {
        takers!(hub, noted, semaphore = 3, take);
        play!(hub, |tasks| {
            for _ in 0..2 {
                semaphore.acquire(1).await.expect("it is free").keep();
            }
            let _started = [1, 2, 3].map(|number| start(tasks, take(number)));
            settle(hub).await;
            assert_eq!((super::noted(noted), semaphore.value()), (vec![1], 0));
            let _last = start(tasks, take(4));
            assert_eq!(semaphore.release(number(2)), Ok(()));
            // They are handed over.
            assert_eq!(semaphore.value(), 0);
            settle(hub).await;
            assert_eq!(super::noted(noted), [1, 2, 3]);
        });
    }

    #[test]
    fn test_acquire_cancel() {
        takers!(hub, noted, semaphore = 0, take);
        play!(hub, |tasks| {
            let waits = start(tasks, take(1));
            settle(hub).await;
            drop(waits);
            assert_eq!(semaphore.release(number(1)), Ok(()));
            assert_eq!(semaphore.value(), 1);
        });
        assert_eq!(super::noted(noted), []);
    }

    #[test]
    fn test_acquire_cancel_before_awoken() {
        takers!(hub, noted, semaphore = 0, take);
        play!(hub, |tasks| {
            let [first, second, _third, _last] = [1, 2, 3, 4].map(|at| start(tasks, take(at)));
            settle(hub).await;
            drop((first, second));
            assert_eq!(semaphore.release(number(1)), Ok(()));
            settle(hub).await;
            assert_eq!(super::noted(noted), [3]);
        });
    }

    #[test]
    fn test_acquire_hang() {
        takers!(hub, noted, semaphore = 0, take);
        play!(hub, |tasks| {
            let first = start(tasks, take(1));
            let second = start(tasks, take(2));
            settle(hub).await;
            // Granted first, then cancelled; asyncio's case has it the other way round too.
            assert_eq!(semaphore.release(number(1)), Ok(()));
            drop(first);
            second.await;
            assert_eq!(semaphore.value(), 0);
        });
        assert_eq!(super::noted(noted), [2]);
    }

    #[test]
    fn test_acquire_no_hang() {
        world!(hub, _noted);
        pinned!(semaphore = Semaphore::new(hub, 1));
        play!(hub, |tasks| {
            let permit = semaphore.acquire(1).await.expect("it is free");
            let second = start(tasks, async {
                let _permit = semaphore.acquire(1).await;
                panic!("it is cancelled");
            });
            settle(hub).await;
            // It is granted, and cancelled before it runs.
            drop(permit);
            drop(second);
            let permit = timeout(hub, LIMIT, semaphore.acquire(1)).await;
            assert!(permit.is_ok_and(|permit| permit.is_ok()));
        });
    }

    #[test]
    fn test_release_not_acquired() {
        world!(hub, _noted);
        pinned!(semaphore = Semaphore::bounded(hub, number(1)));
        assert_eq!(semaphore.release(number(1)), Err(Error::EOVERFLOW));
    }

    #[test]
    fn test_release_no_waiters() {
        world!(hub, _noted);
        pinned!(semaphore = Semaphore::new(hub, 1));
        let permit = semaphore.acquire(1).try_now().expect("it is free");
        assert_eq!(semaphore.value(), 0);
        drop(permit);
        assert_eq!(semaphore.value(), 1);
    }

    #[test]
    fn test_acquire_fifo_order() {
        world!(hub, noted);
        pinned!(semaphore = Semaphore::new(hub, 1));
        let twice = |number: u32| async move {
            for round in [10, 20] {
                let _permit = semaphore.acquire(1).await.expect("it comes");
                noted.borrow_mut().push(round + number);
                sleep(hub, Duration::from_nanos(10))
                    .await
                    .expect("it is over");
            }
        };
        play!(hub, |tasks| {
            for task in [1, 2, 3].map(|number| start(tasks, twice(number))) {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [11, 12, 13, 21, 22, 23]);
    }

    #[test]
    fn test_acquire_fifo_order_2() {
        takers!(hub, noted, semaphore = 1, take);
        play!(hub, |tasks| {
            let first = start(tasks, take(1));
            let second = start(tasks, async {
                take(2).await;
                assert_eq!(semaphore.release(number(1)), Ok(()));
                take(4).await;
            });
            let third = start(tasks, take(3));
            settle(hub).await;
            assert_eq!(semaphore.release(number(2)), Ok(()));
            first.await;
            second.await;
            third.await;
        });
        // The third has its unit before the second asks again, and runs after it: units are handed
        // over when they are released. In asyncio the second waits.
        assert_eq!(super::noted(noted), [1, 2, 4, 3]);
    }

    #[test]
    fn test_acquire_fifo_order_3() {
        takers!(hub, noted, semaphore = 0, take);
        play!(hub, |tasks| {
            let [first, second, third] = [1, 2, 3].map(|number| start(tasks, take(number)));
            settle(hub).await;
            drop(first);
            settle(hub).await;
            assert_eq!(semaphore.release(number(2)), Ok(()));
            second.await;
            third.await;
        });
        assert_eq!(super::noted(noted), [2, 3]);
    }

    /// Units are released for all three before the first has run: they run in order.
    #[test]
    fn test_acquire_fifo_order_4() {
        takers!(hub, noted, semaphore = 0, take);
        play!(hub, |tasks| {
            let first = start(tasks, async {
                take(1).await;
                assert_eq!(semaphore.value(), 0);
            });
            let second = start(tasks, async {
                assert_eq!(semaphore.release(number(3)), Ok(()));
                // The first has its unit already.
                assert_eq!(semaphore.value(), 2);
                take(2).await;
            });
            let third = start(tasks, take(3));
            first.await;
            second.await;
            third.await;
        });
        // For the same reason the second and the third do not wait until the first has run.
        assert_eq!(super::noted(noted), [2, 3, 1]);
    }
}

mod barrier {
    use super::*;

    #[test]
    fn test_filling_one_task() {
        world!(hub, _noted);
        pinned!(barrier = Barrier::new(hub, number(1)));
        play!(hub, |_tasks| {
            // `test_filling_one_task_twice`, too.
            assert_eq!(barrier.wait().await, Ok(0));
            assert_eq!(barrier.wait().await, Ok(0));
        });
        assert_eq!(barrier.arrived(), 0);
    }

    #[test]
    fn test_filling_task_by_task() {
        world!(hub, noted);
        pinned!(barrier = Barrier::new(hub, number(3)));
        play!(hub, |tasks| {
            let mut started = Vec::new();
            for at in 0..3 {
                assert_eq!(barrier.arrived(), at);
                started.push(start(tasks, async move {
                    // `test_filling_tasks_check_return_value`, too.
                    assert_eq!(barrier.wait().await, Ok(at));
                    noted.borrow_mut().push(at);
                }));
                settle(hub).await;
            }
        });
        // The last one does not wait.
        assert_eq!(super::noted(noted), [2, 0, 1]);
        assert!(!barrier.is_broken());
    }

    #[test]
    fn test_filling_tasks_wait_twice() {
        world!(hub, noted);
        pinned!(barrier = Barrier::new(hub, number(3)));
        let twice = || async {
            for round in [1, 2] {
                barrier.wait().await.expect("nobody leaves");
                noted.borrow_mut().push(round);
            }
        };
        play!(hub, |tasks| {
            for task in [(); 3].map(|()| start(tasks, twice())) {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [1, 1, 1, 2, 2, 2]);
    }

    /// A party that leaves breaks the barrier for the others, as of threads; asyncio's waits on.
    #[test]
    fn test_filling_tasks_cancel_one() {
        world!(hub, noted);
        pinned!(barrier = Barrier::new(hub, number(3)));
        play!(hub, |tasks| {
            let first = start(tasks, async {
                let _ = barrier.wait().await;
                noted.borrow_mut().push(1);
            });
            let second = start(tasks, async {
                assert_eq!(barrier.wait().await, Err(Error::EPIPE));
                noted.borrow_mut().push(2);
            });
            settle(hub).await;
            drop(first);
            second.await;
        });
        assert_eq!(super::noted(noted), [2]);
        assert!(barrier.is_broken());
    }

    #[test]
    fn test_reset_barrier() {
        world!(hub, _noted);
        pinned!(barrier = Barrier::new(hub, number(2)));
        barrier.reset();
        assert!(!barrier.is_broken());
    }

    /// `test_reset_barrier_while_tasks_waiting_and_waiting_again`, too.
    #[test]
    fn test_reset_barrier_while_tasks_waiting() {
        world!(hub, noted);
        pinned!(barrier = Barrier::new(hub, number(3)));
        let again = |number| async move {
            assert_eq!(barrier.wait().await, Err(Error::EPIPE));
            barrier.wait().await.expect("nobody leaves");
            noted.borrow_mut().push(number);
        };
        play!(hub, |tasks| {
            let first = start(tasks, again(1));
            let second = start(tasks, again(2));
            settle(hub).await;
            barrier.reset();
            settle(hub).await;
            assert_eq!((barrier.is_broken(), barrier.arrived()), (false, 2));
            assert_eq!(barrier.wait().await, Ok(2));
            first.await;
            second.await;
        });
        assert_eq!(super::noted(noted), [1, 2]);
    }
}

mod queue {
    use super::*;

    const ORDERS: [Order; 3] = [Order::Fifo, Order::Lifo, Order::Priority];

    /// `test_maxsize`, `test_full` and `test_empty`, too.
    #[test]
    fn test_order() {
        for (order, expected) in ORDERS.into_iter().zip([[1, 3, 2], [2, 3, 1], [1, 2, 3]]) {
            world!(hub, _noted);
            pinned!(queue = Queue::<i64, 3>::new(hub, order));
            assert_eq!(queue.size(), 0);
            for item in [1, 3, 2] {
                queue.put_with(item, item).try_now().expect("there is room");
            }
            let full = queue.put(7).try_now().expect_err("it is full");
            assert_eq!((full.item, full.error), (7, Error::EAGAIN));
            let got = [(); 3].map(|()| queue.get().try_now().expect("there is one"));
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn test_blocking_get() {
        world!(hub, _noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        play!(hub, |_tasks| {
            queue.put(1).try_now().expect("there is room");
            assert_eq!(queue.get().await, Ok(1));
        });
    }

    /// `test_get_with_waiting_putters`, too.
    #[test]
    fn test_get_with_putters() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        queue.put(1).try_now().expect("there is room");
        play!(hub, |tasks| {
            let puts = start(tasks, async {
                queue.put(2).await.expect("it is open");
                noted.borrow_mut().push(2);
            });
            settle(hub).await;
            assert_eq!(queue.get().await, Ok(1));
            puts.await;
            assert_eq!(queue.get().await, Ok(2));
        });
    }

    #[test]
    fn test_blocking_get_wait() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            let gets = start(tasks, async {
                let item = queue.get().await.expect("it is open");
                noted.borrow_mut().push(item);
            });
            settle(hub).await;
            assert_eq!(super::noted(noted), []);
            queue.put(1).try_now().expect("there is room");
            gets.await;
        });
        assert_eq!(super::noted(noted), [1]);
    }

    #[test]
    fn test_nonblocking_get_exception() {
        world!(hub, _noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        assert_eq!(queue.get().try_now(), Err(Error::EAGAIN));
    }

    /// `test_get_cancel_drop_one_pending_reader` and `_many_pending_readers`, too: an item is not
    /// lost with a reader that is cancelled.
    #[test]
    fn test_get_cancelled_race() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        let gets = || async {
            let item = queue.get().await.expect("it is open");
            noted.borrow_mut().push(item);
        };
        play!(hub, |tasks| {
            let [first, second, third] = [(); 3].map(|()| start(tasks, gets()));
            settle(hub).await;
            drop(first);
            queue.put(1).try_now().expect("there is room");
            // Promised, and cancelled.
            drop(second);
            third.await;
        });
        assert_eq!(super::noted(noted), [1]);
    }

    #[test]
    fn test_why_are_getters_waiting() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            let consumes = start(tasks, async {
                for _ in 0..5 {
                    let item = queue.get().await.expect("it is open");
                    noted.borrow_mut().push(item);
                }
            });
            for item in 0..5 {
                queue.put(item).await.expect("it is open");
            }
            consumes.await;
        });
        assert_eq!(super::noted(noted), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn test_cancelled_getters_not_being_held_in_self_getters() {
        world!(hub, _noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        play!(hub, |_tasks| {
            let result = queue.get().within(LIMIT).await;
            assert_eq!(result, Err(Error::ETIMEDOUT));
            let result = timeout(hub, LIMIT, queue.get()).await;
            assert_eq!(result, Err(Error::ETIMEDOUT));
            queue.put(1).try_now().expect("there is room");
            assert_eq!(queue.size(), 1);
        });
    }

    #[test]
    fn test_blocking_put_wait() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            let puts = start(tasks, async {
                queue.put(1).await.expect("it is open");
                queue.put(2).await.expect("it is open");
                noted.borrow_mut().push(2);
            });
            settle(hub).await;
            assert_eq!(super::noted(noted), []);
            assert_eq!(queue.get().try_now(), Ok(1));
            puts.await;
        });
        assert_eq!(super::noted(noted), [2]);
    }

    /// `test_put_cancelled_race` and `test_cancelled_put_silence_value_error_exception`, too.
    #[test]
    fn test_put_cancel_drop() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        let puts = |item| async move {
            queue.put(item).await.expect("it is open");
            noted.borrow_mut().push(item);
        };
        play!(hub, |tasks| {
            queue.put(0).try_now().expect("there is room");
            let [first, second] = [1, 2].map(|item| start(tasks, puts(item)));
            settle(hub).await;
            drop(first);
            assert_eq!(queue.get().try_now(), Ok(0));
            second.await;
            assert_eq!(queue.get().try_now(), Ok(2));
        });
        assert_eq!(super::noted(noted), [2]);
    }

    #[test]
    fn test_why_are_putters_waiting() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            let produces = [0, 1, 2, 3].map(|item| {
                start(
                    tasks,
                    async move { queue.put(item).await.expect("it is open") },
                )
            });
            let consumes = start(tasks, async {
                for _ in 0..4 {
                    let item = queue.get().await.expect("it is open");
                    noted.borrow_mut().push(item);
                }
            });
            consumes.await;
            for task in produces {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [0, 1, 2, 3]);
    }

    #[test]
    fn test_cancelled_puts_not_being_held_in_self_putters() {
        world!(hub, _noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        play!(hub, |_tasks| {
            queue.put(1).try_now().expect("there is room");
            let late = queue.put(2).within(LIMIT).await.expect_err("it is full");
            assert_eq!((late.item, late.error), (2, Error::ETIMEDOUT));
            assert_eq!(queue.get().try_now(), Ok(1));
            assert_eq!(queue.get().try_now(), Err(Error::EAGAIN));
        });
    }

    #[test]
    fn test_task_done_underflow() {
        world!(hub, _noted);
        for order in ORDERS {
            pinned!(queue = Queue::<u32, 1>::new(hub, order));
            assert_eq!(queue.done(), Err(Error::EINVAL));
        }
    }

    /// `test_join_empty_queue`, too.
    #[test]
    fn test_task_done() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 100>::new(hub, Order::Lifo));
        let works = || async {
            loop {
                let item = queue.get().await.expect("it is open");
                yield_now(hub).await.expect("nobody cancels");
                noted.borrow_mut().push(item);
                queue.done().expect("it was put");
            }
        };
        play!(hub, |tasks| {
            assert_eq!(queue.join().await, Ok(()));
            for item in 0..100 {
                queue.put(item).try_now().expect("there is room");
            }
            let _workers = [start(tasks, works()), start(tasks, works())];
            assert_eq!(queue.join().await, Ok(()));
            assert_eq!(super::noted(noted).iter().sum::<u32>(), 4950);
        });
    }

    #[test]
    fn test_shutdown_empty() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            let gets = start(tasks, async {
                assert_eq!(queue.get().await, Err(Error::ESHUTDOWN));
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            queue.close();
            gets.await;
            let closed = queue.put(1).await.expect_err("it is closed");
            assert_eq!(closed.error, Error::ESHUTDOWN);
            assert_eq!(queue.join().await, Ok(()));
        });
        assert_eq!(super::noted(noted), [1]);
    }

    #[test]
    fn test_shutdown_nonempty() {
        world!(hub, _noted);
        pinned!(queue = Queue::<u32, 1>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            queue.put(1).try_now().expect("there is room");
            let puts = start(tasks, async {
                let closed = queue.put(2).await.expect_err("it is closed");
                assert_eq!((closed.item, closed.error), (2, Error::ESHUTDOWN));
            });
            settle(hub).await;
            queue.close();
            puts.await;
            assert_eq!(queue.join().within(LIMIT).await, Err(Error::ETIMEDOUT));
            // What is in it can still be got.
            assert_eq!(queue.get().await, Ok(1));
            assert_eq!(queue.get().await, Err(Error::ESHUTDOWN));
            queue.done().expect("it was put");
            assert_eq!(queue.join().await, Ok(()));
        });
    }

    #[test]
    fn test_shutdown_immediate() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        play!(hub, |tasks| {
            queue.put(1).try_now().expect("there is room");
            let joins = start(tasks, async {
                assert_eq!(queue.join().await, Ok(()));
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            queue.close_now();
            joins.await;
            assert_eq!(queue.get().await, Err(Error::ESHUTDOWN));
            assert_eq!(queue.done(), Err(Error::EINVAL));
        });
        assert_eq!(super::noted(noted), [1]);
    }

    #[test]
    fn test_shutdown_immediate_with_unfinished() {
        world!(hub, _noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Fifo));
        play!(hub, |_tasks| {
            queue.put(1).try_now().expect("there is room");
            queue.put(2).try_now().expect("there is room");
            assert_eq!(queue.get().await, Ok(1));
            queue.close_now();
            // The one that was got is still to be done.
            assert_eq!(queue.join().within(LIMIT).await, Err(Error::ETIMEDOUT));
            queue.done().expect("it was put");
            assert_eq!(queue.join().await, Ok(()));
            assert_eq!(queue.done(), Err(Error::EINVAL));
        });
    }
}

mod threading {
    use super::*;

    /// Of the lock: `test_timeout`, `test_try_acquire_contended`.
    #[test]
    fn test_timeout() {
        world!(hub, _noted);
        pinned!(lock = Mutex::new(hub, ()));
        play!(hub, |_tasks| {
            let guard = lock.lock().within(LIMIT).await.expect("it is free");
            let late = lock.lock().within(LIMIT).await;
            assert_eq!(late.err(), Some(Error::ETIMEDOUT));
            assert_eq!(lock.lock().try_now().err(), Some(Error::EAGAIN));
            drop(guard);
            // `test_state_after_timeout`: it can be locked again.
            assert!(lock.lock().try_now().is_ok());
        });
    }

    /// Of the event: a set that is followed by a clear wakes all waiters.
    #[test]
    fn test_set_and_clear() {
        world!(hub, noted);
        pinned!(event = Event::new(hub));
        play!(hub, |tasks| {
            let started = [1, 2, 3, 4, 5].map(|number| {
                start(tasks, async move {
                    assert_eq!(event.wait().within(LIMIT).await, Ok(()));
                    noted.borrow_mut().push(number);
                })
            });
            settle(hub).await;
            event.set();
            event.clear();
            for task in started {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [1, 2, 3, 4, 5]);
    }

    /// Of the condition: `wait_for` with a limit, and a predicate that becomes true too late.
    #[test]
    fn test_waitfor_timeout() {
        world!(hub, _noted);
        pinned!(condition = Condition::new(hub));
        let state = &Cell::new(0);
        play!(hub, |tasks| {
            let waits = start(tasks, async {
                let result = timeout(hub, LIMIT, async {
                    while state.get() != 4 {
                        condition.notified().await.expect("nobody cancels");
                    }
                })
                .await;
                assert_eq!(result, Err(Error::ETIMEDOUT));
            });
            for _ in 0..3 {
                sleep(hub, Duration::from_nanos(10))
                    .await
                    .expect("it is over");
                state.set(state.get() + 1);
                condition.notify(1);
            }
            waits.await;
            assert_eq!(state.get(), 3);
        });
    }

    /// Of the semaphore: `test_multirelease`, `test_acquire_contended`.
    #[test]
    fn test_multirelease() {
        world!(hub, noted);
        pinned!(semaphore = Semaphore::new(hub, 0));
        play!(hub, |tasks| {
            let started = [1, 2, 3, 4, 5, 6].map(|at| {
                start(tasks, async move {
                    semaphore.acquire(1).await.expect("it comes").keep();
                    noted.borrow_mut().push(at);
                })
            });
            settle(hub).await;
            assert_eq!(semaphore.release(number(3)), Ok(()));
            settle(hub).await;
            assert_eq!(super::noted(noted), [1, 2, 3]);
            assert_eq!(semaphore.release(number(5)), Ok(()));
            for task in started {
                task.await;
            }
            assert_eq!(semaphore.value(), 2);
        });
    }

    /// Of the barrier: a limit breaks it for the others, and a reset repairs it.
    #[test]
    fn test_abort_and_reset() {
        world!(hub, noted);
        pinned!(barrier = Barrier::new(hub, number(3)));
        play!(hub, |tasks| {
            let waits = start(tasks, async {
                assert_eq!(barrier.wait().await, Err(Error::EPIPE));
                noted.borrow_mut().push(1);
            });
            settle(hub).await;
            let late = barrier.wait().within(LIMIT).await;
            assert_eq!(late, Err(Error::ETIMEDOUT));
            waits.await;
            assert_eq!(barrier.wait().await, Err(Error::EPIPE));
            barrier.reset();
            let again = [(); 2].map(|()| {
                start(tasks, async {
                    barrier.wait().await.expect("nobody leaves");
                    noted.borrow_mut().push(2);
                })
            });
            settle(hub).await;
            assert_eq!(barrier.wait().await, Ok(2));
            for task in again {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [1, 2, 2]);
    }

    /// Of the queue: several that get wait, and all learn that it was closed.
    #[test]
    fn test_shutdown_pending_get() {
        world!(hub, noted);
        pinned!(queue = Queue::<u32, 2>::new(hub, Order::Priority));
        play!(hub, |tasks| {
            let started = [1, 2, 3].map(|number| {
                start(tasks, async move {
                    assert_eq!(queue.get().await, Err(Error::ESHUTDOWN));
                    noted.borrow_mut().push(number);
                })
            });
            settle(hub).await;
            queue.close();
            // `test_shutdown_allowed_transitions`: closing again is no error.
            queue.close_now();
            queue.close();
            for task in started {
                task.await;
            }
        });
        assert_eq!(super::noted(noted), [1, 2, 3]);
    }
}
