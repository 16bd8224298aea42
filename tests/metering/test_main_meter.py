"""The main meter beside the sum of the others, over time in which all of them were heard."""

import datetime as dt

import pytest
import time_machine
from django.core.exceptions import ValidationError

from metering.house.main_meter import balance
from metering.loads import derive_new, rebuild
from metering.models import Load, Meter, Reading
from tests.factories import MeterFactory

pytestmark = pytest.mark.django_db
FIRST, LAST = dt.date(2026, 11, 20), dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def main(building):
    return MeterFactory(apartment=None, building=building, topic="main", is_main=True)


def use(meter, power, begin, hours=48):
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=begin + number * HOUR / 12, voltage=230, current=1, power=power)
        for number in range(hours * 12 + 1)
    )
    sum(derive_new())


def test_whole_days(building, main, meter, neighbour_apartment):
    begin = building.midnight(FIRST)
    use(main, 1100, begin)
    use(meter, 600, begin)
    use(MeterFactory(apartment=neighbour_apartment), 400, begin)
    found = balance(building, FIRST, LAST, NOW)
    assert (found.main, found.behind, found.difference) == (52_800_000, 48_000_000, 4_800_000)
    assert found.share == pytest.approx(1 / 11)
    assert (found.hours, found.asked_hours, found.silent) == (48, 48, [])


def test_quarter_hours_in_which_one_was_silent_do_not_count(building, main, meter):
    begin = building.midnight(FIRST)
    use(main, 1000, begin)
    use(meter, 900, begin, hours=30)
    found = balance(building, FIRST, LAST, NOW)
    assert (found.hours, found.asked_hours) == (30, 48)
    assert (found.main, found.behind) == (30_000_000, 27_000_000)
    assert found.silent == [meter]


def test_a_meter_that_was_not_there_yet_is_not_missed(building, main, meter, neighbour_apartment):
    begin = building.midnight(FIRST)
    use(main, 1000, begin)
    use(meter, 500, begin)
    use(MeterFactory(apartment=neighbour_apartment, installed_at=begin + 24 * HOUR), 400, begin + 24 * HOUR, hours=24)
    found = balance(building, FIRST, LAST, NOW)
    assert found.hours == 48
    assert found.behind == (48 * 500 + 24 * 400) * 1000


def silence(meter, begin, minutes):
    """As if it had not been heard for so long."""
    Reading.objects.filter(meter=meter, taken_at__gt=begin, taken_at__lt=begin + minutes * HOUR / 60).delete()
    sum(rebuild())


def test_a_hole_of_minutes_at_a_time_of_much_use(building, main, meter):
    """99 % of the day were heard; what was used in the hole is not a loss."""
    begin = building.midnight(FIRST)
    use(main, 1000, begin, hours=24)
    use(meter, 1000, begin, hours=24)
    evening = begin + 18 * HOUR
    for each in (main, meter):
        Reading.objects.filter(meter=each, taken_at__gte=evening, taken_at__lt=evening + HOUR).update(power=12000)
    sum(rebuild())
    silence(main, evening + HOUR / 4, 10)
    found = balance(building, FIRST, FIRST + 24 * HOUR, NOW)
    assert (found.hours, found.asked_hours, found.silent) == (23.75, 24, [main])
    assert found.main == found.behind
    assert found.main > 30_000_000


def test_quarter_hours_to_leave_out_that_are_erased(building, main, meter, neighbour_apartment):
    begin = building.midnight(FIRST)
    use(main, 1100, begin)
    use(meter, 600, begin)
    use(MeterFactory(apartment=neighbour_apartment), 500, begin)
    silence(main, begin + 12 * HOUR, 60)
    Load.objects.filter(meter=meter).delete()
    found = balance(building, FIRST, LAST, NOW)
    # The second day, of which there are the totals of all.
    assert (found.hours, found.main, found.behind) == (24, 26_400_000, 26_400_000)


def test_a_meter_that_comes_in_the_middle_of_a_day(building, main, meter, neighbour_apartment):
    begin = building.midnight(FIRST)
    use(main, 1000, begin)
    use(meter, 600, begin)
    use(MeterFactory(apartment=neighbour_apartment, installed_at=begin + 12 * HOUR), 400, begin + 12 * HOUR, hours=36)
    found = balance(building, FIRST, LAST, NOW)
    assert (found.hours, found.silent) == (48, [])
    assert found.behind == (12 * 600 + 36 * 1000) * 1000


def test_of_today_what_is_past_and_summed(building, main, meter):
    begin = building.midnight(LAST)
    with time_machine.travel(begin + 24 * HOUR, tick=False):
        use(main, 1000, begin, hours=24)
        use(meter, 800, begin, hours=24)
    found = balance(building, LAST, LAST + 24 * HOUR, begin + 6 * HOUR + HOUR / 6)
    assert (found.hours, found.main, found.behind, found.silent) == (6, 6_000_000, 4_800_000, [])


def test_nothing_in_common_is_nothing_to_compare(building, main, meter):
    use(main, 1000, building.midnight(FIRST))
    found = balance(building, FIRST, LAST, NOW)
    assert (found.compared, found.share) == (0, None)


def test_without_a_main_meter_there_is_none(building, meter):
    assert balance(building, FIRST, LAST, NOW) is None


def test_time_to_come_is_not_asked_for(building, main, meter):
    assert balance(building, dt.date(2026, 11, 22), dt.date(2026, 12, 1), NOW).asked == 25 * 3600


def test_an_apartments_meter_is_none(meter):
    meter.is_main = True
    with pytest.raises(ValidationError, match="does not measure the whole building"):
        meter.full_clean()


def test_the_page_shows_it(as_manager, building, main, meter):
    begin = building.midnight(FIRST)
    use(main, 1000, begin)
    use(meter, 900, begin)
    assert Meter.objects.filter(building=building).count() == 2
    page = as_manager.get(f"/admin/accounts/building/{building.pk}/energy/?year=2026&month=11").content.decode()
    words = " ".join(page.split())
    assert "<dt>Difference</dt><dd>4.80 kWh (10.0 %)</dd>" in words
    assert "Compared over 48 of 528 hours" in words.replace("529", "528")


def test_time_in_which_the_main_meter_did_not_hang_there_does_not_count(building, main, meter):
    begin = building.midnight(FIRST)
    main.installed_at = begin + 36 * HOUR
    main.save()
    use(main, 1000, begin + 36 * HOUR, hours=12)
    use(meter, 900, begin)
    found = balance(building, FIRST, LAST, NOW)
    assert (found.main, found.behind, found.hours) == (12_000_000, 10_800_000, 12)
