//! calloop: callbacks, timers, idle calls and channels of its own.

use std::os::fd::RawFd;
use std::time::Duration;

use calloop::channel::{self, Sender};
use calloop::generic::{FdWrapper, Generic};
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, EventLoop, LoopHandle, LoopSignal, Mode, PostAction, RegistrationToken};
use peers::bench::wrong;
use peers::{Handler, Interest, Library, Limits};

struct Calloop;

/// The loop's data: what callbacks get.
struct World<H: Handler<Calloop>> {
    context: Context<H>,
    handler: H,
}

/// A source that can be changed, and its registration.
struct Registered<S>(S, RegistrationToken);
type IoSource<H> = Dispatcher<'static, Generic<FdWrapper<RawFd>>, World<H>>;
type TimerSource<H> = Dispatcher<'static, Timer, World<H>>;

struct Context<H: Handler<Calloop>> {
    handle: LoopHandle<'static, World<H>>,
    signal: LoopSignal,
    ios: Vec<Option<Registered<IoSource<H>>>>,
    timers: Vec<Option<Registered<TimerSource<H>>>>,
}

struct Loop<H: Handler<Calloop>> {
    events: EventLoop<'static, World<H>>,
    world: World<H>,
}

fn failed<T>(_error: T) -> ! {
    wrong("calloop refused it")
}

fn interest_of(interest: Interest) -> calloop::Interest {
    match interest {
        Interest::Read => calloop::Interest::READ,
        Interest::ReadWrite => calloop::Interest::BOTH,
    }
}

fn at<T>(list: &mut [Option<T>], token: usize) -> &mut T {
    list[token].as_mut().unwrap_or_else(|| wrong("no such source"))
}

impl Library for Calloop {
    const NAME: &'static str = "calloop";
    const HAS_TIMERS: bool = true;
    const IO_BYTES: usize = 0;

    type Context<H: Handler<Self>> = Context<H>;
    type Loop<H: Handler<Self>> = Loop<H>;
    type Mailbox<H: Handler<Self>> = Sender<usize>;

    fn open<H: Handler<Self>>(limits: Limits, handler: H) -> Loop<H> {
        let events = EventLoop::try_new().unwrap_or_else(|error| failed(error));
        let context = Context {
            handle: events.handle(),
            signal: events.get_signal(),
            ios: (0..limits.io + 1).map(|_| None).collect(),
            timers: (0..limits.timers + 1).map(|_| None).collect(),
        };
        Loop { events, world: World { context, handler } }
    }

    fn parts<H: Handler<Self>>(events: &mut Loop<H>) -> (&mut Context<H>, &mut H) {
        (&mut events.world.context, &mut events.world.handler)
    }

    fn turn<H: Handler<Self>>(events: &mut Loop<H>, waits: bool) {
        let timeout = if waits { None } else { Some(Duration::ZERO) };
        events.events.dispatch(timeout, &mut events.world).unwrap_or_else(|error| failed(error));
    }

    fn run<H: Handler<Self>>(events: &mut Loop<H>) {
        events.events.run(None, &mut events.world, |_| {}).unwrap_or_else(|error| failed(error));
    }

    fn stop<H: Handler<Self>>(context: &mut Context<H>) {
        context.signal.stop();
    }

    fn io_add<H: Handler<Self>>(context: &mut Context<H>, fd: RawFd, token: usize) {
        // SAFETY: the workloads keep an fd open as long as it is watched.
        let source = Generic::new(unsafe { FdWrapper::new(fd) }, calloop::Interest::READ, Mode::Level);
        let source = Dispatcher::new(source, move |_, _, world: &mut World<H>| {
            world.handler.io(&mut world.context, token);
            Ok(PostAction::Continue)
        });
        let registration = context.handle.register_dispatcher(source.clone()).unwrap_or_else(|error| failed(error));
        context.ios[token] = Some(Registered(source, registration));
    }

    fn io_modify<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize, interest: Interest) {
        let Registered(source, registration) = at(&mut context.ios, token);
        source.as_source_mut().interest = interest_of(interest);
        context.handle.update(registration).unwrap_or_else(|error| failed(error));
    }

    fn io_pause<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize) {
        context.handle.disable(&at(&mut context.ios, token).1).unwrap_or_else(|error| failed(error));
    }

    fn io_resume<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize) {
        context.handle.enable(&at(&mut context.ios, token).1).unwrap_or_else(|error| failed(error));
    }

    fn io_remove<H: Handler<Self>>(context: &mut Context<H>, _fd: RawFd, token: usize) {
        if let Some(Registered(_, registration)) = context.ios[token].take() {
            context.handle.remove(registration);
        }
    }

    fn timer_add<H: Handler<Self>>(context: &mut Context<H>, token: usize, delay: Duration) {
        let source = Dispatcher::new(Timer::from_duration(delay), move |_, _, world: &mut World<H>| {
            world.handler.timer(&mut world.context, token);
            TimeoutAction::Drop
        });
        let registration = context.handle.register_dispatcher(source.clone()).unwrap_or_else(|error| failed(error));
        let size = context.timers.len().max(token + 1);
        context.timers.resize_with(size, || None);
        context.timers[token] = Some(Registered(source, registration));
    }

    fn timer_push<H: Handler<Self>>(context: &mut Context<H>, token: usize, delay: Duration) {
        let Registered(source, registration) = at(&mut context.timers, token);
        source.as_source_mut().set_duration(delay);
        context.handle.update(registration).unwrap_or_else(|error| failed(error));
    }

    fn timer_cancel<H: Handler<Self>>(context: &mut Context<H>, token: usize) {
        if let Some(Registered(_, registration)) = context.timers[token].take() {
            context.handle.remove(registration);
        }
    }

    fn task_defer<H: Handler<Self>>(context: &mut Context<H>, token: usize) {
        context.handle.insert_idle(move |world: &mut World<H>| world.handler.task(&mut world.context, token));
    }

    fn mailbox<H: Handler<Self>>(events: &mut Loop<H>) -> Sender<usize> {
        let (sender, receiver) = channel::channel();
        let inserted = events.events.handle().insert_source(receiver, |event, _, world: &mut World<H>| {
            if let channel::Event::Msg(message) = event {
                world.handler.message(&mut world.context, message);
            }
        });
        inserted.unwrap_or_else(|error| failed(error));
        sender
    }

    fn post<H: Handler<Self>>(mailbox: &Sender<usize>, message: usize) -> bool {
        mailbox.send(message).is_ok()
    }
}

fn main() {
    peers::workloads::main::<Calloop>();
}
