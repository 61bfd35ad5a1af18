//! Timers, as `../../../workloads/timers.h`.

use std::time::{Duration, Instant};

use crate::bench::{
    self, Meter, Random, is_fixed, measured_add, measured_cancel, measured_expire, measured_pair, measured_push_random,
    measured_push_robin, measured_turns_random, measured_turns_robin, open_pair, options, percentile, report, wrong,
};
use crate::{Handler, Library, Limits};

const EXTRAS: usize = 1000;
/// What a peer with timers that are slow in great number is asked to have, unless instructions are counted.
const TIMED_MAX: usize = 1000;

type Errand<L> = Option<Box<dyn FnOnce(&mut <L as Library>::Context<Clockwork<L>>, &mut Clockwork<L>)>>;

/// Timers 0 .. count - 1; those after them come and go. What is measured runs inside an I/O callback.
struct Clockwork<L: Library> {
    delays: Vec<Duration>,
    fired: Vec<usize>,
    may_fire: bool,
    errand: Errand<L>,
    watched: i32,
    other: i32,
}

impl<L: Library> Handler<L> for Clockwork<L> {
    fn io(&mut self, context: &mut L::Context<Self>, _token: usize) {
        if bench::read(self.watched, &mut [0]) != 1 {
            wrong("a callback although nothing was ready");
        }
        match self.errand.take() {
            Some(errand) => errand(context, self),
            None => wrong("a callback although nothing was ready"),
        }
    }

    fn timer(&mut self, _context: &mut L::Context<Self>, token: usize) {
        if !self.may_fire {
            wrong("a timer of more than a minute fired");
        }
        self.fired.push(token);
    }
}

fn in_callback<L: Library>(
    events: &mut L::Loop<Clockwork<L>>,
    errand: impl FnOnce(&mut L::Context<Clockwork<L>>, &mut Clockwork<L>) + 'static,
) {
    let clockwork = L::parts(events).1;
    clockwork.errand = Some(Box::new(errand));
    if bench::write(clockwork.other, &[0]) != 1 {
        wrong("the driver cannot write");
    }
    while L::parts(events).1.errand.is_some() {
        L::turn(events, true);
    }
}

fn pattern(name: &str, random: &mut Random, i: usize, count: usize, least: u64, span: u64) -> Duration {
    Duration::from_nanos(match name {
        "random" => least + random.below(span),
        "equal" => least + span / 2,
        "increasing" => least + span * i as u64 / count as u64,
        _ => least + span - span * i as u64 / count as u64,
    })
}

/// Pushes to deadlines later than any before, which of them by `order`.
fn push<L: Library>(context: &mut L::Context<Clockwork<L>>, order: &[usize], base: u64, from: usize, to: usize) {
    for (i, &token) in order.iter().enumerate().take(to).skip(from) {
        L::timer_push(context, token, Duration::from_nanos(base * 1_000_000_000 + i as u64 * 1_000_000_000 / order.len() as u64));
    }
}

