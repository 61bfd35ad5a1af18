#![expect(
    unsafe_code,
    reason = "work is reached by the addresses that its owner gave"
)]
//! The queue of work that has not begun, and the threads that do it.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use pirn_wait::{EAGAIN, EBUSY, ECANCELED, ENOENT, ESHUTDOWN, pirn_hub, pirn_remote, pirn_waiters};

use crate::ffi::{pirn_done_fn, pirn_work_fn};
use crate::lock::pirn_lock;
use crate::word::pirn_word;

/// A piece of work. Zero it before you submit it for the first time. From submitting it until
/// `done` is called, it belongs to the library, and you must not move it.
#[repr(C)]
pub struct pirn_work {
    // The first field, so that its address is that of the work.
    pub(crate) remote: pirn_remote,
    // The waiters for the end of the work.
    pub(crate) waiters: pirn_waiters,
    pub(crate) hub: Cell<*mut pirn_hub>,
    pub(crate) function: Cell<pirn_work_fn>,
    pub(crate) done: Cell<pirn_done_fn>,
    /// Passed to the functions, never dereferenced. Read only.
    pub user: Cell<*mut c_void>,
    next: Cell<Option<NonNull<pirn_work>>>,
    previous: Cell<Option<NonNull<pirn_work>>>,
    // The workers that have the work, or had it last.
    pub(crate) workers: Cell<Option<NonNull<pirn_workers>>>,
    /// The result of the function; -ECANCELED if the function never ran. Read it when the work is
    /// done.
    pub result: Cell<c_int>,
    // `IDLE`, `QUEUED` or `TAKEN`. Changed only under the lock of its workers.
    state: Cell<u32>,
    pub(crate) is_cancelled: AtomicU32,
    reserved: Cell<u32>,
}

/// Not submitted, or done.
const IDLE: u32 = 0;
/// No thread has taken it.
const QUEUED: u32 = 1;
/// It is running, has run, or was withdrawn; `done` was not called yet.
const TAKEN: u32 = 2;

/// The queue of work for threads of the application. Initialise it with `pirn_workers_init`. It
/// belongs to you; do not move it until all threads have returned.
#[repr(C)]
pub struct pirn_workers {
    lock: pirn_lock,
    // Counts the changes of the queue, for threads that wait for one.
    calls: pirn_word,
    // All fields below are protected by the lock.
    first: Cell<Option<NonNull<pirn_work>>>,
    last: Cell<Option<NonNull<pirn_work>>>,
    waiting: Cell<u32>,
    most_waiting: u32,
    // The number of threads that sleep or are about to sleep.
    idle: Cell<u32>,
    is_closed: Cell<u32>,
}

/// The function to call with work that was withdrawn or is done.
pub(crate) type Deliver = fn(NonNull<pirn_work>);

fn node<'a>(work: NonNull<pirn_work>) -> &'a pirn_work {
    // SAFETY: work stays where it is until it is done, as documented; it is borrowed shared only.
    unsafe { work.as_ref() }
}

impl pirn_work {
    /// True if the work was submitted and `done` was not called yet. Loop thread.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        match self.workers.get() {
            // SAFETY: workers outlive the work that was submitted to them, as documented.
            Some(workers) => unsafe { workers.as_ref() }
                .lock
                .with(|| self.state.get() != IDLE),
            None => false,
        }
    }

    /// Gives the work back to its owner. Loop thread, when no other thread uses it any more.
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

    /// Adds work, which must not be live, at the end of the queue.
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

    /// Removes work from its queue. Called under the lock.
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

    /// Withdraws the work if it has not begun. Otherwise marks it as cancelled, which its function
    /// can check.
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

    /// Closes the queue. All threads return when it is empty. If `now` is true, that is
    /// immediately: work that has not begun is delivered without having run.
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

    /// Takes work and does it on the calling thread, until the queue is closed and empty.
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
                    // From here on the work belongs to the loop.
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
