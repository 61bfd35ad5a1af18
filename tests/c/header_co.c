/* pirn/co.h by itself: every await in one body. Compiled as header.c is, in every dialect. */
#include <pirn/co.h>

struct worker {
    struct pirn_co co, sub;
    int fd;
};

static struct pirn_co_step body(struct pirn_co *co, void *user)
{
    struct worker *worker = (struct worker *)user;
    PIRN_CO_BEGIN(co);
    PIRN_CO_READABLE(co, worker->fd, PIRN_FOREVER);
    if (co->result < 0)
        PIRN_CO_RETURN(co, co->result);
    PIRN_CO_DELAY(co, 5);
    PIRN_CO_YIELD(co);
    PIRN_CO_PARK(co, PIRN_FOREVER);
    PIRN_CO_JOIN(co, &worker->sub, 5);
    PIRN_CO_CALL(co, &worker->sub, body, worker);
    PIRN_CO_END(co);
}

int main(void)
{
    static struct worker worker;
    return pirn_co_start(NULL, &worker.co, body, &worker) != -EINVAL || pirn_co_is_live(&worker.co)
        || pirn_co_wake(&worker.co, 1) != -ENOENT || pirn_co_cancel(&worker.co) != -ENOENT
        || pirn_co_stop(&worker.co) != -ENOENT;
}
