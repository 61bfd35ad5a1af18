#![expect(
    unsafe_code,
    reason = "members are reached by their addresses, and the layer below by its C functions"
)]
//! Groups of fibers, which can be joined and cancelled together.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use pirn_abi::PIRN_FOREVER;
use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_grant, pirn_waiter_move};
use pirn_wait::{
    EBUSY, ECANCELED, EDEADLK, EINVAL, ENOENT, PIRN_WAIT_FIRM, pirn_wait_kind, pirn_waiter,
    pirn_waiters,
};

use crate::fiber::pirn_fiber;

/// Option of a group: the first member that ends with a negative result cancels the others.
pub const PIRN_GROUP_FAIL_FAST: u32 = 1u32 << 0;

/// What a waiter waits for: the end of all members of a group.
pub const PIRN_FOR_GROUP: u32 = 4u32;

/// A group of fibers. All zero is an empty one. The memory is yours, and must stay where it is
/// while the group has members.
#[repr(C)]
pub struct pirn_group {
    /// How many members have not ended.
    pub live: Cell<u32>,
    /// The result of the first member that ended with a negative one; otherwise 0. It stays after
    /// that member has ended.
    pub result: Cell<c_int>,
    /// `PIRN_GROUP_FAIL_FAST`, or 0. May be set.
    pub options: Cell<u32>,
    is_cancelled: Cell<u32>,
    first: Cell<Option<NonNull<pirn_fiber>>>,
    joiners: pirn_waiters,
    // Its functions: see `Functions`. NULL: none was needed yet.
    functions: Cell<*const c_void>,
}

/// What is called for a group. A fiber reaches groups only through these, and a group reaches pools
/// so: a program without groups, or without pools, does not contain their code.
pub(crate) struct Functions {
    /// Called when a member has ended: removes it.
    pub(crate) remove: fn(&pirn_group, &pirn_fiber),
    /// Called when the group was cancelled.
    pub(crate) cancelled: fn(&pirn_group),
}

/// Those of a group that is no part of a pool.
static PLAIN: Functions = Functions {
    remove: |group, fiber| {
        group.forget(fiber);
        group.end_joins();
    },
    cancelled: |_| {},
};

static JOINING: pirn_wait_kind = pirn_wait_kind {
    quit: Some(on_quit),
    ..pirn_wait_kind::plain(PIRN_FOR_GROUP)
};

/// The same for a joiner that was cancelled: it still waits until no member is left.
static CLOSING: pirn_wait_kind = pirn_wait_kind {
    flags: PIRN_WAIT_FIRM,
    ..pirn_wait_kind::plain(PIRN_FOR_GROUP)
};

fn member<'a>(fiber: NonNull<pirn_fiber>) -> &'a pirn_fiber {
    // SAFETY: members are live, and leave the group when they end.
    unsafe { fiber.as_ref() }
}

