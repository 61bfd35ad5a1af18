#![allow(unsafe_code, reason = "C functions are called")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! The rules of every wait, for all that can be waited for and every way of waiting.
//!
//! `Subject` says how a subject differs from the others, and where a rule does not apply to it. The
//! stackless coroutines of `pirn/co_wait.h` are macros of C: they have their rules in
//! `tests/waiting/sync.c`.

#[path = "support/below.rs"]
mod below;
#[path = "support/ends.rs"]
mod ends;
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

use subject::{Make, OBJECTS, Owned, Subject};
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

/// One of each subject.
fn all() -> impl Iterator<Item = Make> {
    let others: [Make; 2] = [
        |_| Rc::new(below::Parked::default()),
        |world| Rc::new(ends::Work::new(world)),
    ];
    // Miri cannot switch stacks, and its core has no fds.
    let not_for_miri: [Make; 4] = [
        |world| Rc::new(below::Port::new(world)),
        |world| Rc::new(ends::Fiber::new(world)),
        |world| Rc::new(ends::Group::new(world)),
        |world| Rc::new(ends::Pool::new(world)),
    ];
    let count = if cfg!(miri) { 0 } else { 4 };
    let all = OBJECTS.into_iter().chain(others);
    all.chain(not_for_miri.into_iter().take(count))
}

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

    /// Grants, and does a step when the waiter owns what it was granted.
    fn grants_then(self: &Rc<Self>, time: u64, step: impl FnOnce(&Rc<Stage>) + 'static) {
        self.at(time, |stage| {
            let own = Rc::clone(stage);
            stage.subject.grant_then(Box::new(move || step(&own)));
        });
    }

    /// The first is a callback, and its wait is dropped.
    fn drop_first(&self) {
        self.first.drop_wait();
        self.subject.dropped(self.first.waiter());
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
    for make in all() {
        for way in WAYS {
            play(&Stage::new(make, *way));
        }
    }
}

/// The same for callers alone.
fn for_callers(play: impl Fn(&Rc<Stage>)) {
    for make in all() {
        play(&Stage::new(make, Way::Callback));
    }
}

/// What has happened, without what waiters did that have no part in the play. The first waiter for
/// an fd is called directly when the fd is ready, and one that was cancelled waits for the others
/// of a group: there the order is not that of the ends of their waits.
fn words<'a>(stage: &Stage, events: &'a str) -> Vec<&'a str> {
    let words = events.split(' ');
    let mut words: Vec<&str> = words.filter(|word| !word.starts_with("other")).collect();
    if stage.subject.owned() == Owned::Never || stage.subject.cancels() == Some(0) {
        words.sort_unstable();
    }
    words
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
        let mut words = words(stage, &events);
        words.sort_by_key(|word| *word == ended);
        if stage.way != Way::Main {
            // The order is that of the calls, not of the program that continues.
            assert!(
                events.find("granted@5") < events.find(&ended),
                "{}",
                stage.name()
            );
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
        let words = words(stage, &events);
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

/// The same when the first was cancelled.
fn second_after_cancellation(stage: &Stage, left: u64, granted_at: u64) -> String {
    match stage.subject.cancels() {
        Some(result) => format!("B={}@{left}", named(result)),
        None => granted(stage, "B", 0, granted_at),
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
        let expected = match stage.subject.owned() {
            // What is granted comes later in this turn than the limit.
            Owned::NextTurn => "A=TIMEDOUT@10".to_owned(),
            Owned::AtOnce | Owned::Never => granted(stage, "A", 0, 10),
        };
        let events = stage.play(10);
        let words = words(stage, &events);
        assert_eq!(words, [expected], "{}", stage.name());
    });
}

#[test]
fn a_grant_after_the_time_limit_in_the_same_turn_is_for_the_next_one() {
    for_all(|stage| {
        stage.waits(1, &stage.second);
        // Armed after the wait has begun: the hub's timer comes first.
        stage.at(1, |stage| stage.grants(10));
        let expected = match stage.subject.owned() {
            // The kernel is asked once more.
            Owned::Never => granted(stage, "A", 0, 10),
            _ => format!("A=TIMEDOUT@10 {}", second_after(stage, 10, 10)),
        };
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
        let second = second_after_cancellation(stage, 5, 6);
        let events = stage.play(PIRN_FOREVER);
        let words = words(stage, &events);
        assert_eq!(words, ["A=CANCELED@5", &second], "{}", stage.name());
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
        let second = second_after_cancellation(stage, 5, 5);
        let events = stage.play(PIRN_FOREVER);
        let words = words(stage, &events);
        assert_eq!(words, ["A=CANCELED@5", &second], "{}", stage.name());
    });
}

