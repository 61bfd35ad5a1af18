//! Readiness, as `../../../workloads/dispatch.h`.

use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::bench::{self, Meter, Random, measured_dispatch, measured_idle, open_eventfd, open_pair, wrong};
use crate::{Handler, Library, Limits};

struct Channel {
    input: RawFd,
    output: RawFd,
    driver: RawFd,
    calls: u32,
}

struct Dispatch<L> {
    active: usize,
    handled: usize,
    /// Bytes in a read or write.
    word: usize,
    channels: Vec<Channel>,
    order: Vec<usize>,
    position: usize,
    sink: RawFd,
    /// Rounds yet to come that are not measured.
    warming: u32,
    meter: Meter,
    library: PhantomData<L>,
}

impl<L: Library> Dispatch<L> {
    fn new(count: usize, active: usize) -> Self {
        let pairs = 2 * count + 100 < bench::fd_limit();
        let sink = open_eventfd(0);
        let channel = |_| {
            if pairs {
                let [input, driver] = open_pair();
                Channel { input, output: input, driver, calls: 0 }
            } else {
                let input = open_eventfd(0);
                Channel { input, output: sink, driver: input, calls: 0 }
            }
        };
        Dispatch {
            active,
            handled: 0,
            word: if pairs { 1 } else { 8 },
            channels: (0..count).map(channel).collect(),
            order: Random::default().order(count),
            position: 0,
            sink,
            warming: 3,
            meter: Meter::new("dispatch"),
            library: PhantomData,
        }
    }

    fn active(&mut self, i: usize) -> &mut Channel {
        let at = self.order[(self.position + i) % self.channels.len()];
        &mut self.channels[at]
    }

    /// The word channel `i` of a round gets.
    fn word(&self, i: usize) -> [u8; 8] {
        if self.word == 1 { [(i * 7 + 1) as u8, 0, 0, 0, 0, 0, 0, 0] } else { 1u64.to_ne_bytes() }
    }

    fn fill(&mut self) {
        self.handled = 0;
        for i in 0..self.active {
            let (word, size) = (self.word(i), self.word);
            let channel = self.active(i);
            channel.calls = 0;
            if bench::write(channel.driver, &word[..size]) != size as isize {
                wrong("the driver cannot write");
            }
        }
    }

    fn check(&mut self) {
        let mut word = [0; 8];
        for i in 0..self.active {
            let (expected, size) = (self.word(i), self.word);
            let channel = self.active(i);
            if channel.calls != 1 {
                wrong("not one callback of one fd for one byte");
            }
            if size == 1 && (bench::read(channel.driver, &mut word[..1]) != 1 || word[0] != expected[0]) {
                wrong("the byte written is not the byte read");
            }
        }
        if self.word > 1 && (bench::read(self.sink, &mut word) != 8 || u64::from_ne_bytes(word) != self.active as u64) {
            wrong("not as many words as callbacks");
        }
        self.position = (self.position + self.active) % self.channels.len();
    }

    /// Called inside the measured region, and not part of it. Returns whether there is a next one.
    fn next_round(&mut self) -> bool {
        if self.warming == 0 {
            self.meter.end(self.active);
        }
        self.check();
        if self.warming > 0 {
            self.warming -= 1;
            if self.warming == 0 {
                return false;
            }
        } else if !self.meter.goes_on(if self.active == 1 { 1000 } else { 20 }) {
            return false;
        }
        self.fill();
        if self.warming == 0 {
            self.meter.begin();
        }
        true
    }
}

impl<L: Library> Handler<L> for Dispatch<L> {
    fn io(&mut self, context: &mut L::Context<Self>, token: usize) {
        let size = self.word;
        let channel = &mut self.channels[token];
        let mut word = [0; 8];
        if bench::read(channel.input, &mut word[..size]) != size as isize {
            wrong("a callback, but nothing to read");
        }
        if bench::write(channel.output, &word[..size]) != size as isize {
            wrong("a short write");
        }
        channel.calls += 1;
        self.handled += 1;
        if self.handled == self.active {
            let except = if self.warming > 0 { unmeasured } else { bench::driver_next_round };
            except(&mut || {
                if !self.next_round() {
                    L::stop(context);
                }
            });
        }
    }
}

/// Outside of the measured region there is nothing to be excepted from.
fn unmeasured(body: &mut dyn FnMut()) -> usize {
    body();
    0
}

fn open<L: Library>(count: usize, active: usize, timers: usize) -> L::Loop<Dispatch<L>> {
    let mut events = L::open(Limits { io: count + 1, timers, ..Limits::default() }, Dispatch::new(count, active));
    let (context, handler) = L::parts(&mut events);
    for (token, channel) in handler.channels.iter().enumerate() {
        L::io_add(context, channel.input, token);
    }
    events
}

pub fn dispatch<L: Library>(count: usize, active: usize) {
    let mut events = open::<L>(count, active, 0);
    L::parts(&mut events).1.fill();
    L::run(&mut events);
    L::parts(&mut events).1.fill();
    L::parts(&mut events).1.meter.begin();
    measured_dispatch(&mut || L::run(&mut events));
    L::parts(&mut events).1.meter.report();
}

pub fn idle<L: Library>(timers: usize) {
    if timers > 0 && !L::HAS_TIMERS {
        bench::skip("no timers");
    }
    let mut events = open::<L>(1, 0, timers);
    let mut meter = Meter::new("idle");
    for token in 0..timers {
        L::timer_add(L::parts(&mut events).0, token, Duration::from_secs(3600));
    }
    for _ in 0..3 {
        L::turn(&mut events, false);
    }
    while meter.goes_on(1) {
        meter.measure(measured_idle, 1000, || {
            for _ in 0..1000 {
                L::turn(&mut events, false);
            }
        });
    }
    meter.report();
}
