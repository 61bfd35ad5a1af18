//! What keeps a run going, and how it ends.

use pirn::{Duration, Ended, Error, Instant, Interest, Repeat, When};

use crate::bench::{Bench, on_io, on_timer};
use crate::world::World;

const READ: Interest = Interest::READ;
const MS: Duration = Duration::from_millis(1);

claims! {
    all:
        empty_loop_is_done_at_once
        run_ends_when_the_last_timer_has_fired
        run_ends_when_the_last_watcher_is_gone
        paused_watcher_keeps_the_run_going
        unreferenced_watchers_and_timers_do_not_keep_it
        reference_can_be_given_back
        held_loop_runs_until_it_is_released
        release_of_what_is_not_held_is_refused
        queued_work_runs_before_the_end
        run_expires_at_its_deadline
        deadline_in_the_past_makes_no_turn
        unreferenced_timers_still_fire_while_something_runs;
    kernel: ;
    epoll: ;
    simulation: ;
}

/// T132.
fn empty_loop_is_done_at_once<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.run_until(Instant::NEVER), Ok(Ended::Done));
    assert_eq!(b.event_loop.stats().turns, 0);
}

fn run_ends_when_the_last_timer_has_fired<W: World>(b: &mut Bench<'_, W>) {
    b.timer("a", When::After(MS), Repeat::Never);
    let mut left = 3;
    b.timer_then(
        "b",
        When::After(2 * MS),
        Repeat::FixedRate(MS),
        move |event_loop, context| {
            left -= 1;
            if left == 0 {
                event_loop.timer_stop(context.timer("b")).unwrap();
            }
        },
    );
    assert_eq!(b.run(), Ok(Ended::Done));
    let names: Vec<_> = b.context.log.iter().map(|called| &called[..1]).collect();
    assert_eq!(names, ["a", "b", "b", "b"]);
}

fn run_ends_when_the_last_watcher_is_gone<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let mut left = 3;
    b.io_then("r", reader, READ, move |event_loop, context| {
        left -= 1;
        if left == 0 {
            event_loop.io_remove(context.io("r")).unwrap();
        }
    });
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.context.log, ["r R"; 3]);
}

fn paused_watcher_keeps_the_run_going<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("r", reader, Interest::empty());
    let deadline = b.event_loop.now() + 3 * MS;
    assert_eq!(b.run_until(deadline), Ok(Ended::Expired));
    assert_eq!(b.context.log, [""; 0]);
}

fn unreferenced_watchers_and_timers_do_not_keep_it<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    b.io("r", reader, READ | Interest::UNREF);
    b.raise_handler("raised", 1, Interest::UNREF);
    let user = b.context.name("timer");
    b.event_loop
        .timer_start_unreferenced(
            When::After(3_600_000 * MS),
            Repeat::Never,
            on_timer::<W>,
            user,
        )
        .unwrap();
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.event_loop.stats().timer_used, 1);
}

fn reference_can_be_given_back<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("r", reader, READ);
    let timer = b.timer("t", When::After(3_600_000 * MS), Repeat::Never);
    let raised = b.raise_handler("raised", 1, Interest::empty());
    let soon = |b: &mut Bench<'_, W>| b.event_loop.update() + MS;
    for step in 0..3 {
        let deadline = soon(b);
        assert_eq!(b.run_until(deadline), Ok(Ended::Expired), "{step}");
        match step {
            0 => b.event_loop.io_set_reference(io, false).unwrap(),
            1 => b.event_loop.timer_set_reference(timer, false).unwrap(),
            _ => b.event_loop.io_set_reference(raised, false).unwrap(),
        }
    }
    b.event_loop.io_set_reference(io, false).unwrap();
    assert_eq!(b.run(), Ok(Ended::Done));
    b.event_loop.io_set_reference(io, true).unwrap();
    let deadline = soon(b);
    assert_eq!(b.run_until(deadline), Ok(Ended::Expired));
    b.event_loop.io_remove(io).unwrap();
    assert_eq!(b.run(), Ok(Ended::Done));
}

fn held_loop_runs_until_it_is_released<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.hold().unwrap();
    b.event_loop.hold().unwrap();
    let user = b.context.name_then("releases", |event_loop, _| {
        event_loop.release().unwrap();
        event_loop.release().unwrap();
    });
    b.event_loop
        .timer_start_unreferenced(When::After(MS), Repeat::Never, on_timer::<W>, user)
        .unwrap();
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.context.log, ["releases"]);
}

fn release_of_what_is_not_held_is_refused<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(b.event_loop.release(), Err(Error::EINVAL));
    b.event_loop.hold().unwrap();
    assert_eq!(b.event_loop.release(), Ok(()));
    assert_eq!(b.event_loop.release(), Err(Error::EINVAL));
}

fn queued_work_runs_before_the_end<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("fed", reader, READ | Interest::UNREF);
    b.event_loop.io_feed(io, pirn::Ready::READ).unwrap();
    b.task_then("task", |event_loop, context| {
        let user = context.name("second");
        event_loop
            .task_post(crate::bench::on_task::<W>, user)
            .unwrap();
    });
    let user = b.context.name("remote");
    b.event_loop
        .remote()
        .post(crate::bench::on_task::<W>, user)
        .unwrap();
    b.raise_handler("raised", 1, Interest::UNREF);
    b.event_loop.remote().raise(1).unwrap();
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(
        b.context.log,
        ["raised R", "fed R", "task", "remote", "second"]
    );
}

fn run_expires_at_its_deadline<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.hold().unwrap();
    b.timer("tick", When::After(MS), Repeat::FixedRate(MS));
    let start = b.event_loop.update();
    assert_eq!(b.run_until(start + 10 * MS), Ok(Ended::Expired));
    let took = b.context.world.now() - start;
    assert!(took >= 10 * MS, "{took:?}");
    assert!(b.context.log.len() <= 10, "{:?}", b.context.log);
    assert_eq!(b.context.log[0][..4], *"tick");
}

fn deadline_in_the_past_makes_no_turn<W: World>(b: &mut Bench<'_, W>) {
    b.task("task");
    assert_eq!(b.run_until(Instant::from_nanos(0)), Ok(Ended::Expired));
    assert_eq!(b.context.log, [""; 0]);
    assert_eq!(b.turn(), ["task"]);
}

fn unreferenced_timers_still_fire_while_something_runs<W: World>(b: &mut Bench<'_, W>) {
    let user = b.context.name("unreferenced");
    b.event_loop
        .timer_start_unreferenced(
            When::At(Instant::from_nanos(0)),
            Repeat::Never,
            on_timer::<W>,
            user,
        )
        .unwrap();
    let (reader, _writer) = b.ready_pipe();
    let user = b.context.name("io");
    b.event_loop
        .io_add(reader, READ | Interest::UNREF, on_io::<W>, user)
        .unwrap();
    b.task("task");
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.context.log, ["unreferenced", "io R", "task"]);
}
