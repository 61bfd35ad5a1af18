#![allow(unsafe_code, reason = "C functions are called")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! What is an object's own: each of its promises, each of its errors, and the faults for which
//! libraries of this kind are known.

#[path = "support/mod.rs"]
mod support;

use std::ffi::{c_int, c_void};
use std::mem::zeroed;
use std::ops::Deref;
use std::ptr::{null, null_mut};
use std::rc::Rc;

use pirn_abi::*;
use pirn_sync::*;
use pirn_wait::ffi::*;
use pirn_wait::*;

use support::{Caller, World};

/// An object on the heap, zero, that is reached by its address alone.
struct Object<T>(*mut T);

impl<T> Object<T> {
    fn zero() -> Object<T> {
        Object(Box::into_raw(Box::new(unsafe { zeroed() })))
    }
}

impl<T> Deref for Object<T> {
    type Target = *mut T;
    fn deref(&self) -> &*mut T {
        &self.0
    }
}

impl<T> Drop for Object<T> {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.0) });
    }
}

const EVER: u64 = PIRN_FOREVER;

macro_rules! callers {
    ($world:ident: $($name:ident),*) => {
        let $world = World::new();
        $(let $name = Caller::new(&$world, stringify!($name));)*
    };
}

/// Calls of C functions that return what is expected.
macro_rules! calls {
    ($($call:expr => $result:expr;)*) => {{$(
        assert_eq!(unsafe { $call }, $result, stringify!($call));
    )*}};
}

// ---- event ----

#[test]
fn an_event_that_is_set_lets_everybody_pass_at_once() {
    callers!(world: a);
    let event = Object::<pirn_event>::zero();
    calls! {
        pirn_event_is_set(*event) => 0;
        pirn_event_set(*event) => 0;
        pirn_event_set(*event) => 0;
        pirn_event_is_set(*event) => 1;
        pirn_event_wait_start(*event, a.waiter(), EVER) => 0;
        pirn_event_wait_start(*event, null_mut(), 0) => 0;
        pirn_event_clear(*event) => 0;
        pirn_event_wait_start(*event, null_mut(), 0) => -EAGAIN;
    }
    world.run();
    assert_eq!(world.events(), "");
}

#[test]
fn an_event_is_set_from_other_threads_in_the_next_turn() {
    callers!(world: a);
    let event = Object::<pirn_event>::zero();
    let addresses = ((*event).expose_provenance(), world.hub.expose_provenance());
    for round in 0..3 {
        calls! { pirn_event_wait_start(*event, a.waiter(), EVER) => PIRN_WAITS; }
        let threads: Vec<_> = (0..3)
            .map(|_| {
                std::thread::spawn(move || {
                    let event = std::ptr::with_exposed_provenance_mut(addresses.0);
                    let hub = std::ptr::with_exposed_provenance_mut(addresses.1);
                    unsafe { pirn_event_set_from(hub, event) }
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().expect("it ends"), 0);
        }
        calls! { pirn_event_is_set(*event) => 0; }
        world.turn();
        world.turn();
        assert_eq!(world.events(), "a=0@0", "round {round}");
        calls! {
            pirn_event_is_set(*event) => 1;
            pirn_event_clear(*event) => 0;
        }
        world.turn();
        calls! { pirn_event_is_set(*event) => 0; }
    }
}

#[test]
fn misuse_of_an_event_is_an_error() {
    let world = World::new();
    let event = Object::<pirn_event>::zero();
    calls! {
        pirn_event_set(null_mut()) => -EINVAL;
        pirn_event_clear(null_mut()) => -EINVAL;
        pirn_event_is_set(null()) => -EINVAL;
        pirn_event_set_from(null_mut(), *event) => -EINVAL;
        pirn_event_set_from(world.hub, null_mut()) => -EINVAL;
    }
}

// ---- mutex ----

fn mutex(options: u32) -> Object<pirn_mutex> {
    let mutex = Object::zero();
    calls! { pirn_mutex_init(*mutex, options) => 0; }
    mutex
}

#[test]
fn a_mutex_that_nobody_owns_is_locked_at_once() {
    let mutex = Object::<pirn_mutex>::zero();
    callers!(world: a, b);
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), 0) => -EAGAIN;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), 0) => 0;
        pirn_mutex_unlock_by(*mutex, b.waiter()) => 0;
    }
    world.run();
    assert_eq!(world.events(), "");
}

#[test]
fn a_mutex_belongs_to_the_one_who_has_waited_longest_before_it_runs() {
    let mutex = mutex(0);
    callers!(world: a, b, c);
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => 0;
        // It belongs to b, which has not run yet: no other waiter overtakes b.
        pirn_mutex_lock_start(*mutex, c.waiter(), 0) => -EAGAIN;
        pirn_mutex_lock_start(*mutex, a.waiter(), 0) => -EAGAIN;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => -EPERM;
    }
    world.run();
    assert_eq!(world.events(), "b=0@0");
    calls! { pirn_mutex_unlock_by(*mutex, b.waiter()) => 0; }
}

