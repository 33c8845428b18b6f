/* A leaked socket is sent to another process through a unix socket, and the sender closes its fd.
 *
 * With `--in-flight` the step `sent` comes first, and nobody holds an fd until the command `receive`.
 * Command then: `close` (by the receiver). */
#include "workload.h"

union fd_message {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

struct answer {
    pid_t tid;
    int fd;
};

static void send_fd(int channel, int fd)
{
    union fd_message control = {0};
    struct iovec data = {.iov_base = (char[]){'f'}, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    must((int)sendmsg(channel, &message, 0), "sendmsg");
}

static int receive_fd(int channel)
{
    union fd_message control;
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    must((int)recvmsg(channel, &message, 0), "recvmsg");
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS) {
        fprintf(stderr, "no fd in the message\n");
        exit(1);
    }
    int fd;
    memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    return fd;
}

/* The receiver: `r` receives the fd, `c` closes it; both answer with who did that to which fd. */
static void receiver_serve(int orders, int channel)
{
    struct answer answer = {.tid = thread_id(), .fd = -1};
    char order;
    while (recv(orders, &order, 1, 0) == 1) {
        if (order == 'r')
            answer.fd = receive_fd(channel);
        else
            must(close(answer.fd), "receiver: close");
        must((int)send(orders, &answer, sizeof answer, 0), "receiver: answer");
    }
    _exit(0);
}

static struct answer order(int orders, char what)
{
    struct answer answer;
    must((int)send(orders, &what, 1, 0), "order to the receiver");
    if (recv(orders, &answer, sizeof answer, 0) != (ssize_t)sizeof answer)
        die("answer of the receiver");
    return answer;
}

int main(int argc, char **argv)
{
    enum family family = take_family(&argc, argv);
    bool in_flight = take_flag(&argc, argv, "--in-flight");
    if (argc != 1)
        usage(argv[0], "[--in-flight] [--ipv6 | --mapped]");

    begin("scm_rights");
    struct peer peer = peer_start();
    int orders[2], channel[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, orders), "socketpair");
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), "socketpair");
    pid_t receiver = must(fork(), "fork");
    if (receiver == 0) {
        alarm(LIFETIME_S);
        prctl(PR_SET_NAME, "receiver");
        close(orders[0]);
        close(channel[0]);
        receiver_serve(orders[1], channel[1]);
    }
    close(orders[1]);
    close(channel[1]);

    struct listener listener = listen_on(family);
    peer_connects(&peer, &listener);
    struct connection leaked = accept_one(&listener);
    peer_do(&peer, PEER_CLOSE, 0);
    wait_for_state(leaked.fd, TCP_CLOSE_WAIT);
    send_fd(channel[0], leaked.fd);
    must(close(leaked.fd), "close");
    if (in_flight) {
        printf("{\"step\":\"sent\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\",\"peer\":\"%s\"}\n",
               getpid(), thread_id(), leaked.fd, leaked.local, leaked.peer);
        while (strcmp(next_command(), "receive") != 0)
            unknown_command();
    }
    struct answer held = order(orders[0], 'r');
    leaked.fd = held.fd;
    char more[64];
    snprintf(more, sizeof more, ",\"sender_pid\":%d", getpid());
    report_leaked(&leaked, receiver, held.tid, TCP_CLOSE_WAIT, &peer, more);

    for (;;) {
        const char *command = next_command();
        if (strcmp(command, "quit") == 0) {
            done();
        } else if (strcmp(command, "close") == 0) {
            held = order(orders[0], 'c');
            printf("{\"step\":\"closed\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", receiver, held.tid, held.fd);
        } else {
            unknown_command();
        }
    }
}
