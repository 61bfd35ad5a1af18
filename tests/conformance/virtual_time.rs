//! Time to the nanosecond, on a clock that stands still until the loop waits: only a simulation can
//! say these things.

use pirn::{Duration, Error, Instant, Repeat, Timer, When};

use crate::bench::{Bench, on_timer};
use crate::world::{Simulation, World};

const ONCE: Repeat = Repeat::Never;
const NS: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

claims! {
    all: ;
    kernel: ;
    epoll: ;
    simulation:
        lone_timer_costs_one_wait_of_its_delay
        waits_end_at_the_callers_limit
        fixed_rate_keeps_its_grid_and_calls_every_tick
        fixed_delay_counts_from_the_call
        fixed_delay_is_not_shortened_by_callbacks_before_it
        skip_drops_missed_ticks_and_keeps_its_grid
        late_first_tick_counts_what_is_overdue
        million_periods_do_not_drift
        slack_lets_timers_fire_together
        clock_that_stands_still_is_waited_for
        clock_that_steps_back_is_taken_to_stand_still
        clock_near_its_end_is_no_special_case
        after_counts_from_the_clock_and_after_cached_from_the_turn
        again_counts_from_the_turn
        set_counts_from_the_clock_and_cached_from_the_turn
        again_after_a_failed_wait_counts_from_the_time_after_it
        deadline_of_a_run_is_exact
        stopped_timer_does_not_shorten_the_wait
        pushed_timer_wakes_for_its_new_deadline;
}

type B<'s> = Bench<'s, Simulation>;

/// The calls of the next turns until the clock has reached `end`, each with its time relative to
/// `start`.
fn until(b: &mut B<'_>, start: Instant, end: Instant) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    let mut turns = 0;
    while b.context.world.now() < end {
        let left = end - b.context.world.now();
        let called = b.turn_for(left);
        let now = b.context.world.now() - start;
        all.extend(called.into_iter().map(|name| (now.as_nanos(), name)));
        turns += 1;
        assert!(turns < 1000, "no progress: {all:?}");
    }
    all
}

fn named(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected
        .iter()
        .map(|(time, name)| (*time, (*name).to_owned()))
        .collect()
}

/// T43, T44.
fn lone_timer_costs_one_wait_of_its_delay(b: &mut B<'_>) {
    for delay in [NS, 400_000 * NS, 1_000_000 * NS, SECOND, 86_400 * SECOND] {
        b.context.world.timeouts();
        b.timer("timer", When::After(delay), ONCE);
        assert_eq!(b.turn_for(Duration::FOREVER), ["timer"]);
        assert_eq!(b.context.world.timeouts(), [delay]);
    }
}

fn waits_end_at_the_callers_limit(b: &mut B<'_>) {
    let start = b.context.world.now();
    b.timer("timer", When::After(SECOND), ONCE);
    assert_eq!(b.turn_for(300 * NS), [""; 0]);
    assert_eq!(b.context.world.now(), start + 300 * NS);
    assert_eq!(b.turn_for(Duration::FOREVER), ["timer"]);
    assert_eq!(b.context.world.now(), start + SECOND);
    b.turn_for(77 * NS);
    assert_eq!(b.context.world.now(), start + SECOND + 77 * NS);
}

/// T51.
fn fixed_rate_keeps_its_grid_and_calls_every_tick(b: &mut B<'_>) {
    let start = b.context.world.now();
    let mut calls = 0;
    b.timer_then(
        "tick",
        When::After(10 * NS),
        Repeat::FixedRate(10 * NS),
        move |_, context| {
            calls += 1;
            if calls == 2 {
                context.world.sleep(35 * NS);
            }
        },
    );
    let expected = [
        (10, "tick"),
        (55, "tick"),
        (55, "tick +2"),
        (55, "tick +1"),
        (55, "tick"),
        (60, "tick"),
        (70, "tick"),
    ];
    // The second call began at 20 and took 35; its turn ended at 55.
    assert_eq!(until(b, start, start + 70 * NS), named(&expected));
}

