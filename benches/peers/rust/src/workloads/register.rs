//! What a watcher costs besides its events, as `../../../workloads/register.h`.

use std::os::fd::RawFd;

use crate::bench::{
    self, Meter, measured_modify, measured_register, measured_remove, measured_stopstart, measured_toggle, open_pair, wrong,
};
use crate::{Handler, Interest, Library, Limits};

#[derive(Default)]
struct Registry {
    fds: Vec<RawFd>,
    /// The token of the watcher that is checked, and how often it was called.
    checked: usize,
    reports: u32,
}

impl<L: Library> Handler<L> for Registry {
    fn io(&mut self, _context: &mut L::Context<Self>, token: usize) {
        if token != self.checked {
            wrong("a callback although nothing was ready");
        }
        self.reports += 1;
    }
}

/// The watchers still have to work. Edge-triggered ones report once.
fn check<L: Library>(events: &mut L::Loop<Registry>) {
    let [watched, other] = open_pair();
    let token = L::parts(events).1.checked;
    let context = L::parts(events).0;
    L::io_add(context, watched, token);
    L::io_modify(context, watched, token, Interest::ReadWrite);
    L::io_modify(context, watched, token, Interest::Read);
    L::io_pause(context, watched, token);
    L::turn(events, false);
    if bench::write(other, &[0]) != 1 {
        wrong("the driver cannot write");
    }
    for _ in 0..3 {
        L::turn(events, false);
    }
    if L::parts(events).1.reports != 0 {
        wrong("a paused watcher was called, or one whose fd was writable only");
    }
    L::io_resume(L::parts(events).0, watched, token);
    for _ in 0..3 {
        L::turn(events, false);
    }
    if L::parts(events).1.reports == 0 {
        wrong("a resumed watcher was not called");
    }
    L::parts(events).1.reports = 0;
    L::io_remove(L::parts(events).0, watched, token);
    for _ in 0..3 {
        L::turn(events, false);
    }
    if L::parts(events).1.reports != 0 {
        wrong("a removed watcher was called");
    }
    // SAFETY: nobody watches or uses them any more.
    unsafe {
        libc::close(watched);
        libc::close(other);
    }
}

fn add_all<L: Library>(events: &mut L::Loop<Registry>) {
    let (context, registry) = L::parts(events);
    for (token, &fd) in registry.fds.iter().enumerate() {
        L::io_add(context, fd, token);
    }
    L::turn(events, false);
}

fn modify_all<L: Library>(events: &mut L::Loop<Registry>, interest: Interest) {
    let (context, registry) = L::parts(events);
    for (token, &fd) in registry.fds.iter().enumerate() {
        L::io_modify(context, fd, token, interest);
    }
}

fn stop_and_start_all<L: Library>(events: &mut L::Loop<Registry>) {
    let (context, registry) = L::parts(events);
    for _ in 0..10 {
        for (token, &fd) in registry.fds.iter().enumerate() {
            L::io_pause(context, fd, token);
            L::io_resume(context, fd, token);
        }
    }
    L::turn(events, false);
}

fn remove_all<L: Library>(events: &mut L::Loop<Registry>) {
    let (context, registry) = L::parts(events);
    for (token, &fd) in registry.fds.iter().enumerate() {
        L::io_remove(context, fd, token);
    }
    L::turn(events, false);
}

pub fn register<L: Library>(count: usize) {
    let fds = (0..count).map(|_| open_pair()[0]).inspect(|&fd| bench::fill_socket(fd)).collect();
    let registry = Registry { fds, checked: count, reports: 0 };
    let mut events = L::open(Limits { io: count + 3, ..Limits::default() }, registry);
    let [keeper, _other] = open_pair();
    L::io_add(L::parts(&mut events).0, keeper, count + 1);
    check::<L>(&mut events);
    add_all::<L>(&mut events);
    remove_all::<L>(&mut events);
    let names = ["register", "modify", "toggle", "stopstart", "remove"];
    let [mut register, mut modify, mut toggle, mut stopstart, mut remove] = names.map(Meter::new);
    while register.goes_on(1) && stopstart.goes_on(1) {
        register.measure(measured_register, count, || add_all::<L>(&mut events));
        for interest in [Interest::ReadWrite, Interest::Read] {
            modify.measure(measured_modify, count, || {
                modify_all::<L>(&mut events, interest);
                L::turn(&mut events, false);
            });
        }
        toggle.measure(measured_toggle, 2 * count, || {
            modify_all::<L>(&mut events, Interest::ReadWrite);
            modify_all::<L>(&mut events, Interest::Read);
            L::turn(&mut events, false);
        });
        stopstart.measure(measured_stopstart, 10 * count, || stop_and_start_all::<L>(&mut events));
        remove.measure(measured_remove, count, || remove_all::<L>(&mut events));
    }
    check::<L>(&mut events);
    for meter in [register, modify, toggle, stopstart, remove] {
        meter.report();
    }
}
