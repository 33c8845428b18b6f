/* A thread accepts and reads; the process only holds what it left behind. Command: `close`. */
#include "workload.h"

enum { DATA = 5 };

struct worker {
    struct listener *listener;
    struct connection leaked;
    bool accepts;
    bool ends;
    pid_t tid;
    pthread_barrier_t has_read;
    pthread_barrier_t accepted;
};

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    prctl(PR_SET_NAME, "worker-2");
    worker->tid = thread_id();
    if (worker->accepts)
        worker->leaked = accept_one(worker->listener);
    pthread_barrier_wait(&worker->accepted);
    read_bytes(worker->leaked.fd, DATA);
    pthread_barrier_wait(&worker->has_read);
    while (!worker->ends)
        pause();
    return NULL;
}

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    bool main_accepts = take_flag(&argc, argv, "--main-accepts");
    bool worker_exits = take_flag(&argc, argv, "--worker-exits");
    if (argc != 1)
        usage(argv[0], "[--main-accepts] [--worker-exits] [--ipv6 | --mapped]");

    begin("worker");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct worker worker = {.listener = &listener, .accepts = !main_accepts, .ends = worker_exits};
    if (main_accepts)
        worker.leaked = accept_one(&listener);
    pthread_barrier_init(&worker.accepted, NULL, 2);
    pthread_barrier_init(&worker.has_read, NULL, 2);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, worker_main, &worker);
    if (errno != 0)
        die("pthread_create");
    pthread_barrier_wait(&worker.accepted);
    peer_do(&peer, PEER_SEND, DATA);
    pthread_barrier_wait(&worker.has_read);
    if (worker_exits)
        pthread_join(thread, NULL);
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(worker.leaked.fd, TCP_CLOSE_WAIT);
    report_leaked(&worker.leaked, getpid(), worker.tid, TCP_CLOSE_WAIT, &peer,
                  ",\"thread\":\"worker-2\"");

    serve(obey_socket, &worker.leaked.fd);
}
