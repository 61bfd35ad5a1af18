//! The life of an fd beside that of its watchers: closed, duplicated, numbered anew.

use pirn::{BackendKind, Config, Ended, Error, Instant, Interest, Io, Loop, Storage};

use crate::bench::{Bench, on_io};
use crate::os;
use crate::world::World;

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;

claims! {
    all:
        removed_fd_is_not_reported_again
        watcher_removed_in_the_same_turn_is_not_called
        slot_reused_in_the_same_turn_hears_nothing_of_before
        number_reused_in_the_same_turn_hears_nothing_of_before
        heir_of_a_removed_watcher_waits_for_its_own_turn
        joining_a_ready_fd_waits_for_the_next_turn
        watcher_removes_itself_once
        fd_removed_and_added_in_its_callback_has_a_new_handle
        closing_says_how_many_watchers_there_were
        closing_in_a_callback_silences_all_watchers_of_the_fd
        stale_handles_are_answered
        bad_numbers_are_refused;
    rust:
        loop_that_does_not_ask_for_the_process_works_alike;
    kernel:
        fd_closed_before_it_is_removed_is_removed
        closed_behind_the_back
        one_bad_fd_among_fifty_good_ones_harms_nobody
        closed_number_is_refused
        own_fds_are_refused
        flags_of_fds_are_left_alone
        ghost_of_a_closed_fd_is_silent
        ghost_under_a_reused_number_is_silent
        number_reused_behind_the_back_never_spins
        loop_dropped_with_everything_pending_calls_nothing;
    epoll:
        number_that_is_a_regular_file_now_can_be_joined
        number_that_is_a_regular_file_now_is_lost_to_who_modifies;
    simulation: ;
}

fn loop_that_does_not_ask_for_the_process_works_alike<W: World>(b: &mut Bench<'_, W>) {
    type Watcher = Option<Io>;
    let mut storage = Storage::<1, 0, 2>::new();
    let config = Config {
        no_fork_check: true,
        ..Config::default()
    };
    let world = &b.context.world;
    let mut event_loop: Loop<'_, Watcher, W::Host> =
        world.open((&mut storage).into(), config).unwrap();
    let (reader, writer) = world.pipe();
    world.write(writer, 1);
    let io = event_loop.io_add(
        reader,
        READ,
        |core, watcher: &mut Watcher, event| {
            core.io_remove(event.io).unwrap();
            assert_eq!(watcher.take(), Some(event.io));
        },
        0,
    );
    event_loop.after_fork().unwrap();
    let mut watcher = Some(io.unwrap());
    event_loop.remote().wake().unwrap();
    assert_eq!(event_loop.run(&mut watcher), Ok(Ended::Done));
    assert_eq!(watcher, None);
}

fn removed_fd_is_not_reported_again<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("r", reader, READ);
    assert_eq!(b.turn(), ["r R"]);
    b.event_loop.io_remove(io).unwrap();
    b.assert_silent();
    b.assert_sleeps();
}

/// T32.
fn watcher_removed_in_the_same_turn_is_not_called<W: World>(b: &mut Bench<'_, W>) {
    for (name, other) in [("a", "b"), ("b", "a")] {
        let (reader, _writer) = b.ready_pipe();
        b.io_then(name, reader, READ, move |event_loop, context| {
            event_loop.io_remove(context.io(other)).unwrap();
        });
    }
    assert_eq!(b.turn().len(), 1, "whoever comes first removes the other");
    assert_eq!(b.event_loop.stats().io_used, 1);
}

/// T33.
fn slot_reused_in_the_same_turn_hears_nothing_of_before<W: World>(b: &mut Bench<'_, W>) {
    let (idle, _x) = b.pipe();
    for (name, other) in [("a", "b"), ("b", "a")] {
        let (reader, _writer) = b.ready_pipe();
        b.io_then(name, reader, READ, move |event_loop, context| {
            if event_loop.io_remove(context.io(other)).is_ok() {
                let user = context.name("late");
                event_loop.io_add(idle, READ, on_io::<W>, user).unwrap();
            }
        });
    }
    let called = b.turn();
    assert_eq!(called.len(), 1, "{called:?}");
    let called = b.turn();
    assert_eq!(called.len(), 1, "{called:?}");
    assert_ne!(called, ["late R"]);
}

