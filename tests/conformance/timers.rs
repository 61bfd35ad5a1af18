//! Timers: when they fire, in which order, and what changing them does.

use pirn::{BackendKind, Duration, Ended, Error, Instant, Repeat, Storage, Timer, When};

use crate::bench::{Bench, on_timer};
use crate::world::World;

const ONCE: Repeat = Repeat::Never;
const MS: Duration = Duration::from_millis(1);

claims! {
    all:
        due_timers_fire_by_deadline_and_then_by_arming
        timer_of_no_delay_fires_in_the_next_turn
        callback_that_starts_timers_without_delay_starves_nothing
        timer_is_never_early_and_the_wait_not_short_of_it
        below_a_millisecond_the_loop_does_not_spin
        stopped_timers_never_fire
        timer_stopped_by_an_earlier_one_of_the_turn_does_not_fire
        handle_of_a_fired_timer_is_stale
        deadlines_beyond_every_clock_never_come
        long_waits_do_not_end_at_once
        period_of_zero_is_refused
        periodic_timer_fires_once_in_a_turn
        again_moves_a_deadline_both_ways
        again_counts_as_armed_now
        again_for_a_timer_that_is_due_takes_it_back
        set_starts_what_is_not_live
        set_arms_a_live_timer_in_place
        set_makes_of_a_live_timer_what_start_makes
        set_for_a_timer_that_is_due_takes_it_back
        set_in_its_own_callback_needs_no_other_slot
        set_that_is_refused_changes_nothing
        remaining_time_is_told
        next_deadline_is_exact
        capacity_is_an_answer
        slack_makes_late_never_early;
    rust:
        hundred_thousand_timers_are_never_early;
    kernel: ;
    epoll: ;
    simulation: ;
}

/// T50.
fn due_timers_fire_by_deadline_and_then_by_arming<W: World>(b: &mut Bench<'_, W>) {
    for (name, deadline) in [
        ("7", 7),
        ("3a", 3),
        ("3b", 3),
        ("5", 5),
        ("3c", 3),
        ("0", 0),
    ] {
        b.timer(name, When::At(Instant::from_nanos(deadline)), ONCE);
    }
    let moved = b.context.timer("3a");
    b.event_loop.timer_stop(moved).unwrap();
    b.timer("3d", When::At(Instant::from_nanos(3)), ONCE);
    assert_eq!(b.turn(), ["0", "3b", "3c", "3d", "5", "7"]);
    assert_eq!(b.event_loop.stats().timer_used, 0);
}

/// T46.
fn timer_of_no_delay_fires_in_the_next_turn<W: World>(b: &mut Bench<'_, W>) {
    b.timer_then(
        "first",
        When::At(Instant::from_nanos(0)),
        ONCE,
        |event_loop, context| {
            for (name, when) in [
                ("at 0", When::At(Instant::from_nanos(0))),
                ("after 0", When::After(Duration::ZERO)),
                ("after now 0", When::AfterCached(Duration::ZERO)),
            ] {
                let user = context.name(name);
                event_loop
                    .timer_start(when, ONCE, on_timer::<W>, user)
                    .unwrap();
            }
        },
    );
    assert_eq!(b.turn(), ["first"]);
    let mut second = b.turn_for(Duration::FOREVER);
    assert_eq!(second.remove(0), "at 0");
    second.sort();
    assert_eq!(second, ["after 0", "after now 0"]);
}

/// T47.
fn callback_that_starts_timers_without_delay_starves_nothing<W: World>(b: &mut Bench<'_, W>) {
    let (reader, _writer) = b.ready_pipe();
    b.io("io", reader, pirn::Interest::READ);
    fn again<W: World>(
        event_loop: &mut crate::bench::Lp<'_, '_, W>,
        context: &mut crate::bench::Context<W>,
    ) {
        let user = context.name_then("timer", again::<W>);
        event_loop
            .timer_start(When::At(Instant::from_nanos(0)), ONCE, on_timer::<W>, user)
            .unwrap();
    }
    b.timer_then("timer", When::At(Instant::from_nanos(0)), ONCE, again::<W>);
    for _ in 0..10 {
        b.task("task");
        assert_eq!(b.turn_for(Duration::FOREVER), ["timer", "io R", "task"]);
    }
}

