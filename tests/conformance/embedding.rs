//! The loop inside another one: prepare, wait and dispatch by hand, and the pollable fd.

use pirn::{BackendKind, Duration, Error, Instant, Interest, Ready, Repeat, When};

use crate::bench::{Bench, on_task};
use crate::os;
use crate::world::{Epoll, World};

const READ: Interest = Interest::READ;
const MS: Duration = Duration::from_millis(1);

claims! {
    all:
        prepare_says_how_long_may_be_waited
        steps_by_hand_are_a_turn
        dispatch_without_a_wait_serves_what_is_queued
        two_waits_before_a_dispatch_lose_nothing
        two_loops_do_not_know_of_each_other;
    kernel:
        loops_of_two_threads_share_an_fd;
    epoll:
        pollable_fd_is_silent_while_nothing_is_due
        pollable_fd_tells_of_io_at_once
        pollable_fd_tells_of_timers
        pollable_fd_follows_changed_deadlines
        pollable_fd_tells_of_posts_and_tasks
        pollable_fd_tells_of_leftovers
        pollable_fd_follows_modified_interest
        foreign_loop_serves_ten_thousand_timers
        loop_watches_another_loop
        pollable_fd_outlives_a_rebuild;
    simulation: ;
}

fn prepare_says_how_long_may_be_waited<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(
        b.event_loop.prepare(Duration::FOREVER),
        Ok(Duration::FOREVER)
    );
    assert_eq!(
        b.event_loop.prepare(Duration::from_nanos(1234)),
        Ok(Duration::from_nanos(1234))
    );
    assert_eq!(b.event_loop.prepare(Duration::ZERO), Ok(Duration::ZERO));
    let timer = b.timer("timer", When::After(1000 * MS), Repeat::Never);
    let timeout = b.event_loop.prepare(Duration::FOREVER).unwrap();
    assert!(timeout <= 1000 * MS && timeout > 500 * MS, "{timeout:?}");
    assert_eq!(
        b.event_loop.prepare(Duration::from_nanos(5)),
        Ok(Duration::from_nanos(5))
    );
    b.event_loop.timer_stop(timer).unwrap();
    b.task("task");
    assert_eq!(b.event_loop.prepare(Duration::FOREVER), Ok(Duration::ZERO));
    b.turn();
    let (reader, _writer) = b.pipe();
    let io = b.io("io", reader, READ);
    b.event_loop.io_feed(io, Ready::READ).unwrap();
    assert_eq!(b.event_loop.prepare(Duration::FOREVER), Ok(Duration::ZERO));
    b.turn();
    b.event_loop.remote().post(on_task::<W>, 0).unwrap();
    assert_eq!(b.event_loop.prepare(Duration::FOREVER), Ok(Duration::ZERO));
    b.turn();
    assert_eq!(
        b.event_loop.prepare(Duration::FOREVER),
        Ok(Duration::FOREVER)
    );
}

/// T130.
fn steps_by_hand_are_a_turn<W: World>(b: &mut Bench<'_, W>) {
    let mut traces = Vec::new();
    for by_hand in [false, true] {
        let mut storage = pirn::Storage::<8, 8, 8>::new();
        let mut other = Bench::<W>::new(&mut storage);
        let (reader, _writer) = other.ready_pipe();
        other.io("io", reader, READ);
        other.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
        other.timer("later", When::After(3_600_000 * MS), Repeat::Never);
        other.task("task");
        for _ in 0..3 {
            if by_hand {
                let timeout = other.event_loop.prepare(Duration::ZERO).unwrap();
                let found = other.event_loop.wait(timeout).unwrap();
                let called = other.dispatch().unwrap();
                assert!(found == 1 && called >= 1);
            } else {
                other.quiet_turn(Duration::ZERO).unwrap();
            }
            other.event_loop.verify().unwrap();
        }
        traces.push((
            other.context.log,
            other.event_loop.stats().turns,
            other.event_loop.stats().waits,
        ));
    }
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[0].0, ["timer", "io R", "task", "io R", "io R"]);
    b.assert_silent();
}

fn dispatch_without_a_wait_serves_what_is_queued<W: World>(b: &mut Bench<'_, W>) {
    b.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
    b.task("task");
    assert_eq!(b.dispatch(), Ok(2));
    assert_eq!(b.context.log, ["timer", "task"]);
    assert_eq!(b.dispatch(), Ok(0));
}

fn two_waits_before_a_dispatch_lose_nothing<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("once", reader, READ | Interest::ONESHOT);
    b.event_loop.prepare(Duration::ZERO).unwrap();
    assert_eq!(b.event_loop.wait(Duration::ZERO), Ok(1));
    assert_eq!(
        b.event_loop.prepare(Duration::FOREVER),
        Ok(Duration::ZERO),
        "something is still to be handed over"
    );
    b.event_loop.wait(Duration::FOREVER).unwrap();
    assert_eq!(b.dispatch(), Ok(1));
    b.assert_sleeps();
}

