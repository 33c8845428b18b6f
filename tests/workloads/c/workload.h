/* What every C workload shares: its protocol (see ../README.md), its sockets and its remote end.
 *
 * Everything is `static inline`, so that each program is one translation unit and takes what it needs.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFETIME_S = 120, STATE_DEADLINE_MS = 5000, ADDRESS_TEXT = 64 };

/* Ends with one line that says what failed. */
static inline _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline int must(int result, const char *what)
{
    if (result < 0)
        die(what);
    return result;
}

static inline pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* Removes the argument NAME; whether it was there. */
static inline bool take_flag(int *argc, char **argv, const char *name)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], name) != 0)
            continue;
        for (int j = i; j + 1 < *argc; j++)
            argv[j] = argv[j + 1];
        (*argc)--;
        return true;
    }
    return false;
}

static inline _Noreturn void usage(const char *program, const char *arguments)
{
    fprintf(stderr, "usage: %s %s\n", program, arguments);
    exit(2);
}

/* TEXT as a number from 1 to MOST, or -1. */
static inline long number(const char *text, long most)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && value >= 1 && value <= most ? value : -1;
}

/* The Nth argument as a number from 1 to MOST, FALLBACK if there is none, -1 if it is none. */
static inline long take_number(int argc, char **argv, int n, long fallback, long most)
{
    return argc > n ? number(argv[n], most) : fallback;
}

/* ---- the protocol ---------------------------------------------------------------------------- */

static inline void begin(const char *scenario)
{
    alarm(LIFETIME_S);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0); /* A forked child must not hold commands already read. */
    printf("{\"step\":\"started\",\"scenario\":\"%s\",\"language\":\"c\",\"pid\":%d,\"tid\":%d}\n",
           scenario, getpid(), thread_id());
}

/* The next command, without its newline. At the end of stdin, and on `exit`, it ends the process. */
static inline const char *next_command(void)
{
    static char line[256];
    if (fgets(line, sizeof line, stdin) == NULL)
        _exit(0);
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "exit") == 0)
        _exit(0);
    return line;
}

/* Whether LINE is COMMAND, with or without a number behind it, which goes to N (else N is kept). */
static inline bool is_command(const char *line, const char *command, long *n)
{
    size_t length = strlen(command);
    if (strncmp(line, command, length) != 0)
        return false;
    if (line[length] == '\0')
        return true;
    long value = line[length] == ' ' ? number(line + length + 1, 1000000) : -1;
    if (value > 0 && n != NULL)
        *n = value;
    return value > 0 && n != NULL;
}

static inline void unknown_command(void)
{
    puts("{\"step\":\"error\",\"message\":\"unknown command\"}");
}

static inline void report_closed(int fd)
{
    printf("{\"step\":\"closed\",\"pid\":%d,\"tid\":%d,\"fd\":%d}\n", getpid(), thread_id(), fd);
}

/* Closes FD and says so. */
static inline void close_and_report(int fd)
{
    must(close(fd), "close");
    report_closed(fd);
}

/* Ends in order; what is still open is closed by the caller or by the kernel. */
static inline _Noreturn void done(void)
{
    puts("{\"step\":\"done\"}");
    exit(fflush(stdout) == 0 ? 0 : 1);
}

/* Does COMMAND on STATE; whether there is such a command. `quit` means to let go of what is held. */
typedef bool obey_fn(const char *command, void *state);

/* Does what it is told, until it is told to quit. */
static inline _Noreturn void serve(obey_fn *obey, void *state)
{
    for (;;) {
        const char *command = next_command();
        bool known = obey(command, state);
        if (strcmp(command, "quit") == 0)
            done();
        if (!known)
            unknown_command();
    }
}

/* ---- addresses and listeners ----------------------------------------------------------------- */

enum family { FAMILY_V4, FAMILY_V6, FAMILY_MAPPED };

static inline enum family take_family(int *argc, char **argv)
{
    if (take_flag(argc, argv, "--ipv6"))
        return FAMILY_V6;
    return take_flag(argc, argv, "--mapped") ? FAMILY_MAPPED : FAMILY_V4;
}

/* ADDRESS as text; v4-mapped ones as IPv4. */
static inline void address_text(const struct sockaddr_storage *address, char out[ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT, "%s:%u", ip, ntohs(v4->sin_port));
        return;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT, "%s:%u", ip, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT, "[%s]:%u", ip, ntohs(v6->sin6_port));
    }
}

struct listener {
    int fd;
    struct sockaddr_storage reach; /* Where the peer connects to. */
};