/// T51.
fn fixed_delay_counts_from_the_call(b: &mut B<'_>) {
    let start = b.context.world.now();
    let mut calls = 0;
    b.timer_then(
        "tick",
        When::After(10 * NS),
        Repeat::FixedDelay(10 * NS),
        move |_, context| {
            calls += 1;
            if calls == 2 {
                context.world.sleep(35 * NS);
            }
        },
    );
    // Handed over at 20, so due at 30; it had to wait for its own call to end at 55.
    assert_eq!(
        until(b, start, start + 75 * NS),
        named(&[
            (10, "tick"),
            (55, "tick"),
            (55, "tick"),
            (65, "tick"),
            (75, "tick")
        ])
    );
}

/// Promise 6: the callbacks of the same turn may have taken any time since the turn's own was read.
fn fixed_delay_is_not_shortened_by_callbacks_before_it(b: &mut B<'_>) {
    let start = b.context.world.now();
    b.timer_then("slow", When::After(10 * NS), ONCE, |_, context| {
        context.world.sleep(80 * NS);
    });
    b.timer("tick", When::After(10 * NS), Repeat::FixedDelay(100 * NS));
    assert_eq!(
        until(b, start, start + 290 * NS),
        named(&[(90, "slow"), (90, "tick"), (190, "tick"), (290, "tick")])
    );
}

/// T51.
fn skip_drops_missed_ticks_and_keeps_its_grid(b: &mut B<'_>) {
    let start = b.context.world.now();
    let mut calls = 0;
    b.timer_then(
        "tick",
        When::After(10 * NS),
        Repeat::SkipMissed(10 * NS),
        move |_, context| {
            calls += 1;
            if calls == 2 {
                context.world.sleep(35 * NS);
            }
        },
    );
    let expected = [
        (10, "tick"),
        (55, "tick"),
        (55, "tick +2"),
        (60, "tick"),
        (70, "tick"),
    ];
    assert_eq!(until(b, start, start + 70 * NS), named(&expected));
}

fn late_first_tick_counts_what_is_overdue(b: &mut B<'_>) {
    let start = b.context.world.now();
    for (name, repeat) in [
        ("rate", Repeat::FixedRate(10 * NS)),
        ("delay", Repeat::FixedDelay(10 * NS)),
        ("skip", Repeat::SkipMissed(10 * NS)),
    ] {
        b.timer(name, When::At(start - 35 * NS), repeat);
    }
    assert_eq!(b.turn(), ["rate +3", "delay", "skip +3"]);
    assert_eq!(
        b.event_loop.next_deadline(),
        start - 25 * NS,
        "the rate's next tick"
    );
    let (rate, delay) = (b.context.timer("rate"), b.context.timer("delay"));
    b.event_loop.timer_stop(rate).unwrap();
    assert_eq!(
        b.event_loop.next_deadline(),
        start + 5 * NS,
        "the grid's next point"
    );
    let skip = b.context.timer("skip");
    b.event_loop.timer_stop(skip).unwrap();
    assert_eq!(
        b.event_loop.next_deadline(),
        start + 10 * NS,
        "one period from the call"
    );
    b.event_loop.timer_stop(delay).unwrap();
}

/// T51.
fn million_periods_do_not_drift(b: &mut B<'_>) {
    const PERIOD: Duration = Duration::from_nanos(333_333_333);
    let start = b.context.world.now();
    let timer = b.timer("tick", When::After(PERIOD), Repeat::FixedRate(PERIOD));
    for _ in 0..1_000_000 {
        assert_eq!(b.quiet_turn(Duration::FOREVER), Ok(1));
        b.context.log.clear();
        b.context.times.clear();
    }
    assert_eq!(b.context.world.now(), start + 1_000_000 * PERIOD);
    b.event_loop.timer_stop(timer).unwrap();
}

