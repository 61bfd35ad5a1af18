//! Everything from every kind of callback, but for a turn of its own loop, which does not compile.

use pirn::{Duration, Instant, Interest, Limit, Ready, Repeat, When};

use crate::bench::{Bench, Context, Lp, on_io, on_task, on_timer};
use crate::world::World;

const READ: Interest = Interest::READ;

claims! {
    all:
        everything_can_be_added_in_every_callback
        everything_can_be_changed_in_every_callback
        everything_can_be_removed_in_every_callback
        the_world_can_be_closed_in_every_callback
        callback_may_refill_every_queue;
    rust:
        panic_of_a_callback_leaves_a_loop_that_runs;
    kernel: ;
    epoll: ;
    simulation: ;
}

const KINDS: [&str; 5] = ["timer", "raised", "io", "task", "remote"];

type Step<W> = fn(&mut Lp<'_, '_, W>, &mut Context<W>);

/// A loop with one of each kind that only logs, all ready, and one of `kind` more that takes
/// `step`, first of its kind.
fn arrange<W: World>(b: &mut Bench<'_, W>, kind: &str, step: Step<W>) {
    let (reader, _writer) = b.ready_pipe();
    let (second, _second_writer) = b.ready_pipe();
    let user = b.context.name_then("steps", step);
    let remote = b.event_loop.remote();
    match kind {
        "timer" => drop(
            b.event_loop
                .timer_start(
                    When::At(Instant::from_nanos(0)),
                    Repeat::Never,
                    on_timer::<W>,
                    user,
                )
                .unwrap(),
        ),
        "raised" => {
            b.event_loop
                .raise_add(0, Interest::HIGH, on_io::<W>, user)
                .unwrap();
            remote.raise(0).unwrap();
        }
        "io" => drop(
            b.event_loop
                .io_add(second, READ | Interest::HIGH, on_io::<W>, user)
                .unwrap(),
        ),
        "task" => drop(b.event_loop.task_post(on_task::<W>, user).unwrap()),
        _ => remote.post(on_task::<W>, user).unwrap(),
    }
    b.io("io", reader, READ);
    b.raise_handler("raised", 5, Interest::empty());
    remote.raise(5).unwrap();
    b.timer("timer", When::At(Instant::from_nanos(1)), Repeat::Never);
    b.timer(
        "periodic",
        When::At(Instant::from_nanos(2)),
        Repeat::FixedDelay(Duration::from_nanos(1 << 60)),
    );
    b.task("task");
    let user = b.context.name("remote");
    remote.post(on_task::<W>, user).unwrap();
}

/// Runs `step` in every kind of callback, each on a bench of its own, and hands the calls of the
/// turn to `judge`.
fn in_every_callback<W: World>(
    step: Step<W>,
    judge: impl Fn(&mut Bench<'_, W>, &str, Vec<String>),
) {
    for kind in KINDS {
        let mut storage = pirn::Storage::<16, 16, 16>::new();
        let mut b = Bench::<W>::new(&mut storage);
        arrange(&mut b, kind, step);
        let mut called = b.turn();
        let before = called.len();
        called.retain(|name| !name.starts_with("steps"));
        assert_eq!(before - called.len(), 1, "{kind}: the step was called once");
        judge(&mut b, kind, called);
        for _ in 0..3 {
            b.turn();
        }
    }
}

/// What the bench calls beside the step.
const REST: [&str; 6] = ["timer", "periodic", "raised R", "io R", "task", "remote"];

/// T93.
fn everything_can_be_added_in_every_callback<W: World>(_: &mut Bench<'_, W>) {
    fn step<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>) {
        if context.ios.contains_key("new") {
            return;
        }
        let user = context.name("new");
        let (reader, writer) = context.world.pipe();
        context.world.write(writer, 1);
        context.ios.insert(
            "new",
            event_loop.io_add(reader, READ, on_io::<W>, user).unwrap(),
        );
        event_loop
            .raise_add(30, Interest::empty(), on_io::<W>, user)
            .unwrap();
        event_loop.remote().raise(30).unwrap();
        event_loop
            .timer_start(
                When::At(Instant::from_nanos(0)),
                Repeat::Never,
                on_timer::<W>,
                user,
            )
            .unwrap();
        event_loop.task_post(on_task::<W>, user).unwrap();
        event_loop.remote().post(on_task::<W>, user).unwrap();
    }
    in_every_callback::<W>(step::<W>, |b, kind, called| {
        assert_eq!(called, REST, "{kind}: nothing new in the same turn");
        let mut next = b.turn();
        next.retain(|name| name.starts_with("new"));
        assert_eq!(next, ["new", "new R", "new R", "new", "new"], "{kind}");
    });
}

