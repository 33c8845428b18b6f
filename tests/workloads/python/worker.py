"""A thread accepts and reads; the process only holds what it left behind. Command: `close`."""

import sys
import threading

import workload
from workload import DATA, Peer, commands, take_flag


class Worker:
    """The thread `worker-2`."""

    def __init__(self, listener, leaked, ends):
        self.leaked = leaked
        self.tid = None
        self.accepted = threading.Event()
        self.has_read = threading.Event()
        self._listener = listener
        self._ends = ends
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.tid = workload.tid()
        with open(f"/proc/self/task/{self.tid}/comm", "w", encoding="ascii") as comm:
            comm.write("worker-2")
        if self.leaked is None:
            self.leaked, _ = self._listener.accept()
        self.accepted.set()
        workload.read_exactly(self.leaked, len(DATA))
        self.has_read.set()
        if not self._ends:
            threading.Event().wait()


def main():
    args = sys.argv[1:]
    family = workload.take_family(args)
    main_accepts = take_flag(args, "--main-accepts")
    worker_exits = take_flag(args, "--worker-exits")
    if args:
        workload.usage("[--main-accepts] [--worker-exits] [--ipv6 | --mapped]")

    workload.begin("worker")
    peer = Peer()
    listener, reach = workload.listen_on(family)
    peer.connect(reach)
    worker = Worker(listener, listener.accept()[0] if main_accepts else None, worker_exits)
    worker.accepted.wait()
    peer.order("send")
    worker.has_read.wait()
    if worker_exits:
        worker.thread.join()
    peer.order("close")
    workload.wait_for_state(worker.leaked, "CLOSE_WAIT")
    workload.report_leaked(worker.leaked, worker.tid, "CLOSE_WAIT", peer, thread="worker-2")

    for command in commands():
        if command == "quit":
            worker.leaked.close()
            workload.done()
        elif command == "close":
            workload.close_and_report(worker.leaked)
        else:
            workload.unknown_command()


if __name__ == "__main__":
    main()
