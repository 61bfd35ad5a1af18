#![expect(
    unsafe_code,
    reason = "work is reached by the addresses that its owner gave"
)]
//! The work that has not begun, in the order of its coming, and the threads that take it.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use pirn_wait::{EAGAIN, EBUSY, ECANCELED, ENOENT, ESHUTDOWN, pirn_hub, pirn_remote, pirn_waiters};

use crate::ffi::{pirn_done_fn, pirn_work_fn};
use crate::lock::pirn_lock;
use crate::word::pirn_word;

/// A piece of work. Zero it before it is submitted for the first time. It is the library's, and
/// must stay where it is, from then until `done` is called.
#[repr(C)]
pub struct pirn_work {
    // First, so that what comes back has the work's address.
    pub(crate) remote: pirn_remote,
    // Who waits until it is done.
    pub(crate) waiters: pirn_waiters,
    pub(crate) hub: Cell<*mut pirn_hub>,
    pub(crate) function: Cell<pirn_work_fn>,
    pub(crate) done: Cell<pirn_done_fn>,
    /// Passed to the functions, never looked at. To be read only.
    pub user: Cell<*mut c_void>,
    next: Cell<Option<NonNull<pirn_work>>>,
    previous: Cell<Option<NonNull<pirn_work>>>,
    // Where it is, or was last.
    pub(crate) workers: Cell<Option<NonNull<pirn_workers>>>,
    /// What the function has returned; -ECANCELED if it never ran. To be read when it is done.
    pub result: Cell<c_int>,
    // `IDLE`, `QUEUED`, `TAKEN`. Changed under the lock of its workers.
    state: Cell<u32>,
    pub(crate) is_cancelled: AtomicU32,
    reserved: Cell<u32>,
}

/// Not submitted, or done.
const IDLE: u32 = 0;
/// No thread has taken it.
const QUEUED: u32 = 1;
/// It runs, has run, or was taken out of the queue; `done` is still to be called.
const TAKEN: u32 = 2;

/// Threads of the application, and the work that waits for them. Prepare it with
/// `pirn_workers_init`. It is yours, and must stay where it is until all threads have returned.
#[repr(C)]
pub struct pirn_workers {
    lock: pirn_lock,
    // Counts the reasons to look at the queue again.
    calls: pirn_word,
    // All below is read and written under the lock.
    first: Cell<Option<NonNull<pirn_work>>>,
    last: Cell<Option<NonNull<pirn_work>>>,
    waiting: Cell<u32>,
    most_waiting: u32,
    // How many threads sleep, or are about to.
    idle: Cell<u32>,
    is_closed: Cell<u32>,
}

/// What is to be done with work that was taken out of the queue, and with work that is done.
pub(crate) type Deliver = fn(NonNull<pirn_work>);

fn node<'a>(work: NonNull<pirn_work>) -> &'a pirn_work {
    // SAFETY: work stays where it is until it is done, as documented; it is borrowed shared only.
    unsafe { work.as_ref() }
}

impl pirn_work {
    /// True if it was submitted and `done` is still to be called. The loop's thread.
    pub(crate) fn is_live(&self) -> bool {
        match self.workers.get() {
            // SAFETY: workers outlive the work that was given to them, as documented.
            Some(workers) => unsafe { workers.as_ref() }
                .lock
                .with(|| self.state.get() != IDLE),
            None => false,
        }
    }

    /// It is the owner's again. The loop's thread, when nobody else knows it any more.
    pub(crate) fn settle(&self) {
        self.workers.set(None);
        self.state.set(IDLE);
    }
}

impl pirn_workers {
    pub(crate) fn new(most_waiting: u32) -> pirn_workers {
        pirn_workers {
            lock: pirn_lock::new(),
            calls: pirn_word::new(),
            first: Cell::new(None),
            last: Cell::new(None),
            waiting: Cell::new(0),
            most_waiting,
            idle: Cell::new(0),
            is_closed: Cell::new(0),
        }
    }

