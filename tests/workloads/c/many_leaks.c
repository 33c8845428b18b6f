/* Many leaked connections. With `--nofile LIMIT` the soft limit of fds is LIMIT, else as high as allowed.
 *
 * Commands: `more K` leaks K more, `close K` closes the K oldest, `close` closes all. */
#include "workload.h"

enum { MOST = 100000 };

struct leaks {
    int *fds;
    long first;
    long end;
};

static void leak_more(struct leaks *leaks, long count, const struct peer *peer,
                      const struct listener *listener)
{
    for (; count > 0 && leaks->end < MOST; count--) {
        peer_connects(peer, listener);
        int fd = must(accept(listener->fd, NULL, NULL), "accept");
        peer_do(peer, PEER_CLOSE, 0);
        wait_for_state(fd, TCP_CLOSE_WAIT);
        leaks->fds[leaks->end++] = fd;
    }
}

static void report(const struct leaks *leaks, const struct peer *peer, const char *local)
{
    printf("{\"step\":\"leaked\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"last_fd\":%d,\"local\":\"%s\","
           "\"state\":\"CLOSE_WAIT\",\"peer_pid\":%d,\"count\":%ld}\n",
           getpid(), thread_id(), leaks->fds[leaks->first], leaks->fds[leaks->end - 1], local, peer->pid,
           leaks->end - leaks->first);
}

static void close_some(struct leaks *leaks, long count)
{
    for (; count > 0 && leaks->first < leaks->end; count--)
        must(close(leaks->fds[leaks->first++]), "close");
    printf("{\"step\":\"closed\",\"pid\":%d,\"tid\":%d,\"left\":%ld}\n", getpid(), thread_id(),
           leaks->end - leaks->first);
}

/* Soft limit of fds: LIMIT, or for 0 the hard one. */
static void limit_fds(long limit)
{
    struct rlimit fds;
    must(getrlimit(RLIMIT_NOFILE, &fds), "getrlimit");
    fds.rlim_cur = limit > 0 ? (rlim_t)limit : fds.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &fds), "setrlimit");
}

int main(int argc, char **argv)
{
    static int fds[MOST];
    enum family family = take_family(&argc, argv);
    long count = take_number(argc, argv, 1, -1, MOST);
    bool limited = argc == 4 && strcmp(argv[2], "--nofile") == 0;
    long limit = limited ? number(argv[3], 1 << 30) : 0;
    if ((argc != 2 && !limited) || count < 0 || limit < 0)
        usage(argv[0], "CONNECTIONS, 1 to 100000 [--nofile LIMIT] [--ipv6 | --mapped]");

    begin("many_leaks");
    struct peer peer = peer_start();
    limit_fds(limit);
    struct listener listener = listen_on(family);
    char local[ADDRESS_TEXT];
    address_text(&listener.reach, local);
    struct leaks leaks = {.fds = fds};
    leak_more(&leaks, count, &peer, &listener);
    report(&leaks, &peer, local);

    for (;;) {
        const char *command = next_command();
        long more = 0, fewer = MOST;
        if (strcmp(command, "quit") == 0) {
            done();
        } else if (is_command(command, "more", &more) && more > 0) {
            leak_more(&leaks, more, &peer, &listener);
            report(&leaks, &peer, local);
        } else if (is_command(command, "close", &fewer)) {
            close_some(&leaks, fewer);
        } else {
            unknown_command();
        }
    }
}
