//! One small test for each rule, then random scripts against a list that is searched from end to
//! end.

use core::ptr::{NonNull, without_provenance_mut};
use std::boxed::Box;
use std::vec::Vec;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use super::wait::LOOKED_AT;
use super::*;
use crate::error::Error;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const FOREVER: u64 = u64::MAX;

/// A queue whose times are plain numbers of nanoseconds, of which these tests write many.
struct Queue(Timers<'static>);

impl Queue {
    fn start(&mut self, deadline: u64, period: u64, callback: Callback) -> Result<Token> {
        self.0.start(Instant(deadline), Duration(period), callback)
    }

    fn again(&mut self, token: Token, deadline: u64) -> Result<()> {
        self.0.again(token, Instant(deadline))
    }

    fn set(
        &mut self,
        token: Token,
        deadline: u64,
        period: u64,
        flags: u8,
        callback: Callback,
    ) -> Result<()> {
        let (deadline, period) = (Instant(deadline), Duration(period));
        self.0.set(token, deadline, period, flags, callback)
    }

    fn set_slack(&mut self, token: Token, slack: u64) -> Result<()> {
        self.0.set_slack(token, Duration(slack))
    }

    fn deadline(&self, token: Token) -> Result<u64> {
        self.0.deadline(token).map(Instant::as_nanos)
    }

    fn next_wake(&mut self) -> u64 {
        self.0.next_wake().as_nanos()
    }

    fn next_deadline(&self) -> u64 {
        self.0.next_deadline().as_nanos()
    }

    fn collect(&mut self, now: u64) -> Option<u64> {
        self.0.collect(Instant(now)).map(Instant::as_nanos)
    }

    fn pop_due(&mut self, now: u64, clock: impl FnOnce() -> u64) -> Option<Fired> {
        self.0.pop_due(Instant(now), || Instant(clock()))
    }
}

impl core::ops::Deref for Queue {
    type Target = Timers<'static>;

    fn deref(&self) -> &Timers<'static> {
        &self.0
    }
}

impl core::ops::DerefMut for Queue {
    fn deref_mut(&mut self) -> &mut Timers<'static> {
        &mut self.0
    }
}

fn table(capacity: usize) -> TimerTable<'static> {
    let slots: Vec<TimerSlot> = (0..capacity).map(|_| TimerSlot::vacant(0)).collect();
    let details: Vec<TimerDetails> = (0..capacity).map(|_| TimerDetails::vacant()).collect();
    TimerTable {
        slots: Box::leak(slots.into_boxed_slice()).into(),
        details: Box::leak(details.into_boxed_slice()).into(),
    }
}

fn queue(capacity: usize, now: u64) -> Queue {
    Queue(Timers::new(table(capacity), 0, Instant(now)))
}

fn callback(name: usize) -> Callback {
    Callback {
        function: NonNull::dangling(),
        user: without_provenance_mut(name),
    }
}

fn name(fired: Fired) -> usize {
    fired.callback.user.addr()
}

/// Arms a one-shot.
fn once(timers: &mut Queue, deadline: u64, name: usize) -> Token {
    timers.start(deadline, 0, callback(name)).unwrap()
}

/// Arms a timer of any kind.
fn arm(timers: &mut Queue, deadline: u64, period: u64, flags: u8, name: usize) -> Result<Token> {
    let token = timers.start(deadline, period, callback(name))?;
    timers.set_flags(token, flags)?;
    Ok(token)
}

/// The rest of a dispatch: what fires, by name.
fn rest(timers: &mut Queue, now: u64) -> Vec<usize> {
    let fired = core::iter::from_fn(|| timers.pop_due(now, || now))
        .map(name)
        .collect();
    assert!(timers.is_sound());
    fired
}

/// One whole dispatch: what fires, by name.
fn fire(timers: &mut Queue, now: u64) -> Vec<usize> {
    timers.collect(now);
    assert!(timers.is_sound());
    rest(timers, now)
}

#[test]
fn an_empty_queue_never_wakes_the_loop() {
    let mut timers = queue(0, 7);
    assert_eq!(
        (timers.next_wake(), timers.next_deadline()),
        (FOREVER, FOREVER)
    );
    assert_eq!(timers.start(9, 0, callback(1)), Err(Error::ENOSPC));
    assert_eq!(fire(&mut timers, FOREVER), []);
    assert_eq!((timers.used(), timers.referenced()), (0, 0));
}

#[test]
fn a_timer_fires_at_its_deadline_and_not_before() {
    let mut timers = queue(1, 0);
    once(&mut timers, 1_000_003, 1);
    assert_eq!(timers.next_wake(), 1_000_003);
    assert_eq!(fire(&mut timers, 1_000_002), []);
    assert_eq!(timers.next_wake(), 1_000_003);
    assert_eq!(fire(&mut timers, 1_000_003), [1]);
    assert_eq!(timers.next_wake(), FOREVER);
}