/// T42, T44, T59: waits may end early, callbacks may not.
fn timer_is_never_early_and_the_wait_not_short_of_it<W: World>(b: &mut Bench<'_, W>) {
    for delay in [
        1, 999, 1_000, 400_000, 999_999, 1_000_000, 1_000_001, 2_500_000, 7_000_000,
    ] {
        let delay = Duration::from_nanos(delay);
        let start = b.context.world.now();
        b.timer("timer", When::After(delay), ONCE);
        b.context.times.clear();
        let mut turns = 0;
        while b.turn_for(Duration::FOREVER).is_empty() {
            turns += 1;
            assert!(turns < 40, "{delay:?} took {turns} turns");
        }
        let fired = b.context.times[0];
        assert!(
            fired >= start + delay,
            "{delay:?}: {:?} early",
            start + delay - fired
        );
        if W::KIND == BackendKind::Host {
            assert_eq!(fired, start + delay, "virtual time is exact");
        }
    }
}

/// T42, T56.
fn hundred_thousand_timers_are_never_early<W: World>(_: &mut Bench<'_, W>) {
    const COUNT: usize = 100_000;
    struct Counted {
        fired: usize,
        early: usize,
        last: Instant,
    }
    fn fire<H: pirn::Host>(
        event_loop: &mut pirn::Core<'_, Counted, H>,
        counted: &mut Counted,
        event: pirn::TimerEvent,
    ) {
        let deadline = Instant::from_nanos(event.user as u64);
        counted.fired += 1;
        counted.early += usize::from(event_loop.now() < deadline);
        assert!(
            deadline >= counted.last || event_loop.stats().turns > 1,
            "deadlines in order within a turn"
        );
        counted.last = deadline;
    }
    let mut storage = Box::new(Storage::<1, COUNT, 1>::new());
    let world = W::new();
    let mut event_loop = world
        .open::<Counted>((&mut *storage).into(), pirn::Config::default())
        .unwrap();
    let start = world.now();
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..COUNT {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let deadline = start + Duration::from_nanos((random >> 20) % 50_000_000);
        let user = deadline.as_nanos() as usize;
        event_loop
            .timer_start(When::At(deadline), ONCE, fire::<W::Host>, user)
            .unwrap();
    }
    event_loop.verify().unwrap();
    let mut counted = Counted {
        fired: 0,
        early: 0,
        last: Instant::from_nanos(0),
    };
    assert_eq!(event_loop.run(&mut counted), Ok(pirn::Ended::Done));
    event_loop.verify().unwrap();
    assert_eq!((counted.fired, counted.early), (COUNT, 0));
    assert!(world.now() >= start + 49 * MS);
}

/// T43.
fn below_a_millisecond_the_loop_does_not_spin<W: World>(b: &mut Bench<'_, W>) {
    let before = b.event_loop.stats().waits;
    for _ in 0..50 {
        b.timer("timer", When::After(Duration::from_micros(400)), ONCE);
        b.run().unwrap();
    }
    let waits = b.event_loop.stats().waits - before;
    assert!(waits <= 150, "{waits} waits for 50 timers");
    assert_eq!(b.context.log.len(), 50);
}

fn stopped_timers_never_fire<W: World>(b: &mut Bench<'_, W>) {
    let timer = b.timer("stopped", When::At(Instant::from_nanos(0)), ONCE);
    let far = b.timer("far", When::After(3600 * 1000 * MS), ONCE);
    b.event_loop.timer_stop(timer).unwrap();
    assert_eq!(b.event_loop.timer_stop(timer), Err(Error::ENOENT));
    b.assert_silent();
    // T49: nor do they wake the loop.
    let soon = b.timer("soon", When::After(MS), ONCE);
    b.event_loop.timer_stop(soon).unwrap();
    b.assert_sleeps();
    b.event_loop.timer_stop(far).unwrap();
    assert_eq!(b.event_loop.next_deadline(), Instant::NEVER);
    assert_eq!(b.run(), Ok(pirn::Ended::Done));
}

/// T49.
fn timer_stopped_by_an_earlier_one_of_the_turn_does_not_fire<W: World>(b: &mut Bench<'_, W>) {
    b.timer_then(
        "own",
        When::At(Instant::from_nanos(1)),
        Repeat::FixedDelay(Duration::from_nanos(1)),
        |event_loop, context| {
            event_loop.timer_stop(context.timer("own")).unwrap();
            event_loop.timer_stop(context.timer("other")).unwrap();
            event_loop.timer_stop(context.timer("later")).unwrap();
        },
    );
    b.timer("other", When::At(Instant::from_nanos(2)), ONCE);
    b.timer("kept", When::At(Instant::from_nanos(3)), ONCE);
    b.timer("later", When::After(MS), ONCE);
    assert_eq!(b.turn(), ["own", "kept"]);
    b.assert_silent();
    assert_eq!(b.event_loop.stats().timer_used, 0);
}

