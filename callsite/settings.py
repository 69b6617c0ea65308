"""Settings of callsite. Each value comes from the environment or `.env`, and has a working default.

docs/settings.md lists them. System checks (`manage.py check`) find wrong combinations.
"""

from __future__ import annotations

import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from callsite import __version__, logs
from callsite.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(BASE_DIR / ".env")

# --- Django -----------------------------------------------------------------------------------------------

DEBUG = env.flag("DJANGO_DEBUG", False)
DEVELOPMENT_KEY = "insecure-development-key-" * 3  # public; callsite.checks makes it an error outside of development
SECRET_KEY = env.text("DJANGO_SECRET_KEY", DEVELOPMENT_KEY if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY is empty: set it to 50 or more random characters.")
ALLOWED_HOSTS = env.items("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    *(["daphne"] if "runserver" in sys.argv else []),  # speaks ASGI then; a quarter of a program's start
    "callsite.admin_site.Config",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "axes",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "calls",
    "webhooks",
    "realtime",
    "upstream",
    "simulator",
    "callsite",
]

MIDDLEWARE = [
    "callsite.middleware.give_connection_back",  # first, so it runs last when the response is made
    "callsite.bounded_pages.BoundedWaits",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "callsite.middleware.keep_out_of_caches",  # behind WhiteNoise: static files may be cached
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "callsite.middleware.PlainRefusals",  # before all middleware that reads the database
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "callsite.sign_in_locks.refuse_locked",
]

ROOT_URLCONF = "callsite.urls"
ASGI_APPLICATION = "callsite.asgi.application"
WEBSOCKET_PROTOCOL = "callsite.websocket_protocol:WebSocketProtocol"  # what uvicorn's --ws gets
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "callsite" / "templates"],  # replace some of the admin's templates
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True  # serves the apps' files without collectstatic too
warnings.filterwarnings("ignore", "No directory at", UserWarning)
# WhiteNoise streams files from disk; under ASGI Django reads each in one go, and warns each time.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
MEDIA_ROOT = BASE_DIR / "media"
FILE_UPLOAD_PERMISSIONS = 0o600  # only this process reads recordings

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = ["callsite.passwords.PBKDF2PasswordHasher", *global_settings.PASSWORD_HASHERS[1:]]
SESSION_ENGINE = "callsite.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60  # counted from the sign-in: callsite.sign_ins
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "live"

AUTHENTICATION_BACKENDS = ["callsite.sign_in_locks.Backend"]
AXES_HANDLER = "callsite.sign_in_locks.Handler"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False  # its rows have no names

# --- Database and channel layer ---------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}"),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
    }
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # The pool survives PostgreSQL's restarts. Every wait is bounded, so that a database that is away delays a
    # webhook by seconds and never blocks a thread. A migration that needs longer sets SET LOCAL statement_timeout.
    from callsite.database import BoundedConnection, check_writable

    DATABASES["default"]["OPTIONS"] = {
        # more than pages (callsite.page_door), all Threads and sessions of sockets use at the same time
        "pool": {
            "min_size": 1,
            "max_size": 41,
            "timeout": 3,
            "reconnect_timeout": 5,
            "check": check_writable,
            "connection_class": BoundedConnection,
        },
        "target_session_attrs": "read-write",  # after a failover, skip the server that is a standby now
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        **DATABASES["default"].get("OPTIONS", {}),
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock when a transaction begins. It stands in for all row locks of PostgreSQL.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }

REDIS_URL = env.text("REDIS_URL")
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    from callsite import channel_layer

    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [channel_layer.host(REDIS_URL)], "prefix": "callsite"},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 10_000}}}

# --- ElevenLabs and limits --------------------------------------------------------------------------------

