//! Memory, as `../../../workloads/memory.h`.

use std::os::fd::RawFd;
use std::time::Duration;

use crate::bench::{self, open_eventfd, report};
use crate::{Handler, Library, Limits};

const FDS: usize = 1000;
const TIMERS: usize = 1000;

#[repr(C)]
#[derive(Clone, Copy)]
struct Allocations {
    calls: u64,
    bytes: u64,
}

struct Memory {
    handled: usize,
    fds: Vec<RawFd>,
}

impl<L: Library> Handler<L> for Memory {
    fn io(&mut self, _context: &mut L::Context<Self>, token: usize) {
        self.handled += 1;
        // Once more readable: an edge-triggered peer is to see it again.
        bench::write(self.fds[token], &1u64.to_ne_bytes());
    }
}

fn handle<L: Library>(events: &mut L::Loop<Memory>, times: usize) {
    L::parts(events).1.handled = 0;
    while L::parts(events).1.handled < times {
        L::turn(events, false);
    }
}

pub fn memory<L: Library>() {
    // SAFETY: a name that ends in a zero byte.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"allocations_now".as_ptr()) };
    if symbol.is_null() {
        bench::skip("needs allocations.so preloaded");
    }
    // SAFETY: what allocations.so exports under this name.
    let function: extern "C" fn() -> Allocations = unsafe { std::mem::transmute(symbol) };
    let now = || function();
    let timers = if L::HAS_TIMERS { TIMERS } else { 0 };
    let memory = Memory { handled: 0, fds: (0..FDS).map(|_| open_eventfd(1)).collect() };

    let start = now();
    let mut events = L::open(Limits { io: FDS, timers, ..Limits::default() }, memory);
    let opened = now();
    let (context, memory) = L::parts(&mut events);
    for (token, &fd) in memory.fds.iter().enumerate() {
        L::io_add(context, fd, token);
    }
    handle::<L>(&mut events, FDS);
    let watched = now();
    for token in 0..timers {
        L::timer_add(L::parts(&mut events).0, token, Duration::from_millis(3_600_000 + token as u64));
    }
    L::turn(&mut events, false);
    let timed = now();
    for _ in 0..20 {
        for token in (0..timers).step_by(10) {
            L::timer_push(L::parts(&mut events).0, token, Duration::from_secs(7200));
        }
        handle::<L>(&mut events, FDS);
    }
    let after = now();

    let per = |from: Allocations, to: Allocations, count: usize| (to.bytes - from.bytes) as f64 / count as f64;
    report("init_allocations", "calls", (opened.calls - start.calls) as f64);
    report("init_bytes", "bytes", per(start, opened, 1));
    report("fd_allocations", "calls", (watched.calls - opened.calls) as f64 / FDS as f64);
    report("fd_bytes", "bytes", per(opened, watched, FDS) + L::IO_BYTES as f64);
    if timers > 0 {
        report("timer_allocations", "calls", (timed.calls - watched.calls) as f64 / timers as f64);
        report("timer_bytes", "bytes", per(watched, timed, timers) + L::TIMER_BYTES as f64);
    }
    report("steady_allocations", "calls", (after.calls - timed.calls) as f64);
}
