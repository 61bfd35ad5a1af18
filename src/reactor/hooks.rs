//! Hooks: callbacks that are called in every turn, whatever is found in it.
//!
//! A hook is a watcher without an fd, like the handler of a raised bit, with a number of its own in
//! place of the fd. The hooks are in one list, in the order in which they were added. The list uses
//! the links of the pending list, on which hooks never are. It is walked from its beginning for
//! each call, so it stays correct whatever a hook removes or adds. Loops have few hooks or none.

use super::Reactor;
use super::items::FiredIo;
use crate::backend::Backend;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::ready::{Interest, Ready};
use crate::slab::NONE;
use crate::token::Token;
use crate::watchers::{HOOKS, Hook, Position, Watchers};

/// Stored in `found` of a hook: the hook must still be called in this dispatch.
const TO_CALL: u8 = 1;

/// Iterates over the hooks of a loop, beginning with `first`.
fn from(watchers: &Watchers<'_>, first: u32) -> impl Iterator<Item = u32> {
    let mut next = first;
    // Ends after as many steps as there are slots, even if the links are damaged.
    (0..watchers.slab.capacity()).map_while(move |_| {
        let index = next;
        next = watchers.slab.get(index)?.next;
        Some(index)
    })
}

impl<B: Backend> Reactor<'_, B> {
    /// Adds a hook. The only option is `UNREF`.
    pub(crate) fn hook_add(
        &mut self,
        when: Hook,
        options: Interest,
        callback: Callback,
    ) -> Result<Token> {
        if !Interest::UNREF.contains(options) {
            return Err(Error::EINVAL);
        }
        self.watchers.make_room();
        let slot = i32::try_from(self.watchers.slab.vacancy()?).map_err(|_| Error::ENOSPC)?;
        let fd = HOOKS.checked_sub(slot).ok_or(Error::ENOSPC)?;
        let position = Position::Head(self.watchers.bucket(fd));
        let interest = Interest::READ | options;
        let (io, watcher) = self.watchers.insert(position, fd, interest, callback)?;
        watcher.kernel = when as u16;
        watcher.next = NONE;
        self.link(NONE, io.slot);
        self.hooks.has_idle |= when == Hook::Idle;
        self.hooks.unlink = Some(|reactor, index| reactor.unlink_hook(index));
        // A loop with an idle hook always has something to do.
        self.on_change();
        Ok(io)
    }

    /// Replaces the link to `index` in the list by a link to `to`.
    fn link(&mut self, index: u32, to: u32) {
        let before = from(&self.watchers, self.hooks.first).find(|&before| {
            self.watchers
                .slab
                .get(before)
                .is_some_and(|watcher| watcher.next == index)
        });
        match before.and_then(|before| self.watchers.slab.get_mut(before)) {
            Some(before) => before.next = to,
            None => self.hooks.first = to,
        }
    }

    /// Removes a hook from the list.
    fn unlink_hook(&mut self, index: u32) {
        let next = self
            .watchers
            .slab
            .get(index)
            .map_or(NONE, |watcher| watcher.next);
        self.link(index, next);
        self.hooks.has_idle = from(&self.watchers, self.hooks.first)
            .any(|index| self.watchers.hook(index) == Some(Hook::Idle));
    }

    /// True if there are hooks.
    #[inline]
    pub(crate) fn has_hooks(&self) -> bool {
        self.hooks.first != NONE
    }

    /// Begins a dispatch with hooks: the hooks that exist now will be called in it.
    pub(crate) fn begin_hooks(&mut self) {
        self.hooks.is_calling = true;
        let mut index = self.hooks.first;
        while let Some(watcher) = self.watchers.slab.get_mut(index) {
            watcher.found = TO_CALL;
            index = watcher.next;
        }
    }

    /// Returns the next hook of this kind that must be called in this dispatch.
    pub(crate) fn next_hook(&mut self, when: Hook) -> Option<FiredIo> {
        let is_next = |&index: &u32| {
            let watcher = self.watchers.slab.get(index);
            watcher.is_some_and(|watcher| watcher.hook() == Some(when) && watcher.found == TO_CALL)
        };
        let index = from(&self.watchers, self.hooks.first).find(is_next)?;
        let watcher = self.watchers.slab.get_mut(index)?;
        watcher.found = 0;
        Some(FiredIo {
            callback: watcher.callback,
            io: watcher.token(index),
            fd: when as i32,
            ready: Ready::READ.bits(),
        })
    }

    /// Ends a dispatch with hooks, also if a callback has left it by unwinding.
    pub(crate) fn end_hooks(&mut self) {
        self.hooks.is_calling = false;
        self.on_change();
    }

    /// True if the list contains each hook once. For `verify`: O(watchers), even if the slots are
    /// damaged.
    pub(super) fn are_hooks_sound(&self) -> bool {
        let watchers = &self.watchers;
        let count = |when| {
            let is_it = |&index: &u32| watchers.hook(index) == Some(when);
            let all = (0..watchers.slab.capacity()).filter(is_it).count();
            let listed = from(watchers, self.hooks.first).filter(is_it).count();
            (all == listed).then_some(all)
        };
        let (Some(first), Some(last), Some(idle)) =
            (count(Hook::First), count(Hook::Last), count(Hook::Idle))
        else {
            return false;
        };
        let listed = from(watchers, self.hooks.first);
        let end = listed.last().map_or(NONE, |index| {
            watchers
                .slab
                .get(index)
                .map_or(index, |watcher| watcher.next)
        });
        end == NONE
            && from(watchers, self.hooks.first).count() == first + last + idle
            && self.hooks.has_idle == (idle > 0)
    }
}
