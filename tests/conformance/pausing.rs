//! Watchers that are paused and resumed, and oneshot watchers: how often the kernel is told, and
//! that nothing is lost by being told less often.

use std::cell::Cell;
use std::rc::Rc;

use pirn::{BackendKind, Instant, Interest, Repeat, When};

use crate::bench::Bench;
use crate::os;
use crate::world::World;

const NONE: Interest = Interest::empty();
const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;
const ONESHOT: Interest = Interest::ONESHOT;

claims! {
    all:
        pausing_and_resuming_take_one_change_each
        oneshot_that_rests_over_a_wait_takes_one_change_at_most
        oneshot_armed_before_the_wait_takes_no_change
        resumed_watcher_is_called_as_long_as_the_fd_is_ready
        event_is_not_lost_when_the_same_interest_is_set_again
        event_is_not_lost_when_the_interest_is_changed_for_a_turn
        event_is_not_lost_when_the_first_watcher_of_the_fd_is_removed
        paused_watcher_can_be_joined
        paused_watcher_can_be_removed
        watcher_resumed_in_a_turn_waits_for_the_next;
    kernel:
        paused_fd_that_is_another_file_is_watched_when_resumed;
    epoll:
        paused_fd_is_found_out_when_it_is_closed
        event_that_nobody_wants_ends_one_wait
        hangup_of_a_paused_fd_ends_one_wait
        rebuilt_set_has_resting_watchers_again;
    simulation: ;
}

fn changes<W: World>(b: &mut Bench<'_, W>) -> u64 {
    b.event_loop.stats().interest_syscalls
}

fn set<W: World>(b: &mut Bench<'_, W>, name: &str, interest: Interest) {
    let io = b.context.io(name);
    b.event_loop.io_modify(io, interest).unwrap();
}

/// Pauses the watcher for a turn. On epoll the kernel then disarms its entry with the next event.
fn rest<W: World>(b: &mut Bench<'_, W>, name: &str, interest: Interest) {
    set(b, name, NONE);
    b.assert_silent();
    set(b, name, interest);
}

/// Adds a watcher, "one", pauses it, and lets the kernel know. Then its peer hangs up.
fn hang_up_on_a_paused_watcher<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io("one", one, READ);
    set(b, "one", NONE);
    b.assert_silent();
    b.context.world.close(other);
}

fn pausing_and_resuming_take_one_change_each<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("r", reader, READ);
    b.assert_silent();
    for round in 0..5 {
        for (interest, most) in [(NONE, 1), (READ, 1)] {
            let before = changes(b);
            set(b, "r", interest);
            b.assert_silent();
            let made = changes(b) - before;
            assert!(
                made <= most,
                "{made} changes for {interest:?} in round {round}"
            );
        }
    }
    b.context.world.write(writer, 1);
    assert_eq!(b.turn(), ["r R"]);
}

/// Also if the wait has found something for it while it was paused: a hang-up cannot be switched
/// off.
fn watcher_resumed_in_a_turn_waits_for_the_next<W: World>(b: &mut Bench<'_, W>) {
    hang_up_on_a_paused_watcher(b);
    let (when, once) = (When::At(Instant::from_nanos(0)), Repeat::Never);
    b.timer_then("resumes", when, once, |event_loop, context| {
        event_loop.io_modify(context.io("one"), READ).unwrap();
    });
    assert_eq!(b.turn(), ["resumes"]);
    assert_eq!(b.turn(), ["one RHP"]);
}

fn oneshot_that_rests_over_a_wait_takes_one_change_at_most<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("once", reader, READ | ONESHOT);
    let is_epoll = W::KIND == BackendKind::Epoll;
    for round in 0..5 {
        let before = changes(b);
        b.context.world.write(writer, 1);
        assert_eq!(b.turn(), ["once R"]);
        b.context.world.read(reader, 1);
        b.assert_silent();
        b.context.world.write(writer, 1);
        b.assert_sleeps();
        b.context.world.read(reader, 1);
        set(b, "once", READ);
        b.assert_silent();
        // Only after the first round is it known that this watcher rests.
        let most = if is_epoll && round > 0 { 1 } else { 2 };
        let made = changes(b) - before;
        assert!(made <= most, "{made} changes in round {round}");
    }
}