/// Miri would see a reference to it.
#[test]
fn the_search_for_deadlocks_does_not_look_at_a_mutex_that_is_gone() {
    let (gone, other) = (mutex(0), mutex(0));
    callers!(world: a, b, c);
    calls! {
        pirn_mutex_lock_start(*gone, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*gone, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_unlock_by(*gone, a.waiter()) => 0;
    }
    world.run();
    calls! { pirn_mutex_unlock_by(*gone, b.waiter()) => 0; }
    drop(gone);
    calls! {
        pirn_mutex_lock_start(*other, b.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*other, c.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_unlock_by(*other, b.waiter()) => 0;
    }
    world.run();
    assert_eq!(world.events(), "b=0@0 c=0@0");
    calls! { pirn_mutex_unlock_by(*other, c.waiter()) => 0; }
}

#[test]
fn a_recursive_mutex_is_unlocked_as_often_as_it_was_locked() {
    let mutex = mutex(PIRN_MUTEX_RECURSIVE);
    callers!(world: a, b);
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*mutex, a.waiter(), 0) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => 0;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => 0;
    }
    world.run();
    assert_eq!(world.events(), "");
    calls! { pirn_mutex_unlock_by(*mutex, a.waiter()) => 0; }
    world.run();
    assert_eq!(world.events(), "b=0@0");
    calls! {
        pirn_mutex_unlock_by(*mutex, a.waiter()) => -EPERM;
        pirn_mutex_unlock_by(*mutex, b.waiter()) => 0;
        pirn_mutex_unlock_by(*mutex, b.waiter()) => -EPERM;
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn a_recursion_too_deep_to_be_restored_is_refused() {
    let mutex = mutex(PIRN_MUTEX_RECURSIVE);
    callers!(world: a);
    for _ in 0..65535 {
        calls! { pirn_mutex_lock_start(*mutex, a.waiter(), 0) => 0; }
    }
    calls! { pirn_mutex_lock_start(*mutex, a.waiter(), 0) => -EOVERFLOW; }
    for _ in 0..65535 {
        calls! { pirn_mutex_unlock_by(*mutex, a.waiter()) => 0; }
    }
    calls! { pirn_mutex_unlock_by(*mutex, a.waiter()) => -EPERM; }
    drop(world);
}

#[test]
fn a_lock_that_could_never_be_had_is_refused() {
    let (one, two, three) = (mutex(0), mutex(0), mutex(0));
    callers!(world: a, b, c);
    calls! {
        pirn_mutex_lock_start(*one, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*one, a.waiter(), EVER) => -EDEADLK;
        pirn_mutex_lock_start(*two, b.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*three, c.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*two, a.waiter(), EVER) => PIRN_WAITS;
        // Two in opposite order.
        pirn_mutex_lock_start(*one, b.waiter(), EVER) => -EDEADLK;
        // A ring of three.
        pirn_mutex_lock_start(*three, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*one, c.waiter(), EVER) => -EDEADLK;
        // With a limit it ends by itself.
        pirn_mutex_lock_start(*one, c.waiter(), 10) => PIRN_WAITS;
    }
    world.run();
    assert_eq!(world.events(), "c=TIMEDOUT@10");
    calls! {
        pirn_mutex_unlock_by(*three, c.waiter()) => 0;
        pirn_mutex_unlock_by(*two, b.waiter()) => 0;
    }
    world.run();
    assert_eq!(world.events(), "b=0@10 a=0@10");
}

#[test]
fn a_ring_whose_members_have_a_limit_is_no_deadlock() {
    let (one, two) = (mutex(0), mutex(0));
    callers!(world: a, b);
    calls! {
        pirn_mutex_lock_start(*one, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*two, b.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*two, a.waiter(), 5) => PIRN_WAITS;
        pirn_mutex_lock_start(*one, b.waiter(), EVER) => PIRN_WAITS;
    }
    world.run();
    assert_eq!(world.events(), "a=TIMEDOUT@5");
    calls! { pirn_mutex_unlock_by(*one, a.waiter()) => 0; }
    world.run();
    assert_eq!(world.events(), "b=0@5");
}

/// A condition can close a ring that nobody is told of, because its waiter must have the mutex.
#[test]
fn who_looks_for_a_deadlock_does_not_run_around_the_ring_of_others() {
    let (one, two) = (mutex(0), mutex(0));
    callers!(world: a, b, c);
    let condition = Object::<pirn_condition>::zero();
    calls! {
        pirn_mutex_lock_start(*two, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*one, a.waiter(), EVER) => 0;
        pirn_condition_wait_start(*condition, *one, a.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*one, b.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*two, b.waiter(), EVER) => PIRN_WAITS;
        pirn_condition_notify(*condition, 1) => 1;
        // a waits for b's mutex, and b for a's.
        pirn_mutex_lock_start(*one, c.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*two, c.waiter(), EVER) => -EBUSY;
    }
    world.run();
    assert_eq!(world.events(), "");
    for caller in [&a, &b, &c] {
        caller.drop_wait();
    }
    for caller in [a, b, c] {
        unsafe { pirn_waiter_end(caller.waiter()) };
    }
}

/// anyio 387 and 1145: the lock of a task that has gone.
#[test]
fn a_mutex_whose_owner_has_ended_goes_on_and_says_so() {
    let mutex = mutex(0);
    callers!(world: a, b, c, d);
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*mutex, c.waiter(), EVER) => PIRN_WAITS;
    }
    unsafe { pirn_waiter_end(a.waiter()) };
    world.run();
    assert_eq!(world.events(), "b=OWNERDEAD@0");
    // Told once.
    calls! { pirn_mutex_unlock_by(*mutex, b.waiter()) => 0; }
    world.run();
    assert_eq!(world.events(), "c=0@0");
    // With nobody waiting, the next one is told at once.
    unsafe { pirn_waiter_end(c.waiter()) };
    calls! {
        pirn_mutex_lock_start(*mutex, d.waiter(), 0) => -EOWNERDEAD;
        pirn_mutex_unlock_by(*mutex, d.waiter()) => 0;
        pirn_mutex_lock_start(*mutex, d.waiter(), 0) => 0;
        pirn_mutex_unlock_by(*mutex, d.waiter()) => 0;
    }
}

#[test]
fn who_was_told_of_the_dead_owner_and_is_dropped_leaves_the_news_to_the_next_one() {
    let mutex = mutex(0);
    callers!(world: a, b, c);
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*mutex, c.waiter(), EVER) => PIRN_WAITS;
    }
    unsafe { pirn_waiter_end(a.waiter()) };
    b.drop_wait();
    world.run();
    assert_eq!(world.events(), "c=OWNERDEAD@0");
    calls! { pirn_mutex_unlock_by(*mutex, c.waiter()) => 0; }
}

/// cpython 1031: a lock that was handed to a waiter which is cancelled in the same turn.
#[test]
fn a_cancelled_owner_to_be_has_the_lock_and_can_pass_it_on() {
    let mutex = mutex(0);
    callers!(world: a, b, c);
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*mutex, c.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => 0;
    }
    assert_eq!(b.cancel(), -EALREADY);
    world.run();
    assert_eq!(world.events(), "b=0@0");
    calls! { pirn_mutex_unlock_by(*mutex, b.waiter()) => 0; }
    world.run();
    assert_eq!(world.events(), "c=0@0");
    calls! { pirn_mutex_unlock_by(*mutex, c.waiter()) => 0; }
}

