//! Limits of every kind, set and changed at any moment: what a turn was cut in is served as if it
//! had not been.

use pirn::{Duration, Instant, Interest, Limit, Ready, Repeat, Storage, When};

use crate::bench::{Bench, on_io, on_task};
use crate::os;
use crate::world::World;

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;
const NO_LIMIT: Limit = Limit {
    callbacks: 0,
    time: Duration::ZERO,
};
const ONE: Limit = Limit {
    callbacks: 1,
    time: Duration::ZERO,
};
const HOUR: Duration = Duration::from_secs(3600);

claims! {
    all:
        limit_holds_while_callbacks_are_measured
        limit_of_both_kinds_is_the_stricter
        limit_lifted_in_a_measured_callback_is_for_the_next_dispatch
        limit_may_change_between_the_dispatches_of_a_turn
        cancelled_tasks_do_not_count_against_a_limit
        tasks_taken_back_in_a_turn_are_not_run
        tasks_taken_back_from_a_cut_turn_are_not_run
        watcher_that_joins_between_wait_and_dispatch_waits
        watcher_that_joins_a_cut_turn_waits_whatever_the_limit_becomes
        handler_that_comes_in_a_turn_without_priorities_waits
        what_is_fed_to_a_cut_turn_is_served_by_the_next
        interest_changed_in_a_cut_turn_counts_at_its_end
        cut_turn_is_no_wakeup_in_vain
        rest_of_a_turn_that_is_rebuilt_is_found_again;
    called:
        limit_set_in_a_measured_callback_is_for_the_next_dispatch;
    kernel:
        always_ready_file_that_joins_a_measured_turn_waits;
    epoll:
        pollable_fd_tells_of_what_was_changed_in_a_cut_turn;
    simulation: ;
}

/// Ready pipes, tasks and posts, two of each, and a timer.
fn two_of_each<W: World>(b: &mut Bench<'_, W>) {
    for name in ["a", "b"] {
        let (reader, _writer) = b.ready_pipe();
        b.io(name, reader, READ | Interest::ONESHOT);
    }
    more_work(b);
}

fn more_work<W: World>(b: &mut Bench<'_, W>) {
    b.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
    for name in ["task 1", "task 2"] {
        b.task(name);
    }
    for name in ["post 1", "post 2"] {
        let user = b.context.name(name);
        b.event_loop.remote().post(on_task::<W>, user).unwrap();
    }
}

const ALL_OF_EACH: [&str; 7] = [
    "timer", "a R", "b R", "task 1", "task 2", "post 1", "post 2",
];

/// The calls of the one turn, cut into dispatches; fds in the order of their names.
fn served<W: World>(
    b: &mut Bench<'_, W>,
    mut before: impl FnMut(&mut Bench<'_, W>, usize),
    most: usize,
) -> Vec<String> {
    let turns = b.event_loop.stats().turns;
    let mut served = Vec::new();
    for dispatch in 0.. {
        before(b, dispatch);
        let called = b.turn();
        if b.event_loop.stats().turns > turns + 1 {
            assert!(called.is_empty(), "{called:?}");
            break;
        }
        assert!(called.len() <= most, "{called:?} of {most} at most");
        served.extend(called);
    }
    if let Some(fds) = served.get_mut(1..3) {
        fds.sort();
    }
    served
}

fn limit_holds_while_callbacks_are_measured<W: World>(_: &mut Bench<'_, W>) {
    for limit in 1..9 {
        let mut storage = Storage::<8, 8, 8>::new();
        let mut b = Bench::<W>::make((&mut storage).into(), true);
        two_of_each(&mut b);
        b.limit(limit);
        assert_eq!(
            served(&mut b, |_, _| (), limit as usize),
            ALL_OF_EACH,
            "limit {limit}"
        );
        assert_eq!(b.event_loop.stats().callbacks, 7);
    }
}

fn limit_of_both_kinds_is_the_stricter<W: World>(b: &mut Bench<'_, W>) {
    two_of_each(b);
    b.set_limit(Limit {
        callbacks: 2,
        time: HOUR,
    });
    assert_eq!(served(b, |_, _| (), 2), ALL_OF_EACH);
    more_work(b);
    b.set_limit(Limit {
        callbacks: 1000,
        time: Duration::from_nanos(1),
    });
    let called = served(b, |_, _| (), 5);
    assert_eq!(called.len(), 5, "{called:?}");
    assert_eq!(b.event_loop.stats().callbacks, 12);
}

fn limit_set_in_a_measured_callback_is_for_the_next_dispatch<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<4, 4, 8>::new();
    let mut b = Bench::<W>::make((&mut storage).into(), true);
    b.task_then("a", |event_loop, _| event_loop.set_limit(ONE));
    for name in ["b", "c"] {
        b.task(name);
    }
    assert_eq!(b.turn(), ["a", "b", "c"]);
    for name in ["d", "e"] {
        b.task(name);
    }
    assert_eq!(b.turn(), ["d"]);
}

