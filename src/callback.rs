//! A callback: a function, and the user data that is passed to it.

use core::ptr::NonNull;

/// A callback as the core stores it: the address of a function, which the core never calls, and the
/// user data, which the core never dereferences.
///
/// The core returns callbacks by value; the layer that stored the function knows its type and calls
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Callback {
    pub(crate) function: NonNull<()>,
    pub(crate) user: *mut (),
}
