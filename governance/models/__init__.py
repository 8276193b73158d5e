"""What is judged, and by which rules."""

from governance.models.evidence import Collection, Document, Evidence
from governance.models.policy import PolicyVersion
from governance.models.report import Report
from governance.models.signoff import SignOff, Withdrawal

__all__ = ["Collection", "Document", "Evidence", "PolicyVersion", "Report", "SignOff", "Withdrawal"]
