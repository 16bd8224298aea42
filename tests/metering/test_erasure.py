"""What goes in time, and what stays."""

import datetime as dt

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.core.checks import run_checks
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Invitation, JoinRequest, Tenancy, User
from metering import erasure
from metering.erasure import ERASURES, months_before
from metering.loads import derive_new
from metering.models import DayTotal, Load, Reading, RejectedMessage
from metering.models.load import quarter_start
from metering.retention import Chunk, in_chunks, prune
from tests.factories import ApartmentFactory, BuildingFactory, MeterFactory, ReadingFactory, TenancyFactory, UserFactory

MOMENT = dt.timedelta(microseconds=1)
# Local midnight in Berlin on 1 June 2026: twelve months after the tenancy below ended.
YEAR_AFTER = dt.datetime(2026, 5, 31, 22, tzinfo=dt.UTC)
SINCE = dt.datetime(2025, 2, 28, 23, tzinfo=dt.UTC)
UNTIL = dt.datetime(2025, 5, 31, 22, tzinfo=dt.UTC)

pytestmark = pytest.mark.django_db


def erase(*deletions):
    """How many went."""
    return sum(sum(in_chunks(delete, lambda _: None)) for delete in deletions or ERASURES.values())


def left():
    return set(Reading.objects.values_list("taken_at", flat=True))


@pytest.fixture
def ended(tenancy):
    """Lived in 101 from March to May of 2025."""
    tenancy.moved_in, tenancy.moved_out = dt.date(2025, 3, 1), dt.date(2025, 6, 1)
    tenancy.save()
    return tenancy


def test_readings_go_at_local_midnight_twelve_months_after(ended, meter, resident):
    before, first, _, after = (
        ReadingFactory(meter=meter, taken_at=instant) for instant in (SINCE - MOMENT, SINCE, UNTIL - MOMENT, UNTIL)
    )
    first.save_for(resident, "mine", SINCE)
    with time_machine.travel(YEAR_AFTER - dt.timedelta(seconds=1), tick=False):
        assert erase(erasure.erase_readings) == 0
    with time_machine.travel(YEAR_AFTER, tick=False):
        assert erase(erasure.erase_readings) == 2
        assert erase() == 0
    assert left() == {before.taken_at, after.taken_at}


def test_the_newest_of_a_silent_meter_goes_as_well(ended, meter):
    ReadingFactory(meter=meter, taken_at=UNTIL - MOMENT)
    with time_machine.travel(YEAR_AFTER, tick=False):
        assert list(prune(timezone.now(), lambda _: None)) in ([], [0])
        assert erase() == 1


def test_every_meter_of_the_apartment_and_no_other(ended, meter, neighbour_apartment):
    second = MeterFactory(apartment=ended.apartment, topic="house/second")
    foreign = MeterFactory(apartment=neighbour_apartment)
    TenancyFactory(apartment=neighbour_apartment, moved_in=dt.date(2025, 3, 1))
    for each in (meter, second, foreign):
        ReadingFactory(meter=each, taken_at=SINCE)
    with time_machine.travel(YEAR_AFTER, tick=False):
        erase()
    assert [reading.meter for reading in Reading.objects.all()] == [foreign]


def test_by_the_date_of_the_building(ended, meter):
    ReadingFactory(meter=meter, taken_at=UNTIL - MOMENT)
    ended.apartment.building.timezone = "America/New_York"
    ended.apartment.building.save()
    with time_machine.travel(YEAR_AFTER, tick=False):
        assert erase() == 0
    with time_machine.travel(YEAR_AFTER + dt.timedelta(hours=6), tick=False):
        assert erase() == 1


def test_stopped_in_the_middle_it_goes_on_later(ended, meter, monkeypatch):
    monkeypatch.setattr("metering.retention.FIRST", 2)
    for second in range(5):
        ReadingFactory(meter=meter, taken_at=SINCE + dt.timedelta(seconds=second))
    with time_machine.travel(YEAR_AFTER + dt.timedelta(days=800), tick=False):
        assert next(in_chunks(erasure.erase_readings, lambda _: None)) == 2
        assert erase(erasure.erase_tenancies) == 0, "its readings would be nobody's"
        assert erase() == 4
    assert not Tenancy.objects.exists()
    assert not Reading.objects.exists()