/// T57.
fn handle_of_a_fired_timer_is_stale<W: World>(b: &mut Bench<'_, W>) {
    b.timer_then(
        "once",
        When::At(Instant::from_nanos(0)),
        ONCE,
        |event_loop, context| {
            let own = context.timer("once");
            assert_eq!(event_loop.timer_stop(own), Err(Error::ENOENT));
            assert_eq!(
                event_loop.timer_again(own, Duration::from_nanos(5)),
                Err(Error::ENOENT)
            );
            assert_eq!(
                event_loop.timer_slack(own, Duration::from_nanos(5)),
                Err(Error::ENOENT)
            );
            assert_eq!(event_loop.timer_remaining(own), Err(Error::ENOENT));
            assert_eq!(
                event_loop.timer_set_reference(own, false),
                Err(Error::ENOENT)
            );
        },
    );
    assert_eq!(b.turn(), ["once"]);
    let old = b.context.timer("once");
    b.timer("new", When::At(Instant::from_nanos(0)), ONCE);
    assert_eq!(b.event_loop.timer_stop(old), Err(Error::ENOENT));
    assert_eq!(
        b.event_loop.timer_stop(pirn::Timer::default()),
        Err(Error::ENOENT)
    );
    assert_eq!(b.turn(), ["new"]);
}

/// T45, T52.
fn deadlines_beyond_every_clock_never_come<W: World>(b: &mut Bench<'_, W>) {
    for when in [
        When::After(Duration::from_nanos(1 << 63)),
        When::After(Duration::FOREVER),
        When::AfterCached(Duration::FOREVER),
        When::At(Instant::NEVER),
        When::At(Instant::from_nanos(1 << 63)),
    ] {
        b.timer("never", when, ONCE);
    }
    b.timer(
        "periodic",
        When::At(Instant::NEVER),
        Repeat::FixedRate(Duration::FOREVER),
    );
    b.assert_sleeps();
    assert_eq!(b.event_loop.stats().timer_used, 6);
    b.timer(
        "now",
        When::At(Instant::from_nanos(0)),
        Repeat::SkipMissed(Duration::FOREVER),
    );
    assert_eq!(b.turn(), ["now"]);
    b.assert_silent();
}

/// T45: 2^31 milliseconds and more are waited for, not taken for nothing, nor for "for ever".
fn long_waits_do_not_end_at_once<W: World>(b: &mut Bench<'_, W>) {
    for delay in [
        (1u64 << 31) * MS,
        (1 << 32) * MS,
        i32::MAX as u64 * MS,
        (1u64 << 31) * 1000 * MS,
        Duration::from_nanos(1 << 62),
    ] {
        let timer = b.timer("far", When::After(delay), ONCE);
        let start = b.context.world.now();
        let waits = b.event_loop.stats().waits;
        b.timer_then("soon", When::After(3 * MS), ONCE, |_, _| ());
        assert_eq!(b.turns_until(1), ["soon"], "{delay:?}");
        assert!(b.context.world.now() >= start + 3 * MS);
        assert!(
            b.event_loop.stats().waits - waits < 20,
            "{delay:?}: it spins"
        );
        b.event_loop.timer_stop(timer).unwrap();
    }
}

fn period_of_zero_is_refused<W: World>(b: &mut Bench<'_, W>) {
    let user = b.context.name("never");
    for repeat in [
        Repeat::FixedRate(Duration::ZERO),
        Repeat::FixedDelay(Duration::ZERO),
        Repeat::SkipMissed(Duration::ZERO),
    ] {
        assert_eq!(
            b.event_loop.timer_start(
                When::At(Instant::from_nanos(0)),
                repeat,
                on_timer::<W>,
                user
            ),
            Err(Error::EINVAL)
        );
    }
    assert_eq!(b.event_loop.stats().timer_used, 0);
}

