"""What FastDepends makes of a handler's parameters: once for all handlers that take the same."""

from typing import Any

from fast_depends.library.serializer import OptionItem, Serializer, SerializerProto
from fast_depends.pydantic import PydanticSerializer

_made: dict[tuple[object, ...], Serializer] = {}


class SharedSerializer(SerializerProto):
    """As FastStream's own one. What it makes depends on names and types only and has no state, and
    building it is most of what a service's start costs: each handler takes who asks, and tests
    start the same services again and again."""

    def __init__(self) -> None:
        self._own = PydanticSerializer(use_fastdepends_errors=False)

    def __call__(self, *, name: str, options: list[OptionItem], response_type: Any) -> Serializer:
        fields = ((o.field_name, o.field_type, o.default_value, o.kind) for o in options)
        key = (name, response_type, *fields)
        try:
            found = _made.get(key)
        except TypeError:  # a default value that cannot be hashed
            return self._own(name=name, options=options, response_type=response_type)
        if found is None:
            found = self._own(name=name, options=options, response_type=response_type)
            _made[key] = found
        return found

    encode = staticmethod(PydanticSerializer.encode)