#[test]
fn misuse_of_a_mutex_is_an_error() {
    let mutex = mutex(0);
    callers!(world: a);
    calls! {
        pirn_mutex_init(null_mut(), 0) => -EINVAL;
        pirn_mutex_init(*mutex, 2) => -EINVAL;
        pirn_mutex_unlock_by(null_mut(), a.waiter()) => -EINVAL;
        pirn_mutex_unlock_by(*mutex, a.waiter()) => -EPERM;
        pirn_mutex_unlock_by(*mutex, null_mut()) => -EPERM;
        pirn_mutex_lock_start(*mutex, null_mut(), 0) => -EDEADLK;
    }
    drop(world);
}

// ---- semaphore ----

fn semaphore(value: u32, most: u32) -> Object<pirn_semaphore> {
    let semaphore = Object::zero();
    calls! { pirn_semaphore_init(*semaphore, value, most) => 0; }
    semaphore
}

fn value(semaphore: &Object<pirn_semaphore>) -> u32 {
    unsafe { (***semaphore).value.get() }
}

#[test]
fn units_that_are_there_are_acquired_at_once() {
    callers!(world: a);
    let semaphore = semaphore(3, 0);
    calls! {
        pirn_semaphore_acquire_start(*semaphore, a.waiter(), 2, EVER) => 0;
        pirn_semaphore_acquire_start(*semaphore, null_mut(), 2, 0) => -EAGAIN;
        pirn_semaphore_acquire_start(*semaphore, null_mut(), 1, 0) => 0;
        pirn_semaphore_release(*semaphore, 5) => 0;
    }
    assert_eq!(value(&semaphore), 5);
    drop(world);
}

#[test]
fn who_wants_more_than_there_is_holds_back_those_behind() {
    callers!(world: a, b);
    let semaphore = semaphore(1, 0);
    calls! {
        pirn_semaphore_acquire_start(*semaphore, a.waiter(), 3, EVER) => PIRN_WAITS;
        pirn_semaphore_acquire_start(*semaphore, b.waiter(), 1, EVER) => PIRN_WAITS;
        pirn_semaphore_acquire_start(*semaphore, null_mut(), 1, 0) => -EAGAIN;
        pirn_semaphore_release(*semaphore, 1) => 0;
    }
    world.run();
    assert_eq!(world.events(), "");
    calls! { pirn_semaphore_release(*semaphore, 2) => 0; }
    world.run();
    assert_eq!(world.events(), "a=0@0 b=0@0");
    assert_eq!(value(&semaphore), 0);
}

/// embassy 6964, shuttle 167: the head of a fair queue leaves, and nobody is served.
#[test]
fn when_the_head_leaves_those_behind_it_are_served() {
    for how in 0..3 {
        callers!(world: a, b, c);
        let semaphore = semaphore(2, 0);
        let limit = if how == 0 { 5 } else { EVER };
        calls! {
            pirn_semaphore_acquire_start(*semaphore, a.waiter(), 3, limit) => PIRN_WAITS;
            pirn_semaphore_acquire_start(*semaphore, b.waiter(), 1, EVER) => PIRN_WAITS;
            pirn_semaphore_acquire_start(*semaphore, c.waiter(), 1, EVER) => PIRN_WAITS;
        }
        match how {
            0 => {}
            1 => assert_eq!(a.cancel(), 0),
            _ => a.drop_wait(),
        }
        world.run();
        let expected = [
            "a=TIMEDOUT@5 b=0@5 c=0@5",
            "a=CANCELED@0 b=0@0 c=0@0",
            "b=0@0 c=0@0",
        ];
        assert_eq!(world.events(), expected[how]);
        assert_eq!(value(&semaphore), 0);
    }
}

/// asyncio 270, cpython 90155: grant and cancellation in one turn.
#[test]
fn a_cancelled_waiter_does_not_take_the_units_with_it() {
    callers!(world: a, b);
    let semaphore = semaphore(0, 0);
    calls! {
        pirn_semaphore_acquire_start(*semaphore, a.waiter(), 1, EVER) => PIRN_WAITS;
        pirn_semaphore_acquire_start(*semaphore, b.waiter(), 1, EVER) => PIRN_WAITS;
    }
    assert_eq!(a.cancel(), 0);
    calls! { pirn_semaphore_release(*semaphore, 1) => 0; }
    world.run();
    assert_eq!(world.events(), "a=CANCELED@0 b=0@0");
    // And the other way round: it has them.
    calls! {
        pirn_semaphore_acquire_start(*semaphore, a.waiter(), 1, EVER) => PIRN_WAITS;
        pirn_semaphore_release(*semaphore, 1) => 0;
    }
    assert_eq!(a.cancel(), -EALREADY);
    world.run();
    assert_eq!(world.events(), "a=0@0");
    assert_eq!(value(&semaphore), 0);
}

/// NVIDIA/cccl 450: a waiter that releases and acquires again would starve the others.
#[test]
fn who_releases_and_acquires_again_comes_last() {
    callers!(world: a, b);
    let semaphore = semaphore(1, 0);
    calls! {
        pirn_semaphore_acquire_start(*semaphore, a.waiter(), 1, EVER) => 0;
        pirn_semaphore_acquire_start(*semaphore, b.waiter(), 1, EVER) => PIRN_WAITS;
        pirn_semaphore_release(*semaphore, 1) => 0;
        pirn_semaphore_acquire_start(*semaphore, a.waiter(), 1, EVER) => PIRN_WAITS;
    }
    world.run();
    assert_eq!(world.events(), "b=0@0");
    calls! { pirn_semaphore_release(*semaphore, 1) => 0; }
    world.run();
    assert_eq!(world.events(), "a=0@0");
}

