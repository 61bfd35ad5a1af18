//! The workloads, one file as the C ones.

mod dispatch;
mod echo;
mod memory;
mod posts;
mod register;
mod tasks;
mod timers;

use crate::Library;
use crate::bench::{fd_limit, is_fixed, options, watchdog};

/// What each executable does: `PEER [--seconds S | --fixed | --mark] WORKLOAD [ARGUMENT ...]`
pub fn main<L: Library>() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--seconds") {
        words.drain(at..(at + 2).min(words.len()));
    }
    words.retain(|word| !word.starts_with("--"));
    let number = |at: usize| words.get(at).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    watchdog(if is_fixed() { 380 } else { options().seconds as u32 * 10 + 100 + number(1) as u32 / 5000 });
    fd_limit();
    match words.first().map_or("", String::as_str) {
        "dispatch" => dispatch::dispatch::<L>(number(1), number(2)),
        "idle" => dispatch::idle::<L>(number(1)),
        "register" => register::register::<L>(number(1)),
        "timers" => timers::timers::<L>(number(1), words.get(2).map_or("random", String::as_str)),
        "lateness" => timers::lateness::<L>(words.get(1).map_or("", String::as_str)),
        "tasks" => tasks::tasks::<L>(),
        "posts" => posts::posts::<L>(number(1)),
        "pingpong" => posts::pingpong::<L>(),
        "echo" => echo::echo::<L>(number(1)),
        "mix" => echo::mix::<L>(number(1)),
        "memory" => memory::memory::<L>(),
        other => {
            eprintln!("{}: no workload '{other}'", L::NAME);
            std::process::exit(2);
        }
    }
}
