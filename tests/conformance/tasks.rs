//! Tasks: what the loop's own thread queues for the next turn.

use pirn::{Duration, Error, Instant, Storage};

use crate::bench::{Bench, Context, Lp, on_task};
use crate::world::World;

claims! {
    all:
        tasks_run_in_the_order_they_were_posted
        order_holds_around_the_end_of_the_ring
        task_that_posts_itself_starves_nothing
        full_queue_refuses_and_keeps_what_it_has
        queue_of_one_serves_a_task_that_posts_itself
        cancelled_task_does_not_run
        task_cancelled_by_an_earlier_one_does_not_run
        running_task_cannot_be_cancelled
        cancelled_tasks_do_not_keep_the_loop_awake
        handle_of_an_earlier_lap_is_stale
        what_did_not_run_is_handed_back_in_order;
    rust:
        queue_of_none_refuses_everything;
    kernel: ;
    epoll: ;
    simulation: ;
}

fn tasks_run_in_the_order_they_were_posted<W: World>(b: &mut Bench<'_, W>) {
    for name in ["a", "b", "c"] {
        b.task(name);
    }
    assert_eq!(b.turn_for(Duration::FOREVER), ["a", "b", "c"]);
    b.assert_silent();
}

/// T64.
fn order_holds_around_the_end_of_the_ring<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 3>::new();
    let mut b = Bench::<W>::new(&mut storage);
    for _ in 0..10 {
        b.task("a");
        b.task("b");
        assert_eq!(b.turn(), ["a", "b"]);
    }
}

fn repost<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>) {
    let user = context.name_then("again", repost::<W>);
    event_loop
        .task_post(on_task::<W>, user)
        .expect("its own place is free");
}

/// T62.
fn task_that_posts_itself_starves_nothing<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("io", reader, pirn::Interest::READ);
    b.task_then("again", repost::<W>);
    for _ in 0..5 {
        b.timer(
            "timer",
            pirn::When::At(Instant::from_nanos(0)),
            pirn::Repeat::Never,
        );
        assert_eq!(b.turn_for(Duration::FOREVER), ["timer", "io R", "again"]);
    }
}

/// T61.
fn full_queue_refuses_and_keeps_what_it_has<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 3>::new();
    let mut b = Bench::<W>::new(&mut storage);
    for round in 1..4 {
        for name in ["a", "b", "c"] {
            b.task(name);
        }
        let user = b.context.name("too many");
        assert_eq!(
            b.event_loop.task_post(on_task::<W>, user),
            Err(Error::EAGAIN)
        );
        assert_eq!(b.event_loop.stats().task_refused, round);
        assert_eq!(b.turn(), ["a", "b", "c"]);
    }
}

/// T63.
fn queue_of_one_serves_a_task_that_posts_itself<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 1>::new();
    let mut b = Bench::<W>::new(&mut storage);
    b.task_then("again", repost::<W>);
    for _ in 0..5 {
        assert_eq!(b.turn(), ["again"]);
    }
}

/// T63.
fn queue_of_none_refuses_everything<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let user = b.context.name("never");
    assert_eq!(
        b.event_loop.task_post(on_task::<W>, user),
        Err(Error::EAGAIN)
    );
    assert_eq!(
        b.event_loop.remote().post(on_task::<W>, user),
        Err(Error::EAGAIN)
    );
    assert_eq!(
        b.event_loop.task_cancel(pirn::Task::default()),
        Err(Error::ENOENT)
    );
    b.assert_silent();
    assert_eq!(b.run(), Ok(pirn::Ended::Done));
}

/// T65.
fn cancelled_task_does_not_run<W: World>(b: &mut Bench<'_, W>) {
    b.task("a");
    let task = b.task("b");
    b.task("c");
    b.event_loop.task_cancel(task).unwrap();
    assert_eq!(b.event_loop.task_cancel(task), Err(Error::ENOENT));
    assert_eq!(b.event_loop.stats().task_used, 2);
    assert_eq!(b.turn(), ["a", "c"]);
}

/// T65.
fn task_cancelled_by_an_earlier_one_does_not_run<W: World>(b: &mut Bench<'_, W>) {
    b.task_then("a", |event_loop, context| {
        event_loop.task_cancel(context.task("b")).unwrap();
    });
    b.task("b");
    b.task("c");
    assert_eq!(b.turn(), ["a", "c"]);
    b.assert_silent();
}

/// T65.
fn running_task_cannot_be_cancelled<W: World>(b: &mut Bench<'_, W>) {
    b.task_then("a", |event_loop, context| {
        assert_eq!(
            event_loop.task_cancel(context.task("a")),
            Err(Error::ENOENT)
        );
    });
    assert_eq!(b.turn(), ["a"]);
    let task = b.context.task("a");
    assert_eq!(b.event_loop.task_cancel(task), Err(Error::ENOENT));
}

fn cancelled_tasks_do_not_keep_the_loop_awake<W: World>(b: &mut Bench<'_, W>) {
    let task = b.task("a");
    b.event_loop.task_cancel(task).unwrap();
    assert_eq!(b.run(), Ok(pirn::Ended::Done));
    b.assert_sleeps();
}

/// T65.
fn handle_of_an_earlier_lap_is_stale<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 2>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let mut old = Vec::new();
    for _ in 0..7 {
        old.push(b.task("a"));
        assert_eq!(b.turn(), ["a"]);
    }
    b.task("live");
    for task in old {
        assert_eq!(b.event_loop.task_cancel(task), Err(Error::ENOENT));
    }
    assert_eq!(b.turn(), ["live"]);
}

/// Promise 4: what was accepted runs once or comes back.
fn what_did_not_run_is_handed_back_in_order<W: World>(b: &mut Bench<'_, W>) {
    let words: Vec<usize> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| b.context.name(name))
        .collect();
    b.event_loop.task_post(on_task::<W>, words[0]).unwrap();
    let cancelled = b.event_loop.task_post(on_task::<W>, words[1]).unwrap();
    b.event_loop.task_cancel(cancelled).unwrap();
    let remote = b.event_loop.remote();
    remote.post(on_task::<W>, words[3]).unwrap();
    b.event_loop.task_post(on_task::<W>, words[2]).unwrap();
    let mut back = Vec::new();
    while let Some(user) = b.event_loop.task_reclaim() {
        back.push(user);
        b.event_loop.verify().unwrap();
    }
    assert_eq!(back, [words[0], words[2], words[3]]);
    assert_eq!(remote.post(on_task::<W>, 0), Err(Error::ESHUTDOWN));
    assert_eq!(remote.wake(), Err(Error::ESHUTDOWN));
    assert_eq!(remote.stop(), Err(Error::ESHUTDOWN));
    assert_eq!(remote.raise(0), Err(Error::ESHUTDOWN));
    assert!(b.event_loop.task_reclaim().is_none());
    b.assert_silent();
}
