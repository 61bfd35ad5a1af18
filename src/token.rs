//! Handles, which programs get instead of pointers.
//!
//! A handle consists of a slot's index and the generation of that slot at that time. Freeing the
//! slot changes its generation, so every older handle is stale, and a call with it returns
//! `ENOENT`. Generation 0 is never live, so a zeroed handle is refused. Live generations are odd;
//! one returns after 2^31 uses of that slot.

/// A slot and its generation: the untyped form of every handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[repr(C)]
pub(crate) struct Token {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Returns the generation that slots start with. It is even, because the slots are free.
///
/// If there is a `seed`, the result depends only on it, so that a run can be repeated. Otherwise it
/// depends on `block`, a hash of the block's address and of the number of loops made in it, and on
/// the clock: a new block at the same address does not know of earlier loops there.
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
        /// A small value that can be copied and kept. A call with a stale handle returns
        /// [`Error::ENOENT`](crate::Error::ENOENT).
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub(crate) Token);

        impl $name {
            /// Return the handle as an integer, for maps and other languages. A live handle is
            /// never 0.
            #[must_use]
            pub const fn to_u64(self) -> u64 {
                self.0.slot as u64 | (self.0.generation as u64) << 32
            }

            /// Make a handle from an integer of [`to_u64`](Self::to_u64). Any other number gives a
            /// handle too, possibly a stale one.
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
    /// Names an I/O watcher, the handler of a raised bit, or a hook.
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
