//! One loop with up to a million connections: a watcher and an idle timer each, all in one block.
//!
//! On a simulated host, so that neither fds nor sockets are needed: what is measured is pirn alone. `cargo bench --bench million` prints,
//! for 1,000 to 1,000,000 connections, the bytes each takes, and the nanoseconds for an event (100 random connections ready in a turn,
//! each of which pushes its idle timer forward), for a push alone, and for a turn in which nothing happens.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Instant;

use pirn::{
    Config, Core, Host, Interest, IoEvent, Loop, Nanos, Readiness, Ready, Repeat, Result, Storage,
    Timer, TimerEvent, Wake, When,
};

/// Ready connections in a turn.
const READY: usize = 100;
/// The idle timeout: far enough that none fires.
const IDLE: Nanos = 60_000_000_000;
const ROUNDS: usize = 2_000;

/// A world in which time stands still and connections become ready as they are told.
#[derive(Default)]
struct World {
    ready: Vec<i32>,
}

/// Nobody else is there to wake the loop.
#[derive(Clone, Copy)]
struct Nobody;

impl Wake for Nobody {
    fn wake(&self) -> pirn::Result<()> {
        Ok(())
    }
}

static WORLD: Mutex<World> = Mutex::new(World { ready: Vec::new() });

impl Host for World {
    type Waker = Nobody;

    fn now(&mut self) -> Nanos {
        1_000_000_000
    }

    fn wait(&mut self, _timeout: Nanos, ready: &mut [Readiness]) -> Result<usize> {
        let mut world = WORLD.lock().unwrap();
        let count = world.ready.len().min(ready.len());
        for (slot, fd) in ready.iter_mut().zip(world.ready.drain(..count)) {
            *slot = Readiness {
                fd,
                ready: Ready::READ.bits(),
            };
        }
        Ok(count)
    }

    fn waker(&self) -> Nobody {
        Nobody
    }
}

struct Connections {
    timers: Vec<Timer>,
    events: usize,
}

fn on_readable(
    event_loop: &mut Core<'_, Connections, World>,
    connections: &mut Connections,
    event: IoEvent,
) {
    connections.events += 1;
    event_loop
        .timer_again(connections.timers[event.user], IDLE)
        .unwrap();
}

fn on_idle(_: &mut Core<'_, Connections, World>, _: &mut Connections, _: TimerEvent) {
    unreachable!("no connection is idle that long");
}

/// A generator of numbers good enough to spread accesses.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}

fn measure<const N: usize>(storage: &mut Storage<N, N, 16>) {
    let block = size_of::<Storage<N, N, 16>>();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut event_loop = Loop::with_host(storage, World::default(), Config::default()).unwrap();
    let mut connections = Connections {
        timers: Vec::with_capacity(N),
        events: 0,
    };

    let start = Instant::now();
    for number in 0..N {
        event_loop
            .io_add(number as i32, Interest::READ, on_readable, number)
            .unwrap();
        let timer = event_loop
            .timer_start(When::AfterCached(IDLE), Repeat::Never, on_idle, number)
            .unwrap();
        connections.timers.push(timer);
    }
    let add = start.elapsed();

    let mut in_turns = 0;
    for _ in 0..ROUNDS {
        WORLD
            .lock()
            .unwrap()
            .ready
            .extend((0..READY).map(|_| random.below(N) as i32));
        let start = Instant::now();
        event_loop.turn(0, &mut connections).unwrap();
        in_turns += start.elapsed().as_nanos();
    }
    assert!(
        connections.events > ROUNDS * READY * 9 / 10,
        "only repeated numbers may be missing"
    );

    let order: Vec<usize> = (0..ROUNDS * READY).map(|_| random.below(N)).collect();
    let start = Instant::now();
    for &number in &order {
        event_loop
            .timer_again(connections.timers[number], IDLE)
            .unwrap();
    }
    let push = start.elapsed();

    let start = Instant::now();
    for _ in 0..ROUNDS * READY {
        black_box(event_loop.turn(0, &mut connections).unwrap());
    }
    let idle = start.elapsed();
    event_loop.verify().unwrap();

    let per = |nanoseconds: u128, count: usize| nanoseconds as f64 / count as f64;
    println!(
        "{N:>9} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
        block as f64 / N as f64,
        per(add.as_nanos(), N),
        per(in_turns, connections.events),
        per(push.as_nanos(), ROUNDS * READY),
        per(idle.as_nanos(), ROUNDS * READY),
    );
}

fn main() {
    static THOUSAND: Mutex<Storage<1_000, 1_000, 16>> = Mutex::new(Storage::new());
    static TEN_THOUSAND: Mutex<Storage<10_000, 10_000, 16>> = Mutex::new(Storage::new());
    static HUNDRED_THOUSAND: Mutex<Storage<100_000, 100_000, 16>> = Mutex::new(Storage::new());
    static MILLION: Mutex<Storage<1_000_000, 1_000_000, 16>> = Mutex::new(Storage::new());

    println!(
        "connections    bytes      add    event     push     idle   (bytes and ns per connection; ns per event, push, turn)"
    );
    measure(&mut THOUSAND.lock().unwrap());
    measure(&mut TEN_THOUSAND.lock().unwrap());
    measure(&mut HUNDRED_THOUSAND.lock().unwrap());
    measure(&mut MILLION.lock().unwrap());
}
