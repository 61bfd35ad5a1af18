#![expect(
    unsafe_code,
    reason = "waiters are reached by the addresses that their owners gave"
)]
//! A waiter: how a wait begins, and the ways in which it ends.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use pirn_abi::PIRN_FOREVER;

use crate::deadlines::pirn_heap_links;
use crate::errno::{EAGAIN, EALREADY, EBUSY, ECANCELED, EINVAL, ENOENT, EUCLEAN};
use crate::held::pirn_held;
use crate::hub::pirn_hub;
use crate::kind::{PIRN_WAIT_FIRM, PIRN_WAIT_LATE, pirn_wait_kind};
use crate::list::{pirn_links, pirn_waiters};

/// Returned by a function whose name ends in `_start` when the wait has begun: the waiter's `wake`
/// will be called.
///
/// Any other value of 0 or more is the result of a wait that was over at once; `wake` is then not
/// called. A negative errno means that nothing has begun.
pub const PIRN_WAITS: c_int = 1 << 30;

/// Called when a wait is over.
///
/// `result` is the result of the wait: 0 or more, -ETIMEDOUT, -ECANCELED, or an error of the
/// object. The waiter is idle again: it may begin its next wait, or be gone when this returns. Runs
/// on the loop's thread, never inside another call of the library. Must not unwind or longjmp out.
pub type pirn_wake_fn =
    Option<unsafe extern "C" fn(hub: *mut pirn_hub, waiter: *mut pirn_waiter, result: c_int)>;

/// One who waits. Prepare it with `pirn_waiter_init`. It is yours, and must stay where it is while
/// it waits. Use the fields whose names end in `_` only through functions.
#[repr(C)]
pub struct pirn_waiter {
    // In an object's list while it waits, and in the hub's once the wait is over. They stand first,
    // so that their address is the waiter's.
    pub(crate) links: pirn_links,
    /// Called when a wait is over.
    pub wake: Cell<pirn_wake_fn>,
    /// Yours, never looked at.
    pub user: Cell<*mut c_void>,
    word: Cell<usize>,
    extra: Cell<usize>,
    hub: Cell<Option<NonNull<pirn_hub>>>,
    object: Cell<*mut c_void>,
    kind: Cell<Option<NonNull<pirn_wait_kind>>>,
    // What it owns and must not take with it when it ends.
    pub(crate) held: Cell<Option<NonNull<pirn_held>>>,
    pub(crate) heap: pirn_heap_links,
    // When this wait ends by itself; 0: never.
    pub(crate) deadline_ns: Cell<u64>,
    // When every wait ends; 0: never. Set by the scopes of a fiber.
    pub(crate) bound_ns: Cell<u64>,
    result: Cell<c_int>,
    // `IDLE`, `WAITING`, `WOKEN` or `TOLD`, and the flags below.
    state: Cell<u32>,
}

const IDLE: u32 = 0;
/// In an object's list, or in none if it is parked.
pub(crate) const WAITING: u32 = 1;
/// In the hub's list: the wait is over, `wake` is still to be called.
const WOKEN: u32 = 2;
/// `wake` was called, and the result is still to be taken. For deferred waiters only.
const TOLD: u32 = 3;
const STATE: u32 = 3;
/// Every wait ends at once with -ECANCELED.
const CANCELLED: u32 = 0x4;
/// It stays in the heap of deadlines between two waits.
pub(crate) const LAZY: u32 = 0x8;
/// Which half of the ready list it is in: see [`pirn_hub`].
pub(crate) const LATER: u32 = 0x10;
/// The wait that is over was granted.
const GRANTED: u32 = 0x20;
/// Its time limits do not keep the loop going.
pub(crate) const UNREF: u32 = 0x40;
/// Its owner takes the result of a wait by `take`, and until then a grant can be undone.
const DEFERRED: u32 = 0x80;

