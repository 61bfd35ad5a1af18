/* The header by itself, as C and as C++: every struct, constant and function in it used. */
#include <pirn/os.h>

#define USE(value) ((void)(value))

static void on_signal(struct pirn_loop *loop, struct pirn_signal *signal,
                      const struct pirn_signal_info *info, void *user)
{
    USE(loop), USE(info), USE(user);
    USE(pirn_signal_remove(signal));
}

int main(void)
{
    struct pirn_signal signal = { { 0, 0 }, 0, 0, 0, 0, 0, 0, 0 };
    return pirn_signal_add(0, &signal, 1, PIRN_SIGNAL_BLOCK, on_signal, 0) != 0;
}
