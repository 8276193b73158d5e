"""The Celery application. Configuration only; tasks are found by name in each app's tasks.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Django's checks load every URL, and with them what only pages need (SAML, passkeys, SCIM): memory a worker can spare.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
