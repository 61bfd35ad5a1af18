#![expect(
    unsafe_code,
    reason = "the core's C functions are called, and waiters' own"
)]
//! The hub of a loop: calls the waiters whose wait is over, and ends those whose time is up.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use pirn_abi::{
    PIRN_FOREVER, PIRN_UNREF, pirn_hold, pirn_io, pirn_io_remove, pirn_loop, pirn_now, pirn_raise,
    pirn_raise_add, pirn_release, pirn_stop, pirn_task_post, pirn_timer, pirn_timer_again,
    pirn_timer_start, pirn_timer_stop,
};

use crate::deadlines::pirn_deadlines;
use crate::errno::{EBUSY, EINVAL};
use crate::list::pirn_waiters;
use crate::waiter::{LATER, pirn_waiter};

/// How many waiters one call of the hub runs beyond those that were ready when it began. What two
/// waiters hand to one another so costs no look at the kernel each time, and starves nobody.
const MOST_MORE: u32 = 64;

/// What a loop needs so that programs can wait in it. Yours; stays where it is until `pirn_hub_deinit`.
/// One for each loop.
#[repr(C)]
pub struct pirn_hub {
    event_loop: Cell<*mut pirn_loop>,
    /// The waiters whose wait is over, in the order in which it ended.
    pub(crate) ready: pirn_waiters,
    pub(crate) deadlines: pirn_deadlines,
    timer: Cell<pirn_timer>,
    /// When the timer fires; `PIRN_FOREVER`: not.
    timer_at_ns: Cell<u64>,
    bit_handler: Cell<pirn_io>,
    bit: Cell<u32>,
    /// How many waits have a deadline: they keep the loop going.
    timed: Cell<u32>,
    /// The core has been asked to call the hub, or the hub is being called.
    is_called: Cell<u32>,
    /// Which half of the ready list new waiters join: `LATER` or 0. It changes when the hub is called,
    /// so that the waiters of before and of now can be told apart, whichever of them are dropped.
    half: Cell<u32>,
    /// Waits for the program itself, where no fiber and no callback runs: its end stops the loop.
    main: pirn_waiter,
    /// For the layer of fibers: the one that runs, the stack to go back to, and all that live.
    running: Cell<*mut c_void>,
    stack: Cell<usize>,
    fibers: Cell<*mut c_void>,
}

/// Prepare a hub for a loop.
///
/// @param bit  a bit of `pirn_raise` that the program does not use, 0 to 63
///
/// Takes one I/O slot and one timer slot of the loop until `pirn_hub_deinit`; so no wait can ever be
/// refused for want of a slot. Returns 0, or
/// - -EINVAL: a NULL, no live loop, `bit` above 63
/// - -EEXIST: the bit has a handler
/// - -ENOSPC: no I/O slot or no timer slot is free
///
/// Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `event_loop` is NULL or came from `pirn_init`; `hub` is NULL or writable.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_hub_init(
    event_loop: *mut pirn_loop,
    hub: *mut pirn_hub,
    bit: u32,
) -> c_int {
    if hub.is_null() {
        return -EINVAL;
    }
    let user = hub.cast::<c_void>();
    let mut bit_handler = pirn_io {
        slot: 0,
        generation: 0,
    };
    // SAFETY: the loop is NULL or live; the hub stays where it is while the handler is there.
    let rc = unsafe {
        pirn_raise_add(
            event_loop,
            bit,
            PIRN_UNREF,
            Some(on_bit),
            user,
            &raw mut bit_handler,
        )
    };
    if rc < 0 {
        return rc;
    }
    let mut timer = pirn_timer {
        slot: 0,
        generation: 0,
    };
    // Periodic, so that it keeps its slot when it fires: it is set again by every deadline.
    // SAFETY: as above.
    let rc = unsafe {
        pirn_timer_start(
            event_loop,
            NEVER,
            NEVER,
            PIRN_UNREF,
            Some(on_timer),
            user,
            &raw mut timer,
        )
    };
    if rc < 0 {
        // SAFETY: the handler was just added.
        unsafe { pirn_io_remove(event_loop, bit_handler) };
        return rc;
    }
    let fresh = pirn_hub {
        event_loop: Cell::new(event_loop),
        ready: pirn_waiters::default(),
        deadlines: pirn_deadlines::default(),
        timer: Cell::new(timer),
        timer_at_ns: Cell::new(PIRN_FOREVER),
        bit_handler: Cell::new(bit_handler),
        bit: Cell::new(bit),
        timed: Cell::new(0),
        is_called: Cell::new(0),
        half: Cell::new(0),
        main: pirn_waiter::new(hub, Some(on_main), core::ptr::null_mut()),
        running: Cell::new(core::ptr::null_mut()),
        stack: Cell::new(0),
        fibers: Cell::new(core::ptr::null_mut()),
    };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { hub.write(fresh) };
    0
}

