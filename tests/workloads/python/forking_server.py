"""The server whose sockets lsof cannot identify: it shuts down its writing and keeps what it accepted.

Ten clients are forked, connect and end. With `--helper` the server then forks a child, which inherits every
connection. Command: `close` (all, by the server; the helper keeps its own until it is told to `release` them).
"""

import os
import signal
import socket
import sys

import workload
from workload import commands, step

CLIENTS = 10


def fork_client(listener, reach):
    """A client that connects and ends, without closing anything itself."""
    if os.fork() == 0:
        listener.close()
        client = socket.socket()
        client.connect(reach)
        os._exit(0)


def fork_helper():
    """A child that does nothing with what it inherits, until it is told to let go."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(workload.LIFETIME_S)
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    return pid, write


def main():
    args = sys.argv[1:]
    with_helper = workload.take_flag(args, "--helper")
    if args:
        workload.usage("[--helper]")

    workload.begin("forking_server")
    listener, reach = workload.listen_on("v4")
    for _ in range(CLIENTS):
        fork_client(listener, reach)
    held = []
    for _ in range(CLIENTS):
        sock, peer = listener.accept()
        local = sock.getsockname()
        sock.shutdown(socket.SHUT_WR)
        held.append((sock, workload.address_text(local), workload.address_text(peer)))
    for _ in range(CLIENTS):
        os.wait()
    helper, end_of_helper = fork_helper() if with_helper else (None, None)
    for sock, local, peer in held:
        workload.wait_for_state(sock, "CLOSE")
        more = {"helper_pid": helper} if helper else {}
        who = {"pid": os.getpid(), "tid": workload.tid(), "fd": sock.fileno()}
        step("leaked", **who, local=local, peer=peer, state="CLOSE", **more)

    for command in commands():
        if command == "quit":
            workload.done()
        elif command == "close":
            for sock, _, _ in held:
                workload.close_and_report(sock)
        elif command == "release" and helper:
            os.write(end_of_helper, b"e")
            os.waitpid(helper, 0)
            step("released", pid=helper)
        else:
            workload.unknown_command()


if __name__ == "__main__":
    main()
