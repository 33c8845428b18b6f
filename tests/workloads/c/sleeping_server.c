/* A server that sleeps in its handler: it takes one connection at a time, reads the request and then does
 * nothing more. Whoever comes next waits in the accept queue.
 *
 * Steps: `listening` (`local`), `handling` once a request has been read. Commands: `close`. */
#include "workload.h"

enum { REQUEST = 4096 };

int main(int argc, char **argv)
{
    char request[REQUEST], local[ADDRESS_TEXT];
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("sleeping_server");
    struct listener listener = listen_on(family);
    address_text(&listener.reach, local);
    printf("{\"step\":\"listening\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\"}\n", getpid(),
           thread_id(), listener.fd, local);
    struct connection connection = accept_one(&listener);
    must((int)recv(connection.fd, request, sizeof request, 0), "recv");
    printf("{\"step\":\"handling\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\",\"peer\":\"%s\","
           "\"state\":\"CLOSE_WAIT\"}\n",
           getpid(), thread_id(), connection.fd, connection.local, connection.peer);
    serve(obey_socket, &connection.fd);
}
