//! pirn, through its Rust interface. Each watcher, timer, task and message of the harness begins
//! with the function to be called and room for a handle.

use pirn::{
    BackendKind, Config, Core, Duration, Interest, Io, IoEvent, Loop as PirnLoop, Memory, Remote,
    Repeat, Storage, Timer, TimerEvent, When,
};

type Loop = PirnLoop<'static, ()>;

/// A handle is the first or the second, both are two numbers.
#[repr(C)]
union Handle {
    io: Io,
    timer: Timer,
}

#[repr(C)]
pub struct Called {
    callback: unsafe extern "C" fn(*mut Called),
    handle: Handle,
}

/// # Safety
/// `called` lives.
unsafe fn call(called: *mut Called) {
    unsafe { ((*called).callback)(called) };
}

fn on_io(_: &mut Core<'_, ()>, _: &mut (), event: IoEvent<*mut Called>) {
    unsafe { call(event.user) };
}

fn on_timer(_: &mut Core<'_, ()>, _: &mut (), event: TimerEvent<*mut Called>) {
    unsafe { call(event.user) };
}

fn on_task(_: &mut Core<'_, ()>, _: &mut (), task: *mut Called) {
    unsafe { call(task) };
}

/// What is posted is sent to the loop's thread, and a pointer is not `Send`.
fn on_post(_: &mut Core<'_, ()>, _: &mut (), post: usize) {
    unsafe { call(post as *mut Called) };
}

/// Zeroed and never given back, as the C adapter gives it.
fn memory<const IO: usize, const TIMERS: usize, const TASKS: usize>() -> Memory<'static> {
    let storage: Box<Storage<IO, TIMERS, TASKS>> = unsafe { Box::new_zeroed().assume_init() };
    Box::leak(storage).into()
}

/// A program knows its sizes; the workloads come in these.
#[unsafe(no_mangle)]
extern "C" fn pirn_rust_open(io: u32, timers: u32, threads: bool) -> *mut Loop {
    let memory = match (io, timers) {
        (_, 110_000..) => memory::<16, 1_001_010, 16>(),
        (_, 2_000..) => memory::<16, 101_010, 16>(),
        (1_100.., _) => memory::<4_010, 16, 16>(),
        _ => memory::<1_100, 2_000, 8_200>(),
    };
    let config = Config {
        backend: BackendKind::Epoll,
        ..Config::default()
    };
    let mut event_loop = Loop::new(memory, config).unwrap();
    if threads {
        event_loop.hold().unwrap();
    }
    Box::into_raw(Box::new(event_loop))
}

functions! {
    pirn_rust_turn(this: Loop, waits: bool) -> () {
        (*this).turn(if waits { Duration::FOREVER } else { Duration::ZERO }, &mut ()).unwrap();
    }
    pirn_rust_run(this: Loop) -> () {
        (*this).run(&mut ()).unwrap();
    }
    pirn_rust_stop(this: Loop) -> () {
        (*this).remote().stop().unwrap();
    }
    pirn_rust_update(this: Loop) -> () {
        (*this).update();
    }
    pirn_rust_io_add(this: Loop, io: *mut Called, fd: i32) -> () {
        (*io).handle.io = (*this).io_add(fd, Interest::READ, on_io, io).unwrap();
    }
    pirn_rust_io_modify(this: Loop, io: *mut Called, interest: u32) -> () {
        (*this).io_modify((*io).handle.io, Interest::from_bits_truncate(interest)).unwrap();
    }
    pirn_rust_io_remove(this: Loop, io: *mut Called) -> () {
        (*this).io_remove((*io).handle.io).unwrap();
    }
    pirn_rust_timer_add(this: Loop, timer: *mut Called, delay: u64) -> () {
        let (when, once) = (When::AfterCached(Duration::from_nanos(delay)), Repeat::Never);
        (*timer).handle.timer = (*this).timer_start(when, once, on_timer, timer).unwrap();
    }
    pirn_rust_timer_push(this: Loop, timer: *mut Called, delay: u64) -> () {
        (*this).timer_again((*timer).handle.timer, Duration::from_nanos(delay)).unwrap();
    }
    pirn_rust_timer_cancel(this: Loop, timer: *mut Called) -> () {
        (*this).timer_stop((*timer).handle.timer).unwrap();
    }
    pirn_rust_task_defer(this: Loop, task: *mut Called) -> () {
        (*this).task_post(on_task, task).unwrap();
    }
    pirn_rust_remote(this: Loop) -> *mut Remote<'static, ()> {
        Box::into_raw(Box::new((*this).remote()))
    }
    pirn_rust_post(this: Remote<'static, ()>, post: *mut Called) -> bool {
        (*this).post(on_post, post as usize).is_ok()
    }
}
