"""The settings the tests run with, whatever .env and the shell say. pytest loads this before Django."""

import os

for name in ("ALLOWED_HOSTS", "SITE_URL", "HTTPS", "READING_RETENTION_DAYS", "MAX_GAP_SECONDS", "METER_LIVE_SECONDS",
             "ERASE_READINGS_AFTER_MONTHS", "ERASE_BILLING_AFTER_MONTHS",
             "MQTT_BROKER", "MQTT_PORT", "MQTT_TOPIC", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_DOCTOR_USERNAME",
             "MQTT_DOCTOR_PASSWORD", "MQTT_TLS", "EMAIL_URL", "LOG_LEVEL", "PORT",
             "STATIC_ROOT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "DATABASE_URL", "DATABASE_URL_FILE"):  # fmt: skip
    os.environ.pop(name, None)
os.environ["ENV_FILE"] = os.devnull
os.environ["DEBUG"] = "on"
# Tests of this switch it on; the others are about something else.
os.environ["REQUIRE_MANAGER_2FA"] = "off"
os.environ["SECRET_KEY"] = "only for tests, only for tests, only for tests, only for tests"
# SQLite, unless `python -m tests.postgres` names a server to test on.
if server := os.environ.get("TEST_POSTGRES"):
    os.environ["DATABASE_URL"] = f"{server}/postgres"