/// Grant and cancel in one turn: the wake-up is not lost.
#[test]
fn what_was_granted_stays_granted_when_cancellation_or_time_comes_after_it() {
    for_all(|stage| {
        let owned = stage.subject.owned();
        // In the turn of the limit, which would come before a grant of the next turn.
        let time = if owned == Owned::NextTurn { 9 } else { 10 };
        let has_tried = Rc::new(Cell::new(false));
        let tries = Rc::clone(&has_tried);
        stage.grants_then(time, move |stage| {
            let is_hint = owned == Owned::Never;
            let rc = if is_hint { 0 } else { -EALREADY };
            assert_eq!(stage.cancel(), rc, "{}", stage.name());
            tries.set(true);
        });
        let expected = match owned {
            Owned::Never => "A=CANCELED@10".to_owned(),
            _ => granted(stage, "A", 0, time),
        };
        let events = stage.play(10);
        let words = words(stage, &events);
        assert!(has_tried.get(), "{}", stage.name());
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
                assert_eq!(rc, stage.subject.again(), "{}", stage.name());
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
    for make in all() {
        let stage = Stage::new(make, Way::Main);
        stage.grants_then(5, |stage| {
            assert_eq!(unsafe { pirn_stop(stage.world.event_loop) }, 0);
        });
        let expected = match stage.subject.owned() {
            // The loop does not ask any more whether the fd is ready.
            Owned::Never => "A=CANCELED@5".to_owned(),
            _ => granted(&stage, "A", 0, 5),
        };
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
        stage.at(5, |stage| stage.drop_first());
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
        stage.grants_then(5, |stage| stage.drop_first());
        if !stage.subject.goes_on() && !stage.subject.is_for_all() {
            stage.grants(6);
        }
        let events = stage.play(PIRN_FOREVER);
        let words = words(stage, &events);
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
    stage: Rc<Stage>,
    wait: RefCell<Option<Pin<Box<Wait<'static, Subjected>>>>>,
}

impl Dropping {
    fn begin(stage: &Rc<Stage>) -> Rc<Dropping> {
        let mut wait = Box::pin(stage.wait(PIRN_FOREVER));
        let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending, "{}", stage.name());
        Rc::new(Dropping {
            stage: Rc::clone(stage),
            wait: RefCell::new(Some(wait)),
        })
    }

    fn drop_wait(&self) {
        *self.wait.borrow_mut() = None;
        self.stage.subject.dropped(self.stage.waiter());
    }
}

fn for_futures(play: impl Fn(&Rc<Stage>, &Rc<Dropping>)) {
    for make in all() {
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
            // It is not the first's yet when that is dropped in the same turn. That an fd is ready
            // is never its own.
            let is_for_others = match stage.subject.owned() {
                Owned::AtOnce => false,
                Owned::NextTurn => dropped_at == 5,
                Owned::Never => true,
            };
            let expected = if stage.subject.is_for_all() {
                granted(stage, "B", 1, 5)
            } else if is_for_others {
                granted(stage, "B", 0, 5)
            } else if stage.subject.goes_on() {
                granted(stage, "B", 0, dropped_at)
            } else {
                granted(stage, "B", 0, 7)
            };
            let events = stage.world.events();
            let words = words(stage, &events);
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
        let of_nothing = subject.start_null(first.waiter());
        assert!(of_nothing.is_none_or(|rc| rc == -EINVAL), "{name}");
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
        let words = words(stage, &events);
        assert_eq!(words, [expected], "{name}");
    });
}

#[test]
fn waiters_of_two_loops_cannot_wait_for_one_object() {
    for_callers(|stage| {
        if stage.subject.start_null(stage.third.waiter()).is_none() {
            // There is no object.
            return;
        }
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
    for make in all() {
        let stage = Stage::new(make, Way::Fiber);
        stage.waits(1, &stage.second);
        stage.grants(6);
        let _stack = start_cancelled(&stage);
        stage.world.run();
        let expected = granted(&stage, "B", 0, 6);
        let events = stage.world.events();
        let mut words = words(&stage, &events);
        let others = match stage.subject.cancels() {
            // The fiber has ended what is waited for, before the others come.
            Some(0) => "at once: 0",
            _ => &expected,
        };
        let mut all: Vec<&str> = others.split(' ').chain(["fiber:CANCELED"]).collect();
        all.sort_unstable();
        words.sort_unstable();
        assert_eq!(words, all, "{}", stage.name());
    }
}

/// Nor does it get what is there, for which it would not have to wait.
#[test]
#[cfg_attr(miri, ignore = "switches stacks")]
fn a_cancelled_fiber_gets_nothing_that_is_there() {
    for make in all() {
        let stage = Stage::new(make, Way::Fiber);
        stage.subject.grant();
        stage.world.turn();
        stage.world.turn();
        let _stack = start_cancelled(&stage);
        stage.world.run();
        let expected = format!("fiber:{}", named(stage.subject.cancelled()));
        let events = stage.world.events();
        assert_eq!(words(&stage, &events), [expected], "{}", stage.name());
    }
}

/// Starts the fiber of the stage, and cancels it. Returns its stack.
fn start_cancelled(stage: &Rc<Stage>) -> Vec<u64> {
    let mut stack = vec![0u64; STACK / 8];
    let body = Body {
        stage: Rc::clone(stage),
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
    stack
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
