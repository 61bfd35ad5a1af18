//! Everything full at once, and usable again afterwards.

use pirn::{Duration, Error, Instant, Interest, Repeat, Storage, When};

use crate::bench::{Bench, on_io, on_task, on_timer};
use crate::world::World;

const READ: Interest = Interest::READ;

claims! {
    all:
        all_tables_fill_drain_and_fill_again
        raise_handlers_take_slots_of_watchers
        refused_watcher_leaves_the_fd_unwatched
        churn_leaks_no_slot
        loop_moves_with_everything_it_has
        handles_of_slots_that_went_stay_stale
        loop_does_not_move_where_something_has_no_place;
    rust:
        loop_without_any_capacity_turns
        watcher_table_answers_at_its_bound;
    kernel:
        more_fds_are_ready_than_one_wait_brings;
    epoll: ;
    simulation: ;
}

/// T104.
fn all_tables_fill_drain_and_fill_again<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<4, 4, 4>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (reader, _writer) = b.ready_pipe();
    for round in 0..50 {
        let user = b.context.name("any");
        let mut ios = Vec::new();
        while let Ok(io) = b.event_loop.io_add(reader, READ, on_io::<W>, user) {
            ios.push(io);
        }
        let mut timers = 0;
        while b
            .event_loop
            .timer_start(
                When::At(Instant::from_nanos(0)),
                Repeat::Never,
                on_timer::<W>,
                user,
            )
            .is_ok()
        {
            timers += 1;
        }
        let mut tasks = 0;
        while b.event_loop.task_post(on_task::<W>, user).is_ok() {
            tasks += 1;
        }
        let mut posts = 0;
        while b.event_loop.remote().post(on_task::<W>, user).is_ok() {
            posts += 1;
        }
        assert_eq!(
            (ios.len(), timers, tasks, posts),
            (4, 4, 4, 2),
            "round {round}"
        );
        assert_eq!(b.turn().len(), 14, "round {round}");
        for io in ios {
            b.event_loop.io_remove(io).unwrap();
        }
        b.assert_silent();
    }
}

/// T104: with capacities of 1, 2 and 3: N - 1, N, N + 1.
fn watcher_table_answers_at_its_bound<W: World>(_: &mut Bench<'_, W>) {
    fn bound<W: World, const N: usize>() {
        let mut storage = Storage::<N, 0, 0>::new();
        let mut b = Bench::<W>::new(&mut storage);
        let mut fds = Vec::new();
        for _ in 0..N {
            let (reader, _writer) = b.ready_pipe();
            fds.push((reader, b.io("io", reader, READ)));
        }
        let (extra, _writer) = b.ready_pipe();
        let user = b.context.name("extra");
        assert_eq!(
            b.event_loop.io_add(extra, READ, on_io::<W>, user),
            Err(Error::ENOSPC)
        );
        assert_eq!(b.turn(), vec!["io R"; N]);
        if let Some((_, io)) = fds.pop() {
            b.event_loop.io_remove(io).unwrap();
            b.event_loop.io_add(extra, READ, on_io::<W>, user).unwrap();
            assert_eq!(b.turn_sorted()[0], "extra R");
        }
    }
    bound::<W, 0>();
    bound::<W, 1>();
    bound::<W, 2>();
    bound::<W, 3>();
}

fn raise_handlers_take_slots_of_watchers<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<2, 0, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let first = b.raise_handler("first", 0, Interest::empty());
    b.raise_handler("second", 1, Interest::empty());
    let user = b.context.name("third");
    assert_eq!(
        b.event_loop
            .raise_add(2, Interest::empty(), on_io::<W>, user),
        Err(Error::ENOSPC)
    );
    let (reader, _writer) = b.ready_pipe();
    assert_eq!(
        b.event_loop.io_add(reader, READ, on_io::<W>, user),
        Err(Error::ENOSPC)
    );
    b.event_loop.io_remove(first).unwrap();
    assert!(b.event_loop.io_add(reader, READ, on_io::<W>, user).is_ok());
    assert_eq!(b.turn(), ["third R"]);
}

