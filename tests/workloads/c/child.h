/* A child that holds a socket, and does with it what it is told. */
#ifndef CHILD_H
#define CHILD_H

#include "workload.h"

struct child {
    pid_t pid;
    int control;
};

/* Does what it is told until it is told to end, or the parent has ended. */
static inline void child_serve(int control, int fd)
{
    char order;
    while (recv(control, &order, 1, 0) == 1 && order == 'c') {
        must(close(fd), "child: close");
        must((int)send(control, &order, 1, 0), "child: answer");
    }
    _exit(0);
}

/* A child that inherits FD and lives LIFE with it: `child_serve`, or what ends in that. */
static inline struct child child_start(int fd, void (*life)(int control, int fd))
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), "socketpair");
    struct child child = {.pid = must(fork(), "fork"), .control = ends[0]};
    if (child.pid == 0) {
        alarm(LIFETIME_S);
        close(ends[0]);
        life(ends[1], fd);
        _exit(1);
    }
    close(ends[1]);
    return child;
}

static inline void child_close(const struct child *child, int fd)
{
    char order = 'c';
    must((int)send(child->control, &order, 1, 0), "order to a child");
    if (recv(child->control, &order, 1, 0) != 1)
        die("answer of a child");
    printf("{\"step\":\"closed\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", child->pid, child->pid, fd);
}

static inline void child_end(const struct child *child, int fd)
{
    char order = 'e';
    must((int)send(child->control, &order, 1, 0), "order to a child");
    must(waitpid(child->pid, NULL, 0), "waitpid");
    printf("{\"step\":\"exited\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", child->pid, child->pid, fd);
}

#endif
