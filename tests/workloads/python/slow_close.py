"""Slow but fine: every connection is 300 to 800 ms in CLOSE_WAIT and is then closed, some at a time.

The step `slow_closed` comes when all are closed.
"""

import heapq
import os
import sys
import time

import workload
from workload import Peer, commands, step

SHORTEST_MS, LONGEST_MS = 300, 800
PAUSE_S = 0.02


def delay_s(n):
    """How long connection N is kept: spread evenly, the same in every run."""
    return (SHORTEST_MS + n * 137 % (LONGEST_MS - SHORTEST_MS)) / 1000


def close_ripe(waiting, until):
    """Closes what is due up to the moment UNTIL, waiting for it; how long the slowest was kept."""
    slowest = 0.0
    while waiting and waiting[0][0] <= until:
        due, _, since, sock = heapq.heappop(waiting)
        time.sleep(max(0.0, due - time.monotonic()))
        sock.close()
        slowest = max(slowest, time.monotonic() - since)
    return slowest


def main():
    args = sys.argv[1:]
    family = workload.take_family(args)
    count = args.pop() if args else "50"
    if args or not count.isdigit() or not 1 <= int(count) <= 1000:
        workload.usage("[CONNECTIONS, 1 to 1000] [--ipv6 | --mapped]")

    workload.begin("slow_close")
    peer = Peer()
    listener, reach = workload.listen_on(family)
    waiting, slowest = [], 0.0
    for n in range(int(count)):
        peer.connect(reach)
        sock, _ = listener.accept()
        peer.order("close")
        workload.wait_for_state(sock, "CLOSE_WAIT")
        since = time.monotonic()
        heapq.heappush(waiting, (since + delay_s(n), n, since, sock))
        slowest = max(slowest, close_ripe(waiting, since))
        time.sleep(PAUSE_S)
    slowest = max(slowest, close_ripe(waiting, float("inf")))
    step(
        "slow_closed",
        pid=os.getpid(),
        connections=int(count),
        longest_ms=round(slowest * 1000),
        local=workload.address_text(listener.getsockname()),
    )

    for command in commands():
        if command == "quit":
            workload.done()
        workload.unknown_command()


if __name__ == "__main__":
    main()
