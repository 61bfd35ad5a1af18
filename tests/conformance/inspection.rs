//! What a loop tells about what is alive in it, and callbacks that are replaced in place.

use std::collections::BTreeSet;

use pirn::{Duration, Error, Info, Instant, Interest, Io, RawCore, Repeat, Task, Timer, When};

use crate::bench::{Bench, on_io, on_timer};
use crate::world::World;

const READ: Interest = Interest::READ;
const MS: Duration = Duration::from_millis(1);

claims! {
    all: ;
    rust:
        watcher_is_told_as_it_was_added
        changes_of_a_watcher_are_told
        raise_handler_is_told
        timer_is_told_as_it_was_started
        task_is_told_until_it_runs
        stale_handles_are_not_live_and_nothing_changes
        walk_comes_by_everything_once
        walk_survives_removal_of_what_it_comes_by
        walk_in_a_callback_sees_what_is_left
        walk_over_tasks_goes_on_behind_those_that_have_run
        replaced_callback_of_a_watcher_is_called_for_a_fetched_event
        replaced_callback_of_a_due_timer_is_called
        replaced_callback_of_a_raise_handler_is_called
        callback_replaces_itself
        callbacks_of_stale_handles_are_not_replaced
        statistics_count_what_keeps_a_run_going;
    kernel: ;
    epoll: ;
    simulation: ;
}

/// All that a walk comes by, by the word of its callback.
fn walk<W: World>(core: &RawCore<'_, W::Host>) -> Vec<usize> {
    let mut words = Vec::new();
    let mut next = core.next_info(None);
    while let Some(info) = next {
        words.push(word(&info));
        next = core.next_info(Some(&info));
    }
    words
}

fn word<H: pirn::Host>(info: &Info<H>) -> usize {
    let user = match info {
        Info::Timer(info) => info.user,
        Info::Io(info) => info.user,
        Info::Task(info) => info.user,
        _ => panic!("a new kind"),
    };
    user.addr()
}

/// Removes what a walk came by.
fn remove<W: World>(core: &mut RawCore<'_, W::Host>, info: &Info<W::Host>) {
    match info {
        Info::Timer(info) => core.timer_stop(info.timer).unwrap(),
        Info::Io(info) => core.io_remove(info.io).unwrap(),
        Info::Task(info) => core.task_cancel(info.task).unwrap(),
        _ => panic!("a new kind"),
    }
}

/// Two of each kind, and the words of their callbacks. None is due but the tasks.
fn two_of_each<W: World>(b: &mut Bench<'_, W>) -> BTreeSet<usize> {
    let (reader, writer) = b.pipe();
    b.io("reader", reader, READ);
    b.io("writer", writer, Interest::empty());
    b.raise_handler("first bit", 0, Interest::empty());
    b.raise_handler("last bit", 63, Interest::UNREF);
    b.timer("soon", When::After(3_600_000 * MS), Repeat::Never);
    b.timer("never", When::At(Instant::NEVER), Repeat::FixedRate(MS));
    b.task("one");
    b.task("other");
    (0..8).collect()
}

fn watcher_is_told_as_it_was_added<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let interest = READ | Interest::URGENT | Interest::LOW | Interest::ONESHOT | Interest::UNREF;
    b.context.name("another");
    let io = b.io("reader", reader, interest);
    let info = b.event_loop.io_info(io).unwrap();
    assert_eq!((info.io, info.fd, info.interest), (io, reader, interest));
    assert_eq!((info.is_raise_handler, info.user.addr()), (false, 1));
    assert_eq!(Io::from_u64(io.to_u64()), io);
}

fn changes_of_a_watcher_are_told<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("reader", reader, READ | Interest::ONESHOT);
    let told = |b: &Bench<'_, W>| b.event_loop.io_info(io).unwrap().interest;
    b.event_loop.io_set_reference(io, false).unwrap();
    assert_eq!(told(b), READ | Interest::ONESHOT | Interest::UNREF);
    assert_eq!(b.turn(), ["reader R"]);
    // It rests until it is armed again.
    assert_eq!(told(b), Interest::ONESHOT | Interest::UNREF);
    b.event_loop.io_modify(io, Interest::URGENT).unwrap();
    b.event_loop.io_set_reference(io, true).unwrap();
    assert_eq!(told(b), Interest::URGENT | Interest::ONESHOT);
}

fn raise_handler_is_told<W: World>(b: &mut Bench<'_, W>) {
    let io = b.raise_handler("raised", 63, Interest::HIGH);
    let info = b.event_loop.io_info(io).unwrap();
    assert_eq!((info.fd, info.is_raise_handler), (63, true));
    assert_eq!(info.interest, READ | Interest::HIGH);
}

