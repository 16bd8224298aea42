"""Leaves out of a style sheet what no page uses: a slow telephone neither fetches nor reads it."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
GROUP = re.compile(r"(@media[^{]+|@supports[^{]+)\{((?:[^{}]+\{[^{}]*\})*)\}")
# A part of a selector that something must match: a class.
CLASS = re.compile(r"\.((?:[\w-]|\\.)+)")
WORD = re.compile(r"[A-Za-z][\w-]+")
NOTE = re.compile(r"/\*.*?\*/", re.DOTALL)


def words_of(files: Iterable[Path]) -> set[str]:
    """Every word in these files: whatever may be the name of a class is among them."""
    return {word for file in files for word in WORD.findall(file.read_text())}


def thin(css: str, words: set[str]) -> str:
    """The minified style sheet without the rules that need a class that is not among the words.

    Understands rules and groups of rules (@media, @supports); all else, such as @keyframes, stays as it is.
    """

    def keep_used(match: re.Match[str]) -> str:
        selectors = [one for one in match[1].split(",") if _may_match(one, words)]
        return f"{','.join(selectors)}{{{match[2]}}}" if selectors else ""

    def keep_filled(match: re.Match[str]) -> str:
        rules = RULE.sub(keep_used, match[2])
        return f"{match[1]}{{{rules}}}" if rules else ""

    return _between(GROUP, NOTE.sub("", css), keep_filled, lambda rest: RULE.sub(keep_used, rest))


def _between(pattern: re.Pattern[str], text: str, found: Callable[[re.Match[str]], str], rest: Callable[[str], str]) -> str:
    """The text with one function applied to what the pattern matches and another to what is between."""
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [rest(text[end : match.start()]), found(match)]
        end = match.end()
    return "".join([*parts, rest(text[end:])])


def _may_match(selector: str, words: set[str]) -> bool:
    # `:not(.x)` holds where nothing has the class.
    needed = CLASS.findall(re.sub(r":not\([^)]*\)", "", selector))
    return all(name in words for name in needed)
