"""import_apartments, invite, housekeep, load_demo: called in this process."""

import datetime as dt
import io

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Apartment, Building, Invitation, Tenancy, User
from metering import retention
from metering.house.usage import usage_by_apartment
from metering.loads import derive_new
from metering.models import Meter, Reading
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory, ReadingFactory, TenancyFactory

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


class TestImportApartments:
    @pytest.fixture
    def csv(self, tmp_path):
        def write(text, encoding="utf-8"):
            file = tmp_path / "apartments.csv"
            file.write_bytes(text.encode(encoding))
            return str(file)

        return write

    def test_it_makes_the_building_its_apartments_and_their_meters(self, csv):
        said = run("import_apartments", "birch", csv("number,floor\n101,1\n102,1\nB-2,cellar\n"))
        assert said == "New building birch: 3 apartments added, 3 in all.\n"
        assert list(Apartment.objects.values_list("building__slug", "number", "floor")) == [
            ("birch", "101", "1"), ("birch", "102", "1"), ("birch", "B-2", "cellar"),
        ]  # fmt: skip
        assert Meter.objects.count() == 3

    def test_a_second_time_it_adds_what_is_missing(self, csv):
        run("import_apartments", "birch", csv("number,floor\n101,1\n"))
        said = run("import_apartments", "birch", csv("floor,number,notes\r\n1,101,x\r\n2,201,y\r\n", "utf-8-sig"))
        assert said == "Building birch: 1 apartments added, 2 in all.\n"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("number;floor\n101;1\n", "needs a first line with the columns number and floor"),
            ("", "needs a first line with the columns number and floor"),
            ("number,floor\n101,1\n10/2,1\n", "Line 3: .*letters A to Z.* Nothing was imported"),
            ("number,floor\n101,1\n,2\n", "Line 3: .*cannot be blank.* Nothing was imported"),
            ("number,floor\n101,1\n101,2\n", "Line 3: apartment 101 is on floor 1, not 2"),
            ("number,floor\n101\n", "Line 2: .*cannot be blank"),
        ],
    )
    def test_a_wrong_line_is_named_and_nothing_imported(self, csv, text, words):
        with pytest.raises(CommandError, match=words):
            run("import_apartments", "birch", csv(text))
        assert Building.objects.count() == Apartment.objects.count() == 0

    def test_a_file_that_cannot_be_read(self, csv, tmp_path):
        with pytest.raises(CommandError, match="Cannot read"):
            run("import_apartments", "birch", str(tmp_path / "none.csv"))
        with pytest.raises(CommandError, match="Cannot read"):
            run("import_apartments", "birch", csv("number,floor\nä,1\n", "latin-1"))

    def test_a_building_with_an_impossible_name(self, csv):
        with pytest.raises(CommandError, match="letters A to Z"):
            run("import_apartments", "bir/ch", csv("number,floor\n101,1\n"))


class TestInvite:
    def test_it_prints_the_link_alone_and_opens_a_tenancy_today(self, apartment, settings):
        settings.SITE_URL = "https://riser.example.org"
        link = run("invite", "house", "101")
        assert link.startswith("https://riser.example.org/register?invitation=")
        assert link.count("\n") == 1
        tenancy = Tenancy.objects.get()
        assert (tenancy.moved_in, tenancy.moved_out) == (apartment.building.today(), None)
        assert Invitation.objects.usable(link.strip().partition("=")[2]).tenancy == tenancy

    def test_the_tenancy_before_it_ends_that_day(self, tenancy):
        run("invite", "house", "101", "--moved-in", "2026-03-01")
        tenancy.refresh_from_db()
        assert tenancy.moved_out == dt.date(2026, 3, 1)
        assert Tenancy.objects.get(moved_out=None).moved_in == dt.date(2026, 3, 1)

    def test_a_second_invitation_for_the_same_day_is_for_the_same_household(self, apartment):
        links = {run("invite", "house", "101"), run("invite", "house", "101")}
        assert len(links) == 2
        assert Tenancy.objects.count() == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("nowhere", "101"), "There is no building nowhere"),
            (("house", "999"), "There is no apartment 999 in building house"),
            (("house", "101", "--moved-in", "2020-01-01"), "has a tenancy from 2025-01-01"),
        ],
    )
    def test_what_does_not_exist_is_named(self, tenancy, arguments, words):
        with pytest.raises(CommandError, match=words):
            run("invite", *arguments)
        assert Invitation.objects.count() == 0


