"""What the doctor looks at in the data folder, running or not."""

import base64
import os
import shutil
import sqlite3
from contextlib import closing

from cli.checks import Finding, Patient
from cli.expected import known_digest
from cli.installation import fingerprint_of
from libs.embedded.secrets import SecretsRefused

FREE_LITTLE, FREE_TOO_LITTLE = 2 * 10**9, 200 * 10**6


def data_folder(patient: Patient, name: str) -> Finding:
    data = patient.data
    if not (data / "version").exists():
        return Finding(
            name, "wrong", f"{data} is no data folder of Troth", "name it with --data, or make "
            "it with `troth up`",
        )  # fmt: skip
    for path in (data, data / "keys", data / "logs"):
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            return Finding(name, "wrong", f"{path} has mode {mode:04o}", f"chmod 700 {path}")
        if not os.access(path, os.W_OK):
            return Finding(
                name, "wrong", f"{path} can't be written by this user", f"chown it: {path}"
            )
    return Finding(name, "ok", f"{data}, mode 0700")


def secrets(patient: Patient, name: str) -> Finding:
    try:
        patient.stores.folder.read_secrets()
    except SecretsRefused as error:
        problem, _, repair = str(error).partition(": ")
        return Finding(name, "wrong", problem, repair)
    return Finding(name, "ok", "complete, mode 0600")


def keys(patient: Patient, name: str) -> Finding:
    """The installation's key opens the newest data key, so sealed data can be read."""
    from cryptography.exceptions import InvalidTag

    from libs.common.privacy import unwrap

    file = patient.data / "keys" / "keys.db"
    if not file.exists():
        return Finding(name, "ok", "no data keys yet")
    kek = base64.b64decode(patient.stores.secrets().key_encryption_key)
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        rows = store.execute(
            "select kid, wrapped from data_keys where wrapped is not null order by rowid desc"
        ).fetchall()
    if not rows:
        return Finding(name, "ok", "no data keys yet")
    try:
        unwrap(kek, *rows[0])
    except InvalidTag:
        return Finding(
            name, "wrong", "the installation's key does not open the data keys",
            "secrets.json and keys/ belong together: restore both from the same time",
        )  # fmt: skip
    return Finding(name, "ok", f"{len(rows)} data keys, the newest one opens")


def disk(patient: Patient, name: str) -> Finding:
    free = shutil.disk_usage(patient.data).free
    said = f"{free / 10**9:.1f} GB free"
    repair = f"make room on the disk of {patient.data}: PostgreSQL stops when it is full"
    if free < FREE_TOO_LITTLE:
        return Finding(name, "wrong", said, repair)
    return Finding(name, "look", said, repair) if free < FREE_LITTLE else Finding(name, "ok", said)


def migrations(patient: Patient, name: str) -> Finding:
    """What the databases were prepared for is what this code expects."""
    known = known_digest(patient.data)
    if known is None:
        return Finding(name, "look", "never prepared", f"troth up --data {patient.data}")
    if known != fingerprint_of(patient.stores.secrets()):
        return Finding(
            name, "look", "the code is newer than the databases",
            "restart `troth up`; it brings them up to date",
        )  # fmt: skip
    return Finding(name, "ok", "the databases are what this code expects")