#[test]
fn timers_fire_by_deadline_and_then_by_arming() {
    let mut timers = queue(8, 0);
    for (name, deadline) in [50, 20, 50, 10, 20, 50].into_iter().enumerate() {
        once(&mut timers, deadline, name);
    }
    assert_eq!(fire(&mut timers, 1000), [3, 1, 4, 0, 2, 5]);
}

#[test]
fn arming_again_puts_a_timer_behind_its_equals() {
    let mut timers = queue(3, 0);
    let first = once(&mut timers, 50, 1);
    once(&mut timers, 50, 2);
    timers.again(first, 50).unwrap();
    assert_eq!(fire(&mut timers, 50), [2, 1]);
}

#[test]
fn a_full_queue_refuses_and_keeps_the_others() {
    let mut timers = queue(2, 0);
    let first = once(&mut timers, 10, 1);
    once(&mut timers, 20, 2);
    assert_eq!(timers.start(5, 0, callback(3)), Err(Error::ENOSPC));
    assert_eq!(
        (
            timers.used(),
            timers.peak(),
            timers.capacity(),
            timers.referenced()
        ),
        (2, 2, 2, 2)
    );
    timers.stop(first).unwrap();
    once(&mut timers, 5, 4);
    assert_eq!(fire(&mut timers, 30), [4, 2]);
}

#[test]
fn a_fired_one_shot_is_stale_and_its_successor_untouched() {
    let mut timers = queue(1, 0);
    let old = once(&mut timers, 10, 1);
    timers.collect(10);
    assert_eq!(
        timers.pop_due(10, || 10),
        Some(Fired {
            callback: callback(1),
            token: old,
            missed: 0
        })
    );
    assert_eq!(rest(&mut timers, 10), []);
    once(&mut timers, 20, 2);
    assert_eq!(timers.stop(old), Err(Error::ENOENT));
    assert_eq!(timers.again(old, 99), Err(Error::ENOENT));
    assert_eq!(timers.deadline(old), Err(Error::ENOENT));
    assert_eq!(timers.set_slack(old, 99), Err(Error::ENOENT));
    assert_eq!(timers.set_ref(old, false), Err(Error::ENOENT));
    assert_eq!(fire(&mut timers, 20), [2]);
}

#[test]
fn stopping_the_earliest_leaves_no_wake_up_behind() {
    let mut timers = queue(4, 0);
    once(&mut timers, 900, 1);
    let near = once(&mut timers, 20, 2);
    assert_eq!(timers.next_wake(), 20);
    timers.stop(near).unwrap();
    assert_eq!(timers.next_wake(), 900);
    let pushed = once(&mut timers, 30, 3);
    assert_eq!(timers.next_wake(), 30);
    timers.again(pushed, 5000).unwrap();
    timers.stop(pushed).unwrap();
    assert_eq!(timers.next_wake(), 900);
}

#[test]
fn stopping_a_whole_crowd_leaves_no_wake_up_behind() {
    let mut timers = queue(64, 0);
    once(&mut timers, 5000, 0);
    let crowd: Vec<Token> = (1..=2 * LOOKED_AT as usize)
        .map(|name| once(&mut timers, 600 + name as u64, name))
        .collect();
    assert_eq!(fire(&mut timers, 500), []);
    assert!(timers.next_wake() <= 601);
    for token in crowd {
        timers.stop(token).unwrap();
        assert!(timers.is_sound());
    }
    assert_eq!(timers.next_wake(), 5000);
}

#[test]
fn a_due_list_can_be_stopped_from_either_end() {
    let mut timers = queue(8, 0);
    let tokens: Vec<Token> = (1..6)
        .map(|name| once(&mut timers, 1100 + 10 * name as u64, name))
        .collect();
    timers.collect(1150);
    for token in [tokens[4], tokens[0], tokens[2]] {
        timers.stop(token).unwrap();
        assert!(timers.is_sound());
    }
    assert_eq!(rest(&mut timers, 1150), [2, 4]);
}

#[test]
fn timers_that_were_moved_fire_with_their_callbacks_and_periods() {
    let mut timers = queue(3, 0);
    once(&mut timers, 30, 1);
    let periodic = arm(&mut timers, 10, 15, 0, 2).unwrap();
    timers.move_to(table(5));
    once(&mut timers, 20, 3);
    assert_eq!(fire(&mut timers, 40), [2, 3, 1]);
    assert_eq!(timers.deadline(periodic), Ok(25));
    timers.move_to(table(2));
    assert_eq!(fire(&mut timers, 40), [2]);
    assert_eq!(timers.deadline(periodic), Ok(40));
}

