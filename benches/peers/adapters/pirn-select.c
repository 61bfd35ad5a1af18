/* pirn on select. The surplus is for its sets: the workloads hold two fds for one that is watched,
 * so the numbers go higher. */
#define PEER "pirn-select"
#define BACKEND PIRN_BACKEND_SELECT
#define BLOCK_SURPLUS 65536
#include "pirn.c"