impl pirn_group {
    /// The functions of a group that has or had a member.
    pub(crate) fn functions(&self) -> Option<&'static Functions> {
        // SAFETY: NULL, or set by `set_functions` to a static.
        unsafe { self.functions.get().cast::<Functions>().as_ref() }
    }

    pub(crate) fn set_functions(&self, functions: &'static Functions) {
        self.functions.set((&raw const *functions).cast());
    }

    /// True if the group was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.get() != 0
    }

    /// Adds a fiber: see `pirn_group_add`.
    pub(crate) fn add(&self, fiber: &pirn_fiber) -> c_int {
        if !fiber.is_live() {
            return -ENOENT;
        }
        if fiber.group.get().is_some() {
            return -EBUSY;
        }
        if let Some(first) = self.first.get() {
            if member(first).hub_address() != fiber.hub_address() {
                return -EINVAL;
            }
            member(first).group_previous.set(Some(NonNull::from(fiber)));
        }
        if self.functions().is_none() {
            self.set_functions(&PLAIN);
        }
        fiber.group_previous.set(None);
        fiber.group_next.set(self.first.get());
        fiber.group.set(Some(NonNull::from(self)));
        self.first.set(Some(NonNull::from(fiber)));
        self.live.set(self.live.get() + 1);
        if self.is_cancelled() {
            fiber.cancel();
        }
        0
    }

    /// Removes a member, which has ended, from the list.
    pub(crate) fn forget(&self, fiber: &pirn_fiber) {
        let (next, previous) = (fiber.group_next.take(), fiber.group_previous.take());
        if let Some(next) = next {
            member(next).group_previous.set(previous);
        }
        match previous {
            Some(previous) => member(previous).group_next.set(next),
            None => self.first.set(next),
        }
        self.live.set(self.live.get() - 1);
        let result = fiber.result.get();
        if result < 0 && self.result.get() == 0 {
            self.result.set(result);
        }
        if result < 0 && self.options.get() & PIRN_GROUP_FAIL_FAST != 0 {
            self.cancel();
        }
    }

    /// Ends the waits of the joiners, if no member is left.
    pub(crate) fn end_joins(&self) {
        if self.live.get() != 0 {
            return;
        }
        while let Some(joiner) = self.joiners.first() {
            let is_closing = joiner
                .kind()
                .is_some_and(|kind| kind.flags & PIRN_WAIT_FIRM != 0);
            let result = if is_closing { -ECANCELED } else { 0 };
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(joiner, result) };
        }
    }

    /// Cancels all members: see `pirn_group_cancel`.
    pub(crate) fn cancel(&self) {
        if self.is_cancelled.replace(1) != 0 {
            return;
        }
        let mut next = self.first.get();
        while let Some(fiber) = next {
            // No fiber runs before this returns, so no member leaves the group.
            member(fiber).cancel();
            next = member(fiber).group_next.get();
        }
        if let Some(functions) = self.functions() {
            (functions.cancelled)(self);
        }
    }

    /// Begins to wait until no member is left: see `pirn_group_join_start`.
    pub(crate) fn join(&self, waiter: &pirn_waiter, timeout_ns: u64) -> c_int {
        let Some(first) = self.first.get() else {
            return 0;
        };
        let hub = member(first).hub();
        if !waiter.is_of(hub) {
            return -EINVAL;
        }
        let is_member = pirn_fiber::running(hub).is_some_and(|fiber| {
            core::ptr::eq(&fiber.waiter, waiter) && fiber.group.get() == Some(NonNull::from(self))
        });
        if is_member {
            return -EDEADLK;
        }
        let begin = |kind: &'static pirn_wait_kind, timeout_ns| {
            let own = (&raw const *self).cast_mut().cast();
            // SAFETY: the list is the group's, the kind a static.
            unsafe { pirn_waiter_begin(waiter, &self.joiners, kind, own, 0, timeout_ns) }
        };
        if waiter.is_cancelled() && timeout_ns != 0 {
            // The join of a cancelled fiber still waits until all members have ended.
            self.cancel();
            let bound = waiter.bound_ns().replace(PIRN_FOREVER);
            waiter.set_cancelled(false);
            let begun = begin(&CLOSING, PIRN_FOREVER);
            waiter.set_cancelled(true);
            waiter.bound_ns().set(bound);
            return begun;
        }
        begin(&JOINING, timeout_ns)
    }
}

/// Called when a joiner is cancelled: cancels the members. The joiner waits until they have ended.
unsafe extern "C" fn on_quit(waiter: *mut pirn_waiter, result: c_int) -> c_int {
    if result != -ECANCELED {
        return 0;
    }
    // SAFETY: called with a waiter that waits for a group.
    let object: *mut c_void = unsafe { &*waiter }.object();
    // SAFETY: as above.
    let group = unsafe { &*object.cast::<pirn_group>() };
    group.cancel();
    // SAFETY: it waits; list and kind are as asked.
    unsafe { pirn_waiter_move(waiter, &raw const group.joiners, &raw const CLOSING, object) };
    1
}
