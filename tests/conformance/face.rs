#![expect(unsafe_code, reason = "the functions for C are called")]
//! A loop as the claims see it: made by the Rust interface or by the C functions.
//!
//! Both have the same methods here, so that one claim is made of both. What only the Rust interface
//! has is reached by dereferencing; a claim that does so is made of that interface alone.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null, null_mut, without_provenance_mut};

use pirn::ffi::*;
use pirn::{
    BackendKind, Capabilities, Config, Core, Duration, Ended, Error, Hook, Host, Instant, Interest,
    Io, IoEvent, Limit, Loop, Memory, Ready, Repeat, Result, Stats, Task, Timer, TimerEvent, Wake,
    When,
};

use crate::bench::Context;
use crate::world::World;

/// What callbacks of the Rust interface receive.
type RustCore<'l, W> = Core<'l, Context<W>, <W as World>::Host>;

/// A whole loop, as its owner has it.
#[expect(clippy::large_enum_variant, reason = "a test has one of them")]
pub enum Whole<'s, W: World> {
    Rust(Loop<'s, Context<W>, W::Host>),
    C(COwned),
}

/// What callbacks receive.
pub struct Lp<'a, 'l, W: World>(Face<'a, 'l, W>);

/// One of the two.
enum Face<'a, 'l, W: World> {
    Rust(&'a mut RustCore<'l, W>),
    C(*mut pirn_loop),
}

/// A loop for C, its block, and its host if it has one.
pub struct COwned {
    raw: *mut pirn_loop,
    block: Vec<u64>,
}

impl Drop for COwned {
    fn drop(&mut self) {
        // Another thread may just be posting.
        // SAFETY: a live loop; nothing of it is used afterwards.
        while unsafe { pirn_deinit(self.raw) } != 0 {
            std::thread::yield_now();
        }
    }
}

thread_local! {
    /// The context of the turn under way, for the callbacks of loops for C.
    static CONTEXT: Cell<*mut c_void> = const { Cell::new(null_mut()) };
}

/// Keeps the context for callbacks while `act` makes them.
fn with_context<W: World>(context: &mut Context<W>, act: impl FnOnce() -> c_int) -> c_int {
    let outer = CONTEXT.replace((&raw mut *context).cast());
    let result = act();
    CONTEXT.set(outer);
    result
}

/// The context of the turn under way.
fn context<'a, W: World>() -> &'a mut Context<W> {
    // SAFETY: callbacks are called inside `with_context` alone, for a bench of the same world,
    // whose borrow of the context ends after the turn.
    unsafe { &mut *CONTEXT.get().cast::<Context<W>>() }
}

/// A function by its type: functions and closures that capture nothing have no size.
fn function<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0) };
    // SAFETY: a value without bytes is read from anywhere, and its type is that of a value which
    // the caller of this function's caller had.
    unsafe { NonNull::<F>::dangling().read() }
}

unsafe extern "C" fn call_io<W: World, F>(
    raw: *mut pirn_loop,
    io: pirn_io,
    fd: c_int,
    ready: u32,
    user: *mut c_void,
) where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, IoEvent) + Copy,
{
    let event = IoEvent {
        io: io_of(io),
        fd,
        ready: Ready::from_bits_truncate(ready),
        user: user.addr(),
    };
    function::<F>()(&mut Lp(Face::C(raw)), context(), event);
}

unsafe extern "C" fn call_timer<W: World, F>(
    raw: *mut pirn_loop,
    timer: pirn_timer,
    missed: u64,
    user: *mut c_void,
) where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy,
{
    let event = TimerEvent {
        timer: timer_of(timer),
        missed,
        user: user.addr(),
    };
    function::<F>()(&mut Lp(Face::C(raw)), context(), event);
}

unsafe extern "C" fn call_task<W: World, F>(raw: *mut pirn_loop, user: *mut c_void)
where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, usize) + Copy,
{
    function::<F>()(&mut Lp(Face::C(raw)), context(), user.addr());
}

