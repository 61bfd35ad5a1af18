//! The order of the calls in a turn, and limited turns.

use pirn::{Duration, Instant, Interest, Limit, Ready, Repeat, When};

use crate::bench::{Bench, on_io};
use crate::world::World;

const READ: Interest = Interest::READ;
const ONCE: Repeat = Repeat::Never;

claims! {
    all:
        timers_then_raised_then_io_then_tasks_then_remote
        priorities_order_io_and_raised
        priority_added_between_wait_and_dispatch_calls_nobody_twice
        priority_added_in_a_callback_calls_nobody_twice
        limited_turn_serves_everything_once_before_anything_twice
        leftovers_are_served_without_another_wait
        limited_turn_keeps_the_order
        what_joins_a_cut_turn_waits_for_the_next
        removed_leftovers_are_skipped
        leftover_of_a_paused_watcher_is_forgotten
        always_ready_fds_take_turns_under_a_limit
        limit_lifted_in_a_callback_is_for_the_next_dispatch
        shortest_time_limit_makes_progress
        turn_that_is_not_to_wait_does_not;
    called:
        limit_set_in_a_callback_is_for_the_next_dispatch
        time_limit_ends_a_turn_after_a_slow_callback;
    kernel: ;
    epoll: ;
    simulation: ;
}

/// A watcher, a raised bit, a timer, a task and a post, each ready.
fn one_of_each<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let remote = b.event_loop.remote();
    let user = b.context.name("remote");
    remote.post(crate::bench::on_task::<W>, user).unwrap();
    b.task("task");
    b.io("io", reader, READ);
    b.raise_handler("raised", 9, Interest::empty());
    remote.raise(9).unwrap();
    b.timer("timer", When::At(Instant::from_nanos(0)), ONCE);
}

fn timers_then_raised_then_io_then_tasks_then_remote<W: World>(b: &mut Bench<'_, W>) {
    one_of_each(b);
    assert_eq!(b.turn(), ["timer", "raised R", "io R", "task", "remote"]);
    assert_eq!(b.turn(), ["io R"]);
}

/// Priorities are strict, and each is served in every turn.
fn priorities_order_io_and_raised<W: World>(b: &mut Bench<'_, W>) {
    one_of_each(b);
    for (name, option) in [("low", Interest::LOW), ("high", Interest::HIGH)] {
        let (reader, _writer) = b.ready_pipe();
        b.io(name, reader, READ | option);
    }
    for (name, bit, option) in [
        ("raised low", 1, Interest::LOW),
        ("raised high", 60, Interest::HIGH),
    ] {
        b.raise_handler(name, bit, option);
        b.event_loop.remote().raise(bit).unwrap();
    }
    let expected = [
        "timer",
        "raised high R",
        "high R",
        "raised R",
        "io R",
        "raised low R",
        "low R",
        "task",
        "remote",
    ];
    assert_eq!(b.turn(), expected);
    assert_eq!(b.turn(), ["high R", "io R", "low R"]);
}

fn priority_added_between_wait_and_dispatch_calls_nobody_twice<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let (idle, _idle_writer) = b.pipe();
    b.io("io", reader, READ);
    let timeout = b.event_loop.prepare(Duration::ZERO).unwrap();
    b.event_loop.wait(timeout).unwrap();
    b.io("high", idle, READ | Interest::HIGH);
    b.dispatch().unwrap();
    assert_eq!(b.context.log, ["io R"]);
}

fn priority_added_in_a_callback_calls_nobody_twice<W: World>(b: &mut Bench<'_, W>) {
    let (idle, _idle_writer) = b.pipe();
    for name in ["a", "b"] {
        let (reader, _writer) = b.ready_pipe();
        b.io_then(name, reader, READ, move |event_loop, context| {
            let user = context.name("late");
            event_loop
                .io_add(idle, READ | Interest::LOW, on_io::<W>, user)
                .unwrap();
            event_loop
                .io_add(idle, READ | Interest::HIGH, on_io::<W>, user)
                .unwrap();
        });
    }
    assert_eq!(b.turn_sorted(), ["a R", "b R"]);
}

