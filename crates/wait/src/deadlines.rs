//! The waiters that have a time limit: a pairing heap, linked through the waiters.
//!
//! The heap has no capacity, so that no wait is refused because it is full. To add a waiter is
//! O(1); to remove the earliest or any other one is O(log n) amortised. Nothing here recurses.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr::NonNull;

use pirn_abi::PIRN_FOREVER;

use crate::errno::{ECANCELED, ETIMEDOUT};
use crate::hub::pirn_hub;
use crate::state::{KEPT, LAZY, LIMITED, UNREF};
use crate::waiter::{PIRN_WAITS, pirn_waiter};

/// The place of a waiter in the heap.
#[repr(C)]
#[derive(Default)]
pub struct pirn_heap_links {
    child: Cell<Option<NonNull<pirn_waiter>>>,
    next: Cell<Option<NonNull<pirn_waiter>>>,
    // Of a first child: its parent. Of any other: the neighbour before it.
    previous: Cell<Option<NonNull<pirn_waiter>>>,
    // When the waiter is due; 0: it is not in the heap.
    pub(crate) at_ns: Cell<u64>,
}

/// The waiters that have a time limit. All zero is an empty heap.
#[repr(C)]
#[derive(Default)]
pub struct pirn_deadlines {
    root: Cell<Option<NonNull<pirn_waiter>>>,
}

fn links(waiter: NonNull<pirn_waiter>) -> &'static pirn_heap_links {
    &pirn_waiter::listed(waiter).heap
}

impl pirn_deadlines {
    /// The waiter that is due first, and when.
    pub(crate) fn first(&self) -> Option<(u64, &pirn_waiter)> {
        let root = self.root.get()?;
        Some((links(root).at_ns.get(), pirn_waiter::listed(root)))
    }

    /// Adds a waiter that is not in the heap. It is due at `at_ns`, which is not 0.
    pub(crate) fn insert(&self, waiter: &pirn_waiter, at_ns: u64) {
        waiter.heap.at_ns.set(at_ns);
        self.root
            .set(meld(self.root.get(), Some(NonNull::from(waiter))));
    }

    /// True if no waiter is due before its parent, and the links agree. O(n).
    pub(crate) fn is_sound(&self) -> bool {
        let Some(root) = self.root.get() else {
            return true;
        };
        if links(root).previous.get().is_some() || links(root).next.get().is_some() {
            return false;
        }
        // Depth first along the links, and back by `previous`, so that no stack is needed.
        let (mut node, mut parent_at) = (root, links(root).at_ns.get());
        loop {
            let at = links(node).at_ns.get();
            if at == 0 || at < parent_at {
                return false;
            }
            if let Some(child) = links(node).child.get() {
                if links(child).previous.get() != Some(node) {
                    return false;
                }
                (node, parent_at) = (child, at);
                continue;
            }
            loop {
                if let Some(next) = links(node).next.get() {
                    if links(next).previous.get() != Some(node) {
                        return false;
                    }
                    // A neighbour has the same parent.
                    node = next;
                    break;
                }
                // Back to the first child, and from there to the parent.
                let Some(mut above) = links(node).previous.get() else {
                    return true;
                };
                while links(above).child.get() != Some(node) {
                    node = above;
                    let Some(previous) = links(node).previous.get() else {
                        return true;
                    };
                    above = previous;
                }
                node = above;
                if node == root {
                    return true;
                }
                parent_at = parent_of(node).map_or(0, |p| links(p).at_ns.get());
            }
        }
    }

    /// Removes a waiter that is in the heap.
    pub(crate) fn remove(&self, waiter: &pirn_waiter) {
        let node = NonNull::from(waiter);
        let own = &waiter.heap;
        own.at_ns.set(0);
        let children = merge_pairs(own.child.take());
        let Some(previous) = own.previous.take() else {
            self.root.set(children);
            return;
        };
        let next = own.next.take();
        if let Some(next) = next {
            links(next).previous.set(Some(previous));
        }
        if links(previous).child.get() == Some(node) {
            links(previous).child.set(next);
        } else {
            links(previous).next.set(next);
        }
        self.root.set(meld(self.root.get(), children));
    }
}

/// Merges two heaps whose roots have no neighbours.
#[inline(never)]
fn meld(
    a: Option<NonNull<pirn_waiter>>,
    b: Option<NonNull<pirn_waiter>>,
) -> Option<NonNull<pirn_waiter>> {
    let (Some(a), Some(b)) = (a, b) else {
        return a.or(b);
    };
    let (parent, child) = if links(b).at_ns.get() < links(a).at_ns.get() {
        (b, a)
    } else {
        (a, b)
    };
    let first = links(parent).child.replace(Some(child));
    if let Some(first) = first {
        links(first).previous.set(Some(child));
    }
    links(child).next.set(first);
    links(child).previous.set(Some(parent));
    Some(parent)
}

