#![allow(unsafe_code, reason = "C functions are called")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! The rules of every wait, for every object and every way of waiting.

#[path = "support/subject.rs"]
mod subject;
#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::mem::zeroed;
use std::pin::{Pin, pin};
use std::ptr::null_mut;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::pirn_fiber::ffi::*;
use ::pirn_fiber::pirn_fiber;
use pirn::Error;
use pirn_abi::*;
use pirn_executor::{block_on, sleep};
use pirn_wait::ffi::*;
use pirn_wait::{
    EAGAIN, EALREADY, EBUSY, ECANCELED, EDEADLK, EINVAL, Hub, PIRN_WAITS, Start, Wait, Wakers,
    pirn_hub, pirn_waiter,
};

use subject::{ALL, Make, Subject};
use support::{Caller, World, guarded, named};

/// How the first waiter of a play waits. The waiters behind it are callers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Callback,
    Fiber,
    Main,
    Future,
}

/// Miri cannot switch stacks.
const WAYS: &[Way] = if cfg!(miri) {
    &[Way::Callback, Way::Future]
} else {
    &[Way::Callback, Way::Fiber, Way::Main, Way::Future]
};

/// A wait for a subject as a future, and the address of its waiter for the others in the play.
struct Subjected {
    subject: Rc<dyn Subject>,
    waiter: Rc<Cell<*mut pirn_waiter>>,
}

unsafe impl Start for Subjected {
    type Output = c_int;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        self.waiter.set(waiter);
        self.subject.start(waiter, timeout_ns)
    }

    fn finish(&self, result: c_int) -> c_int {
        result
    }
}

/// Runs the future that is made, with wakers that no test uses that runs at the same time.
fn run_future<F: Future>(hub: &Hub, make: impl Fn() -> F) -> F::Output {
    static WAKERS: [Wakers<1>; 64] = [const { Wakers::new() }; 64];
    for wakers in WAKERS.iter().cycle() {
        match block_on(hub, wakers, make()) {
            Err(Error::EBUSY) => {}
            result => return result.expect("it ends"),
        }
    }
    unreachable!("it goes around for ever");
}

/// A loop, an object, and three that wait for it: the first in some way, from time 0 on.
struct Stage {
    world: Rc<World>,
    subject: Rc<dyn Subject>,
    way: Way,
    first: Rc<Caller>,
    second: Rc<Caller>,
    third: Rc<Caller>,
    fiber: *mut pirn_fiber,
    /// Of the first, if it is a future.
    future_waiter: Rc<Cell<*mut pirn_waiter>>,
}

const STACK: usize = 32 * 1024;

impl Stage {
    fn new(make: Make, way: Way) -> Rc<Stage> {
        let world = World::new();
        let subject = make(&world);
        let caller = |name| {
            let caller = Caller::new(&world, name);
            let (ended, waiter) = (Rc::clone(&subject), caller.waiter());
            caller.then(move |result| ended.ended(waiter, result));
            caller
        };
        Rc::new(Stage {
            way,
            first: caller("A"),
            second: caller("B"),
            third: caller("C"),
            fiber: Box::into_raw(Box::new(unsafe { zeroed() })),
            future_waiter: Rc::new(Cell::new(null_mut())),
            subject: Rc::clone(&subject),
            world,
        })
    }

    fn name(&self) -> String {
        format!("{}, {:?}", self.subject.name(), self.way)
    }

    /// The first waiter.
    fn waiter(&self) -> *mut pirn_waiter {
        match self.way {
            Way::Callback => self.first.waiter(),
            Way::Fiber => self.fiber.cast(),
            Way::Main => unsafe { (&raw const *(*self.world.hub).main()).cast_mut() },
            Way::Future => self.future_waiter.get(),
        }
    }

