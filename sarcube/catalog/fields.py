"""What the fields of items must be: checked always, since the schema of an extension cannot always be had."""

from __future__ import annotations

from collections.abc import Iterable

from sarcube.jsons import JsonObject
from sarcube.products.rules import Rule, count, named_texts, positive, switch, text, texts

# Of every kind.
_RULES = (
    *(Rule(n, text, "a text") for n in ("platform", "constellation", "title", "product:type")),
    *(Rule(n, text, "a text") for n in ("processing:level", "processing:version", "processing:facility")),
    *(Rule(n, text, "a text") for n in ("sarcube:kind", "sarcube:place")),
    *(Rule(n, texts, "a list of texts") for n in ("instruments", "sarcube:warnings")),
    Rule("gsd", positive, "a positive number"),
    Rule("proj:epsg", count, "a positive integer"),
    Rule("processing:software", named_texts, "names and versions"),
)


def field_problems(properties: JsonObject, rules: Iterable[Rule] = ()) -> Iterable[str]:
    """What is wrong with an item's properties, one sentence each; `rules` are those of its kind.

    What is not known must be left out.
    """
    known = {rule.name: rule for rule in (*_RULES, *rules)}
    for name, value in properties.items():
        if value == "" or (value is None and name != "datetime"):
            yield f"properties/{name} is empty: what is not known is left out"
        elif name in known and not known[name].allows(value):
            yield f"properties/{name}: {value!r} is not {known[name].text}"
        elif name.endswith("_applied") and not switch(value):
            yield f"properties/{name}: {value!r} is neither true nor false"