#[test]
fn a_bounded_semaphore_notices_what_is_released_too_often() {
    let semaphore = semaphore(1, 2);
    calls! {
        pirn_semaphore_release(*semaphore, 2) => -EOVERFLOW;
        pirn_semaphore_release(*semaphore, 1) => 0;
        pirn_semaphore_release(*semaphore, 1) => -EOVERFLOW;
        pirn_semaphore_acquire_start(*semaphore, null_mut(), 3, 0) => -EINVAL;
        pirn_semaphore_acquire_start(*semaphore, null_mut(), 2, 0) => 0;
    }
    assert_eq!(value(&semaphore), 0);
}

#[test]
fn misuse_of_a_semaphore_is_an_error() {
    let semaphore = semaphore(u32::MAX, 0);
    calls! {
        pirn_semaphore_init(null_mut(), 0, 0) => -EINVAL;
        pirn_semaphore_init(*semaphore, 2, 1) => -EINVAL;
        pirn_semaphore_release(null_mut(), 1) => -EINVAL;
        pirn_semaphore_release(*semaphore, 0) => -EINVAL;
        pirn_semaphore_release(*semaphore, 1) => -EOVERFLOW;
        pirn_semaphore_acquire_start(*semaphore, null_mut(), 0, 0) => -EINVAL;
    }
}

// ---- condition ----

#[test]
fn a_condition_restores_the_recursion_depth() {
    let mutex = mutex(PIRN_MUTEX_RECURSIVE);
    callers!(world: a, b);
    let condition = Object::<pirn_condition>::zero();
    for _ in 0..3 {
        calls! { pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0; }
    }
    calls! {
        pirn_condition_wait_start(*condition, *mutex, a.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*mutex, b.waiter(), 0) => 0;
        pirn_condition_notify(*condition, 1) => 1;
        pirn_mutex_unlock_by(*mutex, b.waiter()) => 0;
    }
    world.run();
    assert_eq!(world.events(), "a=0@0");
    for _ in 0..3 {
        calls! {
            pirn_mutex_lock_start(*mutex, b.waiter(), 0) => -EAGAIN;
            pirn_mutex_unlock_by(*mutex, a.waiter()) => 0;
        }
    }
    calls! {
        pirn_mutex_lock_start(*mutex, b.waiter(), 0) => 0;
        pirn_mutex_unlock_by(*mutex, b.waiter()) => 0;
    }
}

#[test]
fn the_mutex_is_had_back_whatever_ends_the_wait() {
    for (how, expected) in [(0, "a=0@20"), (1, "a=TIMEDOUT@20"), (2, "a=CANCELED@20")] {
        callers!(world: a, b);
        let mutex = mutex(0);
        let condition = Object::<pirn_condition>::zero();
        calls! {
            pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
            pirn_condition_wait_start(*condition, *mutex, a.waiter(), 10) => PIRN_WAITS;
            pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => 0;
        }
        let (caller, address) = (Rc::clone(&a), *condition);
        world.at(5, move || match how {
            0 => calls! { pirn_condition_notify(address, 1) => 1; },
            1 => {}
            _ => assert_eq!(caller.cancel(), 0),
        });
        // Neither cancellation nor time ends the part that takes the mutex back.
        let caller = Rc::clone(&a);
        world.at(15, move || assert_eq!(caller.cancel(), -EALREADY));
        let (caller, address) = (Rc::clone(&b), *mutex);
        world.at(
            20,
            move || calls! { pirn_mutex_unlock_by(address, caller.waiter()) => 0; },
        );
        world.run();
        assert_eq!(world.events(), expected);
        calls! { pirn_mutex_unlock_by(*mutex, a.waiter()) => 0; }
    }
}

#[test]
fn all_who_are_notified_run_one_after_the_other() {
    let mutex = mutex(0);
    callers!(world: a, b, c);
    let condition = Object::<pirn_condition>::zero();
    for caller in [&a, &b, &c] {
        calls! {
            pirn_mutex_lock_start(*mutex, caller.waiter(), EVER) => 0;
            pirn_condition_wait_start(*condition, *mutex, caller.waiter(), EVER) => PIRN_WAITS;
        }
    }
    calls! {
        pirn_condition_notify(*condition, u32::MAX) => 3;
        pirn_condition_notify(*condition, u32::MAX) => 0;
    }
    for (caller, expected) in [(&a, "a=0@0"), (&b, "b=0@0"), (&c, "c=0@0")] {
        world.run();
        assert_eq!(world.events(), expected);
        calls! { pirn_mutex_unlock_by(*mutex, caller.waiter()) => 0; }
    }
}

#[test]
fn who_comes_after_a_notification_is_not_notified() {
    callers!(world: a, b);
    let condition = Object::<pirn_condition>::zero();
    let nothing = null_mut();
    calls! {
        pirn_condition_notify(*condition, 1) => 0;
        pirn_condition_wait_start(*condition, nothing, a.waiter(), EVER) => PIRN_WAITS;
        pirn_condition_notify(*condition, u32::MAX) => 1;
        pirn_condition_wait_start(*condition, nothing, b.waiter(), EVER) => PIRN_WAITS;
    }
    // A notification of all is not passed on.
    a.drop_wait();
    world.run();
    assert_eq!(world.events(), "");
    b.drop_wait();
}

/// cpython 112201, anyio 1075: a notified waiter goes, and takes the notification with it.
#[test]
fn the_notification_of_a_waiter_that_is_dropped_goes_to_the_next_one() {
    for is_locked in [false, true] {
        callers!(world: a, b, c);
        let mutex = mutex(0);
        let condition = Object::<pirn_condition>::zero();
        for caller in [&a, &b] {
            calls! {
                pirn_mutex_lock_start(*mutex, caller.waiter(), EVER) => 0;
                pirn_condition_wait_start(*condition, *mutex, caller.waiter(), EVER) => PIRN_WAITS;
            }
        }
        if is_locked {
            // It waits for the mutex when it is dropped, and else has it already.
            calls! { pirn_mutex_lock_start(*mutex, c.waiter(), EVER) => 0; }
        }
        calls! { pirn_condition_notify(*condition, 1) => 1; }
        a.drop_wait();
        if is_locked {
            calls! { pirn_mutex_unlock_by(*mutex, c.waiter()) => 0; }
        }
        world.run();
        assert_eq!(world.events(), "b=0@0", "{is_locked}");
        calls! { pirn_mutex_unlock_by(*mutex, b.waiter()) => 0; }
    }
}

