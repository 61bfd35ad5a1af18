//! What other threads may do: post, raise, wake and stop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pirn::{Duration, Ended, Error, Instant, Interest, Limit, Storage};

use crate::bench::{Bench, on_task};
use crate::world::World;

claims! {
    all:
        posts_run_once_in_order
        post_made_in_a_post_waits_for_the_next_turn
        full_mailbox_refuses_and_keeps_what_it_has
        full_mailbox_of_few_places_has_room_in_the_callback_of_a_post
        full_mailbox_has_room_at_the_latest_after_the_turn
        wake_before_the_wait_ends_it_and_only_that_one
        wake_during_the_wait_ends_it
        wake_during_dispatch_ends_the_next_wait
        stop_before_the_run_ends_it
        stop_during_the_wait_ends_the_run
        stop_in_a_callback_ends_the_run_after_the_turn
        stop_leaves_the_next_run_alone
        raised_bit_is_one_call
        raised_bits_are_served_lowest_first
        bit_raised_in_its_handler_comes_next_turn
        bit_raised_before_its_handler_does_not_spin
        raise_refuses_what_is_no_bit
        removed_handler_is_not_called
        many_wakes_are_one_turn;
    rust:
        every_post_of_four_threads_runs_once
        remote_that_outlives_the_loop_is_refused;
    kernel: ;
    epoll: ;
    simulation: ;
}

const PAUSE: Duration = Duration::from_millis(20);

fn posts_run_once_in_order<W: World>(b: &mut Bench<'_, W>) {
    let remote = b.event_loop.remote();
    for name in ["a", "b", "c"] {
        let user = b.context.name(name);
        remote.post(on_task::<W>, user).unwrap();
    }
    assert_eq!(b.turn_for(Duration::FOREVER), ["a", "b", "c"]);
    b.assert_silent();
}

fn post_made_in_a_post_waits_for_the_next_turn<W: World>(b: &mut Bench<'_, W>) {
    let outer = b.context.name_then("outer", |event_loop, context| {
        let user = context.name("inner");
        event_loop.remote().post(on_task::<W>, user).unwrap();
    });
    b.event_loop.remote().post(on_task::<W>, outer).unwrap();
    assert_eq!(b.turn(), ["outer"]);
    assert_eq!(b.turn_for(Duration::FOREVER), ["inner"]);
}

/// T61.
fn full_mailbox_refuses_and_keeps_what_it_has<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 5>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let remote = b.event_loop.remote();
    let capacity = b.event_loop.stats().remote_capacity;
    assert_eq!(capacity, 3, "half the tasks, rounded up");
    for round in 1..4 {
        for name in ["a", "b", "c"] {
            let user = b.context.name(name);
            remote.post(on_task::<W>, user).unwrap();
        }
        assert_eq!(remote.post(on_task::<W>, 0), Err(Error::EAGAIN));
        assert_eq!(b.event_loop.stats().remote_refused, round);
        assert_eq!(b.turn(), ["a", "b", "c"]);
    }
    assert_eq!(b.event_loop.stats().remote_posts, 9);
}

fn full_mailbox_of_few_places_has_room_in_the_callback_of_a_post<W: World>(_: &mut Bench<'_, W>) {
    assert_room_in_callbacks::<W, 2>();
    assert_room_in_callbacks::<W, 30>();
}

/// In each callback there is room for one more post.
fn assert_room_in_callbacks<W: World, const TASKS: usize>() {
    let mut storage = Storage::<0, 0, TASKS>::new();
    let mut b = Bench::<W>::new(&mut storage);
    for _ in 0..3 {
        let posts = fill(&mut b, 1);
        assert_eq!(b.turn().len(), posts);
        assert_eq!(b.turn(), vec!["inner"; posts]);
        b.assert_silent();
    }
}

fn full_mailbox_has_room_at_the_latest_after_the_turn<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 0, 200>::new();
    let mut b = Bench::<W>::new(&mut storage);
    for limit in [0, 1, 7, 12, 13, 99] {
        b.event_loop.set_limit(Limit {
            callbacks: limit,
            ..Limit::default()
        });
        let posts = fill(&mut b, 0);
        let mut called = 0;
        while called < posts {
            called += b.turn().len();
        }
        b.event_loop.verify().unwrap();
        assert_eq!(b.event_loop.stats().remote_used, 0);
    }
}

/// Fills the mailbox, and returns with how many posts. Each of them posts so many more when it is
/// called, for which there must be room.
fn fill<W: World>(b: &mut Bench<'_, W>, more: usize) -> usize {
    let posts = b.event_loop.stats().remote_capacity as usize;
    for _ in 0..posts {
        let user = b.context.name_then("outer", move |event_loop, context| {
            for _ in 0..more {
                let user = context.name("inner");
                event_loop.remote().post(on_task::<W>, user).unwrap();
            }
        });
        b.event_loop.remote().post(on_task::<W>, user).unwrap();
    }
    assert_eq!(
        b.event_loop.remote().post(on_task::<W>, 0),
        Err(Error::EAGAIN)
    );
    posts
}

