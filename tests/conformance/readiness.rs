//! The readiness that is reported for each state of an fd.

use pirn::{Duration, Error, Instant, Interest, Ready};

use crate::bench::Bench;
use crate::world::World;

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;

claims! {
    all:
        readable_is_reported_while_it_lasts
        end_of_a_pipe_is_read_and_hangup
        last_byte_and_end_of_a_pipe_come_together
        writer_of_a_broken_pipe_is_told
        writer_of_a_full_broken_pipe_is_told
        full_pipe_is_not_writable
        half_closed_peer_is_reported_to_readers
        both_halves_closed_is_a_hangup
        closed_peer_is_read_write_and_hangup
        closed_peer_that_left_data_unread_is_an_error
        paused_watcher_never_wakes_the_loop
        interest_that_ends_as_it_began_costs_nothing
        modified_interest_counts_from_the_next_turn
        several_watchers_share_an_fd
        options_of_a_shared_fd_must_agree
        duplicates_are_watched_apart
        oneshot_reports_once_and_rests_until_modified
        oneshot_armed_in_its_callback_reports_again
        fed_readiness_is_reported_in_the_next_turn
        fed_and_found_readiness_are_one_call
        fed_readiness_is_cut_to_the_interest
        feeding_itself_ends_the_turn
        feeding_refuses_what_it_cannot_report
        readiness_that_vanished_is_not_reported
        readiness_is_a_hint
        interest_that_is_not_one_is_refused;
    kernel: ;
    epoll: ;
    simulation:
        spurious_readiness_is_handed_on
        refusal_of_a_host_is_passed_on;
}

/// T1.
fn readable_is_reported_while_it_lasts<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("r", reader, READ);
    b.assert_silent();
    b.context.world.write(writer, 1);
    assert_eq!(b.turn(), ["r R"]);
    assert_eq!(b.turn(), ["r R"]);
    b.context.world.read(reader, 1);
    b.assert_silent();
}

/// T2.
fn end_of_a_pipe_is_read_and_hangup<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("r", reader, READ);
    b.context.world.close(writer);
    assert_eq!(b.turn(), ["r RH"]);
}

/// T3.
fn last_byte_and_end_of_a_pipe_come_together<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.ready_pipe();
    b.io("r", reader, READ);
    b.context.world.close(writer);
    assert_eq!(b.turn(), ["r RH"]);
    assert_eq!(b.context.world.read(reader, 10), 1);
    assert_eq!(b.turn(), ["r RH"]);
    assert_eq!(b.context.world.read(reader, 10), 0);
}

/// T4.
fn writer_of_a_broken_pipe_is_told<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("w", writer, WRITE);
    b.context.world.close(reader);
    assert_eq!(b.turn(), ["w WE"]);
}

/// T5.
fn writer_of_a_full_broken_pipe_is_told<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.context.world.fill(writer);
    b.io("w", writer, WRITE);
    b.assert_silent();
    b.context.world.close(reader);
    assert_eq!(b.turn(), ["w WE"]);
    assert_eq!(b.turn(), ["w WE"]);
}

fn full_pipe_is_not_writable<W: World>(b: &mut Bench<'_, W>) {
    let (reader, writer) = b.pipe();
    b.io("w", writer, WRITE);
    assert_eq!(b.turn(), ["w W"]);
    b.context.world.fill(writer);
    b.assert_silent();
    b.context.world.drain(reader);
    assert_eq!(b.turn(), ["w W"]);
}

/// T6. The list allows select to miss it; pirn's asks poll and does not.
fn half_closed_peer_is_reported_to_readers<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io("one", one, READ | WRITE);
    assert_eq!(b.turn(), ["one W"]);
    b.context.world.shutdown(other);
    assert_eq!(b.turn(), ["one RWP"]);
    let io = b.context.io("one");
    b.event_loop.io_modify(io, WRITE).unwrap();
    assert_eq!(b.turn(), ["one W"]);
    b.event_loop.io_modify(io, READ).unwrap();
    assert_eq!(b.turn(), ["one RP"]);
}

