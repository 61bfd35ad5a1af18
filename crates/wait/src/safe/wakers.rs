#![expect(
    unsafe_code,
    reason = "wakers are pointers to static cells, which threads share"
)]
//! What the wakers of futures point to.
//!
//! A waker may be kept on any thread, for ever. So it points to a cell in a static. The cell knows
//! the hub for as long as something can be woken there. A gate says for how long that is: a thread
//! that wakes is inside the gate while it uses the hub, and closing the gate waits until no thread
//! is inside.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{null, null_mut};
use core::task::{RawWaker, RawWakerVTable, Waker};

#[cfg(not(loom))]
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use pirn::Error;

use super::hub::{Hub, Result};
use crate::hub::pirn_hub;
use crate::remote::pirn_remote;

/// What is called on the loop's thread for a cell that was woken.
pub type Call = unsafe fn(*const ());

/// Where the wakers of `N` futures point to: a static of yours.
///
/// ```text
/// static CLIENTS: Wakers<64> = Wakers::new();
/// ```
///
/// It has 56 bytes for each of them on a 64-bit machine, and is used by one hub at a time.
pub struct Wakers<const N: usize> {
    is_claimed: AtomicBool,
    cells: [Cell; N],
}

impl<const N: usize> Wakers<N> {
    /// Makes them.
    #[cfg(not(loom))]
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Wakers {
            is_claimed: AtomicBool::new(false),
            cells: [const { Cell::new() }; N],
        }
    }

    /// Loom's atomics cannot be made in a constant.
    #[cfg(loom)]
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub fn new() -> Self {
        Wakers {
            is_claimed: AtomicBool::new(false),
            cells: core::array::from_fn(|_| Cell::new()),
        }
    }

    /// For the layers above: takes them into use for a hub.
    ///
    /// # Safety
    ///
    /// What is returned is dropped before the hub ends: it must not be leaked.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: they are in use.
    pub unsafe fn claim<'h>(&'static self, hub: &'h Hub) -> Result<Claim<'h>> {
        if self.is_claimed.swap(true, Ordering::Acquire) {
            return Err(Error::EBUSY);
        }
        for cell in &self.cells {
            cell.open(hub.raw());
        }
        Ok(Claim {
            is_claimed: &self.is_claimed,
            cells: &self.cells,
            hub,
            _thread: PhantomData,
        })
    }
}

/// Wakers that are in use. Dropping it ends that: no waker reaches the hub afterwards.
pub struct Claim<'h> {
    is_claimed: &'static AtomicBool,
    cells: &'static [Cell],
    hub: &'h Hub,
    // Of the loop's thread.
    _thread: PhantomData<*const ()>,
}

impl<'h> Claim<'h> {
    /// Their hub.
    pub fn hub(&self) -> &'h Hub {
        self.hub
    }

    /// The cells.
    pub fn cells(&self) -> &'static [Cell] {
        self.cells
    }

    /// Has `call` called with `target` whenever the cell is woken; with NULL, nothing.
    ///
    /// # Safety
    ///
    /// The cell is one of these. `target` stays until it is replaced, or until the claim is
    /// dropped. `call` takes it.
    pub unsafe fn attach(&self, cell: &'static Cell, call: Call, target: *const ()) {
        cell.call.set(Some(call));
        cell.target.set(target);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        for cell in self.cells {
            cell.target.set(null());
            cell.close();
        }
        let is_own = |remote| {
            self.cells
                .iter()
                .any(|cell| core::ptr::eq(&cell.remote, remote))
        };
        self.hub.raw().remotes.withdraw(is_own);
        self.is_claimed.store(false, Ordering::Release);
    }
}

/// The cell to which a waker points.
///
/// First in the struct, so that a pushed part leads to its cell.
#[repr(C)]
pub struct Cell {
    remote: pirn_remote,
    // `OPEN`, and `INSIDE` for each thread that is using the hub.
    gate: AtomicU32,
    // Written while the gate is closed, and nobody inside; NULL: none. Used by those inside, and
    // compared with by hubs that may be the one.
    hub: AtomicPtr<pirn_hub>,
    // The loop's thread alone uses these.
    call: core::cell::Cell<Option<Call>>,
    target: core::cell::Cell<*const ()>,
}

const OPEN: u32 = 1;
const INSIDE: u32 = 2;