impl pirn_waiter {
    pub(crate) fn new(hub: *mut pirn_hub, wake: pirn_wake_fn, user: *mut c_void) -> pirn_waiter {
        pirn_waiter {
            links: pirn_links::default(),
            wake: Cell::new(wake),
            user: Cell::new(user),
            word: Cell::new(0),
            extra: Cell::new(0),
            hub: Cell::new(NonNull::new(hub)),
            object: Cell::new(null_mut()),
            kind: Cell::new(None),
            held: Cell::new(None),
            heap: pirn_heap_links::default(),
            deadline_ns: Cell::new(0),
            bound_ns: Cell::new(0),
            result: Cell::new(0),
            state: Cell::new(IDLE),
        }
    }

    // ---- for the layers above ----

    /// For a fiber's waiter: keeps its place in the heap of deadlines between two waits, until
    /// `pirn_waiter_settle`.
    pub fn set_lazy(&self) {
        self.flag(LAZY, true);
    }

    /// For a daemon's waiter: its time limits do not keep the loop going.
    pub fn set_unref(&self) {
        self.flag(UNREF, true);
    }

    /// For a future's waiter: `wake` only tells that the wait is over. The result, and what was
    /// granted, is handed over by `take`; a waiter that is dropped before gives it back.
    pub fn set_deferred(&self) {
        self.flag(DEFERRED, true);
    }

    /// The result of a wait that is over and was not taken yet.
    pub fn over(&self) -> Option<c_int> {
        (self.is(WOKEN) || self.is(TOLD)).then(|| self.result())
    }

    /// Takes the result of a wait that is over. The waiter is idle again.
    pub fn take(&self) -> Option<c_int> {
        let hub = self.hub()?;
        self.over()?;
        self.unlink();
        self.finish(hub);
        Some(self.result())
    }

    /// From now on every wait with a time limit other than 0 ends at once with -ECANCELED; or no
    /// more.
    pub fn set_cancelled(&self, is_cancelled: bool) {
        self.flag(CANCELLED, is_cancelled);
    }

