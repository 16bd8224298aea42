"""How a line of the log is written: whatever a stranger made a part of it, it stays one line of plain text."""

import logging
from typing import Any

from accounts.text import escape

# journald begins a new line after 48 KiB, which four bytes a character stay below.
LONGEST_LINE = 8000


def _shorten(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


class LineFormatter(logging.Formatter):
    """One line for each event; a traceback follows with its lines set in, so that none can pass for an event."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _shorten(escape(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indent(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indent(super().formatStack(stack_info))


def _indent(text: str) -> str:
    return "\n".join(f"  {_shorten(escape(line))}" for line in text.split("\n"))
