"""What an input schema may say, and a bound on the work that it can ask for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from libs.language.check_report import closest
from libs.language.source import Path

SCHEMA_BYTES_MAX = 64 * 1024
NODES_MAX = 500
REF_DEPTH_MAX = 20
VALUE_DEPTH_MAX = 40
COST_MAX = 1000
DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMATS = ("date-time", "date", "email", "uri", "uuid")
DATA_CLASSES = ("none", "indirect", "direct", "free-text", "special", "secret")
REF = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")

MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
OBJECT_SINGLES = ("additionalProperties", "propertyNames", "unevaluatedProperties")
ARRAY_SINGLES = ("items", "contains", "unevaluatedItems")
IN_PLACE_SINGLES = ("not", "if", "then", "else")
SINGLES = (*OBJECT_SINGLES, *ARRAY_SINGLES, *IN_PLACE_SINGLES)
PLAIN = (
    *("$schema", "$ref", "$comment", "type", "enum", "const", "multipleOf", "maximum"),
    *("exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern"),
    *("maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties"),
    *("minProperties", "required", "dependentRequired", "format", "title", "description"),
    *("default", "examples", "deprecated", "readOnly", "writeOnly"),
)
KEYWORDS = frozenset((*PLAIN, *MAPS, *LISTS, *SINGLES))
REFUSED = frozenset(("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary"))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a schema, and at which path in it."""

    path: Path
    rule: str
    detail: str
    found: str | None = None
    did_you_mean: str | None = None


class SchemaError(ValueError):
    """The schema is not one that the language takes."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults[0].detail)
        self.faults = faults


def check_schema(schema: Any) -> None:
    """Refuse what is outside of the language's JSON Schema, before any engine sees it."""
    try:
        size = len(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode())
    except (RecursionError, ValueError, TypeError) as error:
        raise SchemaError([Fault((), "schema-invalid", "the schema is not JSON")]) from error
    if size > SCHEMA_BYTES_MAX:
        detail = f"the schema has {size} bytes; at most {SCHEMA_BYTES_MAX} are allowed"
        raise SchemaError([Fault((), "too-large", detail)])
    faults: list[Fault] = []
    for count, (path, node) in enumerate(subschemas(schema, ())):
        if count >= NODES_MAX:
            detail = f"the schema has more than {NODES_MAX} parts"
            raise SchemaError([Fault(path, "schema-too-large", detail)])
        faults.extend(faults_of(path, node, schema))
    if faults:
        raise SchemaError(faults)
    _Cost(schema).check()