fn slack_lets_timers_fire_together(b: &mut B<'_>) {
    let start = b.context.world.now();
    for (name, offset) in [("a", 100), ("b", 700), ("c", 1300)] {
        let timer = b.timer(name, When::At(start + offset * NS), ONCE);
        b.event_loop
            .timer_slack(timer, Duration::from_nanos(1 << 20))
            .unwrap();
    }
    // The next multiple of the greatest power of two within the slack.
    let rounded = |time: Instant| time.as_nanos().next_multiple_of(1 << 20);
    let together = Instant::from_nanos(rounded(start + 1300 * NS));
    assert_eq!(
        rounded(start + 100 * NS),
        together.as_nanos(),
        "the test's own numbers"
    );
    assert_eq!(b.event_loop.next_deadline(), together);
    let called = until(b, start, together);
    let expected = ["a", "b", "c"].map(|name| ((together - start).as_nanos(), name));
    assert_eq!(called, named(&expected));
}

/// T53.
fn clock_that_stands_still_is_waited_for(b: &mut B<'_>) {
    b.timer("timer", When::After(10 * NS), ONCE);
    for _ in 0..5 {
        assert_eq!(b.turn(), [""; 0]);
    }
    assert_eq!(b.turn_for(Duration::FOREVER), ["timer"]);
}

/// T53.
fn clock_that_steps_back_is_taken_to_stand_still(b: &mut B<'_>) {
    let start = b.context.world.now();
    assert_eq!(b.event_loop.update(), start);
    b.timer("timer", When::At(start + 100 * NS), ONCE);
    b.turn_for(50 * NS);
    b.context.world.set_clock(start + 49 * NS);
    assert_eq!(b.event_loop.update(), start + 50 * NS);
    assert_eq!(b.turn(), [""; 0]);
    b.context.world.set_clock(Instant::from_nanos(5));
    assert_eq!(b.event_loop.now(), start + 50 * NS);
    assert_eq!(b.turn(), [""; 0]);
    b.context.world.set_clock(start + 100 * NS);
    assert_eq!(b.turn(), ["timer"]);
}

/// T52, T45.
fn clock_near_its_end_is_no_special_case(b: &mut B<'_>) {
    for start in [
        SECOND.as_nanos() << 31,
        SECOND.as_nanos() << 32,
        1 << 63,
        u64::MAX - 1000,
    ] {
        let start = Instant::from_nanos(start);
        b.context.world.set_clock(start - 5 * NS);
        b.timer("a", When::After(5 * NS), ONCE);
        b.timer("b", When::After(100 * NS), ONCE);
        b.timer("never", When::After(Duration::FOREVER), ONCE);
        let periodic = b.timer(
            "periodic",
            When::At(start + 50 * NS),
            Repeat::FixedRate(Duration::from_nanos(1 << 60)),
        );
        assert_eq!(b.turn_for(Duration::FOREVER), ["a"]);
        assert_eq!(b.context.world.now(), start);
        assert_eq!(b.turn_for(Duration::FOREVER), ["periodic"]);
        assert_eq!(b.turn_for(Duration::FOREVER), ["b"]);
        assert_eq!(b.context.world.now(), start + 95 * NS);
        b.event_loop.timer_stop(periodic).unwrap();
        let never = b.context.timer("never");
        b.event_loop.timer_stop(never).unwrap();
    }
    b.timer("never", When::At(Instant::NEVER), ONCE);
    b.context.world.set_clock(Instant::NEVER);
    b.assert_silent();
}

fn after_counts_from_the_clock_and_after_cached_from_the_turn(b: &mut B<'_>) {
    let start = b.context.world.now();
    b.timer_then(
        "slow",
        When::At(Instant::from_nanos(0)),
        ONCE,
        |event_loop, context| {
            context.world.sleep(30 * NS);
            for (name, when) in [
                ("after", When::After(10 * NS)),
                ("after cached", When::AfterCached(20 * NS)),
            ] {
                let user = context.name(name);
                event_loop
                    .timer_start(when, ONCE, crate::bench::on_timer::<Simulation>, user)
                    .unwrap();
            }
        },
    );
    let expected = [(30, "slow"), (30, "after cached"), (40, "after")];
    assert_eq!(until(b, start, start + 50 * NS), named(&expected));
}

