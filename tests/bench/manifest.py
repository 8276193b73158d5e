"""What reading a bundle costs, beside the two commands with which anybody could check the same bytes by hand."""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from tests.bench.registry import Measured, benchmark

ARCHIVE = 2 * 1024**3
MEMBERS = 20_000
JSON_MEMBERS, JSON_TOTAL = 9_000, 20_000_000
LARGE_MEMBERS = 10  # models and data in one file, most of the bytes
TURNS = 3


@benchmark("manifest", unit="s", goal=1.3)
def manifest() -> Measured:
    """The manifest of 2 GB in 20,000 members, 20 MB of it JSON, against `sha256sum` and `unzip -p | sha256sum`."""
    return _measured()["time"]


@benchmark("manifest-memory", unit="MB", goal=64.0)
def manifest_memory() -> Measured:
    """How far the process that reads it rises above itself idle."""
    return _measured()["memory"]


@cache
def _measured() -> dict[str, Measured]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "bundle.zip"
        with place.open("wb") as archive:
            _written(archive)
        size = place.stat().st_size
        if not ARCHIVE <= size < 1.1 * ARCHIVE:
            raise AssertionError(f"manifest: the archive has {size} bytes")
        ours, floors, rises = [], [], []
        for _turn in range(TURNS):  # in turns, so that what else the machine does meets both
            floors.append(_by_hand(place))
            told = _by_us(place)
            ours.append(told["seconds"])
            rises.append(told["risen"] / 1e6)
            if told["members"] != MEMBERS:
                raise AssertionError(f"manifest: {told['members']} members")
        if min(rises) < 1:
            raise AssertionError("manifest: nothing was measured of the memory")
        return {"time": Measured(min(ours), min(floors)), "memory": Measured(max(rises))}


def _by_hand(place: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["sha256sum", str(place)], check=True, stdout=subprocess.DEVNULL)
    with subprocess.Popen(["unzip", "-p", str(place)], stdout=subprocess.PIPE) as unzip:
        subprocess.run(["sha256sum"], check=True, stdin=unzip.stdout, stdout=subprocess.DEVNULL)
    if unzip.returncode:
        raise AssertionError("manifest: unzip does not read the archive")
    return time.perf_counter() - began


# In a process of its own: the peak is of that process, and idle is a portal that has loaded everything.
_READ = """
import json, sys, time
import django
django.setup()
from portal.dss.manifest import Texts, read_manifest
import portal.actions.bundles
def resident(of):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(of)) * 1024
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")  # what the parent had at its most would count as ours
idle = resident("VmRSS:")
began = time.perf_counter()
with open(sys.argv[1], "rb") as archive:
    found = read_manifest(archive, Texts())
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "risen": resident("VmHWM:") - idle, "members": len(found.members)}))
"""


def _by_us(place: Path) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-c", _READ, str(place)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )
    told: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return told


# --- the archive ---


@dataclass(frozen=True, slots=True)
class _Body:
    """What a member holds: packed once, written as often as wanted."""

    packed: bytes
    size: int
    crc: int


def _body(plain: bytes) -> _Body:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _Body(deflate.compress(plain) + deflate.flush(), len(plain), zlib.crc32(plain))


def _members() -> Iterator[tuple[str, _Body]]:
    """As many as wanted: definitions in JSON, small files of all kinds, and a few large ones."""
    rng = random.Random(2026)
    yield "export-manifest.json", _body(json.dumps({"projectKey": "LARGE", "bundleId": "v1"}).encode())
    each = JSON_TOTAL // JSON_MEMBERS
    for number in range(JSON_MEMBERS - 1):
        columns = [{"name": f"column_{rng.randrange(10**6)}", "type": "string"} for _ in range(each // 48)]
        folder = rng.choice(("datasets", "recipes", "scenarios", "insights"))
        yield (
            f"project_config/{folder}/object_{number}.json",
            _body(json.dumps({"versionTag": {"versionNumber": number}, "columns": columns}).encode()),
        )
    # Half of it rows of text, which pack well, half floats, which do not: together as a bundle with data and models.
    small = [_body(_mixed(rng, size)) for size in (40_000, 80_000, 120_000)]
    rest = MEMBERS - JSON_MEMBERS - LARGE_MEMBERS
    for number in range(rest):
        yield f"managed_datasets/part-{number:05}.csv", small[number % len(small)]
    left = ARCHIVE - sum(len(small[n % len(small)].packed) for n in range(rest))
    large = _body(_mixed(rng, 64 * 1024**2))
    ratio = len(large.packed) / large.size
    del large
    whole = _body(_mixed(rng, int(1.05 * left / LARGE_MEMBERS / ratio)))
    for number in range(LARGE_MEMBERS):
        yield f"saved_models/model_{number}/weights.bin", whole


def _mixed(rng: random.Random, size: int) -> bytes:
    blocks = [
        "".join(f"{rng.randrange(10**6)};customer;{rng.choice('MF')};yes\n" for _ in range(2000)).encode()
        if number % 2
        else rng.randbytes(50_000)
        for number in range(20)
    ]
    found = b"".join(rng.choice(blocks) for _ in range(size // 50_000 + 2))
    start = rng.randrange(1000)
    return found[start : start + size]


def _written(archive: IO[bytes]) -> None:
    """A zip with each body as it is packed already: the time goes into reading it."""
    directory = []
    for path, body in _members():
        name, offset = path.encode(), archive.tell()
        if offset > 0xFFFFFFFF:
            raise AssertionError("manifest: this writer knows no zip64")
        common = struct.pack(
            "<5H3L2H", 20, 0x0800, 8, 0, 33, body.crc, len(body.packed), body.size, len(name), 0
        )
        archive.write(b"PK\x03\x04" + common + name + body.packed)
        directory.append(
            b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<3H2L", 0, 0, 0, 0, offset) + name
        )
    start = archive.tell()
    for entry in directory:
        archive.write(entry)
    size = archive.tell() - start
    archive.write(
        struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(directory), len(directory), size, start, 0)
    )
