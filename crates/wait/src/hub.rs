#![expect(
    unsafe_code,
    reason = "the core's C functions are called, and waiters' own"
)]
//! The hub of a loop: calls the waiters whose wait is over, and ends waits at their deadlines.

mod time;

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use pirn_abi::{
    PIRN_FOREVER, PIRN_UNREF, pirn_io, pirn_io_remove, pirn_loop, pirn_now, pirn_now_address,
    pirn_raise, pirn_raise_add, pirn_release, pirn_stop, pirn_task, pirn_task_cancel,
    pirn_task_post, pirn_timer, pirn_timer_start, pirn_timer_stop,
};

use crate::deadlines::pirn_deadlines;
use crate::errno::EBUSY;
use crate::list::pirn_waiters;
use crate::remote::{pirn_remote, pirn_remote_fn, pirn_remotes};
use crate::state::LATER;
use crate::waiter::pirn_waiter;
pub(crate) use time::on_timer;

/// How many waiters one call of the hub calls beyond those that were ready when it began. So two
/// waiters can wake one another without a call of the kernel each time, and the kernel's events
/// still have their turn.
const MOST_MORE: u32 = 64;

/// The hub is idle.
const NOT_CALLED: u32 = 0;
/// The core has been asked to call the hub.
const POSTED: u32 = 1;
/// The hub is being called.
const CALLED: u32 = 2;

/// A delay that never ends. The sum of it and any time does not overflow.
const NEVER: u64 = u64::MAX / 2;

/// The hub of a loop: what the loop needs so that programs can wait. Prepare one for each loop with
/// `pirn_hub_init`. The memory is yours, and must stay where it is until `pirn_hub_deinit`.
#[repr(C)]
pub struct pirn_hub {
    event_loop: Cell<*mut pirn_loop>,
    // The turn's time, which is read for each wait with a time limit.
    now: Cell<*const u64>,
    // The waiters whose wait is over, in the order in which it ended.
    pub(crate) ready: pirn_waiters,
    pub(crate) deadlines: pirn_deadlines,
    timer: Cell<pirn_timer>,
    bit_handler: Cell<pirn_io>,
    // The task that calls the hub.
    task: Cell<pirn_task>,
    // Notifications from other threads.
    pub(crate) remotes: pirn_remotes,
    // When the timer fires; `PIRN_FOREVER`: never.
    timer_at_ns: Cell<u64>,
    // The waiter of the main program, which waits by running the loop. Its `wake` stops the loop.
    main: pirn_waiter,
    // For the layer of fibers: the fiber that runs, the stack pointer of the loop meanwhile, and
    // the first of the live fibers.
    running: Cell<*mut c_void>,
    stack: Cell<usize>,
    fibers: Cell<*mut c_void>,
    // For the layer of fibers: functions that are called around switches.
    hooks: Cell<*const c_void>,
    bit: Cell<u32>,
    // How many waiters wait, or were woken and not called yet.
    waits: Cell<u32>,
    // How many waiters have a deadline, or keep one, and one more while the hub is called. While
    // there is one the loop goes on.
    timed: Cell<u32>,
    // How many ports are open.
    pub(crate) ports: Cell<u32>,
    // `NOT_CALLED`, `POSTED` or `CALLED`.
    is_called: Cell<u32>,
    // The half of the ready list that new waiters join: `LATER` or 0. It changes when the hub is
    // called. So the waiters that were ready before the call and those that became ready during it
    // differ in a flag, whichever of them are dropped.
    half: Cell<u32>,
    // How many waiters this call of the hub may still call beyond those that were ready when it
    // began; 0 outside of a call, and when no waiter may be called any more.
    more: Cell<u32>,
    // 1 if a deadline has passed that ends its wait only in the next call of the hub, because the
    // kernel has to be asked once more.
    is_due: Cell<u16>,
    // 1 if the stack of a fiber has overflowed: no wait can begin any more.
    is_broken: Cell<u16>,
}

