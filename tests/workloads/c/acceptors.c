/* THREADS threads block in accept() at once, each takes one connection and leaks it.
 *
 * A step `leaked` a connection, by the thread that accepted it. Command: `close` (all, by the main thread). */
#include "workload.h"

enum { MOST = 200 };

struct acceptor {
    const struct listener *listener;
    struct connection leaked;
    pid_t tid;
    pthread_t thread;
    pthread_barrier_t *started, *accepted;
};

static _Noreturn void *acceptor_main(void *argument)
{
    struct acceptor *acceptor = argument;
    prctl(PR_SET_NAME, "acceptor");
    acceptor->tid = thread_id();
    pthread_barrier_wait(acceptor->started);
    int fd = (int)syscall(SYS_accept4, acceptor->listener->fd, NULL, NULL, 0);
    acceptor->leaked = connection_of(must(fd, "accept4"));
    pthread_barrier_wait(acceptor->accepted);
    for (;;)
        pause();
}

/* Returns once the thread is inside accept4(). */
static void wait_until_blocked(pid_t tid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    for (int waited = 0; waited < STATE_DEADLINE_MS; waited++) {
        FILE *file = fopen(path, "r");
        if (file == NULL)
            die(path);
        bool read = fgets(line, sizeof line, file) != NULL;
        fclose(file);
        if (read && atol(line) == SYS_accept4)
            return;
        pause_ms(1);
    }
    fprintf(stderr, "thread %d does not block in accept4(): %s\n", tid, line);
    exit(1);
}

struct acceptors {
    struct acceptor all[MOST];
    long count;
};

static bool obey(const char *command, void *state)
{
    const struct acceptors *acceptors = state;
    bool known = strcmp(command, "close") == 0;
    for (long i = 0; known && i < acceptors->count; i++)
        close_and_report(acceptors->all[i].leaked.fd);
    return known;
}

int main(int argc, char **argv)
{
    static struct acceptors acceptors;
    enum family family = take_family(&argc, argv);
    acceptors.count = take_number(argc, argv, 1, 30, MOST);
    if (argc > 2 || acceptors.count < 0)
        usage(argv[0], "[THREADS, 1 to 200] [--ipv6 | --mapped]");

    begin("acceptors");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    pthread_barrier_t started, accepted;
    pthread_barrier_init(&started, NULL, (unsigned)acceptors.count + 1);
    pthread_barrier_init(&accepted, NULL, (unsigned)acceptors.count + 1);
    for (long i = 0; i < acceptors.count; i++) {
        struct acceptor *acceptor = &acceptors.all[i];
        *acceptor = (struct acceptor){.listener = &listener, .started = &started, .accepted = &accepted};
        errno = pthread_create(&acceptor->thread, NULL, acceptor_main, acceptor);
        if (errno != 0)
            die("pthread_create");
    }
    pthread_barrier_wait(&started);
    for (long i = 0; i < acceptors.count; i++)
        wait_until_blocked(acceptors.all[i].tid);
    for (long i = 0; i < acceptors.count; i++)
        peer_connects(&peer, &listener);
    pthread_barrier_wait(&accepted);
    peer_do(&peer, PEER_CLOSE, 0);
    for (long i = 0; i < acceptors.count; i++) {
        const struct acceptor *acceptor = &acceptors.all[i];
        wait_for_state(acceptor->leaked.fd, TCP_CLOSE_WAIT);
        report_leaked(&acceptor->leaked, getpid(), acceptor->tid, TCP_CLOSE_WAIT, &peer, "");
    }
    serve(obey, &acceptors);
}
