"""A legitimate half-close: the peer shuts down its writing and reads on while we stream to it.

Commands: `stall` (stop streaming, keep the fd: now it is a leak; step `leaked`), `stream` (go on), `close`.
"""

import os
import sys
import threading

import workload
from workload import Peer, commands, step

EVERY_S = 0.05


class Streamer:
    """Sends a few bytes every 50 ms, from a thread, unless stalled."""

    def __init__(self, sock):
        self.tid = None
        self._sock = sock
        self._lock = threading.Lock()
        self._streaming = True
        self._started = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._started.wait()

    def set(self, streaming):
        """From now on it streams, or not: when this returns, nothing is being sent."""
        with self._lock:
            self._streaming = streaming

    def _run(self):
        self.tid = workload.tid()
        ticks = threading.Event()
        while not ticks.wait(EVERY_S):
            with self._lock:
                if self._streaming:
                    self._sock.send(b"tick\n")
                    self._started.set()


def main():
    args = sys.argv[1:]
    family = workload.take_family(args)
    if args:
        workload.usage("[--ipv6 | --mapped]")

    workload.begin("half_close_streaming")
    peer = Peer()
    listener, reach = workload.listen_on(family)
    peer.connect(reach)
    sock, _ = listener.accept()
    peer.order("shut")
    workload.wait_for_state(sock, "CLOSE_WAIT")
    streamer = Streamer(sock)
    local, remote = (workload.address_text(end) for end in (sock.getsockname(), sock.getpeername()))
    who = {"pid": os.getpid(), "tid": streamer.tid, "fd": sock.fileno(), "local": local, "peer": remote}
    step("streaming", **who, peer_pid=peer.pid)

    for command in commands():
        if command == "quit":
            workload.done()
        elif command == "stall":
            streamer.set(False)
            workload.report_leaked(sock, streamer.tid, "CLOSE_WAIT", peer)
        elif command == "stream":
            streamer.set(True)
            step("streaming", **who, peer_pid=peer.pid)
        elif command == "close":
            streamer.set(False)
            workload.close_and_report(sock)
        else:
            workload.unknown_command()


if __name__ == "__main__":
    main()