def test_the_tenancy_and_what_hangs_on_it_goes_when_bills_need_it_no_more(ended, resident, manager):
    Invitation(tenancy=ended, used_by=resident).issue()
    JoinRequest.objects.create(user=resident, apartment=ended.apartment, state="approved", decided_at=SINCE)
    waiting = JoinRequest.objects.create(user=resident, apartment=ApartmentFactory())
    lasting = TenancyFactory(apartment=ended.apartment, moved_in=dt.date(2025, 6, 1))
    day_before = dt.datetime(2028, 5, 31, 21, tzinfo=dt.UTC)
    with time_machine.travel(day_before, tick=False):
        erase()
        assert Tenancy.objects.filter(pk=ended.pk).exists()
    with time_machine.travel(day_before + dt.timedelta(hours=2), tick=False):
        erase()
        assert list(Tenancy.objects.all()) == [lasting]
        assert not Invitation.objects.exists()
        assert list(JoinRequest.objects.all()) == [waiting]
        assert not resident.tenancies.exists()
        assert {record.id for record in Tenancy.history.all()} == {lasting.pk}
        assert {row.tenancy_id for row in Tenancy.history.model.residents.all()} <= {lasting.pk}
        assert not Invitation.history.exists()


@pytest.mark.parametrize("deed", ["look", "change"])
def test_who_looked_does_not_get_rid_of_it_by_dating_the_tenancy_long_ago(as_manager, tenancy, meter, resident, deed):
    if deed == "look":
        as_manager.get(f"/admin/metering/reading/{ReadingFactory(meter=meter, taken_at=timezone.now()).pk}/change/")
        Reading.objects.all().delete()
    form = {"apartment": tenancy.apartment_id, "moved_in": "2020-01-01", "moved_out": "2020-02-01",
            "residents": [resident.pk]}  # fmt: skip
    assert as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form).status_code == 302
    if deed == "look":
        Tenancy.history.all().delete()
    assert erase(erasure.erase_tenancies) == 0
    with time_machine.travel(timezone.now() + dt.timedelta(days=36 * 31 + 1), tick=False):
        assert erase(erasure.erase_tenancies) == 1


def test_what_was_saved_in_nobodys_time_goes_at_the_same_age(ended, meter, resident):
    gap = UNTIL + dt.timedelta(days=1)
    TenancyFactory(apartment=ended.apartment, moved_in=dt.date(2025, 7, 1)).residents.add(resident)
    lost, kept = (ReadingFactory(meter=meter, taken_at=gap + dt.timedelta(days=days)) for days in (0, 40))
    for reading in (lost, kept):
        reading.save_for(resident, "", gap)
    with time_machine.travel(gap + dt.timedelta(days=364), tick=False):
        assert erase() == 0
    with time_machine.travel(gap + dt.timedelta(days=367), tick=False):
        assert erase() == 1
    assert left() == {kept.taken_at}


def test_readings_of_nobodys_time_follow_the_ordinary_retention(ended, meter, settings):
    settings.READING_RETENTION_DAYS = 3650
    ReadingFactory(meter=meter, taken_at=UNTIL + dt.timedelta(days=1))
    with time_machine.travel(YEAR_AFTER + dt.timedelta(days=900), tick=False):
        erase()
    assert Reading.objects.count() == 1


def test_refused_messages_get_no_older_than_readings(building, settings):
    settings.READING_RETENTION_DAYS = 7
    now = timezone.now()
    for age in (dt.timedelta(days=7, seconds=1), dt.timedelta(days=6, hours=23)):
        RejectedMessage.objects.create(received_at=now - age, topic="a", payload=b"1", reason="no")
    assert erase() == 1
    assert RejectedMessage.objects.get().received_at > now - dt.timedelta(days=7)


def test_invitations_a_year_after_they_ran_out(tenancy):
    now = timezone.now()
    for age in (364, 366):
        Invitation(tenancy=tenancy, expires_at=now - dt.timedelta(days=age)).issue()
    assert erase() == 1
    assert Invitation.objects.count() == 1


def test_sessions_and_cache_rows_that_ran_out(as_resident, as_neighbour, monkeypatch):
    monkeypatch.setattr("metering.retention.FIRST", 2)
    session = as_neighbour.session
    session.set_expiry(-1)
    session.save()
    for number in range(5):
        cache.set(f"gone{number}", 1, timeout=1)
    cache.set("there", 1, timeout=600)
    with time_machine.travel(timezone.now() + dt.timedelta(seconds=3), tick=False):
        assert erase() == 1 + 5
        assert erase() == 0
    assert as_resident.get("/account").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM cache")
        assert [key for (key,) in cursor.fetchall()] == [":1:there"]


