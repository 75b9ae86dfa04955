"""Parameters of requests: what a contract's query implies, with the names and forms of the API."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from libs.common.errors import FieldProblem, Malformed
from libs.common.fields import Word
from libs.common.lists import PageQuery
from services.gateway.problems import did_you_mean, fields_of
from services.gateway.refusals import UnknownParameter

VALUES_MAX = 20
_OUTER = {
    "from_at": "from", "to_at": "to", "from_size": "from", "to_size": "to", "event_type": "type",
    "other": "with", "organization_id": "organization",
}  # fmt: skip


class Parameters:
    """A dependency that gives the fields of a query as the address has them, checked.

    `without` names fields that come from the path; `expand` what may be expanded; `by_name`
    are filters that take names beside ids; `cursor` stands for the field `after`.
    """

    def __init__(
        self, model: type[BaseModel], *, without: Sequence[str] = (), expand: Sequence[str] = (),
        by_name: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.contract, self.expand = model, tuple(expand)
        self.lists = issubclass(model, PageQuery)
        self.fields = {
            name: info for name, info in model.model_fields.items()
            if name not in without and name not in ("after", "expand")
        }  # fmt: skip
        self.names = {_OUTER.get(name, name): name for name in self.fields}
        self._outer = {inner: outer for outer, inner in self.names.items()}
        made: dict[str, Any] = {n: (i.annotation, i) for n, i in self.fields.items()}
        made |= dict.fromkeys(by_name, (list[Word] | None, None))
        self.model = create_model(
            f"{model.__name__}Parameters", __config__=ConfigDict(extra="forbid"), **made
        )

    @property
    def known(self) -> list[str]:
        more = (["cursor"] if self.lists else []) + (["expand"] if self.expand else [])
        return [*self.names, *more]

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Fields for the query; what is to be expanded is in `request.state.expand` too."""
        found: dict[str, Any] = {}
        for name, text in request.query_params.multi_items():
            if name in self.names:
                inner = self.names[name]
                found[inner] = self._value(name, inner, text)
        try:
            checked = self.model.model_validate(found)
        except ValidationError as error:
            problems = fields_of(error, self.known, "?", self._outer)
            raise Malformed("a parameter does not fit", errors=problems) from None
        given = {name: getattr(checked, name) for name in checked.model_fields_set}
        request.state.expand = self.expansions(request)
        if "expand" in self.contract.model_fields:
            given["expand"] = request.state.expand
        return given

    def _value(self, name: str, inner: str, text: str) -> Any:
        if not takes_many(self.fields[inner].annotation):
            return text
        values = text.split(",")
        if len(values) > VALUES_MAX:
            raise refused(name, "too-many-values", f"at most {VALUES_MAX} values")
        return values

    def expansions(self, request: Request) -> list[str]:
        """The names in `expand`, each of which this route knows."""
        text = request.query_params.get("expand")
        names = text.split(",") if text else []
        for name in names:
            if name not in self.expand:
                near = did_you_mean(name, self.expand)
                detail = f"one of {', '.join(self.expand)}"
                raise refused("expand", "unknown-expansion", detail, near)
        return names


def takes_many(annotation: Any) -> bool:
    if get_origin(annotation) is list:
        return True
    return any(takes_many(argument) for argument in get_args(annotation))


def refused(name: str, rule: str, detail: str, near: str | None = None) -> Malformed:
    problem = FieldProblem(pointer=f"?{name}", rule=rule, detail=detail, did_you_mean=near)
    return Malformed(f"the parameter {name} does not fit", errors=[problem])


def only_known(request: Request, known: Sequence[str]) -> None:
    """Refuses parameters that a route does not know, and those that come twice."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            near = did_you_mean(name, known)
            problem = FieldProblem(
                pointer=f"?{name[:100]}", rule="unknown-parameter",
                detail="nobody knows this parameter", did_you_mean=near,
            )  # fmt: skip
            raise UnknownParameter("a parameter is not known here", errors=[problem])
        if name in seen:
            raise refused(name, "twice", "give it once; several values go with commas")
        seen.add(name)