impl pirn_hub {
    /// Takes slots of the loop, and initialises the hub: see `pirn_hub_init`.
    ///
    /// # Safety
    ///
    /// `event_loop` is NULL or came from `pirn_init`; `hub` is writable.
    pub(crate) unsafe fn init(event_loop: *mut pirn_loop, hub: *mut pirn_hub, bit: u32) -> c_int {
        let user = hub.cast::<c_void>();
        let mut bit_handler = pirn_io {
            slot: 0,
            generation: 0,
        };
        let handle = &raw mut bit_handler;
        // SAFETY: the loop is NULL or live; the hub stays where it is while the handler is there.
        let rc = unsafe { pirn_raise_add(event_loop, bit, PIRN_UNREF, Some(on_bit), user, handle) };
        if rc < 0 {
            return rc;
        }
        let mut timer = pirn_timer {
            slot: 0,
            generation: 0,
        };
        let handle = &raw mut timer;
        // Periodic, so that it keeps its slot when it fires: every deadline sets it again.
        // SAFETY: as above.
        let rc = unsafe {
            pirn_timer_start(
                event_loop,
                NEVER,
                NEVER,
                PIRN_UNREF,
                Some(on_timer),
                user,
                handle,
            )
        };
        if rc < 0 {
            // SAFETY: the handler was just added.
            unsafe { pirn_io_remove(event_loop, bit_handler) };
            return rc;
        }
        let fresh = pirn_hub {
            event_loop: Cell::new(event_loop),
            // SAFETY: as above.
            now: Cell::new(unsafe { pirn_now_address(event_loop) }),
            ready: pirn_waiters::default(),
            deadlines: pirn_deadlines::default(),
            timer: Cell::new(timer),
            bit_handler: Cell::new(bit_handler),
            task: Cell::new(pirn_task {
                slot: 0,
                generation: 0,
            }),
            remotes: pirn_remotes::default(),
            timer_at_ns: Cell::new(PIRN_FOREVER),
            main: pirn_waiter::new(hub, Some(on_main), null_mut()),
            running: Cell::new(null_mut()),
            stack: Cell::new(0),
            fibers: Cell::new(null_mut()),
            hooks: Cell::new(core::ptr::null()),
            bit: Cell::new(bit),
            waits: Cell::new(0),
            timed: Cell::new(0),
            ports: Cell::new(0),
            is_called: Cell::new(0),
            half: Cell::new(0),
            more: Cell::new(0),
            is_due: Cell::new(0),
            is_broken: Cell::new(0),
        };
        // SAFETY: writable, as the caller promises.
        unsafe { hub.write(fresh) };
        0
    }

    /// Gives the slots back: see `pirn_hub_deinit`.
    pub(crate) fn deinit(&self) -> c_int {
        let is_in_use = self.waits.get() != 0
            || self.ports.get() != 0
            || self.is_called.get() == CALLED
            || !self.fibers.get().is_null()
            || !self.remotes.is_empty();
        if is_in_use && !self.is_broken() {
            return -EBUSY;
        }
        let event_loop = self.event_loop.get();
        // SAFETY: the loop is live as long as its hub, as documented.
        unsafe { pirn_timer_stop(event_loop, self.timer.get()) };
        // SAFETY: as above.
        unsafe { pirn_io_remove(event_loop, self.bit_handler.get()) };
        // SAFETY: as above. It fails if there is none.
        unsafe { pirn_task_cancel(event_loop, self.task.get()) };
        if self.timed.take() != 0 {
            // SAFETY: as above.
            unsafe { pirn_release(event_loop) };
        }
        0
    }

    // ---- for the layers above ----

    /// The loop.
    #[inline]
    pub fn event_loop(&self) -> *mut pirn_loop {
        self.event_loop.get()
    }

    /// The waiter of the main program.
    #[inline]
    pub fn main(&self) -> &pirn_waiter {
        &self.main
    }

    /// The fiber that runs; NULL: none.
    #[inline]
    pub fn running(&self) -> &Cell<*mut c_void> {
        &self.running
    }

    /// The pointer of the loop's own stack while a fiber runs.
    #[inline]
    pub fn stack(&self) -> &Cell<usize> {
        &self.stack
    }

    /// The first live fiber.
    #[inline]
    pub fn fibers(&self) -> &Cell<*mut c_void> {
        &self.fibers
    }

    /// The functions that are called around switches of fibers.
    #[inline]
    pub fn hooks(&self) -> &Cell<*const c_void> {
        &self.hooks
    }

    /// The turn's time.
    #[inline]
    pub fn now(&self) -> u64 {
        // SAFETY: the loop is live as long as its hub, and has the hub's timer.
        unsafe { self.now.get().read() }
    }

