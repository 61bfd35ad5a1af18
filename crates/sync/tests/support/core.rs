//! The little of the core that the layer of waiting calls, in virtual time: for Miri, which knows
//! the core's structs and those of `pirn-abi` as different types where they are passed by value.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use pirn_abi::*;
use pirn_wait::EBUSY;

struct Timer {
    at: u64,
    armed: u64,
    /// Periodic ones keep their slot.
    period: u64,
    callback: pirn_timer_fn,
    user: *mut c_void,
    is_unref: bool,
    number: u32,
}

#[derive(Default)]
struct Core {
    timers: Vec<Timer>,
    tasks: VecDeque<(pirn_task_fn, *mut c_void, u32)>,
    handler: Option<(pirn_io_fn, *mut c_void, u32)>,
    count: u32,
    holds: u32,
    is_stopped: bool,
    is_running: bool,
}

/// What a loop is here.
struct Fake {
    core: RefCell<Core>,
    raised: AtomicU64,
}

fn fake<'a>(event_loop: *mut pirn_loop) -> &'a Fake {
    unsafe { &*event_loop.cast::<Fake>() }
}

const LOOP: *mut pirn_loop = std::ptr::null_mut();

/// Later than any test: a hub without a deadline sets its timer so.
const NEVER: u64 = 1 << 60;

pub fn init() -> *mut pirn_loop {
    let fake = Fake {
        core: RefCell::default(),
        raised: AtomicU64::new(0),
    };
    Box::into_raw(Box::new(fake)).cast()
}

pub fn deinit(event_loop: *mut pirn_loop) {
    assert_ne!(event_loop, LOOP);
    let fake = unsafe { Box::from_raw(event_loop.cast::<Fake>()) };
    let core = fake.core.borrow();
    assert_eq!((core.timers.len(), core.holds), (0, 0));
    assert!(core.handler.is_none() && core.tasks.is_empty());
}

impl Fake {
    fn due_timer(&self) -> Option<(pirn_timer_fn, *mut c_void, u32)> {
        let mut core = self.core.borrow_mut();
        let now = super::NOW.get();
        let due = core.timers.iter().enumerate();
        let due = due.filter(|(_, timer)| timer.at <= now);
        let (at, _) = due.min_by_key(|(_, timer)| (timer.at, timer.armed))?;
        let timer = &mut core.timers[at];
        let called = (timer.callback, timer.user, timer.number);
        if timer.period == 0 {
            core.timers.remove(at);
        } else {
            timer.at += timer.period;
        }
        Some(called)
    }

    fn dispatch(&self) {
        let event_loop = (&raw const *self).cast_mut().cast();
        while let Some((callback, user, number)) = self.due_timer() {
            let timer = pirn_timer {
                slot: number,
                generation: 1,
            };
            unsafe { callback.expect("set")(event_loop, timer, 0, user) };
        }
        let handler = self.core.borrow().handler;
        if self.raised.swap(0, Ordering::AcqRel) != 0
            && let Some((callback, user, bit)) = handler
        {
            let io = pirn_io {
                slot: 1,
                generation: 1,
            };
            unsafe { callback.expect("set")(event_loop, io, bit as c_int, PIRN_READ, user) };
        }
        let count = self.core.borrow().tasks.len();
        for _ in 0..count {
            let next = self.core.borrow_mut().tasks.pop_front();
            if let Some((callback, user, _)) = next {
                unsafe { callback.expect("set")(event_loop, user) };
            }
        }
    }

    fn is_busy(&self) -> bool {
        !self.core.borrow().tasks.is_empty() || self.raised.load(Ordering::Acquire) != 0
    }

    fn next_deadline(&self) -> Option<u64> {
        let core = self.core.borrow();
        let deadlines = core.timers.iter().map(|timer| timer.at);
        deadlines.filter(|at| *at < NEVER).min()
    }

    fn goes_on(&self) -> bool {
        let core = self.core.borrow();
        core.holds != 0 || core.timers.iter().any(|timer| !timer.is_unref)
    }
}

#[unsafe(no_mangle)]
extern "C" fn pirn_run(event_loop: *mut pirn_loop) -> c_int {
    let fake = fake(event_loop);
    if std::mem::replace(&mut fake.core.borrow_mut().is_running, true) {
        return -EBUSY;
    }
    let ended = fake.run();
    fake.core.borrow_mut().is_running = false;
    ended
}

/// Like the clock, which is read when it is looked at.
#[unsafe(no_mangle)]
extern "C" fn pirn_update(_: *mut pirn_loop) -> u64 {
    super::NOW.get()
}

