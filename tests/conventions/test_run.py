"""The test run itself: databases are what they claim to be, servers are real, sockets are closed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pytest_django.fixtures import Settings

from portal.models import Person
from tests.conftest import Database, OutsideAddress, Portal, environment_for
from tests.conventions.tree import ROOT
from tests.servers import Broker, until
from tests.settings import TEST_DATABASE


@pytest.mark.usefixtures("db")
def test_a_normal_test_runs_on_the_runs_database_in_a_transaction() -> None:
    assert connection.vendor == {"postgres": "postgresql", "sqlite": "sqlite"}[TEST_DATABASE]
    assert connection.in_atomic_block


def test_a_copy_is_migrated_commits_and_is_seen_by_other_threads(each_database: Database) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE seen (n integer)")
        cursor.execute("INSERT INTO seen VALUES (7)")
        cursor.execute("SELECT count(*) FROM django_migrations")
        assert cursor.fetchone()[0] > 0
    found = []

    def look() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT n FROM seen")
            found.append((connection.vendor, cursor.fetchone()[0]))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [({"postgres": "postgresql", "sqlite": "sqlite"}[each_database.kind], 7)]


@pytest.mark.parametrize("turn", [1, 2])
def test_each_copy_is_fresh(turn: int, database_copy: Database) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE once (n integer)")
    assert "once" in connection.introspection.table_names()


@pytest.mark.sqlite
def test_a_mark_chooses_sqlite(database_copy: Database) -> None:
    assert connection.vendor == "sqlite"
    assert database_copy.url.startswith("sqlite:///")


@pytest.mark.postgres
def test_a_mark_chooses_postgres(database_copy: Database) -> None:
    assert connection.vendor == "postgresql"


def test_the_broker_is_a_real_valkey_without_messages(valkey: Broker) -> None:
    with valkey.client() as client:
        assert client.info("server")["server_name"] == "valkey"
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_the_brokers_messages_are_gone_in_the_next_test(valkey: Broker) -> None:
    with valkey.client() as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("name.invalid", 80)])
def test_no_socket_leaves_this_machine(address: tuple[str, int]) -> None:
    with pytest.raises(OutsideAddress):
        socket.create_connection(address, timeout=0.1)
    with socket.socket() as closed, pytest.raises(OutsideAddress):
        closed.connect(address)


def test_sockets_of_this_machine_are_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client, suppress(OSError):
            client.sendall(b"hello")
        assert server.getsockname()[0] == "127.0.0.1"


@login_not_required
def add_a_person(request: HttpRequest) -> HttpResponse:
    """A page that commits, for the live portal below."""
    return HttpResponse(Person.objects.create_person("dev", name="Dev Rao").login)


urlpatterns = [path("add/", add_a_person)]


def test_the_live_portal_and_its_test_share_a_database(live_portal: Portal, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    with urllib.request.urlopen(f"{live_portal.url}/add/") as answer:
        assert answer.read() == b"dev"
    assert Person.objects.get(login="dev").name == "Dev Rao"


def test_processes_share_the_copy(each_database: Database, tmp_path: Path) -> None:
    Person.objects.create_person("olga", name="Olga Lindqvist")
    program = (
        "import django; django.setup(); from portal.models import Person; print(Person.objects.get().name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=environment_for(each_database, tmp_path), capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "Olga Lindqvist\n", done.stderr


# What a run started ends with it, however it ends: asked nicely, or killed.
PROGRAM = """
import os, pathlib, sys
from tests import servers
run = pathlib.Path(sys.argv[1])
servers.postgres(run, os.getpid())
with servers.valkey(run / "valkey") as broker:
    print(broker.pid, (run / "postgres" / "data" / "postmaster.pid").read_text().split()[0], flush=True)
    sys.stdin.read()
"""


def test_servers_end_with_a_killed_run() -> None:
    run = Path(os.environ["COUNTERSIGN_TEST_RUN"]) / "killed"
    run.mkdir(mode=0o711)
    run.chmod(0o711)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(run)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        pids = [int(pid) for pid in running.stdout.readline().split()]
        assert len(pids) == 2
        running.send_signal(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the servers' end", 20)
    until(lambda: not run.exists(), "the run's directory going away", 20)