    /// True if the stack of a fiber has overflowed: every later wait returns -EUCLEAN.
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.is_broken.get() != 0
    }

    /// Stops the loop, because the stack of a fiber has overflowed.
    pub fn break_down(&self) {
        self.is_broken.set(1);
        self.more.set(0);
        // SAFETY: the loop is live as long as its hub.
        unsafe { pirn_stop(self.event_loop.get()) };
    }

    /// Takes the next waiter that this call of the hub calls, if it is wanted. Its wait is over,
    /// and it continues as soon as it has taken its grant. None: the call of the hub ends, or has
    /// not begun, or the waiter is not wanted.
    #[inline]
    pub fn next_ready(&self, is_wanted: impl Fn(&pirn_waiter) -> bool) -> Option<&pirn_waiter> {
        let more = self.more.get();
        if more == 0 || !is_wanted(self.ready.first()?) {
            return None;
        }
        let waiter = self.ready.pop()?;
        let is_new = waiter.is_in_half(self.half.get());
        waiter.settle(self);
        self.more.set(more - u32::from(is_new));
        Some(waiter)
    }

    // ---- inside ----

    /// Asks the loop to call `run`. Any thread, signal handler or interrupt.
    pub(crate) fn push_remote(&self, remote: &pirn_remote, run: pirn_remote_fn) {
        if self.remotes.push(remote, run) {
            // SAFETY: the loop is live as long as its hub; the bit cannot be refused.
            unsafe { pirn_raise(self.event_loop.get(), self.bit.get()) };
        }
    }

    #[inline]
    pub(crate) fn count_wait(&self) {
        self.waits.set(self.waits.get().wrapping_add(1));
    }

    #[inline]
    pub(crate) fn uncount_wait(&self) {
        self.waits.set(self.waits.get().wrapping_sub(1));
    }

    /// Adds a waiter that is in no ring to the end of the ready list, in this state. The hub is to
    /// be called then.
    #[inline]
    pub(crate) fn add_ready(&self, waiter: &pirn_waiter, state: u32) {
        waiter.set(state | self.half.get());
        self.ready.push(waiter);
    }

    /// True if the core was asked to call the hub, or calls it now.
    #[inline]
    pub(crate) fn will_be_called(&self) -> bool {
        self.is_called.get() != NOT_CALLED
    }

    /// Asks the core to call the hub, unless it was asked already.
    #[inline]
    pub(crate) fn ask_to_be_called(&self) {
        if !self.will_be_called() {
            self.post();
        }
    }

    /// Asks the core to call the hub: by a task, or by the hub's bit if no task can be posted. A
    /// task costs less, and the bit cannot be refused.
    #[cold]
    #[inline(never)]
    fn post(&self) {
        self.is_called.set(POSTED);
        let (event_loop, user) = (self.event_loop.get(), NonNull::from(self).as_ptr());
        // SAFETY: the loop is live as long as its hub.
        let rc =
            unsafe { pirn_task_post(event_loop, Some(on_task), user.cast(), self.task.as_ptr()) };
        if rc < 0 {
            // SAFETY: as above.
            unsafe { pirn_raise(event_loop, self.bit.get()) };
        }
    }

    /// Calls the waiters that are ready, and those that become ready meanwhile until `MOST_MORE`
    /// of them were called.
    fn call_ready(&self) {
        self.is_called.set(CALLED);
        // While waiters are called, one more is counted. So the loop is held or released at the
        // end, and not at each wait of a program in which only one waiter has a time limit.
        let timed = self.timed.get();
        self.timed.set(timed.wrapping_add(1));
        self.remotes.run(NonNull::from(self).as_ptr());
        if self.is_due.take() != 0 {
            self.end_due(true);
        }
        self.half.set(self.half.get() ^ LATER);
        self.more.set(if self.is_broken() { 0 } else { MOST_MORE });
        while let Some(waiter) = self.next_ready(|_| true) {
            // The owner of a deferred waiter, which is live until then, takes its grant later.
            if !waiter.is_live() {
                waiter.take_grant();
            }
            if let Some(wake) = waiter.wake.get() {
                let (waiter, result) = (NonNull::from(waiter).as_ptr(), waiter.result());
                // SAFETY: called as documented there: in a callback of the loop, the waiter idle,
                // and nothing of it borrowed afterwards.
                unsafe { wake(NonNull::from(self).as_ptr(), waiter, result) };
            }
        }
        self.more.set(0);
        self.is_called.set(NOT_CALLED);
        let left = self.timed.get().wrapping_sub(1);
        self.timed.set(left);
        if (timed == 0) != (left == 0) {
            self.hold(left != 0);
        }
        if !self.ready.is_empty() && !self.is_broken() {
            self.ask_to_be_called();
        }
    }

    /// True if the lists and counts agree. O(waiters that are ready or have a time limit).
    pub(crate) fn is_sound(&self) -> bool {
        let now = self.now();
        // SAFETY: the loop is live as long as its hub.
        let is_on_time = now == unsafe { pirn_now(self.event_loop.get()) };
        is_on_time
            && self.ready.is_sound()
            && self.deadlines.is_sound()
            && (self.ready.is_empty() || self.is_called.get() != NOT_CALLED || self.is_broken())
            && self.timed.get()
                <= self.waits.get()
                    + u32::from(self.is_called.get() == CALLED)
                    // One that runs may keep its deadline.
                    + u32::from(!self.running.get().is_null())
    }
}

/// The hub of a callback.
///
/// # Safety
///
/// `user` is the hub given to the core.
unsafe fn hub<'a>(user: *mut c_void) -> &'a pirn_hub {
    // SAFETY: as the caller promises; the hub stays where it is until `deinit`, which removes the
    // callbacks.
    unsafe { &*user.cast::<pirn_hub>() }
}

/// Called when the wait of the main program is over: the loop that runs for it has to return.
unsafe extern "C" fn on_main(hub: *mut pirn_hub, _waiter: *mut pirn_waiter, _result: c_int) {
    // SAFETY: a live hub calls.
    let event_loop = unsafe { &*hub }.event_loop();
    // SAFETY: the loop is live as long as its hub.
    unsafe { pirn_stop(event_loop) };
}

pub(crate) unsafe extern "C" fn on_task(_loop: *mut pirn_loop, user: *mut c_void) {
    // SAFETY: posted with the hub.
    unsafe { hub(user) }.call_ready();
}

pub(crate) unsafe extern "C" fn on_bit(
    _loop: *mut pirn_loop,
    _io: pirn_io,
    _bit: c_int,
    _ready: u32,
    user: *mut c_void,
) {
    // SAFETY: added with the hub.
    unsafe { hub(user) }.call_ready();
}
