/*
 * Makes one system call of many fail: a supervisor thread, asked by seccomp for each call of a
 * number, refuses the n-th. It holds for the rest of the process, so each case has a process of its
 * own.
 */
#ifndef SUPERVISED_H
#define SUPERVISED_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What to refuse: the n-th call of this number, while it is armed. */
static int plan_number, plan_nth, plan_error;
static atomic_int armed, counted, listener;

static void *supervise(void *user)
{
    (void)user;
    while (atomic_load(&listener) <= 0)
        usleep(100);
    for (;;) {
        struct seccomp_notif call;
        struct seccomp_notif_resp answer;
        memset(&call, 0, sizeof call);
        memset(&answer, 0, sizeof answer);
        if (ioctl(atomic_load(&listener), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
            continue;
        answer.id = call.id;
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        if (atomic_load(&armed) && atomic_fetch_add(&counted, 1) + 1 == plan_nth) {
            answer.flags = 0;
            answer.error = -plan_error;
        }
        ioctl(atomic_load(&listener), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return NULL;
}

/* Returns 1, or 0 if the kernel or the container does not allow it. */
static int begin_supervision(void)
{
    static pthread_t thread;
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)plan_number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof rules / sizeof *rules, .filter = rules };
    MUST(pthread_create(&thread, NULL, supervise, NULL) == 0);
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                      &program);
    if (fd < 0)
        return 0;
    atomic_store(&listener, (int)fd);
    return 1;
}

/* What a case returns, the exit status of its process. */
enum { IT_HELD, IT_FAILED, NO_SUCH_CALL, NO_SUPERVISION };

/*
 * Runs a case again and again, with the first call of this number refused, with the second, and so
 * on, until there are no more. Returns how many were refused, or -1 without supervision.
 */
static int refuse_each(int number, int error, int (*run)(const void *), const void *argument)
{
    plan_number = number;
    plan_error = error;
    for (plan_nth = 1;; plan_nth++) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        MUST(child >= 0);
        if (child == 0) {
            int ended = run(argument);
            if (ended == IT_FAILED)
                printf("... system call %d, the %d. time: %s\n", plan_number, plan_nth,
                       strerror(plan_error));
            fflush(stdout);
            _exit(ended);
        }
        MUST(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) != IT_FAILED);
        if (!WIFEXITED(status) || WEXITSTATUS(status) >= NO_SUCH_CALL)
            return WEXITSTATUS(status) == NO_SUPERVISION ? -1 : plan_nth - 1;
    }
}

#endif