/// T127.
fn two_loops_do_not_know_of_each_other<W: World>(b: &mut Bench<'_, W>) {
    let mut storage = pirn::Storage::<4, 4, 4>::new();
    let mut other = Bench::<W>::new(&mut storage);
    let (reader, _writer) = other.ready_pipe();
    other.io("other", reader, READ);
    b.task_then("outer", |_, _| ());
    assert_eq!(b.turn(), ["outer"]);
    assert_eq!(other.turn(), ["other R"]);
    let user = b.context.name_then("posts", |event_loop, context| {
        let user = context.name("posted");
        event_loop.task_post(on_task::<W>, user).unwrap();
    });
    b.event_loop.remote().post(on_task::<W>, user).unwrap();
    other.assert_not_disturbed();
    assert_eq!(b.turn(), ["posts"]);
    assert_eq!(b.turn(), ["posted"]);
    drop(other);
    b.assert_silent();
}

impl<W: World> Bench<'_, W> {
    fn assert_not_disturbed(&mut self) {
        assert_eq!(self.turn(), ["other R"]);
    }
}

/// T77.
fn loops_of_two_threads_share_an_fd<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("here", reader, READ);
    std::thread::scope(|scope| {
        let there = scope.spawn(move || {
            let mut storage = pirn::Storage::<4, 4, 4>::new();
            let mut other = Bench::<W>::new(&mut storage);
            other.io("there", reader, READ);
            other.turn_for(Duration::FOREVER)
        });
        assert_eq!(b.turn_for(Duration::FOREVER), ["here R"]);
        assert_eq!(there.join().unwrap(), ["there R"]);
    });
    assert_eq!(b.turn(), ["here R"]);
}

fn exposed(b: &mut Bench<'_, Epoll>) -> i32 {
    assert_eq!(Epoll::KIND, BackendKind::Epoll);
    b.event_loop.pollable_fd().unwrap()
}

/// T128.
fn pollable_fd_is_silent_while_nothing_is_due(b: &mut Bench<'_, Epoll>) {
    let fd = exposed(b);
    assert_eq!(exposed(b), fd);
    b.turn();
    assert!(!os::is_readable(fd, 0));
    let (reader, _writer) = b.pipe();
    b.io("io", reader, READ);
    b.timer("far", When::After(3_600_000 * MS), Repeat::Never);
    b.turn();
    assert!(!os::is_readable(fd, 5));
}

/// T128.
fn pollable_fd_tells_of_io_at_once(b: &mut Bench<'_, Epoll>) {
    let fd = exposed(b);
    let (reader, writer) = b.pipe();
    b.io("io", reader, READ);
    b.turn();
    assert!(!os::is_readable(fd, 0));
    b.context.world.write(writer, 1);
    assert!(os::is_readable(fd, 0));
    assert_eq!(b.turn(), ["io R"]);
    b.context.world.read(reader, 1);
    b.turn();
    assert!(!os::is_readable(fd, 0));
}

/// T130.
fn pollable_fd_tells_of_timers(b: &mut Bench<'_, Epoll>) {
    b.timer("before", When::After(MS), Repeat::Never);
    let fd = exposed(b);
    assert!(os::is_readable(fd, 1000));
    assert_eq!(b.turns_until(1), ["before"]);
    b.turn();
    assert!(!os::is_readable(fd, 0));
    b.timer("after", When::After(3 * MS), Repeat::Never);
    assert!(os::is_readable(fd, 1000));
    assert_eq!(b.turns_until(1), ["after"]);
    b.timer("due", When::At(Instant::from_nanos(0)), Repeat::Never);
    assert!(os::is_readable(fd, 0));
    assert_eq!(b.turn(), ["due"]);
    b.timer_then("ticks", When::After(MS), Repeat::FixedRate(MS), |_, _| ());
    for _ in 0..3 {
        assert!(os::is_readable(fd, 1000));
        b.turns_until(1);
    }
}

/// T58.
fn pollable_fd_follows_changed_deadlines(b: &mut Bench<'_, Epoll>) {
    let fd = exposed(b);
    let timer = b.timer("timer", When::After(3_600_000 * MS), Repeat::Never);
    b.turn();
    b.event_loop.timer_again(timer, MS).unwrap();
    assert!(os::is_readable(fd, 1000), "pulled forward");
    assert_eq!(b.turns_until(1), ["timer"]);
    let timer = b.timer("timer", When::After(50 * MS), Repeat::Never);
    b.event_loop.timer_stop(timer).unwrap();
    b.timer("early", When::After(3_600_000 * MS), Repeat::Never);
    b.turn();
    assert!(!os::is_readable(fd, 0));
}

