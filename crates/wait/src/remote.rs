#![expect(unsafe_code, reason = "notifications are reached by their addresses")]
//! Notifications from other threads, signal handlers and interrupts: an atomic stack, which cannot
//! be full.

#[cfg(not(loom))]
use core::cell::Cell;
use core::ptr::{NonNull, null_mut};

#[cfg(not(loom))]
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
// Checks that what other threads have written is seen.
#[cfg(loom)]
use loom::cell::Cell;
#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::hub::pirn_hub;

/// Called on the loop's thread after `pirn_remote_push`. `remote` may be pushed again from the
/// beginning of this call on; that makes another call.
pub type pirn_remote_fn =
    Option<unsafe extern "C" fn(hub: *mut pirn_hub, remote: *mut pirn_remote)>;

/// The part of an object by which other threads notify its loop. All zero: not pushed. For objects
/// of your own: see "Building objects".
#[repr(C)]
#[derive(Default)]
pub struct pirn_remote {
    next: RemotePointer,
    run: Cell<pirn_remote_fn>,
    is_pushed: AtomicU32,
}

type RemotePointer = AtomicPtr<pirn_remote>;

#[cfg(all(feature = "safe", not(loom)))]
impl pirn_remote {
    /// One that is not pushed, for a static.
    pub(crate) const fn new() -> pirn_remote {
        pirn_remote {
            next: AtomicPtr::new(null_mut()),
            run: Cell::new(None),
            is_pushed: AtomicU32::new(0),
        }
    }
}

/// The notifications that the loop has not handled yet. All zero: none.
#[repr(C)]
#[derive(Default)]
pub struct pirn_remotes {
    top: RemotePointer,
}

