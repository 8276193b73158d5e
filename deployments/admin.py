"""Deployments in the Django admin: to look at, never to change."""

from django.contrib import admin

from deployments.models import (
    Ask,
    Comment,
    Counted,
    CountedWaiver,
    Deployment,
    DeploymentRequest,
    Promotion,
    Step,
)
from portal.admin import Look

for model in (Ask, Comment, Counted, CountedWaiver, Deployment, DeploymentRequest, Promotion, Step):
    admin.site.register(model, Look)
