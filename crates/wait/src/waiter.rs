#![expect(
    unsafe_code,
    reason = "waiters and objects are reached by their addresses"
)]
//! A waiter, and how a wait begins.

mod end;

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use pirn_abi::PIRN_FOREVER;

use crate::deadlines::pirn_heap_links;
use crate::errno::{EAGAIN, EBUSY, ECANCELED, EINVAL, EUCLEAN};
use crate::held::pirn_held;
use crate::hub::pirn_hub;
use crate::kind::{PIRN_WAIT_FIRM, PIRN_WAIT_LATE, pirn_wait_kind};
use crate::list::{pirn_links, pirn_waiters};
use crate::state::{
    BEGINNING, CANCELLED, DEFERRED, IDLE, KEPT, LAZY, PREPARED, TOLD, UNREF, WAITING, WOKEN,
};

/// Returned by a function whose name ends in `_start` when the wait has begun: the waiter's `wake`
/// will be called.
///
/// Any other value of 0 or more is the result of a wait that was over at once; `wake` is then not
/// called. A negative errno means that nothing has begun.
pub const PIRN_WAITS: c_int = 1 << 30;

/// Called when a wait is over.
///
/// `result` is the result of the wait: 0 or more, -ETIMEDOUT, -ECANCELED, or an error of the
/// object. The waiter is idle again: this function may begin its next wait, or reuse its memory.
/// Runs on the loop's thread, never inside another call of the library. Must not unwind or longjmp
/// out.
pub type pirn_wake_fn =
    Option<unsafe extern "C" fn(hub: *mut pirn_hub, waiter: *mut pirn_waiter, result: c_int)>;

