//! The conformance suite: one set of claims, held by every backend.
//!
//! A claim is a function over a [`bench::Bench`] in any [`world::World`]; `claims!` makes a test of
//! it for each backend it is made for, as `readiness::epoll::removed_fd_is_not_reported_again`. A T
//! with a number in a comment names a scenario of docs/TRUST.md.

/// Makes tests from claims: for all four worlds, for the three kernel backends, or for one of them.
/// A claim for all worlds is tested three times in each: with the calls of a dispatch, with events
/// that are taken one by one, and with a loop made by the C functions. Claims that only calls can
/// show are in `called`. Claims about features that only the Rust interface has are in `rust` or,
/// if only calls can show them, in `rust_called`.
macro_rules! claims {
    (
        all: $($all:ident)*;
        $(rust: $($rust:ident)*;)?
        $(called: $($called:ident)*;)?
        $(rust_called: $($rust_called:ident)*;)?
        kernel: $($kernel:ident)*;
        epoll: $($epoll:ident)*;
        simulation: $($simulation:ident)*;
    ) => {
        mod select {
            claims!(Select: $($all)* $($($rust)*)? $($($called)*)?
                $($($rust_called)*)? $($kernel)*);
        }
        mod poll {
            claims!(Poll: $($all)* $($($rust)*)? $($($called)*)?
                $($($rust_called)*)? $($kernel)*);
        }
        mod epoll {
            claims!(Epoll: $($all)* $($($rust)*)? $($($called)*)?
                $($($rust_called)*)? $($kernel)* $($epoll)*);
        }
        mod simulation {
            claims!(Simulation: $($all)* $($($rust)*)? $($($called)*)?
                $($($rust_called)*)? $($simulation)*);
        }
        mod taking {
            mod select { claims!(Taking<Select>: $($all)* $($($rust)*)?); }
            mod poll { claims!(Taking<Poll>: $($all)* $($($rust)*)?); }
            mod epoll { claims!(Taking<Epoll>: $($all)* $($($rust)*)?); }
            mod simulation { claims!(Taking<Simulation>: $($all)* $($($rust)*)?); }
        }
        mod c {
            mod select { claims!(ThroughC<Select>: $($all)* $($($called)*)? $($kernel)*); }
            mod poll { claims!(ThroughC<Poll>: $($all)* $($($called)*)? $($kernel)*); }
            mod epoll { claims!(ThroughC<Epoll>: $($all)* $($($called)*)? $($kernel)*); }
            mod simulation { claims!(ThroughC<Simulation>: $($all)* $($($called)*)?); }
        }
    };
    ($variant:ident<$world:ident>: $($claim:ident)*) => {
        $(#[test]
        fn $claim() {
            use $crate::world::{$variant, $world};
            $crate::bench::check::<$variant<$world>>(super::super::$claim);
        })*
    };
    ($world:ident: $($claim:ident)*) => {
        $(#[test]
        fn $claim() {
            $crate::bench::check::<$crate::world::$world>(super::$claim);
        })*
    };
}

mod bench;
mod face;
mod os;
mod simulation;
mod statistics;
mod taking;
mod tasks;
mod timers;
mod turn_order;
mod virtual_time;
mod world;

mod closed;
mod embedding;
mod exhaustion;
mod hooks;
mod host;
mod inspection;
mod keep_alive;
mod kernel_files;
mod lifecycle;
mod limits;
mod panics;
mod pausing;
mod readiness;
mod reentrancy;
mod remote;
mod seed;
