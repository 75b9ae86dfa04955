"""Sign-up, sign-in, sign-out and the set-up of the installation, over the bus."""

from pathlib import Path

import pytest
from tests_support.servers import Servers

from libs.common.errors import Conflict, DomainError, Forbidden, NotFound, NotSignedIn, TooMany
from libs.common.errors import Rejected
from services.identity.contract import (
    CloseSession,
    FindInstance,
    FindMe,
    OpenSession,
    RegisterPerson,
    Role,
    SetUpInstance,
)

from .conftest import ONE_TIME, PASSWORD, Identity, running


def person(email: str = "ann@example.org", password: str = PASSWORD) -> RegisterPerson:
    return RegisterPerson(name="Ann", email=email, password=password, old_enough=True,
                          policies={"privacy": "2026-12"})  # fmt: skip