impl pirn_remotes {
    /// True if there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.top.load(Ordering::Acquire).is_null()
    }

    /// Adds a notification, unless it is in the stack already. True if it was added. Any thread.
    pub(crate) fn push(&self, remote: &pirn_remote, run: pirn_remote_fn) -> bool {
        // The thread that sets the flag owns `run` and `next` until the loop takes them.
        if remote.is_pushed.swap(1, Ordering::AcqRel) != 0 {
            return false;
        }
        remote.run.set(run);
        let new = NonNull::from(remote).as_ptr();
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            remote.next.store(top, Ordering::Relaxed);
            // Release: the loop, which takes the stack, sees what was written before the push.
            match self
                .top
                .compare_exchange_weak(top, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(changed) => top = changed,
            }
        }
    }

    /// Takes those out for which `is_unwanted` is true, without a call. Loop thread.
    #[cfg(feature = "safe")]
    pub(crate) fn withdraw(&self, is_unwanted: impl Fn(*const pirn_remote) -> bool) {
        let mut first = self.take_all();
        // SAFETY: pushed, hence alive until it is called, as `pirn_remote_push` documents.
        while let Some(remote) = unsafe { first.as_ref() } {
            let run = remote.run.get();
            first = remote.next.load(Ordering::Relaxed);
            remote.is_pushed.swap(0, Ordering::AcqRel);
            if !is_unwanted(remote) {
                // The bit that was raised for it still is.
                self.push(remote, run);
            }
        }
    }

    /// Takes all, linked in the order in which they were pushed.
    fn take_all(&self) -> *mut pirn_remote {
        // The whole stack is taken at once, and nothing is ever popped alone, so there is no ABA.
        let mut rest = self.top.swap(null_mut(), Ordering::Acquire);
        let mut first = null_mut();
        // SAFETY: pushed, hence alive until it is called, as `pirn_remote_push` documents.
        while let Some(remote) = unsafe { rest.as_ref() } {
            let next = remote.next.load(Ordering::Relaxed);
            remote.next.store(first, Ordering::Relaxed);
            first = rest;
            rest = next;
        }
        first
    }

    /// Removes all notifications, and calls each, in the order of the pushes. Loop thread.
    pub(crate) fn run(&self, hub: *mut pirn_hub) {
        let mut first = self.take_all();
        // SAFETY: pushed, hence alive until it is called, as `pirn_remote_push` documents.
        while let Some(remote) = unsafe { first.as_ref() } {
            let (current, run) = (first, remote.run.get());
            first = remote.next.load(Ordering::Relaxed);
            // Release: the next thread that pushes writes `run` and `next` after they were read
            // here. Acquire: the call sees what threads did before a push that found the flag set.
            // So this is a swap and not a store.
            remote.is_pushed.swap(0, Ordering::AcqRel);
            if let Some(run) = run {
                // SAFETY: called as documented there.
                unsafe { run(hub, current) };
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    use super::*;

    /// An object that other threads add to, and the loop that looks at it when it is told.
    #[derive(Default)]
    struct Shared {
        remotes: pirn_remotes,
        remote: pirn_remote,
        added: AtomicUsize,
        seen: Cell<usize>,
    }

    // SAFETY: only the loop uses `seen`, and `run` of a remote belongs to the thread that has set
    // its flag.
    unsafe impl Sync for Shared {}
    // SAFETY: as above.
    unsafe impl Send for Shared {}

    /// Called with the address of what is shared in the place of the hub's.
    unsafe extern "C" fn look(hub: *mut pirn_hub, _remote: *mut pirn_remote) {
        // SAFETY: passed by `run_all`.
        let shared = unsafe { &*hub.cast::<Shared>() };
        shared.seen.set(shared.added.load(Ordering::Relaxed));
    }

    fn run_all(shared: &Shared) {
        let address = (&raw const *shared).cast_mut();
        shared.remotes.run(address.cast());
    }

    /// Whatever was done before a push is seen by the call that follows it, also if the push found
    /// that another one had not been served yet.
    #[test]
    fn loom_no_push_is_lost() {
        loom::model(|| {
            let shared = Arc::new(Shared::default());
            let threads: [_; 2] = core::array::from_fn(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.added.fetch_add(1, Ordering::Relaxed);
                    shared.remotes.push(&shared.remote, Some(look));
                })
            });
            run_all(&shared);
            for thread in threads {
                thread.join().expect("it ends");
            }
            run_all(&shared);
            assert_eq!(shared.seen.get(), 2);
        });
    }

    /// Two objects, and how often each was called.
    #[derive(Default)]
    struct Two {
        remotes: pirn_remotes,
        parts: [(pirn_remote, Cell<u32>); 2],
    }

    // SAFETY: only the loop uses the counts, and `run` of a remote belongs to the thread that has
    // set its flag.
    unsafe impl Sync for Two {}
    // SAFETY: as above.
    unsafe impl Send for Two {}

    unsafe extern "C" fn count(hub: *mut pirn_hub, remote: *mut pirn_remote) {
        // SAFETY: passed by `run_two`.
        let two = unsafe { &*hub.cast::<Two>() };
        let mut parts = two.parts.iter();
        let part = parts.find(|part| core::ptr::eq(&raw const part.0, remote));
        let (_, count) = part.expect("it is one of the two");
        count.set(count.get() + 1);
    }

    fn run_two(two: &Two) {
        two.remotes.run((&raw const *two).cast_mut().cast());
    }

    /// Two threads push different notifications while the loop calls some: each push that has added
    /// one makes one call.
    #[test]
    fn loom_two_notifications_are_called_once_each() {
        loom::model(|| {
            let two = Arc::new(Two::default());
            let threads: [_; 2] = core::array::from_fn(|at| {
                let two = two.clone();
                thread::spawn(move || two.remotes.push(&two.parts[at].0, Some(count)))
            });
            run_two(&two);
            for thread in threads {
                assert!(thread.join().expect("it ends"));
            }
            run_two(&two);
            for (_, count) in &two.parts {
                assert_eq!(count.get(), 1);
            }
            assert!(two.remotes.is_empty());
        });
    }
}
