"""What is judged, and by which rules."""

from governance.models.access_review import (
    REVIEW_MOVES,
    AccessReview,
    ReviewedGrant,
    ReviewPlace,
    ReviewSignature,
)
from governance.models.evidence import Collection, Document, Evidence, ExternalDelivery
from governance.models.materiality import MaterialityAnswer
from governance.models.opening import Opening
from governance.models.policy import PolicyVersion
from governance.models.report import Report
from governance.models.signoff import Condition, Fulfilment, SignOff, Withdrawal
from governance.models.waiver import Waiver, WaiverAnswer, WaiverWithdrawal

__all__ = [
    "REVIEW_MOVES",
    "AccessReview",
    "Collection",
    "Condition",
    "Document",
    "Evidence",
    "ExternalDelivery",
    "Fulfilment",
    "MaterialityAnswer",
    "Opening",
    "PolicyVersion",
    "Report",
    "ReviewPlace",
    "ReviewSignature",
    "ReviewedGrant",
    "SignOff",
    "Waiver",
    "WaiverAnswer",
    "WaiverWithdrawal",
    "Withdrawal",
]
