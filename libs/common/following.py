"""What streams ask and get: things in their order, each with the place behind which to go on."""

from typing import Annotated, Generic, TypeVar

from pydantic import Field

from libs.common.fields import Count, Flag
from libs.common.lists import Place
from libs.common.messages import Message, Query

T = TypeVar("T")


class Follow(Query):
    """What every stream asks; `after` is the place of what was taken last."""

    limit: Annotated[Count, Field(ge=1, le=200)] = 100
    after: Place | None = None


class Followed(Message, Generic[T]):
    """One thing and its place."""

    place: Place
    thing: T


class Stretch(Message, Generic[T]):
    """What came behind a place; `upto` is where to go on, also when nothing came.

    `reset`: what came behind that place is not known any more. `more` can be asked for at once;
    after `ended` nothing comes.
    """

    data: list[Followed[T]]
    upto: Place
    reset: Flag = False
    more: Flag = False
    ended: Flag = False
