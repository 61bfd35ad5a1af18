//! What `workloads/fibers/switch.h` and `handover.h` measure of fibers, by tasks: futures in Rust.

use std::cell::Cell;
use std::pin::{Pin, pin};

use pirn_executor::{Capacity, Hub, Slots, Wakers, block_on, run, scope, yield_now};
use pirn_sync::{Order, Queue};

/// The harness, which measures what is between `begin` and `end`.
#[repr(C)]
pub struct Rounds {
    goes_on: extern "C" fn() -> bool,
    begin: extern "C" fn(),
    end: extern "C" fn(operations: u64),
}

/// Operations of one round.
const COUNT: u64 = 1000;

static MAIN: Wakers<1> = Wakers::new();
static OTHER: Wakers<1> = Wakers::new();

/// Runs two futures as tasks of one loop, until both have returned.
fn together(hub: &Hub, main: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    scope(hub, &OTHER, &mut Slots::new(), |tasks| {
        let other = tasks.spawn(other).unwrap_or_else(|_| panic!("full"));
        block_on(hub, &MAIN, main).unwrap();
        block_on(hub, &MAIN, other).unwrap();
    })
    .unwrap();
}

fn with_hub(program: impl FnOnce(&Hub)) {
    let capacity = Capacity {
        io: 8,
        timers: 8,
        tasks: 8,
    };
    run(&mut vec![0; 8192], capacity, program).unwrap();
}

/// Of two tasks each yields to the other.
#[unsafe(no_mangle)]
extern "C" fn pirn_tasks_yield(rounds: &Rounds) {
    with_hub(|hub| {
        let (stops, turns) = (Cell::new(false), Cell::new(0));
        let other = async {
            while !stops.get() {
                turns.set(turns.get() + 1);
                yield_now(hub).await.unwrap();
            }
        };
        let main = async {
            while (rounds.goes_on)() {
                let before = turns.get();
                (rounds.begin)();
                for _ in 0..COUNT {
                    yield_now(hub).await.unwrap();
                }
                (rounds.end)(2 * COUNT);
                assert_eq!(turns.get() - before, COUNT);
            }
            stops.set(true);
        };
        together(hub, main, other);
    });
}

/// Items from one task to another, through a queue of `capacity` places: 1 or 16.
#[unsafe(no_mangle)]
extern "C" fn pirn_tasks_handover(rounds: &Rounds, capacity: u32) {
    with_hub(|hub| match capacity {
        1 => handover(hub, rounds, pin!(Queue::<u64, 1>::new(hub, Order::Fifo)).as_ref()),
        _ => handover(hub, rounds, pin!(Queue::<u64, 16>::new(hub, Order::Fifo)).as_ref()),
    });
}

fn handover<const N: usize>(hub: &Hub, rounds: &Rounds, queue: Pin<&Queue<'_, u64, N>>) {
    let answers = pin!(Queue::<u64, 1>::new(hub, Order::Fifo));
    let answers = answers.as_ref();
    // Gets the items, which are numbers in a row, until the queue is closed.
    let consumer = async {
        let mut expected = 1;
        while let Ok(item) = queue.get().await {
            assert_eq!(item, expected);
            expected += 1;
            if item % COUNT == 0 {
                answers.put(item).await.unwrap();
            }
        }
    };
    let main = async {
        let mut item = 0;
        while (rounds.goes_on)() {
            (rounds.begin)();
            for _ in 0..COUNT {
                item += 1;
                queue.put(item).await.unwrap();
            }
            let got = answers.get().await.unwrap();
            (rounds.end)(COUNT);
            assert_eq!(got, item);
        }
        queue.close();
    };
    together(hub, main, consumer);
}
