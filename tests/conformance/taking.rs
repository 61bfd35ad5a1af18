//! Events as data: what a take hands over, where it stops, and what a handler may do between two.

use std::mem::MaybeUninit;

use pirn::{Duration, Ended, Error, Event, Instant, Interest, Limit, Repeat, Storage, When};

use crate::bench::{Bench, letters, on_task};
use crate::os;
use crate::world::{Epoll, World};

const READ: Interest = Interest::READ;
const MS: Duration = Duration::from_millis(1);

claims! {
    all: ;
    rust:
        kinds_and_handles_are_told
        order_does_not_depend_on_the_room
        turn_is_over_when_nothing_is_taken
        turn_that_was_taken_whole_is_over_for_the_next_wait
        handlers_may_make_turns
        what_a_handler_removes_is_not_taken
        event_is_stale_if_it_was_taken_before_its_watcher_went
        limit_bounds_what_one_take_returns
        time_and_measuring_are_of_calls_alone
        rest_keeps_the_next_wait_from_sleeping
        dispatch_goes_on_where_a_take_stopped
        ended_tells_what_a_run_would_do
        take_is_refused_without_room
        event_is_called_once
        events_outlive_their_loop;
    kernel: ;
    epoll:
        pollable_fd_is_readable_while_something_is_left;
    simulation: ;
}

/// The first parts of a turn.
fn wait<W: World>(b: &mut Bench<'_, W>) {
    let timeout = b.event_loop.prepare(Duration::ZERO).unwrap();
    b.event_loop.wait(timeout).unwrap();
}

/// A timer, a raised bit, two watchers, two tasks and two posts, each ready.
fn some_of_each<W: World>(b: &mut Bench<'_, W>) {
    for name in ["a", "b"] {
        let (reader, _writer) = b.ready_pipe();
        b.io(name, reader, READ);
    }
    b.raise_handler("raised", 60, Interest::empty());
    b.event_loop.remote().raise(60).unwrap();
    b.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
    for name in ["task 1", "task 2"] {
        b.task(name);
    }
    for name in ["post 1", "post 2"] {
        post(b, name);
    }
}

fn post<W: World>(b: &mut Bench<'_, W>, name: &'static str) {
    let user = b.context.name(name);
    b.event_loop.remote().post(on_task::<W>, user).unwrap();
}

fn kinds_and_handles_are_told<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("io", reader, READ);
    let raised = b.raise_handler("raised", 63, Interest::empty());
    b.event_loop.remote().raise(63).unwrap();
    let timer = b.timer(
        "timer",
        When::At(Instant::from_nanos(0)),
        Repeat::SkipMissed(3_600_000 * MS),
    );
    let cancelled = b.task("cancelled");
    let task = b.task("task");
    b.event_loop.task_cancel(cancelled).unwrap();
    post(b, "post");
    wait(b);
    let mut room = [const { MaybeUninit::uninit() }; 8];
    let mut told = Vec::new();
    let taken = b.event_loop.take(&mut room).unwrap();
    for due in taken.iter() {
        let user = due.event().user().addr();
        told.push(match due.event() {
            Event::Timer(event) => {
                assert_eq!((event.timer, user), (timer, 2));
                format!("timer +{}", event.missed)
            }
            Event::Io(event) => {
                assert_eq!((event.io, event.fd, user), (io, reader, 0));
                format!("io {}", letters(event.ready))
            }
            Event::Raised(event) => {
                assert_eq!((event.io, event.fd, user), (raised, 63, 1));
                format!("raised {}", letters(event.ready))
            }
            Event::Task(handle, _) => {
                assert_eq!((handle, user), (task, 4));
                assert_eq!(b.event_loop.task_cancel(handle), Err(Error::ENOENT));
                "task".to_owned()
            }
            Event::Post(_) => {
                assert_eq!(user, 5);
                "post".to_owned()
            }
            _ => "something new".to_owned(),
        });
    }
    let missed = told[0].strip_prefix("timer +").expect("the timer first");
    missed.parse::<u64>().unwrap();
    assert_eq!(told[1..], ["raised R", "io R", "task", "post"]);
    assert_eq!(b.take(8), Ok(0));
    // Handles of tasks stay right around the end of the queue.
    for _ in 0..100 {
        let task = b.task("task");
        wait(b);
        while let [due] = b.event_loop.take(&mut room[..1]).unwrap() {
            if let Event::Task(handle, _) = due.event() {
                assert_eq!(handle, task);
            }
        }
    }
}