fn both_halves_closed_is_a_hangup<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io("one", one, WRITE);
    b.context.world.shutdown(one);
    assert_eq!(b.turn(), ["one W"]);
    b.context.world.shutdown(other);
    assert_eq!(b.turn(), ["one WH"]);
}

/// T7.
fn closed_peer_is_read_write_and_hangup<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io("one", one, READ | WRITE);
    b.context.world.close(other);
    assert_eq!(b.turn(), ["one RWHP"]);
}

/// T7.
fn closed_peer_that_left_data_unread_is_an_error<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io("one", one, READ);
    b.context.world.write(one, 1);
    b.context.world.close(other);
    assert_eq!(b.turn(), ["one REHP"]);
    assert_eq!(b.context.world.read(one, 1), crate::os::ECONNRESET);
    assert_eq!(b.turn(), ["one RHP"]);
    assert_eq!(b.context.world.read(one, 1), 0);
}

/// T20.
fn paused_watcher_never_wakes_the_loop<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    let io = b.io("one", one, READ | WRITE);
    b.context.world.write(one, 1);
    b.context.world.close(other);
    assert_eq!(b.turn(), ["one RWEHP"]);
    b.event_loop.io_modify(io, Interest::empty()).unwrap();
    b.assert_sleeps();
    b.event_loop.io_modify(io, READ).unwrap();
    assert_eq!(b.turn(), ["one REHP"]);
}

/// T21.
fn interest_that_ends_as_it_began_costs_nothing<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.io_then("one", one, READ, |event_loop, context| {
        for interest in [WRITE, READ | WRITE, Interest::empty(), READ] {
            event_loop.io_modify(context.io("one"), interest).unwrap();
        }
    });
    b.context.world.write(other, 1);
    let before = b.event_loop.stats().interest_syscalls;
    assert_eq!(b.turn(), ["one R"]);
    assert_eq!(b.turn(), ["one R"]);
    assert_eq!(b.event_loop.stats().interest_syscalls, before);
}

fn modified_interest_counts_from_the_next_turn<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.context.world.write(other, 1);
    let io = b.io("one", one, READ);
    assert_eq!(b.turn(), ["one R"]);
    b.event_loop.io_modify(io, WRITE).unwrap();
    assert_eq!(b.turn(), ["one W"]);
    b.event_loop.io_modify(io, READ | WRITE).unwrap();
    assert_eq!(b.turn(), ["one RW"]);
}

fn several_watchers_share_an_fd<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.context.world.write(other, 1);
    let reader = b.io("reader", one, READ);
    b.io("writer", one, WRITE);
    b.io("both", one, READ | WRITE);
    assert_eq!(b.turn(), ["reader R", "writer W", "both RW"]);
    b.event_loop.io_remove(reader).unwrap();
    assert_eq!(b.turn(), ["writer W", "both RW"]);
    let both = b.context.io("both");
    b.event_loop.io_modify(both, Interest::empty()).unwrap();
    assert_eq!(b.turn(), ["writer W"]);
    assert_eq!(b.event_loop.fd_closing(one), Ok(2));
    b.assert_silent();
}

fn options_of_a_shared_fd_must_agree<W: World>(b: &mut Bench<'_, W>) {
    let (one, _) = b.pair();
    b.io("plain", one, READ);
    let user = b.context.name("never");
    for options in [Interest::EDGE, Interest::EXCLUSIVE] {
        let refused = b
            .event_loop
            .io_add(one, READ | options, crate::bench::on_io::<W>, user)
            .unwrap_err();
        let is_epoll = W::KIND == pirn::BackendKind::Epoll;
        assert_eq!(
            refused,
            if is_epoll {
                Error::EINVAL
            } else {
                Error::EOPNOTSUPP
            }
        );
    }
    assert_eq!(b.event_loop.stats().io_used, 1);
}

