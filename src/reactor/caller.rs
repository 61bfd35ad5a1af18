//! Who makes the calls.

use super::{FiredIo, Reactor};
use crate::backend::Backend;
use crate::callback::Callback;
use crate::timers::Fired;

/// Whoever makes the calls: the C functions, the Rust interface, or a list of what is due, which
/// calls nothing.
pub(crate) trait Caller<'a> {
    type Backend: Backend + 'a;

    /// The reactor, borrowed until a call is made.
    fn reactor(&mut self) -> &mut Reactor<'a, Self::Backend>;

    /// Has all due timers called, by [`call_timers`](super::turn::call_timers). A caller may reach
    /// that by an address which the start of a timer leaves behind, so that a program without
    /// timers does not contain it.
    fn call_timers(&mut self);

    /// The same for tasks.
    fn call_tasks(&mut self);

    fn call_timer(&mut self, fired: Fired);
    fn call_io(&mut self, fired: FiredIo);
    fn call_task(&mut self, callback: Callback);

    /// To those who call, a post is a task.
    #[inline]
    fn call_post(&mut self, callback: Callback) {
        self.call_task(callback);
    }

    /// Does what [`dispatch_with_hooks`](super::turn::dispatch_with_hooks) does if the loop may
    /// have hooks. A caller says so for itself, so that a program without hooks does not contain
    /// it.
    #[inline]
    fn dispatch_with_hooks(&mut self) -> Option<u32> {
        None
    }
}