/// Merges a row of neighbours into one heap: first in pairs, from left to right, then the pairs
/// from right to left.
fn merge_pairs(first: Option<NonNull<pirn_waiter>>) -> Option<NonNull<pirn_waiter>> {
    let mut rest = first;
    // The pairs, linked by `next`, the last one first.
    let mut pairs = None;
    while let Some(a) = rest {
        let b = cut(a);
        rest = b.and_then(cut);
        let pair = meld(Some(a), b);
        if let Some(pair) = pair {
            links(pair).next.set(pairs);
        }
        pairs = pair;
    }
    let mut whole = None;
    while let Some(pair) = pairs {
        pairs = cut(pair);
        whole = meld(whole, Some(pair));
    }
    whole
}

/// Removes the first node of a row of neighbours, and returns the next one.
fn cut(node: NonNull<pirn_waiter>) -> Option<NonNull<pirn_waiter>> {
    links(node).previous.set(None);
    links(node).next.take()
}

/// The parent of a node that is not the root.
fn parent_of(mut node: NonNull<pirn_waiter>) -> Option<NonNull<pirn_waiter>> {
    loop {
        let previous = links(node).previous.get()?;
        if links(previous).child.get() == Some(node) {
            return Some(previous);
        }
        node = previous;
    }
}

impl pirn_waiter {
    /// Sets the deadline of a wait that has begun: the time limit, or the deadline for all waits if
    /// that is earlier. If there is neither, ends a deadline that was kept. A place in the heap
    /// that is due earlier is kept. Returns `PIRN_WAITS`.
    #[inline(never)]
    pub(crate) fn limit(&self, hub: &pirn_hub, timeout_ns: u64) -> c_int {
        let bound_ns = self.bound_ns.get();
        if timeout_ns & bound_ns == PIRN_FOREVER {
            self.unlimit(hub);
            return PIRN_WAITS;
        }
        let deadline_ns = hub.now().saturating_add(timeout_ns).min(bound_ns);
        // 0 becomes the latest time: the waiter is not in the heap.
        let is_in_place = self.heap.at_ns.get().wrapping_sub(1) < deadline_ns;
        if is_in_place && self.has(KEPT) {
            self.deadline_ns.set(deadline_ns);
        } else {
            self.change_limit(deadline_ns);
        }
        PIRN_WAITS
    }

    /// The rest of `limit`, if more is to be done than to change a deadline. It finds the hub by
    /// itself, so that `limit` keeps nothing for it.
    #[inline(never)]
    fn change_limit(&self, deadline_ns: u64) {
        let Some(hub) = self.hub() else { return };
        if !self.has(LIMITED | KEPT) {
            let kind = if self.has(LAZY) { KEPT } else { LIMITED };
            self.flag(kind, true);
            if !self.has(UNREF) {
                hub.count_timed();
            }
        }
        self.deadline_ns.set(deadline_ns);
        let at = self.heap.at_ns.get();
        if at == 0 || at > deadline_ns {
            self.leave_heap(hub);
            hub.deadlines.insert(self, deadline_ns);
            hub.set_timer_for(deadline_ns);
        }
    }

    /// From now on the waiter has no deadline. Its place in the heap is left as it is.
    #[inline(never)]
    pub(crate) fn unlimit(&self, hub: &pirn_hub) {
        if self.has(LIMITED | KEPT) {
            self.flag(LIMITED | KEPT, false);
            self.deadline_ns.set(0);
            if !self.has(UNREF) {
                hub.uncount_timed();
            }
        }
    }

    /// Ends a deadline that ends with the wait. One that is kept does no harm: until the next wait
    /// the waiter's owner runs, and the loop goes on anyway.
    #[inline]
    pub(crate) fn end_limit(&self, hub: &pirn_hub) {
        if self.has(LIMITED) {
            self.clear_limit(hub);
        }
    }

    /// Leaves the heap, and has no deadline any more.
    #[cold]
    #[inline(never)]
    pub(crate) fn clear_limit(&self, hub: &pirn_hub) {
        self.leave_heap(hub);
        self.unlimit(hub);
    }

    #[inline(never)]
    fn leave_heap(&self, hub: &pirn_hub) {
        if self.heap.at_ns.get() != 0 {
            hub.deadlines.remove(self);
        }
    }

    /// Called when the place in the heap is due: ends the wait, unless its deadline is later.
    pub(crate) fn fall_due(&self, hub: &pirn_hub) {
        let at = self.heap.at_ns.get();
        hub.deadlines.remove(self);
        let deadline = self.deadline_ns();
        if deadline == 0 {
            return;
        }
        if deadline > at {
            // Also if the deadline has passed: waits end in the order of their deadlines.
            hub.deadlines.insert(self, deadline);
            return;
        }
        let is_bound = self.bound_ns.get() <= deadline;
        let result = if is_bound { -ECANCELED } else { -ETIMEDOUT };
        self.quit(hub, result);
    }
}
