/* The hand-written loop with a hierarchical wheel for its timers. */
#define PEER "wheel"
#include "../workloads/bench.h"
#include "wheel.h"
#include "raw.h"
