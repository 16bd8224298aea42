"""Every setting of Riser, read from the environment (or from ENV_FILE, by default `.env` beside manage.py).

`.env.example` lists the variables with their meaning. Each secret may also be given as NAME_FILE,
the path of a file that holds it.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment
from config.headers import CONTENT_SECURITY_POLICY  # noqa: F401 - a setting

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
environ.Env.read_env(env.path("ENV_FILE", default=str(BASE_DIR / ".env"))())


def required(name: str, hint: str) -> str:
    """The variable's value; a refusal to start that says what to do where it is missing."""
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    return value


# --- The web -------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = required("SECRET_KEY", "A long random string; docs/install.md says how to make one.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"] if DEBUG else [])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is not set. Name the host names this site answers to, with commas.")
PORT = env.int("PORT", default=8000)
SITE_URL = env.str("SITE_URL", default=f"http://127.0.0.1:{PORT}" if DEBUG else f"https://{ALLOWED_HOSTS[0]}").rstrip(
    "/"
)
HTTPS = env.bool("HTTPS", default=not DEBUG)
METRICS_ALLOWED = env.list("METRICS_ALLOWED", default=["127.0.0.1", "::1"])

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31536000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
# Both are off on purpose: they speak for other hosts than this one, and only their operator can.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# An invitation's or a password reset's address holds a secret: no other site may learn it. Not `no-referrer`, for
# then browsers send forms with "Origin: null", which the protection against forged ones refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# With __Host- a browser takes these cookies from this host only, not from another one under the same domain.
COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
SERVESTATIC_ALLOW_ALL_ORIGINS = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "servestatic",
    "simple_history",
    "accounts",
    "metering",
]

# The first four stand outside all that may answer by itself (redirects, static files, errors), so that their headers
# are on every answer.
MIDDLEWARE = [
    "config.headers.add_headers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.LanguageMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.two_factor.RequireTwoFactor",
    "accounts.middleware.BuildingTimeMiddleware",
    *(["config.problems.MissingPages"] if DEBUG else []),
]

ROOT_URLCONF = "config.urls"
CSRF_FAILURE_VIEW = "config.problems.csrf_failure"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

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
                "accounts.context.building",
                "config.theme.chosen_theme",
            ],
        },
    }
]
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# The language in which messages stand in the code; CONTRIBUTING.md says how to add another one.
LANGUAGE_CODE = "en"
LANGUAGES = [("de", "German"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
LANGUAGE_COOKIE_AGE = 365 * 86400
LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))()
# Of ninja only its scripts: as an installed app every command would load it.
NINJA = Path(find_spec("ninja").submodule_search_locations[0])  # type: ignore[union-attr,index]
STATICFILES_DIRS = [BASE_DIR / "static", ("ninja", NINJA / "static/ninja")]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.assets.NodePackageFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "servestatic.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- The database --------------------------------------------------------------------------------

DATABASE: dict[str, Any] = env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'riser.sqlite3'}")
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a read-then-write transaction would otherwise fail at once with SQLITE_BUSY_SNAPSHOT.
    # FULL: a reading is acknowledged to the broker once it is committed, so a commit must reach the disk.
    # Each meter has a place of its own in the index. Room for all of these (16 MiB) and fewer checkpoints (every
    # 4000 pages, 16 MiB) keep a table of ten million readings as fast as an empty one.
    DATABASE["CONN_MAX_AGE"] = None
    DATABASE["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
        "PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000",
    }
