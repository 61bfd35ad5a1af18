#![allow(unsafe_code, reason = "a hub in virtual time is made by C functions")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! The objects without `unsafe`: for tasks in virtual time, and for fibers.

#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::pirn::Error;
use pirn_executor::{Result, Slots, Wakers, block_on, scope, sleep, timeout};
use pirn_sync::{Barrier, Condition, Event, Mutex, Order, Queue, Rejected, Semaphore};

use support::{World, hub, ns, number};

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs futures side by side, until all have returned.
macro_rules! side_by_side {
    ($hub:expr, $($future:expr),* $(,)?) => {{
        static TASKS: Wakers<8> = Wakers::new();
        static MAIN: Wakers<1> = Wakers::new();
        let futures: Vec<Boxed<'_>> = vec![$(Box::pin($future)),*];
        let result = scope($hub, &TASKS, &mut Slots::new(), |tasks| {
            let started: Vec<_> = futures.into_iter().map(|future| tasks.spawn(future)).collect();
            block_on($hub, &MAIN, async {
                for task in started {
                    task.unwrap_or_else(|_| panic!("there is room")).await;
                }
            })
        });
        assert_eq!(result, Ok(Ok(())));
    }};
}

/// Polls a future once, with a waker that wakes nobody.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

// ---- event ----

#[test]
fn an_event_wakes_all_who_wait_and_stays_set() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let event = pin!(Event::new(hub));
    let event = event.as_ref();
    let waits = |name: &'static str| async move {
        assert_eq!(event.wait().await, Ok(()));
        world.log(format!("{name}@{}", world.now()));
    };
    side_by_side!(hub, waits("a"), waits("b"), async {
        assert_eq!(event.wait().try_now(), Err(Error::EAGAIN));
        sleep(hub, ns(5)).await.expect("it is over");
        event.set();
        // The waiters pass, though the event is clear again before they run.
        event.clear();
        sleep(hub, ns(5)).await.expect("it is over");
        assert_eq!(event.wait().within(ns(5)).await, Err(Error::ETIMEDOUT));
        event.set();
        assert!(event.is_set());
        assert_eq!(event.wait().await, Ok(()));
    });
    assert_eq!(world.events(), "a@5 b@5");
}

// ---- semaphore ----

#[test]
fn never_more_hold_a_semaphore_than_there_are_units() {
    let world = World::new();
    let hub = hub(&world);
    let rooms = pin!(Semaphore::bounded(hub, number(2)));
    let (rooms, inside, most) = (rooms.as_ref(), Cell::new(0), Cell::new(0));
    let sings = || async {
        let _room = rooms.acquire(1).await.expect("it comes");
        inside.set(inside.get() + 1);
        most.set(most.get().max(inside.get()));
        sleep(hub, ns(5)).await.expect("it is over");
        inside.set(inside.get() - 1);
    };
    side_by_side!(hub, sings(), sings(), sings(), sings(), sings());
    assert_eq!((most.get(), rooms.value(), world.now()), (2, 2, 15));
    assert_eq!(rooms.release(number(1)), Err(Error::EOVERFLOW));
    assert_eq!(rooms.acquire(3).try_now().err(), Some(Error::EINVAL));
    assert_eq!(rooms.acquire(0).try_now().err(), Some(Error::EINVAL));
}

#[test]
fn units_that_are_kept_are_released_by_others() {
    let world = World::new();
    let semaphore = pin!(Semaphore::new(hub(&world), 1));
    let semaphore = semaphore.as_ref();
    semaphore.acquire(1).try_now().expect("it is free").keep();
    assert_eq!(semaphore.acquire(1).try_now().err(), Some(Error::EAGAIN));
    assert_eq!(semaphore.release(number(3)), Ok(()));
    let both = semaphore.acquire(2).try_now().expect("they are free");
    assert_eq!(semaphore.value(), 1);
    drop(both);
    assert_eq!(semaphore.value(), 3);
}

/// A future that is dropped after the grant, and before it was polled for it.
#[test]
fn units_that_nobody_took_go_on() {
    let world = World::new();
    let semaphore = pin!(Semaphore::new(hub(&world), 0));
    let semaphore = semaphore.as_ref();
    for turns in 0..2 {
        let mut first = Box::pin(semaphore.acquire(1));
        let mut second = Box::pin(semaphore.acquire(1));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        assert_eq!(semaphore.release(number(1)), Ok(()));
        for _ in 0..turns {
            // Its waker has been called.
            world.turn();
        }
        assert!(poll_once(second.as_mut()).is_pending());
        drop(first);
        let Poll::Ready(Ok(permit)) = poll_once(second.as_mut()) else {
            panic!("it is the second's now");
        };
        permit.keep();
        assert_eq!(semaphore.value(), 0);
    }
    world.turn();
}