/* A listening socket on a free loopback port. */
static inline struct listener listen_on(enum family family)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    if (family == FAMILY_MAPPED)
        v6.sin6_addr = in6addr_any;
    bool four = family == FAMILY_V4;
    const struct sockaddr *address = four ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t length = four ? sizeof v4 : sizeof v6;
    int off = 0;

    struct listener listener = {0};
    listener.fd = must(socket(four ? AF_INET : AF_INET6, SOCK_STREAM, 0), "socket");
    if (!four)
        must(setsockopt(listener.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), "IPV6_V6ONLY");
    must(bind(listener.fd, address, length), "bind");
    must(listen(listener.fd, 4096), "listen");

    length = sizeof listener.reach;
    must(getsockname(listener.fd, (struct sockaddr *)&listener.reach, &length), "getsockname");
    if (family == FAMILY_MAPPED) {
        v4.sin_port = ((struct sockaddr_in6 *)&listener.reach)->sin6_port;
        memset(&listener.reach, 0, sizeof listener.reach);
        memcpy(&listener.reach, &v4, sizeof v4);
    }
    return listener;
}

/* ---- connections ----------------------------------------------------------------------------- */

/* The addresses are kept: the kernel tells the remote one no more once the state is CLOSE. */
struct connection {
    int fd;
    char local[ADDRESS_TEXT];
    char peer[ADDRESS_TEXT];
};

static inline struct connection connection_of(int fd)
{
    struct connection connection = {.fd = fd};
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    must(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
    address_text(&address, connection.local);
    length = sizeof address;
    must(getpeername(fd, (struct sockaddr *)&address, &length), "getpeername");
    address_text(&address, connection.peer);
    return connection;
}

static inline struct connection accept_one(const struct listener *listener)
{
    return connection_of(must(accept(listener->fd, NULL, NULL), "accept"));
}

/* The TCP state of FD as the kernel numbers it. */
static inline int tcp_state(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), "TCP_INFO");
    return info.tcpi_state;
}

static inline const char *state_name(int state)
{
    static const char *const names[] = {
        "?",         "ESTABLISHED", "SYN_SENT",   "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
        "TIME_WAIT", "CLOSE",       "CLOSE_WAIT", "LAST_ACK", "LISTEN",    "CLOSING",
    };
    return state > 0 && state < (int)(sizeof names / sizeof *names) ? names[state] : names[0];
}

static inline void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static inline void wait_for_state(int fd, int state)
{
    for (int waited = 0; tcp_state(fd) != state; waited++) {
        if (waited == STATE_DEADLINE_MS) {
            fprintf(stderr, "fd %d is %s, not %s\n", fd, state_name(tcp_state(fd)), state_name(state));
            exit(1);
        }
        pause_ms(1);
    }
}

/* Reads SIZE bytes, not more. */
static inline void read_bytes(int fd, size_t size)
{
    char buffer[64];
    while (size > 0) {
        ssize_t got = recv(fd, buffer, size < sizeof buffer ? size : sizeof buffer, 0);
        if (got <= 0)
            die("read of data");
        size -= (size_t)got;
    }
}

static inline void read_end(int fd)
{
    char byte;
    if (recv(fd, &byte, 1, 0) != 0)
        die("read of the end");
}

/* Reads what is there without waiting and tells it: 0 is the end, -1 an errno. */
static inline void read_and_report(int fd)
{
    char buffer[4096];
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    printf("{\"step\":\"read\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"bytes\":%zd,\"errno\":%d}\n",
           getpid(), thread_id(), fd, got, got < 0 ? errno : 0);
}

/* `read` and `close` for a program that holds one fd, to which STATE points. */
static inline bool obey_socket(const char *command, void *state)
{
    int fd = *(const int *)state;
    if (strcmp(command, "quit") == 0)
        close(fd);
    else if (strcmp(command, "read") == 0)
        read_and_report(fd);
    else if (strcmp(command, "close") == 0)
        close_and_report(fd);
    else
        return false;
    return true;
}

#include "peer.h"

/* Finishes FD's connection, whose peer has closed, without another byte, and says so. */
static inline void shut_down_and_report(int fd)
{
    must(shutdown(fd, SHUT_WR), "shutdown");
    wait_for_state(fd, TCP_CLOSE);
    printf("{\"step\":\"shut_down\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"state\":\"CLOSE\"}\n", getpid(),
           thread_id(), fd);
}

/* Tells that CONNECTION is leaked by thread TID of process PID. MORE is further JSON, or empty:
 * `,"name":value` each. */
static inline void report_leaked(const struct connection *connection, pid_t pid, pid_t tid, int state,
                                 const struct peer *peer, const char *more)
{
    printf("{\"step\":\"leaked\",\"pid\":%d,\"tid\":%d,\"fd\":%d,\"local\":\"%s\",\"peer\":\"%s\","
           "\"state\":\"%s\",\"peer_pid\":%d%s}\n",
           pid, tid, connection->fd, connection->local, connection->peer, state_name(state), peer->pid,
           more);
}

#endif
