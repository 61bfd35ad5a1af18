//! The workloads of `../workloads`, for event loops in Rust: the same work, the same checks, the same lines of JSON.
//!
//! A library is a type that implements [`Library`]; a workload is a [`Handler`], which the library's adapter calls by static
//! dispatch: what a user of mio or polling writes into a loop over its events, what a user of calloop writes into a closure.

pub mod bench;
pub mod queue;
pub mod workloads;

use std::os::fd::RawFd;
use std::time::Duration;

/// The most a workload has of each kind at once.
#[derive(Clone, Copy, Default)]
pub struct Limits {
    pub io: usize,
    pub timers: usize,
    pub tasks: usize,
    pub posts: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Read,
    ReadWrite,
}

/// How a library does things. Tokens are small numbers that the workload chooses, as these libraries want them.
pub trait Library: Sized + 'static {
    const NAME: &'static str;
    /// Has timers, and keeps them in order of deadline.
    const HAS_TIMERS: bool = false;
    /// More than some thousand of them are no trouble.
    const MANY_TIMERS: bool = false;
    /// Bytes per watcher that its user keeps, in a program that dispatches by token.
    const IO_BYTES: usize;
    const TIMER_BYTES: usize = 0;

    /// What a callback needs to change the loop.
    type Context<H: Handler<Self>>;
    /// The loop, its handler inside.
    type Loop<H: Handler<Self>>;
    /// What another thread needs to post.
    type Mailbox<H: Handler<Self>>: Send + Clone + 'static;

    fn open<H: Handler<Self>>(limits: Limits, handler: H) -> Self::Loop<H>;
    fn parts<H: Handler<Self>>(events: &mut Self::Loop<H>) -> (&mut Self::Context<H>, &mut H);
    /// One turn.
    fn turn<H: Handler<Self>>(events: &mut Self::Loop<H>, waits: bool);
    fn run<H: Handler<Self>>(events: &mut Self::Loop<H>);
    fn stop<H: Handler<Self>>(context: &mut Self::Context<H>);

    fn io_add<H: Handler<Self>>(context: &mut Self::Context<H>, fd: RawFd, token: usize);
    fn io_modify<H: Handler<Self>>(context: &mut Self::Context<H>, fd: RawFd, token: usize, interest: Interest);
    fn io_pause<H: Handler<Self>>(context: &mut Self::Context<H>, fd: RawFd, token: usize);
    fn io_resume<H: Handler<Self>>(context: &mut Self::Context<H>, fd: RawFd, token: usize);
    fn io_remove<H: Handler<Self>>(context: &mut Self::Context<H>, fd: RawFd, token: usize);

    fn timer_add<H: Handler<Self>>(_context: &mut Self::Context<H>, _token: usize, _delay: Duration) {}
    fn timer_push<H: Handler<Self>>(_context: &mut Self::Context<H>, _token: usize, _delay: Duration) {}
    fn timer_cancel<H: Handler<Self>>(_context: &mut Self::Context<H>, _token: usize) {}
    /// Reads the clock into the loop's cached time, if it has one.
    fn update<H: Handler<Self>>(_context: &mut Self::Context<H>) {}

    fn task_defer<H: Handler<Self>>(context: &mut Self::Context<H>, token: usize);

    fn mailbox<H: Handler<Self>>(events: &mut Self::Loop<H>) -> Self::Mailbox<H>;
    /// From any thread. False if it is full.
    fn post<H: Handler<Self>>(mailbox: &Self::Mailbox<H>, message: usize) -> bool;
}

/// What a workload does when something happens.
pub trait Handler<L: Library>: Sized + 'static {
    fn io(&mut self, _context: &mut L::Context<Self>, _token: usize) {
        bench::wrong("a callback although nothing was ready");
    }
    fn timer(&mut self, _context: &mut L::Context<Self>, _token: usize) {
        bench::wrong("a timer that was far away fired");
    }
    fn task(&mut self, _context: &mut L::Context<Self>, _token: usize) {
        bench::wrong("a task that nobody deferred");
    }
    fn message(&mut self, _context: &mut L::Context<Self>, _message: usize) {
        bench::wrong("a message that nobody posted");
    }
}
