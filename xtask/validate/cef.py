"""CEF: PyPI's pycef parses the lines, cefevent knows the dictionary of extensions."""

import json
import re

import pycef
from cefevent.event import CEFEvent
from cefevent.extensions import extension_dictionary

from lines import Wrong, told

HEADER = ["DeviceVendor", "DeviceProduct", "DeviceVersion", "DeviceEventClassID", "Name", "Severity"]
# What the parser adds under names of its own.
DOUBLES = {"CEFVersion", "DeviceName", "DeviceSeverity"}

# Producer fields of the format's own dictionary (Implementing ArcSight CEF, "Extension Dictionary") that the
# package lacks.
LACKING = {"outcome": ("eventOutcome", 63), "sproc": ("sourceProcessName", 1023)}


def check(lines):
    """Every line is parsed to what it says, and each of its keys is in the dictionary with a fitting value."""
    signatures = {}
    count = 0
    for where, line in lines:
        fields = pycef.parse(line)
        if fields is None:
            raise Wrong(f"{where}: no CEF: {line}")
        if fields["CEFVersion"] != "0" or not re.fullmatch(r"\d|10", fields["Severity"]):
            raise Wrong(f"{where}: version {fields['CEFVersion']}, severity {fields['Severity']}")
        name = signatures.setdefault(fields["DeviceEventClassID"], fields["Name"])
        if name != fields["Name"]:
            raise Wrong(f"{where}: {fields['DeviceEventClassID']} is {name} and {fields['Name']}")
        _check_extension(where, line)
        count += 1
    if "ST001" not in signatures:
        raise Wrong(f"CEF: no finding among {sorted(signatures)}")
    told("CEF", count, f", of {len(signatures)} signatures")


def _check_extension(where, line):
    extension = re.split(r"(?<!\\)\|", line, maxsplit=7)[7]
    # A label is parsed into the name of its field, and what the pairs are would not be seen any more.
    plain = pycef.parse("CEF:0|a|b|c|d|e|1|" + re.sub(r"Label=", "Tag=", extension))
    pairs = {key: value for key, value in plain.items() if key not in HEADER and key not in DOUBLES}
    told = re.findall(r"(?:^| )([A-Za-z0-9]+)=", extension)
    if len(told) != len(set(told)):
        raise Wrong(f"{where}: a key is there twice: {told}")
    missing = {key for key in LACKING if key not in extension_dictionary}
    if missing != set(LACKING):
        raise Wrong(f"CEF: only {sorted(missing)} are lacking now")
    event = CEFEvent(strict=True)
    for key, value in pairs.items():
        key = re.sub(r"Tag$", "Label", key)
        if key in LACKING:
            if len(value) > LACKING[key][1]:
                raise Wrong(f"{where}: {key} is too long")
            continue
        if key not in extension_dictionary:
            raise Wrong(f"{where}: CEF has no key {key}")
        if value != value.strip() or not value:
            raise Wrong(f"{where}: {key} is {json.dumps(value)}")
        unescaped = re.sub(r"\\(.)", r"\1", value)
        known = extension_dictionary[key]
        if any(kind in ("Integer", "Long") for kind in known["data_type"]):
            unescaped = int(unescaped)
        try:
            event.set_field(known["full_name"], unescaped)
        except ValueError as error:
            raise Wrong(f"{where}: {key}={value}: {error}") from error
        if key.endswith("Label") and key[: -len("Label")] not in pairs:
            raise Wrong(f"{where}: {key} without its field")
    unlabelled = [key for key in pairs if re.fullmatch(r"(cs|cn|c6a)\d|deviceCustomDate\d", key) and f"{key}Tag" not in pairs]
    if unlabelled:
        raise Wrong(f"{where}: no labels for {unlabelled}")