const fn number(slot: u32, generation: u32) -> u64 {
    slot as u64 | (generation as u64) << 32
}

fn io_of(io: pirn_io) -> Io {
    Io::from_u64(number(io.slot, io.generation))
}

fn timer_of(timer: pirn_timer) -> Timer {
    Timer::from_u64(number(timer.slot, timer.generation))
}

fn c_io(io: Io) -> pirn_io {
    let number = io.to_u64();
    pirn_io {
        slot: number as u32,
        generation: (number >> 32) as u32,
    }
}

fn c_timer(timer: Timer) -> pirn_timer {
    let number = timer.to_u64();
    pirn_timer {
        slot: number as u32,
        generation: (number >> 32) as u32,
    }
}

fn c_task(task: Task) -> pirn_task {
    let number = task.to_u64();
    pirn_task {
        slot: number as u32,
        generation: (number >> 32) as u32,
    }
}

/// What a function for C returned: a number, or a negative errno.
fn count(result: c_int) -> Result<u32> {
    u32::try_from(result).map_err(|_| Error::from_errno(-result))
}

fn done(result: c_int) -> Result<()> {
    count(result).map(drop)
}

/// The watcher that a function for C adds.
fn added(add: impl FnOnce(&mut pirn_io) -> c_int) -> Result<Io> {
    let mut io = c_io(Io::default());
    done(add(&mut io))?;
    Ok(io_of(io))
}

fn ended(result: c_int) -> Result<Ended> {
    Ok(match count(result)? {
        0 => Ended::Done,
        1 => Ended::Stopped,
        _ => Ended::Expired,
    })
}

/// The delay, the period and the options that `pirn_timer_start` wants.
fn c_start(when: When, repeat: Repeat) -> (u64, u64, u32) {
    let (delay, options) = match when {
        When::After(delay) => (delay.as_nanos(), 0),
        When::AfterCached(delay) => (delay.as_nanos(), PIRN_TIMER_CACHED),
        When::At(deadline) => (deadline.as_nanos(), PIRN_TIMER_ABSOLUTE),
    };
    let (period, policy) = match repeat {
        Repeat::Never => (Duration::ZERO, 0),
        Repeat::FixedRate(period) => (period, 0),
        Repeat::FixedDelay(period) => (period, PIRN_TIMER_FIXED_DELAY),
        Repeat::SkipMissed(period) => (period, PIRN_TIMER_SKIP),
    };
    (delay, period.as_nanos(), options | policy)
}

fn word(user: usize) -> *mut c_void {
    without_provenance_mut(user)
}

