/* We shut down writing, the peer closes, and the fd is kept. Commands: `read`, `close`. */
#include "workload.h"

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("closed_after_fin");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    must(shutdown(leaked.fd, SHUT_WR), "shutdown");
    peer_do(&peer, PEER_READ_END, 0);
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE);
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE, &peer, "");

    serve(obey_socket, &leaked.fd);
}
