"""What `trace`, `run` and `scan` say while sockets are opened, closed and leaked on loopback."""

import os
import signal
import socket
import subprocess
import threading

# Nothing here takes so long; a machine under load may.
LIMIT = 60


def lines(socktrace, format):
    """Names and the lines of each command."""
    yield "trace", _watch(socktrace, ["trace"], format, _visit, _enough(format, "socket.release", "ST013"))
    leaked = _leak()
    me = str(os.getpid())
    run = ["run", "--leak-after", "100ms", "--pid", me]
    yield "run", _watch(socktrace, run, format, lambda: None, _enough(format, "process.leak", "ST004"))
    for more in ([], ["--by", "process,kind"]):
        scan = [socktrace, "scan", "--pid", me, "--format", format, *more]
        done = subprocess.run(scan, capture_output=True, text=True, timeout=LIMIT)
        if done.returncode != 10:
            raise RuntimeError(f"{scan}: status {done.returncode}: {done.stderr}")
        yield " ".join(["scan", *more]), done.stdout
    for end in leaked:
        end.close()
    if format == "json":
        doctor = [socktrace, "doctor", "--format", format]
        yield "doctor", subprocess.run(doctor, capture_output=True, text=True, timeout=LIMIT, check=True).stdout


def _enough(format, action, signature):
    """Whether a line is the one that is waited for."""
    word = signature if format == "cef" else action
    return lambda line: word in line


def _watch(socktrace, arguments, format, act, enough):
    """Starts a command, acts once it is attached, and stops it when the line that is waited for is there."""
    agent = subprocess.Popen(
        [socktrace, *arguments, "--format", format, "--output", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    # Whatever goes wrong, reading ends.
    late = threading.Timer(LIMIT, agent.kill)
    late.start()
    try:
        text = agent.stdout.readline()
        act()
        for line in agent.stdout:
            text += line
            if enough(line):
                break
        agent.send_signal(signal.SIGTERM)
        text += agent.stdout.read()
        errors = agent.stderr.read()
        if agent.wait() != 0:
            raise RuntimeError(f"socktrace {' '.join(arguments)}: status {agent.returncode}: {errors}")
        return text
    finally:
        late.cancel()
        agent.kill()


def _pair(family, address):
    listener = socket.socket(family)
    listener.bind((address, 0))
    listener.listen()
    client = socket.create_connection(listener.getsockname()[:2])
    server, _ = listener.accept()
    listener.close()
    return client, server


def _visit():
    """Connections that open, work and close, and one that nobody takes."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        client, server = _pair(family, address)
        client.sendall(b"hello")
        server.recv(16)
        client.close()
        server.close()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with socket.socket() as refused:
        refused.connect_ex(("127.0.0.1", port))


def _leak():
    """Sockets in CLOSE_WAIT, one with unread data, for as long as they are kept."""
    kept = []
    for data in (b"", b"never read"):
        client, server = _pair(socket.AF_INET, "127.0.0.1")
        if data:
            client.sendall(data)
        client.close()
        kept.append(server)
    return kept
