"""Imports point one way."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "metering", "config")

# What a module (and everything below it) must not import; the longest matching prefix counts.
PURE = ("django", "accounts", "paho", "metering.models")
FORBIDDEN = {
    "accounts": ("metering", "config"),
    "config": (),
    "metering": ("config",),
    "metering.models": ("metering.views", "metering.admin", "metering.api", "metering.live", "metering.ingest.store",
                        "metering.ingest.listener", "metering.ingest.loop"),
    "metering.ingest.topics": (*PURE, "msgspec"),
    "metering.ingest.batch": (*PURE, "msgspec"),
    "metering.ingest.decoders": PURE,
    "metering.ingest.delivery": PURE,
    "metering.ingest.journal": PURE,
    "metering.ingest.loop": (*PURE, "metering.ingest.listener", "metering.ingest.store", "metering.ingest.routing"),
    "metering.ingest.listener": ("django", "accounts", "metering.models", "metering.ingest.loop",
                                 "metering.ingest.store"),
    "metering.ingest.store": ("paho", "metering.ingest.listener", "metering.ingest.loop", "metering.views",
                              "metering.api"),
    "metering.ingest.notify": PURE,
    "metering.ingest.patience": PURE,
    "metering.ingest.vigilance": PURE,
    "metering.canary": ("django", "accounts", "metering.models", "metering.doctor"),
    "metering.live": ("metering.views", "metering.api", "metering.admin"),
    "metering.live.events": PURE,
    "metering.history": ("metering.views", "metering.api", "metering.admin"),
    "metering.house": ("metering.views", "metering.api", "metering.admin"),
    "metering.status": ("metering.views", "metering.api", "metering.admin"),
    "metering.api": ("metering.views", "metering.admin"),
}  # fmt: skip


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(file): file for package in PACKAGES for file in (PROJECT / package).rglob("*.py")}


def imports_of(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def lies_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_the_rules_speak_of_modules_that_exist():
    assert [rule for rule in FORBIDDEN if rule not in FILES] == []


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_point_one_way(module):
    rule = max((rule for rule in FORBIDDEN if lies_in(module, rule)), key=len)
    wrong = {found for found in imports_of(FILES[module]) if any(lies_in(found, bad) for bad in FORBIDDEN[rule])}
    assert not wrong


def test_only_the_listener_the_canary_and_the_demo_know_paho():
    knowing = {module for module, file in FILES.items() if any(lies_in(i, "paho") for i in imports_of(file))}
    assert knowing == {
        "metering.ingest.listener", "metering.canary", "metering.demo.meters",
        "metering.management.commands.simulate_meters",
    }  # fmt: skip


def test_commands_are_wiring():
    commands = [file for module, file in FILES.items() if ".management.commands." in module]
    assert len(commands) >= 8
    long = {file.name: lines for file in commands if (lines := len(file.read_text().splitlines())) > 90}
    assert not long