@given(st.dates(dt.date(2000, 1, 1), dt.date(2400, 1, 1)), st.integers(1, 1200))
def test_never_less_than_so_many_calendar_months(today, months):
    before = months_before(today, months)
    assert (today.year - before.year) * 12 + today.month - before.month == months
    assert before.day <= today.day


def test_month_ends():
    assert months_before(dt.date(2026, 3, 31), 1) == dt.date(2026, 2, 28)
    assert months_before(dt.date(2026, 1, 15), 1) == dt.date(2025, 12, 15)
    assert months_before(dt.date(2024, 2, 29), 12) == dt.date(2023, 2, 28)


@pytest.mark.parametrize("value", [0, -1, 10**6])
@pytest.mark.parametrize(
    "name", ["READING_RETENTION_DAYS", "ERASE_READINGS_AFTER_MONTHS", "ERASE_BILLING_AFTER_MONTHS"]
)
def test_settings_that_make_no_sense_are_refused(name, value):
    with override_settings(**{name: value}):
        messages = [str(message) for message in run_checks(tags=["retention"]) if message.id == "metering.E003"]
    assert len(messages) == 1
    assert f"{name} is {value}: it must be from 1 to" in messages[0]


def test_bills_are_not_forgotten_before_readings(settings):
    assert run_checks(tags=["retention"]) == []
    settings.ERASE_READINGS_AFTER_MONTHS, settings.ERASE_BILLING_AFTER_MONTHS = 12, 11
    assert [message.id for message in run_checks(tags=["retention"])] == ["metering.E004"]
    settings.ERASE_BILLING_AFTER_MONTHS = 12
    assert run_checks(tags=["retention"]) == []


def test_a_chunk_is_a_transaction_of_its_own(ended, meter, django_assert_num_queries):
    for second in range(3):
        ReadingFactory(meter=meter, taken_at=SINCE + dt.timedelta(seconds=second))
    chunk = Chunk()
    chunk.size = 2
    deletions = chunk.delete_all(Reading.objects.order_by("taken_at"))
    assert next(deletions) == 2
    assert Reading.objects.count() == 1
    assert list(deletions) == [1]


def test_a_neighbour_who_stays_is_not_touched(ended, neighbour, neighbour_apartment, meter):
    tenancy = neighbour.tenancies.get()
    reading = ReadingFactory(meter=MeterFactory(apartment=neighbour_apartment), taken_at=SINCE)
    reading.save_for(UserFactory(), "", SINCE)
    with time_machine.travel(YEAR_AFTER + dt.timedelta(days=3650), tick=False):
        erase()
    assert Reading.objects.get() == reading
    assert list(neighbour.tenancies.all()) == [tenancy]


class TestAccounts:
    """By the account's own dates: who belongs to a household, a building or a request that lasts, stays."""

    @pytest.fixture
    def stranger(self, apartment):
        user = UserFactory(email="stranger@example.org")
        EmailAddress.objects.create(user=user, email=user.email, primary=True)
        JoinRequest.objects.create(user=user, apartment=apartment)
        return user

    def after(self, days):
        with time_machine.travel(timezone.now() + dt.timedelta(days=days)):
            return erase(erasure.erase_accounts)

    def test_an_address_that_nobody_confirms(self, stranger, resident, manager):
        assert self.after(29) == 0
        assert self.after(31) == 1
        assert not User.objects.filter(pk=stranger.pk).exists()
        assert JoinRequest.objects.count() == 0

    def test_one_that_somebody_confirmed(self, stranger):
        EmailAddress.objects.update(verified=True)
        assert self.after(31) == 0

    def test_one_that_a_manager_let_in(self, stranger, tenancy):
        tenancy.residents.add(stranger)
        assert self.after(31) == 0

    def test_who_confirms_while_others_are_erased(self, stranger, apartment):
        second = UserFactory(email="second@example.org")
        EmailAddress.objects.create(user=second, email=second.email, primary=True)
        with time_machine.travel(timezone.now() + dt.timedelta(days=31)):
            erasing = erasure.erase_accounts(Chunk())
            next(erasing)
            EmailAddress.objects.update(verified=True)
            assert list(erasing) == []

    @pytest.mark.parametrize("what", ["household", "building"])
    def test_who_belonged_somewhere_until_today(self, tenancy, building, what):
        user = UserFactory()
        where = tenancy.residents if what == "household" else building.managers
        where.add(user)
        User.objects.filter(pk=user.pk).update(date_joined=timezone.now() - dt.timedelta(days=4000))
        where.remove(user)
        assert self.after(30) == 0
        assert self.after(1200) == 1

    def test_who_has_belonged_nowhere_for_years(self, db, settings):
        settings.ERASE_BILLING_AFTER_MONTHS = 12
        UserFactory()
        came_back = UserFactory()
        User.objects.filter(pk=came_back.pk).update(last_login=timezone.now() + dt.timedelta(days=300))
        UserFactory(is_superuser=True)
        BuildingFactory().managers.add(UserFactory())
        TenancyFactory().residents.add(UserFactory())
        assert self.after(360) == 0
        assert self.after(370) == 1
        assert User.objects.filter(pk=came_back.pk).exists()