/// T31.
fn number_reused_in_the_same_turn_hears_nothing_of_before<W: World>(b: &mut Bench<'_, W>) {
    let (reader_a, _x) = b.ready_pipe();
    let (reader_b, _y) = b.ready_pipe();
    for (name, fd, other) in [("a", reader_a, reader_b), ("b", reader_b, reader_a)] {
        b.io_then(name, fd, READ, move |event_loop, context| {
            if event_loop.fd_closing(other) == Ok(1) {
                context.world.close(other);
                let (fresh, _writer) = context.world.pipe();
                assert_eq!(fresh, other, "the number is used again");
                let user = context.name("fresh");
                event_loop.io_add(fresh, READ, on_io::<W>, user).unwrap();
            }
        });
    }
    let first = b.turn();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(b.turn(), first, "only the one that stayed");
}

/// Somebody joins an fd, and the watcher for which it was found ready goes: the new one is not
/// called in this turn.
fn heir_of_a_removed_watcher_waits_for_its_own_turn<W: World>(b: &mut Bench<'_, W>) {
    let (reader_a, _x) = b.ready_pipe();
    let (reader_b, _y) = b.ready_pipe();
    for (name, fd, other, victim) in [
        ("a", reader_a, reader_b, "b"),
        ("b", reader_b, reader_a, "a"),
    ] {
        b.io_then(name, fd, READ, move |event_loop, context| {
            if context.log.len() == 1 && event_loop.stats().turns == 1 {
                let user = context.name("heir");
                event_loop.io_add(other, READ, on_io::<W>, user).unwrap();
                event_loop.io_remove(context.io(victim)).unwrap();
            }
        });
    }
    let first = b.turn();
    assert_eq!(first.len(), 1, "{first:?}");
    let second = b.turn_sorted();
    assert_eq!(second, [&first[0], "heir R"]);
}

fn joining_a_ready_fd_waits_for_the_next_turn<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io_then("old", reader, READ, move |event_loop, context| {
        if event_loop.stats().io_used == 1 {
            let user = context.name("new");
            event_loop.io_add(reader, READ, on_io::<W>, user).unwrap();
        }
    });
    assert_eq!(b.turn(), ["old R"]);
    assert_eq!(b.turn(), ["old R", "new R"]);
}

/// T35.
fn watcher_removes_itself_once<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io_then("r", reader, READ, |event_loop, context| {
        let io = context.io("r");
        assert_eq!(event_loop.io_remove(io), Ok(()));
        assert_eq!(event_loop.io_remove(io), Err(Error::ENOENT));
    });
    assert_eq!(b.turn(), ["r R"]);
    b.assert_silent();
}

/// T35.
fn fd_removed_and_added_in_its_callback_has_a_new_handle<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io_then("r", reader, READ, move |event_loop, context| {
        event_loop.io_remove(context.io("r")).unwrap();
        let user = context.name("again");
        let io = event_loop.io_add(reader, READ, on_io::<W>, user).unwrap();
        assert_ne!(io, context.io("r"));
    });
    assert_eq!(b.turn(), ["r R"]);
    assert_eq!(b.turn(), ["again R"]);
}

fn closing_says_how_many_watchers_there_were<W: World>(b: &mut Bench<'_, W>) {
    let (one, _other) = b.pair();
    assert_eq!(b.event_loop.fd_closing(one), Ok(0));
    let first = b.io("first", one, READ);
    b.io("second", one, WRITE);
    assert_eq!(b.event_loop.fd_closing(one), Ok(2));
    assert_eq!(b.event_loop.io_remove(first), Err(Error::ENOENT));
    assert_eq!(b.event_loop.fd_closing(one), Ok(0));
    assert_eq!(b.event_loop.fd_closing(-1), Err(Error::EBADF));
    assert_eq!(b.event_loop.stats().io_used, 0);
}

fn closing_in_a_callback_silences_all_watchers_of_the_fd<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.context.world.write(other, 1);
    b.io_then("first", one, READ, move |event_loop, context| {
        assert_eq!(event_loop.fd_closing(one), Ok(3));
        context.world.close(one);
    });
    b.io("second", one, READ);
    b.io("third", one, WRITE);
    assert_eq!(b.turn(), ["first R"]);
    b.assert_silent();
}

