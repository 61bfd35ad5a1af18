#![no_std]
//! Fibers: functions with a stack of their own that wait wherever they like.

#[cfg(test)]
extern crate std;

pub mod switch;
