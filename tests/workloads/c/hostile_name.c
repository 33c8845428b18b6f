/* The classic leak in a process whose name tries to forge a line and to steer a terminal.
 * Command: `close`. */
#include "workload.h"

/* 15 bytes at most: newline, quote, ESC [31m, an invalid UTF-8 byte. */
static const char name[] = "a\n\"b\x1b[31m\xff{}";

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("hostile_name");
    struct peer peer = peer_start();
    must(prctl(PR_SET_NAME, name), "PR_SET_NAME");
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);

    char more[64] = ",\"comm_hex\":\"";
    size_t length = strlen(more);
    for (size_t i = 0; name[i] != '\0'; i++)
        length += (size_t)snprintf(more + length, sizeof more - length, "%02x", (unsigned char)name[i]);
    snprintf(more + length, sizeof more - length, "\"");
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &peer, more);

    serve(obey_socket, &leaked.fd);
}
