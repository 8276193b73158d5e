"""Turns a composed report into one HTML page, styles and drawings inside. Not in charge of what the report says."""

from django.template.loader import render_to_string

from governance.report.values import AuditReport


def html(report: AuditReport) -> str:
    """The report as one HTML page; the same values give the same text."""
    return render_to_string("report/report.html", {"report": report})