// SAFETY: see the fields. Only a `Claim` leads to those that belong to the loop's thread, and it
// stays on that thread; of the remote part other threads use what `pirn_remotes::push` does.
unsafe impl Sync for Cell {}

impl Cell {
    #[cfg(not(loom))]
    const fn new() -> Cell {
        Cell {
            remote: pirn_remote::new(),
            gate: AtomicU32::new(0),
            hub: AtomicPtr::new(null_mut()),
            call: core::cell::Cell::new(None),
            target: core::cell::Cell::new(null()),
        }
    }

    #[cfg(loom)]
    fn new() -> Cell {
        Cell {
            remote: pirn_remote::default(),
            gate: AtomicU32::new(0),
            hub: AtomicPtr::new(null_mut()),
            call: core::cell::Cell::new(None),
            target: core::cell::Cell::new(null()),
        }
    }

    fn open(&self, hub: &pirn_hub) {
        // No thread reads it: the gate is closed.
        let hub = (&raw const *hub).cast_mut();
        self.hub.store(hub, Ordering::Relaxed);
        // Release: a thread that comes in sees the hub.
        self.gate.fetch_or(OPEN, Ordering::Release);
    }

    /// Closes the gate to other threads. Waits for the threads inside, which takes a few
    /// instructions.
    fn close(&self) {
        self.gate.fetch_and(!OPEN, Ordering::Relaxed);
        // Acquire: all that those threads did inside has happened before.
        while self.gate.load(Ordering::Acquire) >= INSIDE {
            spin();
        }
        self.hub.store(null_mut(), Ordering::Relaxed);
    }

    /// Has the loop call, soon. Any thread, signal handler or interrupt.
    pub fn wake(&self) {
        self.wake_by(|hub, remote| {
            // SAFETY: inside the gate the hub is live.
            unsafe { &*hub }.push_remote(remote, Some(on_remote));
        });
    }

    /// Calls `push` with the hub, which does not end meanwhile, if there is one.
    fn wake_by(&self, push: impl FnOnce(*const pirn_hub, &pirn_remote)) {
        if self.gate.fetch_add(INSIDE, Ordering::Acquire) & OPEN != 0 {
            push(self.hub.load(Ordering::Relaxed), &self.remote);
        }
        self.gate.fetch_sub(INSIDE, Ordering::Release);
    }

    /// The waker that points here. Cloning and dropping it is free.
    pub fn waker(&'static self) -> ManuallyDrop<Waker> {
        // SAFETY: the functions of the table do what a waker asks for, from any thread.
        ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker((&raw const *self).cast())) })
    }

    /// Calls what is attached. The loop's thread.
    fn run(&self) {
        let target = self.target.get();
        if let Some(call) = self.call.get().filter(|_| !target.is_null()) {
            // SAFETY: attached, and not replaced since.
            unsafe { call(target) };
        }
    }
}

#[cfg(not(loom))]
fn spin() {
    core::hint::spin_loop();
}

#[cfg(loom)]
fn spin() {
    loom::thread::yield_now();
}

unsafe extern "C" fn on_remote(_hub: *mut pirn_hub, remote: *mut pirn_remote) {
    // SAFETY: the first part of a cell, in a static.
    unsafe { &*remote.cast::<Cell>() }.run();
}

static TABLE: RawWakerVTable = RawWakerVTable::new(raw_waker, wake, wake, |_| {});

fn raw_waker(cell: *const ()) -> RawWaker {
    RawWaker::new(cell, &TABLE)
}

fn wake(cell: *const ()) {
    // SAFETY: only `waker` makes wakers with this table, of cells in statics.
    unsafe { &*cell.cast::<Cell>() }.wake();
}