/// T67.
fn wake_before_the_wait_ends_it_and_only_that_one<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.remote().wake().unwrap();
    assert_eq!(b.turn_for(Duration::FOREVER), [""; 0]);
    b.assert_sleeps();
}

/// T67.
fn wake_during_the_wait_ends_it<W: World>(b: &mut Bench<'_, W>) {
    let remote = b.event_loop.remote();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(PAUSE.into());
            remote.wake().unwrap();
        });
        assert_eq!(b.turn_for(Duration::FOREVER), [""; 0]);
    });
    b.assert_sleeps();
}

/// T67.
fn wake_during_dispatch_ends_the_next_wait<W: World>(b: &mut Bench<'_, W>) {
    b.task_then("wakes", |event_loop, _| event_loop.remote().wake().unwrap());
    assert_eq!(b.turn(), ["wakes"]);
    assert_eq!(b.turn_for(Duration::FOREVER), [""; 0]);
    b.assert_sleeps();
}

/// T67.
fn stop_before_the_run_ends_it<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.hold().unwrap();
    b.event_loop.remote().stop().unwrap();
    assert_eq!(b.run(), Ok(Ended::Stopped));
}

/// T67.
fn stop_during_the_wait_ends_the_run<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.hold().unwrap();
    let remote = b.event_loop.remote();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(PAUSE.into());
            remote.stop().unwrap();
        });
        assert_eq!(b.run(), Ok(Ended::Stopped));
    });
    b.assert_sleeps();
}

/// T92.
fn stop_in_a_callback_ends_the_run_after_the_turn<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.hold().unwrap();
    b.timer_then(
        "stops",
        pirn::When::At(Instant::from_nanos(0)),
        pirn::Repeat::Never,
        |event_loop, _| event_loop.remote().stop().unwrap(),
    );
    b.timer(
        "timer",
        pirn::When::At(Instant::from_nanos(1)),
        pirn::Repeat::Never,
    );
    b.task_then("posts", |event_loop, context| {
        let user = context.name("later");
        event_loop.task_post(on_task::<W>, user).unwrap();
    });
    assert_eq!(b.run(), Ok(Ended::Stopped));
    assert_eq!(b.context.log, ["stops", "timer", "posts"]);
    assert_eq!(b.turn(), ["later"]);
}

fn stop_leaves_the_next_run_alone<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.remote().stop().unwrap();
    b.event_loop.remote().stop().unwrap();
    b.task("task");
    assert_eq!(b.run(), Ok(Ended::Stopped));
    assert_eq!(b.context.log, [""; 0]);
    assert_eq!(b.run(), Ok(Ended::Done));
    assert_eq!(b.context.log, ["task"]);
    b.assert_sleeps();
}

/// T80.
fn raised_bit_is_one_call<W: World>(b: &mut Bench<'_, W>) {
    b.raise_handler("raised", 7, Interest::empty());
    let remote = b.event_loop.remote();
    for _ in 0..3 {
        remote.raise(7).unwrap();
    }
    assert_eq!(b.turn_for(Duration::FOREVER), ["raised R"]);
    b.assert_silent();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(PAUSE.into());
            remote.raise(7).unwrap();
        });
        // The wait may end before the bit is seen: what matters is that it comes.
        while b.turn_for(Duration::FOREVER).is_empty() {}
    });
    b.assert_sleeps();
}

fn raised_bits_are_served_lowest_first<W: World>(b: &mut Bench<'_, W>) {
    for (name, bit) in [("63", 63), ("0", 0), ("31", 31), ("32", 32)] {
        b.raise_handler(name, bit, Interest::empty());
    }
    for bit in [63, 32, 0, 31] {
        b.event_loop.remote().raise(bit).unwrap();
    }
    assert_eq!(b.turn(), ["0 R", "31 R", "32 R", "63 R"]);
}

fn bit_raised_in_its_handler_comes_next_turn<W: World>(b: &mut Bench<'_, W>) {
    let user = b.context.name_then("raised", |event_loop, _| {
        event_loop.remote().raise(1).unwrap()
    });
    b.event_loop
        .raise_add(1, Interest::empty(), crate::bench::on_io::<W>, user)
        .unwrap();
    b.event_loop.remote().raise(1).unwrap();
    for _ in 0..4 {
        assert_eq!(b.turn_for(Duration::FOREVER), ["raised R"]);
    }
}

