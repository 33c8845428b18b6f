"""The classic leak: accepts, the peer closes, the fd is kept.

Commands: `read`; `write` (the peer answers with a reset: the state becomes CLOSE); `close`.
"""

import os
import sys
import threading

import workload
from workload import DATA, Peer, commands, step, take_flag


class Closer:
    """A thread that closes the socket when it is told to."""

    def __init__(self, sock):
        self.tid = None
        self._sock = sock
        self._started = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait()

    def close(self):
        """Has the socket closed by the thread."""
        self._wake.set()
        self._thread.join()

    def _run(self):
        self.tid = workload.tid()
        self._started.set()
        self._wake.wait()
        workload.close_and_report(self._sock)


def main():
    args = sys.argv[1:]
    family = workload.take_family(args)
    reads = [flag for flag in ("--unread-data", "--read-data", "--read-eof", "--fin-with-data") if take_flag(args, flag)]
    closer_thread = take_flag(args, "--closer-thread")
    if args or len(reads) > 1:
        workload.usage(
            "[--unread-data | --read-data | --read-eof | --fin-with-data] [--closer-thread] [--ipv6 | --mapped]"
        )
    read = reads[0] if reads else ""

    workload.begin("close_wait")
    peer = Peer()
    listener, reach = workload.listen_on(family)
    peer.connect(reach)
    leaked, _ = listener.accept()
    if read in ("--unread-data", "--read-data", "--read-eof"):
        peer.order("send")
    if read in ("--read-data", "--read-eof"):
        workload.read_exactly(leaked, len(DATA))
    peer.order("send_close" if read == "--fin-with-data" else "close")
    workload.wait_for_state(leaked, "CLOSE_WAIT")
    if read == "--fin-with-data":
        workload.read_exactly(leaked, len(DATA))
    if read == "--read-eof":
        workload.read_end(leaked)
    closer = Closer(leaked) if closer_thread else None
    more = {"closer_tid": closer.tid} if closer else {}
    workload.report_leaked(leaked, workload.tid(), "CLOSE_WAIT", peer, **more)

    for command in commands():
        if command == "quit":
            leaked.close()
            workload.done()
        elif command == "read":
            workload.read_and_report(leaked)
        elif command == "write":
            leaked.send(b"x")
            workload.wait_for_state(leaked, "CLOSE")
            step("wrote", pid=os.getpid(), tid=workload.tid(), fd=leaked.fileno(), state="CLOSE")
        elif command == "close" and closer:
            closer.close()
        elif command == "close":
            workload.close_and_report(leaked)
        else:
            workload.unknown_command()


if __name__ == "__main__":
    main()
