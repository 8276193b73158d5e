"""Turns a composed report into one HTML page, styles and drawings inside. Not in charge of what the report says."""

from django.template.loader import render_to_string

from governance.report.values import AuditReport, RightsReport


def html(report: AuditReport | RightsReport) -> str:
    """The report as one HTML page; the same values give the same text."""
    template = "report/report.html" if isinstance(report, AuditReport) else "report/rights.html"
    return render_to_string(template, {"report": report})
