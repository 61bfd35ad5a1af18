//! The schedule of a clock source: when it must report next, and what. This file does not use the
//! kernel.
//!
//! The kernel's timer is used only to wake up. The clock decides whether a deadline is due, and the
//! schedule stores whether an expiry was reported. So no expiry is lost, reported twice or reported
//! early when the clock is set. The timerfd alone would lose one:
//!
//! - If the clock is set while a timer has `TFD_TIMER_CANCEL_ON_SET`, the next read returns
//!   ECANCELED, and an expiry is lost. A periodic timer that had expired is not started again
//!   either (fs/timerfd.c, `timerfd_read_iter`). So no timer is periodic for the kernel, and each
//!   is armed again after ECANCELED, with the deadline it had.
//! - timerfd_settime returns ECANCELED too if the clock was set and that was not read yet. The
//!   timer is armed all the same, and the next read no longer returns ECANCELED (`timerfd_setup`).
//!   So the schedule stores that the clock was set until it has reported it.

/// A deadline that is never reached.
pub const NEVER: u64 = u64::MAX;

/// A timerfd and its clock: the functions of the kernel that the schedule needs.
pub(crate) trait Timer {
    /// Returns the time of the clock in nanoseconds.
    fn now(&self) -> u64;

    /// Makes the timer readable once, when the clock reaches `at`; if `tells_set` is true, also
    /// when the clock is set. Returns true if the clock was set since the timer was last armed or
    /// read.
    fn arm(&mut self, at: u64, tells_set: bool) -> bool;

    /// Reads the timer, so that it is not readable any more, and returns why it was readable.
    fn read(&mut self) -> Reading;
}

/// The reason why a timer was readable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    Expired,
    WasSet,
    /// It was not readable.
    Nothing,
}

/// A report of a clock source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The deadline has been reached.
    Due {
        /// The number of deadlines of a periodic source that have passed besides this one.
        missed: u64,
    },
    /// The clock was set, forwards or backwards, once or several times.
    Set,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Schedule {
    /// The next deadline.
    pub(crate) at: u64,
    /// The time from one deadline to the next; 0 for only one deadline.
    pub(crate) period: u64,
    /// True if the source reports that the clock was set.
    pub(crate) tells_set: bool,
    /// True if the clock was set and the timer no longer reports it.
    pub(crate) is_set_noted: bool,
}

impl Schedule {
    /// Arms the timer for the deadline.
    pub(crate) fn arm(&mut self, timer: &mut impl Timer) {
        self.is_set_noted |= timer.arm(self.at, self.tells_set);
        if self.is_set_noted {
            // Readable immediately. That the clock was set is reported before a deadline that is
            // due.
            timer.arm(0, self.tells_set);
        }
    }