ELEVENLABS_WEBHOOK_SECRET = ",".join(env.items("ELEVENLABS_WEBHOOK_SECRET"))
ELEVENLABS_TOOL_SECRET = ",".join(env.items("ELEVENLABS_TOOL_SECRET"))
ELEVENLABS_CREATE_UNKNOWN_CALLS = env.flag("ELEVENLABS_CREATE_UNKNOWN_CALLS", False)
ELEVENLABS_DYNAMIC_VARIABLES = env.json("ELEVENLABS_DYNAMIC_VARIABLES", "{}")
REDACTED_NAMES = env.items("REDACTED_NAMES")
CALLS_VISIBLE_BY_DEFAULT = env.text("CALLS_VISIBLE_BY_DEFAULT", "all").lower()
if CALLS_VISIBLE_BY_DEFAULT not in ("all", "none"):
    raise ImproperlyConfigured("CALLS_VISIBLE_BY_DEFAULT must be all or none.")
CALLS_END_AFTER_SILENT_HOURS = env.limit("CALLS_END_AFTER_SILENT_HOURS", 6)
CALLS_TIME_ZONE = env.text("CALLS_TIME_ZONE", "UTC")

ELEVENLABS_API_KEY = env.text("ELEVENLABS_API_KEY")
ELEVENLABS_API_URL = env.text("ELEVENLABS_API_URL", "https://api.elevenlabs.io")
ELEVENLABS_AGENT_ID = env.text("ELEVENLABS_AGENT_ID")
ELEVENLABS_PHONE_NUMBER_ID = env.text("ELEVENLABS_PHONE_NUMBER_ID")
DIAL_ALLOWED_PREFIXES = env.items("DIAL_ALLOWED_PREFIXES")
DIAL_DEFAULT_REGION = env.text("DIAL_DEFAULT_REGION").upper()

WEBHOOK_MAX_BYTES = env.limit("WEBHOOK_MAX_BYTES", 64 * 2**20)
WEBHOOK_TURN_MAX_BYTES = env.limit("WEBHOOK_TURN_MAX_BYTES", 2**20)
WS_MAX_SUBSCRIPTIONS = env.limit("WS_MAX_SUBSCRIPTIONS", 100)
WS_MAX_MESSAGE_BYTES = env.limit("WS_MAX_MESSAGE_BYTES", 65_536)
WS_MAX_MESSAGES_PER_SECOND = env.limit("WS_MAX_MESSAGES_PER_SECOND", 20)
WS_MAX_CONNECTIONS_PER_USER = env.limit("WS_MAX_CONNECTIONS_PER_USER", 100)

# --- API --------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["calls.api.permissions.ModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["calls.api.parsers.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "calls.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(hours=12),
    "CHECK_REVOKE_TOKEN": True,  # a changed password ends the tokens of the old one
}
SPECTACULAR_SETTINGS = {
    "TITLE": "callsite",
    "DESCRIPTION": "Calls that ElevenLabs Agents made or took: their state, turns, outcome and recording.\n\n"
    "Unknown query parameters, unknown fields and fields that can only be read are refused with 400. "
    "Times are ISO 8601, answered in UTC. A call is addressed by any name that it has or had.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"CallStatus": "calls.models.Call.Status"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "calls.api.refusals.describe_refusals",
    ],
}

# --- Security ---------------------------------------------------------------------------------------------

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "media-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_HSTS_SECONDS = 31_536_000  # only ever sent over TLS
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
# A site on https has its origin in CSRF_TRUSTED_ORIGINS. On plain http a Secure cookie would lock all users out.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = any(o.startswith("https://") for o in CSRF_TRUSTED_ORIGINS)
SILENCED_SYSTEM_CHECKS = [
    "axes.W002",  # its middleware loses the login page under ASGI; callsite.sign_in_locks.refuse_locked replaces it
    "security.W005",  # the owner of the domain decides for its subdomains
    "security.W008",  # the proxy in front does TLS and the redirect to it
    "security.W021",  # the owner of the domain decides on preload lists
]

# --- Logs: ids, never transcript text, phone numbers or tokens ----------------------------------------------

LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in logs.LEVELS:
    raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(logs.LEVELS)}.")
SENTRY_DSN = env.text("SENTRY_DSN")
LOGGING_CONFIG = "callsite.logs.configure"
LOGGING = logs.configuration(LOG_LEVEL, readable=DEBUG)