else:
    # A page asks some twenty short questions: what the server has planned five times it need not plan again.
    DATABASE["OPTIONS"] = {"server_side_binding": True, "prepare_threshold": 5} | DATABASE.get("OPTIONS", {})
    DATABASE["CONN_MAX_AGE"] = 600
    DATABASE["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Shared by all processes, so that a limit on log-ins counts once and not once per process.
# Room for many: beyond 300, the default, entries that still count go, and with them limits and codes that were used.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- Accounts ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["accounts.hashers.SmallMachineArgon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "accounts.forms.LoginForm", "signup": "accounts.forms.RegisterForm"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
# An address without an account gets a mail as well, so that asking for a reset takes the same for both.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Riser] "
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
# Visitors' addresses are what uvicorn says (--forwarded-allow-ips): allauth itself trusts no X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = 0
# A changed password or two-factor is told to the mailbox.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_RATE_LIMITS = {
    # Counted where the password is looked at (login_failed): a limit on every log-in of an address would let
    # one visitor lock out all who share it.
    "login": None,
    "login_failed": "5/5m/key",
    "login_failed_address": "10/m/ip",
    "login_failed_device": "5/5m/key",
    "confirm_email": "1/3m/key,10/d/key",
    "reset_password": "20/m/ip,5/h/key",
    "reset_password_mailbox": "5/h/key",
    # Whoever finds an open page must not be able to guess the password there.
    "reauthenticate": "5/5m/user",
    "change_password": "5/5m/user",
}

REQUIRE_MANAGER_2FA = env.bool("REQUIRE_MANAGER_2FA", default=not DEBUG)
MFA_ADAPTER = "accounts.two_factor.TwoFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Riser"
# A phone's clock may be off by half a minute, and a code be typed slowly.
MFA_TOTP_TOLERANCE = 1
# Addresses are not verified here; a superuser takes two-factor off where somebody is shut out.
MFA_ALLOW_UNVERIFIED_EMAIL = True

vars().update(env.email_url("EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25"))
# Seconds that a page waits for the mail server.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="riser@localhost")

# --- Metering ------------------------------------------------------------------------------------

MQTT_BROKER = env.str("MQTT_BROKER", default="") or "127.0.0.1"
MQTT_PORT = env.int("MQTT_PORT", default=1883)
MQTT_TOPIC = env.str("MQTT_TOPIC", default="electricity/+/floor/+")
MQTT_CLIENT_ID = env.str("MQTT_CLIENT_ID", default="riser-listener")
MQTT_USERNAME = env.str("MQTT_USERNAME", default="")
MQTT_PASSWORD = env.str("MQTT_PASSWORD", default="")
MQTT_DOCTOR_USERNAME = env.str("MQTT_DOCTOR_USERNAME", default="") or MQTT_USERNAME
MQTT_DOCTOR_PASSWORD = env.str("MQTT_DOCTOR_PASSWORD", default="") or MQTT_PASSWORD
MQTT_TLS = env.bool("MQTT_TLS", default=False)
MQTT_CA_FILE = env.str("MQTT_CA_FILE", default="")

READING_RETENTION_DAYS = env.int("READING_RETENTION_DAYS", default=7)
ERASE_READINGS_AFTER_MONTHS = env.int("ERASE_READINGS_AFTER_MONTHS", default=12)
ERASE_BILLING_AFTER_MONTHS = env.int("ERASE_BILLING_AFTER_MONTHS", default=36)
MAX_GAP_SECONDS = env.int("MAX_GAP_SECONDS", default=300)
METER_LIVE_SECONDS = env.int("METER_LIVE_SECONDS", default=60)
LISTENER_DOWN_SECONDS = 30
MAX_VOLTAGE = env.float("MAX_VOLTAGE", default=1000.0)
MAX_CURRENT = env.float("MAX_CURRENT", default=10_000.0)
MAX_REJECTED_MESSAGES = env.int("MAX_REJECTED_MESSAGES", default=5000)
MAX_REJECTED_OF_ONE_TOPIC = env.int("MAX_REJECTED_OF_ONE_TOPIC", default=100)

# --- Logs: one line per event on standard error, where systemd and `make run` pick them up ---------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"class": "config.logs.LineFormatter", "format": "{levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # Its level is what it is started with.
        "uvicorn": {"handlers": ["stderr"], "propagate": False},
        # Paths and queries hold secrets. Left out here, it would be switched on again, as a child of the one above.
        "uvicorn.access": {"handlers": [], "propagate": False},
    },
}