// ---- mutex ----

#[test]
fn a_mutex_is_handed_over_in_order() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let mutex = pin!(Mutex::new(hub, String::new()));
    let mutex = mutex.as_ref();
    let writes = |name: char| async move {
        let mut text = mutex.lock().await.expect("it comes");
        text.push(name);
        sleep(hub, ns(1)).await.expect("it is over");
        text.push(name);
    };
    side_by_side!(hub, writes('a'), writes('b'), writes('c'), async {
        assert!(mutex.is_locked());
        assert_eq!(mutex.lock().try_now().err(), Some(Error::EAGAIN));
        let refused = mutex.lock().within(ns(2)).await;
        assert_eq!(refused.err(), Some(Error::ETIMEDOUT));
    });
    let text = mutex.lock().try_now().expect("nobody has it");
    assert_eq!(*text, "aabbcc");
    assert_eq!(world.now(), 3);
}

// ---- condition ----

#[test]
fn a_condition_wakes_as_many_as_are_notified_and_they_have_the_lock() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let mutex = pin!(Mutex::new(hub, 0));
    let condition = pin!(Condition::new(hub));
    let (mutex, condition) = (mutex.as_ref(), condition.as_ref());
    let waits = |name: &'static str| async move {
        let guard = mutex.lock().await.expect("it comes");
        let mut guard = condition.wait(guard).await.expect("nobody cancels");
        *guard += 1;
        world.log(format!("{name}{}@{}", *guard, world.now()));
        sleep(hub, ns(1)).await.expect("it is over");
    };
    side_by_side!(hub, waits("a"), waits("b"), waits("c"), async {
        sleep(hub, ns(5)).await.expect("it is over");
        assert_eq!(condition.notify(1), 1);
        sleep(hub, ns(5)).await.expect("it is over");
        assert_eq!(condition.notify_all(), 2);
        assert_eq!(condition.notify(1), 0);
    });
    assert_eq!(world.events(), "a1@5 b2@10 c3@11");
}

/// cpython 112201: it was notified, and leaves while it waits for the lock.
#[test]
fn a_notification_is_passed_on_if_its_task_leaves_while_it_waits_for_the_lock() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let mutex = pin!(Mutex::new(hub, ()));
    let condition = pin!(Condition::new(hub));
    let (mutex, condition) = (mutex.as_ref(), condition.as_ref());
    let waits = |name: &'static str, limit: u64| async move {
        let guard = mutex.lock().await.expect("it comes");
        let result = timeout(hub, ns(limit), condition.wait(guard)).await;
        world.log(format!("{name} {}@{}", result.is_ok(), world.now()));
    };
    side_by_side!(hub, waits("a", 10), waits("b", 1000), async {
        sleep(hub, ns(5)).await.expect("it is over");
        let guard = mutex.lock().await.expect("it comes");
        assert_eq!(condition.notify(1), 1);
        // The first is gone when the lock is free.
        sleep(hub, ns(10)).await.expect("it is over");
        drop(guard);
    });
    assert_eq!(world.events(), "a false@10 b true@15");
}

// ---- barrier ----

#[test]
fn a_barrier_lets_all_pass_together_and_breaks_when_one_leaves() {
    let world = World::new();
    let (hub, world) = (hub(&world), &*world);
    let barrier = pin!(Barrier::new(hub, number(3)));
    let barrier = barrier.as_ref();
    let arrives = |time: u64| async move {
        sleep(hub, ns(time)).await.expect("it is over");
        let first = barrier.wait().await;
        world.log(format!("{first:?}@{}", world.now()));
        assert!(barrier.wait().within(ns(time)).await.is_err());
    };
    side_by_side!(hub, arrives(1), arrives(2), async {
        sleep(hub, ns(7)).await.expect("it is over");
        assert_eq!(barrier.arrived(), 2);
        assert_eq!(barrier.wait().await, Ok(2));
    });
    assert_eq!(world.events(), "Ok(0)@7 Ok(1)@7");
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait().try_now(), Err(Error::EPIPE));
    barrier.reset();
    assert_eq!(barrier.wait().try_now(), Err(Error::EAGAIN));
}

// ---- queue ----

