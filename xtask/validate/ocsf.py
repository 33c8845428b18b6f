"""OCSF 1.8.0: PyPI's ocsf-json-schema makes a JSON Schema of each class, jsonschema checks it."""

from collections import Counter

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from lines import Wrong, objects, told

VERSION = "1.8.0"
PROFILES = ["container", "host"]
# What a line may be: Base Event, Detection Finding, Network Activity.
CLASSES = {0, 2004, 4001}


def check(lines):
    """Every line is a valid event of its class, and its type is that of its class and activity."""
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    validators = {}
    for uid in CLASSES:
        name = schemas.lookup_class_name_from_uid(uid)
        schema = schemas.get_class_schema(name, PROFILES)
        Draft202012Validator.check_schema(schema)
        validators[uid] = Draft202012Validator(schema, format_checker=FormatChecker())
    classes = Counter()
    for where, event in objects(lines):
        uid = event.get("class_uid")
        if uid not in validators:
            raise Wrong(f"{where}: no class {uid} is meant to be there")
        error = best_match(validators[uid].iter_errors(event))
        if error is not None:
            raise Wrong(f"{where}: {error.json_path}: {error.message}")
        if event["type_uid"] != uid * 100 + event["activity_id"]:
            raise Wrong(f"{where}: type_uid {event['type_uid']} is not of activity {event['activity_id']}")
        if event["metadata"]["version"] != VERSION or event["metadata"]["profiles"] != PROFILES:
            raise Wrong(f"{where}: metadata is {event['metadata']}")
        classes[uid] += 1
    if set(classes) != CLASSES:
        raise Wrong(f"OCSF: lines of the classes {sorted(classes)} only")
    told(f"OCSF {VERSION}", classes.total(), f": {dict(sorted(classes.items()))}")
