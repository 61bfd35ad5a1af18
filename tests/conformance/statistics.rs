//! What the loop counts: each number moves when it should, and only then.

use pirn::{Duration, Instant, Interest, Repeat, Storage, When};

use crate::bench::{Bench, on_task};
use crate::world::World;

const READ: Interest = Interest::READ;

claims! {
    all:
        turns_waits_and_callbacks_are_counted
        events_and_wakeups_in_vain_are_counted
        interest_changes_and_their_calls_are_counted
        longest_lag_is_that_of_the_latest_timer
        use_and_peak_follow_each_kind
        refusals_are_counted
        wake_up_is_no_event
        fd_ready_in_two_ways_is_found_once;
    rust:
        block_size_is_that_of_the_storage;
    called:
        longest_callback_is_measured_if_asked_for;
    kernel:
        wake_writes_are_one_for_a_sleeping_loop;
    epoll:
        ghosts_are_counted_and_rebuilt;
    simulation: ;
}

fn turns_waits_and_callbacks_are_counted<W: World>(b: &mut Bench<'_, W>) {
    assert_eq!(b.event_loop.stats().turns, 0);
    for name in ["a", "b", "c"] {
        b.task(name);
        b.timer(name, When::At(Instant::from_nanos(0)), Repeat::Never);
        b.turn();
    }
    b.turn();
    let stats = b.event_loop.stats();
    assert_eq!((stats.turns, stats.waits, stats.callbacks), (4, 4, 6));
}

fn events_and_wakeups_in_vain_are_counted<W: World>(b: &mut Bench<'_, W>) {
    let (one, _x) = b.ready_pipe();
    let (two, _y) = b.ready_pipe();
    b.io("one", one, READ);
    let io = b.io("two", two, READ);
    b.turn();
    assert_eq!(b.event_loop.stats().events, 2);
    b.event_loop.io_remove(io).unwrap();
    b.turn();
    assert_eq!(b.event_loop.stats().events, 3);
    assert_eq!(b.event_loop.stats().spurious_wakeups, 0);
    // Found, and silenced before the dispatch.
    b.event_loop.prepare(Duration::ZERO).unwrap();
    b.event_loop.wait(Duration::ZERO).unwrap();
    let io = b.context.io("one");
    b.event_loop.io_modify(io, Interest::empty()).unwrap();
    assert_eq!(b.dispatch(), Ok(0));
    assert_eq!(b.event_loop.stats().spurious_wakeups, 1);
    b.turn();
    assert_eq!(b.event_loop.stats().spurious_wakeups, 1);
}

fn interest_changes_and_their_calls_are_counted<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let io = b.io("io", reader, READ);
    assert_eq!(b.event_loop.stats().interest_syscalls, 0);
    for interest in [Interest::empty(), READ, Interest::empty(), READ] {
        b.event_loop.io_modify(io, interest).unwrap();
    }
    b.turn();
    let stats = b.event_loop.stats();
    assert_eq!((stats.interest_changes, stats.interest_syscalls), (4, 0));
    b.event_loop.io_modify(io, READ | Interest::WRITE).unwrap();
    b.turn();
    let stats = b.event_loop.stats();
    assert_eq!((stats.interest_changes, stats.interest_syscalls), (5, 1));
}

fn longest_callback_is_measured_if_asked_for<W: World>(b: &mut Bench<'_, W>) {
    b.task_then("slow", |_, context| {
        context.world.sleep(Duration::from_millis(3))
    });
    b.turn();
    assert_eq!(b.event_loop.stats().longest_callback_ns, 0);

    let mut storage = Storage::<4, 4, 4>::new();
    let mut measured = Bench::<W>::make((&mut storage).into(), true);
    measured.task("quick");
    measured.task_then("slow", |_, context| {
        context.world.sleep(Duration::from_millis(3))
    });
    measured.task("quick");
    assert_eq!(measured.turn(), ["quick", "slow", "quick"]);
    let longest = measured.event_loop.stats().longest_callback_ns;
    assert!((3_000_000..1_000_000_000).contains(&longest), "{longest}");
}

fn longest_lag_is_that_of_the_latest_timer<W: World>(b: &mut Bench<'_, W>) {
    let now = b.event_loop.update();
    b.timer("timer", When::At(now), Repeat::Never);
    b.context.world.sleep(Duration::from_millis(2));
    b.turn();
    let lag = b.event_loop.stats().longest_lag_ns;
    assert!((2_000_000..1_000_000_000).contains(&lag), "{lag}");
    let now = b.event_loop.update();
    b.timer("timer", When::At(now), Repeat::Never);
    b.turn();
    assert!(b.event_loop.stats().longest_lag_ns >= lag);
}

