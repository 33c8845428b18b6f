/* Healthy traffic, as fast as one client gets answers: each connection is opened, used once, closed by the
 * client and then by the server. Runs at once, or with `--wait` at the command `go`; the step `churned` tells
 * how fast. */
#include "workload.h"

enum { MOST_CONNECTIONS = 10000000, MOST_PORTS = 1000 };

static void client(const struct listener *listeners, long ports, long connections)
{
    for (long i = 0; i < connections; i++) {
        char byte = 'x';
        int fd = peer_connect(&listeners[i % ports].reach);
        must((int)send(fd, &byte, 1, 0), "client: send");
        must((int)recv(fd, &byte, 1, 0), "client: recv");
        must(close(fd), "client: close");
    }
    _exit(0);
}

static void server(const struct listener *listeners, long ports, long connections)
{
    for (long i = 0; i < connections; i++) {
        char byte;
        int fd = must(accept(listeners[i % ports].fd, NULL, NULL), "accept");
        while (recv(fd, &byte, 1, 0) == 1)
            must((int)send(fd, &byte, 1, 0), "send");
        must(close(fd), "close");
    }
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void churn(const struct listener *listeners, long ports, long connections)
{
    double start = now();
    pid_t pid = must(fork(), "fork");
    if (pid == 0) {
        alarm(LIFETIME_S);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "client");
        for (long i = 0; i < ports; i++)
            close(listeners[i].fd);
        client(listeners, ports, connections);
    }
    server(listeners, ports, connections);
    double seconds = now() - start;
    int status;
    must(waitpid(pid, &status, 0), "waitpid");
    if (status != 0) {
        fprintf(stderr, "the client has failed\n");
        exit(1);
    }
    printf("{\"step\":\"churned\",\"pid\":%d,\"connections\":%ld,\"seconds\":%.3f,\"per_second\":%.0f}\n",
           getpid(), connections, seconds, (double)connections / seconds);
}

int main(int argc, char **argv)
{
    static struct listener listeners[MOST_PORTS];
    enum family family = take_family(&argc, argv);
    bool wait = take_flag(&argc, argv, "--wait");
    long connections = take_number(argc, argv, 1, -1, MOST_CONNECTIONS);
    long ports = take_number(argc, argv, 2, 1, MOST_PORTS);
    if (argc > 3 || connections < 0 || ports < 0)
        usage(argv[0], "CONNECTIONS [PORTS, 1 to 1000] [--wait] [--ipv6 | --mapped]");

    begin("churn");
    for (long i = 0; i < ports; i++)
        listeners[i] = listen_on(family);
    while (wait && strcmp(next_command(), "go") != 0)
        unknown_command();
    churn(listeners, ports, connections);

    while (strcmp(next_command(), "quit") != 0)
        unknown_command();
    done();
}