/// A delay that never ends, and that can be added to any time.
const NEVER: u64 = u64::MAX / 2;

/// Give the slots back. Waiters that still wait are forgotten: their `wake` is not called.
///
/// Returns 0, or -EINVAL: NULL; -EBUSY: inside the hub, or with waiters that are still to be called. Cost:
/// O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_hub_deinit(hub: *mut pirn_hub) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(hub) = (unsafe { hub.as_ref() }) else {
        return -EINVAL;
    };
    if hub.is_called.get() != 0 || !hub.running.get().is_null() {
        return -EBUSY;
    }
    let event_loop = hub.event_loop.get();
    // SAFETY: the loop is live as long as its hub, as documented.
    unsafe { pirn_timer_stop(event_loop, hub.timer.get()) };
    // SAFETY: as above.
    unsafe { pirn_io_remove(event_loop, hub.bit_handler.get()) };
    if hub.timed.take() != 0 {
        // SAFETY: as above.
        unsafe { pirn_release(event_loop) };
    }
    0
}

/// Return the loop of a hub; NULL for NULL. Any thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_hub_loop(hub: *const pirn_hub) -> *mut pirn_loop {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { hub.as_ref() }.map_or(core::ptr::null_mut(), |hub| hub.event_loop.get())
}

impl pirn_hub {
    /// The loop.
    #[inline]
    pub fn event_loop(&self) -> *mut pirn_loop {
        self.event_loop.get()
    }

    /// The waiter of the program itself.
    #[inline]
    pub fn main(&self) -> &pirn_waiter {
        &self.main
    }

    /// The fiber that runs.
    #[inline]
    pub fn running(&self) -> &Cell<*mut c_void> {
        &self.running
    }

    /// Where the loop's own stack was left for the fiber that runs.
    #[inline]
    pub fn stack(&self) -> &Cell<usize> {
        &self.stack
    }

    /// The first of the fibers that live.
    #[inline]
    pub fn fibers(&self) -> &Cell<*mut c_void> {
        &self.fibers
    }

    /// The turn's time.
    #[inline]
    pub fn now(&self) -> u64 {
        // SAFETY: the loop is live as long as its hub.
        unsafe { pirn_now(self.event_loop.get()) }
    }

    /// Puts a waiter at the end of the ready list, and sees to it that the hub is called.
    pub(crate) fn make_ready(&self, waiter: &pirn_waiter) {
        waiter.flag(LATER, self.half.get() != 0);
        self.ready.push(waiter);
        self.ask_to_be_called();
    }

    /// A task is cheaper, a raised bit cannot be refused.
    fn ask_to_be_called(&self) {
        if self.is_called.replace(1) != 0 {
            return;
        }
        let (event_loop, user) = (self.event_loop.get(), NonNull::from(self).as_ptr());
        // SAFETY: the loop is live as long as its hub.
        let rc = unsafe {
            pirn_task_post(
                event_loop,
                Some(on_task),
                user.cast(),
                core::ptr::null_mut(),
            )
        };
        if rc < 0 {
            // SAFETY: as above.
            unsafe { pirn_raise(event_loop, self.bit.get()) };
        }
    }