/// Makes the methods that a whole loop and one in a callback have in common.
///
/// The SAFETY of each call of a function for C is the same: the loop is live, and handles,
/// callbacks and outputs are valid as the function wants them.
macro_rules! common {
    ([$($generics:tt)*] $type:ty) => {
        #[allow(dead_code, reason = "not every method is called in callbacks")]
        #[expect(clippy::undocumented_unsafe_blocks, reason = "documented at the macro")]
        impl<$($generics)*, W: World> $type {
            pub fn io_add<F>(
                &mut self,
                fd: i32,
                interest: Interest,
                callback: F,
                user: usize,
            ) -> Result<Io>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, IoEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.io_add(fd, interest, rust_io(callback), user),
                    Face::C(raw) => added(|io| unsafe {
                        let call = Some(call_io::<W, F> as _);
                        pirn_io_add(raw, fd, interest.bits(), call, word(user), io)
                    }),
                }
            }

            pub fn io_set_callback<F>(&mut self, io: Io, callback: F, user: usize) -> Result<()>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, IoEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.io_set_callback(io, rust_io(callback), user),
                    Face::C(raw) => done(unsafe {
                        pirn_io_set_callback(raw, c_io(io), Some(call_io::<W, F>), word(user))
                    }),
                }
            }

            pub fn io_modify(&mut self, io: Io, interest: Interest) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.io_modify(io, interest),
                    Face::C(raw) => done(unsafe { pirn_io_modify(raw, c_io(io), interest.bits()) }),
                }
            }

            pub fn io_remove(&mut self, io: Io) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.io_remove(io),
                    Face::C(raw) => done(unsafe { pirn_io_remove(raw, c_io(io)) }),
                }
            }

            pub fn io_feed(&mut self, io: Io, ready: Ready) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.io_feed(io, ready),
                    Face::C(raw) => done(unsafe { pirn_io_feed(raw, c_io(io), ready.bits()) }),
                }
            }

            pub fn io_set_reference(&mut self, io: Io, holds: bool) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.io_set_reference(io, holds),
                    Face::C(raw) if holds => done(unsafe { pirn_io_ref(raw, c_io(io)) }),
                    Face::C(raw) => done(unsafe { pirn_io_unref(raw, c_io(io)) }),
                }
            }

            pub fn fd_closing(&mut self, fd: i32) -> Result<u32> {
                match self.face() {
                    Face::Rust(core) => core.fd_closing(fd),
                    Face::C(raw) => count(unsafe { pirn_fd_closing(raw, fd) }),
                }
            }

            pub fn raise_add<F>(
                &mut self,
                bit: u32,
                options: Interest,
                callback: F,
                user: usize,
            ) -> Result<Io>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, IoEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.raise_add(bit, options, rust_io(callback), user),
                    Face::C(raw) => added(|io| unsafe {
                        let call = Some(call_io::<W, F> as _);
                        pirn_raise_add(raw, bit, options.bits(), call, word(user), io)
                    }),
                }
            }

            pub fn hook_add<F>(
                &mut self,
                when: Hook,
                options: Interest,
                callback: F,
                user: usize,
            ) -> Result<Io>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, IoEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.hook_add(when, options, rust_io(callback), user),
                    Face::C(raw) => {
                        let when = match when {
                            Hook::First => PIRN_HOOK_FIRST,
                            Hook::Last => PIRN_HOOK_LAST,
                            Hook::Idle => PIRN_HOOK_IDLE,
                        };
                        added(|io| unsafe {
                            let call = Some(call_io::<W, F> as _);
                            pirn_hook_add(raw, when, options.bits(), call, word(user), io)
                        })
                    }
                }
            }

            pub fn timer_start<F>(
                &mut self,
                when: When,
                repeat: Repeat,
                callback: F,
                user: usize,
            ) -> Result<Timer>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.timer_start(when, repeat, rust_timer(callback), user),
                    Face::C(raw) => c_timer_start::<W, F>(raw, when, repeat, 0, user),
                }
            }

            pub fn timer_start_unreferenced<F>(
                &mut self,
                when: When,
                repeat: Repeat,
                callback: F,
                user: usize,
            ) -> Result<Timer>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => {
                        core.timer_start_unreferenced(when, repeat, rust_timer(callback), user)
                    }
                    Face::C(raw) => c_timer_start::<W, F>(raw, when, repeat, PIRN_UNREF, user),
                }
            }

            pub fn timer_set<F>(
                &mut self,
                timer: &mut Timer,
                when: When,
                repeat: Repeat,
                callback: F,
                user: usize,
            ) -> Result<()>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => {
                        core.timer_set(timer, when, repeat, rust_timer(callback), user)
                    }
                    Face::C(raw) => {
                        is_periodic_or_never(repeat)?;
                        let (delay, period, options) = c_start(when, repeat);
                        let (mut handle, call) = (c_timer(*timer), call_timer::<W, F>);
                        let result = unsafe {
                            pirn_timer_set(
                                raw, &mut handle, delay, period, options, Some(call), word(user),
                            )
                        };
                        *timer = timer_of(handle);
                        done(result)
                    }
                }
            }

            pub fn timer_set_callback<F>(
                &mut self,
                timer: Timer,
                callback: F,
                user: usize,
            ) -> Result<()>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.timer_set_callback(timer, rust_timer(callback), user),
                    Face::C(raw) => done(unsafe {
                        pirn_timer_set_callback(
                            raw, c_timer(timer), Some(call_timer::<W, F>), word(user),
                        )
                    }),
                }
            }

            pub fn timer_again(&mut self, timer: Timer, delay: Duration) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.timer_again(timer, delay),
                    Face::C(raw) => done(unsafe {
                        pirn_timer_again(raw, c_timer(timer), delay.as_nanos())
                    }),
                }
            }

            pub fn timer_stop(&mut self, timer: Timer) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.timer_stop(timer),
                    Face::C(raw) => done(unsafe { pirn_timer_stop(raw, c_timer(timer)) }),
                }
            }

            pub fn timer_remaining(&mut self, timer: Timer) -> Result<Duration> {
                match self.face() {
                    Face::Rust(core) => core.timer_remaining(timer),
                    Face::C(raw) => {
                        let mut remaining = 0;
                        done(unsafe { pirn_timer_remaining(raw, c_timer(timer), &mut remaining) })?;
                        Ok(Duration::from_nanos(remaining))
                    }
                }
            }

            pub fn timer_slack(&mut self, timer: Timer, slack: Duration) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.timer_slack(timer, slack),
                    Face::C(raw) => done(unsafe {
                        pirn_timer_slack(raw, c_timer(timer), slack.as_nanos())
                    }),
                }
            }

            pub fn timer_set_reference(&mut self, timer: Timer, holds: bool) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.timer_set_reference(timer, holds),
                    Face::C(raw) if holds => done(unsafe { pirn_timer_ref(raw, c_timer(timer)) }),
                    Face::C(raw) => done(unsafe { pirn_timer_unref(raw, c_timer(timer)) }),
                }
            }

            pub fn task_post<F>(&mut self, callback: F, user: usize) -> Result<Task>
            where
                F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, usize) + Copy + 'static,
            {
                match self.face() {
                    Face::Rust(core) => core.task_post(rust_task(callback), user),
                    Face::C(raw) => {
                        let (mut task, call) = (c_task(Task::default()), call_task::<W, F>);
                        done(unsafe { pirn_task_post(raw, Some(call), word(user), &mut task) })?;
                        Ok(Task::from_u64(number(task.slot, task.generation)))
                    }
                }
            }

            pub fn task_cancel(&mut self, task: Task) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.task_cancel(task),
                    Face::C(raw) => done(unsafe { pirn_task_cancel(raw, c_task(task)) }),
                }
            }

            /// The user's word of a post that has not run.
            pub fn task_reclaim(&mut self) -> Option<usize> {
                match self.face() {
                    Face::Rust(core) => core.task_reclaim().map(|due| due.event().user().addr()),
                    Face::C(raw) => {
                        let (mut callback, mut user) = (None, null_mut());
                        let result = unsafe { pirn_task_reclaim(raw, &mut callback, &mut user) };
                        assert_eq!(result == 1, callback.is_some());
                        (count(result) == Ok(1)).then(|| user.addr())
                    }
                }
            }

            pub fn remote(&mut self) -> Remote<'l, W> {
                match self.face() {
                    Face::Rust(core) => Remote::Rust(core.remote()),
                    Face::C(raw) => Remote::C(CRemote(raw)),
                }
            }

            pub fn now(&mut self) -> Instant {
                match self.face() {
                    Face::Rust(core) => core.now(),
                    Face::C(raw) => Instant::from_nanos(unsafe { pirn_now(raw) }),
                }
            }

            pub fn update(&mut self) -> Instant {
                match self.face() {
                    Face::Rust(core) => core.update(),
                    Face::C(raw) => Instant::from_nanos(unsafe { pirn_update(raw) }),
                }
            }

            pub fn next_deadline(&mut self) -> Instant {
                match self.face() {
                    Face::Rust(core) => core.next_deadline(),
                    Face::C(raw) => Instant::from_nanos(unsafe { pirn_deadline(raw) }),
                }
            }

            pub fn hold(&mut self) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.hold(),
                    Face::C(raw) => done(unsafe { pirn_hold(raw) }),
                }
            }

            pub fn release(&mut self) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.release(),
                    Face::C(raw) => done(unsafe { pirn_release(raw) }),
                }
            }

            pub fn set_limit(&mut self, limit: Limit) {
                match self.face() {
                    Face::Rust(core) => core.set_limit(limit),
                    Face::C(raw) => {
                        done(unsafe {
                            pirn_limit(raw, limit.callbacks, limit.time.as_nanos())
                        }).unwrap();
                    }
                }
            }

            pub fn stats(&mut self) -> Stats {
                match self.face() {
                    Face::Rust(core) => core.stats(),
                    Face::C(raw) => c_stats(raw),
                }
            }

            pub fn verify(&mut self) -> Result<()> {
                match self.face() {
                    Face::Rust(core) => core.verify(),
                    Face::C(raw) => done(unsafe { pirn_verify(raw) }),
                }
            }
        }
    };
}

