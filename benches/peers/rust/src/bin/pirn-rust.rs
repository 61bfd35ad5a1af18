//! pirn, through its Rust interface.

use std::os::fd::RawFd;
use std::time::Duration;

use peers::bench::wrong;
use peers::{Handler, Interest, Library, Limits};
use pirn::{Config, FOREVER, Io, IoEvent, Kind, Loop as PirnLoop, Memory, Remote, Repeat, Storage, Timer, TimerEvent, When};

struct Pirn;

/// What callbacks get.
struct World<H: Handler<Pirn>> {
    context: Context<H>,
    handler: H,
}

/// A workload's callback takes one argument for the loop and what belongs to it; so the loop is reached by its address, which is
/// that of the box in [`Loop`], and of the loop that a callback is given.
struct Context<H: Handler<Pirn>> {
    event_loop: *mut PirnLoop<'static, World<H>>,
    ios: Vec<Option<Io>>,
    timers: Vec<Option<Timer>>,
}

impl<H: Handler<Pirn>> Context<H> {
    #[inline(always)]
    fn event_loop(&mut self) -> &mut PirnLoop<'static, World<H>> {
        // SAFETY: a context is only handed out while the loop it belongs to lives, and while nobody else uses it: by `parts`, and
        // by the callbacks below, which do not touch the loop themselves.
        unsafe { &mut *self.event_loop }
    }
}

struct Loop<H: Handler<Pirn>> {
    event_loop: *mut PirnLoop<'static, World<H>>,
    world: World<H>,
}

fn failed<T>(error: pirn::Error) -> T {
    wrong(&format!("{error:?}"))
}

/// Zeroed, its pages there already, and not from the heap, whose use is counted; as the C workloads give it. Never given back.
fn zeroed<const IO: usize, const TIMERS: usize, const TASKS: usize>() -> Memory<'static> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    let size = size_of::<Storage<IO, TIMERS, TASKS>>();
    // SAFETY: new memory, wherever the kernel likes.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        wrong("no memory");
    }
    // SAFETY: large enough, aligned to a page, and all zero is what `Storage::new` makes, as far as it is not uninitialised.
    unsafe { &mut *memory.cast::<Storage<IO, TIMERS, TASKS>>() }.into()
}

/// A program knows its sizes; the workloads come in these.
fn memory(limits: Limits) -> Memory<'static> {
    match limits {
        Limits { timers: 110_000.., .. } => zeroed::<16, 1_001_010, 16>(),
        Limits { timers: 2_000.., .. } => zeroed::<16, 101_010, 16>(),
        Limits { posts: 5_000.., .. } | Limits { tasks: 5_000.., .. } => zeroed::<1100, 1100, 33_000>(),
        Limits { io: 2_000.., .. } => zeroed::<17_000, 16, 16>(),
        _ => zeroed::<1100, 2_000, 8_200>(),
    }
}

fn on_io<H: Handler<Pirn>>(_event_loop: &mut PirnLoop<'_, World<H>>, world: &mut World<H>, event: IoEvent) {
    world.handler.io(&mut world.context, event.user);
}

fn on_timer<H: Handler<Pirn>>(_event_loop: &mut PirnLoop<'_, World<H>>, world: &mut World<H>, event: TimerEvent) {
    world.handler.timer(&mut world.context, event.user);
}

fn on_task<H: Handler<Pirn>>(_event_loop: &mut PirnLoop<'_, World<H>>, world: &mut World<H>, token: usize) {
    world.handler.task(&mut world.context, token);
}

fn on_message<H: Handler<Pirn>>(_event_loop: &mut PirnLoop<'_, World<H>>, world: &mut World<H>, message: usize) {
    world.handler.message(&mut world.context, message);
}

fn put<T>(list: &mut Vec<Option<T>>, token: usize, handle: T) {
    let size = list.len().max(token + 1);
    list.resize_with(size, || None);
    list[token] = Some(handle);
}

fn handle<T: Copy>(list: &[Option<T>], token: usize) -> T {
    list[token].unwrap_or_else(|| wrong("no such watcher"))
}

fn nanos(delay: Duration) -> u64 {
    delay.as_secs() * 1_000_000_000 + u64::from(delay.subsec_nanos())
}

impl Library for Pirn {
    const NAME: &'static str = "pirn-rust";
    const HAS_TIMERS: bool = true;
    const MANY_TIMERS: bool = true;
    /// The storage's part, and the handle.
    const IO_BYTES: usize = 64 + size_of::<Io>();
    const TIMER_BYTES: usize = 56 + size_of::<Timer>();

