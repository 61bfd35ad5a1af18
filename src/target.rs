//! What to call when something fires: a function and the word its owner asked to have handed back.

use core::ptr::NonNull;

/// A callback as the core sees it: an address it never calls, and a word it never looks at.
///
/// The core hands targets back by value; the layer that stored the function knows its type and
/// makes the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) callback: NonNull<()>,
    pub(crate) user: *mut (),
}
