//! Messages from other threads, as `../../../workloads/posts.h`.

use std::marker::PhantomData;
use std::sync::{Arc, Barrier};
use std::thread;

use crate::bench::{Meter, is_fixed, measured_post, measured_receive, measured_trips, options, wrong};
use crate::{Handler, Library, Limits};

const CAPACITY: usize = 4096;
/// A message is its producer's number and its own.
const PRODUCER_SHIFT: usize = 32;

struct Burst {
    received: usize,
    next: Vec<usize>,
}

impl<L: Library> Handler<L> for Burst {
    fn message(&mut self, _context: &mut L::Context<Self>, message: usize) {
        let next = &mut self.next[message >> PRODUCER_SHIFT];
        if *next != message & ((1 << PRODUCER_SHIFT) - 1) {
            wrong("a message came out of turn");
        }
        *next += 1;
        self.received += 1;
    }
}

fn produce<L: Library>(mailbox: &L::Mailbox<Burst>, producer: usize, count: usize) {
    measured_post(&mut || {
        for number in 0..count {
            while !L::post::<Burst>(mailbox, producer << PRODUCER_SHIFT | number) {
                thread::yield_now(); // full: the loop has to keep up
            }
        }
    });
}

pub fn posts<L: Library>(producers: usize) {
    let per_producer = if is_fixed() { 1000 } else { 20000 };
    let burst = Burst { received: 0, next: vec![0; producers] };
    let mut events = L::open(Limits { io: 2, posts: CAPACITY, ..Limits::default() }, burst);
    let mailbox = L::mailbox(&mut events);
    let mut meter = Meter::new("burst");
    while meter.goes_on(1) {
        let burst = L::parts(&mut events).1;
        burst.received = 0;
        burst.next.fill(0);
        let start = Arc::new(Barrier::new(producers + 1));
        let mut threads: Vec<_> = (0..producers)
            .map(|producer| {
                let (mailbox, start) = (mailbox.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    produce::<L>(&mailbox, producer, per_producer);
                })
            })
            .collect();
        let mut join = || threads.drain(..).for_each(|thread| thread.join().unwrap_or_else(|_| wrong("a producer failed")));
        meter.begin();
        start.wait();
        if options().fixed {
            join();
        }
        measured_receive(&mut || {
            while L::parts(&mut events).1.received < producers * per_producer {
                L::turn(&mut events, true);
            }
        });
        meter.end(producers * per_producer);
        join();
        for _ in 0..3 {
            L::turn(&mut events, false);
        }
        if L::parts(&mut events).1.next.iter().any(|&next| next != per_producer) {
            wrong("not every message once");
        }
    }
    meter.report();
}

// ---- round trips ----

struct Side<L: Library> {
    received: usize,
    trips: usize,
    /// The side that serves keeps the last ball; the other one returns every ball.
    serves: bool,
    opposite: Option<L::Mailbox<Side<L>>>,
    library: PhantomData<L>,
}

impl<L: Library> Handler<L> for Side<L> {
    fn message(&mut self, context: &mut L::Context<Self>, message: usize) {
        self.received += 1;
        if !self.serves || self.received < self.trips {
            let posted = self.opposite.as_ref().is_some_and(|opposite| L::post::<Self>(opposite, message));
            if !posted {
                wrong("a queue with nothing in it is full");
            }
        }
        if self.received == self.trips {
            L::stop(context);
        }
    }
}

fn play<L: Library>(events: &mut L::Loop<Side<L>>) {
    measured_trips(&mut || L::run(events));
}

fn open_side<L: Library>(serves: bool, trips: usize) -> L::Loop<Side<L>> {
    let side = Side { received: 0, trips, serves, opposite: None, library: PhantomData };
    L::open(Limits { io: 2, posts: 16, ..Limits::default() }, side)
}

pub fn pingpong<L: Library>() {
    let trips = if is_fixed() { 1000 } else { 5000 };
    let mut meter = Meter::new("pingpong");
    while meter.goes_on(1) {
        let mut here = open_side::<L>(true, trips);
        let my_mailbox = L::mailbox(&mut here); // kept: with its last copy a library may close what it wakes by
        let their_copy = my_mailbox.clone();
        let (tell, told) = std::sync::mpsc::channel();
        // A loop stays in the thread that opened it.
        let thread = thread::spawn(move || {
            let mut there = open_side::<L>(false, trips);
            L::parts(&mut there).1.opposite = Some(their_copy);
            if tell.send(L::mailbox(&mut there)).is_err() {
                wrong("nobody to play with");
            }
            play::<L>(&mut there);
            L::parts(&mut there).1.received
        });
        let opposite = told.recv().unwrap_or_else(|_| wrong("nobody to play with"));
        L::parts(&mut here).1.opposite = Some(opposite.clone());
        meter.begin();
        L::post::<Side<L>>(&opposite, 0);
        play::<L>(&mut here);
        meter.end(trips);
        if L::parts(&mut here).1.received != trips || thread.join().unwrap_or(0) != trips {
            wrong("not as many messages back as there");
        }
        drop(my_mailbox);
    }
    meter.report();
}