/// T24, T105.
fn limited_turn_serves_everything_once_before_anything_twice<W: World>(b: &mut Bench<'_, W>) {
    for name in ["a", "b", "c", "d", "e"] {
        let (reader, _writer) = b.ready_pipe();
        b.io(name, reader, READ);
    }
    for limit in [1, 2, 3, 4, 7] {
        b.limit(limit);
        for _ in 0..4 {
            let mut served = Vec::new();
            while served.len() < 5 {
                let called = b.turn();
                assert!(called.len() <= limit as usize);
                served.extend(called);
            }
            served.sort();
            assert_eq!(served, ["a R", "b R", "c R", "d R", "e R"], "limit {limit}");
        }
        // A turn that was interrupted at its very end is completed here.
        b.limit(0);
        if 5 % limit == 0 {
            assert_eq!(b.turn(), [""; 0]);
        }
    }
}

fn leftovers_are_served_without_another_wait<W: World>(b: &mut Bench<'_, W>) {
    one_of_each(b);
    b.limit(2);
    let before = b.event_loop.stats();
    assert_eq!(b.turn(), ["timer", "raised R"]);
    assert_eq!(b.turn_for(Duration::FOREVER), ["io R", "task"]);
    assert_eq!(b.turn_for(Duration::FOREVER), ["remote"]);
    let after = b.event_loop.stats();
    assert_eq!(after.waits - before.waits, 1);
    assert_eq!(after.callbacks - before.callbacks, 5);
}

fn limited_turn_keeps_the_order<W: World>(b: &mut Bench<'_, W>) {
    one_of_each(b);
    b.limit(1);
    let mut served = Vec::new();
    for _ in 0..5 {
        served.extend(b.turn());
    }
    assert_eq!(served, ["timer", "raised R", "io R", "task", "remote"]);
}

fn what_joins_a_cut_turn_waits_for_the_next<W: World>(b: &mut Bench<'_, W>) {
    one_of_each(b);
    b.limit(1);
    assert_eq!(b.turn(), ["timer"]);
    let (reader, _writer) = b.ready_pipe();
    b.io("late io", reader, READ);
    b.timer("late timer", When::At(Instant::from_nanos(0)), ONCE);
    b.task("late task");
    let mut served = Vec::new();
    for _ in 0..4 {
        served.extend(b.turn());
    }
    assert_eq!(served, ["raised R", "io R", "task", "remote"]);
    b.limit(0);
    let mut called = b.turn();
    if called.is_empty() {
        called = b.turn();
    }
    assert_eq!(called.remove(0), "late timer");
    assert_eq!(called.pop().unwrap(), "late task");
    called.sort();
    assert_eq!(called, ["io R", "late io R"]);
}

/// T32, between turns.
fn removed_leftovers_are_skipped<W: World>(b: &mut Bench<'_, W>) {
    let mut readers = Vec::new();
    for name in ["a", "b", "c"] {
        let (reader, _writer) = b.ready_pipe();
        readers.push((name, reader));
        b.io(name, reader, READ);
    }
    b.limit(1);
    let first = b.turn();
    let rest: Vec<_> = readers
        .iter()
        .filter(|(name, _)| !first[0].starts_with(name))
        .collect();
    let (removed, kept) = (rest[0], rest[1]);
    let io = b.context.io(removed.0);
    b.event_loop.io_remove(io).unwrap();
    // Again under the same number, ready as before.
    b.io("again", removed.1, READ);
    assert_eq!(b.turn(), [format!("{} R", kept.0)]);
}