fn bit_raised_before_its_handler_does_not_spin<W: World>(b: &mut Bench<'_, W>) {
    b.event_loop.remote().raise(5).unwrap();
    assert_eq!(b.turn_for(Duration::FOREVER), [""; 0]);
    b.assert_sleeps();
}

fn raise_refuses_what_is_no_bit<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(b.event_loop.remote().raise(64), Err(Error::EINVAL));
    assert_eq!(b.event_loop.remote().raise(u32::MAX), Err(Error::EINVAL));
    let user = b.context.name("never");
    let on_io = crate::bench::on_io::<W>;
    assert_eq!(
        b.event_loop.raise_add(64, Interest::empty(), on_io, user),
        Err(Error::EINVAL)
    );
    for options in [
        Interest::READ,
        Interest::ONESHOT,
        Interest::EDGE,
        Interest::HIGH | Interest::LOW,
    ] {
        assert_eq!(
            b.event_loop.raise_add(2, options, on_io, user),
            Err(Error::EINVAL)
        );
    }
    let io = b.raise_handler("two", 2, Interest::HIGH);
    assert_eq!(
        b.event_loop.raise_add(2, Interest::empty(), on_io, user),
        Err(Error::EEXIST)
    );
    assert_eq!(
        b.event_loop.io_modify(io, Interest::READ),
        Err(Error::EINVAL)
    );
    assert_eq!(b.event_loop.stats().io_used, 1);
}

fn removed_handler_is_not_called<W: World>(b: &mut Bench<'_, W>) {
    let one = b.raise_handler("one", 1, Interest::empty());
    let user = b.context.name_then("zero", move |event_loop, _| {
        event_loop.io_remove(one).unwrap()
    });
    b.event_loop
        .raise_add(0, Interest::empty(), crate::bench::on_io::<W>, user)
        .unwrap();
    b.event_loop.remote().raise(1).unwrap();
    b.event_loop.remote().raise(0).unwrap();
    assert_eq!(b.turn(), ["zero R"]);
    assert_eq!(b.event_loop.io_remove(one), Err(Error::ENOENT));
    b.assert_sleeps();
    assert!(
        b.event_loop
            .raise_add(1, Interest::empty(), crate::bench::on_io::<W>, user)
            .is_ok()
    );
}

/// T70.
fn many_wakes_are_one_turn<W: World>(b: &mut Bench<'_, W>) {
    let remote = b.event_loop.remote();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(PAUSE.into());
            for _ in 0..100_000 {
                remote.wake().unwrap();
            }
        });
        assert_eq!(b.turn_for(Duration::FOREVER), [""; 0]);
    });
    b.turn_for(Duration::ZERO);
    b.turn_for(Duration::from_nanos(1));
    b.assert_sleeps();
}

/// T68. Each word comes once, and those of one thread in its order.
fn every_post_of_four_threads_runs_once<W: World>(_: &mut Bench<'_, W>) {
    const THREADS: usize = 4;
    const POSTS: usize = 5_000;
    type Seen = [usize; THREADS];
    fn count<H: pirn::Host>(_: &mut pirn::Core<'_, Seen, H>, seen: &mut Seen, user: usize) {
        let (thread, number) = (user / POSTS, user % POSTS);
        assert_eq!(seen[thread], number, "out of order");
        seen[thread] += 1;
    }
    let mut storage = Storage::<1, 1, 64>::new();
    let world = W::new();
    let mut event_loop = world
        .open::<Seen>((&mut storage).into(), pirn::Config::default())
        .unwrap();
    event_loop.hold().unwrap();
    let remote = event_loop.remote();
    let left = AtomicUsize::new(THREADS);
    let mut seen = [0; THREADS];
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let left = &left;
            scope.spawn(move || {
                for number in 0..POSTS {
                    while remote.post(count::<W::Host>, thread * POSTS + number)
                        == Err(Error::EAGAIN)
                    {
                        thread::yield_now();
                    }
                }
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    remote.stop().unwrap();
                }
            });
        }
        assert_eq!(event_loop.run(&mut seen), Ok(Ended::Stopped));
    });
    // The stop came after the last post, which may be of a later turn.
    event_loop.turn(Duration::ZERO, &mut seen).unwrap();
    assert_eq!(seen, [POSTS; THREADS]);
    assert_eq!(event_loop.stats().remote_posts as usize, THREADS * POSTS);
    event_loop.verify().unwrap();
}

/// T69.
fn remote_that_outlives_the_loop_is_refused<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<1, 1, 4>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let remote = b.event_loop.remote();
    drop(b);
    assert_eq!(remote.post(on_task::<W>, 0), Err(Error::ESHUTDOWN));
    assert_eq!(remote.wake(), Err(Error::ESHUTDOWN));
    assert_eq!(remote.stop(), Err(Error::ESHUTDOWN));
    assert_eq!(remote.raise(1), Err(Error::ESHUTDOWN));
}