#[test]
fn the_peak_is_the_most_at_once_and_not_the_most_ever() {
    let mut timers = queue(8, 0);
    let tokens: Vec<Token> = (0..3).map(|name| once(&mut timers, 100, name)).collect();
    timers.stop(tokens[1]).unwrap();
    timers.stop(tokens[0]).unwrap();
    for name in 0..5 {
        let token = once(&mut timers, 100, name);
        timers.stop(token).unwrap();
    }
    assert_eq!((timers.used(), timers.peak()), (1, 3));
    for name in 0..4 {
        once(&mut timers, 100, name);
    }
    assert_eq!((timers.used(), timers.peak()), (5, 5));
}

#[test]
fn a_due_timer_can_be_stopped_or_armed_again() {
    let mut timers = queue(4, 0);
    let tokens: Vec<Token> = (1..5)
        .map(|name| once(&mut timers, 10 * name as u64, name))
        .collect();
    timers.collect(100);
    assert_eq!(timers.pop_due(100, || 100).map(name), Some(1));
    timers.stop(tokens[1]).unwrap();
    timers.again(tokens[2], 150).unwrap();
    assert!(timers.is_sound());
    assert_eq!(timers.pop_due(100, || 100).map(name), Some(4));
    assert_eq!(timers.pop_due(100, || 100), None);
    assert_eq!(timers.next_wake(), 150);
    assert_eq!(fire(&mut timers, 150), [3]);
}

#[test]
fn a_timer_pushed_forward_fires_only_at_its_new_deadline() {
    let mut timers = queue(2, 0);
    let idle = once(&mut timers, 60 * SECOND, 1);
    for second in 1..300 {
        timers.again(idle, (second + 60) * SECOND).unwrap();
        assert_eq!(timers.next_deadline(), (second + 60) * SECOND);
        assert_eq!(fire(&mut timers, second * SECOND), []);
    }
    assert_eq!(fire(&mut timers, 359 * SECOND - 1), []);
    assert_eq!(fire(&mut timers, 359 * SECOND), [1]);
}

#[test]
fn a_timer_drawn_nearer_fires_at_its_new_deadline() {
    let mut timers = queue(2, 0);
    let far = once(&mut timers, 60 * SECOND, 1);
    assert_eq!(timers.next_wake(), 60 * SECOND);
    timers.again(far, 5).unwrap();
    assert_eq!((timers.next_wake(), timers.deadline(far)), (5, Ok(5)));
    assert_eq!(fire(&mut timers, 5), [1]);
}

#[test]
fn what_is_armed_during_a_dispatch_waits_for_the_next() {
    let mut timers = queue(4, 100);
    once(&mut timers, 0, 1);
    timers.collect(100);
    assert_eq!(timers.pop_due(100, || 100).map(name), Some(1));
    once(&mut timers, 0, 2);
    assert_eq!(timers.pop_due(100, || 100), None);
    assert_eq!(timers.next_wake(), 0);
    assert_eq!(fire(&mut timers, 100), [2]);
}

#[test]
fn what_is_armed_during_a_dispatch_is_in_order_with_what_is_due_in_the_next() {
    let mut timers = queue(8, 100);
    for (name, deadline) in [(1, 10), (2, 30), (3, 50), (4, 110)] {
        once(&mut timers, deadline, name);
    }
    timers.collect(100);
    assert_eq!(timers.pop_due(100, || 100).map(name), Some(1));
    for (name, deadline) in [(5, 40), (6, 105), (7, 30), (8, 0)] {
        once(&mut timers, deadline, name);
    }
    assert_eq!(rest(&mut timers, 100), [2, 3]);
    assert_eq!(fire(&mut timers, 110), [8, 7, 5, 6, 4]);
}

#[test]
fn forever_is_armed_but_never_reached() {
    let mut timers = queue(2, 0);
    once(&mut timers, FOREVER, 1);
    once(&mut timers, FOREVER - 1, 2);
    assert_eq!(fire(&mut timers, FOREVER), [2]);
    assert_eq!(
        (timers.used(), timers.referenced(), timers.next_wake()),
        (1, 1, FOREVER)
    );
    assert_eq!(fire(&mut timers, FOREVER), []);
}

#[test]
fn a_clock_that_steps_back_does_no_harm() {
    let mut timers = queue(3, 0);
    once(&mut timers, 1000, 1);
    once(&mut timers, 2000, 2);
    assert_eq!(fire(&mut timers, 1500), [1]);
    assert_eq!(fire(&mut timers, 1499), []);
    once(&mut timers, 10, 3);
    assert_eq!(fire(&mut timers, 0), [3]);
    assert_eq!(fire(&mut timers, 2000), [2]);
}