common!(['l] Whole<'l, W>);
common!(['a, 'l] Lp<'a, 'l, W>);

/// The Rust interface refuses a period of 0; C knows it as "one-shot".
fn is_periodic_or_never(repeat: Repeat) -> Result<()> {
    match repeat {
        Repeat::FixedRate(Duration::ZERO) => Err(Error::EINVAL),
        _ => Ok(()),
    }
}

fn c_timer_start<W: World, F>(
    raw: *mut pirn_loop,
    when: When,
    repeat: Repeat,
    more: u32,
    user: usize,
) -> Result<Timer>
where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy + 'static,
{
    is_periodic_or_never(repeat)?;
    let (delay, period, options) = c_start(when, repeat);
    let (mut timer, call) = (c_timer(Timer::default()), call_timer::<W, F>);
    let (options, user) = (options | more, word(user));
    // SAFETY: a live loop, a callback for such a word, and room for a handle.
    let result =
        unsafe { pirn_timer_start(raw, delay, period, options, Some(call), user, &mut timer) };
    done(result)?;
    Ok(timer_of(timer))
}

fn c_stats(raw: *mut pirn_loop) -> Stats {
    // SAFETY: all of it is numbers.
    let mut counted: pirn_stats = unsafe { std::mem::zeroed() };
    counted.size = size_of::<pirn_stats>() as u32;
    // SAFETY: a live loop, and room for as many bytes as is said.
    done(unsafe { pirn_stats(raw, &mut counted) }).unwrap();
    // SAFETY: the counters of both stand in the same order; the library asserts it.
    unsafe { (&raw const counted.turns).cast::<Stats>().read() }
}

fn rust_io<W: World, F>(
    callback: F,
) -> impl Fn(&mut RustCore<'_, W>, &mut Context<W>, IoEvent) + Copy + 'static
where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, IoEvent) + Copy + 'static,
{
    move |core, context, event| callback(&mut Lp(Face::Rust(core)), context, event)
}

fn rust_timer<W: World, F>(
    callback: F,
) -> impl Fn(&mut RustCore<'_, W>, &mut Context<W>, TimerEvent) + Copy + 'static
where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, TimerEvent) + Copy + 'static,
{
    move |core, context, event| callback(&mut Lp(Face::Rust(core)), context, event)
}

fn rust_task<W: World, F>(
    callback: F,
) -> impl Fn(&mut RustCore<'_, W>, &mut Context<W>, usize) + Copy + 'static + use<W, F>
where
    F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, usize) + Copy + 'static,
{
    move |core, context, user| callback(&mut Lp(Face::Rust(core)), context, user)
}

impl<'l, W: World> Lp<'_, 'l, W> {
    fn face(&mut self) -> Face<'_, 'l, W> {
        match &mut self.0 {
            Face::Rust(core) => Face::Rust(core),
            Face::C(raw) => Face::C(*raw),
        }
    }
}

