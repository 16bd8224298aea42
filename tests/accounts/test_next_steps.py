"""What a row in admin still lacks is named on its page and after saving it, and nowhere else."""

import datetime as dt
import re
from html import unescape

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from accounts.models import Building, Tenancy, User
from tests.factories import MeterFactory, ReadingFactory, TariffFactory, TenancyFactory, UserFactory
from tests.fakes import NOON

pytestmark = pytest.mark.django_db
MANAGEMENT = {"meters-TOTAL_FORMS": 0, "meters-INITIAL_FORMS": 0}


def steps(answer):
    """Those that the row's own page shows."""
    return [plain(step) for step in re.findall("<li>(.*?)</li>", section(answer))]


def told(answer):
    """Those that the page after saving tells."""
    found = re.search(r'<li class="next info">(.*?)</li>', answer.content.decode(), re.DOTALL)
    return plain(found[1]) if found else ""


def plain(markup):
    return unescape(re.sub("<.*?>", "", markup)).strip()


def links(answer):
    return [unescape(path) for path in re.findall('href="(.*?)"', section(answer))]


def section(answer):
    found = re.search(r'<section class="next-steps".*?</section>', answer.content.decode(), re.DOTALL)
    return found[0] if found else ""


def page_of(client, row):
    return client.get(f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/")


class TestABuilding:
    def test_wants_apartments_and_a_tariff(self, as_manager, building):
        page = page_of(as_manager, building)
        assert steps(page) == ["Add its apartments", "Add its tariff"]
        apartment, tariff = links(page)
        assert as_manager.get(apartment).context["adminform"].form["building"].value() == str(building.pk)
        assert as_manager.get(tariff).context["adminform"].form["building"].value() == str(building.pk)

    def test_is_left_alone_where_it_has_them(self, as_manager, building, apartment):
        TariffFactory(building=building)
        assert steps(page_of(as_manager, building)) == []

    def test_wants_a_tariff_that_holds(self, as_manager, building, apartment):
        TariffFactory(building=building, replaced_at=NOON)
        assert steps(page_of(as_manager, building)) == ["Add its tariff"]

    def test_is_told_after_saving(self):
        client = Client()
        client.force_login(User.objects.create_superuser("root@example.org", "x"))
        form = {"slug": "birch", "name": "Birch", "timezone": "Europe/Berlin", "currency": "EUR"}
        page = client.post("/admin/accounts/building/add/", form, follow=True)
        assert told(page) == "Next: Add its apartments · Add its tariff"
        assert f"/admin/metering/tariff/add/?building={Building.objects.get().pk}" in page.content.decode()


class TestAnApartment:
    def test_that_is_new_names_the_topic_of_its_meter(self, as_manager, building):
        form = {"building": building.pk, "number": "301", "floor": "3"} | MANAGEMENT
        page = as_manager.post("/admin/accounts/apartment/add/", form, follow=True)
        assert told(page) == (
            "Next: Have the meter publish to electricity/house/floor/301: nothing was heard of it yet"
            " · Add a tenancy for the household that lives there"
        )

    def test_without_a_meter(self, as_manager, apartment):
        MeterFactory(apartment=apartment, removed_at=NOON)
        page = page_of(as_manager, apartment)
        assert steps(page) == ["Add its meter", "Add a tenancy for the household that lives there"]
        form = as_manager.get(links(page)[0]).context["adminform"].form
        assert (form["building"].value(), form["apartment"].value()) == (
            str(apartment.building_id), str(apartment.pk)
        )  # fmt: skip

    def test_whose_meter_is_heard_and_whose_household_is_known(self, as_manager, meter, tenancy):
        ReadingFactory(meter=meter)
        assert steps(page_of(as_manager, meter.apartment)) == []
        assert steps(page_of(as_manager, meter)) == []

    @pytest.mark.parametrize(
        ("dates", "is_missing"),
        [({"moved_out": dt.date(2026, 1, 1)}, True), ({"moved_in": dt.date(2900, 1, 1)}, False)],
    )
    def test_whose_household_left_or_is_to_come(self, as_manager, meter, dates, is_missing):
        ReadingFactory(meter=meter)
        TenancyFactory(apartment=meter.apartment, **dates)
        wanted = ["Add a tenancy for the household that lives there"] if is_missing else []
        assert steps(page_of(as_manager, meter.apartment)) == wanted

    def test_that_goes_on_to_the_next_one_is_not_told(self, as_manager, building):
        form = {"building": building.pk, "number": "301", "floor": "3", "_addanother": "1"} | MANAGEMENT
        assert told(as_manager.post("/admin/accounts/apartment/add/", form, follow=True)) == ""

    def test_that_a_popup_made_says_nothing(self, as_manager, apartment):
        assert steps(as_manager.get(f"/admin/accounts/apartment/{apartment.pk}/change/?_popup=1")) == []


class TestATenancy:
    def test_without_residents_is_to_be_invited(self, as_manager, apartment):
        form = {"apartment": apartment.pk, "moved_in": "2026-01-01", "moved_out": ""}
        page = as_manager.post("/admin/accounts/tenancy/add/", form, follow=True)
        assert told(page) == "Next: Invite the household"
        tenancy = Tenancy.objects.get()
        (invite,) = links(page_of(as_manager, tenancy))
        assert as_manager.get(invite).context["adminform"].form["tenancy"].value() == str(tenancy.pk)

    def test_with_residents_is_not(self, as_manager, tenancy, resident):
        assert steps(page_of(as_manager, tenancy)) == []

    @pytest.mark.parametrize(("days", "is_missing"), [(7, False), (-1, True)])
    def test_that_was_invited_is_again_once_that_ran_out(self, as_manager, tenancy, days, is_missing):
        expires = timezone.now() + dt.timedelta(days=days)
        tenancy.invitations.create(token_hash="x", expires_at=expires)
        assert steps(page_of(as_manager, tenancy)) == (["Invite the household"] if is_missing else [])

    def test_that_ended_is_not(self, as_manager, apartment):
        ended = TenancyFactory(apartment=apartment, moved_out=dt.date(2026, 1, 1))
        assert steps(page_of(as_manager, ended)) == []

    def test_with_a_date_that_is_refused_is_not_asked_of(self, as_manager, apartment):
        """What was entered stands in the row that the form shows once more."""
        tenancy = TenancyFactory(apartment=apartment)
        path = f"/admin/accounts/tenancy/{tenancy.pk}/change/"
        entered = {"apartment": apartment.pk, "moved_in": "0001-01-01", "moved_out": "0001-01-01"}
        answer = as_manager.post(path, entered)
        assert answer.context["errors"]
        assert section(answer) == ""


class TestAMeter:
    def test_that_was_never_heard_names_its_topic(self, as_manager, meter):
        topic = "Have the meter publish to electricity/house/floor/101: nothing was heard of it yet"
        assert steps(page_of(as_manager, meter)) == [topic]

    def test_that_was_removed_does_not(self, as_manager, meter):
        meter.removed_at = NOON
        meter.save()
        assert steps(page_of(as_manager, meter)) == []

    def test_whose_topic_is_markup_is_shown_as_text(self, as_manager, apartment):
        hostile = MeterFactory(apartment=apartment, topic="<b>house</b>")
        page = page_of(as_manager, hostile).content.decode()
        assert "&lt;b&gt;house&lt;/b&gt;" in page
        assert "<code><b>" not in page


def test_who_may_not_add_is_not_told_to(building, rf):
    request = rf.get("/")
    request.user = UserFactory()
    assert list(admin.site.get_model_admin(Building).next_steps(request, building)) == []