/// T104.
fn use_and_peak_follow_each_kind<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.pipe();
    let capacities = b.event_loop.stats();
    assert_eq!(
        (
            capacities.io_capacity,
            capacities.timer_capacity,
            capacities.task_capacity
        ),
        (32, 32, 32)
    );
    assert_eq!(capacities.remote_capacity, 16);
    for _ in 0..3 {
        b.io("io", reader, READ);
        b.task("task");
    }
    for _ in 0..2 {
        b.timer("timer", When::At(Instant::from_nanos(0)), Repeat::Never);
        let user = b.context.name("remote");
        b.event_loop.remote().post(on_task::<W>, user).unwrap();
    }
    let stats = b.event_loop.stats();
    assert_eq!(
        (stats.io_used, stats.timer_used, stats.task_used),
        (3, 2, 3)
    );
    b.turn();
    b.event_loop.fd_closing(reader).unwrap();
    let stats = b.event_loop.stats();
    assert_eq!(
        (stats.io_used, stats.timer_used, stats.task_used),
        (0, 0, 0)
    );
    assert_eq!(
        (
            stats.io_peak,
            stats.timer_peak,
            stats.task_peak,
            stats.remote_peak
        ),
        (3, 2, 3, 2)
    );
    assert_eq!(stats.remote_posts, 2);
}

/// What ends a wait from another thread is found by the kernel, on epoll as a member of the set,
/// but is no fd of the application's.
fn wake_up_is_no_event<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    for shares in [false, true] {
        let io = b.io("r", reader, Interest::empty());
        if shares {
            b.io("other", reader, Interest::empty());
        }
        let remote = b.event_loop.remote();
        let before = b.event_loop.stats();
        std::thread::scope(|scope| {
            let wake_later = || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                remote.wake().unwrap();
            };
            scope.spawn(wake_later);
            assert_eq!(b.event_loop.wait(pirn::Duration::FOREVER), Ok(0));
            assert_eq!(b.dispatch(), Ok(0));
            scope.spawn(wake_later);
            assert_eq!(b.turn_for(pirn::Duration::FOREVER), [""; 0]);
        });
        let stats = b.event_loop.stats();
        assert_eq!(stats.waits, before.waits + 2);
        assert_eq!((stats.events, stats.spurious_wakeups), (before.events, 0));
        b.event_loop.io_modify(io, READ).unwrap();
        assert_eq!(b.turn(), ["r R"]);
        assert_eq!(b.event_loop.stats().events, before.events + 1);
        b.event_loop.io_remove(io).unwrap();
    }
}

fn fd_ready_in_two_ways_is_found_once<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.context.world.write(other, 1);
    b.io("one", one, READ | Interest::WRITE);
    b.io("other", other, READ | Interest::WRITE);
    b.event_loop.prepare(Duration::ZERO).unwrap();
    assert_eq!(b.event_loop.wait(Duration::ZERO), Ok(2));
    b.dispatch().unwrap();
    assert_eq!(b.event_loop.stats().events, 2);
}

fn refusals_are_counted<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<1, 1, 2>::new();
    let mut b = Bench::<W>::new(&mut storage);
    for _ in 0..5 {
        let _ = b.event_loop.task_post(on_task::<W>, 0);
        let _ = b.event_loop.remote().post(on_task::<W>, 0);
    }
    let stats = b.event_loop.stats();
    assert_eq!(
        (stats.task_refused, stats.remote_refused, stats.remote_posts),
        (3, 4, 1)
    );
    while b.event_loop.task_reclaim().is_some() {}
}

fn block_size_is_that_of_the_storage<W: World>(b: &mut Bench<'_, W>) {
    let size = b.event_loop.stats().block_size as usize;
    let whole = size_of::<Storage<32, 32, 32>>();
    assert!(size <= whole && size + 64 > whole, "{size} of {whole}");
}

/// T68.
fn wake_writes_are_one_for_a_sleeping_loop<W: World>(b: &mut Bench<'_, W>) {
    let remote = b.event_loop.remote();
    for _ in 0..5 {
        remote.wake().unwrap();
    }
    b.turn_for(pirn::Duration::FOREVER);
    assert_eq!(
        b.event_loop.stats().wake_writes,
        0,
        "awake: nothing to write"
    );
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            for _ in 0..5 {
                remote.wake().unwrap();
            }
        });
        b.turn_for(pirn::Duration::FOREVER);
    });
    assert_eq!(b.event_loop.stats().wake_writes, 1);
}

/// T29.
fn ghosts_are_counted_and_rebuilt(b: &mut Bench<'_, crate::world::Epoll>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("r", reader, READ);
    let _copy = b.context.world.duplicate(reader);
    b.context.world.close(reader);
    b.event_loop.io_remove(io).unwrap();
    b.assert_silent();
    let stats = b.event_loop.stats();
    assert!(stats.stale_events >= 1 && stats.rebuilds == 1, "{stats:?}");
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().rebuilds, 1);
}
