/* A server that works through io_uring, with bare system calls.
 *
 *   rings         accepts and reads through the ring; the fd is kept
 *   workers       the same, done by the ring's own worker threads
 *   registered    the socket is registered with the ring and its fd closed: no table of fds shows it
 *
 * Where the kernel has no io_uring, or forbids it, the only step is `unsupported`.
 * Commands: `close` (through the ring); with registered `install` first (it gets an fd again; Linux 6.8). */
#include "workload.h"

#include <dirent.h>
#include <linux/io_uring.h>
#include <sys/mman.h>

enum {
    DATA = 5,
    ENTRIES = 4,
    FIXED_FD_INSTALL = 54, /* IORING_OP_FIXED_FD_INSTALL */
    IOWQ_MAX_WORKERS = 19  /* IORING_REGISTER_IOWQ_MAX_WORKERS, since 5.15 */
};

struct ring {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
};

static void *map(int fd, size_t size, off_t at)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);
    if (memory == MAP_FAILED)
        die("mmap of the ring");
    return memory;
}

static struct ring ring_start(void)
{
    struct io_uring_params params = {0};
    struct ring ring = {.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &params)};
    if (ring.fd < 0) {
        printf("{\"step\":\"unsupported\",\"errno\":%d}\n", errno);
        done();
    }
    char *sq = map(ring.fd, params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *cq = map(ring.fd, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
                   IORING_OFF_CQ_RING);
    ring.sqes = map(ring.fd, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring.sq_tail = (unsigned *)(sq + params.sq_off.tail);
    ring.sq_mask = (unsigned *)(sq + params.sq_off.ring_mask);
    ring.sq_array = (unsigned *)(sq + params.sq_off.array);
    ring.cq_head = (unsigned *)(cq + params.cq_off.head);
    ring.cq_tail = (unsigned *)(cq + params.cq_off.tail);
    ring.cq_mask = (unsigned *)(cq + params.cq_off.ring_mask);
    ring.cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
    return ring;
}

/* Has one thing done and returns its result: as that of the system call, or minus an errno. */
static int ring_do(struct ring *ring, struct io_uring_sqe what)
{
    unsigned tail = *ring->sq_tail, index = tail & *ring->sq_mask;
    ring->sqes[index] = what;
    ring->sq_array[index] = index;
    __atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
    must((int)syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
    unsigned head = *ring->cq_head;
    if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) {
        fprintf(stderr, "the ring has completed nothing\n");
        exit(1);
    }
    int result = ring->cqes[head & *ring->cq_mask].res;
    __atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

static int must_do(struct ring *ring, struct io_uring_sqe what, const char *name)
{
    int result = ring_do(ring, what);
    if (result < 0) {
        errno = -result;
        die(name);
    }
    return result;
}

/* One worker is enough, so that it is known which one does what. */
static void one_worker(struct ring *ring)
{
    unsigned bounded_unbounded[] = {1, 1};
    if (syscall(SYS_io_uring_register, ring->fd, IOWQ_MAX_WORKERS, bounded_unbounded, 2) < 0 && errno != EINVAL)
        die("IORING_REGISTER_IOWQ_MAX_WORKERS");
}

/* The newest worker thread of the ring; 0 if there is none. */
static pid_t worker(void)
{
    pid_t found = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(comm, sizeof comm, file) != NULL && strncmp(comm, "iou-wrk", 7) == 0)
            found = (pid_t)atoi(task->d_name);
        fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
    return found;
}

struct server {
    struct ring ring;
    struct connection leaked;
    struct peer peer;
    bool registered;
};

static void ring_close(struct server *server)
{
    struct io_uring_sqe closing = {.opcode = IORING_OP_CLOSE, .fd = server->leaked.fd};
    must_do(&server->ring, closing, "close through the ring");
    report_closed(server->leaked.fd);
}

/* A registered file gets an fd. */
static void install(struct server *server)
{
    struct io_uring_sqe installing = {.opcode = FIXED_FD_INSTALL, .fd = 0, .flags = IOSQE_FIXED_FILE};
    int fd = ring_do(&server->ring, installing);
    if (fd < 0) {
        printf("{\"step\":\"unsupported\",\"errno\":%d}\n", -fd);
        return;
    }
    must((int)syscall(SYS_io_uring_register, server->ring.fd, IORING_UNREGISTER_FILES, NULL, 0), "unregister");
    server->registered = false;
    server->leaked.fd = fd;
    report_leaked(&server->leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &server->peer, "");
}

static bool obey(const char *command, void *state)
{
    struct server *server = state;
    if (strcmp(command, "install") == 0 && server->registered)
        install(server);
    else if (strcmp(command, "close") == 0 && !server->registered)
        ring_close(server);
    else
        return false;
    return true;
}

static void register_and_close(struct server *server)
{
    must((int)syscall(SYS_io_uring_register, server->ring.fd, IORING_REGISTER_FILES, &server->leaked.fd, 1),
         "register");
    must(close(server->leaked.fd), "close");
    printf("{\"step\":\"registered\",\"pid\":%d,\"tid\":%d,\"local\":\"%s\",\"peer\":\"%s\"}\n", getpid(),
           thread_id(), server->leaked.local, server->leaked.peer);
}

int main(int argc, char **argv)
{
    static struct server server;
    char byte[DATA], more[64] = "";
    enum family family = take_family(&argc, argv);
    bool rings = take_flag(&argc, argv, "rings"), workers = take_flag(&argc, argv, "workers");
    server.registered = take_flag(&argc, argv, "registered");
    if (argc != 1 || rings + workers + server.registered != 1)
        usage(argv[0], "rings | workers | registered [--ipv6 | --mapped]");

    begin("io_uring");
    server.peer = peer_start();
    server.ring = ring_start();
    one_worker(&server.ring);
    struct listener listener = listen_on(family);
    unsigned char flags = workers ? IOSQE_ASYNC : 0;
    peer_connects(&server.peer, &listener);
    struct io_uring_sqe accepting = {.opcode = IORING_OP_ACCEPT, .fd = listener.fd, .flags = flags};
    server.leaked = connection_of(must_do(&server.ring, accepting, "accept through the ring"));
    peer_do(&server.peer, PEER_SEND, DATA);
    struct io_uring_sqe reading = {.opcode = IORING_OP_RECV, .fd = server.leaked.fd, .flags = flags,
                                   .addr = (unsigned long)byte, .len = sizeof byte};
    must_do(&server.ring, reading, "recv through the ring");
    pid_t tid = workers ? worker() : thread_id();
    if (workers)
        snprintf(more, sizeof more, ",\"main_tid\":%d", thread_id());
    peer_do(&server.peer, PEER_CLOSE, 0);
    wait_for_state(server.leaked.fd, TCP_CLOSE_WAIT);
    if (server.registered)
        register_and_close(&server);
    else
        report_leaked(&server.leaked, getpid(), tid, TCP_CLOSE_WAIT, &server.peer, more);
    serve(obey, &server);
}
