"""A manager enters prices, and changes them."""

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.contrib.admin.models import LogEntry

from metering.loads import derive_new
from metering.models import Rate, Reading, Tariff
from tests.factories import BuildingFactory, TariffFactory

pytestmark = pytest.mark.django_db
ADD = "/admin/metering/tariff/add/"
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def now():
    with time_machine.travel(NOW, tick=False):
        yield


def form(building, rates, *, initial=0, **fields):
    given = {
        "building": building.pk, "valid_from": "2026-11-01", "currency": "EUR", "standing_charge": "0.25",
        "tax_rate": "", "rates-TOTAL_FORMS": len(rates), "rates-INITIAL_FORMS": initial,
    }  # fmt: skip
    for number, rate in enumerate(rates):
        given |= {f"rates-{number}-{name}": value for name, value in rate.items()}
    return given | fields


def rate(name, price, hours="", **more):
    return {"name": name, "price": price, "hours": hours} | more


def change(tariff):
    return f"/admin/metering/tariff/{tariff.pk}/change/"


@pytest.fixture
def priced(building, meter):
    """A tariff that has priced energy."""
    tariff = TariffFactory(building=building, valid_from=dt.date(2026, 11, 1), standing_charge="0.25")
    Reading.objects.bulk_create(
        Reading(meter=meter, taken_at=NOW - number * dt.timedelta(minutes=1), voltage=230, current=4, power=1000)
        for number in range(60)
    )
    sum(derive_new())
    return tariff


def test_the_form_knows_what_a_manager_of_one_house_would_fill_in(as_manager, building):
    building.currency = "CHF"
    building.save()
    page = as_manager.get(ADD)
    assert page.context["adminform"].form.initial == {"building": building.pk, "currency": "CHF"}


def test_day_and_night(as_manager, building):
    rates = [rate("Day", "0.35", "Mon-Fri 06:00-22:00"), rate("Night", "0.2055")]
    answer = as_manager.post(ADD, form(building, rates, tax_rate="19"))
    assert answer.status_code == 302, answer.context["errors"]
    tariff = Tariff.objects.get()
    assert (tariff.standing_charge, tariff.tax_rate, tariff.applied) == (Decimal("0.25"), 19, False)
    assert list(tariff.rates.values_list("name", "price")) == [("Day", Decimal("0.35")), ("Night", Decimal("0.2055"))]
    page = as_manager.get("/admin/metering/tariff/").content.decode()
    assert "Day €0.35, Night €0.2055" in page
    assert ">€0.25<" in page


def test_prices_in_german(as_manager, building):
    TariffFactory(building=building, standing_charge="0.320000", rates={"Tag": ("0.3", "")}, currency="CHF")
    page = as_manager.get("/admin/metering/tariff/", headers={"accept-language": "de"}).content.decode()
    assert "Tag 0,30\xa0CHF" in page or "Tag 0,30 CHF" in page
    assert "0,32" in page
    assert "0,320000" not in page


def test_a_history_shows_prices_without_zeros_nobody_entered(as_manager, building):
    tariff = TariffFactory(building=building, standing_charge="0.32")
    page = as_manager.get(f"/admin/metering/tariff/{tariff.pk}/history/").content.decode()
    assert "0.32<" in page
    assert "0.320000" not in page


def test_one_to_come_says_from_when_it_holds(as_manager, building):
    TariffFactory(building=building, valid_from=dt.date(2026, 12, 1))
    page = as_manager.get("/admin/metering/tariff/").content.decode()
    assert "holds from 1 December 2026" in page
    assert "are being summed" not in page


def test_prices_are_shown_as_they_were_entered(as_manager, building):
    tariff = TariffFactory(building=building, standing_charge="100", rates={"Day": ("0.320000", "")})
    for language, price in (("en", "0.32"), ("de", "0,32")):
        page = as_manager.get(change(tariff), headers={"accept-language": language}).content.decode()
        assert f'name="rates-0-price" value="{price}"' in page
        assert 'name="standing_charge" value="100"' in page
    refused = as_manager.post(
        change(tariff), form(building, [rate("Day", "0.320x", id=tariff.rates.get().pk)], initial=1)
    )
    assert 'name="rates-0-price" value="0.320x"' in refused.content.decode()
    assert tariff.rates.get().price == Decimal("0.32")