    fn hub(&self) -> &'static Hub {
        unsafe { Hub::from_raw(&*self.world.hub) }
    }

    /// The wait of the first as a future.
    fn wait(&self, timeout_ns: u64) -> Wait<'static, Subjected> {
        let subjected = Subjected {
            subject: Rc::clone(&self.subject),
            waiter: Rc::clone(&self.future_waiter),
        };
        let wait = Wait::new(self.hub(), subjected);
        match timeout_ns {
            PIRN_FOREVER => wait,
            limit => wait.within(Duration::from_nanos(limit)),
        }
    }

    fn cancel(&self) -> c_int {
        unsafe { pirn_waiter_cancel(self.waiter(), -ECANCELED) }
    }

    /// Has something done at a time.
    fn at(self: &Rc<Self>, time: u64, step: impl FnOnce(&Rc<Stage>) + 'static) {
        let stage = Rc::clone(self);
        self.world.at(time, move || step(&stage));
    }

    fn waits(self: &Rc<Self>, time: u64, who: &Rc<Caller>) {
        let (who, world) = (Rc::clone(who), Rc::clone(&self.world));
        self.at(time, move |stage| {
            let rc = stage.subject.start(who.waiter(), PIRN_FOREVER);
            if rc != PIRN_WAITS {
                world.log(format!("at once: {}", named(rc)));
            }
        });
    }

    fn grants(self: &Rc<Self>, time: u64) {
        self.at(time, |stage| stage.subject.grant());
    }

    fn tell(&self, result: c_int) {
        let now = self.world.now();
        self.world.log(format!("A={}@{now}", named(result)));
        self.subject.ended(self.waiter(), result);
    }

    /// The first begins to wait, and everything takes its course.
    fn play(self: &Rc<Self>, timeout_ns: u64) -> String {
        let hub = self.world.hub;
        let mut stack = vec![0u64; STACK / 8];
        match self.way {
            Way::Callback => {
                let rc = self.subject.start(self.first.waiter(), timeout_ns);
                assert_eq!(rc, PIRN_WAITS, "{}", self.name());
            }
            Way::Fiber => {
                let body = Body {
                    stage: Rc::clone(self),
                    timeout_ns,
                };
                let rc = unsafe {
                    pirn_fiber_start(
                        hub,
                        self.fiber,
                        stack.as_mut_ptr().cast(),
                        STACK,
                        0,
                        Some(waits_in_a_fiber),
                        Box::into_raw(Box::new(body)).cast(),
                    )
                };
                assert_eq!(rc, 0, "{}", self.name());
                self.world.turn();
            }
            Way::Main => {
                let begun = self
                    .subject
                    .start(unsafe { pirn_fiber_self(hub) }, timeout_ns);
                self.tell(unsafe { pirn_fiber_await(hub, begun) });
            }
            Way::Future => run_future(self.hub(), || async {
                let mut wait = pin!(self.wait(timeout_ns));
                self.tell(wait.as_mut().await);
                // What it was given is not passed on for want of an owner.
                let slept = sleep(self.hub(), Duration::from_nanos(50)).await;
                assert_eq!(slept, Ok(()));
            }),
        }
        self.world.run();
        let events = self.world.events();
        if self.way != Way::Main {
            return events;
        }
        // The program itself continues when the turn is over.
        let mut words: Vec<&str> = events.split(' ').collect();
        words.sort_by_key(|word| word.rsplit('@').next().and_then(|t| t.parse::<u64>().ok()));
        let at = |word: &&str| word.rsplit('@').next().map(str::to_owned);
        words.sort_by_key(|word| (at(word).map(|t| t.len()), at(word), word.to_string()));
        words.join(" ")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.fiber) });
    }
}

struct Body {
    stage: Rc<Stage>,
    timeout_ns: u64,
}

unsafe extern "C" fn waits_in_a_fiber(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let body = unsafe { Box::from_raw(user.cast::<Body>()) };
    let waiter = unsafe { pirn_fiber_self(hub) };
    let begun = body.stage.subject.start(waiter, body.timeout_ns);
    let result = unsafe { pirn_fiber_await(hub, begun) };
    guarded(|| body.stage.tell(result));
    // What it was given is not passed on for want of an owner.
    unsafe { pirn_fiber_sleep(hub, 50) };
    0
}