/// A waiter: what a callback, a coroutine, a fiber or the main program waits with. Prepare it with
/// `pirn_waiter_init`. The memory is yours, and must stay where it is while the waiter waits. Use
/// the fields whose names end in `_` only through functions.
#[repr(C)]
pub struct pirn_waiter {
    // In an object's list while it waits, and in the hub's once the wait is over. The first field,
    // so that its address is the waiter's.
    pub(crate) links: pirn_links,
    /// Called when a wait is over.
    pub wake: Cell<pirn_wake_fn>,
    /// For you. The library does not use it.
    pub user: Cell<*mut c_void>,
    word: Cell<usize>,
    extra: Cell<usize>,
    hub: Cell<Option<NonNull<pirn_hub>>>,
    object: Cell<*mut c_void>,
    kind: Cell<Option<NonNull<pirn_wait_kind>>>,
    // The objects that it owns, which are passed on when it ends.
    pub(crate) held: Cell<Option<NonNull<pirn_held>>>,
    pub(crate) heap: pirn_heap_links,
    // The deadline of the wait in progress, or one that is kept; 0: none.
    pub(crate) deadline_ns: Cell<u64>,
    // A deadline for all waits, set by the scopes of a fiber; `PIRN_FOREVER`: none.
    pub(crate) bound_ns: Cell<u64>,
    result: Cell<c_int>,
    // `IDLE`, `WAITING`, `WOKEN` or `TOLD`, and the flags below.
    pub(crate) state: Cell<u32>,
}

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
            bound_ns: Cell::new(PIRN_FOREVER),
            result: Cell::new(0),
            state: Cell::new(PREPARED | IDLE),
        }
    }

    // ---- for the layers above ----

    /// Lets the waiter keep its deadline, and its place in the heap of deadlines, between two
    /// waits, so that a time limit that does not end a wait costs next to nothing. What is kept
    /// holds the loop too. So this is for fibers: the owner runs from the end of a wait to the
    /// beginning of the next one, or to `pirn_waiter_end`. Before the first wait.
    pub fn set_lazy(&self) {
        self.flag(LAZY, true);
    }

    /// The waiter's time limits do not keep the loop going. For daemons. Before the first wait.
    pub fn set_unref(&self) {
        self.flag(UNREF, true);
    }

    /// For a future's waiter: `wake` only tells that the wait is over. The result, and what was
    /// granted, is handed over by `take`; a waiter that is dropped before gives it back.
    pub fn set_deferred(&self) {
        self.flag(DEFERRED, true);
    }

    /// True if the waiter belongs to this hub.
    #[inline]
    pub fn is_of(&self, hub: &pirn_hub) -> bool {
        self.hub.get() == Some(NonNull::from(hub))
    }

    /// The result of a wait that is over and was not taken yet.
    #[inline]
    pub fn over(&self) -> Option<c_int> {
        self.is_over().then(|| self.result())
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.is(WOKEN) || self.is(TOLD)
    }

    /// Takes the result of a wait that is over. The waiter is idle again.
    #[inline]
    pub fn take(&self) -> Option<c_int> {
        let hub = self.hub().filter(|_| self.is_over())?;
        if self.is(WOKEN) {
            self.unlink();
        }
        self.finish(hub);
        self.take_grant();
        Some(self.result())
    }

    /// The same when the wait is over.
    #[inline(never)]
    pub(crate) fn take_over(&self) -> c_int {
        self.take().unwrap_or(self.result())
    }

    /// True if the waiter was initialised, is idle and not cancelled. A wait can then begin, unless
    /// the hub is broken.
    #[inline]
    pub fn may_wait(&self) -> bool {
        self.state.get() & BEGINNING == PREPARED | IDLE
    }

    /// Waits for nothing but the waiters that are ready. False, and nothing has begun, if more is
    /// to be done than to join them: the waiter is not idle, or the hub is broken, or has not been
    /// asked yet to call waiters.
    #[inline]
    pub fn step_back(&self, hub: &pirn_hub) -> bool {
        let is_simple = self.is(IDLE) && hub.will_be_called() && !hub.is_broken();
        if is_simple {
            self.result.set(0);
            hub.count_wait();
            hub.add_ready(self, WOKEN);
        }
        is_simple
    }

    /// Cancels all later waits with a time limit other than 0, or lets them wait again.
    pub fn set_cancelled(&self, is_cancelled: bool) {
        self.flag(CANCELLED, is_cancelled);
    }

    /// True if all waits with a time limit other than 0 end at once with -ECANCELED.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.has(CANCELLED)
    }

    /// When all waits end with -ECANCELED, on the loop's clock; `PIRN_FOREVER`: never.
    #[inline]
    pub fn bound_ns(&self) -> &Cell<u64> {
        &self.bound_ns
    }

    /// When the wait in progress ends by itself, on the loop's clock; 0: never.
    #[inline]
    pub fn deadline_ns(&self) -> u64 {
        if self.is_waiting() {
            self.deadline_ns.get()
        } else {
            0
        }
    }

    /// The same of a lazy waiter, for the last wait if none is in progress.
    #[inline]
    pub fn kept_deadline_ns(&self) -> u64 {
        self.deadline_ns.get()
    }

    /// The hub; `None` if the waiter was never initialised.
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

    /// The `word` of `pirn_waiter_begin`, which the object keeps for this wait.
    #[inline]
    pub fn word(&self) -> usize {
        self.word.get()
    }

    /// A second word for the object. The beginning of a wait leaves it as it is.
    #[inline]
    pub fn extra(&self) -> &Cell<usize> {
        &self.extra
    }

    /// The object that the waiter waits for, or waited for last.
    #[inline]
    pub fn object(&self) -> *mut c_void {
        self.object.get()
    }

    /// The kind of that object.
    #[inline]
    pub fn kind(&self) -> Option<&pirn_wait_kind> {
        // SAFETY: set by `begin` to a kind that lives as long as the program.
        self.kind.get().map(|kind| unsafe { kind.as_ref() })
    }

    // ---- inside ----

    /// Borrows a waiter that is in a list or in the heap.
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

    /// True if a time limit ends the wait only after the kernel was asked once more.
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

    /// Checks a waiter before a wait: see `pirn_waiter_check`.
    #[inline]
    pub(crate) fn check(&self, hub: &pirn_hub, timeout_ns: u64) -> c_int {
        if self.may_wait() && !hub.is_broken() {
            return 0;
        }
        self.refuse(hub, timeout_ns)
    }

    /// The rest of `check`: why no wait may begin. Returns 0 for a cancelled waiter if the limit is
    /// 0.
    #[cold]
    #[inline(never)]
    fn refuse(&self, hub: &pirn_hub, timeout_ns: u64) -> c_int {
        if hub.is_broken() {
            return -EUCLEAN;
        }
        if self.is_live() {
            return -EBUSY;
        }
        if self.has(CANCELLED) && timeout_ns != 0 {
            // Behind all waiters that are ready, so that a program that ignores the error, and
            // waits again and again, does not keep the others from running.
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
    #[inline(never)]
    pub(crate) fn begin(
        &self,
        list: Option<&pirn_waiters>,
        kind: NonNull<pirn_wait_kind>,
        object: *mut c_void,
        word: usize,
        timeout_ns: u64,
    ) -> c_int {
        match self.hub() {
            Some(hub) if self.may_begin(hub, list, timeout_ns) => {
                self.wait_in(hub, list, kind, object, word, timeout_ns)
            }
            _ => self.refuse_to_begin(timeout_ns),
        }
    }

    /// True if nothing speaks against a wait in this list.
    #[inline]
    pub(crate) fn may_begin(
        &self,
        hub: &pirn_hub,
        list: Option<&pirn_waiters>,
        timeout_ns: u64,
    ) -> bool {
        self.may_wait()
            && timeout_ns != 0
            && !hub.is_broken()
            && list
                .and_then(pirn_waiters::first)
                .is_none_or(|first| first.hub.get() == self.hub.get())
    }

    /// The rest of `begin`: why no wait begins. A cancelled waiter may still try.
    #[cold]
    #[inline(never)]
    fn refuse_to_begin(&self, timeout_ns: u64) -> c_int {
        match self.hub().map(|hub| self.refuse(hub, timeout_ns)) {
            Some(0) if timeout_ns == 0 => -EAGAIN,
            // Never initialised, or waiters of another hub are in the list.
            None | Some(0) => -EINVAL,
            Some(refused) => refused,
        }
    }

    /// The rest of `begin`, when nothing speaks against the wait.
    #[inline]
    pub(crate) fn wait_in(
        &self,
        hub: &pirn_hub,
        list: Option<&pirn_waiters>,
        kind: NonNull<pirn_wait_kind>,
        object: *mut c_void,
        word: usize,
        timeout_ns: u64,
    ) -> c_int {
        debug_assert!(self.is(IDLE) && timeout_ns != 0);
        self.kind.set(Some(kind));
        self.object.set(object);
        self.word.set(word);
        let state = self.set(WAITING);
        hub.count_wait();
        if let Some(list) = list {
            list.push(self);
        }
        if timeout_ns & self.bound_ns.get() != PIRN_FOREVER || state & KEPT != 0 {
            return self.limit(hub, timeout_ns);
        }
        PIRN_WAITS
    }
}
