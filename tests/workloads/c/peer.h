/* The remote end: another process that does what it is told.
 *
 * It is forked before the workload opens anything, so that it inherits no socket of it, and ends when
 * the workload does.
 */
#ifndef PEER_H
#define PEER_H

enum peer_verb {
    PEER_CONNECT,       /* one more connection, to `address` */
    PEER_LISTEN,        /* on a free port of `family`; the answer has its address */
    PEER_ACCEPT,        /* one more connection */
    PEER_SEND,          /* `size` bytes on every connection */
    PEER_READ,          /* `size` bytes of every connection: unread ones make a close a reset */
    PEER_READ_END,      /* read up to the end of every connection */
    PEER_CLOSE,         /* every connection */
    PEER_SEND_CLOSE,    /* `size` bytes and the FIN in one segment */
    PEER_RESET,         /* every connection */
};

struct peer_order {
    enum peer_verb verb;
    enum family family;
    int size;
    struct sockaddr_storage address;
};

struct peer {
    pid_t pid;
    int control;
};

enum { PEER_CONNECTIONS = 4096 };

static inline void peer_each(const struct peer_order *order, const int *fds, int count)
{
    static const char bytes[4096] = "hello";
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    const int on = 1;
    char sink[4096];

    for (int i = 0; i < count; i++) {
        int fd = fds[i];
        if (order->verb == PEER_SEND_CLOSE)
            must(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on), "peer: TCP_CORK");
        if (order->verb == PEER_RESET)
            must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), "peer: SO_LINGER");
        if (order->verb == PEER_SEND || order->verb == PEER_SEND_CLOSE)
            must((int)send(fd, bytes, (size_t)order->size, 0), "peer: send");
        for (int left = order->size; order->verb == PEER_READ && left > 0;)
            left -= must((int)recv(fd, sink, (size_t)left, 0), "peer: recv");
        while (order->verb == PEER_READ_END && recv(fd, sink, sizeof sink, 0) > 0)
            continue;
        if (order->verb >= PEER_CLOSE)
            must(close(fd), "peer: close");
    }
}

static inline int peer_connect(const struct sockaddr_storage *address)
{
    socklen_t length =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = must(socket(address->ss_family, SOCK_STREAM, 0), "peer: socket");
    must(connect(fd, (const struct sockaddr *)address, length), "peer: connect");
    return fd;
}

/* The life of the peer: every order is answered with itself once it is done. */
static inline _Noreturn void peer_serve(int control)
{
    static int fds[PEER_CONNECTIONS];
    int count = 0;
    struct listener listener = {.fd = -1};
    struct peer_order order;

    while (recv(control, &order, sizeof order, 0) == (ssize_t)sizeof order) {
        bool opens = order.verb == PEER_CONNECT || order.verb == PEER_ACCEPT;
        if (opens && count == PEER_CONNECTIONS) {
            fprintf(stderr, "peer: too many connections\n");
            exit(1);
        }
        if (order.verb == PEER_CONNECT) {
            fds[count++] = peer_connect(&order.address);
        } else if (order.verb == PEER_ACCEPT) {
            fds[count++] = must(accept(listener.fd, NULL, NULL), "peer: accept");
        } else if (order.verb == PEER_LISTEN) {
            listener = listen_on(order.family);
            order.address = listener.reach;
        } else {
            peer_each(&order, fds, count);
            count = order.verb >= PEER_CLOSE ? 0 : count;
        }
        must((int)send(control, &order, sizeof order, 0), "peer: answer");
    }
    _exit(0);
}

static inline struct peer peer_start(void)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    struct peer peer = {.pid = must(fork(), "fork"), .control = ends[0]};
    if (peer.pid == 0) {
        alarm(LIFETIME_S); /* Alarms are not inherited. */
        prctl(PR_SET_NAME, "peer");
        close(ends[0]);
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        peer_serve(ends[1]);
    }
    close(ends[1]);
    return peer;
}

/* Has ORDER done; the answer is written back to it. */
static inline void peer_order(const struct peer *peer, struct peer_order *order)
{
    must((int)send(peer->control, order, sizeof *order, 0), "order to the peer");
    if (recv(peer->control, order, sizeof *order, 0) != (ssize_t)sizeof *order) {
        fprintf(stderr, "the peer has failed\n");
        exit(1);
    }
}

static inline void peer_do(const struct peer *peer, enum peer_verb verb, int size)
{
    struct peer_order order = {.verb = verb, .size = size};
    peer_order(peer, &order);
}

static inline void peer_connects(const struct peer *peer, const struct listener *listener)
{
    struct peer_order order = {.verb = PEER_CONNECT, .address = listener->reach};
    peer_order(peer, &order);
}

#endif
