//! The gallery's programs of tasks in Rust prove what they say.
#![cfg(all(target_os = "linux", not(miri)))]

#[allow(dead_code, reason = "the example has a main function of its own")]
#[path = "../../../examples/gallery/server_tasks.rs"]
mod server_tasks;

#[test]
fn a_bounded_number_of_tasks_serves_many_clients() {
    server_tasks::main();
}