fn limit_lifted_in_a_measured_callback_is_for_the_next_dispatch<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<4, 4, 8>::new();
    let mut b = Bench::<W>::make((&mut storage).into(), true);
    b.limit(2);
    b.task_then("a", |event_loop, _| event_loop.set_limit(NO_LIMIT));
    for name in ["b", "c", "d"] {
        b.task(name);
    }
    assert_eq!(b.turn(), ["a", "b"]);
    assert_eq!(b.turn(), ["c", "d"]);
    assert_eq!(b.event_loop.stats().callbacks, 4);
}

/// Limits of a number, of a time, of both and of neither in every order, over turns with and
/// without priorities and shared fds.
fn limit_may_change_between_the_dispatches_of_a_turn<W: World>(_: &mut Bench<'_, W>) {
    const BRIEFLY: Limit = Limit {
        callbacks: 0,
        time: Duration::from_nanos(1),
    };
    const LONG: Limit = Limit {
        callbacks: 1,
        time: HOUR,
    };
    let limits = [
        ONE,
        BRIEFLY,
        LONG,
        Limit {
            callbacks: 2,
            time: Duration::ZERO,
        },
        NO_LIMIT,
    ];
    for script in 0..625usize {
        for is_measured in [false, true] {
            let mut storage = Storage::<8, 8, 8>::new();
            let mut b = Bench::<W>::make((&mut storage).into(), is_measured);
            b.context.verifies = false;
            two_of_each(&mut b);
            if script % 2 == 1 {
                let (idle, _writer) = b.pipe();
                b.io("low", idle, READ | Interest::LOW);
            }
            let limit = |dispatch: usize| limits[script / 5usize.pow(dispatch as u32 % 4) % 5];
            let called = served(&mut b, |b, dispatch| b.set_limit(limit(dispatch)), 7);
            assert_eq!(
                called, ALL_OF_EACH,
                "script {script}, measured: {is_measured}"
            );
            let stats = b.event_loop.stats();
            assert_eq!(
                (stats.callbacks, stats.spurious_wakeups),
                (7, 0),
                "script {script}, measured: {is_measured}"
            );
            for fd in std::mem::take(&mut b.context.fds) {
                b.event_loop.fd_closing(fd).unwrap();
            }
        }
    }
}

fn cancelled_tasks_do_not_count_against_a_limit<W: World>(_: &mut Bench<'_, W>) {
    for is_measured in [false, true] {
        let mut storage = Storage::<4, 4, 16>::new();
        let mut b = Bench::<W>::make((&mut storage).into(), is_measured);
        b.limit(2);
        for name in ["x", "a", "x", "x"] {
            let task = b.task(name);
            if name == "x" {
                b.event_loop.task_cancel(task).unwrap();
            }
        }
        b.task_then("b", |event_loop, context| {
            event_loop.task_cancel(context.task("victim")).unwrap()
        });
        b.task("victim");
        b.task("c");
        let last = b.task("last");
        assert_eq!(b.turn(), ["a", "b"]);
        b.event_loop.task_cancel(last).unwrap();
        assert_eq!(b.turn(), ["c"]);
        b.assert_sleeps();
        let stats = b.event_loop.stats();
        assert_eq!((stats.callbacks, stats.task_used), (3, 0));
    }
}

/// Promise 9: `task_reclaim` too can be called anywhere.
fn tasks_taken_back_in_a_turn_are_not_run<W: World>(_: &mut Bench<'_, W>) {
    for is_measured in [false, true] {
        let mut storage = Storage::<4, 4, 4>::new();
        let mut b = Bench::<W>::make((&mut storage).into(), is_measured);
        b.task_then("a", |event_loop, context| {
            let mut back = 0;
            while event_loop.task_reclaim().is_some() {
                back += 1;
                event_loop.verify().unwrap();
            }
            assert_eq!(back, 3);
            let user = context.name("late");
            event_loop.task_post(on_task::<W>, user).unwrap();
        });
        b.task("b");
        let cancelled = b.task("cancelled");
        b.event_loop.task_cancel(cancelled).unwrap();
        b.task("c");
        let user = b.context.name("post");
        b.event_loop.remote().post(on_task::<W>, user).unwrap();
        assert_eq!(b.turn(), ["a"]);
        assert_eq!(b.turn(), ["late"]);
        b.assert_silent();
        assert_eq!(b.event_loop.stats().task_used, 0);
    }
}