#[test]
fn items_come_out_in_the_order_of_the_queue() {
    let world = World::new();
    let hub = hub(&world);
    for (order, expected) in [
        (Order::Fifo, ["c", "a", "b"]),
        (Order::Lifo, ["b", "a", "c"]),
        (Order::Priority, ["a", "b", "c"]),
    ] {
        let queue = pin!(Queue::<_, 3>::new(hub, order));
        let queue = queue.as_ref();
        for (key, item) in [(3, "c"), (-1, "a"), (2, "b")] {
            queue
                .put_with(key, item.to_owned())
                .try_now()
                .expect("there is room");
        }
        assert_eq!(queue.size(), 3);
        let Err(Rejected { item, error }) = queue.put("d".to_owned()).try_now() else {
            panic!("there is no room");
        };
        assert_eq!((&*item, error), ("d", Error::EAGAIN));
        for item in expected {
            assert_eq!(queue.get().try_now().as_deref(), Ok(item));
        }
        assert_eq!(queue.get().try_now().err(), Some(Error::EAGAIN));
    }
}

#[test]
fn producers_and_consumers_wait_for_one_another() {
    let world = World::new();
    let hub = hub(&world);
    let queue = pin!(Queue::<Box<u32>, 2>::new(hub, Order::Fifo));
    let (queue, sum) = (queue.as_ref(), Cell::new(0));
    let produces = |from: u32| async move {
        for item in from..from + 10 {
            queue.put(Box::new(item)).await.expect("it is open");
        }
    };
    let consumes = || async {
        while let Ok(item) = queue.get().await {
            sleep(hub, ns(1)).await.expect("it is over");
            sum.set(sum.get() + *item);
            queue.done().expect("it was put");
        }
    };
    side_by_side!(
        hub,
        produces(0),
        produces(100),
        consumes(),
        consumes(),
        async {
            sleep(hub, ns(1)).await.expect("it is over");
            assert_eq!(queue.join().within(ns(1)).await, Err(Error::ETIMEDOUT));
            assert_eq!(queue.join().await, Ok(()));
            queue.close();
            let rejected = queue.put(Box::new(7)).await;
            let error = rejected.map_err(|rejected| (*rejected.item, rejected.error));
            assert_eq!(error, Err((7, Error::ESHUTDOWN)));
        }
    );
    assert_eq!(sum.get(), 45 + 1045);
}

/// Each item is dropped exactly once, whatever becomes of the waiters.
#[test]
fn items_are_neither_lost_nor_dropped_twice() {
    let world = World::new();
    let hub = hub(&world);
    let item = Rc::new(());
    {
        let queue = pin!(Queue::<Rc<()>, 1>::new(hub, Order::Fifo));
        let queue = queue.as_ref();
        queue.put(item.clone()).try_now().expect("there is room");
        // It waits, and is dropped.
        let mut put = Box::pin(queue.put(item.clone()));
        assert!(poll_once(put.as_mut()).is_pending());
        assert_eq!(Rc::strong_count(&item), 3);
        drop(put);
        assert_eq!(Rc::strong_count(&item), 2);
        // It has put, and is dropped before it knows.
        for turns in 0..2 {
            let mut put = Box::pin(queue.put(item.clone()));
            assert!(poll_once(put.as_mut()).is_pending());
            drop(queue.get().try_now().expect("there is one"));
            for _ in 0..turns {
                world.turn();
            }
            drop(put);
            assert_eq!((Rc::strong_count(&item), queue.size()), (2, 1));
        }
        // It was promised an item, and is dropped before it takes it.
        drop(queue.get().try_now().expect("there is one"));
        for turns in 0..2 {
            let mut get = Box::pin(queue.get());
            assert!(poll_once(get.as_mut()).is_pending());
            queue.put(item.clone()).try_now().expect("there is room");
            for _ in 0..turns {
                world.turn();
            }
            assert_eq!(queue.size(), 0);
            drop(get);
            assert_eq!((Rc::strong_count(&item), queue.size()), (2, 1));
            drop(queue.get().try_now().expect("there is one"));
        }
        // One is left.
        queue.put(item.clone()).try_now().expect("there is room");
        // Never polled.
        drop(queue.put(item.clone()));
        world.turn();
    }
    assert_eq!(Rc::strong_count(&item), 1);
}

/// An item that looks at its queue when it is dropped.
struct Nosy<'a>(&'a RefCell<Vec<usize>>, &'a dyn Fn() -> usize);

impl Drop for Nosy<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push((self.1)());
    }
}