fn pollable_fd_tells_of_posts_and_tasks(b: &mut Bench<'_, Epoll>) {
    let fd = exposed(b);
    b.turn();
    b.task("task");
    assert!(os::is_readable(fd, 0));
    assert_eq!(b.turn(), ["task"]);
    b.turn();
    assert!(!os::is_readable(fd, 0));
    let user = b.context.name("remote");
    let remote = b.event_loop.remote();
    std::thread::scope(|scope| {
        scope.spawn(move || remote.post(on_task::<Epoll>, user).unwrap());
        assert!(os::is_readable(fd, 1000));
    });
    assert_eq!(b.turn(), ["remote"]);
    b.task_then("posts", |event_loop, context| {
        let user = context.name("posted");
        event_loop.task_post(on_task::<Epoll>, user).unwrap();
    });
    assert_eq!(b.turn(), ["posts"]);
    assert!(os::is_readable(fd, 0), "posted while dispatching");
    assert_eq!(b.turn(), ["posted"]);
}

fn pollable_fd_tells_of_leftovers(b: &mut Bench<'_, Epoll>) {
    let fd = exposed(b);
    b.limit(1);
    b.task("a");
    b.task("b");
    assert_eq!(b.turn(), ["a"]);
    assert!(os::is_readable(fd, 0));
    assert_eq!(b.turn(), ["b"]);
}

fn pollable_fd_follows_modified_interest(b: &mut Bench<'_, Epoll>) {
    let fd = exposed(b);
    let (one, _other) = b.pair();
    let io = b.io("one", one, READ);
    b.turn();
    assert!(!os::is_readable(fd, 0));
    b.event_loop.io_modify(io, Interest::WRITE).unwrap();
    assert!(os::is_readable(fd, 0), "without another turn");
    assert_eq!(b.turn(), ["one W"]);
    b.event_loop.io_modify(io, READ).unwrap();
    assert!(!os::is_readable(fd, 0));
}

/// T130.
fn foreign_loop_serves_ten_thousand_timers(_: &mut Bench<'_, Epoll>) {
    const COUNT: usize = 10_000;
    let mut storage = Box::new(pirn::Storage::<1, COUNT, 1>::new());
    let mut b = Bench::<Epoll>::new(&mut *storage);
    b.context.verifies = false;
    let fd = exposed(&mut b);
    let start = b.context.world.now();
    for index in 0..COUNT as u64 {
        b.timer(
            "timer",
            When::At(start + Duration::from_nanos(index * 7919 % 30_000_000)),
            Repeat::Never,
        );
    }
    let mut called = 0;
    while called < COUNT {
        assert!(os::is_readable(fd, 1000), "{called} of {COUNT}");
        called += b.quiet_turn(Duration::ZERO).unwrap() as usize;
    }
    b.event_loop.verify().unwrap();
}

/// T128, T129.
fn loop_watches_another_loop(b: &mut Bench<'_, Epoll>) {
    let mut storage = pirn::Storage::<4, 4, 4>::new();
    let mut inner = Bench::<Epoll>::new(&mut storage);
    let fd = exposed(&mut inner);
    let own = exposed(b);
    b.io("inner", fd, READ);
    b.assert_silent();
    inner.task("task");
    assert_eq!(b.turn(), ["inner R"]);
    assert_eq!(inner.turn(), ["task"]);
    let user = inner.context.name("never");
    let cycle = inner
        .event_loop
        .io_add(own, READ, crate::bench::on_io::<Epoll>, user)
        .unwrap_err();
    assert_ne!(cycle, Error::ENOSPC, "the kernel's ELOOP: {cycle:?}");
    inner.event_loop.verify().unwrap();
}

/// Whoever watches the fd with epoll watches the file behind it, which must stay when the loop's
/// set is rebuilt.
fn pollable_fd_outlives_a_rebuild(b: &mut Bench<'_, Epoll>) {
    let mut storage = pirn::Storage::<4, 4, 4>::new();
    let mut inner = Bench::<Epoll>::new(&mut storage);
    let fd = exposed(&mut inner);
    b.io("inner", fd, READ);
    for rebuilds in 1..4 {
        let (reader, _writer) = inner.ready_pipe();
        let io = inner.io("ghost", reader, READ);
        let _copy = inner.context.world.duplicate(reader);
        inner.context.world.close(reader);
        inner.event_loop.io_remove(io).unwrap();
        while !b.turn().is_empty() {
            assert_eq!(inner.turn(), [""; 0]);
        }
        assert_eq!(inner.event_loop.stats().rebuilds, rebuilds);
        assert_eq!(exposed(&mut inner), fd);
        b.assert_sleeps();

        let (reader, writer) = inner.pipe();
        inner.io("reader", reader, READ);
        b.assert_silent();
        inner.context.world.write(writer, 1);
        assert_eq!(b.turn(), ["inner R"]);
        assert_eq!(inner.turn(), ["reader R"]);
        inner.event_loop.fd_closing(reader).unwrap();
        inner.task("task");
        assert_eq!(b.turn(), ["inner R"]);
        assert_eq!(inner.turn(), ["task"]);
        inner.timer(
            "timer",
            When::After(Duration::from_millis(1)),
            Repeat::Never,
        );
        b.turn();
        inner.turn();
        assert_eq!(b.turns_until(1), ["inner R"]);
        assert_eq!(inner.turns_until(1), ["timer"]);
        b.turn();
        b.assert_silent();
    }
}
