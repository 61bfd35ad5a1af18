#![expect(
    unsafe_code,
    reason = "waiters are reached by the addresses that their owners gave"
)]
//! One who waits: how a wait begins, and the ways in which it ends.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use pirn_abi::PIRN_FOREVER;

use crate::deadlines::pirn_heap_links;
use crate::errno::{EAGAIN, EALREADY, EBUSY, ECANCELED, EDEADLK, EINVAL, ENOENT};
use crate::hub::pirn_hub;
use crate::list::pirn_waiters;

/// What a function that ends in `_start` returns if the wait has begun: `wake` will be called. Any
/// other value from 0 up is the result of a wait that was over at once, and `wake` is not called; a
/// negative errno says that nothing has begun.
pub const PIRN_WAITS: c_int = 0x4000_0000;

/// Called when a wait is over. `result` is what the wait says (0 or more), -ETIMEDOUT, -ECANCELED, or
/// another error of the object. The waiter is idle again: it may begin its next wait, or be gone when
/// this returns. Runs on the loop's thread, never inside another call.
pub type pirn_wake_fn =
    Option<unsafe extern "C" fn(hub: *mut pirn_hub, waiter: *mut pirn_waiter, result: c_int)>;

/// What an object does about its waiters. For those who build objects.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_wait_kind {
    /// What is waited for, as `pirn_fiber_info` reports it.
    pub number: u32,
    /// 0.
    pub reserved: u32,
    /// Called when a waiter has left the object's list without a grant: those behind it may be due.
    /// May be NULL.
    pub leave: Option<unsafe extern "C" fn(object: *mut c_void)>,
    /// Called when a waiter that was granted something is dropped before it ran: gives it back. May be
    /// NULL.
    pub undo: Option<unsafe extern "C" fn(waiter: *mut pirn_waiter)>,
}

/// One who waits. Yours; it stays where it is while it waits. Prepared by `pirn_waiter_init`.
#[repr(C)]
pub struct pirn_waiter {
    /// Called when a wait is over.
    pub wake: Cell<pirn_wake_fn>,
    /// Yours.
    pub user: Cell<*mut c_void>,
    /// What the object keeps for this wait: how many units, where the item goes.
    pub(crate) word: Cell<usize>,
    pub(crate) next: Cell<Option<NonNull<pirn_waiter>>>,
    pub(crate) previous: Cell<Option<NonNull<pirn_waiter>>>,
    /// The list it is in: an object's while it waits, the hub's once the wait is over.
    pub(crate) list: Cell<Option<NonNull<pirn_waiters>>>,
    pub(crate) hub: Cell<Option<NonNull<pirn_hub>>>,
    object: Cell<*mut c_void>,
    kind: Cell<Option<NonNull<pirn_wait_kind>>>,
    pub(crate) heap: pirn_heap_links,
    /// When this wait ends by itself; 0: never.
    deadline_ns: Cell<u64>,
    /// When every wait ends; 0: never. Set by the scopes of a fiber.
    bound_ns: Cell<u64>,
    result: Cell<c_int>,
    /// `IDLE`, `WAITING` or `WOKEN`, and the flags below.
    state: Cell<u32>,
}

const IDLE: u32 = 0;
/// In an object's list, or in none if it is parked.
const WAITING: u32 = 1;
/// In the hub's list: the wait is over, `wake` is still to be called.
const WOKEN: u32 = 2;
const STATE: u32 = 3;
/// Every wait ends at once with -ECANCELED.
const CANCELLED: u32 = 0x4;
/// It stays in the heap of deadlines between two waits.
const LAZY: u32 = 0x8;
/// Which half of the ready list it is in: see [`pirn_hub`].
pub(crate) const LATER: u32 = 0x10;

impl pirn_waiter {
    pub(crate) fn new(hub: *mut pirn_hub, wake: pirn_wake_fn, user: *mut c_void) -> pirn_waiter {
        pirn_waiter {
            wake: Cell::new(wake),
            user: Cell::new(user),
            word: Cell::new(0),
            next: Cell::new(None),
            previous: Cell::new(None),
            list: Cell::new(None),
            hub: Cell::new(NonNull::new(hub)),
            object: Cell::new(core::ptr::null_mut()),
            kind: Cell::new(None),
            heap: pirn_heap_links::default(),
            deadline_ns: Cell::new(0),
            bound_ns: Cell::new(0),
            result: Cell::new(0),
            state: Cell::new(IDLE),
        }
    }

