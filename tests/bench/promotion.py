"""What the portal adds to a promotion: its wall time by a real worker over the sum of DSS's own times.

Seconds of DSS work: COUNTERSIGN_BENCH_DSS_SECONDS, 60 by default, a quarter of it the update, the rest the scenarios.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from django.test.utils import override_settings

from deployments.models import Promotion
from portal.celery import app
from portal.dss.sandbox.launch import Sandbox
from tests import servers
from tests.bench.registry import Measured, benchmark
from tests.databases import copied, pointed_at, url_of
from tests.world import World

WAITS = 4  # the update counts for one of these


@benchmark("promotion-wall", unit="s", goal=1.06)
def promotion_wall() -> Measured:
    """A promotion by a real worker, against the time that DSS itself works."""
    total = float(os.environ.get("COUNTERSIGN_BENCH_DSS_SECONDS", "60"))
    with (
        tempfile.TemporaryDirectory() as name,
        copied("sqlite") as database,
        pointed_at(database),
        servers.valkey(Path(name) / "valkey") as broker,
        Sandbox(Path(name) / "sandbox", pace=0.0) as sandbox,
        override_settings(DSS_KEY_DIR=name, EVENT_TASKS={}, PROJECT_TASKS={}, ESTATE_TASKS={}),
    ):
        for node in sandbox.nodes.values():
            key = Path(name) / node.key_name
            key.touch(mode=0o600)
            key.write_text(node.key)
        world = World(sandbox)
        # Not a first promotion: then the deployment is there.
        world.promoted()
        bundle = world.bundle()
        with world.dss("prod") as dss:
            runs = len([one for one in dss.scenarios("CHURN") if one.id.startswith("TEST")])
        each = total / WAITS
        # One wait is the update; the runs share the rest, so that the sum is what was asked for.
        sandbox.control.set_durations(
            update=1000 * each, scenario=1000 * each * (WAITS - 1) / runs, scenario_start=0
        )
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "COUNTERSIGN_DEMO": "1",
            "COUNTERSIGN_DATABASE_URL": url_of(database),
            "COUNTERSIGN_DATA_DIR": name,
            "COUNTERSIGN_BROKER_URL": broker.url,
            "COUNTERSIGN_DSS_KEY_DIR": name,
        }
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "portal.celery", "worker", "--beat"),
                *("--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"),
                *("--pidfile", "", "--schedule", str(Path(name) / "beat")),
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with app.connection_for_write(url=broker.url) as connection:
                app.send_task("deployments.tasks.sweep", connection=connection)
                with broker.client() as client:
                    servers.until(lambda: client.llen("celery") == 0, "the worker's start", 60)
                promotion = world.promote(bundle)
                began = time.monotonic()
                app.send_task(
                    "deployments.tasks.advance_promotion", args=[str(promotion.pk)], connection=connection
                )

            def over() -> bool:
                time.sleep(0.02)
                return Promotion.objects.get(pk=promotion.pk).status != "running"

            servers.until(over, "the promotion's end", 3 * total + 60)
            took = time.monotonic() - began
        finally:
            worker.terminate()
            worker.wait()
        ended = Promotion.objects.get(pk=promotion.pk)
        if ended.status != "succeeded":
            raise RuntimeError(f"the promotion ended {ended.status}: {ended.reason}")
        return Measured(took, total)
