#![expect(unsafe_code, reason = "words that are pointers are followed")]
//! Callbacks, contexts and words, on a host, so that Miri can watch.

use std::boxed::Box;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

use core::ptr::NonNull;

use super::*;
use crate::host::Readiness;
use crate::ready::{Interest, Ready};
use crate::storage::Storage;
use crate::wake::Wake;

/// Says that the fds 0 and 1 are always ready, and steps its clock with each wait.
struct Clock(Rc<Cell<u64>>);

#[derive(Clone, Copy)]
struct Nobody;

impl Wake for Nobody {
    fn wake(&self) -> Result<()> {
        Ok(())
    }
}

impl Host for Clock {
    type Waker = Nobody;

    fn now(&mut self) -> Instant {
        Instant(self.0.get())
    }

    fn wait(&mut self, _timeout: Duration, ready: &mut [Readiness]) -> Result<usize> {
        self.0.set(self.0.get() + 1);
        for (place, fd) in ready.iter_mut().zip(0..2) {
            *place = Readiness {
                fd,
                ready: Ready::READ.bits(),
            };
        }
        Ok(ready.len().min(2))
    }

    fn waker(&self) -> Nobody {
        Nobody
    }
}

type Memory = Storage<4, 4, 4>;

fn open<C>(memory: &mut Memory) -> Loop<'_, C, Clock> {
    let host = Clock(Rc::new(Cell::new(1)));
    Loop::with_host(memory, host, Config::default()).unwrap()
}

const READ: Interest = Interest::READ;
const NONE: Interest = Interest::empty();
const NOW: When = When::At(Instant(0));
const ONCE: Repeat = Repeat::Never;

type Log = Vec<String>;
type LogCore<'l> = Core<'l, Log, Clock>;

// ---- words ----

static TEN: u64 = 10;

#[derive(Clone, Copy)]
struct Job(*mut u64);

// SAFETY: the tests send the only pointer to what it points at.
unsafe impl Send for Job {}

impl Word for Job {
    fn into_word(self) -> *mut () {
        self.0.into_word()
    }

    unsafe fn from_word(word: *mut ()) -> Job {
        // SAFETY: passed on.
        Job(unsafe { Word::from_word(word) })
    }
}

#[test]
fn words_come_back_as_they_were() {
    type Sum = u64;
    type SumCore<'l> = Core<'l, Sum, Clock>;
    fn on_number(_: &mut SumCore<'_>, sum: &mut Sum, event: IoEvent) {
        *sum += event.user as u64;
    }
    fn on_reference(_: &mut SumCore<'_>, sum: &mut Sum, event: TimerEvent<&'static u64>) {
        *sum += *event.user;
    }
    fn on_pointer(_: &mut SumCore<'_>, sum: &mut Sum, event: IoEvent<NonNull<u64>>) {
        // SAFETY: the box lives as long as the loop, and is used by nobody else meanwhile.
        *sum += unsafe { *event.user.as_ref() };
    }
    fn on_box(_: &mut SumCore<'_>, sum: &mut Sum, number: *mut u64) {
        // SAFETY: the word is what `Box::into_raw` returned, and a task runs once.
        *sum += *unsafe { Box::from_raw(number) };
    }
    fn on_job(_: &mut SumCore<'_>, sum: &mut Sum, job: Job) {
        // SAFETY: as in `on_box`.
        *sum += *unsafe { Box::from_raw(job.0) };
    }

    let mut hundred = Box::new(100);
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop.io_add(0, READ, on_number, 1).unwrap();
    event_loop
        .timer_start(NOW, ONCE, on_reference, &TEN)
        .unwrap();
    event_loop
        .raise_add(5, NONE, on_pointer, NonNull::from(&mut *hundred))
        .unwrap();
    event_loop
        .task_post(on_box, Box::into_raw(Box::new(1_000)))
        .unwrap();
    let remote = event_loop.remote();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            remote.raise(5).unwrap();
            let job = Job(Box::into_raw(Box::new(10_000)));
            remote.post(on_job, job).unwrap();
        });
    });
    let mut sum = 0;
    assert_eq!(event_loop.turn(Duration::ZERO, &mut sum), Ok(5));
    assert_eq!(sum, 11_111);
}

