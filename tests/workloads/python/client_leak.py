"""We connect, the server closes, and we keep the fd. Commands: `read`, `close`."""

import socket
import sys

import workload
from workload import DATA, Peer, commands


def main():
    args = sys.argv[1:]
    family = workload.take_family(args)
    read_eof = workload.take_flag(args, "--read-eof")
    if args:
        workload.usage("[--read-eof] [--ipv6 | --mapped]")

    workload.begin("client_leak")
    peer = Peer()
    leaked = socket.create_connection(peer.listen(family))
    peer.order("accept")
    if read_eof:
        peer.order("send")
        workload.read_exactly(leaked, len(DATA))
    peer.order("close")
    workload.wait_for_state(leaked, "CLOSE_WAIT")
    if read_eof:
        workload.read_end(leaked)
    workload.report_leaked(leaked, workload.tid(), "CLOSE_WAIT", peer)

    for command in commands():
        if command == "quit":
            leaked.close()
            workload.done()
        elif command == "read":
            workload.read_and_report(leaked)
        elif command == "close":
            workload.close_and_report(leaked)
        else:
            workload.unknown_command()


if __name__ == "__main__":
    main()
