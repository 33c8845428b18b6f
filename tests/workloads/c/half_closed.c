/* We shut down writing and the peer never closes: FIN_WAIT2 with the fd held.
 *
 * Commands: `peer-close` (the state becomes CLOSE), `close`. */
#include "workload.h"

struct half_closed {
    int fd;
    const struct peer *peer;
};

static bool obey(const char *command, void *state)
{
    struct half_closed *it = state;
    if (strcmp(command, "peer-close") != 0)
        return obey_socket(command, &it->fd);
    peer_do(it->peer, PEER_CLOSE, 0);
    wait_for_state(it->fd, TCP_CLOSE);
    puts("{\"step\":\"peer_closed\",\"state\":\"CLOSE\"}");
    return true;
}

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

    struct half_closed it = {leaked.fd, &peer};
    serve(obey, &it);
}