/// T51: however much is overdue, one call in a turn.
fn periodic_timer_fires_once_in_a_turn<W: World>(b: &mut Bench<'_, W>) {
    b.timer(
        "rate",
        When::At(Instant::from_nanos(0)),
        Repeat::FixedRate(Duration::from_nanos(1)),
    );
    b.timer(
        "delay",
        When::At(Instant::from_nanos(0)),
        Repeat::FixedDelay(Duration::from_nanos(1)),
    );
    b.timer(
        "skip",
        When::At(Instant::from_nanos(0)),
        Repeat::SkipMissed(Duration::from_nanos(1)),
    );
    for _ in 0..5 {
        let called = b.turn();
        for name in ["rate", "delay", "skip"] {
            assert!(
                called
                    .iter()
                    .filter(|called| called.starts_with(name))
                    .count()
                    <= 1,
                "{called:?}"
            );
        }
        assert!(
            called.iter().any(|called| called.starts_with("rate +")),
            "{called:?}"
        );
        b.context.world.sleep(Duration::from_nanos(10));
    }
}

fn again_moves_a_deadline_both_ways<W: World>(b: &mut Bench<'_, W>) {
    let timer = b.timer("timer", When::At(Instant::from_nanos(0)), ONCE);
    b.event_loop.timer_again(timer, 3600 * 1000 * MS).unwrap();
    b.assert_silent();
    b.event_loop.timer_again(timer, Duration::FOREVER).unwrap();
    b.assert_silent();
    assert_eq!(b.event_loop.next_deadline(), Instant::NEVER);
    b.event_loop.timer_again(timer, Duration::ZERO).unwrap();
    assert_eq!(b.turn(), ["timer"]);
    assert_eq!(
        b.event_loop.timer_again(timer, Duration::ZERO),
        Err(Error::ENOENT)
    );
}

/// T50.
fn again_counts_as_armed_now<W: World>(b: &mut Bench<'_, W>) {
    let first = b.timer("first", When::After(3600 * 1000 * MS), ONCE);
    let second = b.timer("second", When::After(3600 * 1000 * MS), ONCE);
    b.event_loop.update();
    b.event_loop.timer_again(second, Duration::ZERO).unwrap();
    b.event_loop.timer_again(first, Duration::ZERO).unwrap();
    assert_eq!(b.turn(), ["second", "first"]);
}

/// T49: from the callback of an earlier timer of the same turn.
fn again_for_a_timer_that_is_due_takes_it_back<W: World>(b: &mut Bench<'_, W>) {
    b.timer_then(
        "first",
        When::At(Instant::from_nanos(1)),
        ONCE,
        |event_loop, context| {
            event_loop
                .timer_again(context.timer("pushed"), 3600 * 1000 * MS)
                .unwrap();
            event_loop
                .timer_again(context.timer("now"), Duration::ZERO)
                .unwrap();
        },
    );
    b.timer("pushed", When::At(Instant::from_nanos(2)), ONCE);
    b.timer("now", When::At(Instant::from_nanos(3)), ONCE);
    b.timer("last", When::At(Instant::from_nanos(4)), ONCE);
    assert_eq!(b.turn(), ["first", "last"]);
    assert_eq!(b.turn(), ["now"]);
    b.assert_silent();
}

const HOUR: Duration = Duration::from_secs(3600);

impl<W: World> Bench<'_, W> {
    /// Sets the timer of that name, which logs.
    fn set(&mut self, timer: &mut Timer, name: &'static str, when: When, repeat: Repeat) {
        let user = self.context.name(name);
        self.event_loop
            .timer_set(timer, when, repeat, on_timer::<W>, user)
            .expect(name);
    }
}

fn set_starts_what_is_not_live<W: World>(b: &mut Bench<'_, W>) {
    let mut timer = Timer::default();
    b.set(&mut timer, "new", When::At(Instant::from_nanos(0)), ONCE);
    assert_ne!(timer, Timer::default());
    assert_eq!(b.turn(), ["new"]);
    let fired = timer;
    b.set(&mut timer, "fired", When::At(Instant::from_nanos(0)), ONCE);
    assert_ne!(timer, fired);
    assert_eq!(b.turn(), ["fired"]);
    b.set(&mut timer, "stopped", When::After(HOUR), ONCE);
    let stopped = timer;
    b.event_loop.timer_stop(timer).unwrap();
    // Its slot is another's by now.
    let other = b.timer("other", When::After(HOUR), ONCE);
    b.set(&mut timer, "again", When::At(Instant::from_nanos(0)), ONCE);
    assert_ne!(timer, stopped);
    assert_ne!(timer, other);
    assert_eq!(b.turn(), ["again"]);
    assert_eq!(b.event_loop.stats().timer_used, 1);
}

