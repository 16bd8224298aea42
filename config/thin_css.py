"""Leaves out of a style sheet what no page uses: a slow telephone neither fetches nor reads it."""

import re
from collections.abc import Iterable
from pathlib import Path

NOTE = re.compile(r"/\*.*?\*/", re.DOTALL)
RULE = re.compile(r"(?P<selectors>[^{}]+)\{(?P<declarations>[^{}]*)\}")
GROUP = re.compile(r"(?P<group>@(?:media|supports)[^{}]+)\{(?P<rules>(?:[^{}]+\{[^{}]*\})*)\}")
PART = re.compile(f"{GROUP.pattern}|{RULE.pattern}")
CLASS = re.compile(r"\.((?:[\w-]|\\.)+)")
# Holds where nothing has the class.
NOT = re.compile(r":not\([^)]*\)")
WORD = re.compile(r"[A-Za-z][\w-]+")


def words_of(files: Iterable[Path]) -> set[str]:
    """Every word in these files: whatever may be the name of a class is among them."""
    return {word for file in files for word in WORD.findall(file.read_text())}


def thin(css: str, words: set[str]) -> str:
    """The minified style sheet without the rules that need a class that is not among the words.

    Understands rules and groups of rules (@media, @supports); all else, such as @keyframes, stays as it is.
    """

    def keep_used(part: re.Match[str]) -> str:
        selectors = [one for one in part["selectors"].split(",") if _may_match(one, words)]
        return f"{','.join(selectors)}{{{part['declarations']}}}" if selectors else ""

    def keep(part: re.Match[str]) -> str:
        if not part["group"]:
            return keep_used(part)
        rules = RULE.sub(keep_used, part["rules"])
        return f"{part['group']}{{{rules}}}" if rules else ""

    return PART.sub(keep, NOTE.sub("", css))


def _may_match(selector: str, words: set[str]) -> bool:
    return all(name in words for name in CLASS.findall(NOT.sub("", selector)))
