/* mio */
#define PEER "mio"
#define FACE(function) mio_##function
#include "readiness.h"