fn set_arms_a_live_timer_in_place<W: World>(b: &mut Bench<'_, W>) {
    let mut timer = b.timer("timer", When::After(HOUR), ONCE);
    let handle = timer;
    let hour = HOUR.as_nanos();
    for deadline in [hour, u64::MAX, 1, 2 * hour, 0].map(Instant::from_nanos) {
        b.set(&mut timer, "set", When::At(deadline), ONCE);
        assert_eq!(timer, handle);
        assert_eq!(b.event_loop.next_deadline(), deadline);
        assert_eq!(b.event_loop.stats().timer_used, 1);
    }
    assert_eq!(b.turn(), ["set"]);
    b.assert_silent();
}

fn set_makes_of_a_live_timer_what_start_makes<W: World>(b: &mut Bench<'_, W>) {
    let mut timer = b.timer("once", When::After(HOUR), ONCE);
    b.event_loop.timer_set_reference(timer, false).unwrap();
    b.event_loop.timer_slack(timer, HOUR).unwrap();
    // Periodic, referenced, exact; and armed after the other.
    b.timer("other", When::At(Instant::from_nanos(7)), ONCE);
    b.set(
        &mut timer,
        "tick",
        When::At(Instant::from_nanos(7)),
        Repeat::SkipMissed(HOUR),
    );
    assert_eq!(b.event_loop.next_deadline(), Instant::from_nanos(7));
    let called = b.turn();
    assert_eq!(called.len(), 2);
    assert_eq!(called[0], "other");
    assert!(called[1].starts_with("tick"), "{called:?}");
    assert_eq!(b.event_loop.stats().timer_used, 1);
    // One-shot again, and the loop ends with it.
    b.set(&mut timer, "last", When::At(Instant::from_nanos(7)), ONCE);
    b.context.log.clear();
    assert_eq!(b.event_loop.run(&mut b.context), Ok(Ended::Done));
    assert_eq!(b.context.log, ["last"]);
}

fn set_for_a_timer_that_is_due_takes_it_back<W: World>(b: &mut Bench<'_, W>) {
    b.timer_then(
        "first",
        When::At(Instant::from_nanos(1)),
        ONCE,
        |event_loop, context| {
            let mut due = context.timer("due");
            let user = context.name("set");
            event_loop
                .timer_set(
                    &mut due,
                    When::At(Instant::from_nanos(0)),
                    ONCE,
                    on_timer::<W>,
                    user,
                )
                .unwrap();
            assert_eq!(due, context.timer("due"));
        },
    );
    b.timer("due", When::At(Instant::from_nanos(2)), ONCE);
    assert_eq!(b.turn(), ["first"]);
    assert_eq!(b.turn(), ["set"]);
}

/// A loop with room for one timer, which sets itself: a one-shot one, then a periodic one.
fn set_in_its_own_callback_needs_no_other_slot<W: World>(_: &mut Bench<'_, W>) {
    fn set_itself<W: World>(
        event_loop: &mut crate::bench::Lp<'_, '_, W>,
        context: &mut crate::bench::Context<W>,
    ) {
        let mut timer = context.timer("timer");
        let user = context.name_then("timer", set_itself::<W>);
        event_loop
            .timer_set(
                &mut timer,
                When::At(Instant::from_nanos(0)),
                ONCE,
                on_timer::<W>,
                user,
            )
            .unwrap();
        context.timers.insert("timer", timer);
    }
    for repeat in [ONCE, Repeat::SkipMissed(HOUR)] {
        let mut storage = Storage::<0, 1, 0>::new();
        let mut b = Bench::<W>::new(&mut storage);
        b.timer_then(
            "timer",
            When::At(Instant::from_nanos(0)),
            repeat,
            set_itself::<W>,
        );
        for _ in 0..5 {
            let called = b.turn();
            assert_eq!(called.len(), 1);
            assert!(called[0].starts_with("timer"), "{called:?}");
            assert_eq!(b.event_loop.stats().timer_used, 1);
        }
        b.event_loop.timer_stop(b.context.timer("timer")).unwrap();
        b.assert_silent();
    }
}

fn set_that_is_refused_changes_nothing<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 2, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let mut timer = b.timer("timer", When::At(Instant::from_nanos(0)), ONCE);
    b.timer("other", When::After(HOUR), ONCE);
    let user = b.context.name("never");
    let handle = timer;
    for repeat in [
        Repeat::FixedRate(Duration::ZERO),
        Repeat::FixedDelay(Duration::ZERO),
        Repeat::SkipMissed(Duration::ZERO),
    ] {
        let refused =
            b.event_loop
                .timer_set(&mut timer, When::After(HOUR), repeat, on_timer::<W>, user);
        assert_eq!((refused, timer), (Err(Error::EINVAL), handle));
    }
    let mut none = Timer::default();
    let refused = b.event_loop.timer_set(
        &mut none,
        When::At(Instant::from_nanos(0)),
        ONCE,
        on_timer::<W>,
        user,
    );
    assert_eq!((refused, none), (Err(Error::ENOSPC), Timer::default()));
    b.set(&mut timer, "live", When::At(Instant::from_nanos(0)), ONCE);
    assert_eq!(b.turn(), ["live"]);
}

