/* The classic leak: accepts, the peer closes, the fd is kept. With `--later` the step `connected` comes first,
 * and the rest at the command `leak`.
 *
 * Commands: `read`; `write` (the peer answers with a reset: the state becomes CLOSE); `shutdown` (the state
 * becomes CLOSE without another byte); `close`. */
#include "workload.h"

enum { DATA = 5 };

struct closer {
    pthread_t thread;
    int wake[2];
    int fd;
    pid_t tid;
    pthread_barrier_t ready;
};

static void *closer_main(void *argument)
{
    struct closer *closer = argument;
    char byte;
    prctl(PR_SET_NAME, "closer");
    closer->tid = thread_id();
    pthread_barrier_wait(&closer->ready);
    if (read(closer->wake[0], &byte, 1) == 1)
        close_and_report(closer->fd);
    return NULL;
}

static void closer_start(struct closer *closer, int fd)
{
    closer->fd = fd;
    must(pipe(closer->wake), "pipe");
    pthread_barrier_init(&closer->ready, NULL, 2);
    errno = pthread_create(&closer->thread, NULL, closer_main, closer);
    if (errno != 0)
        die("pthread_create");
    pthread_barrier_wait(&closer->ready);
}

static void write_and_report(int fd)
{
    must((int)send(fd, "x", 1, 0), "write");
    wait_for_state(fd, TCP_CLOSE);
    printf("{\"step\":\"wrote\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"state\":\"CLOSE\"}\n", getpid(),
           thread_id(), fd);
}

struct close_wait {
    int fd;
    struct closer *closer;
};

static bool obey(const char *command, void *state)
{
    struct close_wait *it = state;
    if (strcmp(command, "write") == 0) {
        write_and_report(it->fd);
    } else if (strcmp(command, "shutdown") == 0) {
        shut_down_and_report(it->fd);
    } else if (strcmp(command, "close") == 0 && it->closer != NULL) {
        must((int)write(it->closer->wake[1], "c", 1), "wake of the closer");
        pthread_join(it->closer->thread, NULL);
    } else {
        return obey_socket(command, &it->fd);
    }
    return true;
}

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    bool unread_data = take_flag(&argc, argv, "--unread-data");
    bool read_data = take_flag(&argc, argv, "--read-data");
    bool read_eof = take_flag(&argc, argv, "--read-eof");
    bool fin_with_data = take_flag(&argc, argv, "--fin-with-data");
    bool later = take_flag(&argc, argv, "--later");
    bool peer_killed = take_flag(&argc, argv, "--peer-killed");
    bool closer_thread = take_flag(&argc, argv, "--closer-thread");
    if (argc != 1 || unread_data + read_data + read_eof + fin_with_data > 1)
        usage(argv[0], "[--unread-data | --read-data | --read-eof | --fin-with-data] "
                       "[--later] [--peer-killed] [--closer-thread] [--ipv6 | --mapped]");

    begin("close_wait");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    if (later) {
        printf("{\"step\":\"connected\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", getpid(), thread_id(), leaked.fd);
        while (strcmp(next_command(), "leak") != 0)
            unknown_command();
    }
    if (unread_data || read_data || read_eof)
        peer_do(&peer, PEER_SEND, DATA);
    if (read_data || read_eof)
        read_bytes(leaked.fd, DATA);
    if (peer_killed)
        must(kill(peer.pid, SIGKILL), "kill");
    else
        peer_do(&peer, fin_with_data ? PEER_SEND_CLOSE : PEER_CLOSE, DATA);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    if (fin_with_data)
        read_bytes(leaked.fd, DATA);
    if (read_eof)
        read_end(leaked.fd);

    struct closer closer = {0};
    char more[64] = "";
    if (closer_thread) {
        closer_start(&closer, leaked.fd);
        snprintf(more, sizeof more, ",\"closer_tid\":%d", closer.tid);
    }
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &peer, more);

    struct close_wait it = {leaked.fd, closer_thread ? &closer : NULL};
    serve(obey, &it);
}