/// Plays the same for every object and every way of waiting.
fn for_all(play: impl Fn(&Rc<Stage>)) {
    for make in ALL {
        for way in WAYS {
            play(&Stage::new(make, *way));
        }
    }
}

/// The same for callers alone.
fn for_callers(play: impl Fn(&Rc<Stage>)) {
    for make in ALL {
        play(&Stage::new(make, Way::Callback));
    }
}

/// `A=0@5`, with the result that the object has for the waiter at this place.
fn granted(stage: &Stage, name: &str, place: usize, time: u64) -> String {
    format!("{name}={}@{time}", stage.subject.result(place))
}

// ---- a wait ends once, with one result ----

#[test]
fn a_wait_is_woken_once_and_never_inside_the_call_that_ended_it() {
    for_all(|stage| {
        stage.at(5, |stage| {
            stage.subject.grant();
            stage.world.log("granted@5".to_owned());
        });
        let ended = granted(stage, "A", 0, 5);
        let events = stage.play(PIRN_FOREVER);
        let mut words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        if stage.way == Way::Main {
            words.reverse();
        }
        assert_eq!(words, ["granted@5", &ended], "{}", stage.name());
    });
}

#[test]
fn those_who_wait_are_served_in_the_order_of_their_coming() {
    for_all(|stage| {
        stage.waits(1, &stage.second);
        stage.waits(2, &stage.third);
        for time in [5, 6, 7] {
            if time == 5 || !stage.subject.is_for_all() {
                stage.grants(time);
            }
        }
        let times = if stage.subject.is_for_all() {
            [5, 5, 5]
        } else {
            [5, 6, 7]
        };
        let expected: Vec<String> = ["A", "B", "C"]
            .iter()
            .zip(times)
            .enumerate()
            .map(|(place, (name, time))| granted(stage, name, place, time))
            .collect();
        let events = stage.play(PIRN_FOREVER);
        let words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        assert_eq!(words, expected, "{}", stage.name());
    });
}

/// What others see when the first has left at `left`, and something is granted later.
fn second_after(stage: &Stage, left: u64, granted_at: u64) -> String {
    if stage.subject.breaks() {
        format!("B=PIPE@{left}")
    } else {
        granted(stage, "B", 0, granted_at)
    }
}

#[test]
fn a_time_limit_ends_the_wait_and_the_next_one_is_served() {
    for_all(|stage| {
        stage.waits(1, &stage.second);
        stage.grants(12);
        let expected = format!("A=TIMEDOUT@10 {}", second_after(stage, 10, 12));
        assert_eq!(stage.play(10), expected, "{}", stage.name());
    });
}

#[test]
fn a_grant_before_the_time_limit_in_the_same_turn_wins() {
    for_all(|stage| {
        // Armed before the wait begins.
        stage.grants(10);
        let expected = granted(stage, "A", 0, 10);
        let events = stage.play(10);
        let words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        assert_eq!(words, [expected], "{}", stage.name());
    });
}

#[test]
fn a_grant_after_the_time_limit_in_the_same_turn_is_for_the_next_one() {
    for_all(|stage| {
        stage.waits(1, &stage.second);
        // Armed after the wait has begun: the hub's timer comes first.
        stage.at(1, |stage| stage.grants(10));
        let expected = format!("A=TIMEDOUT@10 {}", second_after(stage, 10, 10));
        assert_eq!(stage.play(10), expected, "{}", stage.name());
    });
}

#[test]
fn cancellation_ends_the_wait_and_the_next_one_is_served() {
    for_all(|stage| {
        stage.waits(1, &stage.second);
        stage.at(5, |stage| {
            assert_eq!(stage.cancel(), 0, "{}", stage.name());
            assert_eq!(stage.cancel(), -EALREADY, "{}", stage.name());
        });
        stage.grants(6);
        let expected = format!("A=CANCELED@5 {}", second_after(stage, 5, 6));
        assert_eq!(stage.play(PIRN_FOREVER), expected, "{}", stage.name());
    });
}