fn again_counts_from_the_turn(b: &mut B<'_>) {
    let start = b.context.world.now();
    b.timer("idle", When::At(start + 100 * NS), ONCE);
    b.timer_then("slow", When::At(start), ONCE, move |event_loop, context| {
        context.world.sleep(60 * NS);
        event_loop
            .timer_again(context.timer("idle"), 200 * NS)
            .unwrap();
        assert_eq!(event_loop.next_deadline(), start + 200 * NS);
        event_loop.update();
        event_loop
            .timer_again(context.timer("idle"), 200 * NS)
            .unwrap();
        assert_eq!(event_loop.next_deadline(), start + 260 * NS);
    });
    let expected = [(60, "slow"), (260, "idle")];
    assert_eq!(until(b, start, start + 300 * NS), named(&expected));
}

fn again_after_a_failed_wait_counts_from_the_time_after_it(b: &mut B<'_>) {
    let start = b.context.world.now();
    let timer = b.timer("timer", When::After(100 * NS), ONCE);
    b.context.world.fail_next_wait(Error::ENOMEM);
    let failed = b.event_loop.turn(Duration::FOREVER, &mut b.context);
    assert_eq!(failed, Err(Error::ENOMEM));
    assert_eq!(b.context.world.now(), start + 100 * NS);
    b.event_loop.timer_again(timer, 50 * NS).unwrap();
    assert_eq!(b.event_loop.next_deadline(), start + 150 * NS);
    assert_eq!(b.turns_until(1), ["timer"]);
    assert_eq!(b.context.world.now(), start + 150 * NS);
}

fn set_counts_from_the_clock_and_cached_from_the_turn(b: &mut B<'_>) {
    let start = b.context.world.now();
    b.timer_then("slow", When::At(start), ONCE, move |event_loop, context| {
        let mut timer = Timer::default();
        let user = context.name("set");
        context.world.sleep(60 * NS);
        for (when, deadline) in [
            (When::After(200 * NS), start + 260 * NS),
            (When::AfterCached(200 * NS), start + 200 * NS),
            (When::At(start + 100 * NS), start + 100 * NS),
        ] {
            event_loop
                .timer_set(&mut timer, when, ONCE, on_timer::<Simulation>, user)
                .unwrap();
            assert_eq!(event_loop.next_deadline(), deadline);
        }
    });
    let expected = [(60, "slow"), (100, "set")];
    assert_eq!(until(b, start, start + 300 * NS), named(&expected));
}

fn deadline_of_a_run_is_exact(b: &mut B<'_>) {
    let start = b.context.world.now();
    b.event_loop.hold().unwrap();
    for delay in [Duration::ZERO, NS, 999 * NS, SECOND] {
        let begun = b.context.world.now();
        assert_eq!(b.run_until(begun + delay), Ok(pirn::Ended::Expired));
        assert_eq!(b.context.world.now(), begun + delay);
    }
    assert_eq!(b.run_until(start), Ok(pirn::Ended::Expired));
}

/// T49.
fn stopped_timer_does_not_shorten_the_wait(b: &mut B<'_>) {
    let soon = b.timer("soon", When::After(10 * NS), ONCE);
    b.timer("late", When::After(Duration::from_micros(5)), ONCE);
    b.event_loop.timer_stop(soon).unwrap();
    b.context.world.timeouts();
    assert_eq!(b.turn_for(Duration::FOREVER), ["late"]);
    assert_eq!(b.context.world.timeouts(), [5000 * NS]);
}

/// The idle timeout: pushed forward many times, it fires once, at the last deadline, and costs few
/// waits.
fn pushed_timer_wakes_for_its_new_deadline(b: &mut B<'_>) {
    let timer = b.timer("idle", When::After(Duration::from_micros(1)), ONCE);
    for _ in 0..100 {
        b.turn_for(900 * NS);
        b.event_loop.timer_again(timer, 1000 * NS).unwrap();
    }
    let start = b.context.world.now();
    b.context.world.timeouts();
    assert_eq!(until(b, start, start + 1000 * NS), named(&[(1000, "idle")]));
    assert!(b.context.world.timeouts().len() <= 3);
}