class TestHousekeep:
    def test_old_readings_go_but_not_saved_ones_nor_the_newest(self, settings):
        """Nor the newest two of the old ones: energy is counted from there on."""
        settings.READING_RETENTION_DAYS = 7
        now = timezone.now()
        meter, silent = MeterFactory(), MeterFactory()
        old, last = (ReadingFactory(meter=meter, taken_at=now - age * DAY) for age in (30, 8))
        saved = ReadingFactory(meter=meter, taken_at=now - 20 * DAY, saved_at=now)
        fresh = ReadingFactory(meter=meter, taken_at=now - 6 * DAY)
        oldest = ReadingFactory(meter=silent, taken_at=now - 42 * DAY)
        older = ReadingFactory(meter=silent, taken_at=now - 41 * DAY)
        newest = ReadingFactory(meter=silent, taken_at=now - 40 * DAY)
        assert run("housekeep").splitlines()[1:] == ["2 readings older than 7 days deleted"]
        assert set(Reading.objects.all()) == {saved, last, fresh, older, newest}
        assert not Reading.objects.filter(pk__in=[old.pk, oldest.pk]).exists()

    def test_what_came_late_goes_as_well(self):
        meter = MeterFactory()
        fresh = [ReadingFactory(meter=meter) for _ in range(2)]
        late = [ReadingFactory(meter=meter, taken_at=timezone.now() - age * DAY) for age in range(10, 16)]
        run("housekeep")
        assert set(Reading.objects.all()) == {*fresh, *late[:2]}

    def test_it_pauses_after_each_chunk_for_as_long_as_that_took(self, monkeypatch):
        def pauses():
            meter = MeterFactory()
            for age in (9, 10, 11):
                ReadingFactory(meter=meter, taken_at=timezone.now() - age * DAY)
            sum(derive_new())
            found = []
            assert list(retention.prune(timezone.now() - 8 * DAY, found.append)) == [1]
            return found

        assert min(pauses()) >= retention.PAUSE_SECONDS
        monkeypatch.setattr("metering.retention.PAUSE_SECONDS", 0)
        (pause,) = pauses()
        assert pause > 0

    def test_a_chunk_grows_and_shrinks_with_the_time_it_takes(self, monkeypatch):
        chunk = retention.Chunk()
        monkeypatch.setattr("metering.retention.CHUNK_SECONDS", 0)
        chunk.delete(Reading.objects.none())
        assert chunk.size == retention.FIRST // 2
        monkeypatch.setattr("metering.retention.CHUNK_SECONDS", 60)
        for _ in range(20):
            chunk.delete(Reading.objects.none())
        assert chunk.size == retention.MOST


class TestLoadDemo:
    def test_it_is_refused_where_debug_is_off(self, settings):
        settings.DEBUG = False
        with pytest.raises(CommandError, match="DEBUG is off"):
            run("load_demo")
        assert Building.objects.count() == 0

    def test_it_does_not_touch_a_real_building(self, settings):
        settings.DEBUG = True
        BuildingFactory(slug="building")
        with pytest.raises(CommandError, match="There is a real building"):
            run("load_demo")

    def test_a_building_with_people_and_a_past(self, settings, monkeypatch):
        settings.DEBUG = True
        monkeypatch.setattr("metering.demo.building.PAST", dt.timedelta(hours=2))
        monkeypatch.setattr("metering.demo.energy.MONTH", dt.timedelta(days=2))
        monkeypatch.setattr("metering.demo.energy.YEAR", dt.timedelta(days=3))
        run("load_demo")
        building = Building.objects.get()
        assert (building.slug, building.is_demo) == ("building", True)
        numbers = list(building.apartments.values_list("number", "floor"))
        assert len(numbers) == 20
        assert numbers[0] == ("101", "1")
        assert numbers[-1] == ("504", "5")
        assert Reading.objects.count() == 20 * 120
        assert User.objects.get(email="resident101@example.org").apartment.number == "101"
        assert User.objects.get(email="resident201@example.org").apartment.number == "201"
        assert User.objects.get(email="manager@example.org").is_manager
        assert Reading.objects.saved().count() == 2
        energy = usage_by_apartment(building, building.today() - DAY, building.today())
        assert all(usages[0].is_complete and usages[0].costs for usages in energy.values())
        run("load_demo")
        assert Reading.objects.count() == 20 * 120
        assert usage_by_apartment(building, building.today() - DAY, building.today()) == energy


def test_apartments_made_elsewhere_get_a_meter_only_once():
    apartment = ApartmentFactory()
    assert len(Meter.objects.ensure_native([apartment])) == 1
    assert Meter.objects.ensure_native([apartment]) == []
    TenancyFactory(apartment=apartment)
