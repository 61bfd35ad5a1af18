//! The trait for the code that calls the callbacks.

use super::{FiredIo, Reactor};
use crate::backend::Backend;
use crate::callback::Callback;
use crate::timers::Fired;

/// The code that calls the callbacks: the C functions, the Rust interface, or
/// [`take`](super::take), which stores the items instead of calling.
pub(crate) trait Caller<'a> {
    type Backend: Backend + 'a;

    /// Borrows the reactor. The borrow ends before a callback is called.
    fn reactor(&mut self) -> &mut Reactor<'a, Self::Backend>;

    /// Calls all due timers with [`call_timers`](super::turn::call_timers). An implementation may
    /// use a function pointer that the start of a timer stores, so that a program without timers
    /// does not link that code.
    fn call_timers(&mut self);

    /// As `call_timers`, for tasks.
    fn call_tasks(&mut self);

    /// The same for posts.
    fn call_posts(&mut self);

    fn call_timer(&mut self, fired: Fired);
    fn call_io(&mut self, fired: FiredIo);
    fn call_task(&mut self, callback: Callback);

    /// Calls a post. By default it is called like a task.
    #[inline]
    fn call_post(&mut self, callback: Callback) {
        self.call_task(callback);
    }

    /// If the loop may have hooks, calls [`dispatch_with_hooks`](super::turn::dispatch_with_hooks)
    /// and returns its result. Each implementation decides this itself, so that a program without
    /// hooks does not link that code.
    #[inline]
    fn dispatch_with_hooks(&mut self) -> Option<u32> {
        None
    }
}
