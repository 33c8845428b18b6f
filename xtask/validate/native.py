"""The native format against its JSON Schema, with PyPI's jsonschema."""

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

from lines import Wrong, objects, told


def check(lines, schema):
    """Every line is valid, every branch of the schema is met, and nothing below `socktrace` is left open."""
    Draft202012Validator.check_schema(schema)
    _is_strict(schema, "")
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    branches = [branch["$ref"].rsplit("/", 1)[1] for branch in schema["oneOf"]]
    met = set()
    count = 0
    for where, event in objects(lines):
        error = best_match(validator.iter_errors(event))
        if error is not None:
            raise Wrong(f"{where}: {error.json_path}: {error.message}")
        met |= {name for name in branches if validator.evolve(schema={**schema, "oneOf": [{"$ref": f"#/$defs/{name}"}]}).is_valid(event)}
        _refuses(validator, where, event)
        count += 1
    unmet = set(branches) - met
    if unmet:
        raise Wrong(f"no line is of the kinds {sorted(unmet)}")
    told("JSON Schema", count, f", of {len(branches)} kinds")


def _refuses(validator, where, event):
    """What is not in the schema is refused wherever an object is."""
    for path, inner in _objects(event, ()):
        inner["no_such_member"] = 1
        if validator.is_valid(event):
            raise Wrong(f"{where}: the schema lets anything into {'.'.join(map(str, path)) or 'the line'}")
        del inner["no_such_member"]


def _objects(value, path):
    if isinstance(value, dict):
        yield path, value
        for name, inner in list(value.items()):
            yield from _objects(inner, (*path, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _objects(inner, (*path, n))


def _is_strict(schema, path):
    """Every object with members says what else may be in it."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and path != "/properties/socktrace" and "additionalProperties" not in schema:
            raise Wrong(f"the schema lets anything into {path or 'the line'}")
        for name, inner in schema.items():
            _is_strict(inner, f"{path}/{name}")
    elif isinstance(schema, list):
        for n, inner in enumerate(schema):
            _is_strict(inner, f"{path}/{n}")
