"""Wakes the tasks that wait for an event, once its transaction is committed.

The database is the truth: a message carries an id and nothing else, and one that is lost is made good by the sweeps.
Not in charge of which event wakes what: settings.EVENT_TASKS, PROJECT_TASKS and ESTATE_TASKS.
"""

import logging

from django.conf import settings
from kombu.exceptions import OperationalError

from portal.celery import app

logger = logging.getLogger(__name__)

# A person is waiting for the answer: a broker that is away may cost them this much and no more. Left to itself, kombu
# would try to connect for ever.
BRIEFLY = {
    "max_retries": 0,
    "connect_retries_timeout": 2,
    "socket_connect_timeout": 2,
    "socket_timeout": 2,
    "retry_on_timeout": False,
}


def wake(kind: str, subject: str, project: str) -> None:
    """Send the tasks of this kind of event the id in the subject (`request:42` sends "42"), or the project's key.

    Never fails: a broker that is away is logged.
    """
    tasks = [(task, subject.partition(":")[2]) for task in settings.EVENT_TASKS.get(str(kind), [])]
    if project:
        tasks += [(task, project) for task in settings.PROJECT_TASKS.get(str(kind), [])]
    else:
        tasks += [(task, "") for task in settings.ESTATE_TASKS.get(str(kind), [])]
    if not tasks:
        return
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, **BRIEFLY}
    try:
        with app.connection_for_write(transport_options=options) as connection:
            for task, wanted in tasks:
                app.send_task(task, args=[wanted], connection=connection, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning(
            "The broker is away (%s): %s of %s waits for the next sweep.",
            error,
            ", ".join(task for task, _wanted in tasks),
            subject,
        )