#[test]
fn a_waiter_of_a_condition_is_told_of_the_dead_owner() {
    let mutex = mutex(0);
    callers!(world: a, b);
    let condition = Object::<pirn_condition>::zero();
    calls! {
        pirn_mutex_lock_start(*mutex, a.waiter(), EVER) => 0;
        pirn_condition_wait_start(*condition, *mutex, a.waiter(), EVER) => PIRN_WAITS;
        pirn_mutex_lock_start(*mutex, b.waiter(), EVER) => 0;
        pirn_condition_notify(*condition, 1) => 1;
    }
    unsafe { pirn_waiter_end(b.waiter()) };
    world.run();
    assert_eq!(world.events(), "a=OWNERDEAD@0");
    calls! { pirn_mutex_unlock_by(*mutex, a.waiter()) => 0; }
}

#[test]
fn misuse_of_a_condition_is_an_error() {
    let (one, two) = (mutex(0), mutex(0));
    callers!(world: a, b);
    let condition = Object::<pirn_condition>::zero();
    calls! {
        pirn_condition_notify(null_mut(), 1) => -EINVAL;
        pirn_condition_wait_start(*condition, *one, a.waiter(), EVER) => -EPERM;
        pirn_mutex_lock_start(*one, a.waiter(), EVER) => 0;
        pirn_condition_wait_start(*condition, *one, b.waiter(), EVER) => -EPERM;
        pirn_condition_wait_start(*condition, *one, a.waiter(), 0) => -EAGAIN;
        pirn_condition_wait_start(*condition, *one, a.waiter(), EVER) => PIRN_WAITS;
        // Others wait with another mutex.
        pirn_mutex_lock_start(*two, b.waiter(), EVER) => 0;
        pirn_condition_wait_start(*condition, *two, b.waiter(), EVER) => -EINVAL;
        pirn_condition_wait_start(*condition, null_mut(), b.waiter(), EVER) => -EINVAL;
        pirn_mutex_unlock_by(*two, b.waiter()) => 0;
    }
    a.drop_wait();
    drop(world);
}

// ---- barrier ----

#[test]
fn a_barrier_is_ready_for_the_next_round_before_the_last_one_has_run() {
    callers!(world: a, b, c);
    let barrier = Object::<pirn_barrier>::zero();
    calls! {
        pirn_barrier_init(*barrier, 2) => 0;
        pirn_barrier_wait_start(*barrier, null_mut(), 0) => -EAGAIN;
        pirn_barrier_wait_start(*barrier, a.waiter(), EVER) => PIRN_WAITS;
        pirn_barrier_wait_start(*barrier, b.waiter(), EVER) => 1;
        pirn_barrier_wait_start(*barrier, b.waiter(), EVER) => PIRN_WAITS;
        pirn_barrier_wait_start(*barrier, c.waiter(), EVER) => 1;
    }
    world.run();
    assert_eq!(world.events(), "a=0@0 b=0@0");
}

#[test]
fn a_barrier_of_one_holds_nobody() {
    callers!(world: a);
    let barrier = Object::<pirn_barrier>::zero();
    calls! {
        pirn_barrier_init(*barrier, 1) => 0;
        pirn_barrier_wait_start(*barrier, a.waiter(), EVER) => 0;
        pirn_barrier_wait_start(*barrier, null_mut(), 0) => 0;
    }
    drop(world);
}

#[test]
fn a_party_that_leaves_breaks_the_barrier_until_it_is_reset() {
    callers!(world: a, b, c);
    let barrier = Object::<pirn_barrier>::zero();
    calls! {
        pirn_barrier_init(*barrier, 3) => 0;
        pirn_barrier_wait_start(*barrier, a.waiter(), 5) => PIRN_WAITS;
        pirn_barrier_wait_start(*barrier, b.waiter(), EVER) => PIRN_WAITS;
    }
    world.run();
    assert_eq!(world.events(), "a=TIMEDOUT@5 b=PIPE@5");
    calls! {
        pirn_barrier_wait_start(*barrier, c.waiter(), EVER) => -EPIPE;
        pirn_barrier_reset(*barrier) => 0;
        pirn_barrier_wait_start(*barrier, a.waiter(), EVER) => PIRN_WAITS;
        // The waiters of that moment get an error.
        pirn_barrier_reset(*barrier) => 0;
        pirn_barrier_wait_start(*barrier, b.waiter(), EVER) => PIRN_WAITS;
    }
    world.run();
    assert_eq!(world.events(), "a=PIPE@5");
    b.drop_wait();
    calls! { pirn_barrier_wait_start(*barrier, c.waiter(), EVER) => -EPIPE; }
}

#[test]
fn misuse_of_a_barrier_is_an_error() {
    let barrier = Object::<pirn_barrier>::zero();
    calls! {
        pirn_barrier_wait_start(*barrier, null_mut(), 0) => -EINVAL;
        pirn_barrier_reset(*barrier) => -EINVAL;
        pirn_barrier_reset(null_mut()) => -EINVAL;
        pirn_barrier_init(null_mut(), 1) => -EINVAL;
        pirn_barrier_init(*barrier, 0) => -EINVAL;
        pirn_barrier_init(*barrier, 1 << 30) => -EINVAL;
        pirn_barrier_init(*barrier, (1 << 30) - 1) => 0;
    }
}

// ---- queue ----

/// A queue of numbers, and room for what is got.
struct Numbers {
    queue: Object<pirn_queue>,
    _storage: Object<[u32; 8]>,
    got: Object<[u32; 8]>,
}

/// An order besides those of `pirn_queue_init`: by `is_smaller`.
const BY_NUMBER: u32 = 2;

unsafe extern "C" fn is_smaller(a: *const c_void, b: *const c_void) -> c_int {
    c_int::from(unsafe { *a.cast::<u32>() < *b.cast::<u32>() })
}