#[test]
fn cancellation_before_a_grant_in_the_same_turn_leaves_it_to_the_next_one() {
    for_all(|stage| {
        stage.waits(1, &stage.second);
        stage.at(5, |stage| {
            stage.cancel();
            stage.subject.grant();
        });
        let expected = format!("A=CANCELED@5 {}", second_after(stage, 5, 5));
        assert_eq!(stage.play(PIRN_FOREVER), expected, "{}", stage.name());
    });
}

/// Grant and cancel in one turn: the wake-up is not lost.
#[test]
fn what_was_granted_stays_granted_when_cancellation_or_time_comes_after_it() {
    for_all(|stage| {
        stage.at(10, |stage| {
            stage.subject.grant();
            assert_eq!(stage.cancel(), -EALREADY, "{}", stage.name());
        });
        let expected = granted(stage, "A", 0, 10);
        let events = stage.play(10);
        let words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        assert_eq!(words, [expected], "{}", stage.name());
    });
}

#[test]
fn a_waiter_may_begin_its_next_wait_when_it_is_woken() {
    for_callers(|stage| {
        let count = Rc::new(Cell::new(0));
        let waits_again = Rc::new(Cell::new(false));
        let is_waiting = Rc::clone(&waits_again);
        let (weak, seen) = (Rc::downgrade(stage), Rc::clone(&count));
        stage.first.then(move |result| {
            let stage = weak.upgrade().expect("it is still there");
            stage.subject.ended(stage.first.waiter(), result);
            seen.set(seen.get() + 1);
            if seen.get() == 1 {
                let rc = stage.subject.start(stage.first.waiter(), PIRN_FOREVER);
                // The mutex is its own already, and all is done.
                let at_once = match stage.subject.name() {
                    "mutex" => -EDEADLK,
                    "queue, join" => 0,
                    _ => PIRN_WAITS,
                };
                assert_eq!(rc, at_once, "{}", stage.name());
                is_waiting.set(rc == PIRN_WAITS);
            }
        });
        stage.grants(5);
        stage.grants(6);
        stage.play(PIRN_FOREVER);
        let expected = 1 + u32::from(waits_again.get());
        assert_eq!(count.get(), expected, "{}", stage.name());
    });
}

/// The program waits outside of fibers, and its loop is stopped in the turn of the grant.
#[test]
#[cfg_attr(miri, ignore = "only fibers and programs stop a loop")]
fn what_was_granted_stays_granted_when_the_loop_is_stopped_after_it() {
    for make in ALL {
        let stage = Stage::new(make, Way::Main);
        stage.at(5, |stage| {
            stage.subject.grant();
            assert_eq!(unsafe { pirn_stop(stage.world.event_loop) }, 0);
        });
        let expected = granted(&stage, "A", 0, 5);
        let events = stage.play(PIRN_FOREVER);
        assert!(
            events.split(' ').any(|word| word == expected),
            "{}: {events}",
            stage.name()
        );
    }
}

// ---- drop ----

#[test]
fn a_waiter_that_is_dropped_is_not_woken_and_the_next_one_is_served() {
    for_callers(|stage| {
        stage.waits(1, &stage.second);
        stage.at(5, |stage| stage.first.drop_wait());
        stage.grants(6);
        let expected = second_after(stage, 5, 6);
        assert_eq!(stage.play(PIRN_FOREVER), expected, "{}", stage.name());
        assert!(!stage.first.is_waiting());
    });
}

