//! What C and Rust make of the public structs, constants and sizes is the same. T121.

use core::mem::offset_of;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use pirn::ffi::{
    PIRN_BACKEND_AUTO, PIRN_BACKEND_EPOLL, PIRN_BACKEND_HOST, PIRN_BACKEND_POLL,
    PIRN_BACKEND_SELECT, PIRN_CAN_EDGE, PIRN_CAN_EXCLUSIVE, PIRN_CAN_FD, PIRN_CAN_NANOSECONDS,
    PIRN_DONE, PIRN_DUE_HOOK, PIRN_DUE_IO, PIRN_DUE_POST, PIRN_DUE_RAISED, PIRN_DUE_TASK,
    PIRN_DUE_TIMER, PIRN_EDGE, PIRN_ERROR, PIRN_EXCLUSIVE, PIRN_EXPIRED, PIRN_FOREVER, PIRN_GOING,
    PIRN_HANGUP, PIRN_HIGH, PIRN_HOOK_FIRST, PIRN_HOOK_IDLE, PIRN_HOOK_LAST, PIRN_INVALID,
    PIRN_LOW, PIRN_MEASURE, PIRN_NO_FORK_CHECK, PIRN_ONESHOT, PIRN_PEER_CLOSED, PIRN_READ,
    PIRN_STOPPED, PIRN_STORAGE_BASE, PIRN_STORAGE_MAGIC, PIRN_TAKE, PIRN_TIMER_ABSOLUTE,
    PIRN_TIMER_CACHED, PIRN_TIMER_FIXED_DELAY, PIRN_TIMER_SKIP, PIRN_UNREF, PIRN_URGENT,
    PIRN_VERSION, PIRN_WRITE, pirn_config, pirn_due, pirn_host, pirn_info, pirn_io, pirn_ready,
    pirn_stats, pirn_storage_size, pirn_task, pirn_timer,
};

use crate::support::{Compiler, GCC, MINUTES, has, root, run};

const fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! structs {
    ($text:ident: $($name:ident { $($field:ident),* })*) => {$(
        let name = stringify!($name);
        let (size, alignment) = (size_of::<$name>(), align_of::<$name>());
        let _ = writeln!($text, "struct {name} {size} {alignment}");
        $(
            let size = size_of_field(|value: &$name| &value.$field);
            let (field, offset) = (stringify!($field), offset_of!($name, $field));
            let _ = writeln!($text, "field {name}.{field} {offset} {size}");
        )*
    )*};
}

macro_rules! constants {
    ($text:ident: $($name:ident)*) => {$(
        let _ = writeln!($text, "constant {} {}", stringify!($name), $name as u64);
    )*};
}

fn what_rust_makes_of_it() -> String {
    let mut text = String::new();
    structs! { text:
        pirn_io { slot, generation }
        pirn_timer { slot, generation }
        pirn_task { slot, generation }
        pirn_ready { fd, ready }
        pirn_host { size, capabilities, user, now, wait, watch, wake }
        pirn_config { size, backend, io, timers, tasks, flags, seed, reserved, host }
        pirn_stats {
            size, backend, turns, waits, events, stale_events, spurious_wakeups, callbacks,
            longest_callback_ns, longest_lag_ns, interest_changes, interest_syscalls, rebuilds,
            remote_posts, wake_writes, io_capacity, io_used, io_peak, timer_capacity, timer_used,
            timer_peak, task_capacity, task_used, task_peak, remote_capacity, remote_peak,
            task_refused, remote_refused, block_size, io_referenced, timer_referenced, holds,
            remote_used
        }
        pirn_due { kind, fd, handle, ready, reserved, missed, callback, user, more }
        pirn_info {
            size, kind, handle, fd, options, deadline_ns, period_ns, slack_ns, callback, user
        }
    }
    constants! { text:
        PIRN_FOREVER PIRN_STORAGE_BASE PIRN_STORAGE_MAGIC PIRN_BACKEND_AUTO PIRN_BACKEND_SELECT
        PIRN_BACKEND_POLL PIRN_BACKEND_EPOLL PIRN_BACKEND_HOST PIRN_MEASURE PIRN_TAKE
        PIRN_NO_FORK_CHECK PIRN_READ PIRN_URGENT PIRN_WRITE PIRN_ERROR PIRN_HANGUP PIRN_INVALID
        PIRN_PEER_CLOSED PIRN_EDGE PIRN_ONESHOT PIRN_EXCLUSIVE PIRN_HIGH PIRN_LOW PIRN_UNREF
        PIRN_TIMER_ABSOLUTE PIRN_TIMER_CACHED PIRN_TIMER_FIXED_DELAY PIRN_TIMER_SKIP PIRN_DONE
        PIRN_STOPPED PIRN_EXPIRED PIRN_GOING PIRN_DUE_TIMER PIRN_DUE_IO
        PIRN_DUE_RAISED PIRN_DUE_TASK PIRN_DUE_POST PIRN_DUE_HOOK PIRN_HOOK_FIRST
        PIRN_HOOK_LAST PIRN_HOOK_IDLE PIRN_CAN_EDGE PIRN_CAN_EXCLUSIVE PIRN_CAN_FD
        PIRN_CAN_NANOSECONDS PIRN_VERSION
    }
    text
}