fn stale_handles_are_answered<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("old", reader, READ);
    b.event_loop.io_remove(io).unwrap();
    let live = b.io("new", reader, READ);
    for stale in [io, pirn::Io::default()] {
        assert_eq!(b.event_loop.io_modify(stale, READ), Err(Error::ENOENT));
        assert_eq!(b.event_loop.io_remove(stale), Err(Error::ENOENT));
        assert_eq!(
            b.event_loop.io_feed(stale, pirn::Ready::READ),
            Err(Error::ENOENT)
        );
        assert_eq!(
            b.event_loop.io_set_reference(stale, true),
            Err(Error::ENOENT)
        );
    }
    assert_eq!(b.event_loop.io_modify(live, WRITE | READ), Ok(()));
}

/// T36.
fn bad_numbers_are_refused<W: World>(b: &mut Bench<'_, W>) {
    let user = b.context.name("never");
    for fd in [-1, i32::MIN] {
        assert_eq!(
            b.event_loop.io_add(fd, READ, on_io::<W>, user),
            Err(Error::EBADF)
        );
    }
    assert_eq!(
        b.event_loop.io_add(i32::MAX, READ, on_io::<W>, user),
        Err(Error::EBADF)
    );
    assert_eq!(b.event_loop.stats().io_used, 0);
    b.assert_silent();
}

/// T25.
fn fd_closed_before_it_is_removed_is_removed<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("r", reader, READ);
    b.context.world.close(reader);
    assert_eq!(b.event_loop.io_remove(io), Ok(()));
    assert_eq!(b.event_loop.stats().io_used, 0);
    b.assert_silent();
    b.assert_sleeps();
}

/// T26.
fn closed_behind_the_back<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let (good, _good_writer) = b.ready_pipe();
    let io = b.io("bad", reader, READ);
    let good_io = b.io("good", good, READ);
    b.context.world.close(reader);
    let called = b.turn_sorted();
    if W::KIND == BackendKind::Epoll {
        // epoll forgets such an fd; the next call that names it is answered.
        assert_eq!(called, ["good R"]);
    } else {
        assert_eq!(called, ["bad I", "good R"]);
    }
    assert_eq!(b.turn(), ["good R"]);
    b.event_loop.io_modify(good_io, Interest::empty()).unwrap();
    b.assert_sleeps();
    b.event_loop.io_modify(io, READ | WRITE).unwrap();
    assert_eq!(b.turn(), ["bad I"]);
    b.assert_sleeps();
    assert_eq!(b.event_loop.io_remove(io), Ok(()));
}

/// T27.
fn one_bad_fd_among_fifty_good_ones_harms_nobody<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = pirn::Storage::<64, 1, 1>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (reader, _writer) = b.ready_pipe();
    for _ in 0..25 {
        let copy = b.context.world.duplicate(reader);
        b.io("good", copy, READ);
    }
    // A duplicate shares its file: epoll would go on reporting a ghost. This one is alone.
    let (bad, _bad_writer) = b.ready_pipe();
    b.io("bad", bad, READ);
    b.context.world.close(bad);
    for _ in 0..3 {
        assert_eq!(
            b.turn().iter().filter(|called| *called == "good R").count(),
            25
        );
    }
}

/// T36.
fn closed_number_is_refused<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    b.context.world.close(reader);
    let user = b.context.name("never");
    for interest in [READ, WRITE, Interest::empty()] {
        assert_eq!(
            b.event_loop.io_add(reader, interest, on_io::<W>, user),
            Err(Error::EBADF)
        );
    }
    assert_eq!(b.event_loop.stats().io_used, 0);
}

/// T37. What is an eventfd or an epoll set in this process is tried: the loop's own ones are among
///     them.
fn own_fds_are_refused<W: World>(b: &mut Bench<'_, W>) {
    let _ = b.event_loop.pollable_fd();
    let user = b.context.name("never");
    let mut refused = 0;
    for fd in 3..1024 {
        let Ok(name) = std::fs::read_link(format!("/proc/self/fd/{fd}")) else {
            continue;
        };
        if !name.to_string_lossy().starts_with("anon_inode:[event") {
            continue;
        }
        match b.event_loop.io_add(fd, READ, on_io::<W>, user) {
            Ok(io) => b.event_loop.io_remove(io).unwrap(),
            Err(error) => refused += u32::from(error == Error::EINVAL),
        }
    }
    let own = if W::KIND == BackendKind::Epoll { 2 } else { 1 };
    assert!(refused >= own, "{refused} of at least {own}");
    assert_eq!(b.event_loop.stats().io_used, 0);
}

