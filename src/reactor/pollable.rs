//! The fd that a foreign loop waits for, and the steps of a turn for programs that do the wait
//! themselves.

use super::{FORKED, Reactor};
use crate::backend::Backend;
use crate::error::Result;
use crate::slab::NONE;
use crate::time::{Duration, Instant};

impl<B: Backend> Reactor<'_, B> {
    /// As [`prepare`](Self::prepare), for a program that may wait by other means than
    /// [`wait`](Self::wait). So this also checks for posts, which `wait` would do.
    pub(crate) fn prepare_foreign(&mut self, limit: Duration) -> Result<Duration> {
        self.check_fork()?;
        let timeout = self.prepare(limit);
        Ok(if self.shared.has_work() {
            Duration::ZERO
        } else {
            timeout
        })
    }

    /// As [`wait`](Self::wait), for a program that may wait for the pollable fd before it
    /// dispatches: the fd is then readable if events were found, or as soon as something else
    /// arrives. The loop's own fds are not counted.
    pub(crate) fn wait_foreign(&mut self, timeout: Duration) -> Result<u32> {
        self.check_fork()?;
        self.backend.expect_timeouts();
        let mut found = self.wait(timeout)?;
        if found > 0 {
            let own = self.own_events();
            found = self.turn.found_count - own;
            if found == 0 {
                // Only the loop's own fds were ready. If that counted as something to do, the fd
                // would be made readable again, and the next wait would find it again, for ever.
                self.stats.events -= u64::from(own);
                (self.turn.due, self.turn.has_found) = (0, false);
            }
        }
        self.on_change();
        Ok(found)
    }

    /// Returns how many of the remaining events are for the loop's own fds.
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

    /// Must be called after every change that a foreign loop must notice. Does nothing before the
    /// application has the pollable fd, and during a dispatch: the end of the dispatch updates the
    /// fd.
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
        // In a forked child the kernel is not updated. (The waker checks that itself.)
        if (has_changes || moves) && self.check_fork().is_err() {
            return;
        }
        let has_pending = is_unfinished || (has_changes && self.apply_changes());
        // If this fails, the foreign loop still has the timeout that `prepare` returned.
        if moves && self.backend.set_alarm(wake).is_ok() {
            self.pollable.alarm = wake;
        }
        // While a foreign loop waits for the fd, posters must treat this loop as asleep, so that a
        // post makes the fd readable.
        let may_sleep = self.shared.about_to_sleep();
        if !may_sleep || has_pending || self.has_work() || self.hooks.has_idle {
            self.shared.ring();
        }
    }

    /// True if the alarm must be set so that the pollable fd becomes readable at `wake`.
    fn moves_alarm(&self, wake: Instant) -> bool {
        // An alarm in the future stays as it is. An alarm in the past may have made the fd readable
        // and been consumed, so it must be set again. (While there are timers, `now` was read after
        // the last wait.)
        wake != self.pollable.alarm || (wake <= self.turn.now && wake != Instant::NEVER)
    }
}
