//! polling: readiness only; level-triggered, as it can be with epoll. Deferred calls and messages are the user's own.

use std::num::NonZeroUsize;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use peers::bench::wrong;
use peers::queue::{Fifo, Letterbox};
use peers::{Handler, Interest, Library, Limits};
use polling::{Event, Events, PollMode, Poller};

struct Polling;

struct Context {
    poller: Arc<Poller>,
    deferred: Fifo,
    stopped: bool,
}

struct Loop<H> {
    events: Events,
    context: Context,
    letterbox: Arc<Letterbox>,
    handler: H,
}

#[derive(Clone)]
struct Mailbox(Arc<Letterbox>, Arc<Poller>);

fn failed(error: std::io::Error) -> ! {
    wrong(&error.to_string())
}

fn borrowed(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the workloads keep an fd open as long as it is watched.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn modify(context: &Context, fd: RawFd, event: Event) {
    context.poller.modify_with_mode(borrowed(fd), event, PollMode::Level).unwrap_or_else(|error| failed(error));
}

impl Library for Polling {
    const NAME: &'static str = "polling";
    /// An fd and what is to be done, as in the hand-written loop.
    const IO_BYTES: usize = 16;

    type Context<H: Handler<Self>> = Context;
    type Loop<H: Handler<Self>> = Loop<H>;
    type Mailbox<H: Handler<Self>> = Mailbox;

    fn open<H: Handler<Self>>(limits: Limits, handler: H) -> Loop<H> {
        let poller = Arc::new(Poller::new().unwrap_or_else(|error| failed(error)));
        Loop {
            events: Events::with_capacity(NonZeroUsize::new(1024).unwrap_or(NonZeroUsize::MIN)),
            context: Context { poller, deferred: Fifo::default(), stopped: false },
            letterbox: Letterbox::new(limits.posts),
            handler,
        }
    }

    fn parts<H: Handler<Self>>(events: &mut Loop<H>) -> (&mut Context, &mut H) {
        (&mut events.context, &mut events.handler)
    }

    fn turn<H: Handler<Self>>(events: &mut Loop<H>, waits: bool) {
        let timeout = if waits && events.context.deferred.is_empty() { None } else { Some(Duration::ZERO) };
        events.events.clear();
        events.context.poller.wait(&mut events.events, timeout).unwrap_or_else(|error| failed(error));
        for event in events.events.iter() {
            events.handler.io(&mut events.context, event.key);
        }
        // A notification is not told apart from a wait that ended otherwise.
        events.letterbox.opened();
        while let Some(message) = events.letterbox.take() {
            events.handler.message(&mut events.context, message);
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
        // SAFETY: the workloads remove a watcher before they close its fd.
        let added = unsafe { context.poller.add_with_mode(fd, Event::readable(token), PollMode::Level) };
        added.unwrap_or_else(|error| failed(error));
    }

    fn io_modify<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize, interest: Interest) {
        modify(context, fd, if interest == Interest::Read { Event::readable(token) } else { Event::all(token) });
    }

    fn io_pause<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize) {
        modify(context, fd, Event::none(token));
    }

    fn io_resume<H: Handler<Self>>(context: &mut Context, fd: RawFd, token: usize) {
        modify(context, fd, Event::readable(token));
    }

    fn io_remove<H: Handler<Self>>(context: &mut Context, fd: RawFd, _token: usize) {
        context.poller.delete(borrowed(fd)).unwrap_or_else(|error| failed(error));
    }

    fn task_defer<H: Handler<Self>>(context: &mut Context, token: usize) {
        context.deferred.push(token);
    }

    fn mailbox<H: Handler<Self>>(events: &mut Loop<H>) -> Mailbox {
        Mailbox(events.letterbox.clone(), events.context.poller.clone())
    }

    fn post<H: Handler<Self>>(mailbox: &Mailbox, message: usize) -> bool {
        let wake = mailbox.0.put(message);
        if wake == Some(true) {
            mailbox.1.notify().unwrap_or_else(|error| failed(error));
        }
        wake.is_some()
    }
}

fn main() {
    peers::workloads::main::<Polling>();
}