fn tasks_taken_back_from_a_cut_turn_are_not_run<W: World>(b: &mut Bench<'_, W>) {
    b.limit(1);
    for name in ["a", "b", "c"] {
        b.task(name);
    }
    assert_eq!(b.turn(), ["a"]);
    assert!(b.event_loop.task_reclaim().is_some());
    b.task("late");
    assert_eq!(b.turn(), ["c"]);
    assert!(b.event_loop.task_reclaim().is_some());
    b.task("later");
    let mut called = b.turn();
    if called.is_empty() {
        called = b.turn();
    }
    assert_eq!(called, ["later"]);
}

/// What was found was found for those who watched then.
fn watcher_that_joins_between_wait_and_dispatch_waits<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("old", reader, READ);
    b.event_loop.prepare(Duration::ZERO).unwrap();
    b.event_loop.wait(Duration::ZERO).unwrap();
    b.io("new", reader, READ);
    b.dispatch().unwrap();
    assert_eq!(b.context.log, ["old R"]);
    assert_eq!(b.turn(), ["old R", "new R"]);
}

fn watcher_that_joins_a_cut_turn_waits_whatever_the_limit_becomes<W: World>(_: &mut Bench<'_, W>) {
    for limit in [
        NO_LIMIT,
        ONE,
        Limit {
            callbacks: 0,
            time: HOUR,
        },
    ] {
        let mut storage = Storage::<4, 4, 4>::new();
        let mut b = Bench::<W>::new(&mut storage);
        let (reader, _writer) = b.ready_pipe();
        b.io("old", reader, READ);
        b.timer_then(
            "timer",
            When::At(Instant::from_nanos(0)),
            Repeat::Never,
            move |event_loop, context| {
                let user = context.name("joins in a callback");
                event_loop.io_add(reader, READ, on_io::<W>, user).unwrap();
            },
        );
        b.limit(1);
        assert_eq!(b.turn(), ["timer"]);
        b.io("joins between", reader, READ);
        b.set_limit(limit);
        assert_eq!(b.turn(), ["old R"]);
        b.limit(0);
        let mut called = b.turn();
        if called.is_empty() {
            called = b.turn();
        }
        assert_eq!(
            called,
            ["old R", "joins in a callback R", "joins between R"]
        );
    }
}

/// A turn has as many passes as its watchers had priorities when it began, not as an earlier one
/// had.
fn handler_that_comes_in_a_turn_without_priorities_waits<W: World>(_: &mut Bench<'_, W>) {
    for is_measured in [false, true] {
        let mut storage = Storage::<4, 4, 4>::new();
        let mut b = Bench::<W>::make((&mut storage).into(), is_measured);
        let (idle, _idle_writer) = b.pipe();
        b.io("high", idle, READ | Interest::HIGH);
        b.event_loop.remote().raise(3).unwrap();
        b.raise_handler("other", 4, Interest::empty());
        b.event_loop.remote().raise(4).unwrap();
        assert_eq!(b.turn(), ["other R"]);
        b.event_loop.fd_closing(idle).unwrap();
        let (reader, _writer) = b.ready_pipe();
        b.io_then("io", reader, READ, |event_loop, context| {
            let user = context.name("handler");
            event_loop
                .raise_add(3, Interest::LOW, on_io::<W>, user)
                .unwrap();
        });
        assert_eq!(b.turn(), ["io R"], "measured: {is_measured}");
        b.event_loop.fd_closing(reader).unwrap();
        assert_eq!(b.turn(), ["handler R"], "measured: {is_measured}");
    }
}

fn what_is_fed_to_a_cut_turn_is_served_by_the_next<W: World>(b: &mut Bench<'_, W>) {
    let mut names = Vec::new();
    for name in ["a", "b"] {
        let (reader, _writer) = b.ready_pipe();
        names.push(name);
        b.io(name, reader, READ);
    }
    b.limit(1);
    let first = b.turn();
    for name in ["a", "b"] {
        b.event_loop
            .io_feed(b.context.io(name), Ready::READ)
            .unwrap();
    }
    for fd in std::mem::take(&mut b.context.fds) {
        b.context.world.read(fd, 1);
    }
    let second = b.turn();
    assert_ne!(first, second);
    b.limit(0);
    let mut called = b.turn_sorted();
    if called.is_empty() {
        called = b.turn_sorted();
    }
    assert_eq!(called, ["a R", "b R"]);
    b.assert_silent();
}

