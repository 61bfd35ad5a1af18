//! The fd that a foreign loop waits for, and the steps of a program that waits itself.

use super::{FORKED, Reactor};
use crate::backend::Backend;
use crate::error::Result;
use crate::slab::NONE;
use crate::time::{Duration, Instant};

impl<B: Backend> Reactor<'_, B> {
    /// As [`prepare`](Self::prepare), for a program that may wait by other means than
    /// [`wait`](Self::wait), which looks for posts itself.
    pub(crate) fn prepare_foreign(&mut self, limit: Duration) -> Result<Duration> {
        self.check_fork()?;
        let timeout = self.prepare(limit)?;
        Ok(if self.shared.has_work() {
            Duration::ZERO
        } else {
            timeout
        })
    }

    /// As [`wait`](Self::wait), for a caller that may wait for the pollable fd before it
    /// dispatches: what was found, and what comes from now on, shows there. The loop's own fds do
    /// not count.
    pub(crate) fn wait_foreign(&mut self, timeout: Duration) -> Result<u32> {
        self.check_fork()?;
        let mut found = self.wait(timeout)?;
        if found > 0 {
            let own = self.own_events();
            found = self.turn.found_count - own;
            if found == 0 {
                // Only the loop's own fds. If that counted as something to do, the fd would be made
                // readable again, and the next wait would find that: for ever.
                self.stats.events -= u64::from(own);
                (self.turn.due, self.turn.has_found) = (0, false);
            }
        }
        self.on_change();
        Ok(found)
    }

    /// How many of the events that no one has come across yet are the loop's own.
    fn own_events(&self) -> u32 {
        let is_own = |at: &u32| {
            let event = self.backend.event(*at);
            event.is_some_and(|(entry, _)| entry.slot == NONE)
        };
        self.turn.events.clone().filter(is_own).count() as u32
    }

    pub(crate) fn pollable_fd(&mut self) -> Result<i32> {
        self.check_fork()?;
        let fd = self.backend.pollable_fd()?;
        self.pollable.update = Some(|reactor| reactor.update_pollable_fd());
        self.pollable.timers_start_quietly = false;
        self.on_change();
        Ok(fd)
    }

    /// After every change that a foreign loop must see: only once the application has the pollable
    /// fd, and not during a dispatch, whose end does it for all.
    #[inline]
    pub(super) fn on_change(&mut self) {
        if let Some(update) = self.pollable.update {
            update(self);
        }
    }

    #[cold]
    fn update_pollable_fd(&mut self) {
        if self.is_dispatching() || self.owner == FORKED {
            return;
        }
        let is_unfinished = self.is_unfinished();
        let has_changes = !is_unfinished && self.watchers.has_pending();
        let wake = self.timers.next_wake();
        let moves = self.moves_alarm(wake);
        // In a copy nothing is told to the kernel. (What ends a wait finds out by itself.)
        if (has_changes || moves) && self.check_fork().is_err() {
            return;
        }
        let has_pending = is_unfinished || (has_changes && self.apply_changes());
        // A failure leaves the foreign loop with its own timeout, which `prepare` told it.
        if moves && self.backend.set_alarm(wake).is_ok() {
            self.pollable.alarm = wake;
        }
        // To posters the loop sleeps while the foreign loop has the fd: what they bring must make
        // it readable.
        let may_sleep = self.shared.about_to_sleep();
        if !may_sleep || has_pending || self.has_work() || self.hooks.has_idle {
            self.shared.ring();
        }
    }

    /// True if the alarm must be set so that the pollable fd becomes readable at `wake`.
    fn moves_alarm(&self, wake: Instant) -> bool {
        // One that is still to ring stands. One whose time has passed may have rung and been heard,
        // so that it must ring again. (While there are timers `now` was read after the last wait.)
        wake != self.pollable.alarm || (wake <= self.turn.now && wake != Instant::NEVER)
    }
}
