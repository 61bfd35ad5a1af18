//! The program of docs/WAITING.md as a task does what those of the other ways do.
#![cfg(all(target_os = "linux", not(miri)))]

use std::io::Write;
use std::process::{Command, Stdio};

#[rustfmt::skip]
#[path = "waiting/program.rs"]
mod program;

#[test]
fn the_page_shows_the_program() {
    let page = include_str!("../../../docs/WAITING.md");
    let block = page.split("```rust\n").nth(1).expect("there is one");
    let block = block.split("```").next();
    assert_eq!(block, Some(include_str!("waiting/program.rs")));
}

#[test]
#[ignore = "run by the test below, with an input of its own"]
fn runs_the_program() {
    program::main();
}

#[test]
fn a_task_hears_the_line_and_ends() {
    let this = std::env::current_exe().expect("it runs");
    let mut child = Command::new(this)
        .args(["runs_the_program", "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run");
    let mut input = child.stdin.take().expect("it is a pipe");
    input.write_all(b"a line").expect("it is read");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let printed = String::from_utf8(output.stdout).expect("it is text");
    assert!(printed.contains("heard\nend\n"), "{printed}");
}
