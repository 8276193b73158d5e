"""DSS's project standards as a table, on pages and in reports alike. Judges nothing."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from governance.sentences import severity_word
from governance.standards import SEVERITIES


def standards_table(result: Mapping[str, Any]) -> dict[str, Any]:
    """Each check of DSS's project standards with what it found, the gravest first."""
    words = {"RUN_SUCCESS": "", "NOT_APPLICABLE": _("does not apply"), "RUN_ERROR": _("could not be run")}
    rows = [
        {
            "name": one["name"],
            "said": one["message"],
            "grave": one["severity"] or 0,
            "found": words.get(one["status"], one["status"])
            or severity_word(SEVERITIES[min(max(int(one["severity"] or 0), 0), 5)]),
        }
        for one in result["checks"]
    ]
    rows.sort(key=lambda row: (-int(row["grave"]), row["name"]))
    return {"title": _("Project standards of DSS"), "rows": rows, "scope": result["scope"]}
