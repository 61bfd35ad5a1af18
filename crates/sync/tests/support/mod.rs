//! A loop in virtual time, and programs of several kinds that wait in it.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
#[cfg(not(miri))]
use std::mem::zeroed;
use std::num::NonZeroU32;
use std::ptr::null_mut;
use std::rc::Rc;
use std::time::Duration;

use pirn_abi::*;
use pirn_wait::*;

// Links the core.
#[cfg(not(miri))]
use pirn as _;
use pirn_wait::ffi::*;

#[cfg(miri)]
mod core;

thread_local! {
    static FAILURE: RefCell<Option<Box<dyn std::any::Any + Send>>> = const { RefCell::new(None) };
}

/// A callback of C's must not unwind: what goes wrong in it fails the test when the run is over.
pub fn guarded(callback: impl FnOnce()) {
    if let Err(failure) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback)) {
        FAILURE.set(Some(failure));
    }
}

fn fail_if_a_callback_did() {
    if let Some(failure) = FAILURE.take() {
        std::panic::resume_unwind(failure);
    }
}

pub const EIO: c_int = 5;

thread_local! {
    /// The clock of the loop, which moves only while the loop waits.
    static NOW: Cell<u64> = const { Cell::new(1000) };
}

unsafe extern "C" fn now(_: *mut c_void) -> u64 {
    NOW.get()
}

#[cfg(miri)]
fn now_address() -> *const u64 {
    NOW.with(Cell::as_ptr)
}

/// The one source that a loop of these can watch: see `Source`.
pub const SOURCE: c_int = 3;

thread_local! {
    /// What the loop watches the source for, and how often it can be read.
    static WATCHED: Cell<u32> = const { Cell::new(0) };
    static READS: Cell<u32> = const { Cell::new(0) };
}

/// The source, which is ready for reading until nothing is left to be read.
pub struct Source;

impl Source {
    pub fn write(&self) {
        READS.set(READS.get() + 1);
    }

    pub fn read(&self) {
        READS.set(READS.get() - 1);
    }

    pub fn clear(&self) {
        READS.set(0);
    }
}

unsafe extern "C" fn watch(fd: c_int, interest: u32, _: *mut c_void) -> c_int {
    if fd == SOURCE {
        WATCHED.set(interest);
    }
    0
}

unsafe extern "C" fn wait(
    timeout_ns: u64,
    ready: *mut pirn_ready,
    _: usize,
    _: *mut c_void,
) -> c_int {
    if WATCHED.get() & PIRN_READ != 0 && READS.get() != 0 {
        // There is room for one source for each watcher.
        unsafe {
            *ready = pirn_ready {
                fd: SOURCE,
                ready: PIRN_READ,
            };
        }
        return 1;
    }
    if timeout_ns == PIRN_FOREVER {
        // Nothing would ever end the wait: the run returns this.
        return -EIO;
    }
    NOW.set(NOW.get() + timeout_ns);
    0
}

/// Lets time pass, which the next turn sees.
pub fn pass(time: u64) {
    NOW.set(NOW.get() + time);
}

/// The hub of a world, as tasks know it.
pub fn hub(world: &World) -> &Hub {
    // SAFETY: initialised by `World::new`, and in place as long as the world is.
    unsafe { Hub::from_raw(&*world.hub) }
}

/// A length of time in nanoseconds.
pub const fn ns(time: u64) -> Duration {
    Duration::from_nanos(time)
}

/// A number that is not zero.
pub const fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("it is none")
}

/// A loop and its hub.
pub struct World {
    block: Vec<u64>,
    pub event_loop: *mut pirn_loop,
    pub hub: *mut pirn_hub,
    began: u64,
    log: RefCell<Vec<String>>,
}

impl World {
    #[cfg(miri)]
    fn event_loop() -> (Vec<u64>, *mut pirn_loop) {
        (Vec::new(), core::init())
    }

    /// A block, and a loop in it.
    #[cfg(not(miri))]
    fn event_loop() -> (Vec<u64>, *mut pirn_loop) {
        let counts = (8, 64, 256);
        let size = pirn_storage_size(counts.0, counts.1, counts.2);
        let mut block = vec![0u64; size / 8];
        let mut host: pirn_host = unsafe { zeroed() };
        host.size = size_of::<pirn_host>() as u32;
        host.now = Some(now);
        host.wait = Some(wait);
        host.watch = Some(watch);
        let mut config: pirn_config = unsafe { zeroed() };
        config.size = size_of::<pirn_config>() as u32;
        config.backend = PIRN_BACKEND_HOST;
        config.host = &raw const host;
        (config.io, config.timers, config.tasks) = counts;
        let mut event_loop = null_mut();
        let memory = block.as_mut_ptr().cast();
        let rc = unsafe { pirn_init(&raw mut event_loop, memory, size, &raw const config) };
        assert_eq!(rc, 0);
        (block, event_loop)
    }

    pub fn new() -> Rc<World> {
        let (block, event_loop) = World::event_loop();
        let hub: *mut MaybeUninit<pirn_hub> = Box::into_raw(Box::new(MaybeUninit::uninit()));
        let hub = hub.cast::<pirn_hub>();
        assert_eq!(unsafe { pirn_hub_init(event_loop, hub, 63) }, 0);
        Rc::new(World {
            block,
            event_loop,
            hub,
            began: NOW.get(),
            log: RefCell::new(Vec::new()),
        })
    }

