/* Children inherit a leaked socket. Commands: `close` (the parent), `close K` and `kill K` (child K,
 * counted from 1: it closes, or ends with the fd open). Only the last close is a release. */
#include "workload.h"

enum { MOST_CHILDREN = 64 };

struct child {
    pid_t pid;
    int control;
};

/* Does what it is told until it is told to end, or the parent has ended. */
static void child_serve(int control, int fd)
{
    char order;
    while (recv(control, &order, 1, 0) == 1 && order == 'c') {
        must(close(fd), "child: close");
        must((int)send(control, &order, 1, 0), "child: answer");
    }
    _exit(0);
}

static struct child child_start(int fd)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), "socketpair");
    struct child child = {.pid = must(fork(), "fork"), .control = ends[0]};
    if (child.pid == 0) {
        alarm(LIFETIME_S);
        close(ends[0]);
        child_serve(ends[1], fd);
    }
    close(ends[1]);
    return child;
}

static void child_close(const struct child *child, int fd)
{
    char order = 'c';
    must((int)send(child->control, &order, 1, 0), "order to a child");
    if (recv(child->control, &order, 1, 0) != 1)
        die("answer of a child");
    printf("{\"step\":\"closed\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", child->pid, child->pid, fd);
}

static void child_end(const struct child *child, int fd)
{
    char order = 'e';
    must((int)send(child->control, &order, 1, 0), "order to a child");
    must(waitpid(child->pid, NULL, 0), "waitpid");
    printf("{\"step\":\"exited\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", child->pid, child->pid, fd);
}

static void report(const struct connection *leaked, const struct peer *peer, const struct child *children,
                   long count)
{
    char more[64 * (MOST_CHILDREN + 2)];
    int length = snprintf(more, sizeof more, ",\"holders\":[{\"pid\":%d,\"fd\":%d}", getpid(), leaked->fd);
    for (long i = 0; i < count; i++)
        length += snprintf(more + length, sizeof more - (size_t)length, ",{\"pid\":%d,\"fd\":%d}",
                           children[i].pid, leaked->fd);
    snprintf(more + length, sizeof more - (size_t)length, "]");
    report_leaked(leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, peer, more);
}

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    long count = take_number(argc, argv, 1, 2, MOST_CHILDREN);
    if (argc > 2 || count < 0)
        usage(argv[0], "[CHILDREN, 1 to 64] [--ipv6 | --mapped]");

    begin("fork_holders");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    struct child children[MOST_CHILDREN];
    for (long i = 0; i < count; i++)
        children[i] = child_start(leaked.fd);
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    report(&leaked, &peer, children, count);

    for (;;) {
        const char *command = next_command();
        long which = 0;
        if (strcmp(command, "quit") == 0) {
            close(leaked.fd);
            done();
        } else if (is_command(command, "close", &which) && which <= count) {
            if (which == 0)
                close_and_report(leaked.fd);
            else
                child_close(&children[which - 1], leaked.fd);
        } else if (is_command(command, "kill", &which) && which >= 1 && which <= count) {
            child_end(&children[which - 1], leaked.fd);
        } else {
            unknown_command();
        }
    }
}
