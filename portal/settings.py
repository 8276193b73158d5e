"""Settings, read from the environment (documented in docs/settings.md). Configuration only, no logic.

Safe by default: no DEBUG, no default secret key, secure cookies. `COUNTERSIGN_DEMO=1` (set by `./dev demo` and by the
tests) is the only thing that relaxes this, and says so on every page.
"""

from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# Any variable may be given as a file instead: COUNTERSIGN_SECRET_KEY_FILE names the file holding the secret key.
env = environ.FileAwareEnv()
env.prefix = "COUNTERSIGN_"

DEMO: bool = env.bool("DEMO", default=False)
DEBUG = False
SECRET_KEY: str = env.str("SECRET_KEY", default="demo-only-not-a-secret" if DEMO else environ.Env.NOTSET)
ALLOWED_HOSTS: list[str] = env.list("HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("ORIGINS", default=[])
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))

# --- what the portal is made of -----------------------------------------------------------------------------

INSTALLED_APPS = [
    # First: its commands createsuperuser and changepassword stand before those of django.contrib.auth.
    "portal",
    # What it shows is looked up by portal.urls: commands and workers have no pages to load it for.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.saml",
    "governance",
    "deployments",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.uploads.LimitMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.addresses.ReadableMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.sessions.PresenceMiddleware",
    "portal.pages.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.pages.PersonZoneMiddleware",
    "portal.pages.RefusalMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.pages.navigation",
            ],
            "builtins": ["portal.templatetags.ui"],
        },
    }
]

# --- database -----------------------------------------------------------------------------------------------
# SQLite serves the demo and one-machine trials: IMMEDIATE transactions stand in for row locks, and FULL keeps a
# committed approval through a power cut. Production is PostgreSQL (COUNTERSIGN_DATABASE_URL).

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'countersign.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;"
            "PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=27103364; PRAGMA cache_size=-20000;"
        ),
    }
elif env.bool("DATABASE_KEEPS_PLANS", default=True):
    # What is asked often enough is planned once a connection (portal/prepared.py).
    DATABASES["default"].setdefault("OPTIONS", {})["prepare_threshold"] = 2
if DATABASE_PASSWORD := env.str("DATABASE_PASSWORD", default="").strip():
    DATABASES["default"]["PASSWORD"] = DATABASE_PASSWORD
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "portal.Person"
AUTHENTICATION_BACKENDS = ["portal.backends.PersonBackend"]
SILENCED_SYSTEM_CHECKS = [
    "guardian.W001"
]  # rights are asked of portal.rights, never of an authentication backend
GUARDIAN_MONKEY_PATCH_USER = False
GUARDIAN_MONKEY_PATCH_GROUP = False
ANONYMOUS_USER_NAME = None
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "inbox"
LOGOUT_REDIRECT_URL = "login"
# Numbers beside entries of the navigation, by URL name: functions of a person, named because the portal imports nobody.
NAV_COUNTS = {"changes": "portal.queries.count_changes"}
# The same where counting takes longer than a page: names of URLs that the page asks once it is there.
NAV_COUNTS_LATER = {"inbox": "inbox-count"}
SESSION_ENGINE = "portal.sessions"
SESSION_COOKIE_AGE = env.int("SESSION_SECONDS", default=8 * 3600)
SESSION_IDLE_SECONDS: int = env.int("SESSION_IDLE_SECONDS", default=3600)
SESSIONS_PER_PERSON: int = env.int("SESSIONS_PER_PERSON", default=50 if DEMO else 5)
# Failed tries within SIGN_IN_WAIT_SECONDS, of one login and from one address, before the next have to wait for its end.
SIGN_IN_TRIES: int = env.int("SIGN_IN_TRIES", default=5)
SIGN_IN_TRIES_PER_ADDRESS: int = env.int("SIGN_IN_TRIES_PER_ADDRESS", default=50)
SIGN_IN_WAIT_SECONDS: int = env.int("SIGN_IN_WAIT_SECONDS", default=900)
RESET_SECONDS: int = env.int("RESET_SECONDS", default=86400)
SESSION_COOKIE_NAME = "countersign_session"
CSRF_COOKIE_NAME = "countersign_csrf"
CSRF_FAILURE_VIEW = "portal.pages.stale_page"