    /// Since the world began.
    pub fn now(&self) -> u64 {
        NOW.get() - self.began
    }

    pub fn log(&self, text: String) {
        self.log.borrow_mut().push(text);
    }

    /// What has happened since the last call.
    pub fn events(&self) -> String {
        self.log.take().join(" ")
    }

    /// Runs the loop until nothing is left that keeps it going.
    pub fn run(&self) {
        let rc = unsafe { pirn_run(self.event_loop) };
        fail_if_a_callback_did();
        assert!(rc == PIRN_DONE || rc == PIRN_STOPPED, "{rc}");
        self.verify();
    }

    /// Checks the lists of the loop and of its hub.
    pub fn verify(&self) {
        assert_eq!(unsafe { pirn_hub_verify(self.hub) }, 0);
        #[cfg(not(miri))]
        assert_eq!(unsafe { pirn_verify(self.event_loop) }, 0);
    }

    /// One turn, without letting time pass.
    pub fn turn(&self) {
        let rc = unsafe { pirn_turn(self.event_loop, 0) };
        fail_if_a_callback_did();
        assert!(rc >= 0, "{rc}");
    }

    /// Has something done at a time, in a callback.
    pub fn at(&self, time: u64, step: impl FnOnce() + 'static) {
        let step: Box<Box<dyn FnOnce()>> = Box::new(Box::new(step));
        let rc = unsafe {
            pirn_timer_start(
                self.event_loop,
                self.began + time,
                0,
                PIRN_TIMER_ABSOLUTE,
                Some(on_step),
                Box::into_raw(step).cast(),
                null_mut(),
            )
        };
        assert_eq!(rc, 0);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                unsafe { pirn_hub_deinit(self.hub) },
                0,
                "somebody still waits"
            );
            #[cfg(not(miri))]
            assert_eq!(unsafe { pirn_deinit(self.event_loop) }, 0);
            #[cfg(miri)]
            core::deinit(self.event_loop);
            drop(unsafe { Box::from_raw(self.hub) });
        }
    }
}

unsafe extern "C" fn on_step(_: *mut pirn_loop, _: pirn_timer, _: u64, user: *mut c_void) {
    let step = unsafe { Box::from_raw(user.cast::<Box<dyn FnOnce()>>()) };
    guarded(step);
}

type Then = Box<dyn Fn(c_int)>;

/// A waiter with a callback. When its wait is over it notes the time, its name and the result.
pub struct Caller {
    waiter: *mut pirn_waiter,
    name: &'static str,
    world: Rc<World>,
    then: RefCell<Option<Then>>,
}

impl Caller {
    pub fn new(world: &Rc<World>, name: &'static str) -> Rc<Caller> {
        let waiter: *mut MaybeUninit<pirn_waiter> = Box::into_raw(Box::new(MaybeUninit::uninit()));
        let caller = Rc::new(Caller {
            waiter: waiter.cast(),
            name,
            world: Rc::clone(world),
            then: RefCell::new(None),
        });
        let user = Rc::as_ptr(&caller).cast_mut().cast();
        let rc = unsafe { pirn_waiter_init(world.hub, caller.waiter, Some(on_wake), user) };
        assert_eq!(rc, 0);
        caller
    }

    pub fn waiter(&self) -> *mut pirn_waiter {
        self.waiter
    }

    /// What is to be done besides when a wait is over.
    pub fn then(&self, then: impl Fn(c_int) + 'static) {
        *self.then.borrow_mut() = Some(Box::new(then));
    }

    pub fn is_waiting(&self) -> bool {
        (unsafe { pirn_waiter_is_waiting(self.waiter) }) == 1
    }

    pub fn cancel(&self) -> c_int {
        unsafe { pirn_waiter_cancel(self.waiter, -ECANCELED) }
    }

    pub fn drop_wait(&self) {
        assert_eq!(unsafe { pirn_waiter_drop(self.waiter) }, 0);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            unsafe { pirn_waiter_end(self.waiter) };
            drop(unsafe { Box::from_raw(self.waiter) });
        }
    }
}

unsafe extern "C" fn on_wake(_: *mut pirn_hub, waiter: *mut pirn_waiter, result: c_int) {
    let caller = unsafe { &*(*waiter).user.get().cast::<Caller>() };
    let time = caller.world.now();
    caller
        .world
        .log(format!("{}={}@{time}", caller.name, named(result)));
    guarded(|| {
        if let Some(then) = &*caller.then.borrow() {
            then(result);
        }
    });
}

/// A result as people read it.
pub fn named(result: c_int) -> String {
    let name = match -result {
        EAGAIN => "AGAIN",
        EBUSY => "BUSY",
        ECANCELED => "CANCELED",
        EDEADLK => "DEADLK",
        EINVAL => "INVAL",
        EPERM => "PERM",
        EPIPE => "PIPE",
        ESHUTDOWN => "SHUTDOWN",
        ETIMEDOUT => "TIMEDOUT",
        EOWNERDEAD => "OWNERDEAD",
        _ => return result.to_string(),
    };
    name.to_owned()
}
