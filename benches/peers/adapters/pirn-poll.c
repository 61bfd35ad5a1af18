/* pirn on poll. */
#define PEER "pirn-poll"
#define BACKEND PIRN_BACKEND_POLL
#include "pirn.c"