impl Numbers {
    fn new(capacity: usize, order: u32) -> Numbers {
        let (queue, storage) = (Object::<pirn_queue>::zero(), Object::<[u32; 8]>::zero());
        let (array, size) = ((*storage).cast(), capacity * 4);
        if order == BY_NUMBER {
            let before: pirn_queue_before_fn = Some(is_smaller);
            calls! { pirn_queue_init_priority(*queue, array, size, 4, before) => 0; }
        } else {
            calls! { pirn_queue_init(*queue, array, size, 4, order) => 0; }
        }
        Numbers {
            queue,
            _storage: storage,
            got: Object::zero(),
        }
    }

    /// Where a number is put from, or got to.
    fn place(&self, at: usize) -> *mut c_void {
        (*self.got).cast::<u32>().wrapping_add(at).cast()
    }

    fn got(&self, at: usize) -> u32 {
        unsafe { *self.place(at).cast::<u32>() }
    }

    fn put(&self, number: u32) -> c_int {
        let item = (&raw const number).cast();
        unsafe { pirn_queue_put_start(*self.queue, null_mut(), item, 0) }
    }

    /// The next number, or a negative errno.
    fn get(&self) -> i64 {
        let mut number = 0u32;
        let item = (&raw mut number).cast();
        match unsafe { pirn_queue_get_start(*self.queue, null_mut(), item, 0) } {
            0 => i64::from(number),
            errno => i64::from(errno),
        }
    }

    fn put_later(&self, caller: &Caller, at: usize, number: u32) {
        unsafe { *self.place(at).cast::<u32>() = number };
        let (queue, item) = (*self.queue, self.place(at));
        calls! { pirn_queue_put_start(queue, caller.waiter(), item, EVER) => PIRN_WAITS; }
    }

    fn get_later(&self, caller: &Caller, at: usize) {
        let (queue, item) = (*self.queue, self.place(at));
        calls! { pirn_queue_get_start(queue, caller.waiter(), item, EVER) => PIRN_WAITS; }
    }

    fn size(&self) -> c_int {
        unsafe { pirn_queue_size(*self.queue) }
    }
}

const EMPTY: i64 = -(EAGAIN as i64);
const CLOSED: i64 = -(ESHUTDOWN as i64);

#[test]
fn a_queue_gives_its_items_in_its_order() {
    for (order, expected) in [
        (PIRN_QUEUE_FIFO, [3, 1, 2, 1]),
        (PIRN_QUEUE_LIFO, [1, 2, 1, 3]),
        (BY_NUMBER, [1, 1, 2, 3]),
    ] {
        let numbers = Numbers::new(4, order);
        for round in 0..3 {
            for number in [3, 1, 2, 1] {
                assert_eq!(numbers.put(number), 0);
            }
            assert_eq!(numbers.put(9), -EAGAIN);
            assert_eq!(numbers.size(), 4);
            for number in expected {
                assert_eq!(numbers.get(), number, "order {order}, round {round}");
            }
            assert_eq!(numbers.get(), EMPTY);
            // The ring of the FIFO begins elsewhere.
            assert_eq!((numbers.put(7), numbers.get()), (0, 7));
        }
    }
}

#[test]
fn a_heap_of_many_gives_them_in_order() {
    let numbers = Numbers::new(8, BY_NUMBER);
    let mut random = 12345u32;
    let mut inside = Vec::new();
    for _ in 0..if cfg!(miri) { 200 } else { 10_000 } {
        random = random.wrapping_mul(1_103_515_245).wrapping_add(12345);
        if random >> 16 & 1 == 0 && inside.len() < 8 {
            assert_eq!(numbers.put(random >> 20), 0);
            inside.push(random >> 20);
            inside.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        } else {
            assert_eq!(numbers.get(), inside.pop().map_or(EMPTY, i64::from));
        }
    }
}

#[test]
fn a_get_lets_the_first_putter_in_and_a_put_serves_the_first_getter() {
    callers!(world: a, b, c);
    let numbers = Numbers::new(1, PIRN_QUEUE_FIFO);
    assert_eq!(numbers.put(1), 0);
    numbers.put_later(&a, 0, 2);
    numbers.put_later(&b, 1, 3);
    assert_eq!(numbers.get(), 1);
    // a's item is in already, though a has not run.
    assert_eq!(numbers.get(), 2);
    assert_eq!(numbers.get(), 3);
    world.run();
    assert_eq!(world.events(), "a=0@0 b=0@0");
    numbers.get_later(&c, 2);
    assert_eq!(numbers.put(4), 0);
    world.run();
    assert_eq!((world.events().as_str(), numbers.got(2)), ("c=0@0", 4));
}

#[test]
fn a_promised_item_is_not_there_for_others() {
    callers!(world: a, b);
    let numbers = Numbers::new(2, PIRN_QUEUE_FIFO);
    numbers.get_later(&a, 0);
    assert_eq!(numbers.put(1), 0);
    assert_eq!((numbers.size(), numbers.get()), (0, EMPTY));
    numbers.get_later(&b, 1);
    world.run();
    assert_eq!((world.events().as_str(), numbers.got(0)), ("a=0@0", 1));
    b.drop_wait();
}

/// The place of a promised item is filled by another put before the getter is dropped: both are
/// still there.
#[test]
fn no_item_is_lost_when_a_getter_of_a_full_queue_is_dropped() {
    callers!(world: a, b);
    for order in [PIRN_QUEUE_FIFO, PIRN_QUEUE_LIFO, BY_NUMBER] {
        let numbers = Numbers::new(1, order);
        numbers.get_later(&a, 0);
        assert_eq!(numbers.put(1), 0);
        // The place is free when a runs, and not before.
        numbers.put_later(&b, 1, 2);
        a.drop_wait();
        assert_eq!((numbers.get(), numbers.get(), numbers.get()), (1, 2, EMPTY));
        world.run();
        assert_eq!(world.events(), "b=0@0");
    }
}