/// T93.
fn everything_can_be_changed_in_every_callback<W: World>(_: &mut Bench<'_, W>) {
    fn step<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>) {
        for interest in [Interest::empty(), Interest::WRITE, READ] {
            event_loop.io_modify(context.io("io"), interest).unwrap();
        }
        event_loop
            .io_set_reference(context.io("io"), false)
            .unwrap();
        event_loop
            .timer_again(context.timer("periodic"), Duration::FOREVER)
            .unwrap();
        event_loop
            .timer_slack(context.timer("periodic"), Duration::from_nanos(12345))
            .unwrap();
        event_loop
            .timer_set_reference(context.timer("periodic"), false)
            .unwrap();
        event_loop.set_limit(Limit::default());
        event_loop.hold().unwrap();
        event_loop.release().unwrap();
        event_loop.now();
        event_loop.update();
        assert!(event_loop.next_deadline() > Instant::from_nanos(0));
        assert!(event_loop.stats().io_used > 0);
        event_loop.verify().unwrap();
    }
    in_every_callback::<W>(step::<W>, |_, kind, called| {
        let expected: Vec<_> = REST
            .iter()
            .filter(|name| kind != "timer" || **name != "periodic")
            .collect();
        assert_eq!(
            called,
            expected.iter().map(|name| **name).collect::<Vec<_>>(),
            "{kind}"
        );
    });
}

/// T93.
fn everything_can_be_removed_in_every_callback<W: World>(_: &mut Bench<'_, W>) {
    fn step<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>) {
        let _ = event_loop.io_remove(context.io("io"));
        let _ = event_loop.io_remove(context.io("raised"));
        let _ = event_loop.timer_stop(context.timer("timer"));
        let _ = event_loop.timer_stop(context.timer("periodic"));
        let _ = event_loop.task_cancel(context.task("task"));
    }
    in_every_callback::<W>(step::<W>, |b, kind, called| {
        // What comes before the step in a turn has been called by then.
        let expected: &[&str] = match kind {
            "timer" => &["remote"],
            "raised" | "io" => &["timer", "periodic", "remote"],
            "task" => &["timer", "periodic", "raised R", "io R", "remote"],
            _ => &["timer", "periodic", "raised R", "io R", "task", "remote"],
        };
        assert_eq!(called, expected, "{kind}");
        assert_eq!(b.event_loop.stats().timer_used, 0);
    });
}

/// T31, T93.
fn the_world_can_be_closed_in_every_callback<W: World>(_: &mut Bench<'_, W>) {
    fn step<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>) {
        // The pipe that `arrange` made first, and one that takes its number.
        let first = context.fds[0];
        if event_loop.fd_closing(first) == Ok(1) {
            context.world.close(first);
            assert_eq!(context.world.pipe().0, first);
            let user = context.name("fresh");
            event_loop.io_add(first, READ, on_io::<W>, user).unwrap();
        }
    }
    in_every_callback::<W>(step::<W>, |b, kind, called| {
        let is_before = matches!(kind, "timer" | "raised" | "io");
        assert_eq!(called.contains(&"io R".to_owned()), !is_before, "{kind}");
        assert!(
            !called.iter().any(|name| name.starts_with("fresh")),
            "{kind}"
        );
        assert!(
            !b.turn().iter().any(|name| name.starts_with("fresh")),
            "{kind}: it is not ready"
        );
    });
}

/// T62, T104: a callback that fills what it was called from does not lengthen its turn.
fn callback_may_refill_every_queue<W: World>(_: &mut Bench<'_, W>) {
    fn step<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>) {
        let user = context.name("more");
        while event_loop.task_post(on_task::<W>, user).is_ok() {}
        while event_loop.remote().post(on_task::<W>, user).is_ok() {}
        while event_loop
            .timer_start(
                When::At(Instant::from_nanos(0)),
                Repeat::Never,
                on_timer::<W>,
                user,
            )
            .is_ok()
        {}
        event_loop.io_feed(context.io("io"), Ready::READ).unwrap();
    }
    in_every_callback::<W>(step::<W>, |b, kind, called| {
        assert_eq!(called, REST, "{kind}");
        // 16 timers less the periodic one, 16 tasks, and half as many posts; fewer where some
        // waited when it was called.
        let next = b.turn();
        assert!(
            next.iter().filter(|name| *name == "more").count() >= 30,
            "{kind}: {next:?}"
        );
    });
}

/// What it had not handed over comes later; nobody is told that the loop is still running.
fn panic_of_a_callback_leaves_a_loop_that_runs<W: World>(b: &mut Bench<'_, W>) {
    for kind in KINDS {
        let mut storage = pirn::Storage::<8, 8, 8>::new();
        let mut other = Bench::<W>::new(&mut storage);
        let mut has_panicked = false;
        other.task("before");
        arrange(&mut other, kind, |_, _| {});
        other.task_then("panics", move |_, _| {
            assert!(std::mem::replace(&mut has_panicked, true), "on purpose");
        });
        other.task("after");
        let turn = std::panic::AssertUnwindSafe(|| other.quiet_turn(Duration::ZERO));
        assert!(std::panic::catch_unwind(turn).is_err());
        for _ in 0..3 {
            other.quiet_turn(Duration::ZERO).unwrap();
            other.event_loop.verify().unwrap();
        }
        for name in ["before", "after", "remote"] {
            assert!(
                other
                    .context
                    .log
                    .iter()
                    .any(|called| called.starts_with(name)),
                "{kind}: {name} of {:?}",
                other.context.log
            );
        }
    }
    b.assert_silent();
}
