"""Governance in the Django admin: to look at, never to change."""

from django.contrib import admin

from governance.models import (
    AccessReview,
    Collection,
    Condition,
    Document,
    Evidence,
    ExternalDelivery,
    Fulfilment,
    MaterialityAnswer,
    Opening,
    PolicyVersion,
    Report,
    ReviewedGrant,
    ReviewPlace,
    ReviewSignature,
    SignOff,
    Waiver,
    WaiverAnswer,
    WaiverWithdrawal,
    Withdrawal,
)
from portal.admin import Look

for model in (
    *(
        Collection,
        Document,
        Evidence,
        ExternalDelivery,
        MaterialityAnswer,
        Opening,
        PolicyVersion,
        Report,
        SignOff,
        Condition,
        Fulfilment,
        Withdrawal,
    ),
    *(AccessReview, ReviewPlace, ReviewedGrant, ReviewSignature),
    *(Waiver, WaiverAnswer, WaiverWithdrawal),
):
    admin.site.register(model, Look)
