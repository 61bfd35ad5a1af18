/* The workloads: included by each adapter after it has said how its library does things, so that every library is compiled
 * together with the same code and calls the workloads' callbacks itself, with its own signature.
 *
 * What an adapter defines, all of it static, most of it one line:
 *
 *   PEER                         its name
 *   loop_t                       the library's loop
 *   loop_open(limits)            a new loop; limits: the most the workload will have of each kind
 *   loop_turn(loop)              one turn; waits until something happens
 *   loop_poll(loop)              one turn; does not wait
 *   loop_run(loop), loop_stop(loop)
 *   loop_update(loop)            reads the clock into the loop's cached time
 *   LOOP_BYTES(limits)           memory the caller gives for the loop itself, besides watchers
 *
 *   struct io                    a watcher; the workloads put it first in a struct of their own
 *   IO_CALLBACK(name)            head of a callback; IO_USER(type): that struct; IO_DONE: its return
 *   IO_READ, IO_WRITE            interests
 *   io_add(loop, io, fd, interest, callback)   0 on success
 *   io_modify(loop, io, interest)   IO_READ, with or without IO_WRITE
 *   io_pause(loop, io), io_resume(loop, io), io_remove(loop, io)   of one that is watched for reading
 *   READY_MAX                    defined if more ready fds than this at once take it minutes
 *   IO_BYTES                     bytes of caller's memory per watcher
 *
 *   struct timer, TIMER_CALLBACK(name), TIMER_USER(type), TIMER_DONE       likewise; one-shot
 *   delay_t, delay_from_ns(ns)   how the library wants a delay, rounded up; delay_ns(delay): back
 *   timer_add(loop, timer, delay, callback), timer_push(loop, timer, delay), timer_cancel(loop, timer)
 *   timer_free(loop, timer)      after it fired or was cancelled: gives back what the library holds; not measured
 *   timer_add_fresh(...)         with TIMER_FRESH: counts from a fresh reading of the clock
 *   TIMER_MAX                    how many timers this peer is asked to have; 0: it has none
 *   TIMER_ORDERED, TIMER_TIES_ORDERED   1 if it promises order by deadline, and of equal ones as armed
 *   TIMER_EARLY_NS               how early its clock lets a timer fire
 *   TIMER_RESTARTS               defined if a turn starts timers anew: what needs timers over several turns is left out
 *   TIMER_BYTES                  bytes of caller's memory per timer
 *
 *   struct task, TASK_CALLBACK(name), TASK_USER(type), TASK_DONE
 *   task_open(loop, task, callback)       what is done once per task; not measured
 *   task_defer(loop, task, callback)      calls it once, later
 *   TASK_AGAIN(loop, task, callback)      the same inside its callback
 *   TASK_ORDER                   1: as deferred, -1: the other way round, 0: any
 *   CHAIN_CALLBACK ...           if task_defer does not poll in between: see libev.c
 *
 *   struct mailbox, mailbox_open(mailbox, loop, capacity)
 *   struct post, POST_CALLBACK(name), POST_USER(type), POST_DONE
 *   post_send(mailbox, post, callback)   from any thread; false if full
 */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include "workloads/dispatch.h"
#include "workloads/register.h"
#include "workloads/errand.h"
#include "workloads/timers.h"
#include "workloads/lateness.h"
#include "workloads/tasks.h"
#include "workloads/posts.h"
#include "workloads/echo.h"
#include "workloads/memory.h"

static uint32_t number(const char *text)
{
	char *end;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;
	if (!text || *end != '\0' || value > UINT32_MAX) {
		fprintf(stderr, "not a number: %s\n", text ? text : "(nothing)");
		exit(2);
	}
	return (uint32_t)value;
}

/* PEER [--seconds S | --fixed | --mark] WORKLOAD [ARGUMENT ...] */
int main(int argc, char **argv)
{
	char *words[4] = {NULL, NULL, NULL, NULL};
	int count = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--fixed") == 0)
			options.fixed = true;
		else if (strcmp(argv[i], "--mark") == 0)
			options.mark = true;
		else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
			options.seconds = strtod(argv[++i], NULL);
		else if (count < 3)
			words[count++] = argv[i];
	}
	/* Instructions are counted at a twentieth of the speed; a million of anything takes its time; and the machine may be busy. */
	watchdog(options.fixed || options.mark ? 380 : (unsigned)options.seconds * 10 + 100 + (words[1] ? (unsigned)atoi(words[1]) / 5000 : 0));
	raise_fd_limit();
	signal(SIGPIPE, SIG_IGN);
	const char *workload = words[0] ? words[0] : "";
	if (strcmp(workload, "dispatch") == 0)
		workload_dispatch(number(words[1]), number(words[2]));
	else if (strcmp(workload, "idle") == 0)
		workload_idle(number(words[1]));
	else if (strcmp(workload, "register") == 0)
		workload_register(number(words[1]));
	else if (strcmp(workload, "timers") == 0)
		workload_timers(number(words[1]), words[2] ? words[2] : "random");
	else if (strcmp(workload, "lateness") == 0)
		workload_lateness(words[1]);
	else if (strcmp(workload, "tasks") == 0)
		workload_tasks();
	else if (strcmp(workload, "posts") == 0)
		workload_posts(number(words[1]));
	else if (strcmp(workload, "pingpong") == 0)
		workload_pingpong();
	else if (strcmp(workload, "echo") == 0)
		workload_echo(number(words[1]));
	else if (strcmp(workload, "mix") == 0)
		workload_mix(number(words[1]));
	else if (strcmp(workload, "memory") == 0)
		workload_memory();
	else {
		fprintf(stderr, "%s: no workload '%s'\n", PEER, workload);
		return 2;
	}
	return 0;
}

#endif
