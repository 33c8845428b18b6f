/* Bytes that only trickle: one every EVERY_MS, on a connection that would be a leak without them.
 *
 *   read          the peer has sent and closed, we read byte by byte
 *   half-closed   we have shut down writing; the peer goes on sending, byte by byte, and we read
 *
 * Command: `stop` (no more bytes: it leaks now; `idle_ms` says since when), then `close`. */
#include "workload.h"

enum { EVERY_MS = 100, AHEAD = 1400 };

struct trickle {
    struct peer peer;
    struct connection leaked;
    bool half_closed;
    bool stopped;
    pid_t tid;
    struct timespec moved;
    pthread_mutex_t lock;
};

static long idle_ms(const struct timespec *since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void *trickle_main(void *argument)
{
    struct trickle *it = argument;
    prctl(PR_SET_NAME, "trickler");
    it->tid = thread_id();
    for (;; pause_ms(EVERY_MS)) {
        pthread_mutex_lock(&it->lock);
        if (it->stopped) {
            pthread_mutex_unlock(&it->lock);
            return NULL;
        }
        if (it->half_closed)
            peer_do(&it->peer, PEER_SEND, 1);
        read_bytes(it->leaked.fd, 1);
        clock_gettime(CLOCK_MONOTONIC, &it->moved);
        pthread_mutex_unlock(&it->lock);
    }
}

/* Returns once the first byte has moved. */
static void wait_for_trickle(struct trickle *it)
{
    for (bool moved = false; !moved; pause_ms(1)) {
        pthread_mutex_lock(&it->lock);
        moved = it->moved.tv_sec != 0;
        pthread_mutex_unlock(&it->lock);
    }
}

static bool obey(const char *command, void *state)
{
    struct trickle *it = state;
    char more[64];
    if (strcmp(command, "stop") != 0)
        return obey_socket(command, &it->leaked.fd);
    pthread_mutex_lock(&it->lock);
    it->stopped = true;
    pthread_mutex_unlock(&it->lock);
    snprintf(more, sizeof more, ",\"idle_ms\":%ld", idle_ms(&it->moved));
    report_leaked(&it->leaked, getpid(), it->tid, it->half_closed ? TCP_FIN_WAIT2 : TCP_CLOSE_WAIT,
                  &it->peer, more);
    return true;
}

int main(int argc, char **argv)
{
    static struct trickle it = {.lock = PTHREAD_MUTEX_INITIALIZER};
    enum family family = take_family(&argc, argv);
    bool reads = take_flag(&argc, argv, "read");
    it.half_closed = take_flag(&argc, argv, "half-closed");
    if (argc != 1 || reads == it.half_closed)
        usage(argv[0], "read | half-closed [--ipv6 | --mapped]");

    begin("trickle");
    it.peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&it.peer, &listener);
    it.leaked = accept_one(&listener);
    if (it.half_closed) {
        must(shutdown(it.leaked.fd, SHUT_WR), "shutdown");
        wait_for_state(it.leaked.fd, TCP_FIN_WAIT2);
    } else {
        peer_do(&it.peer, PEER_SEND, AHEAD);
        peer_do(&it.peer, PEER_CLOSE, 0);
        wait_for_state(it.leaked.fd, TCP_CLOSE_WAIT);
    }
    pthread_t thread;
    errno = pthread_create(&thread, NULL, trickle_main, &it);
    if (errno != 0)
        die("pthread_create");
    wait_for_trickle(&it);
    printf("{\"step\":\"trickling\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\",\"peer\":\"%s\"}\n",
           getpid(), thread_id(), it.leaked.fd, it.leaked.local, it.leaked.peer);
    serve(obey, &it);
}