# --- identity providers -------------------------------------------------------------------------------------
# One by OIDC and one by SAML, each there when it is named. allauth speaks the protocols; portal/sso.py is the door.

OIDC_ISSUER: str = env.str("OIDC_ISSUER", default="")
OIDC_NAME: str = env.str("OIDC_NAME", default="single sign-on")
OIDC_GROUPS_CLAIM: str = env.str("OIDC_GROUPS_CLAIM", default="groups")
OIDC_LOGIN_CLAIM: str = env.str("OIDC_LOGIN_CLAIM", default="preferred_username")
SAML_IDP: str = env.str("SAML_IDP", default="")
SAML_NAME: str = env.str("SAML_NAME", default="SAML sign-on")
SAML_GROUPS_ATTRIBUTE: str = env.str("SAML_GROUPS_ATTRIBUTE", default="groups")
SAML_LOGIN_ATTRIBUTE: str = env.str("SAML_LOGIN_ATTRIBUTE", default="login")
SAML_NAME_ATTRIBUTE: str = env.str("SAML_NAME_ATTRIBUTE", default="name")
SAML_EMAIL_ATTRIBUTE: str = env.str("SAML_EMAIL_ATTRIBUTE", default="email")
SSO_ADDS_PEOPLE: bool = env.bool("SSO_ADDS_PEOPLE", default=True)
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC_NAME,
                "client_id": env.str("OIDC_CLIENT_ID", default=""),
                "secret": env.str("OIDC_CLIENT_SECRET", default="").strip(),
                "settings": {
                    "server_url": OIDC_ISSUER,
                    "oauth_pkce_enabled": True,
                    "scope": env.list("OIDC_SCOPES", default=["openid", "profile", "email"]),
                },
            }
        ]
    },
    "saml": {
        "APPS": [
            {
                "provider_id": "saml",
                "name": SAML_NAME,
                "client_id": "saml",
                "settings": {
                    "idp": {
                        "entity_id": SAML_IDP,
                        "sso_url": env.str("SAML_SSO_URL", default=""),
                        "x509cert": env.str("SAML_CERTIFICATE", default=""),
                    },
                    "sp": {"entity_id": env.str("SAML_ENTITY_ID", default="")},
                    "attribute_mapping": {},
                    "advanced": {
                        "strict": True,
                        "want_assertion_signed": True,
                        "want_name_id": True,
                        "want_attribute_statement": False,
                        "reject_idp_initiated_sso": True,
                        "reject_deprecated_algorithm": True,
                        "allow_single_label_domains": True,  # inside a network the portal may be https://countersign
                        "name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
                    },
                },
            }
        ]
    },
}
SOCIALACCOUNT_ADAPTER = "portal.providers.Adapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = env.int("SSO_SECONDS", default=5)
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
ACCOUNT_USER_MODEL_USERNAME_FIELD = "login"
ACCOUNT_EMAIL_VERIFICATION = "none"

# --- transport ----------------------------------------------------------------------------------------------

HTTPS: bool = env.bool("HTTPS", default=not DEMO)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT: bool = env.bool("HTTPS_REDIRECT", default=HTTPS)
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31536000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY: bool = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- e-mail -------------------------------------------------------------------------------------------------
# Sent where a mail server is named; the demo keeps its letters in files, which it shows on a page.

ADDRESS: str = env.str("ADDRESS", default=f"{'https' if HTTPS else 'http'}://{ALLOWED_HOSTS[0]}")
EMAIL_URL: str = env.str("EMAIL_URL", default="")
MAILS: bool = DEMO or bool(EMAIL_URL)
MAIL_DIR = DATA_DIR / "mail"
vars().update(
    env.email_url_config(EMAIL_URL)
    if EMAIL_URL
    else {
        "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "EMAIL_FILE_PATH": str(MAIL_DIR),
    }
)
if EMAIL_PASSWORD := env.str("EMAIL_PASSWORD", default="").strip():
    EMAIL_HOST_PASSWORD = EMAIL_PASSWORD  # apart from the URL, so that it can be a file of its own
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL: str = env.str("EMAIL_FROM", default="Countersign <countersign@localhost>")

# --- language, time, static files ---------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
STATICFILES_DIRS: list[Path] = []
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if env.bool("STATIC_MANIFEST", default=not DEMO)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEMO

