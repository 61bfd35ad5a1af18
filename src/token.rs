//! Handles: what a caller holds instead of a pointer.
//!
//! A handle names a slot and the generation that slot had when it was given out. Freeing the slot changes its generation,
//! so that every older handle is stale and is answered with `ENOENT`. Generation 0 is never live: a zeroed handle is
//! refused. Live generations are odd; one comes round after 2^31 uses of that one slot.

/// A slot and its generation: the untyped form of every handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[repr(C)]
pub(crate) struct Token {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A small value, free to copy and to keep: a stale one is answered with [`Error::ENOENT`](crate::Error::ENOENT).
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub(crate) Token);
    )*};
}

handles! {
    /// Names an I/O watcher, or a raise handler.
    Io;
    /// Names a timer.
    Timer;
    /// Names a task in the loop's own queue.
    Task;
}