const RUST_ALONE: &str = "a claim about the Rust interface alone";

impl<'l, W: World> Deref for Lp<'_, 'l, W> {
    type Target = RustCore<'l, W>;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Face::Rust(core) => core,
            Face::C(_) => panic!("{RUST_ALONE}"),
        }
    }
}

impl<W: World> DerefMut for Lp<'_, '_, W> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.0 {
            Face::Rust(core) => core,
            Face::C(_) => panic!("{RUST_ALONE}"),
        }
    }
}

impl<'s, W: World> Deref for Whole<'s, W> {
    type Target = Loop<'s, Context<W>, W::Host>;

    fn deref(&self) -> &Self::Target {
        match self {
            Whole::Rust(event_loop) => event_loop,
            Whole::C(_) => panic!("{RUST_ALONE}"),
        }
    }
}

impl<W: World> DerefMut for Whole<'_, W> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Whole::Rust(event_loop) => event_loop,
            Whole::C(_) => panic!("{RUST_ALONE}"),
        }
    }
}

/// What its owner alone does with a loop.
#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the loop is live; outputs are valid"
)]
impl<'s, W: World> Whole<'s, W> {
    /// Opens a loop in a world: for C with a block of its own, of the same capacities.
    pub fn open(world: &W, memory: Memory<'s>, config: Config) -> Result<Self> {
        if W::IS_C {
            COwned::open(world, memory, config).map(Whole::C)
        } else {
            world.open(memory, config).map(Whole::Rust)
        }
    }