fn timer_is_told_as_it_was_started<W: World>(b: &mut Bench<'_, W>) {
    let kinds = [
        Repeat::Never,
        Repeat::FixedRate(Duration::from_nanos(5)),
        Repeat::FixedDelay(Duration::from_nanos(6)),
        Repeat::SkipMissed(Duration::FOREVER),
    ];
    let deadline = Instant::from_nanos(u64::MAX - 9);
    for (number, repeat) in kinds.into_iter().enumerate() {
        let timer = b.timer("timer", When::At(deadline), repeat);
        let info = b.event_loop.timer_info(timer).unwrap();
        assert_eq!(
            (info.timer, info.repeat, info.slack),
            (timer, repeat, Duration::ZERO)
        );
        assert_eq!((info.deadline, info.is_referenced), (deadline, true));
        assert_eq!(info.user.addr(), number);
        b.event_loop.timer_set_reference(timer, false).unwrap();
        assert!(!b.event_loop.timer_info(timer).unwrap().is_referenced);
    }
    let timer = b.timer("late", When::At(Instant::from_nanos(1000)), Repeat::Never);
    b.event_loop
        .timer_slack(timer, Duration::from_nanos(200))
        .unwrap();
    let info = b.event_loop.timer_info(timer).unwrap();
    assert_eq!(
        (info.deadline.as_nanos(), info.slack.as_nanos()),
        (1024, 128)
    );
    assert_eq!(b.event_loop.next_deadline(), Instant::from_nanos(1024));
}

fn task_is_told_until_it_runs<W: World>(b: &mut Bench<'_, W>) {
    let first = b.task("first");
    let second = b.task("second");
    let info = b.event_loop.task_info(second).unwrap();
    assert_eq!((info.task, info.user.addr()), (second, 1));
    b.event_loop.task_cancel(second).unwrap();
    assert_eq!(b.event_loop.task_info(second).err(), Some(Error::ENOENT));
    assert_eq!(b.turn(), ["first"]);
    assert_eq!(b.event_loop.task_info(first).err(), Some(Error::ENOENT));
}

fn stale_handles_are_not_live_and_nothing_changes<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("reader", reader, READ);
    let timer = b.timer("timer", When::After(MS), Repeat::Never);
    let task = b.task("task");
    b.event_loop.io_remove(io).unwrap();
    b.event_loop.timer_stop(timer).unwrap();
    b.event_loop.task_cancel(task).unwrap();
    let before = b.event_loop.stats();
    for io in [io, Io::default(), Io::from_u64(u64::MAX)] {
        assert_eq!(b.event_loop.io_info(io).err(), Some(Error::ENOENT));
    }
    for timer in [timer, Timer::default(), Timer::from_u64(u64::MAX)] {
        assert_eq!(b.event_loop.timer_info(timer).err(), Some(Error::ENOENT));
    }
    for task in [task, Task::default(), Task::from_u64(u64::MAX)] {
        assert_eq!(b.event_loop.task_info(task).err(), Some(Error::ENOENT));
    }
    assert!(b.event_loop.next_info(None).is_none());
    assert_eq!(b.event_loop.stats(), before);
}

fn walk_comes_by_everything_once<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(walk::<W>(&b.event_loop), []);
    let all = two_of_each(b);
    let walked = walk::<W>(&b.event_loop);
    assert_eq!(walked.len(), all.len());
    assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), all);
    // To the last slot of each.
    for number in 0..24 {
        b.timer("more", When::At(Instant::NEVER), Repeat::Never);
        b.raise_handler("more", number + 1, Interest::empty());
        b.task("more");
    }
    assert_eq!(walk::<W>(&b.event_loop).len(), 8 + 3 * 24);
}

fn walk_survives_removal_of_what_it_comes_by<W: World>(b: &mut Bench<'_, W>) {
    let all = two_of_each(b);
    let mut seen = BTreeSet::new();
    let mut next = b.event_loop.next_info(None);
    while let Some(info) = next {
        assert!(seen.insert(word(&info)));
        remove::<W>(&mut b.event_loop, &info);
        b.event_loop.verify().unwrap();
        // What comes after may be missed or seen, and does no harm.
        let user = b.context.name("late");
        let _ = b.event_loop.task_post(|_, _, _: usize| {}, user);
        next = b
            .event_loop
            .next_info(Some(&info))
            .filter(|info| word(info) < 8);
    }
    assert_eq!(seen, all);
}

fn walk_in_a_callback_sees_what_is_left<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.timer("due", When::At(Instant::from_nanos(1)), Repeat::Never);
    b.io_then("walks", reader, READ, |event_loop, context| {
        let left = walk::<W>(event_loop);
        context.log.push(format!("{left:?}"));
        let mut next = event_loop.next_info(None);
        while let Some(info) = next {
            remove::<W>(event_loop, &info);
            next = event_loop.next_info(Some(&info));
        }
    });
    b.task("never");
    b.quiet_turn(Duration::ZERO).unwrap();
    // The timer has fired, the watcher itself and the task are alive.
    assert_eq!(b.context.log, ["due", "walks R", "[1, 2]"]);
    b.context.log.clear();
    b.assert_silent();
    let stats = b.event_loop.stats();
    assert_eq!(
        (stats.io_used, stats.timer_used, stats.task_used),
        (0, 0, 0)
    );
}

