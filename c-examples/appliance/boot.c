/* Before the loop: file systems, modules, network. Nothing here waits for anything. */
#include "kernel.h"

static const struct {
    const char *type, *where;
} mounts[] = {
    { "devtmpfs", "/dev" }, { "proc", "/proc" }, { "sysfs", "/sys" }, { "tmpfs", "/run" }
};

int mount_all(void)
{
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        long rc = CALL(mount, mounts[i].type, mounts[i].where, mounts[i].type, 0, "");

        if (rc < 0)
            return (int)rc;
    }
    return 0;
}

static int load(const char *name)
{
    char path[64];
    struct text text = { path, 0, sizeof path };
    long fd, rc;

    add(&text, "/modules/");
    add(&text, name);
    fd = CALL(open, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (int)fd;
    rc = CALL(finit_module, fd, "", 0);
    (void)CALL(close, fd);
    return rc == ERROR_EXISTS ? 0 : (int)rc;
}

/* /modules/order names the files, one a line, each after those that it depends on. */
int load_modules(void)
{
    static char order[1024];
    char *name = order;
    long fd = CALL(open, "/modules/order", O_RDONLY | O_CLOEXEC);
    long length;

    if (fd < 0)
        return (int)fd;
    length = CALL(read, fd, order, sizeof order);
    (void)CALL(close, fd);
    for (long at = 0; at < length; at++)
        if (order[at] == '\n') {
            int rc;

            order[at] = '\0';
            rc = load(name);
            if (rc < 0)
                return rc;
            name = order + at + 1;
        }
    return length < 0 ? (int)length : 0;
}

static void set_address(struct internet_address *address, uint8_t a, uint8_t b, uint8_t c,
                        uint8_t d)
{
    address->family = FAMILY_INET;
    address->address[0] = a;
    address->address[1] = b;
    address->address[2] = c;
    address->address[3] = d;
}

static long bring_up(long fd, const char *name)
{
    struct interface_request request = { { 0 }, { { 0 } } };
    struct text text = { request.name, 0, sizeof request.name };

    add(&text, name);
    request.of.flags = INTERFACE_UP;
    return CALL(ioctl, fd, SET_FLAGS, &request);
}

/* The loopback device, and eth0 with the addresses of QEMU's network. */
int bring_up_network(void)
{
    struct interface_request request = { "eth0", { { 0 } } };
    struct route route = { 0 };
    long fd = CALL(socket, FAMILY_INET, TYPE_DATAGRAM | CLOSE_ON_EXEC, 0);
    long rc;

    if (fd < 0)
        return (int)fd;
    rc = bring_up(fd, "lo");
    if (rc == 0) {
        set_address(&request.of.address, 10, 0, 2, 15);
        rc = CALL(ioctl, fd, SET_ADDRESS, &request);
    }
    if (rc == 0) {
        set_address(&request.of.address, 255, 255, 255, 0);
        rc = CALL(ioctl, fd, SET_NETMASK, &request);
    }
    if (rc == 0)
        rc = bring_up(fd, "eth0");
    if (rc == 0) {
        set_address(&route.destination, 0, 0, 0, 0);
        set_address(&route.netmask, 0, 0, 0, 0);
        set_address(&route.gateway, 10, 0, 2, 2);
        route.flags = ROUTE_UP | ROUTE_GATEWAY;
        rc = CALL(ioctl, fd, ADD_ROUTE, &route);
    }
    (void)CALL(close, fd);
    return (int)rc;
}