/// Promise 4: on an error nothing has changed.
fn refused_watcher_leaves_the_fd_unwatched<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<1, 0, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (idle, _idle_writer) = b.pipe();
    let (ready, _writer) = b.ready_pipe();
    let io = b.io("idle", idle, READ);
    let user = b.context.name("refused");
    for fd in [ready, idle] {
        assert_eq!(
            b.event_loop
                .io_add(fd, READ | Interest::HIGH, on_io::<W>, user),
            Err(Error::ENOSPC)
        );
    }
    b.assert_silent();
    b.assert_sleeps();
    b.event_loop.io_remove(io).unwrap();
    assert_eq!(b.event_loop.stats().io_used, 0);
    assert_eq!(b.run(), Ok(pirn::Ended::Done));
}

/// T63.
fn loop_without_any_capacity_turns<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let user = b.context.name("never");
    let (reader, _writer) = b.ready_pipe();
    assert_eq!(
        b.event_loop.io_add(reader, READ, on_io::<W>, user),
        Err(Error::ENOSPC)
    );
    assert_eq!(
        b.event_loop.timer_start(
            When::At(Instant::from_nanos(0)),
            Repeat::Never,
            on_timer::<W>,
            user
        ),
        Err(Error::ENOSPC)
    );
    assert_eq!(b.event_loop.fd_closing(reader), Ok(0));
    b.assert_silent();
    b.assert_sleeps();
    b.event_loop.remote().wake().unwrap();
    assert_eq!(b.turn_for(pirn::Duration::FOREVER), [""; 0]);
}

/// T104.
fn churn_leaks_no_slot<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<3, 3, 3>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (one, _other) = b.pair();
    let user = b.context.name("any");
    for round in 0..2000usize {
        let io = b.event_loop.io_add(one, READ, on_io::<W>, user).unwrap();
        let second = b
            .event_loop
            .io_add(one, Interest::WRITE, on_io::<W>, user)
            .unwrap();
        let timer = b
            .event_loop
            .timer_start(
                When::After(Duration::from_nanos(1 << 40)),
                Repeat::Never,
                on_timer::<W>,
                user,
            )
            .unwrap();
        let task = b.event_loop.task_post(on_task::<W>, user).unwrap();
        if round % 7 == 0 {
            b.turn();
        }
        let (first, last) = if round % 2 == 0 {
            (io, second)
        } else {
            (second, io)
        };
        b.event_loop.io_remove(first).unwrap();
        b.event_loop.io_remove(last).unwrap();
        b.event_loop.timer_stop(timer).unwrap();
        if b.event_loop.task_cancel(task).is_ok() {
            b.turn();
        }
    }
    let stats = b.event_loop.stats();
    assert_eq!(
        (stats.io_used, stats.timer_used, stats.task_used),
        (0, 0, 0)
    );
    assert_eq!((stats.io_peak, stats.timer_peak), (2, 1));
}

/// T105.
fn more_fds_are_ready_than_one_wait_brings<W: World>(_: &mut Bench<'_, W>) {
    const COUNT: usize = 200;
    let mut storage = Box::new(Storage::<COUNT, 1, 1>::new());
    let mut b = Bench::<W>::new(&mut *storage);
    b.context.verifies = false;
    let (one, _other) = b.pair();
    let mut copies = Vec::new();
    let mut calls = Vec::new();
    for index in 0..COUNT {
        let copy = crate::os::duplicate_from(one, 1024);
        assert!(copy >= 1024);
        copies.push(copy);
        let name: &'static str = Box::leak(format!("{index:03}").into_boxed_str());
        b.io(name, copy, Interest::WRITE);
    }
    let mut turns = 0;
    while calls.len() < 3 * COUNT {
        let called = b.turn();
        assert!(!called.is_empty());
        calls.extend(called);
        turns += 1;
    }
    assert!(turns <= 3 * COUNT);
    // Fair: after calls for three rounds no watcher is more than one wait behind.
    for index in 0..COUNT {
        let own = calls
            .iter()
            .filter(|called| called.starts_with(&format!("{index:03}")))
            .count();
        assert!(
            (2..=4).contains(&own),
            "{index}: {own} calls in {turns} turns"
        );
    }
    for copy in copies {
        b.event_loop.fd_closing(copy).unwrap();
        crate::os::close_fd(copy);
    }
}

