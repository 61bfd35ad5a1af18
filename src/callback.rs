//! What to call when something fires: a function, and the word that is passed to it.

use core::ptr::NonNull;

/// A callback as the core keeps it: the address of a function, which the core never calls, and the
/// user's word, which the core never looks at.
///
/// The core hands callbacks back by value; the layer that stored the function knows its type and
/// calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Callback {
    pub(crate) function: NonNull<()>,
    pub(crate) user: *mut (),
}