fn what_c_makes_of_it(compiler: &Compiler) -> String {
    let program = compiler.build("layout", &[]);
    let outcome = run(&mut std::process::Command::new(program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    outcome.output
}

#[test]
fn structs_and_constants_agree() {
    if !has(GCC.program) {
        return;
    }
    let c = what_c_makes_of_it(&GCC);
    let rust = what_rust_makes_of_it();
    let c: Vec<&str> = c
        .lines()
        .filter(|line| !line.starts_with("size "))
        .collect();
    let rust: Vec<&str> = rust.lines().collect();
    assert_eq!(c, rust);
}

/// A constant expression in C, a function in C, and what Rust says: one number.
#[test]
fn sizes_agree() {
    if !has(GCC.program) {
        return;
    }
    let mut count = 0;
    for line in what_c_makes_of_it(&GCC)
        .lines()
        .filter_map(|line| line.strip_prefix("size "))
    {
        let words: Vec<&str> = line.split(' ').collect();
        let [capacities, constant, function] = words[..] else {
            panic!("{line}")
        };
        let capacities: Vec<u32> = capacities
            .split('/')
            .map(|number| number.parse().expect("a number"))
            .collect();
        let rust = pirn_storage_size(capacities[0], capacities[1], capacities[2]).to_string();
        assert_eq!(
            (constant, function),
            (rust.as_str(), rust.as_str()),
            "{line}"
        );
        count += 1;
    }
    assert!(count >= 15);
}

/// No bytes that nobody named: fields follow each other without gaps, to the end.
#[test]
fn structs_have_no_holes() {
    let text = what_rust_makes_of_it();
    let mut end = (String::new(), 0, 0);
    let mut holes = Vec::new();
    for line in text.lines().chain(["struct end 0 0"]) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| {
            words
                .get(at)
                .and_then(|word| word.parse::<usize>().ok())
                .unwrap_or(0)
        };
        match words[0] {
            "struct" => {
                if end.1 != end.2 {
                    holes.push(format!(
                        "{}: {} of {} bytes have a name",
                        end.0, end.1, end.2
                    ));
                }
                end = (words[1].to_owned(), 0, number(2));
            }
            "field" => {
                if number(2) != end.1 {
                    holes.push(format!("a hole before {}", words[1]));
                }
                end.1 = number(2) + number(3);
            }
            _ => {}
        }
    }
    assert!(holes.is_empty(), "{holes:?}");
}

/// The comparison leaves nothing out that the header has.
#[test]
fn every_struct_and_constant_is_compared() {
    let header =
        std::fs::read_to_string(root().join("include/pirn.h")).expect("the header is committed");
    let compared = what_rust_makes_of_it();
    let is_compared = |kind: &str, name: &str| {
        compared
            .lines()
            .any(|line| line.starts_with(&format!("{kind} {name} ")))
    };
    let constants: BTreeSet<&str> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter_map(|rest| rest.split(' ').next())
        .filter(|name| !name.contains('(') && *name != "PIRN_H")
        .collect();
    assert!(constants.len() > 30);
    for name in constants {
        assert!(is_compared("constant", name), "{name} is not compared");
    }
    let mut name = "";
    let mut fields = 0;
    for line in header.lines() {
        if let Some(rest) = line
            .strip_prefix("struct ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            name = rest;
            assert!(is_compared("struct", name), "struct {name} is not compared");
        } else if line.starts_with('}') {
            name = "";
        } else if !name.is_empty() && line.ends_with(';') && !line.trim_start().starts_with('*') {
            let declared = line.trim_end_matches(';');
            let field = match declared.split_once("(*") {
                Some((_, rest)) => rest.split(')').next().unwrap_or(""),
                None => declared.rsplit([' ', '*']).next().unwrap_or(""),
            };
            let field = field.split('[').next().unwrap_or("");
            let line = format!("field {name}.{field} ");
            assert!(
                compared.lines().any(|compared| compared.starts_with(&line)),
                "{line}is not compared"
            );
            fields += 1;
        }
    }
    assert!(fields > 40);
}
