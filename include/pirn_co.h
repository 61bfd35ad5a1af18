/* The name that pirn/co.h had before the layers got a directory, for programs that still use it. */
#include <pirn/co.h>
