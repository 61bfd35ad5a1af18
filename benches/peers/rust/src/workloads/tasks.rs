//! Deferred work, as `../../../workloads/tasks.h`.

use crate::bench::{Meter, measured_batch, measured_defer_chain, open_pair, wrong};
use crate::{Handler, Library, Limits};

const BATCH: usize = 1000;
const LINK: usize = BATCH;

struct Tasks {
    done: usize,
    count: usize,
    order: Vec<usize>,
}

impl<L: Library> Handler<L> for Tasks {
    fn task(&mut self, context: &mut L::Context<Self>, token: usize) {
        if token == LINK {
            self.done += 1;
            if self.done < self.count {
                L::task_defer(context, LINK);
            }
        } else {
            self.order[self.done] = token;
            self.done += 1;
        }
    }
}

fn batch_once<L: Library>(events: &mut L::Loop<Tasks>) {
    for token in 0..BATCH {
        L::task_defer(L::parts(events).0, token);
    }
    while L::parts(events).1.done < BATCH {
        L::turn(events, false);
    }
}

fn check(tasks: &mut Tasks) {
    if !tasks.order.iter().copied().eq(0..BATCH) {
        wrong("tasks not each once in the order in which they were deferred");
    }
    tasks.done = 0;
}

pub fn tasks<L: Library>() {
    let tasks = Tasks { done: 0, count: BATCH, order: vec![0; BATCH] };
    let mut events = L::open(Limits { io: 1, tasks: BATCH, ..Limits::default() }, tasks);
    let [keeper, _other] = open_pair();
    L::io_add(L::parts(&mut events).0, keeper, 0);
    batch_once::<L>(&mut events);
    check(L::parts(&mut events).1);
    let mut batch = Meter::new("batch");
    while batch.goes_on(5) {
        batch.measure(measured_batch, BATCH, || batch_once::<L>(&mut events));
        check(L::parts(&mut events).1);
    }
    let mut chain = Meter::new("chain");
    while chain.goes_on(1) {
        let mut turns = 0;
        chain.measure(measured_defer_chain, BATCH, || {
            L::task_defer(L::parts(&mut events).0, LINK);
            while L::parts(&mut events).1.done < BATCH {
                L::turn(&mut events, false);
                turns += 1;
            }
        });
        if turns < BATCH || L::parts(&mut events).1.done != BATCH {
            wrong("a chain without turns between its links");
        }
        L::parts(&mut events).1.done = 0;
    }
    chain.report();
    batch.report();
}
