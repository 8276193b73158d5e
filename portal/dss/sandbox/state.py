"""Everything the sandbox remembers: one SQLite file, JSON documents, timers, counters, and archives as files.

All access goes through `Store.transaction()`: one connection, one lock, one commit, so an effect either happened whole
or not at all, whatever kills the process. Not in charge of what the documents mean.
"""

import hashlib
import json
import os
import sqlite3
import tempfile
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Clock = Callable[[], float]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS doc (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (node, kind, id));
CREATE TABLE IF NOT EXISTS content (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timer (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timer_due ON timer (due, seq);
CREATE TABLE IF NOT EXISTS counter (
    name TEXT NOT NULL, subject TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (name, subject)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""

_TABLES = ("doc", "content", "timer", "counter", "blob")
_CONTENTS_KEPT = 64


class Tx:
    """One open transaction: documents by (node, kind, id), timers, counters and blobs."""

    def __init__(self, store: "Store", now: float) -> None:
        self._store = store
        self._db = store.db
        self.now = now

    @property
    def now_ms(self) -> int:
        """The instant of this transaction in Unix milliseconds, as DSS writes times."""
        return int(self.now * 1000)

    def get(self, node: str, kind: str, id: str) -> Json | None:
        """The document, or None."""
        row = self._db.execute(
            "SELECT body FROM doc WHERE node=? AND kind=? AND id=?", (node, kind, id)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, node: str, kind: str, id: str, body: Json) -> None:
        """Create or replace a document; a replaced one keeps its place in listings."""
        self._db.execute(
            "INSERT INTO doc (node, kind, id, body) VALUES (?,?,?,?) "
            "ON CONFLICT (node, kind, id) DO UPDATE SET body=excluded.body",
            (node, kind, id, json.dumps(body)),
        )

    def delete(self, node: str, kind: str, id: str) -> None:
        """Forget a document; nothing happens if it is not there."""
        self._db.execute("DELETE FROM doc WHERE node=? AND kind=? AND id=?", (node, kind, id))

    def docs(self, node: str, kind: str, prefix: str = "") -> list[Json]:
        """Documents of a kind in order of creation, those whose id starts with `prefix`."""
        if prefix:
            rows = self._db.execute(
                "SELECT body FROM doc WHERE node=? AND kind=? AND id>=? AND id<? ORDER BY seq",
                (node, kind, prefix, prefix + "\U0010ffff"),
            )
        else:
            rows = self._db.execute("SELECT body FROM doc WHERE node=? AND kind=? ORDER BY seq", (node, kind))
        return [json.loads(row[0]) for row in rows]

    def ids(self, node: str, kind: str) -> list[str]:
        """Ids of a kind in order of creation."""
        rows = self._db.execute("SELECT id FROM doc WHERE node=? AND kind=? ORDER BY seq", (node, kind))
        return [row[0] for row in rows]

    def wipe(self, node: str, kind: str, prefix: str = "") -> None:
        """Forget every document of a kind whose id starts with `prefix`."""
        self._db.execute(
            "DELETE FROM doc WHERE node=? AND kind=? AND id>=? AND id<?",
            (node, kind, prefix, prefix + "\U0010ffff"),
        )

    def keep_content(self, members: Json) -> str:
        """Store project content (member path -> text or JSON) and return its digest."""
        body = json.dumps(members, sort_keys=True)
        digest = hashlib.sha256(body.encode()).hexdigest()
        self._db.execute("INSERT OR IGNORE INTO content VALUES (?,?)", (digest, body))
        return digest

    def content(self, digest: str) -> Json:
        """Project content by digest. Shared with other callers: read it, copy it before changing it."""
        kept = self._store.contents.get(digest)
        if kept is None:
            row = self._db.execute("SELECT body FROM content WHERE digest=?", (digest,)).fetchone()
            kept = json.loads(row[0]) if row else {}
            if len(self._store.contents) >= _CONTENTS_KEPT:
                self._store.contents.clear()
            self._store.contents[digest] = kept
        return kept

    def after(self, due: float, kind: str, body: Json) -> None:
        """Have the effect `kind` happen once, at Unix time `due` or when anybody looks after it."""
        self._db.execute("INSERT INTO timer (due, kind, body) VALUES (?,?,?)", (due, kind, json.dumps(body)))

    def take_due(self) -> tuple[float, str, Json] | None:
        """Remove and return the earliest effect that is due, or None."""
        row = self._db.execute(
            "SELECT seq, due, kind, body FROM timer WHERE due<=? ORDER BY due, seq LIMIT 1", (self.now,)
        ).fetchone()
        if row is None:
            return None
        self._db.execute("DELETE FROM timer WHERE seq=?", (row[0],))
        return row[1], row[2], json.loads(row[3])

    def count(self, name: str, subject: str) -> None:
        """Count one effect, in the transaction that causes it."""
        self._db.execute(
            "INSERT INTO counter VALUES (?,?,1) ON CONFLICT (name, subject) DO UPDATE SET n=n+1",
            (name, subject),
        )

    def counters(self) -> dict[str, dict[str, int]]:
        """Every counter, by name and subject."""
        found: dict[str, dict[str, int]] = {}
        for name, subject, n in self._db.execute(
            "SELECT name, subject, n FROM counter ORDER BY name, subject"
        ):
            found.setdefault(name, {})[subject] = n
        return found

    def next_number(self, name: str) -> int:
        """The next number of a gapless series that survives restarts."""
        self.count("series", name)
        row = self._db.execute("SELECT n FROM counter WHERE name='series' AND subject=?", (name,)).fetchone()
        return int(row[0])

    def put_blob(self, id: str, body: bytes) -> None:
        """Keep a small file (a generated document) with the rest of the state."""
        self._db.execute("INSERT OR REPLACE INTO blob VALUES (?,?)", (id, body))

    def blob(self, id: str) -> bytes | None:
        """A kept file, or None."""
        row = self._db.execute("SELECT body FROM blob WHERE id=?", (id,)).fetchone()
        return bytes(row[0]) if row else None

    @contextmanager
    def part(self) -> Iterator[None]:
        """Part of this transaction that can fail alone: an exception undoes it and goes on."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")
            self._store.contents.clear()
            raise
        self._db.execute("RELEASE part")

    def keep_all(self, name: str) -> None:
        """Write everything down under a name, for `bring_back`. Archives stay where they are, whatever happens."""
        rows = {
            table: [
                [{"b64": b64encode(v).decode()} if isinstance(v, bytes) else v for v in row]
                for row in self._db.execute(f"SELECT * FROM {table}")  # noqa: S608  (our own names)
            ]
            for table in _TABLES
        }
        self._store.kept(name).write_text(json.dumps(rows))

    def bring_back(self, name: str) -> None:
        """Everything as it was when it was kept; raises FileNotFoundError for a name that was not."""
        rows = json.loads(self._store.kept(name).read_text())
        for table in _TABLES:
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608
            for row in rows[table]:
                values = [b64decode(v["b64"]) if isinstance(v, dict) else v for v in row]
                places = ",".join("?" * len(values))
                self._db.execute(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608
        self._store.contents.clear()

    def wipe_all(self) -> None:
        """Forget everything except the estate's identity (keys), which outlives a reset."""
        self._db.execute("DELETE FROM doc WHERE kind<>'key'")
        self._db.execute("DELETE FROM content")
        self._db.execute("DELETE FROM timer")
        self._db.execute("DELETE FROM counter")
        self._db.execute("DELETE FROM blob")
        self._store.contents.clear()


class Store:
    """The SQLite file and the archive folder of one data directory."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self.data_dir = data_dir
        self.archives = data_dir / "archives"
        self.incoming = data_dir / "incoming"
        for folder in (data_dir, self.archives, self.incoming):
            folder.mkdir(parents=True, exist_ok=True)
        for left_over in self.incoming.iterdir():
            left_over.unlink(missing_ok=True)
        self.clock = clock
        self.contents: dict[str, Json] = {}
        self._lock = threading.RLock()
        self.db = sqlite3.connect(data_dir / "estate.sqlite3", check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        # NORMAL survives the death of the process, which is what the sandbox promises; FULL would only add power cuts.
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """A transaction alone in the process; commits at the end, rolls back on any exception."""
        with self._lock:
            self.db.execute("BEGIN")
            try:
                yield Tx(self, self.clock())
            except BaseException:
                self.db.execute("ROLLBACK")
                # What the failed transaction cached was never stored.
                self.contents.clear()
                raise
            self.db.execute("COMMIT")

    def something_due(self) -> bool:
        """Whether any timed effect is waiting to be settled now."""
        with self._lock:
            row = self.db.execute("SELECT 1 FROM timer WHERE due<=? LIMIT 1", (self.clock(),)).fetchone()
        return row is not None

    def new_file(self) -> tuple[int, Path]:
        """A fresh file in the incoming folder (same file system as the archives), as (descriptor, path)."""
        descriptor, name = tempfile.mkstemp(dir=self.incoming)
        return descriptor, Path(name)

    def keep_archive(self, path: Path, digest: str) -> Path:
        """Move a complete file to its content-addressed place; atomic, and harmless when repeated."""
        target = self.archives / f"{digest}.zip"
        os.replace(path, target)
        return target

    def archive(self, digest: str) -> Path:
        """Where the archive with this SHA-256 lies."""
        return self.archives / f"{digest}.zip"

    def kept(self, name: str) -> Path:
        """Where everything that was kept under a name lies."""
        return self.data_dir / f"kept-{name}.json"

    def close(self) -> None:
        """Close the database file."""
        with self._lock:
            self.db.close()