#[test]
fn fixed_rate_fires_for_every_tick_once_a_turn_and_counts_the_others() {
    let mut timers = queue(1, 0);
    let token = arm(&mut timers, 100, 100, 0, 1).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        timers.collect(350);
        seen.extend(timers.pop_due(350, || 350).map(|fired| fired.missed));
        assert_eq!(timers.pop_due(350, || 350), None);
    }
    assert_eq!(seen, [2, 1, 0]);
    assert_eq!((timers.deadline(token), timers.next_wake()), (Ok(400), 400));
}

#[test]
fn skip_missed_keeps_the_grid() {
    let mut timers = queue(1, 0);
    let token = arm(&mut timers, 100, 100, SKIP_MISSED, 1).unwrap();
    timers.collect(350);
    assert_eq!(
        timers.pop_due(350, || 350).map(|fired| fired.missed),
        Some(2)
    );
    assert_eq!(timers.deadline(token), Ok(400));
    assert_eq!(rest(&mut timers, 350), []);
    timers.collect(400);
    assert_eq!(
        timers.pop_due(400, || 400).map(|fired| fired.missed),
        Some(0)
    );
    assert_eq!(timers.deadline(token), Ok(500));
}

#[test]
fn fixed_delay_counts_from_the_firing() {
    let mut timers = queue(1, 0);
    let token = arm(&mut timers, 100, 100, FIXED_DELAY, 1).unwrap();
    timers.collect(350);
    assert_eq!(
        timers.pop_due(350, || 350).map(|fired| fired.missed),
        Some(0)
    );
    assert_eq!(timers.deadline(token), Ok(450));
}

#[test]
fn a_period_that_leaves_the_range_ends_in_forever() {
    for flags in [0, FIXED_DELAY, SKIP_MISSED] {
        let mut timers = queue(1, 0);
        let token = arm(&mut timers, FOREVER - 3, FOREVER, flags, 1).unwrap();
        assert_eq!(fire(&mut timers, FOREVER), [1]);
        assert_eq!(timers.deadline(token), Ok(FOREVER));
        assert_eq!(fire(&mut timers, FOREVER), []);
    }
    let mut timers = queue(1, 0);
    arm(&mut timers, 0, 1, SKIP_MISSED, 1).unwrap();
    timers.collect(FOREVER);
    assert_eq!(
        timers
            .pop_due(FOREVER, || FOREVER)
            .map(|fired| fired.missed),
        Some(FOREVER)
    );
}

#[test]
fn slack_lets_timers_fire_together() {
    let mut timers = queue(3, 0);
    for (name, deadline) in [(1, 1000), (2, 1020), (3, 900)] {
        let token = once(&mut timers, deadline, name);
        timers.set_slack(token, 200).unwrap();
        assert_eq!(timers.deadline(token), Ok(1024));
    }
    assert_eq!(timers.next_wake(), 1024);
    assert_eq!(fire(&mut timers, 1023), []);
    assert_eq!(fire(&mut timers, 1024), [1, 2, 3]);
}

#[test]
fn slack_adds_up_to_no_drift() {
    let mut timers = queue(1, 0);
    let token = arm(&mut timers, 100, 100, 0, 1).unwrap();
    timers.set_slack(token, 64).unwrap();
    for tick in 1..1000 {
        let now = timers.deadline(token).unwrap();
        assert_eq!(now, (tick * 100_u64).next_multiple_of(64));
        assert_eq!(fire(&mut timers, now), [1]);
    }
}

#[test]
fn slack_can_be_taken_back_and_sends_a_due_timer_back() {
    let mut timers = queue(1, 0);
    let token = once(&mut timers, 1000, 1);
    timers.set_slack(token, SECOND).unwrap();
    timers.set_slack(token, 0).unwrap();
    assert_eq!(
        (timers.next_wake(), timers.deadline(token)),
        (1000, Ok(1000))
    );
    timers.collect(1000);
    timers.set_slack(token, 1024).unwrap();
    assert_eq!(timers.pop_due(1000, || 1000), None);
    assert_eq!(timers.next_wake(), 1024);
    assert_eq!(fire(&mut timers, 1024), [1]);
}

