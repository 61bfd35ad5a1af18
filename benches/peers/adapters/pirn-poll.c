/* pirn on poll. */
#define PEER "pirn-poll"
#define BACKEND PIRN_BACKEND_POLL
#define BLOCK_SURPLUS 0
#include "pirn.c"