    fn face(&mut self) -> Face<'_, 's, W> {
        match self {
            Whole::Rust(event_loop) => Face::Rust(event_loop),
            Whole::C(owned) => Face::C(owned.raw),
        }
    }

    pub fn backend(&self) -> BackendKind {
        match self {
            Whole::Rust(event_loop) => event_loop.backend(),
            Whole::C(owned) => kind(unsafe { pirn_backend(owned.raw) }),
        }
    }

    pub fn run_until(&mut self, deadline: Instant, context: &mut Context<W>) -> Result<Ended> {
        match self {
            Whole::Rust(event_loop) => event_loop.run_until(deadline, context),
            Whole::C(owned) => ended(with_context(context, || unsafe {
                pirn_run_until(owned.raw, deadline.as_nanos())
            })),
        }
    }

    pub fn run(&mut self, context: &mut Context<W>) -> Result<Ended> {
        match self {
            Whole::Rust(event_loop) => event_loop.run(context),
            Whole::C(owned) => ended(with_context(context, || unsafe { pirn_run(owned.raw) })),
        }
    }

    pub fn turn(&mut self, timeout: Duration, context: &mut Context<W>) -> Result<u32> {
        match self {
            Whole::Rust(event_loop) => event_loop.turn(timeout, context),
            Whole::C(owned) => count(with_context(context, || unsafe {
                pirn_turn(owned.raw, timeout.as_nanos())
            })),
        }
    }

    pub fn prepare(&mut self, limit: Duration) -> Result<Duration> {
        match self {
            Whole::Rust(event_loop) => event_loop.prepare(limit),
            Whole::C(owned) => {
                let mut timeout = 0;
                done(unsafe { pirn_prepare(owned.raw, limit.as_nanos(), &mut timeout) })?;
                Ok(Duration::from_nanos(timeout))
            }
        }
    }

    pub fn wait(&mut self, timeout: Duration) -> Result<usize> {
        match self {
            Whole::Rust(event_loop) => event_loop.wait(timeout),
            Whole::C(owned) => count(unsafe { pirn_wait(owned.raw, timeout.as_nanos()) })
                .map(|found| found as usize),
        }
    }

    pub fn dispatch(&mut self, context: &mut Context<W>) -> u32 {
        match self {
            Whole::Rust(event_loop) => event_loop.dispatch(context),
            Whole::C(owned) => count(with_context(context, || unsafe {
                pirn_dispatch(owned.raw)
            }))
            .unwrap(),
        }
    }

    pub fn ended(&mut self) -> Option<Ended> {
        match self {
            Whole::Rust(event_loop) => event_loop.ended(),
            Whole::C(owned) => match unsafe { pirn_ended(owned.raw) } {
                PIRN_GOING => None,
                result => ended(result).ok(),
            },
        }
    }