/// T23.
fn duplicates_are_watched_apart<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let copy = b.context.world.duplicate(reader);
    b.io("original", reader, READ);
    b.io("copy", copy, READ);
    assert_eq!(b.turn_sorted(), ["copy R", "original R"]);
}

/// T19.
fn oneshot_reports_once_and_rests_until_modified<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("once", reader, READ | Interest::ONESHOT);
    assert_eq!(b.turn(), ["once R"]);
    b.assert_sleeps();
    b.event_loop.io_modify(io, READ).unwrap();
    assert_eq!(b.turn(), ["once R"]);
    b.assert_silent();
}

/// T19.
fn oneshot_armed_in_its_callback_reports_again<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io_then(
        "once",
        reader,
        READ | Interest::ONESHOT,
        |event_loop, context| {
            event_loop.io_modify(context.io("once"), READ).unwrap();
        },
    );
    let before = b.event_loop.stats().interest_syscalls;
    for _ in 0..3 {
        assert_eq!(b.turn(), ["once R"]);
    }
    assert_eq!(b.event_loop.stats().interest_syscalls, before);
}

fn fed_readiness_is_reported_in_the_next_turn<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("r", reader, READ);
    b.event_loop.io_feed(io, Ready::READ).unwrap();
    assert_eq!(b.turn_for(pirn::Duration::FOREVER), ["r R"]);
    b.assert_silent();
    b.event_loop.io_feed(io, Ready::HANGUP).unwrap();
    assert_eq!(b.turn(), ["r RH"]);
    // From a callback it is the next dispatch too.
    b.timer_then(
        "feeds",
        pirn::When::At(Instant::from_nanos(0)),
        pirn::Repeat::Never,
        |event_loop, context| {
            event_loop.io_feed(context.io("r"), Ready::READ).unwrap();
        },
    );
    assert_eq!(b.turn(), ["feeds"]);
    assert_eq!(b.turn(), ["r R"]);
}

fn fed_and_found_readiness_are_one_call<W: World>(b: &mut Bench<'_, W>) {
    let (one, _other) = b.pair();
    let io = b.io("one", one, READ | WRITE);
    b.event_loop.io_feed(io, Ready::READ).unwrap();
    assert_eq!(b.turn(), ["one RW"]);
    assert_eq!(b.turn(), ["one W"]);
}

fn fed_readiness_is_cut_to_the_interest<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("r", reader, READ);
    b.event_loop.io_feed(io, Ready::WRITE).unwrap();
    b.assert_silent();
    b.event_loop.io_modify(io, Interest::empty()).unwrap();
    b.event_loop
        .io_feed(io, Ready::READ | Ready::HANGUP)
        .unwrap();
    b.assert_silent();
    b.assert_sleeps();
}

/// TT62, for fed readiness: a callback that feeds its own watcher is called again, but not in the
/// same turn.
fn feeding_itself_ends_the_turn<W: World>(b: &mut Bench<'_, W>) {
    let (one, _other) = b.pair();
    let mut calls = 0;
    b.io_then("one", one, WRITE, move |event_loop, context| {
        calls += 1;
        assert!(calls < 20, "the turn does not end");
        event_loop.io_feed(context.io("one"), Ready::WRITE).unwrap();
    });
    for _ in 0..3 {
        assert_eq!(b.turn(), ["one W"]);
    }
}

fn feeding_refuses_what_it_cannot_report<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("r", reader, READ);
    let raised = b.raise_handler("raised", 3, Interest::empty());
    for ready in [Ready::empty(), Ready::INVALID, Ready::READ | Ready::INVALID] {
        assert_eq!(b.event_loop.io_feed(io, ready), Err(Error::EINVAL));
    }
    assert_eq!(
        b.event_loop.io_feed(raised, Ready::READ),
        Err(Error::EINVAL)
    );
    b.event_loop.io_remove(io).unwrap();
    assert_eq!(b.event_loop.io_feed(io, Ready::READ), Err(Error::ENOENT));
    b.assert_silent();
}

