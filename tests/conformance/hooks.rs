//! Hooks: where in a turn they are called, and what they change of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pirn::{
    Duration, Ended, Error, Hook, Info, Instant, Interest, Io, Limit, Ready, Repeat, Storage, When,
};

use crate::bench::{Bench, Context, Lp, on_io, on_task};
use crate::os;
use crate::world::World;

const NONE: Interest = Interest::empty();
const READ: Interest = Interest::READ;
const MS: Duration = Duration::from_millis(1);

claims! {
    all:;
    rust:
        take_hands_over_no_hook;
    called:
        hooks_stand_at_both_ends_of_a_turn
        hooks_run_in_dispatch_alone
        idle_hooks_run_if_nothing_else_does
        idle_hook_keeps_the_loop_from_sleeping
        hooks_are_not_limited
        hooks_are_not_counted
        what_a_first_hook_brings_is_of_the_same_dispatch
        first_hook_of_a_dispatch_that_goes_on_adds_nothing_to_it
        hook_added_in_a_dispatch_waits_for_the_next
        removed_hook_is_not_called
        hook_that_adds_its_like_does_not_hold_up_the_turn
        referenced_hook_keeps_the_run_going
        hooks_move_with_a_growing_loop;
    rust_called:
        hook_is_a_watcher_without_fd
        hook_that_panics_ends_its_dispatch
        hooks_may_remove_each_other;
    kernel: ;
    epoll:
        pollable_fd_tells_of_idle_hooks_alone
        hooks_run_in_the_turns_of_a_foreign_loop;
    simulation: ;
}

fn hook<W: World>(b: &mut Bench<'_, W>, name: &'static str, when: Hook) -> Io {
    hook_then(b, name, when, |_, _| {})
}

fn hook_then<W: World>(
    b: &mut Bench<'_, W>,
    name: &'static str,
    when: Hook,
    action: impl FnMut(&mut Lp<'_, '_, W>, &mut Context<W>) + 'static,
) -> Io {
    let user = b.context.name_then(name, action);
    let io = b.event_loop.hook_add(when, NONE, on_io::<W>, user);
    b.context.ios.insert(name, io.unwrap());
    b.context.io(name)
}

/// One hook of each kind, added so that their order is that of the turn and not of their adding.
fn one_of_each_kind<W: World>(b: &mut Bench<'_, W>) {
    hook(b, "last", Hook::Last);
    hook(b, "idle", Hook::Idle);
    hook(b, "first", Hook::First);
}

/// A turn with its hooks, as one line.
fn turn<W: World>(b: &mut Bench<'_, W>) -> String {
    b.context.log.clear();
    b.quiet_turn(Duration::ZERO).unwrap();
    b.event_loop.verify().expect("sound after a turn");
    // What is called of a hook is called for reading.
    b.context.log.join(", ").replace(" R", "")
}

/// A watcher, a raised bit, a timer, a task and a post, each ready once.
fn something_of_everything<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let remote = b.event_loop.remote();
    let user = b.context.name("post");
    remote.post(on_task::<W>, user).unwrap();
    b.task("task");
    b.io("io", reader, READ | Interest::ONESHOT);
    b.raise_handler("raised", 9, NONE);
    remote.raise(9).unwrap();
    b.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
}

fn hooks_stand_at_both_ends_of_a_turn<W: World>(b: &mut Bench<'_, W>) {
    one_of_each_kind(b);
    something_of_everything(b);
    hook(b, "second last", Hook::Last);
    hook(b, "second", Hook::First);
    hook(b, "second idle", Hook::Idle);
    let all = "first, second, timer, raised, io, task, post, last, second last";
    assert_eq!(turn(b), all);
    let idle = "first, second, idle, second idle, last, second last";
    assert_eq!(turn(b), idle);
    assert_eq!(turn(b), idle);
}

