"""Reads gettext catalogues as translators write them."""

import ast
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Message:
    """What the code says, one or several (for plurals), in which context, and how it is translated."""

    context: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    translated: list[str] = field(default_factory=list)
    flags: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.context, *self.said)


def read(catalogue: Path) -> list[Message]:
    """All messages but the first one, which is the catalogue's head; those kept as comments are among them."""
    return [_message(entry) for entry in catalogue.read_text().split("\n\n")[1:] if entry.strip()]


def _message(entry: str) -> Message:
    message = Message()
    texts: list[str] = []
    for line in entry.splitlines():
        if line.startswith("#,"):
            message.flags += line
        word, quote, text = line.removeprefix("#~ ").partition('"')
        if not quote or word.startswith("#"):
            continue
        if word.startswith("msg"):
            lists = {"msgctxt": message.context, "msgid": message.said, "msgid_plural": message.said}
            texts = lists.get(word.strip(), message.translated)
            texts.append("")
        texts[-1] += ast.literal_eval(f'"{text}')
    return message
