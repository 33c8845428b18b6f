/* A leaked socket that is held in a way that is easily overlooked. WAY is one of
 *
 *   exec          a child executes this program anew, without CLOEXEC; the parent closes its fd
 *   self-exec     the process itself executes this program anew
 *   pidfd-getfd   another process takes a copy of the fd out of ours
 *   zombie        a child that inherited the fd has ended, and nobody has waited for it
 *   pid-namespace a child in a namespace of its own, where it is process 1, accepts
 *   thread-table  a thread with its own table of fds accepts
 *   thread-copy   a thread has a copy of the main thread's table; the main thread closes its fd
 *   epoll         a child holds the fd; the parent has closed its own, and its epoll still knows it
 *
 * Command: `close`, by the holder that is told in `leaked` (with pidfd-getfd first the parent). */
#include "child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>

enum { FAR_FD = 200 };

struct held {
    const char *program;
    struct peer peer;
    struct listener listener;
    struct connection leaked;
    struct child child;
    int child_fd;
    pid_t main_tid;
    bool accepts;
};

static void peer_hangs_up(const struct held *held)
{
    peer_do(&held->peer, PEER_CLOSE, 0);
    wait_for_state(held->leaked.fd, TCP_CLOSE_WAIT);
}

/* ---- children ---- */

/* Tells the parent what is held, then does as it is told. */
static void keep(int control, int fd)
{
    struct connection held = connection_of(fd);
    must((int)send(control, &held, sizeof held, 0), "child: connection");
    child_serve(control, fd);
}

static const char *own_path;

static void exec_and_keep(int control, int fd)
{
    char numbers[2][16];
    snprintf(numbers[0], sizeof numbers[0], "%d", control);
    snprintf(numbers[1], sizeof numbers[1], "%d", fd);
    execl(own_path, own_path, "--keep", numbers[0], numbers[1], NULL);
    die("exec");
}

static void take_and_keep(int control, int fd)
{
    close(fd);
    int parent = must((int)syscall(SYS_pidfd_open, getppid(), 0), "pidfd_open");
    int taken = must((int)syscall(SYS_pidfd_getfd, parent, fd, 0), "pidfd_getfd");
    int far = must(fcntl(taken, F_DUPFD, FAR_FD), "F_DUPFD");
    close(taken);
    keep(control, far);
}

static void accept_and_keep(int control, int listener)
{
    keep(control, must(accept(listener, NULL, NULL), "accept"));
}

/* Starts the child; what it holds. */
static struct connection child_holds(struct held *held, int fd, void (*life)(int control, int fd))
{
    struct connection theirs;
    held->child = child_start(fd, life);
    if (recv(held->child.control, &theirs, sizeof theirs, 0) != (ssize_t)sizeof theirs)
        die("answer of the child");
    held->child_fd = theirs.fd;
    return theirs;
}

static bool obey_by_child(const char *command, void *state)
{
    struct held *held = state;
    if (strcmp(command, "close") == 0)
        child_close(&held->child, held->child_fd);
    return strcmp(command, "close") == 0;
}

static _Noreturn void child_leaks(struct held *held)
{
    char more[64];
    snprintf(more, sizeof more, ",\"accepted_by\":%d", thread_id());
    report_leaked(&held->leaked, held->child.pid, held->child.pid, TCP_CLOSE_WAIT, &held->peer, more);
    serve(obey_by_child, held);
}

static _Noreturn void exec_way(struct held *held)
{
    struct connection ours = accept_one(&held->listener);
    held->leaked = child_holds(held, ours.fd, exec_and_keep);
    peer_hangs_up(held);
    must(close(ours.fd), "close");
    child_leaks(held);
}

static _Noreturn void pid_namespace_way(struct held *held)
{
    must(unshare(CLONE_NEWPID), "unshare of the pid namespace");
    held->leaked = child_holds(held, held->listener.fd, accept_and_keep);
    peer_do(&held->peer, PEER_CLOSE, 0);
    child_leaks(held);
}

static _Noreturn void epoll_way(struct held *held)
{
    struct connection ours = accept_one(&held->listener);
    int epoll = must(epoll_create1(0), "epoll_create1");
    struct epoll_event event = {.events = EPOLLIN};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, ours.fd, &event), "epoll_ctl");
    held->leaked = child_holds(held, ours.fd, keep);
    peer_hangs_up(held);
    must(close(ours.fd), "close");
    if (must(epoll_wait(epoll, &event, 1, STATE_DEADLINE_MS), "epoll_wait") != 1) {
        fprintf(stderr, "the epoll has forgotten the socket\n");
        exit(1);
    }
    child_leaks(held);
}

static bool obey_taken(const char *command, void *state)
{
    struct held *held = state;
    if (held->leaked.fd < 0)
        return obey_by_child(command, state);
    bool known = obey_socket(command, &held->leaked.fd);
    if (strcmp(command, "close") == 0)
        held->leaked.fd = -1;
    return known;
}