    /// For a fiber's waiter: it may stay in the heap of deadlines between two waits, until
    /// [`leave_heap`](Self::leave_heap).
    pub fn set_lazy(&self) {
        self.flag(LAZY, true);
    }

    /// From now on every wait with a time limit other than 0 ends at once with -ECANCELED; or no more.
    pub fn set_cancelled(&self, is_cancelled: bool) {
        self.flag(CANCELLED, is_cancelled);
    }

    /// Every wait ends at this time with -ECANCELED; 0: none does.
    pub fn bound_ns(&self) -> &Cell<u64> {
        &self.bound_ns
    }

    /// A waiter that is in a list or the heap.
    #[inline]
    pub(crate) fn listed<'a>(waiter: NonNull<pirn_waiter>) -> &'a pirn_waiter {
        // SAFETY: only waiters that wait or were woken are in a list, and the documentation of the type
        // asks that they stay where they are; they are only ever borrowed shared.
        unsafe { waiter.as_ref() }
    }

    /// Its hub, if it was initialised.
    #[inline]
    pub fn hub(&self) -> Option<&pirn_hub> {
        // SAFETY: set by `pirn_waiter_init` to a live hub, which outlives its waiters as documented.
        self.hub.get().map(|hub| unsafe { hub.as_ref() })
    }

    #[inline]
    fn is(&self, state: u32) -> bool {
        self.state.get() & STATE == state
    }

    #[inline]
    fn set(&self, state: u32) {
        self.state.set(self.state.get() & !STATE | state);
    }

    pub(crate) fn flag(&self, flag: u32, is_set: bool) {
        let rest = self.state.get() & !flag;
        self.state.set(if is_set { rest | flag } else { rest });
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.state.get() & flag != 0
    }

    /// True while it waits, and until `wake` is called.
    #[inline]
    pub fn is_live(&self) -> bool {
        !self.is(IDLE)
    }

    /// What the wait that is over has said, or the last one.
    #[inline]
    pub fn result(&self) -> c_int {
        self.result.get()
    }

    /// What the object keeps for this wait.
    #[inline]
    pub fn word(&self) -> usize {
        self.word.get()
    }

    /// What it waits for, or waited for last.
    #[inline]
    pub fn object(&self) -> *mut c_void {
        self.object.get()
    }

    /// What kind of object it waits for, or waited for last.
    pub fn kind(&self) -> Option<&pirn_wait_kind> {
        // SAFETY: set by `begin` to a kind that lives as long as the program.
        self.kind.get().map(|kind| unsafe { kind.as_ref() })
    }

    /// Ends the wait: the waiter goes to the end of the ready list.
    pub(crate) fn end(&self, hub: &pirn_hub, result: c_int) {
        if let Some(list) = self.list.get() {
            // SAFETY: the list is part of the object, which outlives its waiters as documented.
            unsafe { list.as_ref() }.remove(self);
        }
        self.forget_deadline(hub);
        self.result.set(result);
        self.set(WOKEN);
        hub.make_ready(self);
    }

    /// This wait has no deadline any more. The place in the heap stays if the waiter is a fiber's.
    fn forget_deadline(&self, hub: &pirn_hub) {
        if self.deadline_ns.take() != 0 {
            hub.count_timed(-1);
            if !self.has(LAZY) {
                self.leave_heap(hub);
            }
        }
    }

    /// Gives up its place in the heap of deadlines.
    pub fn leave_heap(&self, hub: &pirn_hub) {
        if self.heap.at_ns.get() != 0 {
            hub.deadlines.remove(self);
        }
    }

    /// Its place in the heap has come up.
    pub(crate) fn come_up(&self, hub: &pirn_hub, now_ns: u64) {
        hub.deadlines.remove(self);
        let deadline = self.deadline_ns.get();
        if deadline == 0 {
            return;
        }
        if deadline > now_ns {
            hub.deadlines.insert(self, deadline);
            return;
        }
        let is_bound = self.bound_ns.get() != 0 && self.bound_ns.get() <= deadline;
        self.quit(
            hub,
            if is_bound {
                -ECANCELED
            } else {
                -crate::errno::ETIMEDOUT
            },
        );
    }

