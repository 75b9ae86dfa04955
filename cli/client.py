"""The API as commands use it: address and token as configured, problems as refusals."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import fail
from libs.embedded.durability import make_private, write_private

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 75.0


@dataclass(frozen=True, repr=False)
class SignedIn:
    """Where to, as whom, and in which organization."""

    url: str
    token: str
    organization: str | None = None

    def __repr__(self) -> str:
        return f"SignedIn({self.url})"


class Refused(Exception):
    """The API said no: its problem, as it came."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("code") or f"HTTP {status}")
        self.status, self.problem = status, problem

    @property
    def code(self) -> str:
        return str(self.problem.get("code", ""))


def config_file() -> Path:
    """$TROTH_CONFIG_DIR, else the user's own place for configuration."""
    given = os.environ.get("TROTH_CONFIG_DIR")
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return (Path(given) if given else Path(home) / "troth") / "credentials.json"


def keep(who: SignedIn) -> Path:
    """Stores the token where only its owner reads it."""
    file = config_file()
    make_private(file.parent)
    write_private(file, json.dumps(asdict(who), indent=1))
    return file


def signed_in() -> SignedIn:
    """TROTH_TOKEN and TROTH_URL, else what `troth login` kept; ends the command when neither."""
    token = os.environ.get("TROTH_TOKEN")
    organization = os.environ.get("TROTH_ORGANIZATION")
    if token:
        return SignedIn(os.environ.get("TROTH_URL") or DEFAULT_URL, token, organization)
    file = config_file()
    if not file.exists():
        fail("you are not signed in: run `troth login`, or set TROTH_TOKEN to an API key")
    if file.stat().st_mode & 0o077:
        fail(f"{file} can be read by others: run `chmod 600 {file}` and sign in again")
    kept = SignedIn(**json.loads(file.read_text()))
    url = os.environ.get("TROTH_URL") or kept.url
    return SignedIn(url, kept.token, organization or kept.organization)


class Api:
    """One connection to the API; every refusal is raised as `Refused`."""

    def __init__(self, url: str, token: str | None = None, organization: str | None = None) -> None:
        import httpx

        headers = {"accept": "application/json", "user-agent": "troth-cli"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if organization:
            headers["troth-organization"] = organization
        self.url = url
        self.http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)

    @classmethod
    def of_caller(cls) -> "Api":
        who = signed_in()
        return cls(who.url, who.token, who.organization)

    def get(self, path: str, **parameters: Any) -> Any:
        given = {name: value for name, value in parameters.items() if value is not None}
        return self.ask("GET", path, params=given).json()

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """With a key of its own, so that a repeated connection does nothing twice."""
        sent = {"idempotency-key": secrets.token_urlsafe(18)} | headers
        return self.ask("POST", path, json=body, headers=sent).json()

    def document(self, method: str, path: str, text: bytes, media: str, **headers: str) -> Any:
        sent = headers | {"content-type": media}
        return self.ask(method, path, content=text, headers=sent).json()

    def ask(self, method: str, path: str, **more: Any) -> "httpx.Response":
        """The answer; Refused for a problem, the end of the command when nobody answers."""
        import httpx

        try:
            answer = self.http.request(method, path, **more)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            fail(
                f"{self.url} does not answer ({type(error).__name__}): "
                "is `troth up` running, and is the address right (TROTH_URL, `troth login --url`)?"
            )
        if answer.status_code >= 400:
            raise Refused(answer.status_code, problem_of(answer))
        return answer


def problem_of(answer: "httpx.Response") -> dict[str, Any]:
    """What a refusal says, also one that is not ours."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    return {"status": answer.status_code, "code": "no-problem", "detail": answer.text[:200]}