/// Readiness that an earlier callback has removed from the interest is not reported.
fn readiness_that_vanished_is_not_reported<W: World>(b: &mut Bench<'_, W>) {
    let (a, _x) = b.ready_pipe();
    let (c, _y) = b.ready_pipe();
    for (name, fd, victim) in [("a", a, "c"), ("c", c, "a")] {
        b.io_then(name, fd, READ, move |event_loop, context| {
            event_loop
                .io_modify(context.io(victim), Interest::empty())
                .unwrap();
        });
    }
    assert_eq!(b.turn().len(), 1, "whoever comes first silences the other");
    assert_eq!(b.turn().len(), 1);
}

/// T18. Both watchers of a pipe are told of its one byte, and one of them reads it.
fn readiness_is_a_hint<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    let copy = b.context.world.duplicate(reader);
    for (name, fd) in [("one", reader), ("other", copy)] {
        b.io_then(name, fd, READ, move |_, context| {
            let count = context.world.read(fd, 1);
            context.log.push(format!("read {count}"));
        });
    }
    b.context.log.clear();
    b.quiet_turn(Duration::ZERO).unwrap();
    let mut log = std::mem::take(&mut b.context.log);
    log.sort();
    let would_block = format!("read -{}", Error::EAGAIN.errno());
    assert_eq!(log, ["one R", "other R", &would_block, "read 1"]);
    b.assert_silent();
}

/// T114.
fn interest_that_is_not_one_is_refused<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let user = b.context.name("never");
    let bad = [
        Interest::from_bits_retain(8),
        READ | Interest::from_bits_retain(0x8000_0000),
        READ | Interest::HIGH | Interest::LOW,
        READ | Interest::ONESHOT | Interest::EXCLUSIVE,
    ];
    for interest in bad {
        assert_eq!(
            b.event_loop
                .io_add(reader, interest, crate::bench::on_io::<W>, user),
            Err(Error::EINVAL)
        );
    }
    let io = b.io("r", reader, READ);
    for interest in [
        READ | Interest::ONESHOT,
        Interest::UNREF,
        Interest::from_bits_retain(8),
    ] {
        assert_eq!(b.event_loop.io_modify(io, interest), Err(Error::EINVAL));
    }
    assert_eq!(b.event_loop.stats().io_used, 1);
}

/// T18. The core hands over what it is told; it neither reads nor blocks itself.
fn spurious_readiness_is_handed_on(b: &mut Bench<'_, crate::world::Simulation>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("r", reader, READ);
    b.event_loop.io_feed(io, Ready::READ).unwrap();
    assert_eq!(b.turn(), ["r R"]);
    assert_eq!(b.context.world.read(reader, 1), crate::os::EAGAIN);
    b.assert_silent();
}

/// Any error of a host is passed on, also `EPERM`, which has a special meaning only for epoll.
fn refusal_of_a_host_is_passed_on(_: &mut Bench<'_, crate::world::Simulation>) {
    for errno in 1..134 {
        let mut storage = pirn::Storage::<4, 1, 1>::new();
        let mut b = Bench::<crate::world::Simulation>::new(&mut storage);
        let (fed, _writer) = b.ready_pipe();
        let (paused, _writer) = b.ready_pipe();
        let (refused, _writer) = b.ready_pipe();
        let fed = b.io("fed", fed, WRITE);
        let paused = b.io("paused", paused, Interest::empty());
        b.context.world.refuse(Error::from_errno(errno));
        let user = b.context.name("refused");
        assert_eq!(
            b.event_loop.io_add(
                refused,
                READ,
                crate::bench::on_io::<crate::world::Simulation>,
                user
            ),
            Err(Error::from_errno(errno))
        );
        b.event_loop.io_modify(fed, READ).unwrap();
        b.event_loop.io_modify(paused, READ).unwrap();
        assert_eq!(b.turn_sorted(), ["fed I", "paused I"], "{errno}");
        b.assert_silent();
    }
}