/// Readiness that was found for a watcher that is then paused is not reported in a later turn.
fn leftover_of_a_paused_watcher_is_forgotten<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    let (idle, _writer) = b.pipe();
    b.context.world.write(other, 1);
    let io = b.io("one", one, READ);
    b.io("low", idle, READ | Interest::LOW);
    b.timer("timer", When::At(Instant::from_nanos(0)), ONCE);
    b.limit(1);
    assert_eq!(b.turn(), ["timer"]);
    b.event_loop.io_modify(io, Interest::empty()).unwrap();
    b.limit(0);
    assert_eq!(b.turn(), [""; 0]);
    b.context.world.read(one, 1);
    b.event_loop.io_modify(io, READ | Interest::WRITE).unwrap();
    assert_eq!(b.turn(), ["one W"]);
}

/// T24.
fn always_ready_fds_take_turns_under_a_limit<W: World>(b: &mut Bench<'_, W>) {
    let names = ["a", "b", "c", "d"];
    for name in names {
        let (one, _other) = b.pair();
        b.io(name, one, Interest::WRITE);
    }
    b.limit(1);
    let mut counts = [0; 4];
    for _ in 0..60 {
        for called in b.turn() {
            counts[names
                .iter()
                .position(|name| called.starts_with(name))
                .unwrap()] += 1;
        }
    }
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least >= 10 && most - least <= 1, "{counts:?}");
}

/// Promise 9: `set_limit` too can be called anywhere.
fn limit_set_in_a_callback_is_for_the_next_dispatch<W: World>(b: &mut Bench<'_, W>) {
    b.task_then("a", |event_loop, _| {
        event_loop.set_limit(Limit {
            callbacks: 1,
            time: Duration::ZERO,
        })
    });
    b.task("b");
    b.task("c");
    assert_eq!(b.turn(), ["a", "b", "c"]);
    assert_eq!(b.event_loop.stats().callbacks, 3);
    b.task("d");
    b.task("e");
    assert_eq!(b.turn(), ["d"]);
}

fn limit_lifted_in_a_callback_is_for_the_next_dispatch<W: World>(b: &mut Bench<'_, W>) {
    b.limit(2);
    b.task_then("a", |event_loop, _| event_loop.set_limit(Limit::default()));
    for name in ["b", "c", "d"] {
        b.task(name);
    }
    assert_eq!(b.turn(), ["a", "b"]);
    assert_eq!(b.turn(), ["c", "d"]);
    assert_eq!(b.event_loop.stats().callbacks, 4);
}

/// T48.
fn time_limit_ends_a_turn_after_a_slow_callback<W: World>(b: &mut Bench<'_, W>) {
    b.set_limit(Limit {
        callbacks: 0,
        time: Duration::from_secs(1),
    });
    b.task_then("slow", |_, context| {
        context.world.sleep(Duration::from_millis(5))
    });
    b.task("quick");
    assert_eq!(b.turn(), ["slow", "quick"]);
    b.set_limit(Limit {
        callbacks: 0,
        time: Duration::from_millis(2),
    });
    b.task_then("slow", |_, context| {
        context.world.sleep(Duration::from_millis(5))
    });
    b.task("left over");
    assert_eq!(b.turn(), ["slow"]);
    assert_eq!(b.turn_for(Duration::FOREVER), ["left over"]);
}

/// I6: a turn that has something to do does something.
fn shortest_time_limit_makes_progress<W: World>(b: &mut Bench<'_, W>) {
    b.set_limit(Limit {
        callbacks: 0,
        time: Duration::from_nanos(1),
    });
    for _ in 0..10 {
        b.task("task");
        let mut turns = 0;
        while b.turn().is_empty() {
            turns += 1;
            assert!(turns < 3, "nothing is ever called");
        }
    }
}

/// T132.
fn turn_that_is_not_to_wait_does_not<W: World>(b: &mut Bench<'_, W>) {
    let start = b.context.world.now();
    b.timer("far", When::After(Duration::from_secs(3600)), ONCE);
    let (reader, _writer) = b.pipe();
    let io = b.io("io", reader, READ);
    b.assert_silent();
    assert!(b.context.world.now() - start < Duration::from_secs(1));
    b.event_loop.io_feed(io, Ready::READ).unwrap();
    assert_eq!(b.turn_for(Duration::FOREVER), ["io R"]);
}
