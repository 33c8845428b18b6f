"""Lines to check: examples, what recordings replay to, and what the live commands say."""

import json
import subprocess
import tempfile

import live


class Wrong(Exception):
    """Something is not as it has to be."""


class Source:
    """Where lines come from."""

    def __init__(self, socktrace, recordings, with_live):
        self.socktrace = socktrace
        self.recordings = sorted(recordings.glob("*.strec"))
        if not self.recordings:
            raise Wrong(f"no recordings in {recordings}")
        self.with_live = with_live

    def schema(self):
        """The JSON Schema of the native format."""
        return json.loads(self._run("schema"))

    def read(self, format):
        """All lines of a format, with where each comes from."""
        lines = self._named("examples", self._run("schema", "--examples", "--format", format))
        for recording in self.recordings:
            text = self._run("replay", "--format", format, str(recording))
            lines += self._named(recording.name, text)
        if format == "json":
            lines += self._history()
        if self.with_live:
            for name, text in live.lines(self.socktrace, format):
                lines += self._named(name, text)
        return lines

    def _history(self):
        """What `history` tells of the findings in the recordings."""
        with tempfile.TemporaryDirectory() as folder:
            history = ["--history", f"{folder}/history.db"]
            for recording in self.recordings:
                self._run("replay", *history, str(recording))
            lines = []
            for more in ([], *(["--by", by] for by in ("process", "peer", "kind", "minute"))):
                text = self._run("history", *history, "--since", "1970-01-01", "--format", "json", *more)
                lines += self._named(" ".join(["history", *more]), text)
            return lines

    def _named(self, name, text):
        named = [(f"{name}, line {n}", line) for n, line in enumerate(text.splitlines(), 1)]
        if not named:
            raise Wrong(f"{name}: no lines")
        return named

    def _run(self, *arguments):
        run = subprocess.run([self.socktrace, *arguments], capture_output=True, text=True, timeout=60)
        if run.returncode != 0:
            raise Wrong(f"socktrace {' '.join(arguments)}: status {run.returncode}: {run.stderr.strip()}")
        return run.stdout


def objects(lines):
    """Lines that are JSON, as values. No member is named twice."""
    for where, line in lines:
        try:
            yield where, json.loads(line, object_pairs_hook=_once)
        except ValueError as error:
            raise Wrong(f"{where}: {error}") from error


def _once(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"a member is named twice among {names}")
    return dict(pairs)


def told(what, count, more=""):
    """Says what was found to be right."""
    if count == 0:
        raise Wrong(f"{what}: nothing was checked")
    print(f"validate: {what}: {count} lines are valid{more}", flush=True)
