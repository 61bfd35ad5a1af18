#![expect(
    unsafe_code,
    reason = "C functions are called, for a loop in the frame of `run`"
)]
//! A loop and its hub, for the time of a program.

use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::time::Duration;

use pirn::Error;
use pirn_abi::{
    PIRN_FOREVER, pirn_config, pirn_deinit, pirn_hold, pirn_init, pirn_loop, pirn_release,
};

use crate::errno::EBUSY;
use crate::ffi::{pirn_hub_deinit, pirn_hub_init};
use crate::hub::pirn_hub;

/// What a call returns that can fail.
pub type Result<T> = core::result::Result<T, Error>;

/// Turns what a C function has returned into a result.
///
/// # Errors
///
/// The errno, if the status is negative.
pub fn result(status: isize) -> Result<usize> {
    match usize::try_from(status) {
        Ok(value) => Ok(value),
        Err(_) => Err(Error::from_errno(status.unsigned_abs() as i32)),
    }
}

/// How many of each a loop has room for. A program that waits needs one I/O slot for each port, and
/// none for its time limits; one I/O slot, one timer and one task are the library's own.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// I/O watchers.
    pub io: u32,
    /// Timers.
    pub timers: u32,
    /// Tasks.
    pub tasks: u32,
}

/// Runs a program with a loop of its own, in the memory that is given, and returns what it returns.
///
/// # Errors
///
/// Those of `pirn_init`: [`Error::ENOBUFS`] if the block is too small.
pub fn run<R>(block: &mut [u64], capacity: Capacity, program: impl FnOnce(&Hub) -> R) -> Result<R> {
    // SAFETY: plain integers and a pointer, of which all zero is the default.
    let mut config: pirn_config = unsafe { MaybeUninit::zeroed().assume_init() };
    config.size = size_of::<pirn_config>() as u32;
    (config.io, config.timers, config.tasks) = (capacity.io, capacity.timers, capacity.tasks);
    let (memory, size) = (block.as_mut_ptr().cast(), size_of_val(block));
    let mut event_loop = null_mut();
    // SAFETY: the block is borrowed until the loop is ended.
    let status = unsafe { pirn_init(&raw mut event_loop, memory, size, &raw const config) };
    result(status as isize)?;
    let event_loop = EndingLoop(event_loop);
    let mut hub = MaybeUninit::<pirn_hub>::uninit();
    // SAFETY: a live loop; the hub is writable, and stays where it is until this returns.
    let status = unsafe { pirn_hub_init(event_loop.0, hub.as_mut_ptr(), 63) };
    result(status as isize)?;
    // SAFETY: just initialised.
    let hub = EndingHub(unsafe { hub.assume_init_ref() });
    Ok(program(Hub::of(hub.0)))
}

/// A loop that ends with its frame.
struct EndingLoop(*mut pirn_loop);

impl Drop for EndingLoop {
    fn drop(&mut self) {
        // SAFETY: initialised by `run`.
        unsafe { pirn_deinit(self.0) };
    }
}

/// A hub that ends with its frame, before the loop does.
struct EndingHub<'a>(&'a pirn_hub);

impl Drop for EndingHub<'_> {
    fn drop(&mut self) {
        // It is in use if somebody has leaked a future or a port. The loop ends all the same, and
        // nobody looks at these any more.
        // SAFETY: initialised by `run`.
        unsafe { pirn_hub_deinit((&raw const *self.0).cast_mut()) };
    }
}

/// What programs wait with: one for each loop. Made by [`run`].
#[repr(transparent)]
pub struct Hub {
    inner: pirn_hub,
}

impl Hub {
    fn of(hub: &pirn_hub) -> &Hub {
        // SAFETY: a hub is nothing but a `pirn_hub`.
        unsafe { &*(&raw const *hub).cast::<Hub>() }
    }

    /// The hub of a loop that was made by the C functions, for instance on a host of your own.
    ///
    /// # Safety
    ///
    /// The hub was initialised by `pirn_hub_init`, and is neither ended by `pirn_hub_deinit` nor
    /// moved while it is borrowed. Nothing that this hub calls runs the loop.
    pub unsafe fn from_raw(hub: &pirn_hub) -> &Hub {
        Hub::of(hub)
    }

    /// For the layers above: the hub as the C functions know it.
    pub fn raw(&self) -> &pirn_hub {
        &self.inner
    }

    /// For the layers above: the hub's address, for the C functions.
    pub fn address(&self) -> *mut pirn_hub {
        (&raw const self.inner).cast_mut()
    }

    /// For the layers above: how long, in the library's terms. None is for ever.
    pub fn nanoseconds(limit: Option<Duration>) -> u64 {
        limit.map_or(PIRN_FOREVER, |limit| {
            u64::try_from(limit.as_nanos()).unwrap_or(PIRN_FOREVER)
        })
    }

    /// Keeps the loop going until what is returned is dropped. For programs that other threads
    /// wake: the loop ends when nothing is left that it waits for, and it does not know of them.
    ///
    /// # Errors
    ///
    /// [`Error::EBUSY`]: too many hold it.
    pub fn hold(&self) -> Result<Hold<'_>> {
        // SAFETY: the loop is live as long as its hub.
        match unsafe { pirn_hold(self.inner.event_loop()) } {
            0.. => Ok(Hold { hub: self }),
            _ => Err(Error::from_errno(EBUSY)),
        }
    }
}

/// Keeps a loop going: see [`Hub::hold`].
#[must_use = "the loop is held until this is dropped"]
pub struct Hold<'h> {
    hub: &'h Hub,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // SAFETY: held by `hold`, and live as long as its hub.
        unsafe { pirn_release(self.hub.inner.event_loop()) };
    }
}
