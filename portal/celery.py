"""The Celery application. Configuration only; tasks are found by name in each app's tasks.py."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, worker_before_create_process

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# Django's checks load every URL, and with them what only pages need (SAML, passkeys, SCIM): memory a worker can spare.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_after_setup.connect
@worker_before_create_process.connect
def share_memory(**_named: Any) -> None:
    """Before beat and the pool fork: what is loaded by now stays, and a collection that marks it would copy its pages
    into each child."""
    gc.collect()
    gc.freeze()