    /// True if every wait with a time limit other than 0 ends at once.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.has(CANCELLED)
    }

    /// When every wait ends with -ECANCELED, on the loop's clock; 0: never.
    #[inline]
    pub fn bound_ns(&self) -> &Cell<u64> {
        &self.bound_ns
    }

    /// When the wait in progress ends by itself, on the loop's clock; 0: never.
    #[inline]
    pub fn deadline_ns(&self) -> u64 {
        self.deadline_ns.get()
    }

    /// Its hub, if it was initialised.
    #[inline]
    pub fn hub(&self) -> Option<&pirn_hub> {
        // SAFETY: set by `pirn_waiter_init` to a live hub, which outlives its waiters as
        // documented.
        self.hub.get().map(|hub| unsafe { hub.as_ref() })
    }

    /// True from the beginning of a wait until `wake` is called, or the result is taken.
    #[inline]
    pub fn is_live(&self) -> bool {
        !self.is(IDLE)
    }

    /// True while the wait is not over.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.is(WAITING)
    }

    /// The result of the wait that is over, or of the last one.
    #[inline]
    pub fn result(&self) -> c_int {
        self.result.get()
    }

    /// What the object keeps for this wait: the `word` of `pirn_waiter_begin`.
    #[inline]
    pub fn word(&self) -> usize {
        self.word.get()
    }

    /// A second word of the object's, which is not touched when a wait begins.
    #[inline]
    pub fn extra(&self) -> &Cell<usize> {
        &self.extra
    }

    /// What it waits for, or waited for last.
    #[inline]
    pub fn object(&self) -> *mut c_void {
        self.object.get()
    }

    /// What kind of object it waits for, or waited for last.
    #[inline]
    pub fn kind(&self) -> Option<&pirn_wait_kind> {
        // SAFETY: set by `begin` to a kind that lives as long as the program.
        self.kind.get().map(|kind| unsafe { kind.as_ref() })
    }

    // ---- inside ----

    /// A waiter that is in a list or the heap.
    #[inline]
    pub(crate) fn listed<'a>(waiter: NonNull<pirn_waiter>) -> &'a pirn_waiter {
        // SAFETY: only waiters that wait or were woken are in a list, and the documentation of the
        // type asks that they stay where they are; they are only ever borrowed shared.
        unsafe { waiter.as_ref() }
    }

    /// The waiter that has these links.
    #[inline]
    pub(crate) fn of_links<'a>(links: NonNull<pirn_links>) -> &'a pirn_waiter {
        pirn_waiter::listed(links.cast())
    }

    /// The address of its links, which is good for the whole waiter.
    #[inline]
    pub(crate) fn links_address(&self) -> NonNull<pirn_links> {
        NonNull::from(self).cast()
    }

    #[inline]
    pub(crate) fn is(&self, state: u32) -> bool {
        self.state.get() & STATE == state
    }

    #[inline]
    fn set(&self, state: u32) {
        self.state
            .set(self.state.get() & !(STATE | GRANTED) | state);
    }

    pub(crate) fn flag(&self, flag: u32, is_set: bool) {
        let rest = self.state.get() & !flag;
        self.state.set(if is_set { rest | flag } else { rest });
    }

    #[inline]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.state.get() & flag != 0
    }

    /// True if a time limit has to wait until the kernel was asked once more.
    pub(crate) fn is_late(&self) -> bool {
        self.is(WAITING)
            && self
                .kind()
                .is_some_and(|kind| kind.flags & PIRN_WAIT_LATE != 0)
    }

    fn is_firm(&self) -> bool {
        self.kind()
            .is_some_and(|kind| kind.flags & PIRN_WAIT_FIRM != 0)
    }

    /// Looks at a waiter before a wait: see `pirn_waiter_check`.
    #[inline]
    pub(crate) fn check(&self, hub: &pirn_hub, timeout_ns: u64) -> c_int {
        if hub.is_broken() {
            return -EUCLEAN;
        }
        if self.is_live() {
            return -EBUSY;
        }
        if self.has(CANCELLED) && timeout_ns != 0 {
            // Behind all that are ready: a loop that ignores errors cannot stop the others.
            self.kind.set(None);
            self.object.set(null_mut());
            hub.count_wait();
            self.set(WAITING);
            self.end(hub, -ECANCELED);
            return PIRN_WAITS;
        }
        0
    }

    /// Begins a wait: see `pirn_waiter_begin`.
    pub(crate) fn begin(
        &self,
        list: Option<&pirn_waiters>,
        kind: NonNull<pirn_wait_kind>,
        object: *mut c_void,
        word: usize,
        timeout_ns: u64,
    ) -> c_int {
        let Some(hub) = self.hub() else {
            return -EINVAL;
        };
        let refused = self.check(hub, timeout_ns);
        if refused != 0 {
            return refused;
        }
        if list
            .and_then(pirn_waiters::first)
            .is_some_and(|first| first.hub.get() != self.hub.get())
        {
            return -EINVAL;
        }
        if timeout_ns == 0 {
            return -EAGAIN;
        }
        self.kind.set(Some(kind));
        self.object.set(object);
        self.word.set(word);
        self.set(WAITING);
        hub.count_wait();
        if let Some(list) = list {
            list.push(self);
        }
        let bound = self.bound_ns.get();
        if timeout_ns != PIRN_FOREVER || bound != 0 {
            let limit = hub.now().saturating_add(timeout_ns);
            self.limit(hub, if bound == 0 { limit } else { limit.min(bound) });
        }
        PIRN_WAITS
    }

    /// Grants what it waits for.
    pub(crate) fn grant(&self, hub: &pirn_hub, result: c_int) {
        debug_assert!(self.is(WAITING));
        self.end(hub, result);
        self.flag(GRANTED, true);
    }

    /// Has it wait for something else, without a time limit.
    pub(crate) fn move_to(
        &self,
        hub: &pirn_hub,
        list: &pirn_waiters,
        kind: NonNull<pirn_wait_kind>,
        object: *mut c_void,
    ) {
        debug_assert!(self.is(WAITING));
        self.unlink();
        self.forget_deadline(hub);
        self.kind.set(Some(kind));
        self.object.set(object);
        list.push(self);
    }

    /// Ends the wait: the waiter goes to the end of the ready list.
    pub(crate) fn end(&self, hub: &pirn_hub, result: c_int) {
        self.unlink();
        self.forget_deadline(hub);
        self.result.set(result);
        self.set(WOKEN);
        hub.make_ready(self);
    }

    /// Ends the wait without a grant, and lets the object serve those behind.
    pub(crate) fn quit(&self, hub: &pirn_hub, result: c_int) {
        let (quit, leave) = self.kind().map_or((None, None), |k| (k.quit, k.leave));
        if let Some(quit) = quit {
            let waiter = NonNull::from(self).as_ptr();
            // SAFETY: called as documented there, with a waiter that waits.
            if unsafe { quit(waiter, result) } != 0 {
                return;
            }
        }
        self.end(hub, result);
        if let Some(leave) = leave {
            // SAFETY: called as documented there; the waiter has left the object's list.
            unsafe { leave(NonNull::from(self).as_ptr()) };
        }
    }

    /// Ends its wait, whatever it is for.
    pub(crate) fn cancel(&self, hub: &pirn_hub, result: c_int) -> c_int {
        match self.state.get() & STATE {
            WAITING if self.is_firm() => -EALREADY,
            WAITING => {
                self.quit(hub, result);
                0
            }
            WOKEN | TOLD => -EALREADY,
            _ => -ENOENT,
        }
    }

    /// Forgets its wait: `wake` is never called, and what had been granted is given back.
    pub(crate) fn forget(&self, hub: &pirn_hub) {
        let (leave, undo) = self.kind().map_or((None, None), |k| (k.leave, k.undo));
        if self.is(WAITING) {
            self.unlink();
            self.forget_deadline(hub);
            hub.uncount_wait();
            self.set(IDLE);
            if let Some(leave) = leave {
                // SAFETY: called as documented there; the waiter has left the object's list.
                unsafe { leave(NonNull::from(self).as_ptr()) };
            }
        } else if self.over().is_some() {
            let was_granted = self.has(GRANTED);
            self.unlink();
            hub.uncount_wait();
            self.set(IDLE);
            if let Some(undo) = undo.filter(|_| was_granted) {
                let waiter = NonNull::from(self).as_ptr();
                // SAFETY: called as documented there.
                unsafe { undo(waiter, self.result.get()) };
            }
        }
        self.leave_heap(hub);
    }

    /// Off the ready list for the call of `wake`: idle again, unless the result is to be taken.
    pub(crate) fn settle(&self, hub: &pirn_hub) -> (pirn_wake_fn, c_int) {
        self.unlink();
        if self.has(DEFERRED) {
            self.state.set(self.state.get() & !STATE | TOLD);
        } else {
            self.finish(hub);
        }
        (self.wake.get(), self.result.get())
    }

    /// Idle again: what was granted is handed over.
    fn finish(&self, hub: &pirn_hub) {
        hub.uncount_wait();
        let was_granted = self.has(GRANTED);
        self.set(IDLE);
        let kind = self.kind().filter(|_| was_granted);
        if let Some(take) = kind.and_then(|kind| kind.take) {
            let waiter = NonNull::from(self).as_ptr();
            // SAFETY: called as documented there.
            let result = unsafe { take(waiter, self.result.get()) };
            self.result.set(result);
        }
    }

    /// Ends the wait at once, for a call of `wake` right now: from a callback of the loop only.
    pub(crate) fn finish_now(&self, hub: &pirn_hub, result: c_int) -> pirn_wake_fn {
        self.unlink();
        self.forget_deadline(hub);
        self.result.set(result);
        if self.has(DEFERRED) {
            self.set(TOLD);
        } else {
            hub.uncount_wait();
            self.set(IDLE);
        }
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