pub fn timers<L: Library>(count: usize, pattern_name: &str) {
    if !L::HAS_TIMERS {
        bench::skip("no timers");
    }
    if !L::MANY_TIMERS && (count > TIMED_MAX && !is_fixed() || count > 10000) {
        bench::skip("too many timers for this peer");
    }
    let name = pattern_name.to_string();
    let mut random = Random::default();
    let [watched, other] = open_pair();
    let clockwork = Clockwork {
        delays: vec![Duration::ZERO; count],
        fired: Vec::with_capacity(count),
        may_fire: false,
        errand: None,
        watched,
        other,
    };
    let mut events = L::open(Limits { io: 1, timers: count + EXTRAS, ..Limits::default() }, clockwork);
    L::io_add(L::parts(&mut events).0, watched, 0);

    let cancelled = random.order(count);
    let pushes = count.max(1000);
    let at_random: Vec<usize> = (0..pushes).map(|_| random.below(count as u64) as usize).collect();
    let in_turn: Vec<usize> = (0..pushes).map(|i| i % count).collect();
    let names = ["add", "pair", "push_random", "push_robin", "turns_random", "turns_robin", "cancel", "expire"];
    let meters = names.map(|name| std::rc::Rc::new(std::cell::RefCell::new(Meter::new(name))));
    let [add, pair, push_random, push_robin, turns_random, turns_robin, cancel, expire] = meters.clone();
    let many = count >= 1000;

    let far = |random: &mut Random, events: &mut L::Loop<Clockwork<L>>| {
        for (i, delay) in L::parts(events).1.delays.iter_mut().enumerate() {
            *delay = pattern(&name, random, i, count, 61_000_000_000, 58_000_000_000);
        }
    };
    let add_all = |context: &mut L::Context<Clockwork<L>>, clockwork: &mut Clockwork<L>| {
        for (token, &delay) in clockwork.delays.iter().enumerate() {
            L::timer_add(context, token, delay);
        }
    };
    let cancel_all = |context: &mut L::Context<Clockwork<L>>, order: &[usize]| {
        for &token in order {
            L::timer_cancel(context, token);
        }
    };

    // Tables grow, unmeasured.
    far(&mut random, &mut events);
    let order = cancelled.clone();
    in_callback::<L>(&mut events, move |context, clockwork| {
        add_all(context, clockwork);
        cancel_all(context, &order);
    });

    while pair.borrow().goes_on(1) && push_random.borrow().goes_on(1) {
        far(&mut random, &mut events);
        let meter = add.clone();
        in_callback::<L>(&mut events, move |context, clockwork| {
            meter.borrow_mut().measure(measured_add, if many { count } else { 0 }, || add_all(context, clockwork));
        });
        let extras: Vec<Duration> =
            (0..EXTRAS).map(|_| Duration::from_nanos(61_000_000_000 + random.below(58_000_000_000))).collect();
        let meter = pair.clone();
        in_callback::<L>(&mut events, move |context, _| {
            meter.borrow_mut().measure(measured_pair, EXTRAS, || {
                for (i, &delay) in extras.iter().enumerate() {
                    L::timer_add(context, count + i, delay);
                    L::timer_cancel(context, count + i);
                }
            });
        });
        let (meter, order) = (push_random.clone(), at_random.clone());
        in_callback::<L>(&mut events, move |context, _| {
            meter.borrow_mut().measure(measured_push_random, pushes, || push::<L>(context, &order, 120, 0, pushes));
        });
        let order = in_turn.clone();
        in_callback::<L>(&mut events, move |context, _| push::<L>(context, &order, 122, 0, pushes));
        let (meter, order) = (push_robin.clone(), in_turn.clone());
        in_callback::<L>(&mut events, move |context, _| {
            meter.borrow_mut().measure(measured_push_robin, pushes, || push::<L>(context, &order, 124, 0, pushes));
        });
        let turns: [(_, bench::Region, _, _); 2] =
            [(&turns_robin, measured_turns_robin, &in_turn, 126), (&turns_random, measured_turns_random, &at_random, 128)];
        for (meter, region, order, base) in turns {
            meter.borrow_mut().measure(region, pushes, || {
                for from in (0..pushes).step_by(64) {
                    push::<L>(L::parts(&mut events).0, order, base, from, from + 64);
                    L::turn(&mut events, false);
                }
            });
        }
        let (meter, order) = (cancel.clone(), cancelled.clone());
        in_callback::<L>(&mut events, move |context, _| {
            meter.borrow_mut().measure(measured_cancel, if many { count } else { 0 }, || cancel_all(context, &order));
        });
        L::turn(&mut events, false);
    }

    L::parts(&mut events).1.may_fire = true;
    while many && expire.borrow().rounds < 2 && expire.borrow().goes_on(1) {
        let clockwork = L::parts(&mut events).1;
        clockwork.fired.clear();
        for (i, delay) in clockwork.delays.iter_mut().enumerate() {
            *delay = pattern(pattern_name, &mut random, i, count, 2_000_000, 98_000_000);
        }
        let armed = std::rc::Rc::new(std::cell::RefCell::new(Vec::with_capacity(count)));
        let deadlines = armed.clone();
        let turn = Instant::now();
        in_callback::<L>(&mut events, move |context, clockwork| {
            for (token, &delay) in clockwork.delays.iter().enumerate() {
                L::timer_add(context, token, delay);
                deadlines.borrow_mut().push((turn + delay, Instant::now() + delay));
            }
        });
        std::thread::sleep(Duration::from_millis(120));
        expire.borrow_mut().measure(measured_expire, count, || {
            while L::parts(&mut events).1.fired.len() < count {
                L::turn(&mut events, false);
            }
        });
        for _ in 0..3 {
            L::turn(&mut events, false);
        }
        check_order(&L::parts(&mut events).1.fired, &armed.borrow());
    }
    for meter in &meters {
        meter.borrow().report();
    }
}