/// By steps it is the same.
fn hooks_run_in_dispatch_alone<W: World>(b: &mut Bench<'_, W>) {
    one_of_each_kind(b);
    something_of_everything(b);
    for expected in [
        "first R, timer, raised R, io R, task, post, last R",
        "first R, idle R, last R",
    ] {
        b.context.log.clear();
        let timeout = b.event_loop.prepare(Duration::FOREVER).unwrap();
        assert_eq!(timeout, Duration::ZERO);
        b.event_loop.wait(timeout).unwrap();
        assert_eq!(b.context.log, [""; 0], "only a dispatch calls");
        b.dispatch().unwrap();
        assert_eq!(b.context.log.join(", "), expected);
    }
    // A dispatch without a wait before it too.
    b.context.log.clear();
    b.dispatch().unwrap();
    assert_eq!(b.context.log.join(", "), "first R, idle R, last R");
}

fn idle_hooks_run_if_nothing_else_does<W: World>(b: &mut Bench<'_, W>) {
    let mut left = 3;
    hook_then(b, "idle", Hook::Idle, move |event_loop, context| {
        left -= 1;
        if left > 0 {
            let user = context.name("task");
            event_loop.task_post(on_task::<W>, user).unwrap();
        }
    });
    for expected in ["idle", "task", "idle", "task", "idle", "idle"] {
        assert_eq!(turn(b), expected);
    }
    // A cancelled task is nothing that is called.
    let task = b.task("task");
    b.event_loop.task_cancel(task).unwrap();
    assert_eq!(turn(b), "idle");
}

fn idle_hook_keeps_the_loop_from_sleeping<W: World>(b: &mut Bench<'_, W>) {
    hook(b, "first", Hook::First);
    hook(b, "last", Hook::Last);
    b.timer("timer", When::After(3_600_000 * MS), Repeat::Never);
    assert!(b.event_loop.prepare(Duration::FOREVER).unwrap() > MS);
    let idle = hook(b, "idle", Hook::Idle);
    assert_eq!(b.event_loop.prepare(Duration::FOREVER), Ok(Duration::ZERO));
    // The whole hour would be slept away otherwise.
    b.context.log.clear();
    b.quiet_turn(Duration::FOREVER).unwrap();
    assert_eq!(b.context.log, ["first R", "idle R", "last R"]);
    b.event_loop.io_remove(idle).unwrap();
    assert!(b.event_loop.prepare(Duration::FOREVER).unwrap() > MS);
}

fn hooks_are_not_limited<W: World>(b: &mut Bench<'_, W>) {
    one_of_each_kind(b);
    something_of_everything(b);
    b.limit(2);
    for expected in [
        "first, timer, raised, last",
        "first, io, task, last",
        "first, post, last",
        "first, idle, last",
    ] {
        assert_eq!(turn(b), expected);
    }
    // Nor by a time that is over at once: one callback at least, and the hooks.
    b.set_limit(Limit {
        callbacks: 0,
        time: Duration::from_nanos(1),
    });
    b.task_then("slow", |_, context| context.world.sleep(MS));
    b.task("task");
    assert_eq!(turn(b), "first, slow, last");
    assert_eq!(turn(b), "first, task, last");
}

fn hooks_are_not_counted<W: World>(b: &mut Bench<'_, W>) {
    one_of_each_kind(b);
    assert_eq!(b.quiet_turn(Duration::ZERO), Ok(0));
    b.task("task");
    assert_eq!(b.quiet_turn(Duration::ZERO), Ok(1));
    let stats = b.event_loop.stats();
    assert_eq!((stats.turns, stats.callbacks), (2, 1));
    assert_eq!((stats.io_used, stats.io_referenced), (3, 3));
}

fn what_a_first_hook_brings_is_of_the_same_dispatch<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("io", reader, READ);
    let user = b.context.name("task");
    let mut left = 1;
    hook_then(b, "first", Hook::First, move |event_loop, _| {
        if left > 0 {
            left -= 1;
            event_loop.io_feed(io, Ready::READ).unwrap();
            event_loop.task_post(on_task::<W>, user).unwrap();
        }
    });
    assert_eq!(turn(b), "first, io, task");
    assert_eq!(turn(b), "first");
}

