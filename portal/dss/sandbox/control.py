"""A small client of the control API, for tests and the demo: tell the sandbox what to do beyond DSS's own calls."""

from typing import Any

import requests

_TIMEOUT_SECONDS = 30


class Control:
    """Speaks to one sandbox. `url` and `token` are what `--json` printed under `control`."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.token = token

    def call(self, method: str, verb: str, /, **body: Any) -> Any:
        """One control request; raises RuntimeError with the sandbox's sentence when it is refused."""
        answer = requests.request(
            method,
            f"{self.url}/{verb}",
            json=body or None,
            headers={"X-Sandbox-Token": self.token},
            timeout=_TIMEOUT_SECONDS,
        )
        value = answer.json()
        if answer.status_code >= 400:
            raise RuntimeError(value.get("message", answer.text))
        return value

    # Faults

    def fault(self, kind: str, **matcher_and_parameters: Any) -> str:
        """Install a fault and return its id.

        Matchers: node, method, path (regular expression on the path after the base), project, deployment, scenario,
        bundle, job_type. `times` defaults to 1, None means until cleared. Kinds and their parameters: `faults.py`.
        """
        return str(self.call("POST", "faults", kind=kind, **matcher_and_parameters)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Installed faults with `times` left and `hits`."""
        found: list[dict[str, Any]] = self.call("GET", "faults")
        return found

    def clear_faults(self, id: str = "") -> None:
        """Remove one fault, or all."""
        self.call("DELETE", "faults", id=id)

    # The world

    def durations(self) -> dict[str, float]:
        """Durations in force, in milliseconds."""
        found: dict[str, float] = self.call("GET", "durations")
        return found

    def set_durations(self, **milliseconds: float) -> None:
        """Set durations exactly (not scaled by the pace): update, scenario_start, scenario, documentation, ..."""
        self.call("PUT", "durations", **milliseconds)

    def apply_revision(self, project: str, revision: str) -> None:
        """Move a Design project to a revision of the demo (CHURN v1 to v5, FRAUD and MAINT v1 and v2)."""
        self.call("POST", "revision", project=project, revision=revision)

    def revisions(self) -> dict[str, list[str]]:
        """Revisions by project."""
        found: dict[str, list[str]] = self.call("GET", "revisions")
        return found

    def set_rows(self, rows: int, project: str = "", dataset: str = "") -> None:
        """Row count of one data set, or of all."""
        self.call("PUT", "rows", rows=rows, project=project, dataset=dataset)

    def set_ballast(self, size_bytes: int) -> None:
        """Have every later export carry a member of this size, to make large archives."""
        self.call("PUT", "ballast", bytes=size_bytes)

    def set_governance(self, project: str, bundle: str, approved: bool | None) -> None:
        """Govern's word on a bundle: approved, rejected, or none yet."""
        self.call("PUT", "governance", project=project, bundle=bundle, approved=approved)

    def set_standards(
        self, project: str, check: str = "", severity: int | None = 0, *, none: bool = False
    ) -> None:
        """What a check of the project standards finds in a project's bundles: 0 to 5, None where it cannot be run;
        `none`: there are no standards at all."""
        self.call("PUT", "standards", project=project, check=check, severity=severity, none=none)

    def set_connection(
        self, node: str, name: str, tables: list[str] | None, type: str = "PostgreSQL"
    ) -> None:
        """Create or change a connection with its tables; None removes it."""
        self.call("PUT", "connection", node=node, name=name, tables=tables, type=type)

    def set_code_env(self, node: str, name: str, present: bool) -> None:
        """Add or remove a code environment."""
        self.call("PUT", "code-env", node=node, name=name, present=present)

    def activate_behind(self, node: str, project: str, bundle: str) -> list[dict[str, Any]]:
        """Activate a published or imported bundle behind everybody's back; returns the messages."""
        told: list[dict[str, Any]] = self.call("POST", "activate", node=node, project=project, bundle=bundle)
        return told

    def reset(self) -> None:
        """A fresh estate with the same port, keys and pace; faults, counters and overrides are gone."""
        self.call("POST", "reset")
        self.clear_requests()

    def keep(self, name: str) -> None:
        """Keep the estate as it is now under a name, also beyond the end of the process."""
        self.call("POST", "keep", name=name)

    def back_to(self, name: str) -> None:
        """The estate as it was when it was kept, faults, counters and overrides included."""
        self.call("POST", "back", name=name)

    # What happened

    def counters(self) -> dict[str, dict[str, int]]:
        """Effects by name and subject; see docs/sandbox.md for the names."""
        found: dict[str, dict[str, int]] = self.call("GET", "counters")
        return found

    def count(self, name: str, subject: str) -> int:
        """One counter; 0 when the effect never happened."""
        return self.counters().get(name, {}).get(subject, 0)

    def requests(self) -> list[dict[str, Any]]:
        """Requests since the start (in memory): number, at, node, login, method, path, query, status, ms."""
        found: list[dict[str, Any]] = self.call("GET", "requests")
        return found

    def clear_requests(self) -> None:
        """Forget the requests seen."""
        self.call("DELETE", "requests")

    def audit(self) -> list[dict[str, Any]]:
        """Custom audit entries: node, type, params, by, at (ms)."""
        found: list[dict[str, Any]] = self.call("GET", "audit")
        return found

    def keys(self) -> list[dict[str, Any]]:
        """Every key: node, login, key, label, kind, admin."""
        found: list[dict[str, Any]] = self.call("GET", "keys")
        return found
