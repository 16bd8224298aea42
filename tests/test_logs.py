"""A line of the log stays one line, whatever is in it."""

import logging
import sys

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from config.logs import LONGEST_LINE, LineFormatter

FORMAT = settings.LOGGING["formatters"]["line"]


def line(message, **more):
    record = logging.LogRecord("riser", logging.WARNING, __file__, 1, message, (), more.get("exc_info"))
    return LineFormatter(FORMAT["format"], style=FORMAT["style"]).format(record)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("topic electricity/house/floor/101 °C", "topic electricity/house/floor/101 °C"),
        ("a\nERROR riser: forged", r"a\nERROR riser: forged"),
        ("a\r\x0b\x85\u2028\u2029b", r"a\r\x0b\x85\u2028\u2029b"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("\u202egnp\u2066\u200b\ufeff\U000e0041", r"\u202egnp\u2066\u200b\ufeff\U000e0041"),
        ("half a pair \udc80", r"half a pair \udc80"),
        ("%s%n {0} {{7*7}}", "%s%n {0} {{7*7}}"),
    ],
)
def test_what_could_forge_or_hide_is_escaped(said, written):
    assert line(said) == f"WARNING riser: {written}"


@given(st.text())
def test_any_text_is_one_printable_line(text):
    assert line(text).isprintable()


def test_a_line_is_not_so_long_that_the_journal_cuts_it_in_two():
    assert len(line("\U000e0041" * 10_000).encode()) < 48 * 1024
    assert len(line("x" * 100_000)) == LONGEST_LINE + 1


def break_down():
    raise ValueError("no number: \x1b[2J\nERROR riser: forged")


def test_a_traceback_cannot_pass_for_an_event():
    try:
        break_down()
    except ValueError:
        first, *rest = line("it broke", exc_info=sys.exc_info()).split("\n")
    assert first == "WARNING riser: it broke"
    assert "  ERROR riser: forged" in rest
    assert all(text.startswith("  ") and text.isprintable() for text in rest)


def test_all_of_risers_loggers_write_so():
    names = [None, "django", "django.request", "riser.listener", "allauth", "uvicorn.error"]
    assert FORMAT["class"] == "config.logs.LineFormatter"
    for name in names:
        logger = logging.getLogger(name)
        while logger.propagate and logger.parent:
            logger = logger.parent
        ours = [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]
        assert [type(handler.formatter) for handler in ours] == [LineFormatter], name
