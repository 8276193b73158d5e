"""The test run itself: databases are what they claim to be, servers are real, sockets are closed."""

import socket
import threading
from contextlib import suppress

import pytest
from django.db import connection

from tests.conftest import Database, OutsideAddress
from tests.servers import Broker
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