#[test]
fn what_a_dropped_waiter_was_granted_goes_to_the_next_one() {
    for_callers(|stage| {
        stage.waits(1, &stage.second);
        stage.at(5, |stage| {
            stage.subject.grant();
            stage.first.drop_wait();
        });
        if !stage.subject.goes_on() && !stage.subject.is_for_all() {
            stage.grants(6);
        }
        let events = stage.play(PIRN_FOREVER);
        let words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        let expected = if stage.subject.is_for_all() {
            granted(stage, "B", 1, 5)
        } else if stage.subject.goes_on() {
            granted(stage, "B", 0, 5)
        } else {
            granted(stage, "B", 0, 6)
        };
        assert_eq!(words, [expected], "{}", stage.name());
    });
}

/// A future that waits until it is dropped, polled once by nobody in particular.
struct Dropping {
    wait: RefCell<Option<Pin<Box<Wait<'static, Subjected>>>>>,
}

impl Dropping {
    fn begin(stage: &Rc<Stage>) -> Rc<Dropping> {
        let mut wait = Box::pin(stage.wait(PIRN_FOREVER));
        let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending, "{}", stage.name());
        Rc::new(Dropping {
            wait: RefCell::new(Some(wait)),
        })
    }

    fn drop_wait(&self) {
        *self.wait.borrow_mut() = None;
    }
}

fn for_futures(play: impl Fn(&Rc<Stage>, &Rc<Dropping>)) {
    for make in ALL {
        let stage = Stage::new(make, Way::Future);
        let dropping = Dropping::begin(&stage);
        play(&stage, &dropping);
    }
}

#[test]
fn a_future_that_is_dropped_leaves_the_list_and_the_next_one_is_served() {
    for_futures(|stage, dropping| {
        stage.waits(1, &stage.second);
        let dropping = Rc::clone(dropping);
        stage.at(5, move |_| dropping.drop_wait());
        stage.grants(6);
        stage.world.run();
        let expected = second_after(stage, 5, 6);
        assert_eq!(stage.world.events(), expected, "{}", stage.name());
    });
}

/// Also between the call of its waker and the poll that would have taken it, one tick later.
#[test]
fn what_a_dropped_future_was_granted_goes_to_the_next_one() {
    for dropped_at in [5, 6] {
        for_futures(|stage, dropping| {
            stage.waits(1, &stage.second);
            stage.grants(5);
            let dropping = Rc::clone(dropping);
            // Behind the grant of the same time.
            stage.at(4, move |stage| {
                stage.at(dropped_at, move |_| dropping.drop_wait());
            });
            if !stage.subject.goes_on() && !stage.subject.is_for_all() {
                stage.grants(7);
            }
            stage.world.run();
            let expected = if stage.subject.is_for_all() {
                granted(stage, "B", 1, 5)
            } else if stage.subject.goes_on() {
                granted(stage, "B", 0, dropped_at)
            } else {
                granted(stage, "B", 0, 7)
            };
            let events = stage.world.events();
            let words: Vec<&str> = events
                .split(' ')
                .filter(|w| !w.starts_with("other"))
                .collect();
            assert_eq!(words, [expected], "{} at {dropped_at}", stage.name());
        });
    }
}

// ---- refusal ----

#[test]
fn a_refused_wait_has_begun_nothing() {
    for_callers(|stage| {
        let name = stage.name();
        let (subject, first) = (&stage.subject, &stage.first);
        assert_eq!(subject.start(first.waiter(), 0), -EAGAIN, "{name}");
        assert!(!first.is_waiting(), "{name}");
        assert_eq!(subject.start_null(first.waiter()), -EINVAL, "{name}");
        assert!(!first.is_waiting(), "{name}");
        let nobody = null_mut();
        assert_eq!(subject.start(nobody, 1), -EDEADLK, "{name}");
        assert_eq!(subject.start(nobody, PIRN_FOREVER), -EDEADLK, "{name}");
        let tried = if subject.needs_waiter() {
            -EDEADLK
        } else {
            -EAGAIN
        };
        assert_eq!(subject.start(nobody, 0), tried, "{name}");
        // It waits for something else.
        assert_eq!(
            unsafe { pirn_park_start(first.waiter(), PIRN_FOREVER) },
            PIRN_WAITS
        );
        if subject.name() != "condition with a mutex" {
            assert_eq!(subject.start(first.waiter(), 0), -EBUSY, "{name}");
            assert_eq!(subject.start(first.waiter(), 9), -EBUSY, "{name}");
        }
        first.drop_wait();
        // Nobody but the second is served.
        assert_eq!(
            subject.start(stage.second.waiter(), PIRN_FOREVER),
            PIRN_WAITS,
            "{name}"
        );
        stage.grants(5);
        stage.world.run();
        let expected = granted(stage, "B", 0, 5);
        let events = stage.world.events();
        let words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        assert_eq!(words, [expected], "{name}");
    });
}