/// T39.
fn flags_of_fds_are_left_alone<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    let before = (os::flags(one), os::flags(other));
    let io = b.io("one", one, READ | WRITE);
    b.turn();
    b.event_loop.io_modify(io, READ).unwrap();
    b.turn();
    b.event_loop.io_remove(io).unwrap();
    assert_eq!((os::flags(one), os::flags(other)), before);
}

/// T29.
fn ghost_of_a_closed_fd_is_silent<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("r", reader, READ);
    let _copy = b.context.world.duplicate(reader);
    b.context.world.close(reader);
    b.event_loop.io_remove(io).unwrap();
    b.assert_silent();
    b.assert_sleeps();
}

/// T30.
fn ghost_under_a_reused_number_is_silent<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("old", reader, READ);
    let copy = b.context.world.duplicate(reader);
    b.context.world.close(reader);
    b.event_loop.io_remove(io).unwrap();
    let (fresh, writer) = b.pipe();
    assert_eq!(fresh, reader);
    b.io("fresh", fresh, READ);
    b.assert_silent();
    b.context.world.write(writer, 1);
    assert_eq!(b.turn(), ["fresh R"]);
    // The same number and the same file as the ghost's.
    b.event_loop.fd_closing(fresh).unwrap();
    b.context.world.close(fresh);
    assert_eq!(b.context.world.duplicate(copy), reader);
    b.io("back", reader, READ);
    assert_eq!(b.turn(), ["back R"]);
}

/// The number of a watched fd is closed and used again without a word: whatever is reported, the
/// loop goes on sleeping and serving.
fn number_reused_behind_the_back_never_spins<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("old", reader, READ);
    b.context.world.close(reader);
    let (fresh, writer) = b.pipe();
    assert_eq!(fresh, reader);
    b.assert_sleeps();
    b.event_loop.fd_closing(fresh).unwrap();
    assert_eq!(b.event_loop.io_remove(io), Err(Error::ENOENT));
    b.io("new", fresh, READ);
    b.context.world.write(writer, 1);
    assert_eq!(b.turn(), ["new R"]);
}

/// T40.
fn loop_dropped_with_everything_pending_calls_nothing<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = pirn::Storage::<4, 4, 4>::new();
    for _ in 0..3 {
        let mut b = Bench::<W>::new(&mut storage);
        let (reader, _writer) = b.ready_pipe();
        let must_not = |_: &mut crate::bench::Lp<'_, '_, W>, _: &mut crate::bench::Context<W>| {
            panic!("called")
        };
        b.io_then("io", reader, READ, must_not);
        b.timer_then(
            "timer",
            pirn::When::At(Instant::from_nanos(0)),
            pirn::Repeat::Never,
            must_not,
        );
        b.task_then("task", must_not);
        b.event_loop.verify().unwrap();
    }
}

/// A pipe that is watched, closed behind the back while a duplicate lives and is ready, and whose
/// number is a regular file now.
fn replaced_by_a_file(b: &mut Bench<'_, crate::world::Epoll>) -> i32 {
    use std::os::fd::AsRawFd;
    let (reader, _writer) = b.ready_pipe();
    b.io("old", reader, READ);
    b.context.world.duplicate(reader);
    b.context.world.close(reader);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(b.context.world.duplicate(file.as_raw_fd()), reader);
    reader
}

fn number_that_is_a_regular_file_now_can_be_joined(b: &mut Bench<'_, crate::world::Epoll>) {
    let fd = replaced_by_a_file(b);
    let new = b.io("new", fd, READ);
    assert_eq!(b.turn_sorted(), ["new R", "old I"]);
    assert_eq!(b.turn(), ["new R"]);
    b.event_loop.io_modify(new, Interest::empty()).unwrap();
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().rebuilds, 1);
}

fn number_that_is_a_regular_file_now_is_lost_to_who_modifies(
    b: &mut Bench<'_, crate::world::Epoll>,
) {
    let fd = replaced_by_a_file(b);
    let old = b.context.io("old");
    b.event_loop.io_modify(old, READ | WRITE).unwrap();
    assert_eq!(b.turn(), ["old I"]);
    b.event_loop.io_modify(old, READ).unwrap();
    assert_eq!(b.turn(), ["old R"]);
    assert_eq!(b.turn(), ["old R"]);
    b.event_loop.io_modify(old, Interest::empty()).unwrap();
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().rebuilds, 1);
    assert_eq!(b.event_loop.fd_closing(fd), Ok(1));
}