#[test]
fn only_referenced_timers_are_counted() {
    let mut timers = queue(4, 0);
    let token = once(&mut timers, 10, 1);
    arm(&mut timers, 10, 0, UNREFERENCED, 2).unwrap();
    let periodic = arm(&mut timers, 10, 10, 0, 3).unwrap();
    assert_eq!(timers.referenced(), 2);
    assert_eq!(
        (timers.set_ref(token, false), timers.set_ref(token, false)),
        (Ok(true), Ok(false))
    );
    assert_eq!(timers.set_ref(periodic, true), Ok(false));
    assert_eq!(timers.referenced(), 1);
    fire(&mut timers, 10);
    assert_eq!((timers.used(), timers.referenced()), (1, 1));
    timers.stop(periodic).unwrap();
    assert_eq!(timers.referenced(), 0);
}

#[test]
fn equal_deadlines_keep_their_order_at_every_count() {
    for count in [1, 7, 8, 9, 16, 17, 1000] {
        let mut timers = queue(count, 5);
        for name in 0..count {
            once(&mut timers, 60 * SECOND, name);
        }
        assert_eq!(
            fire(&mut timers, 61 * SECOND),
            (0..count).collect::<Vec<_>>()
        );
    }
}

#[test]
fn equal_deadlines_pushed_to_in_any_order_fire_in_the_order_of_the_pushes() {
    let count = 1000;
    let mut timers = queue(count, 0);
    let tokens: Vec<Token> = (0..count)
        .map(|name| once(&mut timers, 100 + name as u64 % 3, name))
        .collect();
    let order: Vec<usize> = (0..count).map(|step| step * 377 % count).collect();
    for &name in &order {
        timers.again(tokens[name], 102).unwrap();
    }
    assert_eq!(fire(&mut timers, 102), order);
}

#[test]
fn timers_far_in_the_past_fire_in_order_too() {
    let count = 500;
    let mut timers = queue(count, SECOND);
    for name in 0..count {
        once(&mut timers, (name * 377 % count) as u64, name);
    }
    assert_eq!(timers.next_deadline(), 0);
    assert!(timers.next_wake() <= SECOND && timers.is_sound());
    let fired = fire(&mut timers, SECOND);
    assert!(
        fired
            .windows(2)
            .all(|pair| pair[0] * 377 % count < pair[1] * 377 % count)
    );
    assert_eq!(fired.len(), count);
}

#[test]
fn a_crowd_fires_in_order_however_long_the_loop_was_away() {
    let count = 5000;
    for step in [1, 1000, MILLISECOND, SECOND, 1 << 50] {
        let mut timers = queue(count, SECOND);
        let mut expected: Vec<(u64, usize)> = Vec::new();
        for name in 0..count {
            let deadline = SECOND + (name * 3_571 % 4_001) as u64 * step;
            once(&mut timers, deadline, name);
            expected.push((deadline, name));
        }
        expected.sort_unstable();
        let (soon, late): (Vec<_>, Vec<_>) = expected
            .into_iter()
            .partition(|entry| entry.0 <= SECOND + 1234 * step);
        for (now, group) in [(SECOND + 1234 * step, soon), (FOREVER, late)] {
            let names: Vec<usize> = group.into_iter().map(|entry| entry.1).collect();
            assert_eq!(fire(&mut timers, now), names);
        }
    }
}

/// Lets the loop sleep as long as it may, up to `end`: how often it woke, and how often for
/// nothing.
fn sleep_until(timers: &mut Queue, end: u64) -> (u32, u32) {
    let (mut wakes, mut idle) = (0, 0);
    loop {
        let wake = timers.next_wake();
        if wake > end {
            timers.collect(end);
            return (wakes, idle);
        }
        wakes += 1;
        timers.collect(wake);
        let mut fired = 0;
        while timers.pop_due(wake, || wake).is_some() {
            fired += 1;
        }
        idle += u32::from(fired == 0);
        assert!(timers.next_wake() > wake);
    }
}

#[test]
fn idle_timeouts_that_are_pushed_in_time_wake_the_loop_a_few_times_at_most() {
    let (count, timeout, step) = (10_000, 60 * SECOND, 5 * MILLISECOND);
    let mut now = 123 * SECOND;
    let mut timers = queue(count, now);
    let tokens: Vec<Token> = (0..count)
        .map(|name| once(&mut timers, now + timeout, name))
        .collect();
    let mut idle = 0;
    for turn in 0..60_000 {
        now += step;
        idle += sleep_until(&mut timers, now).1;
        timers.again(tokens[turn % count], now + timeout).unwrap();
    }
    assert!(timers.is_sound());
    assert_eq!(timers.used() as usize, count);
    assert!(idle <= 60, "{idle} wake-ups for nothing in 300 s");
}

