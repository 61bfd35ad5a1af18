//! Handles of one life of a loop, and of the next.

use pirn::{Config, Duration, Error, Interest, Io, Repeat, Storage, Task, Timer, When};

use crate::bench::{Bench, on_io, on_task, on_timer};
use crate::face::Whole;
use crate::world::World;

claims! {
    all:
        handles_of_a_loop_that_is_gone_are_stale
        same_seed_gives_the_same_handles;
    kernel: ;
    epoll: ;
    simulation: ;
}

type Memory = Storage<4, 4, 4>;
type Handles = (Io, Timer, Task);

fn open<'s, W: World>(world: &W, memory: &'s mut Memory, seed: u32) -> Whole<'s, W> {
    let config = Config {
        seed,
        ..Config::default()
    };
    Whole::open(world, memory.into(), config).expect("the backend opens")
}

/// The first handle of each kind.
fn handles<W: World>(event_loop: &mut Whole<'_, W>) -> Handles {
    let nothing = Interest::empty();
    (
        event_loop.raise_add(0, nothing, on_io::<W>, 0).unwrap(),
        event_loop
            .timer_start(When::After(Duration::ZERO), Repeat::Never, on_timer::<W>, 0)
            .unwrap(),
        event_loop.task_post(on_task::<W>, 0).unwrap(),
    )
}

fn are_stale<W: World>(event_loop: &mut Whole<'_, W>, handles: Handles) {
    let (io, timer, task) = handles;
    assert_eq!(event_loop.io_remove(io), Err(Error::ENOENT));
    assert_eq!(event_loop.timer_stop(timer), Err(Error::ENOENT));
    assert_eq!(event_loop.task_cancel(task), Err(Error::ENOENT));
}

/// In the same memory, in memory made again at the same address, and in other memory.
fn handles_of_a_loop_that_is_gone_are_stale<W: World>(b: &mut Bench<'_, W>) {
    let world = &b.context.world;
    let (mut memory, mut other) = (Memory::new(), Memory::new());
    let mut old = Vec::new();
    for life in 0..8 {
        world.sleep(Duration::from_nanos(1));
        if life % 2 == 0 {
            memory = Memory::new();
        }
        let memory = if life % 3 == 2 {
            &mut other
        } else {
            &mut memory
        };
        let mut event_loop = open(world, memory, 0);
        let new = handles(&mut event_loop);
        for &old in &old {
            are_stale(&mut event_loop, old);
        }
        old.push(new);
    }
}

fn same_seed_gives_the_same_handles<W: World>(b: &mut Bench<'_, W>) {
    let world = &b.context.world;
    let of_seed = |seed| {
        world.sleep(Duration::from_nanos(1));
        let mut memory = Memory::new();
        handles(&mut open(world, &mut memory, seed))
    };
    let first = of_seed(1);
    for seed in 2..100 {
        let other = of_seed(seed);
        assert!(first.0 != other.0 && first.1 != other.1 && first.2 != other.2);
    }
    assert_eq!(of_seed(1), first);
}
