/* The echo client: client PORT CONNECTIONS REQUESTS-PER-CONNECTION | SECONDSs
 *
 * Each connection has one message on its way at a time. A plain epoll loop, so that every server meets the same client.
 * Checks every byte that comes back; exits 1 at the first wrong one. Prints throughput and latency. */
#define _GNU_SOURCE
#include "workloads/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>

enum { MESSAGE = 64, CONNECTIONS_MAX = 1000, SAMPLES_MAX = 1 << 20 };

struct connection {
	int fd;
	uint32_t received; /* bytes of the answer */
	uint64_t sent_at, requests;
	unsigned char message[MESSAGE];
};

static struct connection connections[CONNECTIONS_MAX];
static uint64_t samples[SAMPLES_MAX];
static size_t sample_count;

static void send_next(struct connection *connection)
{
	uint64_t number = connection->requests++;
	for (int i = 0; i < MESSAGE; i++)
		connection->message[i] = (unsigned char)(number * 31 + (uint64_t)i * 7 + (uint64_t)(connection - connections));
	connection->received = 0;
	connection->sent_at = clock_ns();
	MUST(write(connection->fd, connection->message, MESSAGE) == MESSAGE);
}

/* Is the answer complete? */
static bool receive(struct connection *connection)
{
	unsigned char answer[MESSAGE];
	ssize_t size = read(connection->fd, answer, MESSAGE - connection->received);
	if (size == 0)
		wrong("the server hung up");
	if (size < 0) {
		MUST(errno == EAGAIN);
		return false;
	}
	if (memcmp(answer, connection->message + connection->received, (size_t)size) != 0)
		wrong("an echoed byte differs from the one sent");
	connection->received += (uint32_t)size;
	return connection->received == MESSAGE;
}

int main(int argc, char **argv)
{
	MUST(argc == 4);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)atoi(argv[1]))};
	uint32_t count = (uint32_t)atoi(argv[2]);
	bool timed = strchr(argv[3], 's') != NULL;
	uint64_t per_connection = timed ? UINT64_MAX : strtoull(argv[3], NULL, 10);
	struct epoll_event events[256];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	cpu_set_t set;

	MUST(count >= 1 && count <= CONNECTIONS_MAX && epoll >= 0);
	watchdog(60);
	raise_fd_limit();
	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) > 1, &set);
	sched_setaffinity(0, sizeof set, &set);
	for (uint32_t i = 0; i < count; i++) {
		int yes = 1;
		struct connection *connection = &connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		MUST(connection->fd >= 0);
		MUST(connect(connection->fd, (struct sockaddr *)&address, sizeof address) == 0);
		MUST(fcntl(connection->fd, F_SETFL, O_NONBLOCK) == 0);
		MUST(setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
		MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
	}

	uint64_t start = clock_ns(), answers = 0;
	uint64_t end = timed ? start + (uint64_t)(strtod(argv[3], NULL) * 1e9) : UINT64_MAX;
	uint32_t busy = count;
	for (uint32_t i = 0; i < count; i++)
		send_next(&connections[i]);
	while (busy > 0) {
		int ready = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < ready; i++) {
			struct connection *connection = events[i].data.ptr;
			if (!receive(connection))
				continue;
			uint64_t now = clock_ns();
			answers++;
			if (sample_count < SAMPLES_MAX)
				samples[sample_count++] = now - connection->sent_at;
			if (now < end && connection->requests < per_connection)
				send_next(connection);
			else
				busy--;
		}
	}
	uint64_t used = clock_ns() - start;
	for (uint32_t i = 0; i < count; i++)
		close(connections[i].fd);
	sort_u64(samples, sample_count);
	report_value("throughput", "1/s", (double)answers * 1e9 / (double)used);
	report_value("p50", "ns", (double)percentile(samples, sample_count, 50));
	report_value("p99", "ns", (double)percentile(samples, sample_count, 99));
	return 0;
}