#[test]
fn a_crowd_that_fires_costs_few_wake_ups_for_nothing() {
    let count = 10_000;
    let mut timers = queue(count, 0);
    for name in 0..count {
        once(
            &mut timers,
            30 * SECOND + name as u64 * 7_919 % 10_007 * 4 * MILLISECOND,
            name,
        );
    }
    let (wakes, idle) = sleep_until(&mut timers, 100 * SECOND);
    assert_eq!(timers.used(), 0);
    assert!(idle <= wakes / 10, "{wakes} wake-ups, {idle} for nothing");
    for name in 0..count {
        once(&mut timers, 200 * SECOND, name);
    }
    let (_, idle) = sleep_until(&mut timers, 200 * SECOND);
    assert_eq!(timers.used(), 0);
    assert!(idle <= buckets::LEVELS as u32);
}

/// The queue as it would be if only its rules mattered.
#[derive(Default)]
struct Model {
    timers: Vec<Entry>,
    armings: u64,
}

struct Entry {
    token: Token,
    deadline: u64,
    period: u64,
    flags: u8,
    slack: u64,
    armed: u64,
    is_due: bool,
}

impl Entry {
    fn effective(&self) -> u64 {
        let grid = u128::from(1_u64 << self.slack.checked_ilog2().unwrap_or(0));
        u128::from(self.deadline)
            .next_multiple_of(grid)
            .min(u128::from(FOREVER)) as u64
    }
}

impl Model {
    fn next_deadline(&self) -> u64 {
        self.timers
            .iter()
            .map(Entry::effective)
            .min()
            .unwrap_or(FOREVER)
    }

    fn count_arming(&mut self) -> u64 {
        self.armings += 1;
        self.armings
    }

    fn entry(&mut self, which: usize) -> Option<&mut Entry> {
        let count = self.timers.len().max(1);
        self.timers.get_mut(which % count)
    }

    fn first_due(&self) -> Option<u64> {
        let due = self.timers.iter().filter(|entry| entry.is_due);
        due.map(Entry::effective).min()
    }

    fn collect(&mut self, now: u64) {
        for entry in &mut self.timers {
            entry.is_due |= entry.effective() <= now && entry.effective() != FOREVER;
        }
    }

    fn pop_due(&mut self, now: u64) -> Option<(Token, u64)> {
        let due = self
            .timers
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.is_due);
        let (index, _) = due.min_by_key(|(_, entry)| (entry.effective(), entry.armed))?;
        let entry = &mut self.timers[index];
        let token = entry.token;
        if entry.period == 0 {
            self.timers.remove(index);
            return Some((token, 0));
        }
        let (deadline, period, time) = (
            u128::from(entry.deadline),
            u128::from(entry.period),
            u128::from(now),
        );
        let late = (time - deadline) / period;
        let (next, missed) = match entry.flags & (FIXED_DELAY | SKIP_MISSED) {
            FIXED_DELAY => (time + period, 0),
            SKIP_MISSED => (deadline + (late + 1) * period, late),
            _ => (deadline + period, late),
        };
        entry.deadline = next.min(u128::from(FOREVER)) as u64;
        self.armings += 1;
        entry.armed = self.armings;
        entry.is_due = false;
        Some((token, missed as u64))
    }
}

#[derive(Clone, Debug)]
enum Step {
    Start {
        when: When,
        period: u64,
        flags: u8,
    },
    Again {
        which: usize,
        when: When,
    },
    Set {
        which: usize,
        when: When,
        period: u64,
        flags: u8,
    },
    Stop {
        which: usize,
    },
    Slack {
        which: usize,
        slack_ns: u64,
    },
    Ref {
        which: usize,
        is_referenced: bool,
    },
    Advance {
        by: u64,
    },
    /// A turn, in which this many timers are fired for at most.
    Turn {
        limit: usize,
    },
    /// As long a sleep as is allowed, and a turn.
    Sleep {
        limit: usize,
    },
}

#[derive(Clone, Debug)]
enum When {
    At(u64),
    In(u64),
    Ago(u64),
}

impl When {
    fn resolve(&self, now: u64) -> u64 {
        match *self {
            When::At(deadline) => deadline,
            When::In(delay) => now.saturating_add(delay),
            When::Ago(delay) => now.saturating_sub(delay),
        }
    }
}

