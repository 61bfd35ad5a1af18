#![expect(
    unsafe_code,
    reason = "slots are memory of the caller's, and the layer below is called by its C functions"
)]
//! Pools: a bounded number of fibers with their stacks.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use pirn_wait::functions::{pirn_waiter_begin, pirn_waiter_check, pirn_waiter_grant};
use pirn_wait::{
    EAGAIN, ECANCELED, EDEADLK, EINVAL, ESHUTDOWN, pirn_hub, pirn_wait_kind, pirn_waiter,
    pirn_waiters,
};

use crate::fiber::{Start, pirn_fiber, pirn_fiber_fn};
use crate::group::{Functions, pirn_group};

/// What a waiter waits for: a free slot of a pool.
pub const PIRN_FOR_POOL: u32 = 5u32;

/// The most bytes of an argument that a pool copies.
pub const PIRN_POOL_ARGUMENT: usize = 128;

/// The memory of a pool, filled in by `PIRN_POOL`.
#[repr(C)]
pub struct pirn_pool_memory {
    /// Where the slots are, aligned as a `uint64_t`.
    pub slots: Cell<*mut c_void>,
    /// Bytes of one slot: a fiber and its stack, a multiple of 8.
    pub slot_size: Cell<usize>,
    /// How many slots there are.
    pub count: Cell<u32>,
    /// Options of each fiber, as for `pirn_fiber_start`. May be set.
    pub options: Cell<u32>,
}

/// Figures of a pool, and its free slots.
#[repr(C)]
pub struct pirn_pool_state {
    /// The most members that the pool had at once.
    pub peak: Cell<u32>,
    // How many slots were ever used.
    used: Cell<u32>,
    /// The deepest stack of a member that has ended, in bytes; 0 without `PIRN_FIBER_FILL`.
    pub deepest: Cell<usize>,
    free: Cell<Option<NonNull<pirn_fiber>>>,
    spawners: pirn_waiters,
}

/// A bounded number of fibers with their stacks. Declare it with `PIRN_POOL`.
#[repr(C)]
pub struct pirn_pool {
    /// The slots.
    pub memory: pirn_pool_memory,
    /// The members: for `pirn_group_join` and `pirn_group_cancel`.
    pub group: pirn_group,
    /// Figures.
    pub state: pirn_pool_state,
}

/// The body of a member of a pool, and its argument.
#[repr(C)]
pub struct pirn_spawn {
    /// Called with the address of the copied argument; NULL if there is none.
    pub body: pirn_fiber_fn,
    /// The argument, which is copied.
    pub argument: *const c_void,
    /// Bytes of the argument, at most `PIRN_POOL_ARGUMENT`.
    pub size: usize,
}

/// Those of a group that is the part of a pool.
static FUNCTIONS: Functions = Functions {
    remove: |group, fiber| {
        group.forget(fiber);
        pool_of(group).take_back(fiber);
        group.end_joins();
    },
    cancelled: |group| pool_of(group).refuse_spawners(),
};

/// The pool of a group with these functions.
fn pool_of(group: &pirn_group) -> &pirn_pool {
    let address = (&raw const *group).addr() - core::mem::offset_of!(pirn_pool, group);
    // SAFETY: the pool has set the functions of its own group, and exposed its address.
    unsafe { &*core::ptr::with_exposed_provenance::<pirn_pool>(address) }
}

static SPAWNING: pirn_wait_kind = pirn_wait_kind::plain(PIRN_FOR_POOL);

impl pirn_pool {
    /// Starts a member, or waits for a free slot: see `pirn_pool_spawn_start`.
    ///
    /// # Safety
    ///
    /// The pool was declared by `PIRN_POOL`; the argument is readable.
    pub(crate) unsafe fn spawn(
        &self,
        hub: &pirn_hub,
        waiter: Option<&pirn_waiter>,
        what: &pirn_spawn,
        timeout_ns: u64,
    ) -> c_int {
        let has_argument = what.size == 0 || !what.argument.is_null();
        if what.body.is_none() || !has_argument || what.size > PIRN_POOL_ARGUMENT {
            return -EINVAL;
        }
        if self.group.is_cancelled() {
            return -ESHUTDOWN;
        }
        if let Some(waiter) = waiter {
            // SAFETY: passed on.
            let refused = unsafe { pirn_waiter_check(waiter, timeout_ns) };
            if refused != 0 {
                return refused;
            }
        }
        (&raw const *self).expose_provenance();
        self.group.set_functions(&FUNCTIONS);
        if self.has_room() && self.state.spawners.is_empty() {
            // SAFETY: passed on.
            return unsafe { self.start(hub, what) };
        }
        if timeout_ns == 0 {
            return -EAGAIN;
        }
        let Some(waiter) = waiter else {
            return -EDEADLK;
        };
        let is_member = pirn_fiber::running(hub).is_some_and(|fiber| {
            core::ptr::eq(&fiber.waiter, waiter)
                && fiber.group.get() == Some(NonNull::from(&self.group))
        });
        if is_member && self.waiting_members() + 1 >= self.group.live.get() {
            return -EDEADLK;
        }
        waiter.extra().set(usize::from(is_member));
        let own = (&raw const *self).cast_mut().cast();
        let word = (&raw const *what).expose_provenance();
        let (list, kind) = (&raw const self.state.spawners, &raw const SPAWNING);
        // SAFETY: the list is the pool's, the kind a static.
        unsafe { pirn_waiter_begin(waiter, list, kind, own, word, timeout_ns) }
    }

