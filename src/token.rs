//! Handles: what a caller holds instead of a pointer.
//!
//! A handle names a slot and the generation that slot had when it was given out. Freeing the slot
//! changes its generation, so that every older handle is stale and is answered with `ENOENT`.
//! Generation 0 is never live: a zeroed handle is refused. Live generations are odd; one comes
//! round after 2^31 uses of that one slot.

/// A slot and its generation: the untyped form of every handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[repr(C)]
pub(crate) struct Token {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// The generation that slots start with, which is even: they are free.
///
/// By `seed` alone if there is one, so that a run can be repeated. Otherwise it differs for each
/// block, for each life of a block (`block` says which), and by the clock, since a block that was
/// made again at the same address knows of no earlier life.
pub(crate) const fn first_generation(seed: u32, block: u32, now: u64) -> u32 {
    let hash = match seed {
        0 => block ^ ((now ^ now >> 32) as u32).wrapping_mul(0xC2B2_AE35),
        seed => seed.wrapping_mul(0x9E37_79B1),
    };
    hash & !1
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A small value, free to copy and to keep: a stale one is answered with
        /// [`Error::ENOENT`](crate::Error::ENOENT).
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub(crate) Token);

        impl $name {
            /// The handle as an integer, for maps and other languages. 0 is never a live one.
            #[must_use]
            pub const fn to_u64(self) -> u64 {
                self.0.slot as u64 | (self.0.generation as u64) << 32
            }

            /// The opposite of [`to_u64`](Self::to_u64). Any other number is a handle too, if only
            /// a stale one.
            #[must_use]
            pub const fn from_u64(number: u64) -> Self {
                $name(Token {
                    slot: number as u32,
                    generation: (number >> 32) as u32,
                })
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_as_an_integer() {
        let timer = Timer(Token {
            slot: 7,
            generation: 0x8000_0001,
        });
        assert_eq!(timer.to_u64(), 0x8000_0001_0000_0007);
        assert_eq!(Timer::from_u64(timer.to_u64()), timer);
        assert_eq!(Io::from_u64(0), Io::default());
    }
}