#[test]
fn a_queue_that_is_closed_now_is_emptied_and_its_items_are_done() {
    let world = World::new();
    let hub = hub(&world);
    let (sizes, size) = (RefCell::new(Vec::new()), || 7);
    let queue = pin!(Queue::<Nosy<'_>, 3>::new(hub, Order::Lifo));
    let queue = queue.as_ref();
    let mut promised = Box::pin(queue.get());
    assert!(poll_once(promised.as_mut()).is_pending());
    for _ in 0..3 {
        let put = queue.put(Nosy(&sizes, &size)).try_now();
        assert!(put.is_ok(), "there is room");
    }
    let mut join = Box::pin(queue.join());
    assert!(poll_once(join.as_mut()).is_pending());
    queue.close_now();
    assert_eq!(*sizes.borrow(), [7, 7, 7]);
    assert_eq!(poll_once(join.as_mut()), Poll::Ready(Ok(())));
    let Poll::Ready(result) = poll_once(promised.as_mut()) else {
        panic!("the queue is closed");
    };
    assert_eq!(result.err(), Some(Error::ESHUTDOWN));
    world.turn();
}

// ---- objects that end ----

/// A future whose memory stays, but that is never polled or dropped again, as if it were leaked.
#[test]
fn objects_end_while_forgotten_futures_wait_for_them() {
    let world = World::new();
    let hub = hub(&world);
    let mut forgotten: Vec<Box<dyn FnOnce()>> = Vec::new();
    {
        let event = pin!(Event::new(hub));
        let semaphore = pin!(Semaphore::new(hub, 0));
        let mutex = pin!(Mutex::new(hub, 7));
        let condition = pin!(Condition::new(hub));
        let barrier = pin!(Barrier::new(hub, number(3)));
        let queue = pin!(Queue::<u32, 1>::new(hub, Order::Fifo));
        let _guard = mutex.as_ref().lock().try_now().expect("it is free");
        macro_rules! forget {
            ($($wait:expr),*) => {$(
                let wait = Box::into_raw(Box::new($wait));
                let wait = unsafe { &mut *wait };
                // In the heap of deadlines too.
                let polled = poll_once(unsafe { Pin::new_unchecked(&mut *wait) });
                assert!(polled.is_pending());
                let address = (&raw mut *wait).expose_provenance();
                let size = std::alloc::Layout::for_value(wait);
                forgotten.push(Box::new(move || {
                    let memory = std::ptr::with_exposed_provenance_mut::<u8>(address);
                    unsafe { std::alloc::dealloc(memory, size) };
                }));
            )*};
        }
        forget!(
            event.as_ref().wait().within(ns(3)),
            semaphore.as_ref().acquire(1).within(ns(3)),
            mutex.as_ref().lock().within(ns(3)),
            condition.as_ref().notified().within(ns(3)),
            barrier.as_ref().wait().within(ns(3)),
            queue.as_ref().get().within(ns(3))
        );
    }
    support::pass(5);
    // Nobody touches what is gone.
    world.turn();
    world.turn();
    for free in forgotten {
        free();
    }
    // The loop cannot end properly, because it counts its waiters. Kept here, it is no leak.
    static KEPT: AtomicPtr<Rc<World>> = AtomicPtr::new(std::ptr::null_mut());
    KEPT.store(Box::into_raw(Box::new(world)), Ordering::Relaxed);
}

// ---- fibers ----

#[test]
#[cfg_attr(miri, ignore = "switches stacks")]
fn fibers_and_tasks_wait_for_the_same_objects() {
    static TASK: Wakers<1> = Wakers::new();
    const MILLISECOND: Duration = Duration::from_millis(1);
    let capacity = pirn_fiber::Capacity {
        io: 4,
        timers: 2,
        tasks: 4,
    };
    let mut stack = vec![0; 65536];
    let written = RefCell::new(Vec::new());
    let result: Result<()> = pirn_fiber::run(&mut [0; 1024], capacity, |hub| {
        let queue = pin!(Queue::<u32, 1>::new(hub, Order::Fifo));
        let ready = pin!(Event::new(hub));
        let (queue, ready, written) = (queue.as_ref(), ready.as_ref(), &written);
        scope(hub, &TASK, &mut Slots::new(), |tasks| {
            let task = tasks.spawn(async {
                ready.wait().await.expect("it is set");
                while let Ok(item) = queue.get().await {
                    written.borrow_mut().push(item);
                    sleep(hub, MILLISECOND).await.expect("it is over");
                }
            });
            task.unwrap_or_else(|_| panic!("there is room")).detach();
            hub.scope(|fibers| {
                let body = || {
                    for item in 0..5 {
                        hub.wait(queue.put(item), None).expect("it is open");
                    }
                    queue.close();
                };
                fibers
                    .spawn(&mut stack, body)
                    .expect("the stack is large enough");
                ready.set();
            });
            // The program itself.
            let limit = MILLISECOND;
            let error = hub
                .wait(queue.put(7), Some(limit))
                .expect_err("it is closed")
                .error;
            assert_eq!(error, Error::ESHUTDOWN);
            ready.clear();
            assert_eq!(hub.wait(ready.wait(), Some(limit)), Err(Error::ETIMEDOUT));
            assert_eq!(
                hub.wait(ready.wait().within(limit), None),
                Err(Error::ETIMEDOUT)
            );
            let slept = hub.wait(sleep(hub, MILLISECOND * 20), None);
            assert_eq!(slept, Ok(()));
        })
    })
    .expect("there is room");
    assert_eq!(result, Ok(()));
    assert_eq!(written.into_inner(), [0, 1, 2, 3, 4]);
}

#[test]
#[cfg_attr(miri, ignore = "switches stacks")]
fn a_fiber_that_is_cancelled_leaves_the_list() {
    let capacity = pirn_fiber::Capacity {
        io: 4,
        timers: 2,
        tasks: 4,
    };
    let mut stacks = [vec![0; 65536], vec![0; 65536]];
    let ended = Cell::new((Ok(()), Ok(())));
    pirn_fiber::run(&mut [0; 1024], capacity, |hub| {
        let mutex = pin!(Mutex::new(hub, 0));
        let mutex = mutex.as_ref();
        hub.scope(|fibers| {
            let guard = mutex.lock().try_now().expect("it is free");
            let [first, second] = &mut stacks;
            let ended = &ended;
            let first = fibers.spawn(first, move || {
                let result = hub.wait(mutex.lock(), None).map(|_| ());
                ended.set((result, ended.get().1));
            });
            fibers
                .spawn(second, move || {
                    let result = hub.wait(mutex.lock(), None).map(|_| ());
                    ended.set((ended.get().0, result));
                })
                .expect("the stack is large enough");
            hub.sleep(Duration::from_millis(1)).expect("it is over");
            first.expect("the stack is large enough").cancel();
            hub.sleep(Duration::from_millis(1)).expect("it is over");
            drop(guard);
        });
        assert!(!mutex.is_locked());
    })
    .expect("there is room");
    assert_eq!(ended.get(), (Err(Error::ECANCELED), Ok(())));
}

#[test]
#[cfg_attr(miri, ignore = "switches stacks")]
fn an_object_of_another_loop_is_refused() {
    let world = World::new();
    let event = pin!(Event::new(hub(&world)));
    let event = event.as_ref();
    let capacity = pirn_fiber::Capacity {
        io: 4,
        timers: 2,
        tasks: 4,
    };
    let result = pirn_fiber::run(&mut [0; 1024], capacity, |hub| hub.wait(event.wait(), None));
    assert_eq!(result, Ok(Err(Error::EINVAL)));
}

#[test]
fn a_wait_panics_if_it_is_polled_after_its_end() {
    let world = World::new();
    let event = pin!(Event::new(hub(&world)));
    event.as_ref().set();
    let mut wait = Box::pin(event.as_ref().wait());
    assert_eq!(poll_once(wait.as_mut()), Poll::Ready(Ok(())));
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        poll_once(wait.as_mut()).is_ready()
    }));
    assert!(again.is_err());
}

/// A task that waits for two things at once takes the first, and leaves the other to others.
#[test]
fn a_wait_that_was_not_taken_because_another_came_first_loses_nothing() {
    let world = World::new();
    let hub = hub(&world);
    let queue = pin!(Queue::<u32, 1>::new(hub, Order::Fifo));
    let event = pin!(Event::new(hub));
    let (queue, event) = (queue.as_ref(), event.as_ref());
    side_by_side!(
        hub,
        async {
            {
                let mut get = pin!(queue.get());
                let mut set = pin!(event.wait());
                poll_fn(|context| {
                    let is_set = set.as_mut().poll(context).is_ready();
                    let has_item = get.as_mut().poll(context).is_ready();
                    assert!(!has_item, "the event comes first");
                    if is_set {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            }
            assert_eq!(queue.get().await, Ok(5));
        },
        async {
            sleep(hub, ns(1)).await.expect("it is over");
            event.set();
            sleep(hub, ns(1)).await.expect("it is over");
            queue.put(5).await.expect("it is open");
        }
    );
}
