"""An own PostgreSQL on 127.0.0.1: made on first start, ready in truth, gone with its parent."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from libs.embedded.binaries import PostgresPrograms, find_postgres
from libs.embedded.children import (
    CannotStart,
    die_with_parent,
    launch,
    log_size,
    log_tail,
    require_main_thread,
    terminate,
    wait_for_lock,
)
from libs.embedded.durability import make_private, sync_folder
from libs.embedded.identity import Identity, choose_identity, hand_over

SUPERUSER = "postgres"
START_TIMEOUT_S = 120.0
PREVIOUS_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
INITDB_TIMEOUT_S = 120.0

DURABILITY = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Small when idle: one shared pool, no parallel workers waiting, no logical replication.
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "64MB",
    "jit": "off",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_logical_replication_workers": "0",
    # No standby reads this log: recovery after a crash needs no more than `minimal`.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "min_wal_size": "160MB",
    "checkpoint_timeout": "15min",
    "autovacuum": "on",
    "autovacuum_max_workers": "2",
    # A client that froze or vanished does not hold its locks for longer than this.
    "idle_in_transaction_session_timeout": "5s",
    "tcp_user_timeout": "5s",
    # Errors go to the client that made them; their text may quote personal data, so not to the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}
SETTINGS_SINCE_18 = {"io_method": "sync"}  # its worker processes are memory without use here


class Postgres:
    """One cluster in `data_dir`. `durable=False` (tests only) skips the sync of initdb and allows
    `options` to switch off what makes a commit survive a power cut."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        password: str,
        *,
        durable: bool = True,
        options: Mapping[str, str] | None = None,
        log: Path | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.log = log or self.data_dir.parent / "postgres.log"
        self.programs: PostgresPrograms | None = None
        self._password = password
        self._durable = durable
        self._options = dict(options or {})
        self._identity = identity
        self._process: subprocess.Popen[bytes] | None = None
        weakened = sorted(DURABILITY.keys() & self._options.keys())
        if durable and weakened:
            raise ValueError(f"{', '.join(weakened)} can only be set with durable=False")

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def dsn(
        self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None
    ) -> str:
        secret = self._password if password is None else password
        place = f"127.0.0.1:{self.port}/{quote(database, safe='')}"
        return f"postgresql://{quote(user, safe='')}:{quote(secret, safe='')}@{place}"

    def poll(self) -> int | None:
        """The exit code of a server that ended, None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Return when connections are accepted; raise `CannotStart` with the repair otherwise."""
        if self._process is not None and self._process.poll() is None:
            return
        require_main_thread()
        self.programs = find_postgres()
        identity = self._identity or choose_identity(self.programs.postgres)
        make_private(self.data_dir.parent)
        lock = wait_for_lock(
            self.data_dir.with_name(self.data_dir.name + ".lock"), "PostgreSQL", PREVIOUS_TIMEOUT_S
        )
        with open(lock, "rb"):  # ours ends here; the server keeps the one it inherited
            self._prepare(self.programs, identity, lock)
            logged = log_size(self.log)
            self._process = launch(
                [self.programs.postgres, "-D", self.data_dir, *self._arguments(self.programs)],
                log=self.log,
                death_signal=signal.SIGINT,
                cwd=self.data_dir,
                first=identity.put_on,
                lock=lock,
            )
        self._wait_until_ready(self._process, logged)

    def stop(self, grace_s: float = STOP_TIMEOUT_S) -> None:
        """A fast shutdown: sessions end, a checkpoint is written; killed after `grace_s`."""
        if self._process is not None:
            terminate(self._process, grace_s, signal.SIGINT)
            self._process = None

    def _prepare(self, programs: PostgresPrograms, identity: Identity, lock: int) -> None:
        """A complete cluster owned by the identity; called with the lock: no server runs on it."""
        stamp = self.data_dir / "PG_VERSION"
        if not stamp.exists():
            self._make_cluster(programs, identity, lock)
        major = int(stamp.read_text())
        if major != programs.major:
            raise CannotStart(
                f"{self.data_dir} was made by PostgreSQL {major}, {programs.folder} holds "
                f"{programs.major}; name PostgreSQL {major} in TROTH_POSTGRES_BIN"
            )
        hand_over(self.data_dir, identity)
        self._clear_stale_pid()

    def _make_cluster(self, programs: PostgresPrograms, identity: Identity, lock: int) -> None:
        """Made beside its place and moved there whole: a killed initdb leaves nothing half done."""
        parent, prefix = self.data_dir.parent, f".{self.data_dir.name}-initdb-"
        for left in parent.glob(prefix + "*"):
            shutil.rmtree(left)
        workshop = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        (workshop / "password").write_text(self._password + "\n")
        hand_over(workshop, identity)
        newer = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        command = [
            *(programs.initdb, "-D", workshop / "data", "-U", SUPERUSER, "-A", "scram-sha-256"),
            *(f"--pwfile={workshop / 'password'}", "-E", "UTF8", "-k", "--no-instructions"),
            *(newer if programs.major >= 17 else ("--locale=C.UTF-8",)),
            *(() if self._durable else ("--no-sync",)),
        ]
        try:
            subprocess.run(
                command,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd="/",
                timeout=INITDB_TIMEOUT_S,
                pass_fds=(lock,),  # what a killed initdb started still writes for a moment
                preexec_fn=die_with_parent(signal.SIGKILL, identity.put_on),
            )
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(workshop)
            said = getattr(error, "stderr", None) or error
            raise CannotStart(
                f"initdb could not make {self.data_dir} ({identity.kind}): {said}; "
                "the programs and the folder must be open to that user and the disk not full"
            ) from error
        (workshop / "data").rename(self.data_dir)
        if self._durable:
            sync_folder(parent)
        shutil.rmtree(workshop)

    def _clear_stale_pid(self) -> None:
        """After a reboot or in a container the number in the file may belong to anyone by now,
        and PostgreSQL would then refuse to start; a server on this folder is left to its check."""
        file = self.data_dir / "postmaster.pid"
        if not file.exists():
            return
        command = Path("/proc", file.read_text().partition("\n")[0].strip(), "cmdline")
        try:
            running = str(self.data_dir).encode() in command.read_bytes()
        except OSError:
            running = False  # no such process
        if not running:
            file.unlink()

    def _arguments(self, programs: PostgresPrograms) -> list[str]:
        settings = {"port": str(self.port)} | SETTINGS | DURABILITY
        if programs.major >= 18:
            settings |= SETTINGS_SINCE_18
        settings |= self._options
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _wait_until_ready(self, process: subprocess.Popen[bytes], logged: int) -> None:
        """The pid file of a killed server says "ready" as well: it counts only with our pid."""
        deadline = time.monotonic() + START_TIMEOUT_S
        file = self.data_dir / "postmaster.pid"
        while process.poll() is None and time.monotonic() < deadline:
            try:
                lines = file.read_text().splitlines()
            except FileNotFoundError:
                lines = []
            if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.005)
        code = terminate(process, 5, signal.SIGQUIT)
        self._process = None
        said = log_tail(self.log, logged)
        hint = f"look into {self.log}"
        if "Address already in use" in said:
            hint = f"port {self.port} is taken: stop what listens there or choose another port"
        if 'lock file "postmaster.pid" already exists' in said:
            hint = f"the process whose pid is in {file} runs on this data: stop it first"
        raise CannotStart(f"PostgreSQL did not start (exit code {code}); {hint}. It said:\n{said}")
