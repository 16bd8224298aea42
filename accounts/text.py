"""Text that one person writes and others read."""

import contextlib
import re
import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Control characters, line ends, marks of direction and others that show nothing, as a class of regular expressions
# which JSON Schema understands, too. Joiners are not among them: some scripts, and emoji, need them.
HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufeff\ufff9-\ufffb"
)
_hidden = re.compile(f"[{HIDDEN}]")


def escape(text: str, keep: str = "") -> str:
    r"""Control characters, line ends, marks of direction and other invisible ones as \x escapes, but those to keep."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text
    )


def refuse_hidden(text: str) -> None:
    """Raise ValidationError where the text holds what cannot be seen: it could pass for another one."""
    found = _hidden.search(text)
    if found:
        raise ValidationError(
            _("Remove the invisible character %(character)s. If you cannot find it, type the text anew."),
            params={"character": f"U+{ord(found[0]):04X}"},
        )


def refuse_hidden_in(row: Any, *fields: str) -> None:
    """Raise ValidationError, by field, where a model's text holds what cannot be seen."""
    errors = {}
    for name in fields:
        try:
            refuse_hidden(getattr(row, name))
        except ValidationError as error:
            errors[name] = error
    if errors:
        raise ValidationError(errors)


# Where a spreadsheet may begin a cell: at the text's beginning or, where it separates with something else than commas
# or loses count of the quotation marks, within the text.
_risky = re.compile(r"""(^|[;"\t\r\n])(?=\s*['=+\-@＝＋－＠]|[\t\r\n])""")


def inert(text: str) -> str:
    """The text, with an apostrophe wherever a spreadsheet would take what follows for a formula."""
    return _risky.sub(r"\1'", text)


def mailbox_of(address: str) -> str:
    """The mailbox that an email address leads to: one for a+1@example.org, "a"@example.org and A@example.org."""
    local, _, domain = address.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    with contextlib.suppress(UnicodeError):
        # As the mail will be addressed.
        domain = domain.encode("idna").decode()
    local = unicodedata.normalize("NFKC", local)
    return f"{local.partition('+')[0] or local}@{domain}".lower()


def mailbox_key(address: str) -> str:
    """By what mails to an address are counted: the plain one alone, all its other spellings together.

    So nobody floods a mailbox by spelling it in other ways, nor uses up by that what its owner may ask for.
    """
    mailbox = mailbox_of(address)
    return mailbox if address.lower() == mailbox else f"other spellings of {mailbox}"
