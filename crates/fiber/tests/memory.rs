//! The life of fibers, groups and pools under Miri, where each stack is a thread.
//!
//! ```text
//! MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-ignore-leaks" \
//!     cargo +nightly miri test --package pirn-fiber --no-default-features --features export \
//!     --test memory
//! ```
//!
//! What fibers do is tested by the programs of tests/waiting; here it is their use of memory. The
//! tests take turns: a loop and its clock belong to one of them at a time.
#![cfg(miri)]
#![allow(
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    reason = "C functions are called, as documented in the header"
)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};

use ::pirn_fiber::ffi::*;
use ::pirn_fiber::{
    PIRN_FIBER_FILL, PIRN_GROUP_FAIL_FAST, PIRN_SCOPE_SHIELD, pirn_fiber, pirn_group, pirn_pool,
    pirn_scope, pirn_spawn,
};
use pirn_abi::{PIRN_DONE, PIRN_FOREVER, pirn_loop, pirn_run};
use pirn_wait::ffi::{pirn_hub_deinit, pirn_hub_init, pirn_hub_verify};
use pirn_wait::{EBUSY, ECANCELED, pirn_hub};

use clock::NOW;

#[path = "../../sync/tests/support/core.rs"]
mod core;

/// The clock that `core` reads, shared by the threads that are fibers.
mod clock {
    use std::sync::atomic::{AtomicU64, Ordering};

    pub struct Clock(AtomicU64);

    impl Clock {
        pub fn get(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        pub fn set(&self, now: u64) {
            self.0.store(now, Ordering::SeqCst);
        }

        pub fn address(&self) -> *const u64 {
            self.0.as_ptr()
        }
    }

    pub static NOW: Clock = Clock(AtomicU64::new(1000));
}

fn now_address() -> *const u64 {
    NOW.address()
}

/// Nobody asks from inside a callback here.
#[unsafe(no_mangle)]
extern "C" fn pirn_ended(_: *mut pirn_loop) -> c_int {
    PIRN_DONE
}

const STACK: usize = 2048;

/// Runs a program with a hub, and checks that it leaves nothing behind.
fn with_hub(program: impl FnOnce(*mut pirn_loop, *mut pirn_hub)) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let event_loop = core::init();
    let hub: *mut MaybeUninit<pirn_hub> = Box::into_raw(Box::new(MaybeUninit::uninit()));
    let hub = hub.cast::<pirn_hub>();
    assert_eq!(unsafe { pirn_hub_init(event_loop, hub, 63) }, 0);
    program(event_loop, hub);
    assert_eq!(unsafe { pirn_hub_verify(hub) }, 0);
    assert_eq!(unsafe { pirn_hub_deinit(hub) }, 0);
    drop(unsafe { Box::from_raw(hub.cast::<MaybeUninit<pirn_hub>>()) });
    core::deinit(event_loop);
}

/// A fiber and its stack.
struct Place {
    fiber: *mut pirn_fiber,
    stack: *mut c_void,
}

impl Place {
    fn new() -> Place {
        Place {
            fiber: Box::into_raw(Box::new(MaybeUninit::<pirn_fiber>::zeroed())).cast(),
            stack: Box::into_raw(Box::new([0u64; STACK / 8])).cast(),
        }
    }

    fn start(&self, hub: *mut pirn_hub, body: Body, user: *mut c_void) -> c_int {
        let (fiber, stack, options) = (self.fiber, self.stack, PIRN_FIBER_FILL);
        unsafe { pirn_fiber_start(hub, fiber, stack, STACK, options, Some(body), user) }
    }

    fn result(&self) -> c_int {
        unsafe { &*self.fiber }.result.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.fiber.cast::<MaybeUninit<pirn_fiber>>()) });
        drop(unsafe { Box::from_raw(self.stack.cast::<[u64; STACK / 8]>()) });
    }
}

type Body = unsafe extern "C" fn(*mut pirn_hub, *mut c_void) -> c_int;

fn address<T>(value: &T) -> *mut c_void {
    (&raw const *value).cast_mut().cast()
}

unsafe extern "C" fn counts(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let count = unsafe { &*user.cast::<Cell<c_int>>() };
    for _ in 0..3 {
        count.set(count.get() + 1);
        assert_eq!(unsafe { pirn_fiber_yield(hub) }, 0);
    }
    count.get()
}