    type Context<H: Handler<Self>> = Context<H>;
    type Loop<H: Handler<Self>> = Loop<H>;
    type Mailbox<H: Handler<Self>> = Remote<'static, World<H>>;

    fn open<H: Handler<Self>>(limits: Limits, handler: H) -> Loop<H> {
        let config = Config { backend: Kind::Epoll, ..Config::default() };
        let event_loop = Box::leak(Box::new(PirnLoop::new(memory(limits), config).unwrap_or_else(failed)));
        if limits.posts > 0 {
            event_loop.hold().unwrap_or_else(failed);
        }
        let (ios, timers) = (Vec::with_capacity(limits.io + 1), Vec::with_capacity(limits.timers + 1));
        Loop { event_loop, world: World { context: Context { event_loop, ios, timers }, handler } }
    }

    fn parts<H: Handler<Self>>(events: &mut Loop<H>) -> (&mut Context<H>, &mut H) {
        (&mut events.world.context, &mut events.world.handler)
    }

    fn turn<H: Handler<Self>>(events: &mut Loop<H>, waits: bool) {
        // SAFETY: the box that `open` leaked, used by nobody else but the callbacks of this very turn.
        let event_loop = unsafe { &mut *events.event_loop };
        event_loop.turn(if waits { FOREVER } else { 0 }, &mut events.world).unwrap_or_else(failed);
    }

    fn run<H: Handler<Self>>(events: &mut Loop<H>) {
        // SAFETY: as in `turn`.
        let event_loop = unsafe { &mut *events.event_loop };
        event_loop.run(&mut events.world).unwrap_or_else(failed);
    }

    fn stop<H: Handler<Self>>(context: &mut Context<H>) {
        context.event_loop().remote().stop().unwrap_or_else(failed);
    }

    fn io_add<H: Handler<Self>>(context: &mut Context<H>, fd: RawFd, token: usize) {
        let io = context.event_loop().io_add(fd, pirn::Interest::READ, on_io::<H>, token).unwrap_or_else(failed);
        put(&mut context.ios, token, io);
    }

    fn io_modify<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize, interest: Interest) {
        let interest = match interest {
            Interest::Read => pirn::Interest::READ,
            Interest::ReadWrite => pirn::Interest::READ | pirn::Interest::WRITE,
        };
        let io = handle(&context.ios, token);
        context.event_loop().io_modify(io, interest).unwrap_or_else(failed);
    }

    fn io_pause<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize) {
        let io = handle(&context.ios, token);
        context.event_loop().io_modify(io, pirn::Interest::empty()).unwrap_or_else(failed);
    }

    fn io_resume<H: Handler<Self>>(context: &mut Context<H>, fd: RawFd, token: usize) {
        Self::io_modify::<H>(context, fd, token, Interest::Read);
    }

    fn io_remove<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize) {
        let io = handle(&context.ios, token);
        context.event_loop().io_remove(io).unwrap_or_else(failed);
    }

    fn timer_add<H: Handler<Self>>(context: &mut Context<H>, token: usize, delay: Duration) {
        let when = When::AfterNow(nanos(delay));
        let timer = context.event_loop().timer_start(when, Repeat::Never, on_timer::<H>, token).unwrap_or_else(failed);
        put(&mut context.timers, token, timer);
    }

    fn timer_push<H: Handler<Self>>(context: &mut Context<H>, token: usize, delay: Duration) {
        let timer = handle(&context.timers, token);
        context.event_loop().timer_again(timer, nanos(delay)).unwrap_or_else(failed);
    }

    fn timer_cancel<H: Handler<Self>>(context: &mut Context<H>, token: usize) {
        let timer = handle(&context.timers, token);
        context.event_loop().timer_stop(timer).unwrap_or_else(failed);
    }

    fn update<H: Handler<Self>>(context: &mut Context<H>) {
        context.event_loop().update();
    }

    fn task_defer<H: Handler<Self>>(context: &mut Context<H>, token: usize) {
        context.event_loop().task_post(on_task::<H>, token).unwrap_or_else(failed);
    }

    fn mailbox<H: Handler<Self>>(events: &mut Loop<H>) -> Remote<'static, World<H>> {
        events.world.context.event_loop().remote()
    }

    fn post<H: Handler<Self>>(mailbox: &Remote<'static, World<H>>, message: usize) -> bool {
        mailbox.post(on_message::<H>, message).is_ok()
    }
}

fn main() {
    peers::workloads::main::<Pirn>();
}