#[test]
fn numbers_of_any_size_are_words() {
    fn on_task(_: &mut Core<'_, Vec<usize>, Clock>, all: &mut Vec<usize>, number: usize) {
        all.push(number);
    }
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    let numbers = [0, 1, usize::MAX / 2, usize::MAX];
    for number in numbers {
        event_loop.task_post(on_task, number).unwrap();
    }
    let mut all = Vec::new();
    event_loop.turn(Duration::ZERO, &mut all).unwrap();
    assert_eq!(all, numbers);
}

#[test]
fn closure_that_captures_nothing_is_a_callback() {
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop
        .task_post(
            |core: &mut Core<'_, u32, Clock>, count: &mut u32, more: usize| {
                *count += 1;
                core.task_post(|_, count, _| *count += 10, more).unwrap();
            },
            0,
        )
        .unwrap();
    let mut count = 0;
    for expected in [1, 11, 11] {
        event_loop.turn(Duration::ZERO, &mut count).unwrap();
        assert_eq!(count, expected);
    }
}

// ---- typed and untyped ----

fn log_io(_: &mut LogCore<'_>, log: &mut Log, _: IoEvent) {
    log.push("io".into());
}

fn log_timer(_: &mut LogCore<'_>, log: &mut Log, _: TimerEvent) {
    log.push("timer".into());
}

fn log_task(_: &mut LogCore<'_>, log: &mut Log, _: usize) {
    log.push("task".into());
}

/// A library: it counts in a cell that its words point at, and knows no context.
fn count(word: *mut ()) {
    // SAFETY: the tests give the word of a cell that outlives the loop.
    let cell = unsafe { &*word.cast::<Cell<u32>>() };
    cell.set(cell.get() + 1);
}

fn raw_io<H: Host>(core: &mut RawCore<'_, H>, event: IoEvent<*mut ()>) {
    count(event.user);
    core.io_remove(event.io).unwrap();
}

fn raw_timer<H: Host>(core: &mut RawCore<'_, H>, event: TimerEvent<*mut ()>) {
    count(event.user);
    core.task_post(raw_task, event.user).unwrap();
}

fn raw_task<H: Host>(_: &mut RawCore<'_, H>, word: *mut ()) {
    count(word);
}

#[test]
fn typed_and_untyped_callbacks_share_a_loop() {
    let counter = Cell::new(0);
    let word = (&raw const counter).cast_mut().cast();
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop.io_add(0, READ, log_io, 0).unwrap();
    event_loop.timer_start(NOW, ONCE, log_timer, 0).unwrap();
    event_loop.task_post(log_task, 0).unwrap();
    event_loop.remote().post(log_task, 0).unwrap();

    let raw = event_loop.raw();
    raw.io_add(1, READ, raw_io, word).unwrap();
    raw.raise_add(7, NONE, raw_io, word).unwrap();
    raw.timer_start(NOW, ONCE, raw_timer, word).unwrap();
    raw.task_post(raw_task, word).unwrap();
    raw.remote().post(raw_task, word).unwrap();
    raw.remote().raise(7).unwrap();

    let mut log = Log::new();
    assert_eq!(event_loop.turn(Duration::ZERO, &mut log), Ok(9));
    assert_eq!(log, ["timer", "io", "task", "task"]);
    assert_eq!(counter.get(), 5);
    // The task that the timer posted, and the watcher that is left.
    assert_eq!(event_loop.turn(Duration::ZERO, &mut log), Ok(2));
    assert_eq!((log.len(), counter.get()), (5, 6));
    event_loop.verify().unwrap();
}

// ---- contexts ----

#[test]
fn context_may_borrow_and_change_with_each_turn() {
    struct Borrows<'a>(&'a Cell<u32>);
    fn on_task<'a>(
        core: &mut Core<'_, Borrows<'a>, Clock>,
        context: &mut Borrows<'a>,
        step: usize,
    ) {
        context.0.set(context.0.get() + step as u32);
        core.task_post(on_task, step).unwrap();
    }
    let mut memory = Memory::new();
    let cells = [Cell::new(0), Cell::new(0)];
    let mut event_loop = open(&mut memory);
    event_loop.task_post(on_task, 3).unwrap();
    for cell in cells.iter().cycle().take(5) {
        event_loop.turn(Duration::ZERO, &mut Borrows(cell)).unwrap();
    }
    assert_eq!([cells[0].get(), cells[1].get()], [9, 6]);
}