    /// Ends the wait without a grant, and lets the object serve those behind.
    fn quit(&self, hub: &pirn_hub, result: c_int) {
        let (object, leave) = (self.object.get(), self.kind().and_then(|kind| kind.leave));
        self.end(hub, result);
        if let Some(leave) = leave {
            // SAFETY: called as documented there; the waiter has left the object's list.
            unsafe { leave(object) };
        }
    }

    /// Takes it off the ready list for the call of `wake`: idle again.
    pub(crate) fn settle(&self) -> (pirn_wake_fn, c_int) {
        self.set(IDLE);
        (self.wake.get(), self.result.get())
    }

    /// Ends the wait at once, for a call of `wake` right now: what is called for is in a callback
    /// already.
    pub(crate) fn finish_now(&self, hub: &pirn_hub, result: c_int) -> pirn_wake_fn {
        if let Some(list) = self.list.get() {
            // SAFETY: as in `end`.
            unsafe { list.as_ref() }.remove(self);
        }
        self.forget_deadline(hub);
        self.result.set(result);
        self.set(IDLE);
        self.wake.get()
    }

    /// True if it was woken by, or waits for, this object.
    pub(crate) fn concerns(&self, object: *const c_void) -> bool {
        core::ptr::eq(self.object.get(), object)
    }

    pub(crate) fn replace_result(&self, result: c_int) {
        self.result.set(result);
    }
}

/// Looks at a waiter before a wait: a negative errno if it cannot wait, `PIRN_WAITS` if the wait is over
/// already because the waiter was cancelled, 0 if the object decides.
///
/// # Safety
///
/// `waiter` is NULL or was initialised.
#[inline]
pub unsafe fn check(waiter: *const pirn_waiter, timeout_ns: u64) -> c_int {
    // SAFETY: NULL, or initialised, as the caller promises.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EDEADLK;
    };
    let Some(hub) = waiter.hub() else {
        return -EINVAL;
    };
    if waiter.is_live() {
        return -EBUSY;
    }
    if waiter.has(CANCELLED) && timeout_ns != 0 {
        waiter.set(WAITING);
        waiter.end(hub, -ECANCELED);
        return PIRN_WAITS;
    }
    0
}

/// Begins a wait in `list`, if `timeout_ns` is not 0. For those who build objects.
///
/// @param list     the object's list of waiters, or NULL: the waiter is parked
/// @param kind     what the object does about its waiters; lives as long as the program
/// @param object   passed to the functions of the kind
/// @param word     what the object keeps for this wait
///
/// Returns `PIRN_WAITS`; -EAGAIN if `timeout_ns` is 0; or what [`check`] says. Cost: O(1). Loop thread.
///
/// # Safety
///
/// `waiter` is NULL or was initialised; the others are as described.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_begin(
    waiter: *const pirn_waiter,
    list: *const pirn_waiters,
    kind: *const pirn_wait_kind,
    object: *mut c_void,
    word: usize,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: passed on.
    let refused = unsafe { check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    if timeout_ns == 0 {
        return -EAGAIN;
    }
    // SAFETY: `check` has found it initialised.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EDEADLK;
    };
    let Some(hub) = waiter.hub() else {
        return -EINVAL;
    };
    waiter.kind.set(NonNull::new(kind.cast_mut()));
    waiter.object.set(object);
    waiter.word.set(word);
    waiter.set(WAITING);
    // SAFETY: NULL or the list of an object that outlives its waiters.
    if let Some(list) = unsafe { list.as_ref() } {
        list.push(waiter);
    }
    let bound = waiter.bound_ns.get();
    if timeout_ns != PIRN_FOREVER || bound != 0 {
        let limit = hub.now().saturating_add(timeout_ns);
        let deadline = if bound == 0 { limit } else { limit.min(bound) };
        waiter.deadline_ns.set(deadline);
        hub.count_timed(1);
        let at = waiter.heap.at_ns.get();
        if at == 0 || at > deadline {
            waiter.leave_heap(hub);
            hub.deadlines.insert(waiter, deadline);
            hub.update_timer();
        }
    }
    PIRN_WAITS
}

/// Grants what is waited for: the wait ends with `result`, and nobody can take that back but
/// `pirn_waiter_drop`. For those who build objects.
///
/// # Safety
///
/// `waiter` waits.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_grant(waiter: *const pirn_waiter, result: c_int) {
    // SAFETY: a waiter that waits, as the caller promises.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return;
    };
    if let Some(hub) = waiter.hub() {
        debug_assert!(waiter.is(WAITING));
        waiter.end(hub, result);
    }
}