impl Fake {
    fn run(&self) -> c_int {
        let fake = self;
        loop {
            if !fake.is_busy() && !fake.goes_on() {
                return PIRN_DONE;
            }
            if !fake.is_busy() {
                match fake.next_deadline() {
                    Some(next) => super::NOW.set(next.max(super::NOW.get())),
                    // What ends the wait is another thread.
                    None => std::thread::yield_now(),
                }
            }
            fake.dispatch();
            if std::mem::take(&mut fake.core.borrow_mut().is_stopped) {
                return PIRN_STOPPED;
            }
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn pirn_turn(event_loop: *mut pirn_loop, _timeout_ns: u64) -> c_int {
    fake(event_loop).dispatch();
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_stop(event_loop: *mut pirn_loop) -> c_int {
    fake(event_loop).core.borrow_mut().is_stopped = true;
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_now(_: *const pirn_loop) -> u64 {
    super::NOW.get()
}

#[unsafe(no_mangle)]
extern "C" fn pirn_now_address(_: *const pirn_loop) -> *const u64 {
    super::now_address()
}

#[unsafe(no_mangle)]
extern "C" fn pirn_hold(event_loop: *mut pirn_loop) -> c_int {
    fake(event_loop).core.borrow_mut().holds += 1;
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_release(event_loop: *mut pirn_loop) -> c_int {
    fake(event_loop).core.borrow_mut().holds -= 1;
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_raise_add(
    event_loop: *mut pirn_loop,
    bit: u32,
    _options: u32,
    callback: pirn_io_fn,
    user: *mut c_void,
    io: *mut pirn_io,
) -> c_int {
    fake(event_loop).core.borrow_mut().handler = Some((callback, user, bit));
    unsafe {
        *io = pirn_io {
            slot: 1,
            generation: 1,
        }
    };
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_raise(event_loop: *mut pirn_loop, bit: u32) -> c_int {
    // Any thread: nothing but the word is looked at.
    let raised = unsafe { &raw const (*event_loop.cast::<Fake>()).raised };
    unsafe { &*raised }.fetch_or(1 << bit, Ordering::AcqRel);
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_io_remove(event_loop: *mut pirn_loop, _io: pirn_io) -> c_int {
    fake(event_loop).core.borrow_mut().handler = None;
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_task_post(
    event_loop: *mut pirn_loop,
    callback: pirn_task_fn,
    user: *mut c_void,
    task: *mut pirn_task,
) -> c_int {
    let mut core = fake(event_loop).core.borrow_mut();
    core.count += 1;
    let number = core.count;
    core.tasks.push_back((callback, user, number));
    if let Some(task) = unsafe { task.as_mut() } {
        *task = pirn_task {
            slot: number,
            generation: 1,
        };
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_task_cancel(event_loop: *mut pirn_loop, task: pirn_task) -> c_int {
    let mut core = fake(event_loop).core.borrow_mut();
    core.tasks.retain(|(.., number)| *number != task.slot);
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_timer_start(
    event_loop: *mut pirn_loop,
    delay_ns: u64,
    period_ns: u64,
    options: u32,
    callback: pirn_timer_fn,
    user: *mut c_void,
    timer: *mut pirn_timer,
) -> c_int {
    let mut core = fake(event_loop).core.borrow_mut();
    core.count += 1;
    let number = core.count;
    let is_absolute = options & PIRN_TIMER_ABSOLUTE != 0;
    let now = if is_absolute { 0 } else { super::NOW.get() };
    core.timers.push(Timer {
        at: now + delay_ns,
        armed: u64::from(number),
        period: period_ns,
        callback,
        user,
        is_unref: options & PIRN_UNREF != 0,
        number,
    });
    if let Some(timer) = unsafe { timer.as_mut() } {
        *timer = pirn_timer {
            slot: number,
            generation: 1,
        };
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_timer_again(
    event_loop: *mut pirn_loop,
    timer: pirn_timer,
    delay_ns: u64,
) -> c_int {
    let mut core = fake(event_loop).core.borrow_mut();
    core.count += 1;
    let armed = u64::from(core.count);
    let mut timers = core.timers.iter_mut();
    let found = timers.find(|found| found.number == timer.slot);
    let found = found.expect("it is armed");
    (found.at, found.armed) = (super::NOW.get() + delay_ns, armed);
    0
}

#[unsafe(no_mangle)]
extern "C" fn pirn_timer_stop(event_loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    let mut core = fake(event_loop).core.borrow_mut();
    core.timers.retain(|found| found.number != timer.slot);
    0
}
