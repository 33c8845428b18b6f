/* A listener that never accepts, while its peers connect, send and close.
 *
 * Commands: `accept` (accepts all and keeps them: the leak goes on as close_wait), `shutdown` (of all that
 * was accepted: their state becomes CLOSE without another byte), `close` (closes the listener, or what was accepted: the kernel then forgets what still waits). */
#include "workload.h"

enum { DATA = 5, MOST = 1000 };

/* How many sockets with LOCAL's port are in CLOSE_WAIT: they have no fd to ask. */
static long count_close_wait(const struct sockaddr_storage *local)
{
    const bool four = local->ss_family == AF_INET;
    const unsigned port = ntohs(four ? ((const struct sockaddr_in *)local)->sin_port
                                     : ((const struct sockaddr_in6 *)local)->sin6_port);
    static const char *const tables[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
    long count = 0;
    for (int i = 0; i < 2; i++) {
        char line[512];
        FILE *table = fopen(tables[i], "r");
        if (table == NULL)
            continue;
        while (fgets(line, sizeof line, table) != NULL) {
            unsigned local_port = 0, state = 0;
            if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local_port, &state) == 2)
                count += local_port == port && state == TCP_CLOSE_WAIT;
        }
        fclose(table);
    }
    return count;
}

static void accept_all(const struct listener *listener, int *fds, long count)
{
    for (long i = 0; i < count; i++) {
        struct connection accepted = accept_one(listener);
        fds[i] = accepted.fd;
        printf("{\"step\":\"accepted\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\","
               "\"peer\":\"%s\",\"state\":\"%s\"}\n",
               getpid(), thread_id(), accepted.fd, accepted.local, accepted.peer,
               state_name(tcp_state(accepted.fd)));
    }
}

int main(int argc, char **argv)
{
    static int fds[MOST];
    enum family family = take_family(&argc, argv);
    long count = take_number(argc, argv, 1, 3, MOST);
    if (argc > 2 || count < 0)
        usage(argv[0], "[CONNECTIONS, 1 to 1000] [--ipv6 | --mapped]");

    begin("unaccepted");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    for (long i = 0; i < count; i++)
        peer_connects(&peer, &listener);
    peer_do(&peer, PEER_SEND, DATA);
    peer_do(&peer, PEER_CLOSE, 0);
    for (int waited = 0; count_close_wait(&listener.reach) != count; waited++) {
        if (waited == STATE_DEADLINE_MS / 10) {
            fprintf(stderr, "the queued connections are not in CLOSE_WAIT\n");
            exit(1);
        }
        pause_ms(10);
    }
    char local[ADDRESS_TEXT];
    address_text(&listener.reach, local);
    printf("{\"step\":\"leaked\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\","
           "\"state\":\"CLOSE_WAIT\",\"peer_pid\":%d,\"count\":%ld}\n",
           getpid(), thread_id(), listener.fd, local, peer.pid, count);

    for (bool accepted = false;;) {
        const char *command = next_command();
        if (strcmp(command, "quit") == 0) {
            done();
        } else if (strcmp(command, "accept") == 0 && !accepted) {
            accept_all(&listener, fds, count);
            accepted = true;
        } else if (strcmp(command, "shutdown") == 0 && accepted) {
            for (long i = 0; i < count; i++)
                shut_down_and_report(fds[i]);
        } else if (strcmp(command, "close") == 0 && accepted) {
            for (long i = 0; i < count; i++)
                close_and_report(fds[i]);
            accepted = false;
        } else if (strcmp(command, "close") == 0) {
            close_and_report(listener.fd);
        } else {
            unknown_command();
        }
    }
}
