//! What the layer below waits for, as the rules of every wait see it: a parked waiter, and a port.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_int;
use std::ptr::null_mut;
use std::rc::Rc;

use pirn_abi::*;
use pirn_wait::ffi::*;
use pirn_wait::*;

use super::subject::{Owned, Subject, zero};
use super::support::{SOURCE, Source, World};

/// Waiters that are parked. There is no object: this keeps the order in which they came.
#[derive(Default)]
pub struct Parked {
    waiters: RefCell<VecDeque<*mut pirn_waiter>>,
}

impl Subject for Parked {
    fn name(&self) -> &'static str {
        "parked"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        let begun = unsafe { pirn_park_start(waiter, timeout_ns) };
        if begun == PIRN_WAITS {
            self.waiters.borrow_mut().push_back(waiter);
        }
        begun
    }
    fn start_null(&self, _waiter: *mut pirn_waiter) -> Option<c_int> {
        None
    }
    fn grant(&self) {
        while let Some(first) = self.waiters.borrow_mut().pop_front() {
            // The wait of one that was cancelled may be over.
            match unsafe { pirn_waiter_wake(first, 0) } {
                0 => return,
                rc => assert_eq!(rc, -ENOENT),
            }
        }
    }
    // It was meant for the waiter alone.
    fn goes_on(&self) -> bool {
        false
    }
    fn ended(&self, waiter: *mut pirn_waiter, _result: c_int) {
        self.dropped(waiter);
    }
    fn dropped(&self, waiter: *mut pirn_waiter) {
        self.waiters.borrow_mut().retain(|other| *other != waiter);
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

/// A port for a source that is ready as long as there is something to be read.
pub struct Port {
    port: *mut pirn_port,
    world: Rc<World>,
}

impl Port {
    pub fn new(world: &Rc<World>) -> Port {
        let port = zero();
        // An open port keeps the loop going otherwise.
        let rc = unsafe { pirn_port_open(world.hub, port, SOURCE, PIRN_UNREF) };
        assert_eq!(rc, 0);
        let world = Rc::clone(world);
        Port { port, world }
    }
}

impl Subject for Port {
    fn name(&self) -> &'static str {
        "port"
    }
    fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        unsafe { pirn_port_wait_start(self.port, waiter, PIRN_READ, timeout_ns) }
    }
    fn start_null(&self, waiter: *mut pirn_waiter) -> Option<c_int> {
        Some(unsafe { pirn_port_wait_start(null_mut(), waiter, PIRN_READ, 1) })
    }
    fn grant(&self) {
        Source.write();
        // The loop goes on until it has asked what is ready.
        self.world.at(self.world.now() + 1, || {});
    }
    fn owned(&self) -> Owned {
        Owned::Never
    }
    fn result(&self, _place: usize) -> c_int {
        PIRN_READ as c_int
    }
    fn ended(&self, _waiter: *mut pirn_waiter, result: c_int) {
        if result > 0 {
            Source.read();
        }
    }
    fn needs_waiter(&self) -> bool {
        true
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        Source.clear();
        if !std::thread::panicking() {
            assert_eq!(unsafe { pirn_port_close(self.port) }, 0);
            drop(unsafe { Box::from_raw(self.port) });
        }
    }
}
