/* The main thread ends; another thread accepts afterwards and leaks. `ps` shows a zombie, and
 * /proc/PID/exe and /proc/PID/fd are empty, but the process lives. Command: `close`. */
#include "workload.h"

struct survivor {
    struct peer peer;
    struct listener listener;
    pthread_t leader;
};

static _Noreturn void *survivor_main(void *argument)
{
    struct survivor *survivor = argument;
    prctl(PR_SET_NAME, "survivor");
    errno = pthread_join(survivor->leader, NULL);
    if (errno != 0)
        die("pthread_join");
    peer_connects(&survivor->peer, &survivor->listener);
    struct connection leaked = accept_one(&survivor->listener);
    peer_do(&survivor->peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &survivor->peer,
                  ",\"thread\":\"survivor\"");

    serve(obey_socket, &leaked.fd);
}

int main(int argc, char **argv)
{
    static struct survivor survivor;
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("leader_exited");
    survivor.peer = peer_start();
    survivor.listener = listen_on(family);
    survivor.leader = pthread_self();
    pthread_t thread;
    errno = pthread_create(&thread, NULL, survivor_main, &survivor);
    if (errno != 0)
        die("pthread_create");
    pthread_exit(NULL);
}
