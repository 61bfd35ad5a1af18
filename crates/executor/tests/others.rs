#![allow(unsafe_code, reason = "a hub in virtual time is made by C functions")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! Combinators and channels of others: they need nothing but the waker.

#[path = "../../sync/tests/support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

use futures_util::future::{Either, join, join3, select};
use pirn_executor::{Slots, Wakers, block_on, scope, sleep};

use support::{World, hub, ns};

#[test]
fn joined_futures_wait_side_by_side() {
    static MAIN: Wakers<1> = Wakers::new();
    let world = World::new();
    let hub = hub(&world);
    let world = &world;
    let ends = |delay| async move {
        sleep(hub, ns(delay)).await.expect("it is over");
        world.now()
    };
    let result = block_on(hub, &MAIN, async {
        let ((a, b), (c, d, e)) =
            join(join(ends(3), ends(1)), join3(ends(2), ends(2), ends(9))).await;
        [a, b, c, d, e]
    });
    assert_eq!(result, Ok([3, 1, 2, 2, 9]));
}

#[test]
fn the_first_of_two_is_selected_and_the_other_is_dropped() {
    static MAIN: Wakers<1> = Wakers::new();
    let world = World::new();
    let hub = hub(&world);
    let result = block_on(hub, &MAIN, async {
        let slow = pin!(sleep(hub, ns(50)));
        let quick = pin!(sleep(hub, ns(5)));
        match select(slow, quick).await {
            Either::Left(_) => panic!("the quick one is over first"),
            Either::Right((result, _slow)) => result,
        }
    });
    assert_eq!((result, world.now()), (Ok(Ok(())), 5));
    // Nothing waits for the slow one any more.
    world.run();
    assert_eq!(world.now(), 5);
}

/// A channel with room for one item, which knows nothing of loops.
#[derive(Default)]
struct Channel {
    item: Cell<Option<u32>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Channel {
    fn wake_all(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    async fn send(&self, item: u32) {
        poll_fn(|context| {
            if self.item.get().is_some() {
                self.waiting.borrow_mut().push(context.waker().clone());
                return Poll::Pending;
            }
            self.item.set(Some(item));
            self.wake_all();
            Poll::Ready(())
        })
        .await;
    }

    async fn receive(&self) -> u32 {
        poll_fn(|context| match self.item.take() {
            Some(item) => {
                self.wake_all();
                Poll::Ready(item)
            }
            None => {
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

#[test]
fn items_go_through_a_channel_that_knows_only_wakers() {
    static MAIN: Wakers<1> = Wakers::new();
    static SENDERS: Wakers<2> = Wakers::new();
    let world = World::new();
    let (hub, channel) = (hub(&world), Channel::default());
    let channel = &channel;
    let sum = scope(hub, &SENDERS, &mut Slots::new(), |tasks| {
        for from in [0, 100] {
            let task = tasks.spawn(async move {
                for item in from..from + 10 {
                    channel.send(item).await;
                }
            });
            task.unwrap_or_else(|_| panic!("there is room")).detach();
        }
        block_on(hub, &MAIN, async {
            let mut sum = 0;
            for _ in 0..20 {
                sum += channel.receive().await;
            }
            sum
        })
    });
    assert_eq!(sum, Ok(Ok(45 + 1045)));
}