fn interest_changed_in_a_cut_turn_counts_at_its_end<W: World>(b: &mut Bench<'_, W>) {
    let (one, _other) = b.pair();
    let io = b.io("one", one, READ);
    for name in ["a", "b", "c"] {
        b.task(name);
    }
    b.limit(1);
    assert_eq!(b.turn(), ["a"]);
    b.event_loop.io_modify(io, WRITE).unwrap();
    assert_eq!(b.turn(), ["b"]);
    b.event_loop.io_modify(io, WRITE | READ).unwrap();
    assert_eq!(b.turn(), ["c"]);
    let mut called = b.turn();
    if called.is_empty() {
        called = b.turn();
    }
    assert_eq!(called, ["one W"]);
    let stats = b.event_loop.stats();
    assert_eq!((stats.interest_changes, stats.interest_syscalls), (2, 1));
}

fn cut_turn_is_no_wakeup_in_vain<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("io", reader, READ);
    b.limit(1);
    for _ in 0..4 {
        b.turn();
    }
    assert_eq!(b.event_loop.stats().spurious_wakeups, 0);
}

/// Whatever was found in the old set: it is asked anew.
fn rest_of_a_turn_that_is_rebuilt_is_found_again<W: World>(b: &mut Bench<'_, W>) {
    for priority in [Interest::empty(), Interest::LOW] {
        let (one, other) = b.pair();
        b.context.world.write(other, 1);
        b.io("one", one, READ | WRITE | priority);
        b.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
        b.limit(1);
        assert_eq!(b.turn(), ["timer"]);
        b.event_loop.after_fork().unwrap();
        b.context.world.read(one, 1);
        b.limit(0);
        let mut called = b.turn();
        if called.is_empty() {
            called = b.turn();
        }
        assert_eq!(called, ["one W"], "{priority:?}");
        b.event_loop.fd_closing(one).unwrap();
    }
}

/// On epoll nothing but this file is on the attention list when the turn begins.
fn always_ready_file_that_joins_a_measured_turn_waits<W: World>(_: &mut Bench<'_, W>) {
    use std::os::fd::AsRawFd;
    for is_measured in [false, true] {
        let mut storage = Storage::<4, 4, 4>::new();
        let mut b = Bench::<W>::make((&mut storage).into(), is_measured);
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let fd = b.context.world.duplicate(file.as_raw_fd());
        let (idle, _idle_writer) = b.pipe();
        let idle_io = b.io("idle", idle, READ);
        // A turn with something on the list, at its end too.
        b.event_loop.prepare(Duration::ZERO).unwrap();
        b.event_loop.wait(Duration::ZERO).unwrap();
        b.event_loop.io_modify(idle_io, READ | WRITE).unwrap();
        b.dispatch().unwrap();
        b.event_loop.io_modify(idle_io, READ).unwrap();
        let (reader, _writer) = b.ready_pipe();
        b.io_then("joined", reader, READ, move |event_loop, context| {
            if event_loop.stats().io_used == 2 {
                let user = context.name("file");
                event_loop.io_add(fd, READ, on_io::<W>, user).unwrap();
            }
        });
        assert_eq!(b.turn(), ["joined R"], "measured: {is_measured}");
        assert_eq!(
            b.turn_sorted(),
            ["file R", "joined R"],
            "measured: {is_measured}"
        );
    }
}

fn pollable_fd_tells_of_what_was_changed_in_a_cut_turn(b: &mut Bench<'_, crate::world::Epoll>) {
    let fd = b.event_loop.pollable_fd().unwrap();
    let (one, _other) = b.pair();
    let io = b.io("one", one, READ);
    b.limit(1);
    b.task("a");
    b.task("b");
    assert_eq!(b.turn(), ["a"]);
    b.event_loop.io_modify(io, WRITE).unwrap();
    assert!(os::is_readable(fd, 0));
    assert_eq!(b.turn(), ["b"]);
    let mut called = Vec::new();
    while called.is_empty() {
        assert!(os::is_readable(fd, 0), "there is something to write");
        called = b.turn();
    }
    assert_eq!(called, ["one W"]);
    b.event_loop.io_modify(io, READ).unwrap();
    b.limit(0);
    while os::is_readable(fd, 0) {
        assert_eq!(b.turn(), [""; 0]);
    }
    assert!(!os::is_readable(fd, 0));
}
