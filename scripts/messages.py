"""Brings the catalogues in locale/ up to what the code and the templates say: `make messages`.

New messages come in without a translation, those that nothing uses any more go; what is left to translate is
told. Then each catalogue is compiled. It works on the folder it is started in. djangojs.po, for what the scripts of
Django Admin say, is written by hand.
"""

import os
import re
import subprocess
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import makemessages

NO_SOURCE = ("benchmarks", "docs", "node_modules", "requirements", "scripts", "staticfiles", "tests")


class Command(makemessages.Command):
    """Django's, without guesses: a translation that fits another message is worse than none."""

    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]


def main() -> None:
    """Extract, compile, and say how much is translated."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    languages = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
    call_command(
        Command(), locale=languages, no_obsolete=True, add_location="file", ignore_patterns=list(NO_SOURCE), verbosity=0
    )
    for language in languages:
        # It would change with every run, whatever else does.
        messages = Path("locale") / language / "LC_MESSAGES/django.po"
        text = re.sub(r'^"POT-Creation-Date: .*\n', "", messages.read_text(), flags=re.MULTILINE)
        messages.write_text(text)
    for catalogue in sorted(Path("locale").glob("*/LC_MESSAGES/*.po")):
        print(f"{catalogue}: ", end="", flush=True)
        compiled = catalogue.with_suffix(".mo")
        subprocess.run(["msgfmt", "--check-format", "--statistics", f"--output-file={compiled}", catalogue], check=True)


if __name__ == "__main__":
    main()