fn first_hook_of_a_dispatch_that_goes_on_adds_nothing_to_it<W: World>(b: &mut Bench<'_, W>) {
    let user = b.context.name("late");
    for name in ["a", "b", "c"] {
        b.task(name);
    }
    hook_then(b, "first", Hook::First, move |event_loop, _| {
        event_loop.task_post(on_task::<W>, user).unwrap();
    });
    b.limit(3);
    assert_eq!(turn(b), "first, a, b, c");
    assert_eq!(turn(b), "first, late");
    assert_eq!(turn(b), "first, late, late");
}

fn hook_added_in_a_dispatch_waits_for_the_next<W: World>(b: &mut Bench<'_, W>) {
    let user = b.context.name("last");
    // The first hook of the loop, and not the first.
    for _ in 0..2 {
        b.task_then("task", move |event_loop, _| {
            event_loop
                .hook_add(Hook::Last, NONE, on_io::<W>, user)
                .unwrap();
        });
        let before = turn(b).matches("last").count();
        assert_eq!(turn(b).matches("last").count(), before + 1);
    }
}

fn removed_hook_is_not_called<W: World>(b: &mut Bench<'_, W>) {
    one_of_each_kind(b);
    b.task_then("task", |event_loop, context| {
        event_loop.io_remove(context.io("last")).unwrap();
    });
    assert_eq!(turn(b), "first, task");
    assert_eq!(turn(b), "first, idle");
    for name in ["idle", "first"] {
        let io = b.context.io(name);
        b.event_loop.io_remove(io).unwrap();
        assert_eq!(b.event_loop.io_remove(io), Err(Error::ENOENT));
    }
    assert_eq!(turn(b), "");
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().io_used, 0);
}

/// Each of three removes one or two of them, itself included, in each order in which they may
/// stand.
fn hooks_may_remove_each_other<W: World>(b: &mut Bench<'_, W>) {
    const NAMES: [&str; 3] = ["a", "b", "c"];
    for actor in 0..3 {
        for victims in 1..8 {
            let is_victim = move |number: usize| victims >> number & 1 == 1;
            for (number, name) in NAMES.into_iter().enumerate() {
                hook_then(b, name, Hook::First, move |event_loop, context| {
                    for victim in (0..3).filter(|&victim| number == actor && is_victim(victim)) {
                        event_loop.io_remove(context.io(NAMES[victim])).unwrap();
                    }
                });
                // One of another kind stands behind each.
                hook(b, "last", Hook::Last);
            }
            let called = (0..3).filter(|&number| number <= actor || !is_victim(number));
            let expected: Vec<_> = called.map(|number| NAMES[number]).collect();
            assert_eq!(
                turn(b).replace(", last", ""),
                expected.join(", "),
                "{actor} removes {victims:03b}"
            );
            while let Some(Info::Io(info)) = b.event_loop.next_info(None) {
                b.event_loop.io_remove(info.io).unwrap();
                b.event_loop.verify().unwrap();
            }
        }
    }
}

fn hook_that_adds_its_like_does_not_hold_up_the_turn<W: World>(b: &mut Bench<'_, W>) {
    for when in [Hook::First, Hook::Idle, Hook::Last] {
        // Without a slot to spare in the end.
        let user = b.context.name("more");
        hook_then(b, "hook", when, move |event_loop, context| {
            let added = event_loop.hook_add(when, NONE, on_io::<W>, user);
            assert!(matches!(added, Ok(_) | Err(Error::ENOSPC)));
            context.ios.extend(added.ok().map(|io| ("more", io)));
            let mine = context.io("hook");
            event_loop.io_remove(mine).unwrap();
        });
        assert_eq!(turn(b), "hook");
        assert_eq!(turn(b), "more");
        let more = b.context.io("more");
        b.event_loop.io_remove(more).unwrap();
    }
}

