"""What every Python workload shares: its protocol (see ../README.md), its sockets and its remote end.

Only modules that a minimal Python has; so no json, no ctypes, no subprocess.
"""

import os
import signal
import socket
import struct
import sys
import threading
import time

LIFETIME_S = 120
STATE_DEADLINE_S = 5.0
DATA = b"hello"
STATES = {1: "ESTABLISHED", 5: "FIN_WAIT2", 7: "CLOSE", 8: "CLOSE_WAIT"}


# ---- the protocol --------------------------------------------------------------------------------


def begin(scenario):
    """Starts the clock that ends the program and prints the step `started`."""
    signal.alarm(LIFETIME_S)
    step("started", scenario=scenario, language="python", pid=os.getpid(), tid=tid())


def step(name, **fields):
    """Prints one step, as one write."""
    members = {"step": name, **fields}
    line = ",".join(f'"{key}":{_json(value)}' for key, value in members.items())
    sys.stdout.write("{" + line + "}\n")
    sys.stdout.flush()


def _json(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_json, value)) + "]"
    # Only our own words and addresses come here.
    if not value.isascii() or not value.isprintable() or '"' in value or "\\" in value:
        raise ValueError(f"not a plain string: {value!r}")
    return f'"{value}"'


def tid():
    """The kernel's name of this thread."""
    return threading.get_native_id()


def commands():
    """The commands but `exit`, which ends the process with everything open, as the end of stdin does."""
    for line in sys.stdin:
        command = line.strip()
        if command == "exit":
            break
        yield command
    os._exit(0)


def unknown_command():
    """Answers what is no command."""
    step("error", message="unknown command")


def done():
    """Ends in order."""
    step("done")
    os._exit(0)


def usage(arguments):
    """Ends with a usage error."""
    print(f"usage: {sys.argv[0]} {arguments}", file=sys.stderr)
    sys.exit(2)


def take_flag(args, name):
    """Removes NAME from ARGS; whether it was there."""
    if name not in args:
        return False
    args.remove(name)
    return True


def take_family(args):
    """Removes and returns the address option: `v4`, `v6` or `mapped`."""
    if take_flag(args, "--ipv6"):
        return "v6"
    return "mapped" if take_flag(args, "--mapped") else "v4"


# ---- sockets -------------------------------------------------------------------------------------


def listen_on(family):
    """A listening socket on a free loopback port, and where the peer reaches it: (family, address)."""
    listener = socket.socket(socket.AF_INET if family == "v4" else socket.AF_INET6)
    if family != "v4":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind({"v4": ("127.0.0.1", 0), "v6": ("::1", 0), "mapped": ("::", 0)}[family])
    listener.listen(1024)
    host = "::1" if family == "v6" else "127.0.0.1"
    return listener, (host, listener.getsockname()[1])


def address_text(address):
    """An address as `127.0.0.1:80` or `[::1]:80`; v4-mapped ones as IPv4."""
    host, port = address[0].removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tcp_state(sock):
    """The TCP state as the kernel numbers it."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def wait_for_state(sock, state):
    """Returns once the kernel says that SOCK is in STATE."""
    deadline = time.monotonic() + STATE_DEADLINE_S
    while STATES.get(tcp_state(sock)) != state:
        if time.monotonic() > deadline:
            sys.exit(f"fd {sock.fileno()} is in state {tcp_state(sock)}, not {state}")
        time.sleep(0.001)


def read_exactly(sock, size):
    """Reads SIZE bytes, not more."""
    while size > 0:
        got = sock.recv(size)
        if not got:
            sys.exit("the stream ended early")
        size -= len(got)


def read_end(sock):
    """Reads the end of the stream."""
    if sock.recv(1):
        sys.exit("data where the end was expected")


def read_and_report(sock):
    """Reads what is there without waiting and tells it: 0 is the end, -1 an errno."""
    size, errno = -1, 0
    try:
        size = len(sock.recv(4096, socket.MSG_DONTWAIT))
    except OSError as error:
        errno = error.errno
    step("read", pid=os.getpid(), tid=tid(), fd=sock.fileno(), bytes=size, errno=errno)


def close_and_report(sock):
    """Closes SOCK and says so."""
    fd = sock.fileno()
    sock.close()
    step("closed", pid=os.getpid(), tid=tid(), fd=fd)


def report_leaked(sock, thread_id, state, peer, **more):
    """Tells that SOCK is leaked by the thread THREAD_ID of this process."""
    step(
        "leaked",
        pid=os.getpid(),
        tid=thread_id,
        fd=sock.fileno(),
        local=address_text(sock.getsockname()),
        peer=address_text(sock.getpeername()),
        state=state,
        peer_pid=peer.pid,
        **more,
    )


# ---- the remote end ------------------------------------------------------------------------------


class Peer:
    """Another process that does what it is told; forked before anything is opened.

    It ends when the workload does. Every order is answered once it is done.
    """

    def __init__(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        self._control = ours
        if self.pid == 0:
            ours.close()
            os.close(0)
            os.close(1)
            signal.alarm(LIFETIME_S)  # Alarms are not inherited.
            _PeerProcess(theirs).serve()
        theirs.close()

    def order(self, *words):
        """Has an order done; the words of the answer."""
        self._control.send(" ".join(map(str, words)).encode())
        answer = self._control.recv(1024).decode().split()
        if not answer:
            sys.exit("the peer has failed")
        return answer[1:]

    def connect(self, address):
        """One more connection, from there to ADDRESS."""
        self.order("connect", *address)

    def listen(self, family):
        """Listens; returns the address."""
        host, port = self.order("listen", family)
        return host, int(port)


class _PeerProcess:
    def __init__(self, control):
        self.control = control
        self.listener = None
        self.connections = []

    def serve(self):
        """The peer's whole life."""
        while message := self.control.recv(1024).decode():
            verb, *args = message.split()
            answer = getattr(self, verb)(*args) or ()
            self.control.send(" ".join(("ok", *map(str, answer))).encode())
        os._exit(0)

    def connect(self, host, port):
        self.connections.append(socket.create_connection((host, int(port))))

    def listen(self, family):
        self.listener, address = listen_on(family)
        return address

    def accept(self):
        self.connections.append(self.listener.accept()[0])

    def send(self):
        for connection in self.connections:
            connection.sendall(DATA)

    def shut(self):
        """Shuts down writing, and from then on reads whatever comes."""
        for connection in self.connections:
            connection.shutdown(socket.SHUT_WR)
            threading.Thread(target=_drain, args=(connection,), daemon=True).start()

    def send_close(self):
        """Data and FIN in one segment."""
        for connection in self.connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self.send()
        self.close()

    def reset(self):
        for connection in self.connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        """Closes every connection."""
        for connection in self.connections:
            connection.close()
        self.connections.clear()


def _drain(connection):
    while connection.recv(65536):
        pass
