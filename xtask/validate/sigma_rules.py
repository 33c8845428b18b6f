"""Sigma rules: pySigma reads them and converts them to what Elasticsearch is asked with."""

from sigma.backends.elasticsearch import ESQLBackend, LuceneBackend
from sigma.collection import SigmaCollection
from sigma.rule import SigmaDetection

from lines import Wrong, objects


def check(folder, lines):
    """Every rule converts, and each of its selections on `event.action` meets a line that is really written."""
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise Wrong(f"no rules in {folder}")
    actions = {event["event"]["action"] for _, event in objects(lines)}
    for file in files:
        rules = SigmaCollection.from_yaml(file.read_text())
        if rules.errors or len(rules.rules) != 1:
            raise Wrong(f"{file}: {rules.errors or 'not one rule'}")
        [lucene] = LuceneBackend().convert(rules)
        [esql] = ESQLBackend().convert(rules)
        wanted = set(_values(rules.rules[0].detection.detections.values(), "event.action"))
        if not wanted or not wanted <= actions:
            raise Wrong(f"{file}: event.action {sorted(wanted)} is not among {sorted(actions)}")
        for query in (lucene, esql):
            if not all(action in query for action in wanted):
                raise Wrong(f"{file}: became {query}")
        print(f"validate: Sigma: {file.name}: {lucene}", flush=True)
        print(f"validate: Sigma: {file.name}: {esql}", flush=True)


def _values(items, field):
    for item in items:
        if isinstance(item, SigmaDetection):
            yield from _values(item.detection_items, field)
        elif item.field == field:
            yield from (str(value) for value in item.value)