fn walk_over_tasks_goes_on_behind_those_that_have_run<W: World>(b: &mut Bench<'_, W>) {
    for name in ["a", "b", "c", "d"] {
        b.task(name);
    }
    b.limit(2);
    let first = b.event_loop.next_info(None).unwrap();
    assert_eq!(b.turn(), ["a", "b"]);
    // One that has run is not there any more; the walk goes on with those that wait.
    let second = b.event_loop.next_info(Some(&first)).unwrap();
    assert_eq!(word(&second), 2);
    let third = b.event_loop.next_info(Some(&second)).unwrap();
    assert_eq!(word(&third), 3);
    assert!(b.event_loop.next_info(Some(&third)).is_none());
}

/// Two watchers of one fd: whichever is called first, the other's event was fetched with it.
fn replaced_callback_of_a_watcher_is_called_for_a_fetched_event<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let replacement = b.context.name("replacement");
    b.io_then("first", reader, READ, move |event_loop, context| {
        let second = context.io("second");
        event_loop
            .io_set_callback(second, on_io::<W>, replacement)
            .unwrap();
    });
    let second = b.io("second", reader, READ);
    assert_eq!(b.turn(), ["first R", "replacement R"]);
    assert_eq!(b.turn(), ["first R", "replacement R"]);
    let info = b.event_loop.io_info(second).unwrap();
    assert_eq!(
        (info.fd, info.interest, info.user.addr()),
        (reader, READ, 0)
    );
}

fn replaced_callback_of_a_due_timer_is_called<W: World>(b: &mut Bench<'_, W>) {
    let replacement = b.context.name("replacement");
    b.timer_then(
        "first",
        When::At(Instant::from_nanos(1)),
        Repeat::Never,
        move |event_loop, context| {
            let second = context.timer("second");
            event_loop
                .timer_set_callback(second, on_timer::<W>, replacement)
                .unwrap();
        },
    );
    let second = b.timer(
        "second",
        When::At(Instant::from_nanos(2)),
        Repeat::SkipMissed(3_600_000 * MS),
    );
    let period = b.event_loop.timer_info(second).unwrap().repeat;
    let called = b.turn();
    assert_eq!(called[0], "first");
    assert!(called[1].starts_with("replacement"), "{called:?}");
    assert_eq!(b.event_loop.timer_info(second).unwrap().repeat, period);
}

fn replaced_callback_of_a_raise_handler_is_called<W: World>(b: &mut Bench<'_, W>) {
    let io = b.raise_handler("old", 5, Interest::empty());
    b.event_loop.remote().raise(5).unwrap();
    let user = b.context.name("new");
    b.event_loop.io_set_callback(io, on_io::<W>, user).unwrap();
    assert_eq!(b.turn(), ["new R"]);
}

/// As a state machine does.
fn callback_replaces_itself<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let second = b.context.name("second state");
    b.io_then("first state", reader, READ, move |event_loop, context| {
        let io = context.io("first state");
        event_loop.io_set_callback(io, on_io::<W>, second).unwrap();
    });
    assert_eq!(b.turn(), ["first state R"]);
    assert_eq!(b.turn(), ["second state R"]);
}

fn callbacks_of_stale_handles_are_not_replaced<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("reader", reader, READ);
    let timer = b.timer("timer", When::At(Instant::NEVER), Repeat::Never);
    b.event_loop.io_remove(io).unwrap();
    b.event_loop.timer_stop(timer).unwrap();
    // Their slots are used anew.
    b.io("reader", reader, READ);
    b.timer("timer", When::At(Instant::NEVER), Repeat::Never);
    let result = b.event_loop.io_set_callback(io, on_io::<W>, 99);
    assert_eq!(result, Err(Error::ENOENT));
    let result = b.event_loop.timer_set_callback(timer, on_timer::<W>, 99);
    assert_eq!(result, Err(Error::ENOENT));
    assert!(!walk::<W>(&b.event_loop).contains(&99));
}

fn statistics_count_what_keeps_a_run_going<W: World>(b: &mut Bench<'_, W>) {
    two_of_each(b);
    b.event_loop.hold().unwrap();
    b.event_loop.hold().unwrap();
    let remote = b.event_loop.remote();
    remote.post(|_, _, _: usize| {}, 0).unwrap();
    let stats = b.event_loop.stats();
    assert_eq!((stats.io_used, stats.io_referenced), (4, 3));
    assert_eq!((stats.timer_used, stats.timer_referenced), (2, 2));
    assert_eq!((stats.holds, stats.task_used, stats.remote_used), (2, 2, 1));
    b.quiet_turn(Duration::ZERO).unwrap();
    b.event_loop.release().unwrap();
    let soon = b.context.timer("soon");
    b.event_loop.timer_set_reference(soon, false).unwrap();
    let stats = b.event_loop.stats();
    assert_eq!((stats.holds, stats.task_used, stats.remote_used), (1, 0, 0));
    assert_eq!((stats.timer_used, stats.timer_referenced), (2, 1));
}