/// Each once, by deadline. The library read the clock itself, at the turn's beginning or later, so a deadline is known to lie between two
/// readings of ours.
fn check_order(fired: &[usize], deadlines: &[(Instant, Instant)]) {
    if fired.iter().sum::<usize>() != deadlines.len() * (deadlines.len() - 1) / 2 || fired.len() != deadlines.len() {
        wrong("not every timer once");
    }
    if fired.windows(2).any(|pair| deadlines[pair[1]].1 < deadlines[pair[0]].0) {
        wrong("timers out of order");
    }
}

// ---- lateness ----

const AT_ONCE: usize = 1000;

#[derive(Default)]
struct Lateness {
    due: Vec<Instant>,
    fired: usize,
    late: Vec<u64>,
    earliest: Duration,
}

impl<L: Library> Handler<L> for Lateness {
    fn timer(&mut self, _context: &mut L::Context<Self>, token: usize) {
        let now = Instant::now();
        self.fired += 1;
        self.late.push(now.saturating_duration_since(self.due[token]).as_nanos() as u64);
        self.earliest = self.earliest.max(self.due[token].saturating_duration_since(now));
    }
}

fn report_lateness(lateness: &mut Lateness, prefix: &str) {
    if !lateness.earliest.is_zero() {
        wrong("a timer fired early");
    }
    report(&format!("{prefix}_p50"), "ns", percentile(&mut lateness.late, 50));
    report(&format!("{prefix}_p99"), "ns", percentile(&mut lateness.late, 99));
    report(&format!("{prefix}_early"), "ns", 0.0);
    *lateness = Lateness::default();
}

/// Whole milliseconds, so that no library's unit is held against it.
fn draw_milliseconds(random: &mut Random) -> Duration {
    Duration::from_millis(1 + random.below(4))
}

/// Less than one: where the kernel's call for waiting counts milliseconds, a library has to find another way.
fn draw_microseconds(random: &mut Random) -> Duration {
    Duration::from_micros(50 + random.below(901))
}

/// One timer after the other, each started when the one before it has fired.
fn alone<L: Library>(events: &mut L::Loop<Lateness>, count: usize, draw: fn(&mut Random) -> Duration, prefix: &'static str) {
    let mut random = Random::default();
    let mut meter = Meter::new(prefix);
    meter.begin();
    for token in 0..count {
        let delay = draw(&mut random);
        L::parts(events).1.due.push(Instant::now() + delay);
        L::update(L::parts(events).0);
        L::timer_add(L::parts(events).0, token, delay);
        while L::parts(events).1.fired == token {
            L::turn(events, true);
        }
    }
    meter.end(count);
    if options().mark {
        meter.report(); // its system calls; how long it took says nothing
    }
    report_lateness(L::parts(events).1, prefix);
}

/// A thousand at once, with waits as long as they come, and the turns counted that were for nothing.
fn thousand<L: Library>(events: &mut L::Loop<Lateness>) {
    let mut random = Random::default();
    for token in 0..AT_ONCE {
        let delay = Duration::from_millis(10 + random.below(300));
        L::parts(events).1.due.push(Instant::now() + delay);
        L::update(L::parts(events).0);
        L::timer_add(L::parts(events).0, token, delay);
    }
    let mut empty_turns = 0;
    while L::parts(events).1.fired < AT_ONCE {
        let before = L::parts(events).1.fired;
        L::turn(events, true);
        empty_turns += u32::from(L::parts(events).1.fired == before);
    }
    report_lateness(L::parts(events).1, "thousand");
    report("empty_turns", "turns", f64::from(empty_turns));
}

pub fn lateness<L: Library>(delays: &str) {
    if !L::HAS_TIMERS {
        bench::skip("no timers");
    }
    let is_short = delays == "short";
    let average_ms = if is_short { 0.5 } else { 2.5 };
    let one_by_one = if is_fixed() { 20 } else { (options().seconds * 1000.0 / average_ms) as usize + 20 };
    let mut events = L::open(Limits { timers: AT_ONCE.max(one_by_one), ..Limits::default() }, Lateness::default());
    if is_short {
        alone::<L>(&mut events, one_by_one, draw_microseconds, "short");
    } else {
        alone::<L>(&mut events, one_by_one, draw_milliseconds, "alone");
        thousand::<L>(&mut events);
    }
}