fn order_does_not_depend_on_the_room<W: World>(_: &mut Bench<'_, W>) {
    let trace = |room: usize, is_prioritised: bool| {
        let mut storage = Storage::<8, 8, 8>::new();
        let mut b = Bench::<W>::new(&mut storage);
        some_of_each(&mut b);
        if is_prioritised {
            let (reader, _writer) = b.ready_pipe();
            b.io("low", reader, READ | Interest::LOW);
        }
        for _ in 0..3 {
            if room == 0 {
                b.quiet_turn(Duration::ZERO).unwrap();
            } else {
                wait(&mut b);
                while b.take(room).unwrap() > 0 {}
            }
            b.context.log.push("the end of a turn".to_owned());
        }
        let stats = b.event_loop.stats();
        let counts = (stats.turns, stats.waits, stats.events, stats.callbacks);
        (std::mem::take(&mut b.context.log), counts)
    };
    for is_prioritised in [false, true] {
        let expected = trace(0, is_prioritised);
        assert_eq!(expected.0[0], "timer");
        for room in [1, 2, 3, 4, 5, 7, 8, 9, 64] {
            assert_eq!(trace(room, is_prioritised), expected, "room for {room}");
        }
    }
}

/// A handler that posts what it was called for starves nothing, nor does one that feeds or raises.
fn turn_is_over_when_nothing_is_taken<W: World>(b: &mut Bench<'_, W>) {
    for room in [1, 2, 100] {
        b.task_then("task", |event_loop, context| {
            let user = context.name("posted");
            event_loop.task_post(on_task::<W>, user).unwrap();
            event_loop.remote().post(on_task::<W>, user).unwrap();
        });
        wait(b);
        assert_eq!(b.take(room), Ok(1));
        assert_eq!(b.take(room), Ok(0));
        // The next one begins another turn, without a wait too.
        let mut taken = 0;
        while b.take(room).unwrap() > 0 {
            taken += 1;
        }
        assert!(taken > 0);
        assert_eq!(b.context.log.split_off(0), ["task", "posted", "posted"]);
    }
}

/// Who takes once after each wait need not ask whether that was all.
fn turn_that_was_taken_whole_is_over_for_the_next_wait<W: World>(b: &mut Bench<'_, W>) {
    b.task("first");
    wait(b);
    assert_eq!(b.take(8), Ok(1));
    b.task("second");
    assert_eq!(
        b.event_loop.prepare(Duration::FOREVER),
        Ok(Duration::ZERO),
        "there is a task"
    );
    b.event_loop.wait(Duration::ZERO).unwrap();
    assert_eq!(b.take(8), Ok(1));
    assert_eq!(
        b.event_loop.prepare(Duration::from_nanos(5)),
        Ok(Duration::from_nanos(5)),
        "there is nothing"
    );
    b.event_loop.wait(Duration::ZERO).unwrap();
    assert_eq!(b.take(8), Ok(0));
    assert_eq!(b.context.log, ["first", "second"]);
}

/// Handles everything. The handlers of "outer" and "inner" make a turn of their own.
fn nest<W: World>(b: &mut Bench<'_, W>, room: usize) {
    loop {
        let mut room: Vec<_> = (0..room).map(|_| MaybeUninit::uninit()).collect();
        let taken = b.event_loop.take(&mut room).unwrap();
        if taken.is_empty() {
            return;
        }
        for due in taken {
            due.call(&mut b.event_loop, &mut b.context);
            let called = b.context.log.last().expect("it was logged");
            if ["outer", "inner"].contains(&called.as_str()) {
                let timeout = b.event_loop.prepare(Duration::FOREVER).unwrap();
                b.event_loop.wait(timeout).unwrap();
                nest(b, 1);
            }
        }
    }
}

/// As deep as they like: what is left of a turn is handed over once, by whoever takes first.
fn handlers_may_make_turns<W: World>(_: &mut Bench<'_, W>) {
    for room in [1, 2, 8] {
        let mut storage = Storage::<8, 8, 8>::new();
        let mut b = Bench::<W>::new(&mut storage);
        some_of_each(&mut b);
        b.timer("outer", When::At(Instant::from_nanos(1)), Repeat::Never);
        b.task("inner");
        wait(&mut b);
        nest(&mut b, room);
        let mut called = b.context.log.split_off(0);
        assert_eq!(called[..2], ["timer", "outer"], "room for {room}");
        // Level triggered: a turn in a turn may find the fds again.
        called.sort();
        called.dedup();
        let mut expected = vec!["a R", "b R", "inner", "outer", "post 1", "post 2"];
        expected.extend(["raised R", "task 1", "task 2", "timer"]);
        assert_eq!(called, expected, "room for {room}");
        b.event_loop.verify().unwrap();
    }
}

