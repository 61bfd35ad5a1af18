//! mio: readiness only, edge-triggered. Deferred calls and messages are the user's own.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Poll, Registry, Token, Waker};
use peers::bench::wrong;
use peers::queue::{Fifo, Letterbox};
use peers::{Handler, Interest, Library, Limits};

const WAKE: Token = Token(usize::MAX);

struct Mio;

struct Context {
    registry: Registry,
    deferred: Fifo,
    stopped: bool,
}

struct Loop<H> {
    poll: Poll,
    events: Events,
    context: Context,
    letterbox: Arc<Letterbox>,
    handler: H,
}

#[derive(Clone)]
struct Mailbox(Arc<Letterbox>, Arc<Waker>);

fn interest_of(interest: Interest) -> mio::Interest {
    match interest {
        Interest::Read => mio::Interest::READABLE,
        Interest::ReadWrite => mio::Interest::READABLE | mio::Interest::WRITABLE,
    }
}

fn failed(error: std::io::Error) -> ! {
    wrong(&error.to_string())
}

impl Library for Mio {
    const NAME: &'static str = "mio";
    /// An fd and what is to be done, as in the hand-written loop.
    const IO_BYTES: usize = 16;

    type Context<H: Handler<Self>> = Context;
    type Loop<H: Handler<Self>> = Loop<H>;
    type Mailbox<H: Handler<Self>> = Mailbox;

    fn open<H: Handler<Self>>(limits: Limits, handler: H) -> Loop<H> {
        let poll = Poll::new().unwrap_or_else(|error| failed(error));
        let registry = poll.registry().try_clone().unwrap_or_else(|error| failed(error));
        Loop {
            poll,
            events: Events::with_capacity(1024),
            context: Context { registry, deferred: Fifo::default(), stopped: false },
            letterbox: Letterbox::new(limits.posts),
            handler,
        }
    }

    fn parts<H: Handler<Self>>(events: &mut Loop<H>) -> (&mut Context, &mut H) {
        (&mut events.context, &mut events.handler)
    }

    fn turn<H: Handler<Self>>(events: &mut Loop<H>, waits: bool) {
        let timeout = if waits && events.context.deferred.is_empty() { None } else { Some(Duration::ZERO) };
        events.poll.poll(&mut events.events, timeout).unwrap_or_else(|error| failed(error));
        for event in events.events.iter() {
            match event.token() {
                WAKE => {
                    events.letterbox.opened();
                    while let Some(message) = events.letterbox.take() {
                        events.handler.message(&mut events.context, message);
                    }
                }
                Token(token) => events.handler.io(&mut events.context, token),
            }
        }
        for _ in 0..events.context.deferred.len() {
            if let Some(token) = events.context.deferred.pop() {
                events.handler.task(&mut events.context, token);
            }
        }
    }

    fn run<H: Handler<Self>>(events: &mut Loop<H>) {
        while !events.context.stopped {
            Self::turn(events, true);
        }
        events.context.stopped = false;
    }

    fn stop<H: Handler<Self>>(context: &mut Context) {
        context.stopped = true;
    }

    fn io_add<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize) {
        context
            .registry
            .register(&mut SourceFd(&fd), Token(token), mio::Interest::READABLE)
            .unwrap_or_else(|error| failed(error));
    }

    fn io_modify<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize, interest: Interest) {
        context
            .registry
            .reregister(&mut SourceFd(&fd), Token(token), interest_of(interest))
            .unwrap_or_else(|error| failed(error));
    }

    fn io_pause<H: Handler<Self>>(context: &mut Context, fd: RawFd, _token: usize) {
        context.registry.deregister(&mut SourceFd(&fd)).unwrap_or_else(|error| failed(error));
    }

    fn io_resume<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize) {
        Self::io_add::<H>(context, fd, token);
    }

    fn io_remove<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize) {
        Self::io_pause::<H>(context, fd, token);
    }

    fn task_defer<H: Handler<Self>>(context: &mut Context, token: usize) {
        context.deferred.push(token);
    }

    fn mailbox<H: Handler<Self>>(events: &mut Loop<H>) -> Mailbox {
        let waker = Waker::new(events.poll.registry(), WAKE).unwrap_or_else(|error| failed(error));
        Mailbox(events.letterbox.clone(), Arc::new(waker))
    }

    fn post<H: Handler<Self>>(mailbox: &Mailbox, message: usize) -> bool {
        let wake = mailbox.0.put(message);
        if wake == Some(true) {
            mailbox.1.wake().unwrap_or_else(|error| failed(error));
        }
        wake.is_some()
    }
}

fn main() {
    peers::workloads::main::<Mio>();
}