class TestEnergy:
    """Quarter hours go with the readings; daily totals stay for bills, as long as the tenancy."""

    @pytest.fixture
    def energy(self, ended, meter):
        """Of the day before the household, its first and last day, and the day after."""
        moments = (SINCE - dt.timedelta(hours=1), SINCE, UNTIL - dt.timedelta(hours=1), UNTIL)
        for moment in moments:
            for second in range(0, 120, 10):
                ReadingFactory(meter=meter, taken_at=moment + dt.timedelta(seconds=second))
        with time_machine.travel(UNTIL + dt.timedelta(days=1), tick=False):
            assert sum(derive_new()) == 8
        return moments

    def quarters(self):
        return [quarter_start(load.quarter) for load in Load.objects.order_by("quarter")]

    def test_quarter_hours_go_twelve_months_after_and_daily_totals_stay(self, ended, energy):
        TenancyFactory(apartment=ended.apartment, moved_in=dt.date(2025, 6, 1))
        with time_machine.travel(YEAR_AFTER - dt.timedelta(seconds=1), tick=False):
            # The day before was nobody's, and is as old as that.
            erase(erasure.erase_loads, erasure.erase_day_totals)
            assert self.quarters() == list(energy[1:])
        with time_machine.travel(YEAR_AFTER, tick=False):
            erase()
            assert self.quarters() == [energy[3]]
            assert DayTotal.objects.count() == 4

    def test_daily_totals_go_thirty_six_months_after(self, ended, energy):
        TenancyFactory(apartment=ended.apartment, moved_in=dt.date(2025, 6, 1))
        day_before = dt.datetime(2028, 5, 31, 21, tzinfo=dt.UTC)
        with time_machine.travel(day_before, tick=False):
            erase()
            assert [total.date.isoformat() for total in DayTotal.objects.all()] == [
                "2025-03-01", "2025-05-31", "2025-06-01"
            ]  # fmt: skip
        with time_machine.travel(day_before + dt.timedelta(hours=2), tick=False):
            erase()
            assert [total.date.isoformat() for total in DayTotal.objects.all()] == ["2025-06-01"]

    @pytest.mark.parametrize("setting", ["ERASE_READINGS_AFTER_MONTHS", "ERASE_BILLING_AFTER_MONTHS"])
    def test_the_operator_says_when(self, ended, energy, settings, setting):
        setattr(settings, setting, 24)
        with time_machine.travel(YEAR_AFTER, tick=False):
            erase()
            assert (energy[1] in self.quarters()) == (setting == "ERASE_READINGS_AFTER_MONTHS")
        with time_machine.travel(YEAR_AFTER + dt.timedelta(days=366), tick=False):
            erase()
            assert energy[1] not in self.quarters()
            dates = set(DayTotal.objects.values_list("date", flat=True))
            assert (dt.date(2025, 3, 1) in dates) == (setting == "ERASE_READINGS_AFTER_MONTHS")

    def test_the_buildings_own_meter_is_nobodys_and_stays(self, building):
        common = MeterFactory(apartment=None, building=building, topic="house/common")
        ReadingFactory(meter=common, taken_at=SINCE)
        ReadingFactory(meter=common, taken_at=SINCE + dt.timedelta(seconds=60))
        sum(derive_new())
        with time_machine.travel(YEAR_AFTER + dt.timedelta(days=3660), tick=False):
            erase()
        assert (Load.objects.count(), DayTotal.objects.count()) == (1, 1)

    def test_what_comes_late_does_not_bring_them_back_to_less(self, ended, energy, meter):
        total = DayTotal.objects.get(date=dt.date(2025, 3, 1))
        TenancyFactory(apartment=ended.apartment, moved_in=dt.date(2025, 6, 1))
        with time_machine.travel(YEAR_AFTER, tick=False):
            erase()
            for second in (0, 10):
                ReadingFactory(meter=meter, taken_at=SINCE + dt.timedelta(hours=3, seconds=second))
            sum(derive_new())
        assert DayTotal.objects.get(date=dt.date(2025, 3, 1)).energy == total.energy