    /// Calls those that are ready, and a bounded number of those that become so meanwhile.
    fn call_ready(&self) {
        self.is_called.set(1);
        let now = self.half.get();
        self.half.set(now ^ LATER);
        let mut more = MOST_MORE;
        while let Some(waiter) = self.ready.first() {
            if waiter.has(LATER) != (now != 0) {
                if more == 0 {
                    break;
                }
                more -= 1;
            }
            self.ready.remove(waiter);
            let (wake, result) = waiter.settle();
            if let Some(wake) = wake {
                let waiter = NonNull::from(waiter).as_ptr();
                // SAFETY: called as documented there: in a callback of the loop, the waiter idle, and
                // nothing of it borrowed afterwards.
                unsafe { wake(NonNull::from(self).as_ptr(), waiter, result) };
            }
        }
        self.is_called.set(0);
        if !self.ready.is_empty() {
            self.ask_to_be_called();
        }
    }

    /// Counts a wait that has a deadline: while there is one the loop goes on.
    pub(crate) fn count_timed(&self, one: i32) {
        let before = self.timed.get();
        let after = before.wrapping_add_signed(one);
        self.timed.set(after);
        if before == 0 {
            // SAFETY: the loop is live as long as its hub.
            unsafe { pirn_hold(self.event_loop.get()) };
        } else if after == 0 {
            // SAFETY: as above.
            unsafe { pirn_release(self.event_loop.get()) };
        }
    }

    /// Sets the loop's timer to the earliest deadline, if that is earlier than what it is set to.
    pub(crate) fn update_timer(&self) {
        let first = self.deadlines.first().map_or(PIRN_FOREVER, |(at, _)| at);
        if first < self.timer_at_ns.get() {
            self.set_timer(first);
        }
    }

    fn set_timer(&self, at_ns: u64) {
        self.timer_at_ns.set(at_ns);
        let delay = if at_ns == PIRN_FOREVER {
            NEVER
        } else {
            at_ns.saturating_sub(self.now())
        };
        // SAFETY: the loop and the timer are live as long as the hub.
        unsafe { pirn_timer_again(self.event_loop.get(), self.timer.get(), delay) };
    }

    fn end_due(&self) {
        let now = self.now();
        while let Some((at, waiter)) = self.deadlines.first() {
            if at > now {
                break;
            }
            waiter.come_up(self, now);
        }
        self.timer_at_ns.set(PIRN_FOREVER);
        self.set_timer(self.deadlines.first().map_or(PIRN_FOREVER, |(at, _)| at));
    }
}

/// The hub that a callback of the core is for.
///
/// # Safety
///
/// `user` is the hub given to the core.
unsafe fn hub<'a>(user: *mut c_void) -> &'a pirn_hub {
    // SAFETY: as the caller promises; it stays until it is ended, which stops these callbacks.
    unsafe { &*user.cast::<pirn_hub>() }
}

unsafe extern "C" fn on_task(_loop: *mut pirn_loop, user: *mut c_void) {
    // SAFETY: posted with the hub.
    unsafe { hub(user) }.call_ready();
}

/// The program's own wait is over: the loop that runs for it has to return.
unsafe extern "C" fn on_main(hub: *mut pirn_hub, _waiter: *mut pirn_waiter, _result: c_int) {
    // SAFETY: the loop is live as long as its hub.
    let event_loop = unsafe { pirn_hub_loop(hub) };
    // SAFETY: as above.
    unsafe { pirn_stop(event_loop) };
}

unsafe extern "C" fn on_bit(
    _loop: *mut pirn_loop,
    _io: pirn_io,
    _bit: c_int,
    _ready: u32,
    user: *mut c_void,
) {
    // SAFETY: added with the hub.
    unsafe { hub(user) }.call_ready();
}

unsafe extern "C" fn on_timer(
    _loop: *mut pirn_loop,
    _timer: pirn_timer,
    _missed: u64,
    user: *mut c_void,
) {
    // SAFETY: started with the hub.
    unsafe { hub(user) }.end_due();
}