/// Prepare a waiter.
///
/// @param hub   where it waits
/// @param wake  called when a wait is over
/// @param user  yours: `waiter->user`
///
/// Returns 0, or -EINVAL: a NULL, or no live hub. A waiter that waits must not be prepared again. Cost:
/// O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or initialised; `waiter` is NULL or writable.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_init(
    hub: *mut pirn_hub,
    waiter: *mut pirn_waiter,
    wake: pirn_wake_fn,
    user: *mut c_void,
) -> c_int {
    if hub.is_null() || waiter.is_null() || wake.is_none() {
        return -EINVAL;
    }
    // SAFETY: not NULL, hence writable as documented.
    unsafe { waiter.write(pirn_waiter::new(hub, wake, user)) };
    0
}

/// End a wait, whatever it is for: it ends with `result`, a negative errno.
///
/// What was granted stays granted: a wait that is over already, though `wake` has not been called, keeps
/// its result.
///
/// Returns 0, or -EINVAL: NULL, or `result` is not negative; -ENOENT: it does not wait; -EALREADY: the
/// wait is over already. Cost: O(1), and what the object does for those behind. Loop thread. Since 0.1.
///
/// # Safety
///
/// `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_cancel(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EINVAL;
    };
    let Some(hub) = waiter.hub() else {
        return -EINVAL;
    };
    if result >= 0 {
        return -EINVAL;
    }
    match waiter.state.get() & STATE {
        WAITING => {
            waiter.quit(hub, result);
            0
        }
        WOKEN => -EALREADY,
        _ => -ENOENT,
    }
}

/// Forget a wait: `wake` is never called, and what had been granted is given back.
///
/// Returns 0, also if it does not wait, or -EINVAL: NULL. Afterwards the waiter's memory is yours. Cost:
/// O(1), and what the object does for those behind. Loop thread. Since 0.1.
///
/// # Safety
///
/// `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_drop(waiter: *mut pirn_waiter) -> c_int {
    let address = waiter;
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EINVAL;
    };
    let Some(hub) = waiter.hub() else {
        return -EINVAL;
    };
    let was_granted = waiter.is(WOKEN) && waiter.result.get() >= 0;
    if waiter.is(WAITING) {
        waiter.quit(hub, -ECANCELED);
    }
    if waiter.is(WOKEN) {
        hub.ready.remove(waiter);
        waiter.set(IDLE);
    }
    waiter.leave_heap(hub);
    if was_granted && let Some(undo) = waiter.kind().and_then(|kind| kind.undo) {
        // SAFETY: called as documented there.
        unsafe { undo(address) };
    }
    0
}

/// Say whether a waiter waits, or has been woken and not yet been called: 1 or 0; -EINVAL: NULL. Loop
/// thread. Since 0.1.
///
/// # Safety
///
/// `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_is_waiting(waiter: *const pirn_waiter) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    unsafe { waiter.as_ref() }.map_or(-EINVAL, |waiter| c_int::from(waiter.is_live()))
}

const PARKED: pirn_wait_kind = pirn_wait_kind {
    number: 1,
    reserved: 0,
    leave: None,
    undo: None,
};
static PARKING: pirn_wait_kind = PARKED;

/// Wait for nothing but `pirn_waiter_wake`: the way to wait for any callback.
///
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or -EBUSY: it waits already; -EDEADLK: `waiter` is NULL. Cost: O(1). Loop thread.
/// Since 0.1.
///
/// # Safety
///
/// `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_park_start(waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
    // SAFETY: passed on; the kind is a static, and there is no list.
    unsafe {
        pirn_waiter_begin(
            waiter,
            core::ptr::null(),
            &raw const PARKING,
            core::ptr::null_mut(),
            0,
            timeout_ns,
        )
    }
}

/// End the wait of a waiter that is parked, with `result`.
///
/// Returns 0, or -EINVAL: NULL; -ENOENT: it is not parked. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_waiter_wake(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(waiter) = (unsafe { waiter.as_ref() }) else {
        return -EINVAL;
    };
    let Some(hub) = waiter.hub() else {
        return -EINVAL;
    };
    let is_parked = waiter
        .kind()
        .is_some_and(|kind| core::ptr::eq(kind, &PARKING));
    if !waiter.is(WAITING) || !is_parked {
        return -ENOENT;
    }
    waiter.end(hub, result);
    0
}