fn what_a_handler_removes_is_not_taken<W: World>(b: &mut Bench<'_, W>) {
    let mut fds = Vec::new();
    for name in ["a", "b"] {
        let (reader, _writer) = b.ready_pipe();
        fds.push(reader);
        b.io_then(name, reader, READ, |event_loop, context| {
            for name in ["a", "b"] {
                event_loop.io_remove(context.io(name)).unwrap();
            }
            let (reader, task) = (context.fds[0], context.task("task"));
            let user = context.name("again");
            event_loop
                .io_add(reader, READ, crate::bench::on_io::<W>, user)
                .unwrap();
            event_loop.task_cancel(task).unwrap();
        });
    }
    b.task("task");
    wait(b);
    assert_eq!(b.take(1), Ok(1));
    assert_eq!(b.take(1), Ok(0));
    assert_eq!(b.context.log.len(), 1, "{:?}", b.context.log);
    assert_eq!(b.turn(), ["again R"]);
}

fn event_is_stale_if_it_was_taken_before_its_watcher_went<W: World>(b: &mut Bench<'_, W>) {
    for name in ["a", "b"] {
        let (reader, _writer) = b.ready_pipe();
        b.io(name, reader, READ);
    }
    wait(b);
    let mut room = [const { MaybeUninit::uninit() }; 4];
    let taken = b.event_loop.take(&mut room).unwrap();
    assert_eq!(taken.len(), 2);
    for due in taken.iter() {
        let Event::Io(event) = due.event() else {
            panic!("a watcher")
        };
        b.event_loop.io_remove(event.io).unwrap();
        let stale = b.event_loop.io_modify(event.io, READ);
        assert_eq!(stale, Err(Error::ENOENT));
    }
    b.assert_silent();
}

fn limit_bounds_what_one_take_returns<W: World>(b: &mut Bench<'_, W>) {
    some_of_each(b);
    b.limit(3);
    wait(b);
    assert_eq!(b.take(64), Ok(3));
    assert_eq!(b.take(2), Ok(2));
    assert_eq!(b.take(64), Ok(3));
    assert_eq!(b.take(64), Ok(0));
    b.limit(0);
    assert_eq!(b.context.log.len(), 8);
    assert_eq!(b.event_loop.stats().callbacks, 8);
}

fn time_and_measuring_are_of_calls_alone<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<8, 8, 8>::new();
    let mut b = Bench::<W>::make((&mut storage).into(), true);
    some_of_each(&mut b);
    b.event_loop.set_limit(Limit {
        callbacks: 0,
        time: Duration::from_nanos(1),
    });
    wait(&mut b);
    assert_eq!(b.take(5), Ok(5));
    b.context.world.sleep(MS);
    assert_eq!(b.take(5), Ok(3));
    assert_eq!(b.take(5), Ok(0));
    assert_eq!(b.event_loop.stats().longest_callback_ns, 0);
    assert_eq!(b.event_loop.stats().callbacks, 8);
}

fn rest_keeps_the_next_wait_from_sleeping<W: World>(b: &mut Bench<'_, W>) {
    some_of_each(b);
    wait(b);
    let waits = b.event_loop.stats().waits;
    let mut taken = b.take(2).unwrap();
    while taken < 8 {
        assert_eq!(b.event_loop.prepare(Duration::FOREVER), Ok(Duration::ZERO));
        assert_eq!(b.event_loop.wait(Duration::FOREVER), Ok(0));
        taken += b.take(2).unwrap();
    }
    assert_eq!(b.event_loop.stats().waits, waits);
    // It came out even: that it was all is known when nothing is found.
    assert_eq!(b.event_loop.wait(Duration::FOREVER), Ok(0));
    assert_eq!(b.take(2), Ok(0));
    b.context.log.clear();
    assert_eq!(b.turn_sorted(), ["a R", "b R"]);
}