# --- large contents -----------------------------------------------------------------------------------------
# What people upload and what is rendered, where it is larger than the threshold: in a bucket or a directory instead of
# the database, where one is named (portal/content.py).

UPLOAD_BYTES: int = int(env.float("UPLOAD_MB", default=25.0) * 1_000_000)
CONTENTS_ABOVE_BYTES: int = int(env.float("CONTENTS_ABOVE_KB", default=256.0) * 1000)
CONTENTS_DIR: str = env.str("CONTENTS_DIR", default="")
BUCKET: str = env.str("BUCKET", default="")
if BUCKET:
    STORAGES["contents"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": BUCKET,
            "endpoint_url": env.str("BUCKET_ENDPOINT", default="") or None,
            "region_name": env.str("BUCKET_REGION", default="") or None,
            "access_key": env.str("BUCKET_ACCESS_KEY", default="").strip() or None,
            "secret_key": env.str("BUCKET_SECRET_KEY", default="").strip() or None,
            "location": env.str("BUCKET_PREFIX", default=""),
            "addressing_style": env.str("BUCKET_ADDRESSING", default="auto"),
            "default_acl": None,
            "file_overwrite": True,  # the name is the digest: the same name is the same bytes
            "querystring_auth": True,
            "max_memory_size": 2_500_000,  # beyond it boto3 spools to a temporary file
        },
    }
elif CONTENTS_DIR:
    STORAGES["contents"] = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": CONTENTS_DIR, "file_permissions_mode": 0o440},
    }

# --- REST API -----------------------------------------------------------------------------------------------

