/* Does whatever it is told with the sockets of its connections, both ends of which are its own, while a
 * child keeps what it is given. What cannot be done is left undone. Only `sync` is answered, with the
 * listener's fd and port and the pids of all processes.
 *
 * Commands, `N` counting the fds round: `open`, `queue` (connects, and leaves it in the queue), `accept`,
 * `close N`, `reset N` (with SO_LINGER 0), `half N` (shutdown of writing), `write N`, `read N` (3 bytes),
 * `drain N`, `dup N`, `give N` (to the child, in a message), `drop` (the child closes its oldest), `fork`
 * (a child that holds everything), `reap` (kills the oldest of those). */
#include "workload.h"

#include <fcntl.h>

enum { MOST = 256 };

static int fds[MOST], count;
static pid_t forks[MOST];
static int forked, reaped;
static int keeper = -1;

static void keep(int fd)
{
    if (count < MOST)
        fds[count++] = fd;
    else
        close(fd);
}

static void leave_out(int at)
{
    fds[at] = fds[--count];
}

/* The child that keeps what comes. A message without an fd closes the oldest. */
static _Noreturn void keeper_loop(int from)
{
    int kept[MOST], n = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        char byte, control[CMSG_SPACE(sizeof(int))];
        struct iovec data = {&byte, 1};
        struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(from, &message, 0) <= 0)
            _exit(0);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        if (rights && n < MOST) {
            memcpy(&kept[n++], CMSG_DATA(rights), sizeof(int));
        } else if (n > 0) {
            close(kept[0]);
            memmove(kept, kept + 1, --n * sizeof kept[0]);
        }
        send(from, "k", 1, MSG_NOSIGNAL);
    }
}

static pid_t start_keeper(void)
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
    pid_t pid = must(fork(), "fork");
    if (pid == 0) {
        close(ends[0]);
        keeper_loop(ends[1]);
    }
    close(ends[1]);
    keeper = ends[0];
    return pid;
}

static void tell_keeper(int fd)
{
    char byte = 'f', control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    }
    must(sendmsg(keeper, &message, 0), "sendmsg");
    /* It has it now. */
    must(recv(keeper, &byte, 1, 0), "recv");
}

static int connect_to(const struct listener *listener)
{
    int fd = must(socket(listener->reach.ss_family, SOCK_STREAM, 0), "socket");
    must(connect(fd, (const struct sockaddr *)&listener->reach, sizeof(struct sockaddr_in)), "connect");
    return fd;
}

static void do_to(const char *verb, int at)
{
    char bytes[4096] = "some bytes";
    int fd = fds[at];
    if (strcmp(verb, "close") == 0) {
        close(fd);
        leave_out(at);
    } else if (strcmp(verb, "reset") == 0) {
        struct linger linger = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd);
        leave_out(at);
    } else if (strcmp(verb, "half") == 0) {
        shutdown(fd, SHUT_WR);
    } else if (strcmp(verb, "write") == 0) {
        (void)!send(fd, bytes, 10, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (strcmp(verb, "read") == 0) {
        (void)!recv(fd, bytes, 3, MSG_DONTWAIT);
    } else if (strcmp(verb, "drain") == 0) {
        (void)!recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    } else if (strcmp(verb, "dup") == 0) {
        int other = dup(fd);
        if (other >= 0)
            keep(other);
    } else if (strcmp(verb, "give") == 0) {
        tell_keeper(fd);
        close(fd);
        leave_out(at);
    }
}

static void fork_holder(void)
{
    if (forked == MOST)
        return;
    pid_t parent = getpid(), pid = must(fork(), "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent)
            pause();
        _exit(0);
    }
    forks[forked++] = pid;
}

static void reap(void)
{
    if (reaped == forked)
        return;
    kill(forks[reaped], SIGKILL);
    waitpid(forks[reaped++], NULL, 0);
}

static void report(const struct listener *listener, pid_t keeps)
{
    printf("{\"step\":\"synced\",\"fd\":%d,\"port\":%d,\"pids\":[%d,%d", listener->fd,
           ntohs(((const struct sockaddr_in *)&listener->reach)->sin_port), getpid(), keeps);
    for (int n = reaped; n < forked; n++)
        printf(",%d", forks[n]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    if (argc != 1)
        usage(argv[0], "");
    begin("script");
    pid_t keeps = start_keeper();
    struct listener listener = listen_on(FAMILY_V4);
    must(fcntl(listener.fd, F_SETFL, O_NONBLOCK), "fcntl");
    for (;;) {
        const char *command = next_command();
        char verb[16] = "";
        int n = 0;
        sscanf(command, "%15s %d", verb, &n);
        if (strcmp(verb, "quit") == 0) {
            kill(keeps, SIGKILL);
            while (reaped < forked)
                reap();
            done();
        } else if (strcmp(verb, "sync") == 0) {
            report(&listener, keeps);
            continue;
        } else if (strcmp(verb, "open") == 0) {
            keep(connect_to(&listener));
            int fd = accept(listener.fd, NULL, NULL);
            if (fd >= 0)
                keep(fd);
        } else if (strcmp(verb, "queue") == 0) {
            keep(connect_to(&listener));
        } else if (strcmp(verb, "accept") == 0) {
            int fd = accept(listener.fd, NULL, NULL);
            if (fd >= 0)
                keep(fd);
        } else if (strcmp(verb, "fork") == 0) {
            fork_holder();
        } else if (strcmp(verb, "reap") == 0) {
            reap();
        } else if (strcmp(verb, "drop") == 0) {
            tell_keeper(-1);
        } else if (count > 0) {
            do_to(verb, (int)((unsigned)n % (unsigned)count));
        }
    }
}
