#![expect(unsafe_code, reason = "the C functions are called")]
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "each call is what the test is about"
)]
//! Fibers on a real loop.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use ::pirn_fiber::*;
use pirn_abi::*;
use pirn_wait::ffi::*;
use pirn_wait::*;

// Links the core.
use pirn as _;

struct World {
    _block: Vec<u64>,
    event_loop: *mut pirn_loop,
    hub: Box<pirn_hub>,
}

fn world() -> World {
    let size = pirn_storage_size(16, 4, 4);
    let mut block = vec![0u64; size / 8];
    let mut config: pirn_config = unsafe { std::mem::zeroed() };
    config.size = size_of::<pirn_config>() as u32;
    (config.io, config.timers, config.tasks) = (16, 4, 4);
    let mut event_loop = std::ptr::null_mut();
    let rc = unsafe { pirn_init(&mut event_loop, block.as_mut_ptr().cast(), size, &config) };
    assert_eq!(rc, 0);
    let mut hub: Box<std::mem::MaybeUninit<pirn_hub>> = Box::new(std::mem::MaybeUninit::uninit());
    assert_eq!(
        unsafe { pirn_hub_init(event_loop, hub.as_mut_ptr(), 63) },
        0
    );
    World {
        _block: block,
        event_loop,
        hub: unsafe { hub.assume_init() },
    }
}

thread_local! { static LOG: RefCell<String> = const { RefCell::new(String::new()) }; }
fn log(text: &str) {
    LOG.with_borrow_mut(|log| log.push_str(text));
}

unsafe extern "C" fn takes_turns(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let name = if user.is_null() { "a" } else { "b" };
    for _ in 0..3 {
        log(name);
        unsafe { pirn_fiber_yield(hub) };
    }
    7
}

unsafe extern "C" fn sleeps(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let ms = user.addr() as u64;
    assert_eq!(unsafe { pirn_fiber_sleep(hub, ms * 1_000_000) }, 0);
    log(&format!("{ms} "));
    0
}

fn start(
    world: &mut World,
    body: unsafe extern "C" fn(*mut pirn_hub, *mut c_void) -> c_int,
    user: usize,
) -> *mut pirn_fiber {
    let fiber: &mut pirn_fiber = Box::leak(Box::new(unsafe { std::mem::zeroed() }));
    let stack = vec![0u8; 16384].leak();
    let rc = unsafe {
        pirn_fiber_start(
            &mut *world.hub,
            fiber,
            stack.as_mut_ptr().cast(),
            stack.len(),
            0,
            Some(body),
            user as *mut c_void,
        )
    };
    assert_eq!(rc, 0);
    fiber
}

#[test]
fn fibers_take_turns() {
    let mut world = world();
    let first = start(&mut world, takes_turns, 0);
    start(&mut world, takes_turns, 1);
    assert_eq!(unsafe { pirn_run(world.event_loop) }, PIRN_DONE);
    assert_eq!(LOG.take(), "ababab");
    assert_eq!(unsafe { (*first).result.get() }, 7);
}

#[test]
fn sleepers_wake_in_the_order_of_their_delays() {
    let mut world = world();
    for ms in [30, 10, 20, 5] {
        start(&mut world, sleeps, ms);
    }
    let hub = &raw mut *world.hub;
    let last = start(&mut world, sleeps, 40);
    let waiter = unsafe { pirn_fiber_self(hub) };
    let begun = unsafe { pirn_fiber_join_start(last, waiter, PIRN_FOREVER) };
    assert_eq!(unsafe { pirn_fiber_await(hub, begun) }, 0);
    assert_eq!(LOG.take(), "5 10 20 30 40 ");
}
