/* polling */
#define PEER "polling"
#define FACE(function) polling_##function
#include "readiness.h"
