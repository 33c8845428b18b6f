/* We connect, the server closes, and we keep the fd. Commands: `read`, `close`. */
#include "workload.h"

enum { DATA = 5 };

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    bool read_eof = take_flag(&argc, argv, "--read-eof");
    if (argc != 1)
        usage(argv[0], "[--read-eof] [--ipv6 | --mapped]");

    begin("client_leak");
    struct peer peer = peer_start();
    struct peer_order listen = {.verb = PEER_LISTEN, .family = family};
    peer_order(&peer, &listen);
    struct connection leaked = connection_of(peer_connect(&listen.address));
    peer_do(&peer, PEER_ACCEPT, 0);
    if (read_eof) {
        peer_do(&peer, PEER_SEND, DATA);
        read_bytes(leaked.fd, DATA);
    }
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    if (read_eof)
        read_end(leaked.fd);
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &peer, "");

    serve(obey_socket, &leaked.fd);
}
