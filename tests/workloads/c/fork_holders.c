/* Children inherit a leaked socket. Commands: `close` (the parent), `close K` and `kill K` (child K,
 * counted from 1: it closes, or ends with the fd open). Only the last close is a release. */
#include "child.h"

enum { MOST_CHILDREN = 64 };

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
        children[i] = child_start(leaked.fd, child_serve);
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