    fn has_room(&self) -> bool {
        self.state.free.get().is_some() || self.state.used.get() < self.memory.count.get()
    }

    /// How many members wait to spawn.
    fn waiting_members(&self) -> u32 {
        let members = self.state.spawners.iter();
        members.map(|waiter| waiter.extra().get() as u32).sum()
    }

    /// Starts a member. There must be a free slot.
    ///
    /// # Safety
    ///
    /// The pool was declared by `PIRN_POOL`; the argument is readable.
    unsafe fn start(&self, hub: &pirn_hub, what: &pirn_spawn) -> c_int {
        let (memory, state) = (&self.memory, &self.state);
        let slot = match state.free.get() {
            Some(fiber) => {
                // SAFETY: a slot that was used, and whose fiber has ended.
                state.free.set(unsafe { fiber.as_ref() }.group_next.take());
                fiber.as_ptr()
            }
            None => {
                let at = state.used.get();
                state.used.set(at + 1);
                let offset = at as usize * memory.slot_size.get();
                memory.slots.get().wrapping_byte_add(offset).cast()
            }
        };
        // A slot is the fiber, its stack, and the argument.
        let room = what.size.next_multiple_of(16);
        let fiber_size = size_of::<pirn_fiber>();
        let size = memory.slot_size.get().saturating_sub(fiber_size + room);
        let stack = slot.wrapping_add(1).cast::<c_void>();
        let argument = stack.wrapping_byte_add(size);
        // SAFETY: inside the slot, which is all zero when it is used for the first time, as
        // `PIRN_POOL` declares it, and has a fiber that has ended when it is used again.
        let fiber = unsafe { &*slot };
        let start = Start {
            stack,
            size,
            options: memory.options.get(),
            body: what.body,
            user: if what.size == 0 { null_mut() } else { argument },
        };
        // SAFETY: the slot is the pool's, and the hub outlives its fibers.
        let rc = unsafe { fiber.start(hub, &start) };
        if rc < 0 {
            fiber
                .group_next
                .set(state.free.replace(Some(NonNull::from(fiber))));
            return rc;
        }
        if what.size > 0 {
            let (from, to) = (what.argument.cast::<u8>(), argument.cast::<u8>());
            // SAFETY: `size` bytes to be read, as the caller promises, and that many above the
            // stack.
            unsafe { core::ptr::copy_nonoverlapping(from, to, what.size) };
        }
        self.group.add(fiber);
        let peak = state.peak.get().max(self.group.live.get());
        state.peak.set(peak);
        0
    }

    /// Frees the slot of a member that has ended, and starts the members of waiting spawners.
    fn take_back(&self, fiber: &pirn_fiber) {
        let state = &self.state;
        state.deepest.set(state.deepest.get().max(fiber.deepest()));
        fiber
            .group_next
            .set(state.free.replace(Some(NonNull::from(fiber))));
        while let Some(spawner) = state.spawners.first().filter(|_| self.has_room()) {
            let Some(hub) = spawner.hub() else { return };
            let what = core::ptr::with_exposed_provenance::<pirn_spawn>(spawner.word());
            // SAFETY: what is to be spawned stays until the wait is over, as documented.
            let what = unsafe { &*what };
            // SAFETY: as above, the argument too.
            let rc = unsafe { self.start(hub, what) };
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(spawner, rc) };
        }
    }

    /// Ends the waits of the spawners, because the pool was cancelled.
    fn refuse_spawners(&self) {
        while let Some(spawner) = self.state.spawners.first() {
            // SAFETY: it is in the list, so it waits.
            unsafe { pirn_waiter_grant(spawner, -ECANCELED) };
        }
    }
}
