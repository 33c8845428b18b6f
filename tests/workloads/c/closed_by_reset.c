/* The peer resets the connection and the fd is kept. Commands: `read`, `close`. */
#include "workload.h"

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("closed_by_reset");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    peer_do(&peer, PEER_RESET, 0);
    wait_for_state(leaked.fd, TCP_CLOSE);
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE, &peer, "");

    for (;;) {
        const char *command = next_command();
        if (strcmp(command, "quit") == 0) {
            close(leaked.fd);
            done();
        } else if (strcmp(command, "read") == 0) {
            read_and_report(leaked.fd);
        } else if (strcmp(command, "close") == 0) {
            close_and_report(leaked.fd);
        } else {
            unknown_command();
        }
    }
}
