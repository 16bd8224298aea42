"""The catalogues in locale/ have every message, translated, and no other."""

import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.utils import translation

from tests.catalogue import read
from tests.installation import PROJECT

LANGUAGES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")
SOURCES = ("accounts", "config", "locale", "metering", "scripts", "templates")

each_language = pytest.mark.parametrize("language", LANGUAGES)
each_catalogue = pytest.mark.parametrize(
    "catalogue", sorted(PROJECT.glob("locale/*/LC_MESSAGES/*.po")), ids=lambda file: f"{file.parts[-3]}-{file.stem}"
)


def catalogue_of(language, folder=PROJECT):
    return folder / "locale" / language / "LC_MESSAGES/django.po"


def compiled(file):
    with file.open("rb") as opened:
        return gettext.GNUTranslations(opened)._catalog


@pytest.fixture(scope="module")
def brought_up_to_date(tmp_path_factory):
    """A copy of the sources in which `make messages` has run."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "scripts.messages"]
    subprocess.run(command, cwd=folder, env=dict(os.environ), check=True, timeout=60)
    return folder


@each_language
def test_the_catalogue_has_what_is_said_and_nothing_else(language, brought_up_to_date):
    has = {message.key for message in read(catalogue_of(language))}
    needs = {message.key for message in read(catalogue_of(language, brought_up_to_date))}
    advice = "Run `make messages`, translate what is new, commit both files."
    assert sorted(needs - has) == [], advice
    assert sorted(has - needs) == [], advice


@each_language
def test_what_the_scripts_of_admin_say_is_what_django_has_them_say(language):
    says = {message.key for message in read(Path(admin.__file__).parent / "locale/en/LC_MESSAGES/djangojs.po")}
    assert {message.key for message in read(catalogue_of(language).with_name("djangojs.po"))} <= says


@each_catalogue
def test_every_message_is_translated(catalogue):
    messages = read(catalogue)
    assert [message.said for message in messages if not all(message.translated)] == []
    assert [message.said for message in messages if "fuzzy" in message.flags] == []


@each_catalogue
def test_translations_have_the_same_placeholders(catalogue):
    wrong = []
    for message in read(catalogue):
        # "One day" may do without the number that "%(count)s days" has.
        least, most = (set(PLACEHOLDER.findall(message.said[place])) for place in (0, -1))
        for text in message.translated:
            found = set(PLACEHOLDER.findall(text))
            if not (least & most) <= found <= (least | most):
                wrong.append((message.said, text))
    assert wrong == []


@each_catalogue
def test_what_is_compiled_is_what_is_translated(catalogue, tmp_path):
    anew = tmp_path / "django.mo"
    subprocess.run(["msgfmt", "--check-format", f"--output-file={anew}", catalogue], check=True)
    assert compiled(catalogue.with_suffix(".mo")) == compiled(anew), "Run `make messages` and commit both files."


@pytest.mark.django_db
@each_language
def test_no_migration_depends_on_the_language(language):
    with translation.override(language):
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)