#[test]
fn the_item_of_a_dropped_getter_goes_to_the_next_one_in_the_order_of_the_queue() {
    callers!(world: a, b, c);
    let numbers = Numbers::new(4, PIRN_QUEUE_FIFO);
    for (at, caller) in [&a, &b, &c].into_iter().enumerate() {
        numbers.get_later(caller, at);
    }
    for number in [1, 2] {
        assert_eq!(numbers.put(number), 0);
    }
    a.drop_wait();
    world.run();
    assert_eq!(world.events(), "b=0@0 c=0@0");
    assert_eq!((numbers.got(1), numbers.got(2)), (1, 2));
}

#[test]
fn a_putter_that_leaves_has_put_nothing() {
    callers!(world: a, b);
    let numbers = Numbers::new(1, PIRN_QUEUE_FIFO);
    assert_eq!(numbers.put(1), 0);
    numbers.put_later(&a, 0, 2);
    numbers.put_later(&b, 1, 3);
    assert_eq!(a.cancel(), 0);
    assert_eq!((numbers.get(), numbers.get(), numbers.get()), (1, 3, EMPTY));
    world.run();
    assert_eq!(world.events(), "a=CANCELED@0 b=0@0");
}

#[test]
fn a_queue_that_is_drained_gives_what_it_has() {
    callers!(world: a, b);
    let numbers = Numbers::new(2, PIRN_QUEUE_FIFO);
    assert_eq!((numbers.put(1), numbers.put(2)), (0, 0));
    numbers.put_later(&a, 0, 3);
    calls! { pirn_queue_close(*numbers.queue, PIRN_QUEUE_DRAIN) => 0; }
    assert_eq!(numbers.put(4), -ESHUTDOWN);
    assert_eq!(
        (numbers.get(), numbers.get(), numbers.get()),
        (1, 2, CLOSED)
    );
    world.run();
    assert_eq!(world.events(), "a=SHUTDOWN@0");
    let place = numbers.place(1);
    calls! { pirn_queue_get_start(*numbers.queue, b.waiter(), place, EVER) => -ESHUTDOWN; }
}

/// libdill 215: an object with waiters is closed.
#[test]
fn closing_wakes_everybody_who_waits() {
    for how in [PIRN_QUEUE_DRAIN, PIRN_QUEUE_NOW] {
        callers!(world: a, b, c);
        let numbers = Numbers::new(1, PIRN_QUEUE_FIFO);
        for (at, caller) in [&a, &b, &c].into_iter().enumerate() {
            numbers.get_later(caller, at);
        }
        assert_eq!(numbers.put(1), 0);
        calls! {
            pirn_queue_close(*numbers.queue, how) => 0;
            pirn_queue_close(*numbers.queue, how) => 0;
        }
        world.run();
        // Now means now: even what was promised is gone.
        let first = if how == PIRN_QUEUE_DRAIN {
            "a=0@0"
        } else {
            "a=SHUTDOWN@0"
        };
        let mut events: Vec<String> = world.events().split(' ').map(str::to_owned).collect();
        events.sort();
        assert_eq!(events, [first, "b=SHUTDOWN@0", "c=SHUTDOWN@0"]);
        assert_eq!(numbers.get(), CLOSED);
    }
}

#[test]
fn a_getter_that_was_promised_an_item_may_be_dropped_after_the_close() {
    for how in [PIRN_QUEUE_DRAIN, PIRN_QUEUE_NOW] {
        callers!(world: a);
        let numbers = Numbers::new(1, PIRN_QUEUE_FIFO);
        numbers.get_later(&a, 0);
        assert_eq!(numbers.put(1), 0);
        calls! { pirn_queue_close(*numbers.queue, how) => 0; }
        a.drop_wait();
        let left = if how == PIRN_QUEUE_DRAIN { 1 } else { CLOSED };
        assert_eq!((numbers.get(), numbers.get()), (left, CLOSED));
        drop(world);
    }
}

#[test]
fn a_join_ends_when_every_item_is_done() {
    callers!(world: a, b);
    let numbers = Numbers::new(2, PIRN_QUEUE_FIFO);
    let queue = *numbers.queue;
    calls! {
        pirn_queue_join_start(queue, a.waiter(), EVER) => 0;
        pirn_queue_done(queue) => -EINVAL;
    }
    assert_eq!((numbers.put(1), numbers.put(2)), (0, 0));
    calls! {
        pirn_queue_join_start(queue, null_mut(), 0) => -EAGAIN;
        pirn_queue_join_start(queue, a.waiter(), EVER) => PIRN_WAITS;
        pirn_queue_join_start(queue, b.waiter(), EVER) => PIRN_WAITS;
    }
    assert_eq!((numbers.get(), numbers.get()), (1, 2));
    calls! { pirn_queue_done(queue) => 0; }
    world.run();
    assert_eq!(world.events(), "");
    calls! { pirn_queue_done(queue) => 0; }
    world.run();
    assert_eq!(world.events(), "a=0@0 b=0@0");
    calls! { pirn_queue_done(queue) => -EINVAL; }
}

#[test]
fn a_queue_that_is_closed_now_counts_its_items_as_done() {
    callers!(world: a);
    let numbers = Numbers::new(3, PIRN_QUEUE_FIFO);
    let queue = *numbers.queue;
    for number in [1, 2, 3] {
        assert_eq!(numbers.put(number), 0);
    }
    assert_eq!(numbers.get(), 1);
    calls! {
        pirn_queue_join_start(queue, a.waiter(), EVER) => PIRN_WAITS;
        pirn_queue_close(queue, PIRN_QUEUE_DRAIN) => 0;
        pirn_queue_close(queue, PIRN_QUEUE_NOW) => 0;
    }
    world.run();
    assert_eq!((world.events().as_str(), numbers.get()), ("", CLOSED));
    calls! { pirn_queue_done(queue) => 0; }
    world.run();
    assert_eq!(world.events(), "a=0@0");
}

// ---- linked queues ----

#[repr(C)]
struct Job {
    link: pirn_link,
    number: u32,
}

/// Jobs with these numbers, in an array.
fn jobs(count: usize) -> Vec<Job> {
    let job = |number| Job {
        link: unsafe { zeroed() },
        number,
    };
    (0..count as u32).map(job).collect()
}