    pub fn pollable_fd(&mut self) -> Result<i32> {
        match self {
            Whole::Rust(event_loop) => event_loop.pollable_fd(),
            Whole::C(owned) => count(unsafe { pirn_fd(owned.raw) }).map(|fd| fd as i32),
        }
    }

    pub fn after_fork(&mut self) -> Result<()> {
        match self {
            Whole::Rust(event_loop) => event_loop.after_fork(),
            Whole::C(owned) => done(unsafe { pirn_after_fork(owned.raw) }),
        }
    }

    pub fn grow(&mut self, memory: impl Into<Memory<'s>>) -> Result<()> {
        match self {
            Whole::Rust(event_loop) => event_loop.grow(memory),
            Whole::C(owned) => owned.grow(memory.into()),
        }
    }
}

fn kind(number: c_int) -> BackendKind {
    let all = [BackendKind::Select, BackendKind::Poll, BackendKind::Epoll];
    let found = all.into_iter().find(|kind| *kind as c_int == number);
    found.unwrap_or(BackendKind::Host)
}

/// How many watchers, timers and tasks a memory is for: a loop that lives in it for a moment tells.
fn capacity(memory: Memory<'_>) -> (u32, u32, u32) {
    let config = Config {
        backend: BackendKind::Poll,
        ..Config::default()
    };
    let stats = Loop::<()>::new(memory, config).unwrap().stats();
    (stats.io_capacity, stats.timer_capacity, stats.task_capacity)
}

fn block(io: u32, timers: u32, tasks: u32) -> Vec<u64> {
    vec![u64::MAX / 3; pirn_storage_size(io, timers, tasks).div_ceil(8)]
}

impl COwned {
    fn open<W: World>(world: &W, memory: Memory<'_>, config: Config) -> Result<Self> {
        let (io, timers, tasks) = capacity(memory);
        let mut block = block(io, timers, tasks);
        let host = world.host().map(c_host);
        let option = |is_set, option| if is_set { option } else { 0 };
        let config = pirn_config {
            size: size_of::<pirn_config>() as u32,
            backend: W::KIND as u32,
            io,
            timers,
            tasks,
            flags: option(config.measure, PIRN_MEASURE)
                | option(config.no_fork_check, PIRN_NO_FORK_CHECK),
            seed: config.seed,
            reserved: 0,
            host: host.as_ref().map_or(null(), |host| &raw const *host),
        };
        let mut raw = null_mut();
        let (memory, size) = (block.as_mut_ptr().cast(), size_of_val(&*block));
        // SAFETY: the block is writable and lives as long as the loop.
        done(unsafe { pirn_init(&mut raw, memory, size, &config) })?;
        Ok(COwned { raw, block })
    }

    fn grow(&mut self, memory: Memory<'_>) -> Result<()> {
        let (io, timers, tasks) = capacity(memory);
        let mut new = block(io, timers, tasks);
        let (memory, size) = (new.as_mut_ptr().cast(), size_of_val(&*new));
        let (free, free_size) = (null_mut(), null_mut());
        // SAFETY: the new block is writable and lives as long as the loop, and so does the first
        // one, in which the fixed part stays.
        let result =
            unsafe { pirn_grow(self.raw, memory, size, io, timers, tasks, free, free_size) };
        done(result)?;
        // The first block has the fixed part, a former second one may be in use no more: all live
        // as long as the process.
        std::mem::forget(std::mem::replace(&mut self.block, new));
        Ok(())
    }
}

/// A host, and its waker apart, which other threads use.
struct Bridge<H: Host> {
    host: H,
    waker: H::Waker,
}

