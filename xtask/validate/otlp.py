"""OTLP/JSON: protobuf's own reader of JSON into the messages of PyPI's opentelemetry-proto."""

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from lines import Wrong, objects, told


def check(lines):
    """Every line is one request with one record that has a name and a time; an unknown field is refused."""
    names = set()
    count = 0
    for where, event in objects(lines):
        try:
            request = ParseDict(event, ExportLogsServiceRequest(), ignore_unknown_fields=False)
        except ParseError as error:
            raise Wrong(f"{where}: {error}") from error
        records = [
            record
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
        if len(records) != 1:
            raise Wrong(f"{where}: {len(records)} records")
        [record] = records
        if not record.event_name or not record.time_unix_nano or not record.severity_number:
            raise Wrong(f"{where}: no name, time or severity: {record}")
        keys = [attribute.key for attribute in record.attributes]
        if len(keys) != len(set(keys)):
            raise Wrong(f"{where}: an attribute is there twice: {keys}")
        names.add(record.event_name)
        count += 1
    if "socket.leak" not in names:
        raise Wrong(f"OTLP: no finding among {sorted(names)}")
    told("OTLP", count, f", of {len(names)} events")