fn dispatch_goes_on_where_a_take_stopped<W: World>(b: &mut Bench<'_, W>) {
    some_of_each(b);
    wait(b);
    assert_eq!(b.take(3), Ok(3));
    assert_eq!(b.event_loop.dispatch(&mut b.context), 5);
    assert_eq!(b.context.log[..2], ["timer", "raised R"]);
    assert_eq!(b.context.log[4..], ["task 1", "task 2", "post 1", "post 2"]);
    // And the other way round.
    b.context.log.clear();
    for name in ["task 1", "task 2", "task 3"] {
        b.task(name);
    }
    b.limit(1);
    assert_eq!(b.event_loop.dispatch(&mut b.context), 1);
    b.limit(0);
    assert_eq!(b.take(1), Ok(1));
    assert_eq!(b.take(9), Ok(1));
    assert_eq!(b.event_loop.dispatch(&mut b.context), 0);
    assert_eq!(b.context.log, ["task 1", "task 2", "task 3"]);
}

fn ended_tells_what_a_run_would_do<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(b.event_loop.ended(), Some(Ended::Done));
    let task = b.task("task");
    assert_eq!(b.event_loop.ended(), None);
    b.event_loop.remote().stop().unwrap();
    assert_eq!(b.event_loop.ended(), Some(Ended::Stopped));
    assert_eq!(b.event_loop.ended(), None, "one stop ends one run");
    b.event_loop.task_cancel(task).unwrap();
    assert_eq!(b.event_loop.ended(), Some(Ended::Done));
    // A stop ends the wait too.
    b.event_loop.hold().unwrap();
    b.event_loop.remote().stop().unwrap();
    b.event_loop.wait(Duration::FOREVER).unwrap();
    assert_eq!(b.take(1), Ok(0));
    assert_eq!(b.event_loop.ended(), Some(Ended::Stopped));
    b.event_loop.release().unwrap();
}

fn take_is_refused_without_room<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(b.take(0), Err(Error::EINVAL));
    b.task("task");
    assert_eq!(b.take(0), Err(Error::EINVAL));
    assert_eq!(b.take(1), Ok(1));
}

fn event_is_called_once<W: World>(b: &mut Bench<'_, W>) {
    some_of_each(b);
    wait(b);
    let mut room = [const { MaybeUninit::uninit() }; 8];
    let taken = b.event_loop.take(&mut room).unwrap();
    for _ in 0..2 {
        for due in taken.iter_mut() {
            due.call(&mut b.event_loop, &mut b.context);
        }
        assert_eq!(b.context.log.len(), 8);
    }
}

fn events_outlive_their_loop<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<8, 8, 8>::new();
    let mut b = Bench::<W>::new(&mut storage);
    some_of_each(&mut b);
    wait(&mut b);
    let mut room = [const { MaybeUninit::uninit() }; 8];
    let taken = b.event_loop.take(&mut room).unwrap();
    drop(b.event_loop);
    let mut storage = Storage::<8, 8, 8>::new();
    let world = &b.context.world;
    let mut other = world
        .open((&mut storage).into(), pirn::Config::default())
        .unwrap();
    for due in taken {
        due.call(&mut other, &mut b.context);
    }
    assert_eq!(b.context.log.len(), 8);
}

fn pollable_fd_is_readable_while_something_is_left(b: &mut Bench<'_, Epoll>) {
    let fd = b.event_loop.pollable_fd().unwrap();
    for name in ["a", "b", "c"] {
        b.task(name);
    }
    for left in [2, 1] {
        assert!(os::is_readable(fd, 0));
        wait(b);
        assert_eq!(b.take(1), Ok(1));
        assert!(os::is_readable(fd, 0), "{left} are left");
    }
    assert_eq!(b.take(2), Ok(1));
    wait(b);
    assert_eq!(b.take(2), Ok(0));
    assert!(!os::is_readable(fd, 0));
    // What a handler does shows at once: no dispatch is under way.
    b.task_then("posts", |event_loop, context| {
        let user = context.name("posted");
        event_loop.task_post(on_task::<Epoll>, user).unwrap();
    });
    wait(b);
    assert_eq!(b.take(2), Ok(1));
    assert!(os::is_readable(fd, 0));
    assert_eq!(b.take(2), Ok(0));
    assert!(os::is_readable(fd, 0), "posted for the next turn");
    wait(b);
    assert_eq!(b.take(2), Ok(1));
    assert_eq!(b.take(2), Ok(0));
    wait(b);
    assert!(!os::is_readable(fd, 0));
}
