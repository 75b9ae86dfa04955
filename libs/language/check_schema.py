"""A JSON Schema that a document holds: sound, small and cheap, or reported and unknown."""

from typing import Any

from libs.language.check_context import Fields
from libs.language.check_shapes import Fits, Shape
from libs.language.schema import SchemaError, compile_schema, validate_input
from libs.language.source import Path
from libs.language.templates import Value

CLOCK = "1970-01-01T00:00:00Z"


def schema_at(fields: Fields, key: str) -> Shape:
    """What the schema under a key says of values; None without one, or if it has a problem."""
    if key not in fields:
        return None
    schema = fields.value[key]
    try:
        compile_schema(schema)
    except SchemaError as error:
        for fault in error.faults:
            fields.report.problem(
                (*fields.at(key), *fault.path),
                fault.rule,
                fault.detail,
                see="triggers",
                of_key=fault.rule in ("unknown-key", "schema-keyword"),
                found=fault.found,
                mean=fault.did_you_mean,
            )
        return None
    return Fits(schema, schema)


def constant_fits(fields: Fields, path: Path, shape: Shape, value: Value | None, what: str) -> None:
    """A value without expressions fits its schema always or never; without a value it is `{}`."""
    if not isinstance(shape, Fits) or (value is not None and not value.is_constant):
        return
    given: Any = {} if value is None else value.evaluate({}, CLOCK)
    for fault in validate_input(compile_schema(shape.schema), given)[1][:1]:
        place = f" at {fault.pointer}" if fault.pointer else ""
        detail = f"{what} does not fit its schema{place}: {fault.detail}"
        fields.report.problem(path, "input-invalid", detail, see="triggers")
