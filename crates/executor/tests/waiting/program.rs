use std::fs::File;
use std::io::{Read, stdin};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::time::Duration;

use pirn_executor::{Capacity, Hub, Port, Wakers, block_on, run, sleep};

static TALK: Wakers<1> = Wakers::new();

async fn talk(hub: &Hub, mut input: File) {
    let port = pin!(Port::new(hub, input.as_raw_fd()));
    let mut line = [0; 256];
    loop {
        let readable = port.as_ref().readable();
        if readable.within(Duration::from_secs(5)).await.is_err() {
            println!("silence");
            return;
        }
        let Ok(1..) = input.read(&mut line) else {
            return;
        };
        let pause = sleep(hub, Duration::from_millis(100));
        pause.await.expect("the loop works");
        println!("heard");
    }
}

pub fn main() {
    let input = stdin().as_fd().try_clone_to_owned().expect("it is open");
    let capacity = Capacity {
        io: 4,
        timers: 4,
        tasks: 4,
    };
    run(&mut [0; 1024], capacity, |hub| {
        block_on(hub, &TALK, talk(hub, input.into()))
    })
    .expect("there is room")
    .expect("the future returns");
    println!("end");
}
