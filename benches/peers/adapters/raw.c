/* The hand-written loop with a heap for its timers. */
#define PEER "raw"
#include "../workloads/bench.h"
#include "heap.h"
#include "raw.h"