    /// Adds work that is not live behind all other.
    pub(crate) fn push(&self, work: &pirn_work, prepare: impl FnOnce()) -> c_int {
        let own = NonNull::from(work);
        let (rc, wakes) = self.lock.with(|| {
            let is_full = self.most_waiting != 0 && self.waiting.get() >= self.most_waiting;
            if self.is_closed.get() != 0 {
                return (-ESHUTDOWN, false);
            }
            if is_full {
                return (-EAGAIN, false);
            }
            prepare();
            work.workers.set(Some(NonNull::from(self)));
            work.is_cancelled.store(0, Ordering::Relaxed);
            work.result.set(-ECANCELED);
            work.state.set(QUEUED);
            work.next.set(None);
            let last = self.last.replace(Some(own));
            work.previous.set(last);
            match last {
                Some(last) => node(last).next.set(Some(own)),
                None => self.first.set(Some(own)),
            }
            self.waiting.set(self.waiting.get() + 1);
            let wakes = self.idle.get() != 0;
            if wakes {
                self.calls.count();
            }
            (0, wakes)
        });
        if wakes {
            self.calls.wake(1);
        }
        rc
    }

    /// Takes work out of the queue in which it is. Under the lock.
    fn unlink(&self, work: &pirn_work) {
        let (next, previous) = (work.next.take(), work.previous.take());
        match previous {
            Some(previous) => node(previous).next.set(next),
            None => self.first.set(next),
        }
        match next {
            Some(next) => node(next).previous.set(previous),
            None => self.last.set(previous),
        }
        self.waiting.set(self.waiting.get() - 1);
        work.state.set(TAKEN);
    }

    /// Takes this work back if it has not begun; else its function is told that nobody wants the
    /// result any more.
    pub(crate) fn take_back(&self, work: &pirn_work) -> c_int {
        self.lock.with(|| match work.state.get() {
            QUEUED => {
                self.unlink(work);
                0
            }
            TAKEN => {
                work.is_cancelled.store(1, Ordering::Release);
                -EBUSY
            }
            _ => -ENOENT,
        })
    }

    /// Takes nothing more in. All threads return when the queue is empty, which with `now` it is at
    /// once: what has not begun is delivered as it is.
    pub(crate) fn close(&self, now: bool, deliver: Deliver) {
        let mut rest = self.lock.with(|| {
            self.is_closed.set(1);
            self.calls.count();
            if !now {
                return None;
            }
            let mut at = self.first.get();
            while let Some(work) = at {
                node(work).state.set(TAKEN);
                at = node(work).next.get();
            }
            self.last.set(None);
            self.waiting.set(0);
            self.first.take()
        });
        self.calls.wake(u32::MAX >> 1);
        while let Some(work) = rest {
            rest = node(work).next.take();
            node(work).previous.set(None);
            deliver(work);
        }
    }

    /// The life of a thread: takes work and does it, until the queue is closed and empty.
    pub(crate) fn run(&self, deliver: Deliver) {
        enum Next {
            Work(NonNull<pirn_work>),
            Sleep(u32),
            End,
        }
        loop {
            let next = self.lock.with(|| match self.first.get() {
                Some(work) => {
                    self.unlink(node(work));
                    Next::Work(work)
                }
                None if self.is_closed.get() != 0 => Next::End,
                None => {
                    self.idle.set(self.idle.get() + 1);
                    Next::Sleep(self.calls.load())
                }
            });
            match next {
                Next::Work(work) => {
                    let function = node(work).function.get();
                    let result = function.map_or(-ECANCELED, |function| {
                        // SAFETY: called as documented there.
                        unsafe { function(work.as_ptr(), node(work).user.get()) }
                    });
                    node(work).result.set(result);
                    // From here on it is the loop's.
                    deliver(work);
                }
                Next::Sleep(calls) => {
                    self.calls.wait(calls);
                    self.lock.with(|| self.idle.set(self.idle.get() - 1));
                }
                Next::End => return,
            }
        }
    }
}