def subschemas(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The schema and every schema inside it, with their paths."""
    yield path, node
    if not isinstance(node, dict):
        return
    for keyword in MAPS:
        inner = node.get(keyword)
        for name, part in inner.items() if isinstance(inner, dict) else ():
            yield from subschemas(part, (*path, keyword, name))
    for keyword in LISTS:
        inner = node.get(keyword)
        for index, part in enumerate(inner) if isinstance(inner, list) else ():
            yield from subschemas(part, (*path, keyword, index))
    for keyword in SINGLES:
        if keyword in node:
            yield from subschemas(node[keyword], (*path, keyword))


def faults_of(path: Path, node: Any, root: Any) -> Iterator[Fault]:
    """What is wrong with one schema, the ones inside it apart."""
    if isinstance(node, bool):
        return
    if not isinstance(node, dict):
        yield Fault(path, "schema-invalid", "a schema is an object, true or false")
        return
    for keyword in node:
        if keyword in REFUSED:
            detail = f"{keyword} is not part of the language; refer to #/$defs/…"
            yield Fault((*path, keyword), "schema-keyword", detail, keyword)
        elif keyword not in KEYWORDS and not keyword.startswith("x-"):
            detail = (
                f"JSON Schema 2020-12 has no keyword {keyword[:60]!r} (an own one begins with x-)"
            )
            mean = closest(keyword, KEYWORDS)
            yield Fault((*path, keyword), "unknown-key", detail, keyword, mean)
    if "$schema" in node and node["$schema"] != DIALECT:
        yield Fault((*path, "$schema"), "schema-keyword", f"the only dialect is {DIALECT}")
    if "$ref" in node and target(node, root) is None:
        detail = "$ref must name a schema that is in $defs at the top: #/$defs/name"
        yield Fault((*path, "$ref"), "schema-ref", detail, str(node["$ref"]))
    if "x-data" in node and node["x-data"] not in DATA_CLASSES:
        detail = f"x-data is one of {', '.join(DATA_CLASSES)}"
        yield Fault((*path, "x-data"), "not-one-of", detail, str(node["x-data"]))


def target(node: Mapping[str, Any], root: Any) -> Any:
    """The schema that a `$ref` means, None if there is none."""
    reference = node.get("$ref")
    found = REF.fullmatch(reference) if isinstance(reference, str) else None
    defs = root.get("$defs") if isinstance(root, dict) else None
    if found is None or not isinstance(defs, dict):
        return None
    return defs.get(found[1])


class _Cost:
    """Bounds how often one place of a value is looked at.

    `anyOf` with two references to itself below a property doubles at each level: a small
    schema and a small value would keep an engine busy for days. `times` is the highest number
    of schemas that can apply to one place `depth` levels down; only one property's name and
    either an object or a list can be there, so ordinary recursive schemas stay cheap.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self.known: dict[tuple[int, int, str], int] = {}
        self.chains: dict[int, int] = {}

    def check(self) -> None:
        for path, node in subschemas(self.root, ()):
            if self.chain(node, frozenset()) > REF_DEPTH_MAX:
                detail = f"$ref leads through more than {REF_DEPTH_MAX} others, or to itself"
                raise SchemaError([Fault(path, "schema-ref-depth", detail)])
        for depth in range(VALUE_DEPTH_MAX + 1):
            times = self.times(self.root, depth)
            if times == 0:
                return
            if times > COST_MAX:
                detail = (
                    f"more than {COST_MAX} schemas could apply to one place of the input;"
                    " schemas that refer to themselves from several alternatives multiply"
                )
                raise SchemaError([Fault((), "schema-too-expensive", detail)])

    def chain(self, node: Any, above: frozenset[int]) -> int:
        """The number of references that follow each other without going down into the value."""
        if id(node) in self.chains or not isinstance(node, dict):
            return self.chains.get(id(node), 0)
        if id(node) in above or len(above) > NODES_MAX:
            return REF_DEPTH_MAX + 1
        inside = above | {id(node)}
        longest = max((self.chain(part, inside) for part in in_place(node)), default=0)
        if "$ref" in node:
            longest = max(longest, 1 + self.chain(target(node, self.root), inside))
        self.chains[id(node)] = longest
        return longest

    def times(self, node: Any, depth: int) -> int:
        return max(self.times_as(node, depth, "object"), self.times_as(node, depth, "array"))

    def times_as(self, node: Any, depth: int, kind: str) -> int:
        if not isinstance(node, dict):
            return 1 if depth == 0 else 0
        key = (id(node), depth, kind)
        if key not in self.known:
            here = [*in_place(node), *([target(node, self.root)] if "$ref" in node else [])]
            total = sum(self.times_as(part, depth, kind) for part in here)
            below = self.object_below if kind == "object" else self.array_below
            total += 1 if depth == 0 else below(node, depth - 1)
            self.known[key] = min(total, COST_MAX + 1)
        return self.known[key]

    def object_below(self, node: dict[str, Any], depth: int) -> int:
        named = max((self.times(part, depth) for part in parts(node, "properties")), default=0)
        named += sum(self.times(part, depth) for part in parts(node, "patternProperties"))
        singles = [self.times(node[word], depth) for word in OBJECT_SINGLES if word in node]
        return named + sum(singles)

    def array_below(self, node: dict[str, Any], depth: int) -> int:
        first = max((self.times(part, depth) for part in parts(node, "prefixItems")), default=0)
        return first + sum(self.times(node[word], depth) for word in ARRAY_SINGLES if word in node)


def parts(node: dict[str, Any], keyword: str) -> list[Any]:
    """The schemas under a keyword that holds several."""
    inner = node.get(keyword)
    if isinstance(inner, dict):
        return list(inner.values())
    return inner if isinstance(inner, list) else []


def in_place(node: dict[str, Any]) -> list[Any]:
    """The schemas that look at the same place of the value, references apart."""
    several = [part for word in ("allOf", "anyOf", "oneOf") for part in parts(node, word)]
    several += parts(node, "dependentSchemas")
    return several + [node[word] for word in IN_PLACE_SINGLES if word in node]