/// Wakes, in a callback of the hub in which the wait has just ended. A cell of this hub is not sent
/// around by it: what is attached is called, which costs no further turn.
pub(super) fn wake_here(hub: *const pirn_hub, waker: Waker) {
    if core::ptr::eq(waker.vtable(), &TABLE) {
        // SAFETY: as in `wake`.
        let cell = unsafe { &*waker.data().cast::<Cell>() };
        // The cell may be another hub's, on another thread. It is this one's, and open, if it has
        // this address: a hub that had the address before has taken it back when it closed the
        // cell, and its memory was not used again without that being seen.
        if core::ptr::eq(cell.hub.load(Ordering::Relaxed), hub) {
            return cell.run();
        }
    }
    waker.wake();
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::boxed::Box;
    use std::vec::Vec;

    use loom::cell::UnsafeCell;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    use super::*;
    use crate::remote::pirn_remotes;

    /// In the place of a hub: memory that is used for something else when the hub has ended, and
    /// what was pushed.
    struct Fake {
        memory: UnsafeCell<u32>,
        remotes: pirn_remotes,
        flags: AtomicUsize,
        seen: core::cell::Cell<usize>,
    }

    // SAFETY: `seen` is the loop's alone.
    unsafe impl Sync for Fake {}

    fn fake() -> &'static Fake {
        Box::leak(Box::new(Fake {
            memory: UnsafeCell::new(1),
            remotes: pirn_remotes::default(),
            flags: AtomicUsize::new(0),
            seen: core::cell::Cell::new(0),
        }))
    }

    fn open_cell(fake: &'static Fake) -> &'static Cell {
        let cell: &'static Cell = Box::leak(Box::new(Cell::new()));
        // SAFETY: nothing but the address is used.
        cell.open(unsafe { &*(&raw const *fake).cast::<pirn_hub>() });
        cell
    }

    fn of(hub: *const pirn_hub) -> &'static Fake {
        // SAFETY: the address that `open_cell` was given.
        unsafe { &*hub.cast::<Fake>() }
    }

    unsafe extern "C" fn look(hub: *mut pirn_hub, _remote: *mut pirn_remote) {
        let fake = of(hub);
        fake.seen.set(fake.flags.load(Ordering::Relaxed));
    }

    /// Once a gate is closed nobody uses the hub, and nobody will.
    #[test]
    fn loom_a_closed_gate_keeps_all_out() {
        loom::model(|| {
            let fake = fake();
            let cell = open_cell(fake);
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    thread::spawn(move || {
                        cell.wake_by(|hub, _| {
                            // SAFETY: loom checks that nobody writes meanwhile.
                            let value = of(hub).memory.with(|memory| unsafe { *memory });
                            assert_eq!(value, 1);
                        });
                    })
                })
                .collect();
            cell.close();
            // SAFETY: loom checks that nobody else uses it.
            fake.memory.with_mut(|memory| unsafe { *memory = 2 });
            for thread in threads {
                thread.join().expect("it ends");
            }
        });
    }

    /// Whatever was done before a wake is seen by the call that follows.
    #[test]
    fn loom_no_wake_is_lost() {
        loom::model(|| {
            let fake = fake();
            let cell = open_cell(fake);
            let run_all = || fake.remotes.run((&raw const *fake).cast_mut().cast());
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    thread::spawn(move || {
                        fake.flags.fetch_add(1, Ordering::Relaxed);
                        cell.wake_by(|hub, remote| {
                            of(hub).remotes.push(remote, Some(look));
                        });
                    })
                })
                .collect();
            run_all();
            for thread in threads {
                thread.join().expect("it ends");
            }
            run_all();
            assert_eq!(fake.seen.get(), 2);
        });
    }

    /// Cells that are given back are in no stack, whatever threads do meanwhile, and can be pushed
    /// for the next hub.
    #[test]
    fn loom_a_cell_that_was_withdrawn_can_be_woken_again() {
        loom::model(|| {
            let (first, second) = (fake(), fake());
            let cell = open_cell(first);
            let thread = thread::spawn(move || {
                cell.wake_by(|hub, remote| {
                    of(hub).remotes.push(remote, Some(look));
                });
            });
            cell.close();
            let own = &raw const cell.remote;
            first.remotes.withdraw(|remote| core::ptr::eq(remote, own));
            assert!(first.remotes.is_empty());
            // SAFETY: nothing but the address is used.
            cell.open(unsafe { &*(&raw const *second).cast::<pirn_hub>() });
            second.flags.store(7, Ordering::Relaxed);
            cell.wake_by(|hub, remote| {
                of(hub).remotes.push(remote, Some(look));
            });
            let run_all = || second.remotes.run((&raw const *second).cast_mut().cast());
            run_all();
            // The thread may have come late, and be about to push for both.
            thread.join().expect("it ends");
            run_all();
            assert_eq!(second.seen.get(), 7);
        });
    }
}