# Counts while a file is read, whatever was said about its length before.
FILE_UPLOAD_HANDLERS = [
    "portal.uploads.LimitHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.api.auth.TokenAuthentication",
        "portal.api.auth.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "portal.api.paging.Pages",
    "PAGE_SIZE": 50,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "portal.api.schema.Schema",
    "EXCEPTION_HANDLER": "portal.api.problems.problem",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Countersign",
    "DESCRIPTION": "Governed deployment of Dataiku DSS projects. Errors are RFC 9457 problem+json.",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    # Several nouns have a status or a kind of their own.
    "ENUM_NAME_OVERRIDES": {
        "ChangeStatus": "portal.models.change.Change.Status",
        "BundleStatus": "portal.models.bundle.Bundle.Status",
        "CollectionStatus": "governance.models.evidence.Collection.Status",
        "ReportStatus": "governance.models.report.Report.Status",
        "AccessReviewStatus": "governance.models.access_review.AccessReview.Status",
        "RequestStatus": "deployments.models.request.DeploymentRequest.Status",
        "PromotionStatus": "deployments.models.promotion.Promotion.Status",
        "StepStatus": "deployments.models.promotion.Step.Status",
        "TokenStatus": "portal.models.person.Token.Status",
        "DelegationStatus": "portal.models.delegation.Delegation.Status",
        "CounterpartKind": "portal.models.counterpart.Counterpart.Kind",
        "NotificationKind": "portal.models.notification.Notification.Kind",
        "NodeKind": "portal.models.estate.Node.Kind",
        "FactorKind": "portal.models.factor.Factor.Kind",
        "WaiverState": "governance.models.waiver.Waiver.State",
        "EvidenceKind": "governance.models.evidence.Evidence.Kind",
        "PromotionKind": "deployments.models.promotion.Promotion.Kind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- work in the background ---------------------------------------------------------------------------------

CELERY_BROKER_URL: str = env.str("BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.int("BROKER_VISIBILITY_SECONDS", default=120),
    # kombu 5.7 looks for lost messages only every interval x throttle = 100 s unless told otherwise
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "global_keyprefix": env.str("BROKER_PREFIX", default=""),
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = env.int("WORKERS", default=2)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
SWEEP_SECONDS: float = env.float("SWEEP_SECONDS", default=5.0)
CHECKPOINT_SECONDS: float = env.float("CHECKPOINT_SECONDS", default=600.0)
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "deployments.tasks.sweep", "schedule": SWEEP_SECONDS},
    "sweep-ready": {"task": "deployments.tasks.sweep_ready", "schedule": SWEEP_SECONDS},
    "sweep-looks": {"task": "deployments.tasks.sweep_looks", "schedule": SWEEP_SECONDS},
    "sweep-bundles": {"task": "portal.tasks.sweep_bundles", "schedule": SWEEP_SECONDS},
    "sweep-collections": {"task": "governance.tasks.sweep_collections", "schedule": SWEEP_SECONDS},
    "send-mail": {"task": "portal.tasks.send_mail", "schedule": SWEEP_SECONDS},
    "sweep-reports": {"task": "governance.tasks.sweep_reports", "schedule": SWEEP_SECONDS},
    "close-reviews": {"task": "governance.tasks.close_access_reviews", "schedule": 60.0},
    "start-review": {"task": "governance.tasks.start_access_review", "schedule": 3600.0},
    "checkpoint": {"task": "portal.tasks.cut_checkpoint", "schedule": CHECKPOINT_SECONDS},
    "forget-ended": {"task": "portal.tasks.forget_ended", "schedule": 3600.0},
}
# Which event wakes which task, sent on commit with the event's subject id. Strings only: nobody imports upward.
_MAIL = "portal.tasks.send_mail"
_LOOK_AFTER_ALL = "deployments.tasks.look_after_all"
EVENT_TASKS: dict[str, list[str]] = {
    "bundle.asked": ["portal.tasks.register_bundle"],
    "collection.asked": ["governance.tasks.collect_evidence"],
    "promotion.started": ["deployments.tasks.advance_promotion"],
    "report.asked": ["governance.tasks.make_report"],
    "signoff.asked": [_MAIL],
    "signoff.reminded": [_MAIL],
    "signoff.escalated": [_MAIL],
    "signoff.lapsed": [_MAIL],
    "waiver.asked": [_MAIL],
    "waiver.granted": [_MAIL],
    "waiver.refused": [_MAIL],
    "waiver.withdrawn": [_MAIL],
    "waiver.lapsed": [_MAIL],
    "waiver.reminded": [_MAIL],
    "waiver.escalated": [_MAIL],
    "request.commented": [_MAIL],
    # What a signature of any request may depend on.
    "policy.published": [_LOOK_AFTER_ALL],
    "person.disabled": [_LOOK_AFTER_ALL],
    "person.enabled": [_LOOK_AFTER_ALL],
    "person.left": [_LOOK_AFTER_ALL],
    "team.joined": [_LOOK_AFTER_ALL],
    "team.left": [_LOOK_AFTER_ALL],
    "delegation.made": [_LOOK_AFTER_ALL],
    "delegation.ended": [_LOOK_AFTER_ALL],
    "portfolio.gained": [_LOOK_AFTER_ALL],
    "portfolio.lost": [_LOOK_AFTER_ALL],
}
# The same, sent with the key of the event's project: what may be the last thing that a request there waited for, and
# whom to ask, and which signature counts no more.
_START_READY, _LOOK_AFTER = "deployments.tasks.start_ready", "deployments.tasks.look_after"
PROJECT_TASKS: dict[str, list[str]] = {
    **{
        kind: [_START_READY, _LOOK_AFTER]
        for kind in (
            "request.submitted",
            "signoff.given",
            "evidence.recorded",
            "document.recorded",
            "deployment.changed",
            "project.reruled",
            "grant.given",
        )
    },
    **{
        kind: [_START_READY]
        for kind in (
            "promotion.succeeded",
            "promotion.failed",
            "promotion.errored",
            "promotion.stopped",
            "lane.released",
        )
    },
    "condition.met": [_START_READY, _LOOK_AFTER],
    "request.ticketed": [_START_READY],
    "waiver.granted": [_START_READY, _LOOK_AFTER],
    # Taking back an objection may be the last thing, too.
    "signoff.withdrawn": [_START_READY, _LOOK_AFTER],
    **{kind: [_LOOK_AFTER] for kind in ("waiver.withdrawn", "grant.revoked", "request.held")},
}
# The same of what happens on the estate or a portfolio, which is no project's event: any may depend on it.
ESTATE_TASKS: dict[str, list[str]] = {kind: [_LOOK_AFTER_ALL] for kind in ("grant.given", "grant.revoked")}
# Whoever can sign is asked once the signature has been missing for so long: what is on its way may make it needless.
# Whoever was asked and does not is reminded after this time, up to three times; whoever manages the project is
# told once after the second; 0: never.
ASK_AFTER_SECONDS: float = env.float("ASK_AFTER_SECONDS", default=30.0)
REMIND_SECONDS: float = env.float("REMIND_SECONDS", default=2 * 86400.0)
ESCALATE_SECONDS: float = env.float("ESCALATE_SECONDS", default=5 * 86400.0)
# For how many days at most a finding is waived; a policy may say less of a requirement, or never.
WAIVER_DAYS: int = env.int("WAIVER_DAYS", default=90)
# --- four eyes on power -------------------------------------------------------------------------------------
# Giving rights, publishing policies and changing the estate wait for a second administrator; a tier always does.

SECOND_ADMIN: bool = env.bool("SECOND_ADMIN", default=not DEMO)
# Whether the review of the repository that files come from is the second pair of eyes (manage.py ... apply).
REPOSITORY_REVIEWED: bool = env.bool("REPOSITORY_REVIEWED", default=False)
# Who changed the rights or the policy that a request depends on within this time does not sign for it; 0: nobody is
# kept from it.
COOLING_OFF_SECONDS: float = env.float("COOLING_OFF_SECONDS", default=7 * 86400.0)
# Every how many days an access review of the whole estate starts by itself (0: never), and how long it may be answered.
ACCESS_REVIEW_DAYS: int = env.int("ACCESS_REVIEW_DAYS", default=0)
ACCESS_REVIEW_DUE_DAYS: int = env.int("ACCESS_REVIEW_DUE_DAYS", default=21)
# Who knows what a kind of change does: instances of portal.actions.changes.Kind, named because nobody imports upward.
CHANGES: dict[str, str] = {
    "rights": "portal.actions.edits.RIGHTS",
    "policy": "governance.actions.policies.POLICIES",
    "tier": "governance.actions.tiers.TIERS",
    "estate": "portal.actions.landscape.ESTATE",
    "groups": "portal.actions.mappings.GROUPS",
    "absence": "portal.actions.delegations.ABSENCES",
}

# What is done in the transaction that registers a bundle, with what its code is like; named for the same reason.
ON_REGISTERED: list[str] = ["governance.actions.test_reports.record_project"]

# Who knows what somebody who leaves has to hand over: instances of portal.actions.leaving.Duties, by the first word of
# their keys, in the order in which it is shown and done.
DUTIES: dict[str, str] = {
    "project": "portal.actions.leaving.PROJECTS",
    "request": "deployments.actions.leaving.REQUESTS",
    "delegation": "portal.actions.leaving.DELEGATIONS",
    "change": "portal.actions.leaving.CHANGES",
    "role": "portal.actions.leaving.ROLES",
}

# A lease is how long a worker may be silent inside one step before another may take the step over.
LEASE_SECONDS: float = env.float("LEASE_SECONDS", default=90.0)

# --- DSS ----------------------------------------------------------------------------------------------------

DSS_KEY_DIR: str = env.str("DSS_KEY_DIR", default="")
DSS_KEY_PREFIX = "COUNTERSIGN_DSS_KEY_"
# The same for keys that external checks sign with.
CHECK_KEY_DIR: str = env.str("CHECK_KEY_DIR", default="")
CHECK_KEY_PREFIX = "COUNTERSIGN_CHECK_KEY_"
DSS_CONNECT_SECONDS: float = env.float("DSS_CONNECT_SECONDS", default=5.0)
DSS_READ_SECONDS: float = env.float("DSS_READ_SECONDS", default=60.0)
# The most that is taken of one stream: a bundle's archive, which is kept in a temporary file meanwhile, or a dataset.
DSS_STREAM_MB: float = env.float("DSS_STREAM_MB", default=8192.0)
DSS_STREAM_SECONDS: float = env.float("DSS_STREAM_SECONDS", default=3600.0)

# --- proof --------------------------------------------------------------------------------------------------
# The Ed25519 key that signs checkpoints and statements: a PEM file, made on first use in the demo only.

SIGNING_KEY_FILE = Path(env.str("SIGNING_KEY_FILE", default=str(DATA_DIR / "signing-key.pem")))
LEDGER_ORIGIN: str = env.str("LEDGER_ORIGIN", default="countersign.example/ledger")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "fontTools": {"level": "ERROR"},
        "weasyprint": {"level": "ERROR"},
    },
}
