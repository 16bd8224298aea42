"""No page builds a filter of its own: readings and loads come through `of`, `newer_of`, `latest_of` or `managed_by`."""

import ast

import pytest

from tests.test_architecture import FILES, lies_in

# What answers requests, and what it asks.
WEB = ("accounts", "metering.views", "metering.api", "metering.admin", "metering.live", "metering.history",
       "metering.house.picture", "metering.highlights", "metering.power_data", "metering.status", "metering.metrics",
       "metering.choice")  # fmt: skip
MODELS = ("Reading", "Load", "DayTotal", "MonthTotal")
DOORS = {"of", "newer_of", "latest_of", "managed_by"}

# The exceptions, each with why it shows nobody a reading.
EXCEPTIONS = {
    ("metering.live.news", "order_by"): "the number of the newest row, to begin after it",
    ("metering.live.news", "filter"): "new rows of all meters; the watcher brings each to its household alone",
    ("metering.admin.meters", "filter"): "when a meter that is listed was heard last",
    ("metering.house.picture", "filter"): "the newest of each; an apartment's is drawn after the look is recorded",
}


def pages():
    return sorted(module for module in FILES if any(lies_in(module, package) for package in WEB))


def ways_in(source: str) -> set[str]:
    """What is called on Reading.objects, and on relations that lead from elsewhere to readings."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            before = ast.unparse(node.value)
            if before in {f"{model}.{name}" for model in MODELS for name in ("objects", "_default_manager")}:
                found.add(node.attr)
            elif before.endswith((".readings", ".saved_readings", ".loads", ".day_totals")) and node.attr != "exists":
                found.add(f"{before}.{node.attr}")
    return found


def test_the_search_finds_what_it_is_for():
    assert ways_in("Reading.objects.filter(meter__apartment=flat)") == {"filter"}
    assert ways_in("user.saved_readings.all(); meter.readings.exists()") == {"user.saved_readings.all"}


@pytest.mark.parametrize("module", pages())
def test_readings_come_through_the_doors(module):
    found = ways_in(FILES[module].read_text()) - DOORS
    assert found == {way for where, way in EXCEPTIONS if where == module}


@pytest.mark.parametrize("module", [name for name in pages() if not lies_in(name, "metering.admin")])
def test_a_resident_gets_the_usage_of_a_household(module):
    """Of no apartment, meter or building, whoever lived there."""
    source = ast.parse(FILES[module].read_text())
    names = {node.id for node in ast.walk(source) if isinstance(node, ast.Name)}
    asked = {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Subject"
    }
    assert asked <= {"of_residence"}
    assert not names & {"usage_by_apartment", "balance"}
    called = {ast.unparse(node.func) for node in ast.walk(source) if isinstance(node, ast.Call)}
    assert "Subject" not in called


@pytest.mark.parametrize("module", [name for name in pages() if name.startswith("metering.")])
def test_only_accounts_says_who_lives_where(module):
    """Tenancies and apartments are looked up by accounts alone; what a page gets is its Residence."""
    source = FILES[module].read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg and module != "metering.admin.meters":
            assert not node.arg.startswith(("tenanc", "residents", "meter__apartment", "meter__building"))