/// Lengths of time of every magnitude, with many equal ones.
fn length() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => 0..4_u64,
        3 => 0..200_u64,
        2 => (0..40_u64).prop_map(|step| step * MILLISECOND),
        2 => (0..64_u32, any::<u64>()).prop_map(|(bits, value)| value & ((1 << bits) - 1)),
        1 => Just(1 << 31).prop_map(|milliseconds: u64| milliseconds * MILLISECOND),
        1 => Just(60 * SECOND),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        8 => length().prop_map(When::In),
        2 => length().prop_map(When::Ago),
        1 => length().prop_map(When::At),
        1 => (0..3_u64).prop_map(|below| When::At(FOREVER - below)),
        1 => (0..3_u64).prop_map(|below| When::At((1 << 63) - below)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..1000_usize;
    let flags = prop_oneof![
        Just(0_u8),
        Just(FIXED_DELAY),
        Just(SKIP_MISSED),
        Just(UNREFERENCED)
    ];
    let period = prop_oneof![2 => Just(0), 1 => length()];
    let limit = || prop_oneof![0..4_usize, Just(1000)];
    prop_oneof![
        10 => (when(), period.clone(), flags.clone())
            .prop_map(|(when, period, flags)| Step::Start { when, period, flags }),
        8 => (which.clone(), when()).prop_map(|(which, when)| Step::Again { which, when }),
        4 => (which.clone(), when(), period.clone(), flags.clone())
            .prop_map(|(which, when, period, flags)| Step::Set { which, when, period, flags }),
        2 => which.clone().prop_map(|which| Step::Stop { which }),
        2 => (which.clone(), length())
            .prop_map(|(which, slack_ns)| Step::Slack { which, slack_ns }),
        1 => (which, any::<bool>())
            .prop_map(|(which, is_referenced)| Step::Ref { which, is_referenced }),
        4 => length().prop_map(|by| Step::Advance { by }),
        3 => limit().prop_map(|limit| Step::Turn { limit }),
        2 => limit().prop_map(|limit| Step::Sleep { limit }),
    ]
}

/// A queue and its model, to which the same is done.
struct Both {
    timers: Queue,
    model: Model,
    now: u64,
    /// True if the last dispatch has not told yet that nothing more is due in it.
    is_unfinished: bool,
}

impl Both {
    fn new(capacity: usize, now: u64) -> Both {
        Both {
            timers: queue(capacity, now),
            model: Model::default(),
            now,
            is_unfinished: false,
        }
    }

    fn start(&mut self, deadline: u64, period: u64, flags: u8) -> TestCaseResult {
        let started = arm(&mut self.timers, deadline, period, flags, 0);
        if self.model.timers.len() == self.timers.capacity() as usize {
            prop_assert_eq!(started, Err(Error::ENOSPC));
            return Ok(());
        }
        let token = started.unwrap();
        let armed = self.model.count_arming();
        self.model.timers.push(Entry {
            token,
            deadline,
            period,
            flags,
            slack: 0,
            armed,
            is_due: false,
        });
        Ok(())
    }

    fn again(&mut self, which: usize, deadline: u64) {
        let armed = self.model.count_arming();
        if let Some(entry) = self.model.entry(which) {
            if !self.timers.push(entry.token, Instant(deadline)) {
                self.timers.again(entry.token, deadline).unwrap();
            }
            entry.armed = armed;
            entry.deadline = deadline;
            entry.is_due = false;
        }
    }

    fn set(&mut self, which: usize, deadline: u64, period: u64, flags: u8) {
        let armed = self.model.count_arming();
        if let Some(entry) = self.model.entry(which) {
            let token = entry.token;
            let set = self.timers.set(token, deadline, period, flags, callback(0));
            set.unwrap();
            *entry = Entry {
                token,
                deadline,
                period,
                flags,
                slack: 0,
                armed,
                is_due: false,
            };
        }
    }

    fn stop(&mut self, which: usize) -> TestCaseResult {
        if !self.model.timers.is_empty() {
            let which = which % self.model.timers.len();
            let entry = self.model.timers.swap_remove(which);
            self.timers.stop(entry.token).unwrap();
            prop_assert_eq!(self.timers.stop(entry.token), Err(Error::ENOENT));
        }
        Ok(())
    }

    fn set_slack(&mut self, which: usize, slack: u64) {
        if let Some(entry) = self.model.entry(which) {
            let before = entry.effective();
            self.timers.set_slack(entry.token, slack).unwrap();
            entry.slack = slack;
            entry.is_due &= entry.effective() == before;
        }
    }

    fn set_ref(&mut self, which: usize, is_referenced: bool) -> TestCaseResult {
        if let Some(entry) = self.model.entry(which) {
            let was_referenced = entry.flags & UNREFERENCED == 0;
            let changed = self.timers.set_ref(entry.token, is_referenced).unwrap();
            prop_assert_eq!(changed, was_referenced != is_referenced);
            entry.flags =
                entry.flags & !UNREFERENCED | if is_referenced { 0 } else { UNREFERENCED };
        }
        Ok(())
    }

