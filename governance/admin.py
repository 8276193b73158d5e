"""Governance in the Django admin: to look at, never to change."""

from django.contrib import admin

from governance.models import Collection, Document, Evidence, PolicyVersion, Report, SignOff, Withdrawal
from portal.admin import Look

for model in (Collection, Document, Evidence, PolicyVersion, Report, SignOff, Withdrawal):
    admin.site.register(model, Look)