@pytest.mark.parametrize(
    ("rates", "problem"),
    [
        ([rate("Day", "0.3", "06:00-22:00")], "No rate holds on Mon-Sun 00:00-06:00, Mon-Sun 22:00-24:00."),
        (
            [rate("A", "1", "06:00-22:00"), rate("B", "1", "21:45-06:00")],
            "“A” and “B” both hold on Mon-Sun 21:45-22:00.",
        ),
        ([rate("A", "1"), rate("B", "1")], "“A” and “B” are both without hours. Only one may hold at all others."),
        ([rate("A", "1", "sometimes")], "“sometimes” is not understood."),
        ([rate("A", "-1")], "greater than or equal to 0"),
        ([rate("A", "1e3000")], "Ensure that there are no more than"),
        ([rate("A", "1", "00:00-12:00"), rate("A", "1")], "Please correct the duplicate"),
    ],
)
def test_what_cannot_be_a_tariff(as_manager, building, rates, problem):
    answer = as_manager.post(ADD, form(building, rates))
    assert answer.status_code == 200
    assert problem in answer.content.decode().replace("&quot;", '"')
    assert not Tariff.objects.exists()
    assert not Rate.objects.exists()


def test_saving_one_says_what_residents_see_and_where_the_manager_looks(as_manager, building):
    answer = as_manager.post(ADD, form(building, [rate("Day", "0.35")]), follow=True)
    energy = f'<a href="/admin/accounts/building/{building.pk}/energy/">Energy</a>'
    assert "residents see costs at these prices, and you under " + energy in answer.content.decode()
    answer = as_manager.post(ADD, form(building, [rate("Day", "0.35")], valid_from="2026-12-01"), follow=True)
    assert "Next: From 1 December 2026 on residents see costs at these prices" in answer.content.decode()


def test_a_rate_is_added_in_plain_words(as_manager, building):
    assert "Add another rate" in as_manager.get(ADD).content.decode()


def test_two_from_one_day(as_manager, building):
    TariffFactory(building=building, valid_from=dt.date(2026, 11, 1))
    answer = as_manager.post(ADD, form(building, [rate("A", "1")]))
    assert "has a tariff from this day on already" in answer.content.decode()
    other = TariffFactory(building=building, valid_from=dt.date(2026, 12, 1))
    own = other.rates.get()
    answer = as_manager.post(change(other), form(building, [rate("A", "1", id=own.pk)], initial=1))
    assert "has a tariff from this day on already" in answer.content.decode()


def test_somebody_elses_house(as_manager, building):
    answer = as_manager.post(ADD, form(BuildingFactory(), [rate("A", "1")]))
    assert answer.status_code == 200
    assert not Tariff.objects.exists()