fn referenced_hook_keeps_the_run_going<W: World>(b: &mut Bench<'_, W>) {
    let idle = hook_then(b, "idle", Hook::Idle, |event_loop, context| {
        event_loop
            .io_set_reference(context.io("idle"), false)
            .unwrap();
    });
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.context.log, ["idle R"]);
    assert_eq!(b.run(), Ok(Ended::Done), "no turn is made for it alone");
    assert_eq!(b.context.log, ["idle R"]);
    b.event_loop.io_remove(idle).unwrap();
    let user = b.context.name("last");
    b.event_loop
        .hook_add(Hook::Last, Interest::UNREF, on_io::<W>, user)
        .unwrap();
    b.task("task");
    b.context.log.clear();
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.context.log, ["task", "last R"]);
}

fn hook_is_a_watcher_without_fd<W: World>(b: &mut Bench<'_, W>) {
    let io = hook(b, "last", Hook::Last);
    assert_eq!(b.event_loop.io_modify(io, NONE), Err(Error::EINVAL));
    assert_eq!(b.event_loop.io_feed(io, Ready::READ), Err(Error::EINVAL));
    let info = b.event_loop.io_info(io).unwrap();
    assert_eq!(
        (info.hook, info.is_raise_handler),
        (Some(Hook::Last), false)
    );
    assert_eq!(info.fd, Hook::Last as i32);
    let user = b.context.name("other");
    b.event_loop.io_set_callback(io, on_io::<W>, user).unwrap();
    assert_eq!(turn(b), "other");
    // It is nobody's sibling, and no handler: fds and bits with its number are others.
    b.raise_handler("raised", Hook::Last as u32, NONE);
    b.event_loop.remote().raise(Hook::Last as u32).unwrap();
    assert_eq!(turn(b), "raised, other");
    assert_eq!(b.event_loop.fd_closing(Hook::Last as i32), Ok(0));

    for options in [Interest::HIGH, Interest::LOW, Interest::EDGE, READ] {
        let refused = b
            .event_loop
            .hook_add(Hook::First, options, on_io::<W>, user);
        assert_eq!(refused, Err(Error::EINVAL));
    }
    for _ in 2..32 {
        hook(b, "idle", Hook::Idle);
    }
    let refused = b.event_loop.hook_add(Hook::First, NONE, on_io::<W>, user);
    assert_eq!(refused, Err(Error::ENOSPC));
    assert_eq!(turn(b).matches("idle").count(), 30);
}

fn hooks_move_with_a_growing_loop<W: World>(b: &mut Bench<'_, W>) {
    let mut larger = Storage::<40, 32, 32>::new();
    let mut inner = Storage::<8, 8, 8>::new();
    // A bench of its own, which ends before the storage does.
    let mut b = {
        let _ = b;
        Bench::<W>::new(&mut inner)
    };
    one_of_each_kind(&mut b);
    b.event_loop.grow(&mut larger).unwrap();
    assert_eq!(turn(&mut b), "first, idle, last");
    hook(&mut b, "second", Hook::First);
    let first = b.context.io("first");
    b.event_loop.io_remove(first).unwrap();
    assert_eq!(turn(&mut b), "second, idle, last");
}