fn oneshot_armed_before_the_wait_takes_no_change<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io_then("once", reader, READ | ONESHOT, |event_loop, context| {
        event_loop.io_modify(context.io("once"), READ).unwrap();
    });
    // It rests once, and is armed in time from then on.
    rest(b, "once", READ);
    for _ in 0..3 {
        assert_eq!(b.turn(), ["once R"]);
    }
    let before = changes(b);
    for _ in 0..5 {
        assert_eq!(b.turn(), ["once R"]);
    }
    assert_eq!(changes(b), before);
}

fn resumed_watcher_is_called_as_long_as_the_fd_is_ready<W: World>(b: &mut Bench<'_, W>) {
    for options in [NONE, Interest::HIGH] {
        let (reader, writer) = b.pipe();
        b.io("level", reader, READ | options);
        for _ in 0..3 {
            rest(b, "level", READ);
            b.context.world.write(writer, 1);
            for _ in 0..3 {
                assert_eq!(b.turn(), ["level R"]);
            }
            b.context.world.read(reader, 1);
        }
        b.event_loop.fd_closing(reader).unwrap();
    }
}

/// Two watchers whose fds become ready together, after both have rested. In the first call of all,
/// the other one's interest is set to `interest`.
fn two_ready_at_once<W: World>(b: &mut Bench<'_, W>, interest: Interest) {
    let names = ["one", "other"];
    let is_first = Rc::new(Cell::new(true));
    let writers = names.map(|name| {
        let (here, there) = b.pair();
        let is_first = Rc::clone(&is_first);
        b.io_then(name, here, READ, move |event_loop, context| {
            for other in names.into_iter().filter(|&other| other != name) {
                if is_first.replace(false) {
                    let io = context.io(other);
                    event_loop.io_modify(io, interest).unwrap();
                }
            }
        });
        there
    });
    for interest in [NONE, READ] {
        for name in names {
            set(b, name, interest);
        }
        b.assert_silent();
    }
    for writer in writers {
        b.context.world.write(writer, 1);
    }
}

/// The event of the other one is still to be handed over when its interest is set to what it is.
fn event_is_not_lost_when_the_same_interest_is_set_again<W: World>(b: &mut Bench<'_, W>) {
    two_ready_at_once(b, READ);
    for _ in 0..3 {
        assert_eq!(b.turn_sorted(), ["one R", "other R"]);
    }
}

/// As above, but the event is not handed over, because it is not what the watcher asks for by then.
fn event_is_not_lost_when_the_interest_is_changed_for_a_turn<W: World>(b: &mut Bench<'_, W>) {
    two_ready_at_once(b, Interest::URGENT);
    assert_eq!(b.turn().len(), 1);
    assert_eq!(b.turn().len(), 1);
    for name in ["one", "other"] {
        set(b, name, READ);
    }
    for _ in 0..3 {
        assert_eq!(b.turn_sorted(), ["one R", "other R"]);
    }
}

fn event_is_not_lost_when_the_first_watcher_of_the_fd_is_removed<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io("first", one, READ);
    b.io("second", one, READ);
    for interest in [NONE, READ] {
        set(b, "first", interest);
        set(b, "second", interest);
        b.assert_silent();
    }
    b.context.world.write(other, 1);
    assert_eq!(b.turn(), ["first R", "second R"]);
    let first = b.context.io("first");
    b.event_loop.io_remove(first).unwrap();
    assert_eq!(b.turn(), ["second R"]);
    assert_eq!(b.turn(), ["second R"]);
    set(b, "second", NONE);
    b.assert_sleeps();
    set(b, "second", READ);
    assert_eq!(b.turn(), ["second R"]);
    assert_eq!(b.event_loop.stats().rebuilds, 0);
}

fn paused_watcher_can_be_joined<W: World>(b: &mut Bench<'_, W>) {
    for interest in [NONE, WRITE] {
        let (one, other) = b.pair();
        b.io("paused", one, READ);
        set(b, "paused", NONE);
        b.assert_silent();
        b.io("joined", one, interest);
        b.context.world.write(other, 1);
        if interest == NONE {
            b.assert_sleeps();
        } else {
            assert_eq!(b.turn(), ["joined W"]);
        }
        set(b, "paused", READ);
        let called = b.turn();
        assert!(called.contains(&"paused R".to_owned()), "{called:?}");
        assert_eq!(b.event_loop.fd_closing(one), Ok(2));
    }
}