fn linked(order: u32) -> Object<pirn_queue> {
    let queue = Object::zero();
    calls! { pirn_queue_init_linked(*queue, order) => 0; }
    queue
}

fn next_job(queue: &Object<pirn_queue>) -> Option<u32> {
    let mut job: *mut Job = null_mut();
    let item = (&raw mut job).cast();
    match unsafe { pirn_queue_get_start(**queue, null_mut(), item, 0) } {
        0 => Some(unsafe { (*job).number }),
        _ => None,
    }
}

#[test]
fn linked_items_come_in_order_and_there_is_always_room() {
    for (order, expected) in [(PIRN_QUEUE_FIFO, [0, 1, 2]), (PIRN_QUEUE_LIFO, [2, 1, 0])] {
        let queue = linked(order);
        let mut jobs = jobs(3);
        let first = jobs.as_mut_ptr();
        for _ in 0..2 {
            for at in 0..3 {
                let item = first.wrapping_add(at).cast();
                calls! { pirn_queue_put_start(*queue, null_mut(), item, 0) => 0; }
            }
            for number in expected {
                assert_eq!(next_job(&queue), Some(number));
            }
            assert_eq!(next_job(&queue), None);
        }
        calls! {
            pirn_queue_close(*queue, PIRN_QUEUE_NOW) => -EINVAL;
            pirn_queue_close(*queue, PIRN_QUEUE_DRAIN) => 0;
        }
    }
}

#[test]
fn items_of_other_threads_all_arrive_each_threads_in_order() {
    const THREADS: usize = 3;
    const EACH: usize = if cfg!(miri) { 10 } else { 1000 };
    let world = World::new();
    let queue = linked(PIRN_QUEUE_FIFO);
    let mut jobs = jobs(THREADS * EACH);
    let addresses = (
        (*queue).expose_provenance(),
        world.hub.expose_provenance(),
        jobs.as_mut_ptr().expose_provenance(),
    );
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            std::thread::spawn(move || {
                let queue = std::ptr::with_exposed_provenance_mut(addresses.0);
                let hub = std::ptr::with_exposed_provenance_mut(addresses.1);
                let jobs = std::ptr::with_exposed_provenance_mut::<Job>(addresses.2);
                for at in thread * EACH..(thread + 1) * EACH {
                    let link = jobs.wrapping_add(at).cast();
                    calls! { pirn_queue_put_from(hub, queue, link) => 0; }
                }
            })
        })
        .collect();
    let mut last = [None; THREADS];
    let mut count = 0;
    while count < THREADS * EACH {
        world.turn();
        while let Some(number) = next_job(&queue) {
            let thread = number as usize / EACH;
            assert!(last[thread] < Some(number));
            last[thread] = Some(number);
            count += 1;
        }
    }
    for thread in threads {
        thread.join().expect("it ends");
    }
    world.turn();
    assert_eq!(next_job(&queue), None);
}

#[test]
fn a_waiting_getter_gets_what_another_thread_puts() {
    callers!(world: a);
    let queue = linked(PIRN_QUEUE_FIFO);
    let job = Object(Box::into_raw(Box::new(jobs(1).remove(0))));
    let got = Object::<*mut Job>::zero();
    calls! {
        pirn_queue_get_start(*queue, a.waiter(), (*got).cast(), EVER) => PIRN_WAITS;
        pirn_queue_put_from(world.hub, *queue, (*job).cast()) => 0;
    }
    world.turn();
    world.turn();
    assert_eq!(world.events(), "a=0@0");
    assert_eq!(unsafe { **got }, *job);
}

#[test]
fn misuse_of_a_queue_is_an_error() {
    let world = World::new();
    let queue = Object::<pirn_queue>::zero();
    let storage = Object::<[u32; 2]>::zero();
    let (array, nothing) = ((*storage).cast::<c_void>(), null_mut());
    let before: pirn_queue_before_fn = Some(is_smaller);
    let link = Object::<pirn_link>::zero();
    calls! {
        pirn_queue_init(null_mut(), array, 8, 4, PIRN_QUEUE_FIFO) => -EINVAL;
        pirn_queue_init(*queue, nothing, 8, 4, PIRN_QUEUE_FIFO) => -EINVAL;
        pirn_queue_init(*queue, array, 3, 4, PIRN_QUEUE_FIFO) => -EINVAL;
        pirn_queue_init(*queue, array, 8, 0, PIRN_QUEUE_FIFO) => -EINVAL;
        pirn_queue_init(*queue, array, 8, 4, 2) => -EINVAL;
        pirn_queue_init_priority(null_mut(), array, 8, 4, before) => -EINVAL;
        pirn_queue_init_priority(*queue, nothing, 8, 4, before) => -EINVAL;
        pirn_queue_init_priority(*queue, array, 3, 4, before) => -EINVAL;
        pirn_queue_init_priority(*queue, array, 8, 0, before) => -EINVAL;
        pirn_queue_init_priority(*queue, array, 8, 4, None) => -EINVAL;
        pirn_queue_init_linked(null_mut(), PIRN_QUEUE_FIFO) => -EINVAL;
        pirn_queue_init_linked(*queue, 2) => -EINVAL;
        pirn_queue_init(*queue, array, 8, 4, PIRN_QUEUE_FIFO) => 0;
        pirn_queue_put_start(*queue, null_mut(), null(), 0) => -EINVAL;
        pirn_queue_get_start(*queue, null_mut(), null_mut(), 0) => -EINVAL;
        pirn_queue_close(null_mut(), PIRN_QUEUE_NOW) => -EINVAL;
        pirn_queue_close(*queue, 2) => -EINVAL;
        pirn_queue_done(null_mut()) => -EINVAL;
        pirn_queue_size(null()) => -EINVAL;
        pirn_queue_put_from(world.hub, *queue, *link) => -EINVAL;
        pirn_queue_put_from(null_mut(), *queue, *link) => -EINVAL;
        pirn_queue_put_from(world.hub, null_mut(), *link) => -EINVAL;
        pirn_queue_put_from(world.hub, *queue, null_mut()) => -EINVAL;
    }
}
