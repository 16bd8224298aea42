"""What must hold of the project as a whole."""

import os
import re
import secrets
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from metering import checks
from tests.installation import PROJECT


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def production(*options, **more):
    # The last one is of the tests in Chromium, which may run in the same process.
    ours = ("DEBUG", "SECRET_KEY", "DJANGO_ALLOW_ASYNC_UNSAFE")
    env = {name: value for name, value in os.environ.items() if name not in ours}
    command = [sys.executable, "manage.py", "check", *options]
    return subprocess.run(command, cwd=PROJECT, env=env | more, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "SECRET_KEY is not set"), ({"SECRET_KEY": "x" * 50}, "ALLOWED_HOSTS is not set")],
)
def test_production_refuses_to_start_without(given, missing):
    result = production(**given)
    assert result.returncode != 0
    assert result.stderr.startswith("Riser cannot start: ")
    assert missing in result.stderr


def test_production_settings_pass_djangos_own_check():
    given = {"SECRET_KEY": secrets.token_hex(32), "ALLOWED_HOSTS": "riser.example.org"}
    result = production("--deploy", "--fail-level", "WARNING", **given)
    assert result.returncode == 0, result.stderr
    # What is silenced there are two decisions for the operator, no more.
    assert settings.SILENCED_SYSTEM_CHECKS == ["security.W005", "security.W021"]
    result = production("--deploy", "--fail-level", "WARNING", **given, HTTPS="off")
    assert result.returncode == 1
    assert "security.W012" in result.stderr


def test_secrets_may_come_from_files(tmp_path):
    (tmp_path / "key").write_text("k" * 60)
    result = production(SECRET_KEY_FILE=str(tmp_path / "key"), ALLOWED_HOSTS="riser.example.org")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("secret", ["$abc", "a$b", r"a\$b", "$", " spaces and # quotes' \" "])
def test_a_secret_is_taken_as_it_is(secret, tmp_path):
    (tmp_path / "password").write_text(f"{secret}\n")
    show = "from django.conf import settings; print(repr((settings.MQTT_USERNAME, settings.MQTT_PASSWORD)))"
    given = {"MQTT_USERNAME": secret, "MQTT_PASSWORD_FILE": str(tmp_path / "password")}
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | given
    result = subprocess.run([sys.executable, "-c", show], cwd=PROJECT, env=env, capture_output=True, text=True)
    assert result.stdout.strip() == repr((secret, secret)), result.stderr


def test_every_setting_is_explained():
    text = (PROJECT / "config/settings.py").read_text() + (PROJECT / "scripts/run.py").read_text()
    explained = (PROJECT / ".env.example").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text))
    names -= {"ENV_FILE"}
    assert len(names) > 20
    assert sorted(name for name in names if name not in explained) == []


@override_settings(MQTT_TOPIC="electricity/data")
def test_a_flat_topic_is_warned_of():
    (warning,) = checks.check_topic()
    assert warning.id == "metering.W001"
    assert "electricity/data" in warning.msg


@pytest.mark.parametrize("topic", ["electricity/+/floor/+", "#"])
def test_other_topics_are_not(topic):
    with override_settings(MQTT_TOPIC=topic):
        assert checks.check_topic() == []


@override_settings(MQTT_TOPIC="")
def test_an_empty_topic_is_an_error():
    assert [error.id for error in checks.check_topic()] == ["metering.E001"]


def test_sqlite_is_told_to_keep_what_it_committed():
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        options = settings.DATABASES["default"]["OPTIONS"]
        assert options["transaction_mode"] == "IMMEDIATE"
        assert "synchronous=FULL" in options["init_command"]
