//! What a host is asked: only a simulation can say these things.

use pirn::{Capabilities, Duration, Ended, Error, Interest, Storage};

use crate::bench::{Bench, on_io, on_task};
use crate::world::{Simulation, World};

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;

claims! {
    all: ;
    kernel: ;
    epoll: ;
    simulation:
        host_is_passed_the_options_of_a_watcher
        host_is_passed_the_options_of_all_watchers_of_an_fd
        host_is_asked_for_edges_only_if_it_can
        host_arms_an_edge_again_with_each_modify
        host_cannot_give_a_pollable_fd
        host_may_post_and_raise_in_its_wait
        host_may_stop_the_run_in_its_wait;
}

type B<'s> = Bench<'s, Simulation>;

fn host_is_passed_the_options_of_a_watcher(b: &mut B<'_>) {
    for options in [
        Interest::empty(),
        Interest::HIGH,
        Interest::LOW | Interest::UNREF,
        Interest::ONESHOT,
    ] {
        let (reader, writer) = b.pipe();
        let io = b.io("io", reader, READ | options);
        assert_eq!(b.context.world.watch_calls(), [(reader, READ | options)]);
        b.event_loop.io_modify(io, Interest::empty()).unwrap();
        b.assert_silent();
        b.event_loop.io_modify(io, READ).unwrap();
        b.assert_silent();
        let expected = [(reader, Interest::empty()), (reader, READ | options)];
        assert_eq!(b.context.world.watch_calls(), expected);
        b.event_loop.io_remove(io).unwrap();
        assert_eq!(b.context.world.watch_calls(), [expected[0]]);
        b.context.world.close(reader);
        b.context.world.close(writer);
    }
}

fn host_is_passed_the_options_of_all_watchers_of_an_fd(b: &mut B<'_>) {
    let (one, _other) = b.pair();
    let high = b.io("high", one, READ | Interest::HIGH);
    let low = b.io("low", one, READ | Interest::LOW);
    let writer = b.io("writer", one, WRITE);
    let priorities = Interest::HIGH | Interest::LOW;
    let expected = [
        (one, READ | Interest::HIGH),
        (one, READ | priorities),
        (one, READ | WRITE | priorities),
    ];
    assert_eq!(b.context.world.watch_calls(), expected);
    b.event_loop.io_remove(writer).unwrap();
    assert_eq!(b.context.world.watch_calls(), [expected[1]]);
    // The handle of the fd's first watcher is gone: the host is asked again.
    b.event_loop.io_remove(high).unwrap();
    assert_eq!(b.context.world.watch_calls(), [(one, READ | Interest::LOW)]);
    b.event_loop.io_remove(low).unwrap();
    assert_eq!(b.context.world.watch_calls(), [(one, Interest::empty())]);
}

fn host_is_asked_for_edges_only_if_it_can(b: &mut B<'_>) {
    for (option, capability) in [
        (Interest::EDGE, Capabilities::EDGE),
        (Interest::EXCLUSIVE, Capabilities::EXCLUSIVE),
    ] {
        let (reader, _writer) = b.pipe();
        assert!(!b.event_loop.capabilities().contains(capability));
        let user = b.context.name("refused");
        let refused = b
            .event_loop
            .io_add(reader, READ | option, on_io::<Simulation>, user);
        assert_eq!(refused, Err(Error::EOPNOTSUPP));
        assert_eq!(b.context.world.watch_calls(), []);
        b.context.world.can(capability);
        assert!(b.event_loop.capabilities().contains(capability));
        b.io("accepted", reader, READ | option);
        assert_eq!(b.context.world.watch_calls(), [(reader, READ | option)]);
    }
}

fn host_arms_an_edge_again_with_each_modify(b: &mut B<'_>) {
    b.context.world.can(Capabilities::EDGE);
    let (reader, _writer) = b.pipe();
    let io = b.io("edge", reader, READ | Interest::EDGE);
    for _ in 0..2 {
        assert_eq!(
            b.context.world.watch_calls(),
            [(reader, READ | Interest::EDGE)]
        );
        b.event_loop.io_modify(io, READ).unwrap();
        b.assert_silent();
    }
}

fn host_cannot_give_a_pollable_fd(b: &mut B<'_>) {
    b.context.world.can(Capabilities::FD);
    assert_eq!(b.event_loop.capabilities(), Capabilities::NANOSECONDS);
    assert_eq!(b.event_loop.pollable_fd(), Err(Error::EOPNOTSUPP));
}

/// A loop that lives as long as the host's waits: for ever.
fn forever() -> B<'static> {
    Bench::new(Box::leak(Box::new(Storage::<1, 1, 4>::new())))
}

/// What a host posts and raises while it waits ends that wait, and is called in the turn that
/// waits.
fn host_may_post_and_raise_in_its_wait(_: &mut B<'_>) {
    let mut b = forever();
    b.raise_handler("raised", 5, Interest::empty());
    for limit in [Duration::ZERO, Duration::from_millis(1), Duration::FOREVER] {
        let begun = b.context.world.now();
        let remote = b.event_loop.remote();
        let user = b.context.name("posted");
        b.context.world.during_next_wait(move || {
            remote.post(on_task::<Simulation>, user).unwrap();
            remote.raise(5).unwrap();
        });
        assert_eq!(b.turn_for(limit), ["raised R", "posted"]);
        assert_eq!(b.context.world.now(), begun);
        b.assert_silent();
    }
}

fn host_may_stop_the_run_in_its_wait(_: &mut B<'_>) {
    let mut b = forever();
    b.event_loop.hold().unwrap();
    let remote = b.event_loop.remote();
    b.context
        .world
        .during_next_wait(move || remote.stop().unwrap());
    assert_eq!(b.event_loop.run(&mut b.context), Ok(Ended::Stopped));
}