#[test]
fn waiters_of_two_loops_cannot_wait_for_one_object() {
    for_callers(|stage| {
        let elsewhere = World::new();
        let stranger = Caller::new(&elsewhere, "stranger");
        stage.at(1, move |stage| {
            let rc = stage.subject.start(stranger.waiter(), PIRN_FOREVER);
            assert_eq!(rc, -EINVAL, "{}", stage.name());
            assert!(!stranger.is_waiting());
            drop(elsewhere);
        });
        stage.grants(5);
        let expected = granted(stage, "A", 0, 5);
        let events = stage.play(PIRN_FOREVER);
        assert!(
            events.split(' ').any(|word| word == expected),
            "{}",
            stage.name()
        );
    });
}

#[test]
fn a_waiter_that_was_never_prepared_is_refused() {
    for_callers(|stage| {
        let waiter: *mut pirn_waiter = Box::into_raw(Box::new(unsafe { zeroed() }));
        if !stage.subject.name().starts_with("condition with a") {
            assert_eq!(stage.subject.start(waiter, 1), -EINVAL, "{}", stage.name());
        }
        drop(unsafe { Box::from_raw(waiter) });
    });
}

// ---- fibers ----

/// A fiber that was cancelled takes nothing, and others are served as if it had not come.
#[test]
#[cfg_attr(miri, ignore = "switches stacks")]
fn a_cancelled_fiber_waits_for_nothing() {
    for make in ALL {
        let stage = Stage::new(make, Way::Fiber);
        let cancelled = Rc::clone(&stage);
        stage.waits(1, &stage.second);
        stage.grants(6);
        let mut stack = vec![0u64; STACK / 8];
        let body = Body {
            stage: Rc::clone(&stage),
            timeout_ns: PIRN_FOREVER,
        };
        let rc = unsafe {
            pirn_fiber_start(
                stage.world.hub,
                stage.fiber,
                stack.as_mut_ptr().cast(),
                STACK,
                0,
                Some(cancelled_before_it_waits),
                Box::into_raw(Box::new(body)).cast(),
            )
        };
        assert_eq!(rc, 0);
        assert_eq!(unsafe { pirn_fiber_cancel(stage.fiber) }, 0);
        cancelled.world.run();
        let expected = granted(&stage, "B", 0, 6);
        let events = stage.world.events();
        let words: Vec<&str> = events
            .split(' ')
            .filter(|w| !w.starts_with("other"))
            .collect();
        assert_eq!(words, ["fiber:CANCELED", &expected], "{}", stage.name());
    }
}

unsafe extern "C" fn cancelled_before_it_waits(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let body = unsafe { Box::from_raw(user.cast::<Body>()) };
    let (stage, waiter) = (&body.stage, unsafe { pirn_fiber_self(hub) });
    // Where a mutex is to be locked first, a cancelled fiber can only try.
    let begun = stage.subject.start(waiter, body.timeout_ns);
    let result = unsafe { pirn_fiber_await(hub, begun) };
    stage.world.log(format!("fiber:{}", named(result)));
    if stage.subject.name() == "condition with a mutex" {
        stage.subject.ended(waiter, result);
    }
    0
}
