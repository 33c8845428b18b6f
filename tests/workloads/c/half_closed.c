/* We shut down writing and the peer never closes: FIN_WAIT2 with the fd held.
 *
 * Commands: `peer-close` (the state becomes CLOSE), `close`. */
#include "workload.h"

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("half_closed");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    must(shutdown(leaked.fd, SHUT_WR), "shutdown");
    peer_do(&peer, PEER_READ_END, 0);
    wait_for_state(leaked.fd, TCP_FIN_WAIT2);
    report_leaked(&leaked, getpid(), thread_id(), TCP_FIN_WAIT2, &peer, "");

    for (;;) {
        const char *command = next_command();
        if (strcmp(command, "quit") == 0) {
            close(leaked.fd);
            done();
        } else if (strcmp(command, "peer-close") == 0) {
            peer_do(&peer, PEER_CLOSE, 0);
            wait_for_state(leaked.fd, TCP_CLOSE);
            puts("{\"step\":\"peer_closed\",\"state\":\"CLOSE\"}");
        } else if (strcmp(command, "close") == 0) {
            close_and_report(leaked.fd);
        } else {
            unknown_command();
        }
    }
}
