/* Runs COMMAND in a network namespace: a new one with loopback up, or that of process PID.
 *
 * NAME=VALUE before the command is written to /proc/sys/net/NAME there. This is no workload: it becomes the
 * command. */
#include "workload.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

static void loopback_up(void)
{
    int any = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    must(ioctl(any, SIOCSIFFLAGS, &request), "loopback");
    close(any);
}

static void join(const char *pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
    must(setns(fd, CLONE_NEWNET), "setns");
    close(fd);
}

/* Writes a sysctl of the namespace, given as NAME=VALUE. */
static void set(char *assignment)
{
    char path[256];
    char *value = strchr(assignment, '=');
    *value++ = '\0';
    snprintf(path, sizeof path, "/proc/sys/net/%s", assignment);
    int fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
    must((int)write(fd, value, strlen(value)), path);
    close(fd);
}

int main(int argc, char **argv)
{
    int at = 1;
    if (argc > 3 && strcmp(argv[1], "--join") == 0) {
        join(argv[2]);
        at = 3;
    } else {
        must(unshare(CLONE_NEWNET), "unshare of the network");
        loopback_up();
    }
    while (at < argc && strchr(argv[at], '=') != NULL)
        set(argv[at++]);
    if (at == argc)
        usage(argv[0], "[--join PID] [NAME=VALUE ...] COMMAND [ARGUMENT ...]");
    execvp(argv[at], argv + at);
    die(argv[at]);
}
