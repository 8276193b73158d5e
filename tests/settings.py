"""The portal's settings as the tests run them: the run's own directory, cheap password hashes, one of two databases.

`COUNTERSIGN_TEST_DATABASE` is `postgres` (the default) or `sqlite`. Nothing is started here: see tests/servers.py.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def place_for_runs() -> str:
    """In memory where there is room: a PostgreSQL database is copied there in a tenth of the time.

    Short in any case, because a Unix socket's path may have 107 bytes only.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30:
        return str(memory)
    return tempfile.gettempdir() if len(tempfile.gettempdir()) < 60 else "/tmp"


# The first process of a run makes its directory; test workers and servers inherit it. Others may pass through, because
# PostgreSQL does not run as root.
if "COUNTERSIGN_TEST_RUN" not in os.environ:
    os.environ["COUNTERSIGN_TEST_RUN"] = tempfile.mkdtemp(prefix="countersign-", dir=place_for_runs())
    os.environ["COUNTERSIGN_TEST_RUN_PID"] = str(os.getpid())
    os.chmod(os.environ["COUNTERSIGN_TEST_RUN"], 0o711)
    atexit.register(shutil.rmtree, os.environ["COUNTERSIGN_TEST_RUN"], ignore_errors=True)
RUN = Path(os.environ["COUNTERSIGN_TEST_RUN"])
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

os.environ["COUNTERSIGN_DEMO"] = "1"
os.environ["COUNTERSIGN_DATA_DIR"] = str(RUN / f"data-{WORKER}")
# WhiteNoise warns when the directory of collected files, of which the tests have none, is missing.
(RUN / f"data-{WORKER}" / "static").mkdir(parents=True, exist_ok=True)
os.environ["COUNTERSIGN_LOG_LEVEL"] = "WARNING"
for name in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "HOSTS", "HTTPS", "SIGNING_KEY_FILE", "DSS_KEY_DIR"):
    os.environ.pop(f"COUNTERSIGN_{name}", None)

from portal import settings as portal_settings  # noqa: E402
from portal.settings import *  # noqa: E402, F403

SQLITE_DATABASE = portal_settings.DATABASES["default"]
POSTGRES_DATABASE = {
    **SQLITE_DATABASE,
    "ENGINE": "django.db.backends.postgresql",
    "HOST": str(RUN / "postgres"),
    "USER": "countersign",
    "NAME": "postgres",
    "OPTIONS": {"prepare_threshold": 2},
}
TEST_DATABASE = os.environ.setdefault("COUNTERSIGN_TEST_DATABASE", "postgres")
DATABASES = {"default": dict({"postgres": POSTGRES_DATABASE, "sqlite": SQLITE_DATABASE}[TEST_DATABASE])}

# Files are looked for when they are asked for: every test client would read all of them at its start otherwise.
WHITENOISE_AUTOREFRESH = True

# Signing in is not what most tests are about, and scrypt is slow on purpose; the one test about it names scrypt itself.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Nobody is woken by what happens in a project unless a test asks for it: no broker runs beside most of them.
PROJECT_TASKS = {}
ESTATE_TASKS = {}
# Whoever can sign is asked at once; the tests about waiting say how long.
ASK_AFTER_SECONDS = 0.0
