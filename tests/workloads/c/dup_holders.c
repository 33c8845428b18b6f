/* Four fds of one process refer to one leaked socket. Command: `close` closes one more, the one that
 * accept() gave first; only the last is a release. */
#include "workload.h"

#include <fcntl.h>

enum { HOLDERS = 4, FAR_FD = 100 };

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    if (argc != 1)
        usage(argv[0], "[--ipv6 | --mapped]");

    begin("dup_holders");
    struct peer peer = peer_start();
    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    int fds[HOLDERS] = {leaked.fd, must(dup(leaked.fd), "dup"), must(dup2(leaked.fd, FAR_FD), "dup2"),
                        must(dup3(leaked.fd, FAR_FD + 1, O_CLOEXEC), "dup3")};
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    char more[64];
    snprintf(more, sizeof more, ",\"fds\":[%d,%d,%d,%d]", fds[0], fds[1], fds[2], fds[3]);
    report_leaked(&leaked, getpid(), thread_id(), TCP_CLOSE_WAIT, &peer, more);

    int closed = 0;
    for (;;) {
        const char *command = next_command();
        if (strcmp(command, "quit") == 0) {
            while (closed < HOLDERS)
                close(fds[closed++]);
            done();
        } else if (strcmp(command, "close") == 0 && closed < HOLDERS) {
            must(close(fds[closed]), "close");
            printf("{\"step\":\"closed\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"left\":%d}\n", getpid(),
                   thread_id(), fds[closed], HOLDERS - closed - 1);
            closed++;
        } else {
            unknown_command();
        }
    }
}