    /// Returns one report after the timer has become readable, or `None` if there is nothing to
    /// report. As long as there is more to report, the timer stays readable or becomes readable
    /// again.
    pub(crate) fn next(&mut self, timer: &mut impl Timer) -> Option<Event> {
        let reading = timer.read();
        if reading == Reading::WasSet || self.is_set_noted {
            // If the clock is set again while the timer is being armed, that is the same report.
            timer.arm(self.at, self.tells_set);
            self.is_set_noted = false;
            return Some(Event::Set);
        }
        let now = timer.now();
        if self.at == NEVER || now < self.at {
            if reading == Reading::Expired {
                // The timer had expired, and then the clock was set back.
                self.arm(timer);
            }
            return None;
        }
        let missed = (now - self.at).checked_div(self.period).unwrap_or(0);
        self.at = match self.period {
            0 => NEVER,
            period => self
                .at
                .saturating_add(missed.saturating_add(1).saturating_mul(period)),
        };
        self.arm(timer);
        Some(Event::Due { missed })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// The kernel's timerfd, as fs/timerfd.c has it, on a clock that a test sets.
    struct Kernel {
        monotonic: u64,
        /// What the clock is ahead of the monotonic one.
        offset: u64,
        expires: Option<u64>,
        ticks: u32,
        might_cancel: bool,
        /// The offset that the timer knows; None after the clock was set, until somebody is told.
        known_offset: Option<u64>,
    }

    impl Kernel {
        fn new() -> Kernel {
            Kernel {
                monotonic: 1_000_000,
                offset: 0,
                expires: None,
                ticks: 0,
                might_cancel: false,
                known_offset: Some(0),
            }
        }

        fn expire(&mut self) {
            if self.expires.is_some_and(|at| self.now() >= at) {
                self.expires = None;
                self.ticks += 1;
            }
        }

        fn advance(&mut self, nanoseconds: u64) {
            self.monotonic += nanoseconds;
            self.expire();
        }

        fn set(&mut self, now: u64) {
            self.offset = now.wrapping_sub(self.monotonic);
            self.expire();
            if self.might_cancel && self.known_offset != Some(self.offset) {
                self.known_offset = None;
                self.ticks += 1;
            }
        }

        fn is_readable(&self) -> bool {
            self.ticks > 0
        }

        fn is_cancelled(&mut self) -> bool {
            let is_cancelled = self.might_cancel && self.known_offset.is_none();
            if is_cancelled {
                self.known_offset = Some(self.offset);
            }
            is_cancelled
        }
    }

    impl Timer for Kernel {
        fn now(&self) -> u64 {
            self.monotonic.wrapping_add(self.offset)
        }

        fn arm(&mut self, at: u64, tells_set: bool) -> bool {
            self.might_cancel = tells_set;
            self.ticks = 0;
            self.expires = (at != NEVER).then_some(at);
            let is_cancelled = self.is_cancelled();
            self.expire();
            is_cancelled
        }

        fn read(&mut self) -> Reading {
            if self.is_cancelled() {
                self.ticks = 0;
                return Reading::WasSet;
            }
            match core::mem::take(&mut self.ticks) {
                0 => Reading::Nothing,
                _ => Reading::Expired,
            }
        }
    }

    fn schedule(at: u64, period: u64, tells_set: bool, kernel: &mut Kernel) -> Schedule {
        let mut schedule = Schedule {
            at,
            period,
            tells_set,
            is_set_noted: false,
        };
        schedule.arm(kernel);
        schedule
    }

    /// What is reported until the timer is not readable.
    fn settle(schedule: &mut Schedule, kernel: &mut Kernel) -> Vec<Event> {
        let mut events = Vec::new();
        let mut turns = 0;
        while kernel.is_readable() {
            events.extend(schedule.next(kernel));
            turns += 1;
            assert!(turns < 10, "it spins");
        }
        events
    }

    const DUE: Event = Event::Due { missed: 0 };

    #[test]
    fn a_deadline_is_reported_once_and_not_before() {
        for tells_set in [false, true] {
            let mut kernel = Kernel::new();
            let mut one = schedule(1_000_100, 0, tells_set, &mut kernel);
            kernel.advance(99);
            assert_eq!(settle(&mut one, &mut kernel), []);
            kernel.advance(1);
            assert_eq!(settle(&mut one, &mut kernel), [DUE]);
            kernel.advance(1_000_000);
            assert_eq!(settle(&mut one, &mut kernel), []);
        }
    }

    #[test]
    fn a_deadline_in_the_past_is_reported_at_once() {
        for at in [0, 1, 999_999, 1_000_000] {
            let mut kernel = Kernel::new();
            let mut one = schedule(at, 0, true, &mut kernel);
            assert_eq!(settle(&mut one, &mut kernel), [DUE]);
        }
    }

    /// The kernel forgets the expiry here: it answers ECANCELED, then EAGAIN.
    #[test]
    fn a_step_over_the_deadline_or_onto_it_loses_nothing() {
        for to in [1_000_100, 1_000_101, 2_000_000] {
            let mut kernel = Kernel::new();
            let mut one = schedule(1_000_100, 0, true, &mut kernel);
            kernel.set(to);
            assert_eq!(settle(&mut one, &mut kernel), [Event::Set, DUE]);

            let mut kernel = Kernel::new();
            let mut one = schedule(1_000_100, 0, false, &mut kernel);
            kernel.set(to);
            assert_eq!(settle(&mut one, &mut kernel), [DUE]);
        }
    }

    #[test]
    fn a_step_backwards_makes_nothing_early() {
        for tells_set in [false, true] {
            let mut kernel = Kernel::new();
            let mut one = schedule(1_000_100, 0, tells_set, &mut kernel);
            // It has expired, and nobody has looked.
            kernel.advance(100);
            kernel.set(500_000);
            let told = settle(&mut one, &mut kernel);
            assert_eq!(
                told,
                if tells_set {
                    [Event::Set].as_slice()
                } else {
                    &[]
                }
            );
            kernel.advance(500_099);
            assert_eq!(settle(&mut one, &mut kernel), []);
            kernel.advance(1);
            assert_eq!(settle(&mut one, &mut kernel), [DUE]);
        }
    }

    #[test]
    fn a_clock_without_a_deadline_reports_each_step() {
        let mut kernel = Kernel::new();
        let mut none = schedule(NEVER, 0, true, &mut kernel);
        for to in [5_000_000, 10, 10_000_000] {
            kernel.set(to);
            assert_eq!(settle(&mut none, &mut kernel), [Event::Set]);
            kernel.advance(1_000_000);
            assert_eq!(settle(&mut none, &mut kernel), []);
        }
    }

    /// The kernel forgets here that the clock was set: the timer is armed before anybody has read.
    #[test]
    fn arming_again_does_not_hide_that_the_clock_was_set() {
        let mut kernel = Kernel::new();
        let mut one = schedule(1_000_100, 0, true, &mut kernel);
        kernel.set(2_000_000);
        one.at = 3_000_000;
        one.arm(&mut kernel);
        assert_eq!(settle(&mut one, &mut kernel), [Event::Set]);
        kernel.set(4_000_000);
        one.at = 3_500_000;
        one.arm(&mut kernel);
        kernel.set(4_000_001);
        assert_eq!(settle(&mut one, &mut kernel), [Event::Set, DUE]);
    }

    #[test]
    fn a_period_keeps_its_grid() {
        let mut kernel = Kernel::new();
        let mut many = schedule(1_000_100, 100, true, &mut kernel);
        kernel.advance(100);
        assert_eq!(settle(&mut many, &mut kernel), [DUE]);
        kernel.advance(350);
        let missed = |missed| Event::Due { missed };
        assert_eq!(settle(&mut many, &mut kernel), [missed(2)]);
        kernel.set(2_000_100);
        assert_eq!(settle(&mut many, &mut kernel), [Event::Set, missed(9_996)]);
        kernel.set(2_000_000);
        assert_eq!(settle(&mut many, &mut kernel), [Event::Set]);
        kernel.advance(199);
        assert_eq!(settle(&mut many, &mut kernel), []);
        kernel.advance(1);
        assert_eq!(settle(&mut many, &mut kernel), [DUE]);
    }

    #[test]
    fn huge_deadlines_and_periods_do_not_wrap() {
        let mut kernel = Kernel::new();
        let mut one = schedule(1, NEVER, true, &mut kernel);
        assert_eq!(settle(&mut one, &mut kernel), [DUE]);
        assert_eq!(one.at, NEVER);
        let mut many = schedule(0, 1, true, &mut kernel);
        assert_eq!(settle(&mut many, &mut kernel).len(), 1);
        kernel.set(NEVER - 1);
        assert_eq!(settle(&mut many, &mut kernel).len(), 2);
        assert_eq!(many.at, NEVER);
    }

    /// Random scripts: the clock goes on, is set to points around the deadline, and the deadline is
    /// changed; the loop looks now and then. Compared with the deadlines themselves.
    #[test]
    fn nothing_is_lost_doubled_or_early_whatever_happens() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: u64| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d) % below
        };
        let mut due_count = 0;
        for script in 0..4000 {
            let tells_set = random(2) == 0;
            let period = [0, 0, 1, 7, 100][random(5) as usize];
            let mut kernel = Kernel::new();
            let mut one = schedule(1_000_000 + random(300), period, tells_set, &mut kernel);
            let mut deadline = one.at;
            let mut was_set = false;
            for step in 0..60 {
                let at = std::format!("script {script}, step {step}");
                let around = |random: &mut dyn FnMut(u64) -> u64, deadline: u64| {
                    let middle = if deadline == NEVER {
                        1_000_000
                    } else {
                        deadline
                    };
                    middle.saturating_sub(2) + random(5)
                };
                match random(6) {
                    0 | 1 => kernel.advance(random(120)),
                    2 => {
                        let before = kernel.offset;
                        kernel.set(around(&mut random, deadline));
                        was_set |= before != kernel.offset;
                    }
                    3 => {
                        let before = kernel.offset;
                        kernel.set(900_000 + random(200_000));
                        was_set |= before != kernel.offset;
                    }
                    4 => {
                        deadline = match random(4) {
                            0 => NEVER,
                            1 => around(&mut random, deadline),
                            _ => kernel.now() + random(200),
                        };
                        one.at = deadline;
                        one.arm(&mut kernel);
                    }
                    // The loop looks later.
                    _ => continue,
                }
                if random(2) == 0 {
                    continue;
                }
                let mut turns = 0;
                while kernel.is_readable() {
                    match one.next(&mut kernel) {
                        Some(Event::Set) => {
                            assert!(tells_set && was_set, "{at}: not set");
                            was_set = false;
                        }
                        Some(Event::Due { missed }) => {
                            assert!(!(tells_set && was_set), "{at}: due before set");
                            assert!(deadline <= kernel.now(), "{at}: early");
                            let late = kernel.now() - deadline;
                            assert_eq!(missed, late.checked_div(period).unwrap_or(0), "{at}");
                            deadline = match period {
                                0 => NEVER,
                                _ => deadline + (missed + 1) * period,
                            };
                            due_count += 1;
                        }
                        None => {}
                    }
                    turns += 1;
                    assert!(turns < 10, "{at}: it spins");
                }
                assert!(deadline > kernel.now() || deadline == NEVER, "{at}: lost");
                assert!(!(tells_set && was_set), "{at}: that it was set is lost");
                assert_eq!(one.at, deadline, "{at}");
            }
        }
        assert!(due_count > 10_000, "{due_count}");
    }
}
