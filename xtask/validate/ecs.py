"""The native format against the Elastic Common Schema's own list of fields, npm's @elastic/ecs."""

import hashlib
import ipaddress
import re
import tarfile

from lines import Wrong, objects, told

SHA256 = "1c7863cd70f9d52365570fa38a9c39f3d056511fefe4e36a51d2ad7f142ac071"
VERSION = "9.4.0"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

TYPES = {
    "keyword": lambda value: isinstance(value, str),
    "constant_keyword": lambda value: isinstance(value, str),
    "wildcard": lambda value: isinstance(value, str),
    "match_only_text": lambda value: isinstance(value, str),
    "long": lambda value: type(value) is int and -(2**63) <= value < 2**63,
    "date": lambda value: isinstance(value, str) and DATE.fullmatch(value) is not None,
    "ip": lambda value: isinstance(value, str) and ipaddress.ip_address(value) is not None,
    "boolean": lambda value: isinstance(value, bool),
}


def check(lines, tarball):
    """Every field outside of `socktrace` is in the list, with the right type and an allowed value."""
    fields = _fields(tarball)
    seen = set()
    count = 0
    for where, event in objects(lines):
        own = event.pop("socktrace", None)
        if own is None:
            raise Wrong(f"{where}: nothing under socktrace")
        for name, value in _flat(event, ""):
            _check_field(where, fields, name, value)
            seen.add(name)
        _check_types_of_categories(where, fields, event["event"])
        if event["ecs"]["version"] != VERSION:
            raise Wrong(f"{where}: the fields are not those of {event['ecs']['version']}")
        count += 1
    told(f"ECS {VERSION}", count, f", of {len(seen)} fields out of {len(fields)}")


def _check_field(where, fields, name, value):
    field = fields.get(name)
    if field is None:
        raise Wrong(f"{where}: ECS has no field {name}")
    values = [value]
    if "array" in field["normalize"]:
        if not isinstance(value, list):
            raise Wrong(f"{where}: {name} has to be an array")
        values = value
    allowed = [value["name"] for value in field.get("allowed_values", [])] or field.get("expected_values", [])
    for value in values:
        try:
            fits = TYPES[field["type"]](value)
        except ValueError:
            fits = False
        if not fits:
            raise Wrong(f"{where}: {name} is no {field['type']}: {value!r}")
        if allowed and value not in allowed:
            raise Wrong(f"{where}: {name} may not be {value!r}")
        if "pattern" in field and not re.fullmatch(field["pattern"], value):
            raise Wrong(f"{where}: {name} is not {field['pattern']}: {value!r}")


def _check_types_of_categories(where, fields, event):
    """ECS says which types go with a category."""
    expected = {value["name"]: value["expected_event_types"] for value in fields["event.category"]["allowed_values"]}
    categories = event.get("category", [])
    for kind in event.get("type", []):
        if categories and not any(kind in expected[category] for category in categories):
            raise Wrong(f"{where}: event.type {kind} goes with none of {categories}")


def _flat(value, path):
    for name, inner in value.items():
        name = f"{path}{name}"
        if isinstance(inner, dict):
            if not inner:
                raise Wrong(f"{name} is empty")
            yield from _flat(inner, f"{name}.")
        else:
            yield name, inner


def _fields(tarball):
    packed = tarball.read_bytes()
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise Wrong(f"{tarball} is not what was pinned; delete it")
    with tarfile.open(tarball) as archive:
        text = archive.extractfile("package/generated/ecs_flat.js").read().decode()
    _, _, literal = text.partition("exports.EcsFlat = {")
    fields = Literal("{" + literal).value()
    if len(fields) < 1000 or "event.action" not in fields:
        raise Wrong(f"only {len(fields)} fields in {tarball}")
    return fields


class Literal:
    """Reads an object literal of JavaScript without running it."""

    TOKEN = re.compile(
        r"\s*(?:(?P<mark>[{}\[\]:,+])|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
        r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_$][\w$]*))",
        re.DOTALL,
    )
    WORDS = {"true": True, "false": False, "null": None}
    ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}

    def __init__(self, text):
        self.text = text
        self.at = 0

    def value(self):
        kind, token = self._next()
        if kind == "text":
            text = self._unescaped(token)
            while self._peek() == "+":
                self._next()
                text += self._unescaped(self._next()[1])
            return text
        if kind == "number":
            return float(token) if "." in token else int(token)
        if kind == "word":
            return self.WORDS[token]
        if token == "{":
            return dict(self._members("}", self._member))
        if token == "[":
            return list(self._members("]", self.value))
        raise Wrong(f"no value at {self.at} of the list of fields: {token!r}")

    def _member(self):
        kind, token = self._next()
        name = self._unescaped(token) if kind == "text" else token
        if self._next()[1] != ":":
            raise Wrong(f"no member at {self.at} of the list of fields")
        return name, self.value()

    def _members(self, end, read):
        while self._peek() != end:
            yield read()
            if self._peek() == ",":
                self._next()
        self._next()

    def _peek(self):
        at = self.at
        token = self._next()[1]
        self.at = at
        return token

    def _next(self):
        match = self.TOKEN.match(self.text, self.at)
        if match is None:
            raise Wrong(f"no token at {self.at} of the list of fields")
        self.at = match.end()
        return match.lastgroup, match.group(match.lastgroup)

    def _unescaped(self, token):
        inner = token[1:-1]
        return re.sub(r"\\(.)", lambda match: self.ESCAPES.get(match[1], match[1]), inner, flags=re.DOTALL)