unsafe extern "C" fn sleeps_for_ever(hub: *mut pirn_hub, _: *mut c_void) -> c_int {
    unsafe { pirn_fiber_park(hub, PIRN_FOREVER) }
}

unsafe extern "C" fn joins(_: *mut pirn_hub, user: *mut c_void) -> c_int {
    let mut result = 0;
    let rc = unsafe { pirn_fiber_join(user.cast(), 1000, &raw mut result) };
    if rc == 0 { result } else { rc }
}

#[test]
fn fibers_begin_wait_join_and_begin_again() {
    with_hub(|event_loop, hub| {
        let (count, first, second) = (Cell::new(0), Place::new(), Place::new());
        for times in 1..4 {
            assert_eq!(first.start(hub, counts, address(&count)), 0);
            assert_eq!(first.start(hub, counts, null_mut()), -EBUSY);
            assert_eq!(second.start(hub, joins, first.fiber.cast()), 0);
            assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
            assert_eq!((first.result(), second.result()), (3 * times, 3 * times));
        }
    });
}

#[test]
fn a_cancelled_fiber_ends_at_its_next_wait() {
    with_hub(|event_loop, hub| {
        let (before, waiting) = (Place::new(), Place::new());
        assert_eq!(waiting.start(hub, sleeps_for_ever, null_mut()), 0);
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        assert_eq!(before.start(hub, sleeps_for_ever, null_mut()), 0);
        for place in [&before, &waiting] {
            assert_eq!(unsafe { pirn_fiber_cancel(place.fiber) }, 0);
        }
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        assert_eq!(
            (before.result(), waiting.result()),
            (-ECANCELED, -ECANCELED)
        );
    });
}

unsafe extern "C" fn waits_in_a_shield(hub: *mut pirn_hub, _: *mut c_void) -> c_int {
    let mut scope = MaybeUninit::<pirn_scope>::uninit();
    let scope = scope.as_mut_ptr();
    unsafe { pirn_fiber_park(hub, PIRN_FOREVER) };
    assert_eq!(
        unsafe { pirn_scope_enter(hub, scope, 50, PIRN_SCOPE_SHIELD) },
        0
    );
    let rc = unsafe { pirn_fiber_park(hub, PIRN_FOREVER) };
    assert_eq!(rc, -ECANCELED, "by the limit of the scope");
    unsafe { pirn_scope_leave(hub, scope) }
}

#[test]
fn what_cleans_up_waits_in_a_shield() {
    with_hub(|event_loop, hub| {
        let place = Place::new();
        assert_eq!(place.start(hub, waits_in_a_shield, null_mut()), 0);
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        assert_eq!(unsafe { pirn_fiber_cancel(place.fiber) }, 0);
        let began = NOW.get();
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        assert_eq!(NOW.get() - began, 50);
        assert_eq!(place.result(), -pirn_wait::ETIMEDOUT);
    });
}

unsafe extern "C" fn fails(_: *mut pirn_hub, _: *mut c_void) -> c_int {
    -7
}

unsafe extern "C" fn joins_the_group(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let waiter = unsafe { pirn_fiber_self(hub) };
    let begun = unsafe { pirn_group_join_start(user.cast(), waiter, PIRN_FOREVER) };
    unsafe { pirn_fiber_await(hub, begun) }
}

#[test]
fn a_group_ends_with_its_last_member_and_the_first_failure_cancels_it() {
    with_hub(|event_loop, hub| {
        let group = Box::into_raw(Box::new(MaybeUninit::<pirn_group>::zeroed()));
        let group = group.cast::<pirn_group>();
        unsafe { &*group }.options.set(PIRN_GROUP_FAIL_FAST);
        let (places, joiner) = ([(); 4].map(|()| Place::new()), Place::new());
        for (at, place) in places.iter().enumerate() {
            let body = if at == 2 {
                fails
            } else {
                sleeps_for_ever as Body
            };
            assert_eq!(place.start(hub, body, null_mut()), 0);
            assert_eq!(unsafe { pirn_group_add(group, place.fiber) }, 0);
        }
        assert_eq!(joiner.start(hub, joins_the_group, group.cast()), 0);
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        let results = places.each_ref().map(Place::result);
        assert_eq!(results, [-ECANCELED, -ECANCELED, -7, -ECANCELED]);
        assert_eq!((joiner.result(), unsafe { &*group }.result.get()), (0, -7));
        assert_eq!(unsafe { &*group }.live.get(), 0);
        drop(unsafe { Box::from_raw(group.cast::<MaybeUninit<pirn_group>>()) });
    });
}

