/* A pool hands a connection on: `acceptor` accepts, `reader-1` reads 5 bytes, `reader-2` reads 5 more and is
 * the last. Each is a thread of its own, which lives on. With `--answered` a thread `writer` answers last.
 *
 * `leaked` has the threads as `threads`, in the order in which they used the socket. Command: `close`. */
#include "workload.h"

enum { DATA = 5, MOST = 4 };

static const char answer[] = "answer";

struct pool {
    struct peer peer;
    struct listener listener;
    int fd;
    pid_t tids[MOST];
    int used;
};

struct job {
    struct pool *pool;
    const char *name;
    void (*work)(struct pool *pool);
    pthread_barrier_t done;
};

static _Noreturn void *thread_main(void *argument)
{
    struct job *job = argument;
    prctl(PR_SET_NAME, job->name);
    job->work(job->pool);
    job->pool->tids[job->pool->used++] = thread_id();
    pthread_barrier_wait(&job->done);
    for (;;)
        pause();
}

/* Has a new thread do WORK. */
static void hand_to(struct pool *pool, struct job *job, const char *name, void (*work)(struct pool *pool))
{
    pthread_t thread;
    *job = (struct job){.pool = pool, .name = name, .work = work};
    pthread_barrier_init(&job->done, NULL, 2);
    errno = pthread_create(&thread, NULL, thread_main, job);
    if (errno != 0)
        die("pthread_create");
    pthread_barrier_wait(&job->done);
}

static void work_accept(struct pool *pool)
{
    pool->fd = accept_one(&pool->listener).fd;
}

static void work_read(struct pool *pool)
{
    peer_do(&pool->peer, PEER_SEND, DATA);
    read_bytes(pool->fd, DATA);
}

static void work_write(struct pool *pool)
{
    must((int)send(pool->fd, answer, sizeof answer - 1, 0), "send");
}

int main(int argc, char **argv)
{
    static struct pool pool;
    static struct job jobs[MOST];
    enum family family = take_family(&argc, argv);
    bool answered = take_flag(&argc, argv, "--answered");
    if (argc != 1)
        usage(argv[0], "[--answered] [--ipv6 | --mapped]");

    begin("handover");
    pool.peer = peer_start();
    pool.listener = listen_on(family);
    peer_connects(&pool.peer, &pool.listener);
    hand_to(&pool, &jobs[0], "acceptor", work_accept);
    hand_to(&pool, &jobs[1], "reader-1", work_read);
    hand_to(&pool, &jobs[2], "reader-2", work_read);
    if (answered)
        hand_to(&pool, &jobs[3], "writer", work_write);
    struct connection leaked = connection_of(pool.fd);
    if (answered)
        peer_do(&pool.peer, PEER_READ, sizeof answer - 1);
    peer_do(&pool.peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    char more[256];
    int length = snprintf(more, sizeof more, ",\"threads\":[");
    for (int i = 0; i < pool.used; i++)
        length += snprintf(more + length, sizeof more - (size_t)length, "%s{\"tid\":%d,\"name\":\"%s\"}",
                           i > 0 ? "," : "", pool.tids[i], jobs[i].name);
    snprintf(more + length, sizeof more - (size_t)length, "]");
    report_leaked(&leaked, getpid(), pool.tids[pool.used - 1], TCP_CLOSE_WAIT, &pool.peer, more);
    serve(obey_socket, &leaked.fd);
}