fn loop_moves_with_everything_it_has<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<4, 4, 4>::new();
    let mut larger = Storage::<40, 40, 40>::new();
    let mut smaller = Storage::<3, 2, 3>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (ready, _writer) = b.ready_pipe();
    let (silent, _silent_writer) = b.pipe();
    b.io("first", ready, READ);
    b.io("silent", silent, READ);
    let shared = b.io("second", ready, READ);
    b.timer("due", When::At(Instant::from_nanos(0)), Repeat::Never);
    let late = b.timer(
        "late",
        When::After(Duration::from_secs(3600)),
        Repeat::Never,
    );
    for name in ["a", "b", "c"] {
        b.task(name);
    }
    b.event_loop.grow(&mut larger).unwrap();
    b.event_loop.verify().unwrap();
    assert_eq!(b.event_loop.stats().io_capacity, 40);
    b.task("d");
    b.task("e");
    let called = b.turn();
    assert_eq!(
        called,
        ["due", "first R", "second R", "a", "b", "c", "d", "e"]
    );
    b.event_loop.io_remove(shared).unwrap();
    b.event_loop.grow(&mut smaller).unwrap();
    b.event_loop.verify().unwrap();
    assert_eq!(b.turn(), ["first R"]);
    assert_eq!(b.event_loop.io_remove(shared), Err(Error::ENOENT));
    assert_eq!(b.event_loop.timer_stop(late), Ok(()));
}

/// A slot that goes with a smaller block, and comes back with a larger one, is not the slot it was.
fn handles_of_slots_that_went_stay_stale<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<8, 8, 0>::new();
    let mut smaller = Storage::<1, 1, 0>::new();
    let mut as_large = Storage::<8, 8, 0>::new();
    let mut smaller_again = Storage::<1, 1, 0>::new();
    let mut as_large_again = Storage::<8, 8, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let mut ios = Vec::new();
    let mut timers = Vec::new();
    // All at one time of the loop.
    let mut use_slots = |b: &mut Bench<'_, W>| {
        for bit in 0..3 {
            ios.push(b.raise_handler("raised", bit, Interest::empty()));
            timers.push(b.timer("timer", When::At(Instant::NEVER), Repeat::Never));
        }
        for (&io, &timer) in ios.iter().zip(&timers).rev().take(3) {
            assert_eq!(b.event_loop.io_remove(io), Ok(()));
            assert_eq!(b.event_loop.timer_stop(timer), Ok(()));
        }
        for (at, (&io, &timer)) in ios.iter().zip(&timers).enumerate() {
            assert!(!ios[..at].contains(&io), "{io:?} is given out again");
            assert!(
                !timers[..at].contains(&timer),
                "{timer:?} is given out again"
            );
            assert_eq!(b.event_loop.io_remove(io), Err(Error::ENOENT));
            assert_eq!(b.event_loop.timer_stop(timer), Err(Error::ENOENT));
        }
    };
    use_slots(&mut b);
    b.event_loop.grow(&mut smaller).unwrap();
    b.event_loop.grow(&mut as_large).unwrap();
    use_slots(&mut b);
    b.event_loop.grow(&mut smaller_again).unwrap();
    b.event_loop.grow(&mut as_large_again).unwrap();
    use_slots(&mut b);
}

fn loop_does_not_move_where_something_has_no_place<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<4, 4, 4>::new();
    let mut smaller = Storage::<1, 4, 4>::new();
    let mut larger = Storage::<8, 8, 8>::new();
    let mut as_large = Storage::<8, 8, 8>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (reader, _writer) = b.ready_pipe();
    b.io("first", reader, READ);
    b.io("second", reader, READ);
    assert_eq!(b.event_loop.grow(&mut smaller), Err(Error::EBUSY));
    assert_eq!(b.event_loop.stats().io_capacity, 4);
    // Events that were fetched are dispatched first.
    b.event_loop.prepare(Duration::ZERO).unwrap();
    assert_eq!(b.event_loop.wait(Duration::ZERO), Ok(1));
    assert_eq!(b.event_loop.grow(&mut larger), Err(Error::EBUSY));
    assert_eq!(b.turn(), ["first R", "second R"]);
    b.event_loop.grow(&mut as_large).unwrap();
    assert_eq!(b.turn(), ["first R", "second R"]);
}