/// A host for C that is made of one in Rust. It lives as long as the process: threads may still
/// wake it when its loop is gone.
fn c_host<H: Host>(host: H) -> pirn_host {
    fn result(result: Result<usize>) -> c_int {
        result.map_or_else(|error| -error.errno(), |count| count as c_int)
    }
    unsafe extern "C" fn now<H: Host>(user: *mut c_void) -> u64 {
        // SAFETY: `user` is the bridge, and the loop's thread alone uses its host.
        unsafe { &mut (*user.cast::<Bridge<H>>()).host }
            .now()
            .as_nanos()
    }
    unsafe extern "C" fn wait<H: Host>(
        timeout_ns: u64,
        ready: *mut pirn_ready,
        capacity: usize,
        user: *mut c_void,
    ) -> c_int {
        // SAFETY: as in `now`.
        let host = unsafe { &mut (*user.cast::<Bridge<H>>()).host };
        // SAFETY: the loop lends room for so many, all initialised; both structs have the same two
        // fields.
        let room = unsafe { std::slice::from_raw_parts_mut(ready.cast(), capacity) };
        result(host.wait(Duration::from_nanos(timeout_ns), room))
    }
    unsafe extern "C" fn watch<H: Host>(fd: c_int, interest: u32, user: *mut c_void) -> c_int {
        // SAFETY: as in `now`.
        let host = unsafe { &mut (*user.cast::<Bridge<H>>()).host };
        let watched = host.watch(fd, Interest::from_bits_truncate(interest));
        result(watched.map(|()| 0))
    }
    unsafe extern "C" fn wake<H: Host>(user: *mut c_void) {
        // SAFETY: `user` is the bridge; wakers are copied, and may be used by any thread.
        let waker = unsafe { (*user.cast::<Bridge<H>>()).waker };
        waker.wake().unwrap();
    }
    let options = Capabilities::EDGE | Capabilities::EXCLUSIVE;
    let (capabilities, waker) = (host.capabilities() & options, host.waker());
    let bridge = Box::leak(Box::new(Bridge { host, waker }));
    pirn_host {
        size: size_of::<pirn_host>() as u32,
        capabilities: capabilities.bits(),
        user: (&raw mut *bridge).cast(),
        now: Some(now::<H>),
        wait: Some(wait::<H>),
        watch: Some(watch::<H>),
        wake: Some(wake::<H>),
    }
}

/// What other threads have of a loop.
pub enum Remote<'l, W: World> {
    Rust(pirn::Remote<'l, Context<W>, W::Host>),
    C(CRemote),
}

/// A loop for C, of which only the functions for any thread are called.
#[derive(Clone, Copy)]
pub struct CRemote(*mut pirn_loop);

// SAFETY: the functions called with it are for any thread.
unsafe impl Send for CRemote {}
// SAFETY: as above.
unsafe impl Sync for CRemote {}

impl<W: World> Clone for Remote<'_, W> {
    fn clone(&self) -> Self {
        match self {
            Remote::Rust(remote) => Remote::Rust(*remote),
            Remote::C(remote) => Remote::C(*remote),
        }
    }
}

#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the loop is live; the functions are for any thread"
)]
impl<W: World> Remote<'_, W> {
    pub fn post<F>(&self, callback: F, user: usize) -> Result<()>
    where
        F: Fn(&mut Lp<'_, '_, W>, &mut Context<W>, usize) + Copy + Send + 'static,
    {
        match self {
            Remote::Rust(remote) => remote.post(rust_task(callback), user),
            Remote::C(CRemote(raw)) => {
                done(unsafe { pirn_remote_post(*raw, Some(call_task::<W, F>), word(user)) })
            }
        }
    }

    pub fn raise(&self, bit: u32) -> Result<()> {
        match self {
            Remote::Rust(remote) => remote.raise(bit),
            Remote::C(CRemote(raw)) => done(unsafe { pirn_raise(*raw, bit) }),
        }
    }

    pub fn wake(&self) -> Result<()> {
        match self {
            Remote::Rust(remote) => remote.wake(),
            Remote::C(CRemote(raw)) => done(unsafe { pirn_wake(*raw) }),
        }
    }

    pub fn stop(&self) -> Result<()> {
        match self {
            Remote::Rust(remote) => remote.stop(),
            Remote::C(CRemote(raw)) => done(unsafe { pirn_stop(*raw) }),
        }
    }
}
