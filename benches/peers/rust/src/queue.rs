//! Hand-written queues for libraries that have none, as `../../adapters/queue.h`: a fifo of deferred calls, and a ring for
//! messages beside a wake-up call that coalesces.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};

/// Deferred calls, by token.
#[derive(Default)]
pub struct Fifo(VecDeque<usize>);

impl Fifo {
    pub fn push(&mut self, token: usize) {
        self.0.push_back(token);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn pop(&mut self) -> Option<usize> {
        self.0.pop_front()
    }
}

struct Cell {
    /// Equals the position at which this cell is free, one more when it is full.
    turn: AtomicU32,
    message: AtomicUsize,
}

#[repr(align(64))]
struct Line<T>(T);

/// Vyukov's bounded queue, and whether the loop has been woken for what is in it. One thread takes.
pub struct Letterbox {
    cells: Box<[Cell]>,
    tail: Line<AtomicU32>,
    head: Line<AtomicU32>,
    woken: Line<AtomicBool>,
}

impl Letterbox {
    /// `capacity`: a power of two.
    pub fn new(capacity: usize) -> Arc<Self> {
        let cell = |turn| Cell { turn: AtomicU32::new(turn as u32), message: AtomicUsize::new(0) };
        Arc::new(Letterbox {
            cells: (0..capacity.max(2)).map(cell).collect(),
            tail: Line(AtomicU32::new(0)),
            head: Line(AtomicU32::new(0)),
            woken: Line(AtomicBool::new(false)),
        })
    }

    /// None if it is full; else whether the loop has to be woken.
    pub fn put(&self, message: usize) -> Option<bool> {
        let mask = self.cells.len() as u32 - 1;
        let mut position = self.tail.0.load(Ordering::Relaxed);
        loop {
            let cell = &self.cells[(position & mask) as usize];
            let ahead = cell.turn.load(Ordering::Acquire).wrapping_sub(position) as i32;
            if ahead < 0 {
                return None;
            }
            if ahead > 0 {
                position = self.tail.0.load(Ordering::Relaxed);
                continue;
            }
            match self.tail.0.compare_exchange_weak(position, position.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed) {
                Err(now) => position = now,
                Ok(_) => {
                    cell.message.store(message, Ordering::Relaxed);
                    cell.turn.store(position.wrapping_add(1), Ordering::Release);
                    // Put in before asking, as `opened` takes back before anyone looks: one sees the other.
                    fence(Ordering::SeqCst);
                    return Some(!self.woken.0.load(Ordering::Relaxed) && !self.woken.0.swap(true, Ordering::SeqCst));
                }
            }
        }
    }

    /// When woken: whatever is put in from here on wakes again.
    pub fn opened(&self) {
        self.woken.0.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub fn take(&self) -> Option<usize> {
        let head = self.head.0.load(Ordering::Relaxed);
        let mask = self.cells.len() as u32 - 1;
        let cell = &self.cells[(head & mask) as usize];
        if cell.turn.load(Ordering::Acquire) != head.wrapping_add(1) {
            return None;
        }
        let message = cell.message.load(Ordering::Relaxed);
        cell.turn.store(head.wrapping_add(mask + 1), Ordering::Release);
        self.head.0.store(head.wrapping_add(1), Ordering::Relaxed);
        Some(message)
    }
}
