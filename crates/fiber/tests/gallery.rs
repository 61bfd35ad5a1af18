//! The gallery's programs of fibers in Rust prove what they say.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "the example has a main function of its own")]
#[path = "../../../examples/gallery/downloader.rs"]
mod downloader;

#[test]
fn ten_downloads_take_as_long_as_the_slowest() {
    downloader::main();
}