fn paused_watcher_can_be_removed<W: World>(b: &mut Bench<'_, W>) {
    for rounds in 1..3 {
        let (reader, writer) = b.pipe();
        let io = b.io("r", reader, READ);
        for _ in 0..rounds {
            rest(b, "r", READ);
            b.assert_silent();
            set(b, "r", NONE);
            b.assert_silent();
        }
        b.context.world.write(writer, 1);
        b.event_loop.io_remove(io).unwrap();
        b.assert_sleeps();
        b.io("again", reader, READ);
        assert_eq!(b.turn(), ["again R"]);
        b.event_loop.fd_closing(reader).unwrap();
        assert_eq!(b.event_loop.stats().rebuilds, 0);
    }
}

/// Every backend watches what the number is by then.
fn paused_fd_that_is_another_file_is_watched_when_resumed<W: World>(b: &mut Bench<'_, W>) {
    for has_duplicate in [false, true] {
        let (reader, _writer) = b.pipe();
        b.io("r", reader, READ);
        rest(b, "r", READ);
        b.assert_silent();
        set(b, "r", NONE);
        b.assert_silent();
        let duplicate = has_duplicate.then(|| b.context.world.duplicate(reader));
        b.context.world.close(reader);
        let (fresh, fresh_writer) = os::pipe();
        assert_eq!(os::duplicate_from(fresh, reader), reader);
        set(b, "r", READ);
        b.assert_silent();
        os::write_bytes(fresh_writer, 1);
        assert_eq!(b.turn(), ["r R"]);
        b.event_loop.fd_closing(reader).unwrap();
        for fd in [reader, fresh, fresh_writer].into_iter().chain(duplicate) {
            os::close_fd(fd);
        }
    }
}

fn paused_fd_is_found_out_when_it_is_closed<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    b.io("r", reader, READ);
    rest(b, "r", READ);
    b.assert_silent();
    set(b, "r", NONE);
    b.assert_silent();
    b.context.world.close(reader);
    b.assert_sleeps();
    set(b, "r", READ);
    assert_eq!(b.turn(), ["r I"]);
    b.assert_sleeps();
}

/// A watcher that has rested before is paused without a system call. What becomes ready at its fd
/// then ends one wait, and no second one.
fn event_that_nobody_wants_ends_one_wait<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("r", reader, READ);
    rest(b, "r", READ);
    b.assert_silent();
    let before = changes(b);
    set(b, "r", NONE);
    b.context.world.write(writer, 1);
    let waits = b.event_loop.stats().spurious_wakeups;
    b.assert_sleeps();
    b.context.world.write(writer, 1);
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().spurious_wakeups, waits + 1);
    assert_eq!(changes(b), before);
    set(b, "r", READ);
    assert_eq!(b.turn(), ["r R"]);
    assert_eq!(changes(b), before + 1);
}

/// The mask of an entry cannot switch off hang-ups.
fn hangup_of_a_paused_fd_ends_one_wait<W: World>(b: &mut Bench<'_, W>) {
    hang_up_on_a_paused_watcher(b);
    let waits = b.event_loop.stats().spurious_wakeups;
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().spurious_wakeups, waits + 1);
    set(b, "one", READ);
    assert_eq!(b.turn(), ["one RHP"]);
    // One that was reported before is known: it ends none.
    set(b, "one", NONE);
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().spurious_wakeups, waits + 1);
    set(b, "one", READ);
    assert_eq!(b.turn(), ["one RHP"]);
}

fn rebuilt_set_has_resting_watchers_again<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("disarms", reader, READ);
    rest(b, "disarms", READ);
    b.assert_silent();
    let (paused, paused_writer) = b.pipe();
    b.io("paused", paused, READ);
    set(b, "paused", NONE);
    b.assert_silent();
    // A file that no watcher has any more.
    let (ghost, ghost_writer) = b.pipe();
    let io = b.io("ghost", ghost, READ);
    let duplicate = b.context.world.duplicate(ghost);
    b.context.world.close(ghost);
    b.event_loop.io_remove(io).unwrap();
    b.context.world.write(ghost_writer, 1);
    b.assert_silent();
    assert_eq!(b.event_loop.stats().rebuilds, 1);
    os::close_fd(duplicate);
    for (name, writer) in [("disarms", writer), ("paused", paused_writer)] {
        b.context.world.write(writer, 1);
        set(b, name, READ);
        let called = b.turn();
        assert!(called.contains(&format!("{name} R")), "{called:?}");
    }
    assert_eq!(b.turn_sorted(), ["disarms R", "paused R"]);
}
