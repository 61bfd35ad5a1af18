//! A callback panics, and the application catches it: what was left is served once, by the next
//! turns.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pirn::{Duration, Instant, Interest, Limit, Repeat, When};

use crate::bench::{Bench, Context, Lp, on_task};
use crate::os;
use crate::world::{Epoll, World};

const READ: Interest = Interest::READ;

/// The three posts of a test are one batch, as the mailbox has 32 places.
type Memory = pirn::Storage<8, 8, 64>;

claims! {
    all: ;
    rust:
        what_a_panic_left_is_served_once
        what_a_panic_left_is_within_the_limit
        loop_that_times_its_callbacks_serves_what_a_panic_left;
    kernel: ;
    epoll:
        edges_that_a_panic_left_are_served
        pollable_fd_tells_of_what_a_panic_left;
    simulation: ;
}

fn panics<W: World>(_: &mut Lp<'_, '_, W>, _: &mut Context<W>) {
    panic!("on purpose");
}

/// A turn out of which a callback panics.
fn panicking_turn<W: World>(b: &mut Bench<'_, W>) {
    let turn = AssertUnwindSafe(|| b.event_loop.turn(Duration::ZERO, &mut b.context));
    assert!(catch_unwind(turn).is_err(), "a callback panics");
    b.event_loop.verify().expect("sound after a panic");
}

/// Three of each kind, all ready once. The second that is called of `kind` panics.
fn arrange<W: World>(b: &mut Bench<'_, W>, kind: &str) {
    let remote = b.event_loop.remote();
    for (number, name) in ["first", "second", "third"].into_iter().enumerate() {
        let user = |b: &mut Bench<'_, W>, of: &str| {
            if of == kind && number == 1 {
                b.context.name_then(name, panics::<W>)
            } else {
                b.context.name(name)
            }
        };
        let (reader, _writer) = b.ready_pipe();
        let io = user(b, "io");
        b.add(name, reader, READ | Interest::ONESHOT, io);
        let timer = user(b, "timer");
        b.start(
            name,
            When::At(Instant::from_nanos(number as u64)),
            Repeat::Never,
            timer,
        );
        let raised = user(b, "raised");
        b.handle(name, number as u32, Interest::empty(), raised);
        remote.raise(number as u32).unwrap();
        let task = user(b, "task");
        b.post(name, task);
        let post = user(b, "remote");
        remote.post(on_task::<W>, post).unwrap();
    }
}

const KINDS: [&str; 5] = ["timer", "raised", "io", "task", "remote"];

fn what_a_panic_left_is_served_once<W: World>(_: &mut Bench<'_, W>) {
    for kind in KINDS {
        let mut storage = Memory::new();
        let mut b = Bench::<W>::new(&mut storage);
        arrange(&mut b, kind);
        panicking_turn(&mut b);
        let before = b.context.log.len() as u32;
        // All of the rest comes in one turn: it is the same turn, continued.
        let rest = b.event_loop.turn(Duration::ZERO, &mut b.context).unwrap();
        assert_eq!(before + rest, 15, "{kind}: {:?}", b.context.log);
        for name in ["first", "second", "third"] {
            let calls = b.context.log.iter().filter(|call| call.starts_with(name));
            assert_eq!(calls.count(), 5, "{kind}: {:?}", b.context.log);
        }
        assert_eq!(b.event_loop.stats().callbacks, 15);
        b.assert_silent();
        b.assert_sleeps();
    }
}

fn what_a_panic_left_is_within_the_limit<W: World>(_: &mut Bench<'_, W>) {
    for kind in KINDS {
        let mut storage = Memory::new();
        let mut b = Bench::<W>::new(&mut storage);
        b.event_loop.set_limit(Limit {
            callbacks: 4,
            time: Duration::ZERO,
        });
        arrange(&mut b, kind);
        let mut panics = 0;
        for _ in 0..6 {
            let before = b.context.log.len();
            let turn = AssertUnwindSafe(|| b.event_loop.turn(Duration::ZERO, &mut b.context));
            let result = catch_unwind(turn);
            let called = b.context.log.len() - before;
            match result {
                Ok(counted) => assert_eq!(counted, Ok(called as u32), "{kind}"),
                Err(_) => panics += 1,
            }
            assert!(called <= 4, "{kind}: {called}");
            b.event_loop.verify().unwrap();
        }
        assert_eq!((panics, b.context.log.len()), (1, 15), "{kind}");
    }
}

fn loop_that_times_its_callbacks_serves_what_a_panic_left<W: World>(_: &mut Bench<'_, W>) {
    for kind in KINDS {
        let mut storage = Memory::new();
        let mut b = Bench::<W>::make((&mut storage).into(), true);
        arrange(&mut b, kind);
        panicking_turn(&mut b);
        b.event_loop.turn(Duration::ZERO, &mut b.context).unwrap();
        assert_eq!(b.context.log.len(), 15, "{kind}: {:?}", b.context.log);
        assert_eq!(b.event_loop.stats().callbacks, 15);
        b.assert_silent();
    }
}

/// What the kernel said of an edge it does not say again.
fn edges_that_a_panic_left_are_served(b: &mut Bench<'_, Epoll>) {
    for name in ["first", "second", "third"] {
        let (reader, _writer) = b.ready_pipe();
        b.io_then(name, reader, READ | Interest::EDGE, panics::<Epoll>);
    }
    for _ in 0..3 {
        panicking_turn(b);
    }
    b.context.log.sort();
    assert_eq!(b.context.log, ["first R", "second R", "third R"]);
    b.assert_silent();
}

fn pollable_fd_tells_of_what_a_panic_left(b: &mut Bench<'_, Epoll>) {
    let fd = b.event_loop.pollable_fd().unwrap();
    b.task_then("panics", panics::<Epoll>);
    b.task("task");
    assert!(os::is_readable(fd, 0));
    panicking_turn(b);
    assert!(os::is_readable(fd, 0), "a task is left");
    assert_eq!(b.turn(), ["task"]);
    b.assert_silent();
    assert!(!os::is_readable(fd, 0));

    b.task_then("panics", panics::<Epoll>);
    panicking_turn(b);
    b.assert_silent();
    assert!(!os::is_readable(fd, 0), "nothing is left");
    b.task("task");
    assert!(os::is_readable(fd, 0), "a task is new");
    b.turn();
    let user = b.context.name("post");
    b.event_loop.remote().post(on_task::<Epoll>, user).unwrap();
    assert!(os::is_readable(fd, 0), "a post is new");
    assert_eq!(b.turn(), ["post"]);
}
