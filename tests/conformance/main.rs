//! The conformance suite: one set of claims, held by every backend.
//!
//! A claim is a function over a [`bench::Bench`] in any [`world::World`]; `claims!` makes a test of
//! it for each backend it is made for, as `readiness::epoll::removed_fd_is_not_reported_again`. The
//! numbers in comments are those of the torture list.

/// Makes tests of claims: for all four worlds, for the three kernels, for one alone. What is
/// claimed for all worlds is claimed twice for each: of the calls of a dispatch, and of events that
/// are taken one by one. What only calls can show stands under `called`.
macro_rules! claims {
    (
        all: $($all:ident)*;
        $(called: $($called:ident)*;)?
        kernel: $($kernel:ident)*;
        epoll: $($epoll:ident)*;
        simulation: $($simulation:ident)*;
    ) => {
        mod select { claims!(Select: $($all)* $($($called)*)? $($kernel)*); }
        mod poll { claims!(Poll: $($all)* $($($called)*)? $($kernel)*); }
        mod epoll { claims!(Epoll: $($all)* $($($called)*)? $($kernel)* $($epoll)*); }
        mod simulation { claims!(Simulation: $($all)* $($($called)*)? $($simulation)*); }
        mod taking {
            mod select { claims!(Taking<Select>: $($all)*); }
            mod poll { claims!(Taking<Poll>: $($all)*); }
            mod epoll { claims!(Taking<Epoll>: $($all)*); }
            mod simulation { claims!(Taking<Simulation>: $($all)*); }
        }
    };
    (Taking<$world:ident>: $($claim:ident)*) => {
        $(#[test]
        fn $claim() {
            use $crate::world::{Taking, $world};
            $crate::bench::check::<Taking<$world>>(super::super::$claim);
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
mod readiness;
mod reentrancy;
mod remote;
mod seed;