// ---- pools ----

const SLOTS: usize = 2;
const SLOT: usize = (size_of::<pirn_fiber>() + STACK) / 8;

/// The memory of a pool, as `PIRN_POOL` declares it.
struct Pool {
    slots: *mut [[u64; SLOT]; SLOTS],
    pool: *mut pirn_pool,
    sum: Cell<u64>,
    spawned: Cell<c_int>,
}

impl Pool {
    fn new() -> Pool {
        let slots = Box::into_raw(Box::new([[0; SLOT]; SLOTS]));
        let pool = Box::into_raw(Box::new(MaybeUninit::<pirn_pool>::zeroed()));
        let pool = pool.cast::<pirn_pool>();
        let memory = &unsafe { &*pool }.memory;
        memory.slots.set(slots.cast());
        memory.slot_size.set(SLOT * 8);
        memory.count.set(SLOTS as u32);
        Pool {
            slots,
            pool,
            sum: Cell::new(0),
            spawned: Cell::new(0),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.slots) });
        drop(unsafe { Box::from_raw(self.pool.cast::<MaybeUninit<pirn_pool>>()) });
    }
}

/// What a member is given: copied above its stack.
#[repr(C)]
struct Job {
    sum: *const Cell<u64>,
    number: u64,
}

unsafe extern "C" fn adds(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let Job { sum, number } = unsafe { user.cast::<Job>().read() };
    unsafe { pirn_fiber_sleep(hub, 10) };
    let sum = unsafe { &*sum };
    sum.set(sum.get() + number);
    0
}

unsafe extern "C" fn spawns_five(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let pool = unsafe { &*user.cast::<Pool>() };
    for number in 1..=5 {
        let sum = &raw const pool.sum;
        let job = Job { sum, number };
        let what = pirn_spawn {
            body: Some(adds),
            argument: (&raw const job).cast(),
            size: size_of::<Job>(),
        };
        let waiter = unsafe { pirn_fiber_self(hub) };
        let what = &raw const what;
        let begun = unsafe { pirn_pool_spawn_start(hub, pool.pool, waiter, what, PIRN_FOREVER) };
        let rc = unsafe { pirn_fiber_await(hub, begun) };
        if rc < 0 {
            return rc;
        }
        pool.spawned.set(pool.spawned.get() + 1);
    }
    0
}

#[test]
fn a_pool_uses_its_slots_again_and_its_spawner_waits_for_one() {
    with_hub(|event_loop, hub| {
        let (pool, spawner) = (Pool::new(), Place::new());
        assert_eq!(spawner.start(hub, spawns_five, address(&pool)), 0);
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        assert_eq!((spawner.result(), pool.sum.get()), (0, 1 + 2 + 3 + 4 + 5));
        let state = &unsafe { &*pool.pool }.state;
        assert_eq!(state.peak.get(), SLOTS as u32);
    });
}

unsafe extern "C" fn cancels_the_pool(_: *mut pirn_hub, user: *mut c_void) -> c_int {
    let pool = unsafe { &*user.cast::<Pool>() };
    unsafe { pirn_group_cancel(&raw mut (*pool.pool).group) }
}

#[test]
fn the_spawner_of_a_cancelled_pool_waits_no_longer() {
    with_hub(|event_loop, hub| {
        let (pool, spawner, canceller) = (Pool::new(), Place::new(), Place::new());
        assert_eq!(spawner.start(hub, spawns_five, address(&pool)), 0);
        assert_eq!(canceller.start(hub, cancels_the_pool, address(&pool)), 0);
        assert_eq!(unsafe { pirn_run(event_loop) }, PIRN_DONE);
        assert_eq!((spawner.result(), pool.spawned.get()), (-ECANCELED, 2));
        assert_eq!(unsafe { &*pool.pool }.group.live.get(), 0);
        assert!(unsafe { pirn_fiber_next(hub, null()) }.is_null());
    });
}