static _Noreturn void pidfd_getfd_way(struct held *held)
{
    char more[128];
    held->leaked = accept_one(&held->listener);
    struct connection theirs = child_holds(held, held->leaked.fd, take_and_keep);
    peer_hangs_up(held);
    snprintf(more, sizeof more, ",\"holders\":[{\"pid\":%d,\"fd\":%d},{\"pid\":%d,\"fd\":%d}]", getpid(),
             held->leaked.fd, held->child.pid, theirs.fd);
    report_leaked(&held->leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &held->peer, more);
    serve(obey_taken, held);
}

static _Noreturn void zombie_way(struct held *held)
{
    char more[64];
    siginfo_t ended;
    held->leaked = accept_one(&held->listener);
    child_holds(held, held->leaked.fd, keep);
    close(held->child.control);
    /* It stays a zombie: nobody takes its exit status. */
    must(waitid(P_PID, (id_t)held->child.pid, &ended, WEXITED | WNOWAIT), "waitid");
    peer_hangs_up(held);
    snprintf(more, sizeof more, ",\"zombie_pid\":%d", held->child.pid);
    report_leaked(&held->leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &held->peer, more);
    serve(obey_socket, &held->leaked.fd);
}

/* ---- threads ---- */

struct turn {
    struct held *held;
    pthread_barrier_t copied;
    pthread_barrier_t closed;
};

static _Noreturn void *thread_main(void *argument)
{
    struct turn *turn = argument;
    struct held *held = turn->held;
    char more[96];
    prctl(PR_SET_NAME, "own-table");
    must(unshare(CLONE_FILES), "unshare of the fds");
    if (held->accepts)
        held->leaked = accept_one(&held->listener);
    peer_hangs_up(held);
    pthread_barrier_wait(&turn->copied);
    pthread_barrier_wait(&turn->closed);
    snprintf(more, sizeof more, ",\"thread\":\"own-table\",\"main_tid\":%d", held->main_tid);
    report_leaked(&held->leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &held->peer, more);
    serve(obey_socket, &held->leaked.fd);
}

/* The main thread accepts, unless the other does, and closes its fd once the other has a copy. */
static _Noreturn void thread_way(struct held *held, bool accepts)
{
    struct turn turn = {.held = held};
    pthread_t thread;
    held->accepts = accepts;
    held->main_tid = thread_id();
    if (!accepts)
        held->leaked = accept_one(&held->listener);
    int ours = held->leaked.fd;
    pthread_barrier_init(&turn.copied, NULL, 2);
    pthread_barrier_init(&turn.closed, NULL, 2);
    errno = pthread_create(&thread, NULL, thread_main, &turn);
    if (errno != 0)
        die("pthread_create");
    pthread_barrier_wait(&turn.copied);
    if (!accepts)
        must(close(ours), "close");
    pthread_barrier_wait(&turn.closed);
    for (;;)
        pause();
}

static _Noreturn void thread_table_way(struct held *held)
{
    thread_way(held, true);
}

static _Noreturn void thread_copy_way(struct held *held)
{
    thread_way(held, false);
}

/* ---- exec of the process itself ---- */

static _Noreturn void self_exec_way(struct held *held)
{
    char numbers[2][16];
    held->leaked = accept_one(&held->listener);
    peer_hangs_up(held);
    snprintf(numbers[0], sizeof numbers[0], "%d", held->leaked.fd);
    snprintf(numbers[1], sizeof numbers[1], "%d", held->peer.pid);
    execl(own_path, "held-anew", "--resume", numbers[0], numbers[1], NULL);
    die("exec");
}

static _Noreturn void resume(int fd, pid_t peer_pid)
{
    struct peer peer = {.pid = peer_pid};
    struct connection leaked = connection_of(fd);
    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &peer, "");
    serve(obey_socket, &leaked.fd);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct held *held);
    } ways[] = {
        {"exec", exec_way},
        {"self-exec", self_exec_way},
        {"pidfd-getfd", pidfd_getfd_way},
        {"zombie", zombie_way},
        {"pid-namespace", pid_namespace_way},
        {"thread-table", thread_table_way},
        {"thread-copy", thread_copy_way},
        {"epoll", epoll_way},
    };
    static struct held held;
    own_path = argv[0];
    if (argc == 4 && strcmp(argv[1], "--keep") == 0)
        keep(atoi(argv[2]), atoi(argv[3]));
    if (argc == 4 && strcmp(argv[1], "--resume") == 0)
        resume(atoi(argv[2]), atoi(argv[3]));
    enum family family = take_family(&argc, argv);
    for (size_t i = 0; argc == 2 && i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(argv[1], ways[i].name) != 0)
            continue;
        begin("held");
        held.peer = peer_start();
        held.listener = listen_on(family);
        peer_connects(&held.peer, &held.listener);
        ways[i].run(&held);
    }
    usage(argv[0], "exec | self-exec | pidfd-getfd | zombie | pid-namespace | thread-table | thread-copy | "
                   "epoll [--ipv6 | --mapped]");
}