#[test]
fn callback_runs_another_loop() {
    fn outer(core: &mut LogCore<'_>, log: &mut Log, _: usize) {
        let mut memory = Memory::new();
        let mut inner = open::<Log>(&mut memory);
        inner.task_post(log_task, 0).unwrap();
        assert_eq!(inner.turn(Duration::ZERO, log), Ok(1));
        log.push("outer".into());
        core.task_post(log_task, 0).unwrap();
    }
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop.task_post(outer, 0).unwrap();
    let mut log = Log::new();
    assert_eq!(event_loop.turn(Duration::ZERO, &mut log), Ok(1));
    assert_eq!(event_loop.turn(Duration::ZERO, &mut log), Ok(1));
    assert_eq!(log, ["task", "outer", "task"]);
}

#[test]
fn loop_may_move_between_turns() {
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    let remote = event_loop.remote();
    event_loop.io_add(0, READ, log_io, 0).unwrap();
    let mut log = Log::new();
    for length in 1..4 {
        event_loop = *Box::new(event_loop);
        event_loop.turn(Duration::ZERO, &mut log).unwrap();
        assert_eq!(log.len(), length);
    }
    drop(event_loop);
    assert_eq!(remote.wake(), Err(Error::ESHUTDOWN));
    assert_eq!(remote.post(log_task, 0), Err(Error::ESHUTDOWN));
}

// ---- what is handed back ----

#[test]
fn post_that_is_handed_back_can_be_called() {
    fn takes_all_back(core: &mut LogCore<'_>, log: &mut Log, _: usize) {
        while let Some(mut post) = core.task_reclaim() {
            log.push(std::format!("back {}", post.event().user().addr()));
            let mut other = Log::new();
            for _ in 0..2 {
                post.call(core, &mut other);
            }
            assert_eq!(other, ["task"]);
        }
    }
    let counter = Cell::new(0);
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop.task_post(takes_all_back, 0).unwrap();
    event_loop.task_post(log_task, 1).unwrap();
    event_loop.remote().post(log_task, 2).unwrap();
    event_loop
        .io_add(0, READ | Interest::LOW, log_io, 0)
        .unwrap();
    let mut log = Log::new();
    // What is called by hand does not count.
    assert_eq!(event_loop.turn(Duration::ZERO, &mut log), Ok(2));
    assert_eq!(log, ["io", "back 1", "back 2"]);

    // An untyped one does not mind, outside of a turn either.
    let word = (&raw const counter).cast_mut().cast();
    event_loop.raw().task_post(raw_task, word).unwrap();
    let mut post = event_loop.task_reclaim().unwrap();
    post.call(&mut event_loop, &mut log);
    assert_eq!(counter.get(), 1);
    assert_eq!(log.len(), 3);
}

// ---- callbacks that panic ----

#[test]
fn context_is_the_outer_one_again_after_a_panic() {
    fn panics(_: &mut LogCore<'_>, log: &mut Log, _: usize) {
        log.push("panics".into());
        panic!("on purpose");
    }
    fn catches(core: &mut LogCore<'_>, log: &mut Log, _: usize) {
        let mut post = core.task_reclaim().unwrap();
        let mut inner = Log::new();
        let call = AssertUnwindSafe(|| post.call(core, &mut inner));
        assert!(catch_unwind(call).is_err());
        log.extend(inner);
    }
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop.task_post(catches, 0).unwrap();
    event_loop.task_post(panics, 0).unwrap();
    event_loop.task_post(log_task, 0).unwrap();
    let mut log = Log::new();
    assert_eq!(event_loop.turn(Duration::ZERO, &mut log), Ok(2));
    assert_eq!(log, ["panics", "task"]);
}

#[test]
fn what_a_panic_left_is_served_once() {
    fn panics(_: &mut LogCore<'_>, _: &mut Log, _: usize) {
        panic!("on purpose");
    }
    let mut caught = 0;
    let mut memory = Memory::new();
    let mut event_loop = open(&mut memory);
    event_loop.task_post(log_task, 0).unwrap();
    event_loop.task_post(panics, 0).unwrap();
    event_loop.task_post(log_task, 0).unwrap();
    event_loop.remote().post(log_task, 0).unwrap();
    let mut log = Log::new();
    for _ in 0..3 {
        let turn = AssertUnwindSafe(|| event_loop.turn(Duration::ZERO, &mut log));
        caught += u32::from(catch_unwind(turn).is_err());
        event_loop.verify().unwrap();
    }
    assert_eq!((log.len(), caught), (3, 1));
}