/// The turn itself is served by the next one.
fn hook_that_panics_ends_its_dispatch<W: World>(b: &mut Bench<'_, W>) {
    for (when, before, after) in [
        (
            Hook::First,
            "bad",
            "first, timer, raised, io, task, post, last",
        ),
        (
            Hook::Last,
            "first, timer, raised, io, task, post, bad",
            "first, last",
        ),
        (Hook::Idle, "first, bad", "first, last"),
    ] {
        let bad = hook_then(b, "bad", when, |_, _| panic!("on purpose"));
        hook(b, "first", Hook::First);
        hook(b, "last", Hook::Last);
        if when != Hook::Idle {
            something_of_everything(b);
        }
        b.context.log.clear();
        let panicking = AssertUnwindSafe(|| b.event_loop.turn(Duration::ZERO, &mut b.context));
        assert!(catch_unwind(panicking).is_err(), "the hook panics");
        b.event_loop.verify().expect("sound after a panic");
        assert_eq!(b.context.log.join(", ").replace(" R", ""), before);
        b.event_loop.io_remove(bad).unwrap();
        assert_eq!(turn(b), after);
        while let Some(Info::Io(info)) = b.event_loop.next_info(None) {
            b.event_loop.io_remove(info.io).unwrap();
        }
    }
}

/// Whoever takes is there himself where a hook would be called.
fn take_hands_over_no_hook<W: World>(b: &mut Bench<'_, W>) {
    one_of_each_kind(b);
    b.task("task");
    let timeout = b.event_loop.prepare(Duration::FOREVER).unwrap();
    b.event_loop.wait(timeout).unwrap();
    assert_eq!(b.take(8), Ok(1));
    assert_eq!(b.take(8), Ok(0));
    assert_eq!(b.context.log, ["task"]);
    // Where there is nothing to take, an idle hook keeps the wait from sleeping all the same.
    assert_eq!(b.event_loop.prepare(Duration::FOREVER), Ok(Duration::ZERO));
    b.event_loop.wait(Duration::ZERO).unwrap();
    assert_eq!(b.take(8), Ok(0));
    assert_eq!(b.context.log, ["task"]);
    // A dispatch that goes on where a take has stopped calls them.
    b.task("a");
    b.task("b");
    b.event_loop.wait(Duration::ZERO).unwrap();
    assert_eq!(b.take(1), Ok(1));
    b.context.log.clear();
    assert_eq!(b.event_loop.dispatch(&mut b.context), 1);
    assert_eq!(b.context.log, ["first R", "b", "last R"]);
}

fn pollable_fd_tells_of_idle_hooks_alone<W: World>(b: &mut Bench<'_, W>) {
    let fd = b.event_loop.pollable_fd().unwrap();
    hook(b, "first", Hook::First);
    hook(b, "last", Hook::Last);
    assert!(!os::is_readable(fd, 0));
    assert_eq!(turn(b), "first, last");
    assert!(!os::is_readable(fd, 0));
    let idle = hook(b, "idle", Hook::Idle);
    for _ in 0..3 {
        assert!(os::is_readable(fd, 0), "shows at once, and stays");
        assert_eq!(turn(b), "first, idle, last");
    }
    b.event_loop.io_remove(idle).unwrap();
    // What was written while it was there may end one turn in vain.
    assert_eq!(turn(b), "first, last");
    assert!(!os::is_readable(fd, 0));
    // What a hook does shows when the dispatch has ended.
    let user = b.context.name("task");
    let mut left = 1;
    hook_then(b, "later", Hook::Last, move |event_loop, _| {
        if left > 0 {
            left -= 1;
            event_loop.task_post(on_task::<W>, user).unwrap();
        }
    });
    assert_eq!(turn(b), "first, last, later");
    assert!(os::is_readable(fd, 0));
    assert_eq!(turn(b), "first, task, last, later");
    assert!(!os::is_readable(fd, 0));
}

fn hooks_run_in_the_turns_of_a_foreign_loop<W: World>(b: &mut Bench<'_, W>) {
    let fd = b.event_loop.pollable_fd().unwrap();
    one_of_each_kind(b);
    let idle = b.context.io("idle");
    b.event_loop.io_remove(idle).unwrap();
    something_of_everything(b);
    assert!(os::is_readable(fd, 1_000));
    assert_eq!(turn(b), "first, timer, raised, io, task, post, last");
    // A turn in vain is a turn.
    assert_eq!(turn(b), "first, last");
    assert!(!os::is_readable(fd, 0));
}
