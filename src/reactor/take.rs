//! Taking: due items are returned as data, and nothing is called.

use super::caller::Caller;
use super::calls::{call_due, call_posts, call_tasks, call_timers};
use super::state::{Due, Phase};
use super::{FiredIo, Reactor};
use crate::backend::Backend;
use crate::callback::Callback;
use crate::timers::Fired;
use crate::token::Token;

/// The kind of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Timer,
    Io,
    Raised,
    Task,
    Post,
}

/// A due item as data.
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// The handle. All zero for a post; already stale for a one-shot timer and a task.
    pub(crate) token: Token,
    /// The fd of a watcher, or the raised bit; otherwise -1.
    pub(crate) fd: i32,
    pub(crate) ready: u32,
    pub(crate) missed: u64,
    pub(crate) callback: Callback,
}

/// Takes at most `capacity` items, which must not be 0, and calls `give` with each. Returns their
/// number, and 0 when the turn is over.
pub(crate) fn take<'a, B: Backend + 'a>(
    reactor: &mut Reactor<'a, B>,
    capacity: u32,
    give: impl FnMut(Item),
) -> u32 {
    let due = reactor.begin_take(capacity);
    if due == 0 {
        return 0;
    }
    let mut taker = Taker { reactor, give };
    call_due(&mut taker, due);
    taker.reactor.end_take()
}

struct Taker<'r, 'a, B: Backend, F> {
    reactor: &'r mut Reactor<'a, B>,
    give: F,
}

impl<'a, B: Backend + 'a, F: FnMut(Item)> Caller<'a> for Taker<'_, 'a, B, F> {
    type Backend = B;

    fn reactor(&mut self) -> &mut Reactor<'a, B> {
        self.reactor
    }

    fn call_timers(&mut self) {
        call_timers(self);
    }

    fn call_tasks(&mut self) {
        call_tasks(self);
    }

    fn call_posts(&mut self) {
        call_posts(self);
    }

    fn call_timer(&mut self, fired: Fired) {
        (self.give)(Item {
            kind: Kind::Timer,
            token: fired.token,
            fd: -1,
            ready: 0,
            missed: fired.missed,
            callback: fired.callback,
        });
    }

    fn call_io(&mut self, fired: FiredIo) {
        (self.give)(Item {
            kind: if self.reactor.is_raise_handler(fired.io) {
                Kind::Raised
            } else {
                Kind::Io
            },
            token: fired.io,
            fd: fired.fd,
            ready: fired.ready,
            missed: 0,
            callback: fired.callback,
        });
    }

    fn call_task(&mut self, callback: Callback) {
        (self.give)(Item {
            kind: Kind::Task,
            token: self.reactor.last_task(),
            fd: -1,
            ready: 0,
            missed: 0,
            callback,
        });
    }

    fn call_post(&mut self, callback: Callback) {
        (self.give)(Item {
            kind: Kind::Post,
            token: Token::default(),
            fd: -1,
            ready: 0,
            missed: 0,
            callback,
        });
    }
}

impl<B: Backend> Reactor<'_, B> {
    /// Begins a dispatch of at most `capacity` items, and of no more than the limit of callbacks. A
    /// time limit has no effect and nothing is timed, because the program handles the items after
    /// the take. So `Budget::allowed` is never 0 here.
    fn begin_take(&mut self, capacity: u32) -> Due {
        if self.turn.phase == Phase::Begun && self.turn.due == 0 {
            self.turn.phase = Phase::Idle;
            return 0;
        }
        if !self.begin_or_continue_turn() {
            return 0;
        }
        self.budget.begin_untimed(capacity);
        self.turn.due
    }

    /// Ends a take and returns how many items it gave. The turn ends only with the take that
    /// returns 0. Otherwise the next take would find what the program's handlers have started, for
    /// example a task, and a loop of takes might never end.
    fn end_take(&mut self) -> u32 {
        let taken = self.end_dispatch();
        if taken > 0 {
            self.turn.phase = Phase::Begun;
        }
        taken
    }
}