class TestAChange:
    def test_of_one_to_come_is_made_in_place(self, as_manager, building):
        tariff = TariffFactory(building=building, valid_from=dt.date(2027, 1, 1))
        rates = [rate("Electricity", "0.4", id=tariff.rates.get().pk)]
        assert as_manager.post(change(tariff), form(building, rates, initial=1)).status_code == 302
        assert Tariff.objects.get() == tariff
        assert tariff.rates.get().price == Decimal("0.4")

    def test_of_one_that_priced_something_makes_a_new_version(self, as_manager, building, priced):
        old = priced.rates.get()
        rates = [rate("Electricity", "0.4", "", id=old.pk), rate("Weekend", "0.1", "Sat-Sun 00:00-24:00")]
        answer = as_manager.post(change(priced), form(building, rates, initial=1), follow=True)
        assert "the version before stays to be read" in answer.content.decode()
        priced.refresh_from_db()
        assert priced.replaced_at == NOW
        assert priced.rates.get() == old
        new = Tariff.objects.current().get()
        assert list(new.rates.values_list("name", "price", "hours")) == [
            ("Electricity", Decimal("0.4"), ""), ("Weekend", Decimal("0.1"), "Sat-Sun 00:00-24:00")
        ]  # fmt: skip
        assert new.history.get().history_user_id == answer.context["user"].pk

    def test_of_one_whose_day_has_come_makes_one_before_anything_is_summed(self, as_manager, building):
        """The last hour is priced as it is read, without a total."""
        tariff = TariffFactory(building=building, valid_from=dt.date(2026, 11, 25))
        rates = [rate("Electricity", "0.4", id=tariff.rates.get().pk)]
        assert as_manager.post(change(tariff), form(building, rates, initial=1)).status_code == 302
        assert tariff.rates.get().price == Decimal("0.3")
        assert Tariff.objects.current().get().rates.get().price == Decimal("0.4")

    def test_of_one_from_tomorrow_on_is_made_in_place_until_midnight_of_the_house(self, as_manager, building):
        tariff = TariffFactory(building=building, valid_from=dt.date(2026, 11, 26))
        rates = [rate("Electricity", "0.4", id=tariff.rates.get().pk)]
        fields = form(building, rates, initial=1, valid_from="2026-11-26")
        assert as_manager.post(change(tariff), fields).status_code == 302
        assert tariff.rates.get().price == Decimal("0.4")
        with time_machine.travel(building.midnight(dt.date(2026, 11, 26)), tick=False):
            fields["rates-0-price"] = "0.5"
            assert as_manager.post(change(tariff), fields).status_code == 302
        assert tariff.rates.get().price == Decimal("0.4")

    def test_a_rate_that_is_taken_away_stays_in_the_version_before(self, as_manager, building, meter, priced):
        Rate.objects.create(tariff=priced, name="Weekend", price=1, hours="Sat-Sun 00:00-24:00")
        first, second = priced.rates.all()
        rates = [rate("Electricity", "0.3", id=first.pk), rate("Weekend", "1", id=second.pk, DELETE="on")]
        as_manager.post(change(priced), form(building, rates, initial=2))
        assert priced.rates.count() == 2
        assert Tariff.objects.current().get().rates.get().name == "Electricity"

    def test_by_two_at_once_leaves_no_tariff_that_contradicts_itself(self, as_manager, building):
        """Each form knows only of its own rates."""
        tariff = TariffFactory(building=building, valid_from=dt.date(2027, 1, 1))
        own = rate("Electricity", "0.3", id=tariff.rates.get().pk)
        first = form(building, [own, rate("Night", "0.1", "22:00-06:00")], initial=1, valid_from="2027-01-01")
        weekend = rate("Weekend", "0.1", "Sat-Sun 00:00-24:00")
        second = form(building, [own, weekend], initial=1, valid_from="2027-01-01")
        assert as_manager.post(change(tariff), first).status_code == 302
        assert as_manager.post(change(tariff), second).status_code == 400
        assert set(tariff.rates.values_list("name", flat=True)) == {"Electricity", "Night"}

    def test_that_changes_nothing_makes_none(self, as_manager, building, priced):
        own = priced.rates.get()
        rates = [rate(own.name, "0.30", id=own.pk)]
        assert as_manager.post(change(priced), form(building, rates, initial=1)).status_code == 302
        assert Tariff.objects.get() == priced

    def test_a_version_that_was_replaced_is_only_read(self, as_manager, building, priced):
        priced.replaced_at = NOW
        priced.save()
        assert as_manager.get(change(priced)).status_code == 200
        assert as_manager.post(change(priced), form(building, [rate("A", "1")])).status_code == 403
        assert as_manager.post(f"/admin/metering/tariff/{priced.pk}/delete/", {"post": "yes"}).status_code == 403


class TestTakingAway:
    def test_one_that_priced_something_is_withdrawn(self, as_manager, priced):
        answer = as_manager.post(f"/admin/metering/tariff/{priced.pk}/delete/", {"post": "yes"}, follow=True)
        (said,) = answer.context["messages"]
        assert str(said) == (
            "The tariff “house from 2026-11-01” holds no longer. It stays to be read under "
            '<a href="/admin/metering/tariff/?version=replaced">Replaced or withdrawn</a>.'
        )
        assert LogEntry.objects.get().get_change_message() == "Withdrawn."
        priced.refresh_from_db()
        assert priced.replaced_at == NOW
        assert priced.rates.count() == 1

    def test_so_is_one_whose_days_another_took_over(self, as_manager, building, priced):
        TariffFactory(building=building, valid_from=dt.date(2026, 11, 20))
        as_manager.post(f"/admin/metering/tariff/{priced.pk}/delete/", {"post": "yes"})
        priced.refresh_from_db()
        assert priced.replaced_at == NOW

    def test_the_question_says_what_becomes_of_its_days(self, as_manager, building, priced):
        def asked(tariff):
            return as_manager.get(f"/admin/metering/tariff/{tariff.pk}/delete/").content.decode()

        page = asked(priced)
        assert "it is not deleted but withdrawn" in page
        assert "of its days, from 1 November 2026 on, residents see no costs any more." in page
        later = TariffFactory(building=building, valid_from=dt.date(2026, 11, 20))
        assert "of its days, from 1 November 2026 to 19 November 2026, residents see no costs" in asked(priced)
        assert (
            "On its days, from 20 November 2026 on, the tariff before it holds instead, that from 1 November 2026."
            in asked(later)
        )
        to_come = TariffFactory(building=building, valid_from=dt.date(2027, 1, 1))
        assert "not deleted but withdrawn" not in asked(to_come)

    def test_one_to_come_is_deleted(self, as_manager, building):
        tariff = TariffFactory(building=building, valid_from=dt.date(2027, 1, 1))
        as_manager.post(f"/admin/metering/tariff/{tariff.pk}/delete/", {"post": "yes"})
        assert not Tariff.objects.exists()