fn remaining_time_is_told<W: World>(b: &mut Bench<'_, W>) {
    let due = b.timer("due", When::At(Instant::from_nanos(0)), ONCE);
    let never = b.timer("never", When::At(Instant::NEVER), ONCE);
    let far = b.timer("far", When::After(1000 * MS), ONCE);
    assert_eq!(b.event_loop.timer_remaining(due), Ok(Duration::ZERO));
    assert_eq!(b.event_loop.timer_remaining(never), Ok(Duration::FOREVER));
    let left = b.event_loop.timer_remaining(far).unwrap();
    assert!(left <= 1000 * MS && left > 500 * MS, "{left:?}");
    b.context.world.sleep(MS);
    assert!(b.event_loop.timer_remaining(far).unwrap() <= left - MS);
}

/// T58.
fn next_deadline_is_exact<W: World>(b: &mut Bench<'_, W>) {
    let base = b.event_loop.now() + 3600 * 1000 * MS;
    assert_eq!(b.event_loop.next_deadline(), Instant::NEVER);
    let middle = b.timer("middle", When::At(base + Duration::from_nanos(500)), ONCE);
    assert_eq!(
        b.event_loop.next_deadline(),
        base + Duration::from_nanos(500)
    );
    let late = b.timer("late", When::At(base + Duration::from_nanos(70_000)), ONCE);
    assert_eq!(
        b.event_loop.next_deadline(),
        base + Duration::from_nanos(500)
    );
    let early = b.timer("early", When::At(base + Duration::from_nanos(3)), ONCE);
    assert_eq!(b.event_loop.next_deadline(), base + Duration::from_nanos(3));
    b.event_loop.timer_stop(early).unwrap();
    assert_eq!(
        b.event_loop.next_deadline(),
        base + Duration::from_nanos(500)
    );
    b.event_loop.timer_again(middle, 7200 * 1000 * MS).unwrap();
    assert_eq!(
        b.event_loop.next_deadline(),
        base + Duration::from_nanos(70_000)
    );
    b.event_loop.timer_stop(late).unwrap();
    assert!(b.event_loop.next_deadline() > base + Duration::from_nanos(70_000));
}

/// T56, T61.
fn capacity_is_an_answer<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<0, 3, 0>::new();
    let mut b = Bench::<W>::new(&mut storage);
    for round in 0..3 {
        let one = b.timer("1", When::At(Instant::from_nanos(1)), ONCE);
        b.timer("2", When::At(Instant::from_nanos(2)), ONCE);
        b.timer("3", When::At(Instant::from_nanos(3)), ONCE);
        let user = b.context.name("too many");
        assert_eq!(
            b.event_loop
                .timer_start(When::At(Instant::from_nanos(0)), ONCE, on_timer::<W>, user),
            Err(Error::ENOSPC)
        );
        if round == 1 {
            b.event_loop.timer_stop(one).unwrap();
            b.timer("4", When::At(Instant::from_nanos(4)), ONCE);
            assert_eq!(b.turn(), ["2", "3", "4"]);
        } else {
            assert_eq!(b.turn(), ["1", "2", "3"]);
        }
    }
}

fn slack_makes_late_never_early<W: World>(b: &mut Bench<'_, W>) {
    let start = b.context.world.now();
    let timer = b.timer("slack", When::At(start + 2 * MS), ONCE);
    b.event_loop.timer_slack(timer, 3 * MS).unwrap();
    let effective = b.event_loop.next_deadline();
    assert!(
        (start + 2 * MS..start + 5 * MS).contains(&effective),
        "{effective:?} after {start:?}"
    );
    b.context.times.clear();
    assert_eq!(b.turns_until(1), ["slack"]);
    assert!(b.context.times[0] >= effective);
    let timer = b.timer("exact", When::At(start), ONCE);
    b.event_loop.timer_slack(timer, Duration::FOREVER).unwrap();
    b.assert_silent();
    b.event_loop.timer_slack(timer, Duration::ZERO).unwrap();
    assert_eq!(b.turn(), ["exact"]);
}