    /// A dispatch, or the rest of one that was cut short, in which so many timers fire at most.
    fn turn(&mut self, limit: usize) -> TestCaseResult {
        let now = self.now;
        let begins = !self.is_unfinished;
        if begins {
            let first = self.timers.collect(now);
            self.model.collect(now);
            prop_assert!(self.timers.is_sound());
            prop_assert_eq!(first, self.model.first_due());
            self.is_unfinished = first.is_some();
        }
        for _ in 0..limit {
            if !self.fire()? {
                break;
            }
        }
        let next = self.model.next_deadline();
        if begins && !self.is_unfinished && next > now {
            prop_assert!(self.timers.next_wake() > now || now >= FOREVER - 1);
        }
        Ok(())
    }

    /// Fires for one timer. False if there was none left.
    fn fire(&mut self) -> core::result::Result<bool, TestCaseError> {
        let now = self.now;
        let fired = self.timers.pop_due(now, || now);
        let fired = fired.map(|fired| (fired.token, fired.missed));
        prop_assert_eq!(fired, self.model.pop_due(now));
        self.is_unfinished = fired.is_some();
        Ok(fired.is_some())
    }

    fn check(&mut self, asks: bool) -> TestCaseResult {
        let (timers, model) = (&mut self.timers, &self.model);
        prop_assert!(timers.is_sound());
        prop_assert_eq!(timers.used() as usize, model.timers.len());
        prop_assert_eq!(timers.next_deadline(), model.next_deadline());
        let is_referenced = |entry: &&Entry| entry.flags & UNREFERENCED == 0;
        let referenced = model.timers.iter().filter(is_referenced).count();
        prop_assert_eq!(timers.referenced() as usize, referenced);
        if asks {
            // To ask may move what was pushed forward: half of the scripts do not, and find it
            // where it was.
            prop_assert!(timers.next_wake() <= model.next_deadline().max(self.now));
            prop_assert!(timers.is_sound());
        }
        for entry in &model.timers {
            prop_assert_eq!(timers.deadline(entry.token), Ok(entry.effective()));
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> TestCaseResult {
        match *step {
            Step::Start {
                ref when,
                period,
                flags,
            } => self.start(when.resolve(self.now), period, flags)?,
            Step::Again { which, ref when } => self.again(which, when.resolve(self.now)),
            Step::Set {
                which,
                ref when,
                period,
                flags,
            } => self.set(which, when.resolve(self.now), period, flags),
            Step::Stop { which } => self.stop(which)?,
            Step::Slack { which, slack_ns } => self.set_slack(which, slack_ns),
            Step::Ref {
                which,
                is_referenced,
            } => self.set_ref(which, is_referenced)?,
            Step::Advance { by } => self.now = self.now.saturating_add(by),
            Step::Turn { limit } => self.turn(limit)?,
            Step::Sleep { limit } => {
                let wake = self.timers.next_wake();
                prop_assert!(wake <= self.model.next_deadline().max(self.now));
                self.now = self.now.max(wake);
                self.turn(limit)?;
            }
        }
        Ok(())
    }
}

fn run_script(start: u64, asks: bool, steps: &[Step]) -> TestCaseResult {
    let mut both = Both::new(64, start);
    for step in steps {
        both.step(step)?;
        both.check(asks)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 300 } else { 3000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_script_fires_what_the_rules_say(
        start in prop_oneof![Just(0), length(), Just(1 << 63), Just(FOREVER - 1000)],
        asks: bool,
        steps in prop::collection::vec(step(), 1..300),
    ) {
        run_script(start, asks, &steps)?;
    }
}

/// A crowd of timers, of which some are changed between the callbacks of one dispatch.
fn run_crowd(count: usize, span: u64, seed: u64) -> TestCaseResult {
    let mut random = seed;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (random >> 33) % limit
    };
    let mut both = Both::new(count + 10, SECOND);
    for _ in 0..count {
        both.start(SECOND + below(span), 0, 0)?;
    }
    while !both.model.timers.is_empty() {
        both.now += 1 + span / 3;
        both.turn(0)?;
        while both.fire()? {
            let which = below(count as u64) as usize;
            let when = both.now - span.min(SECOND) / 2 + below(span);
            match below(8) {
                0 => both.start(when, 0, 0)?,
                1 => both.start(both.now, 0, 0)?,
                2 => both.again(which, when),
                3 => both.again(which, both.now),
                4 => both.set_slack(which, below(span + 1)),
                _ => both.stop(which)?,
            }
            if below(64) == 0 {
                let asks = below(2) == 0;
                both.check(asks)?;
            }
        }
        both.check(false)?;
    }
    Ok(())
}

#[test]
fn a_crowd_that_changes_while_it_fires_keeps_the_rules() {
    for span in [1, 3, 40, 2000, MILLISECOND, 20 * MILLISECOND, 100 * SECOND] {
        for seed in 0..3 {
            run_crowd(1500, span, seed).unwrap_or_else(|error| panic!("{span} {seed}: {error}"));
        }
    }
}
