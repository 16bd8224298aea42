"""Who changed what, when, from what to what."""

import datetime as dt
import importlib
import re

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from accounts.models import Apartment, Building, Invitation, JoinRequest, Tenancy, User, open_tenancy
from accounts.models.history import BEGAN
from accounts.trace import forget_person
from metering.models import Meter
from tests.factories import PASSWORD, ApartmentFactory, BuildingFactory, TenancyFactory, UserFactory
from tests.walls.answers import without_token

pytestmark = pytest.mark.django_db
NOVEMBER = dt.date(2026, 11, 30)


def text_of(response):
    """The entries of a history page as somebody reads them, newest first."""
    assert response.status_code == 200
    page = response.content.decode()
    entries = re.findall(r"<li>\s*<p class=\"trace-head\">.*?</li>", page, re.DOTALL)
    return [" ".join(strip_tags(entry).split()) for entry in entries]


def history(client, kind, row):
    return text_of(client.get(f"/admin/{kind}/{row if isinstance(row, int) else row.pk}/history/"))


def deleted(client, kind):
    return text_of(client.get(f"/admin/{kind}/deleted/"))


@pytest.fixture(autouse=True)
def every_record_by_itself(monkeypatch):
    """Here everything happens at once."""
    monkeypatch.setattr("accounts.history_words.AT_ONCE", dt.timedelta(0))


@pytest.fixture
def as_root(db):
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "x"))
    return client


@pytest.fixture
def elsewhere():
    """A tenancy of another building."""
    apartment = ApartmentFactory(building=BuildingFactory(slug="elsewhere", name="Elsewhere"), number="777")
    tenancy = TenancyFactory(apartment=apartment)
    tenancy.residents.add(UserFactory(email="stranger@example.org"))
    return tenancy


def edit_tenancy(client, tenancy, residents, moved_out=""):
    form = {"apartment": tenancy.apartment_id, "moved_in": "2025-01-01", "moved_out": moved_out, "residents": residents}
    assert client.post(f"/admin/accounts/tenancy/{tenancy.pk}/change/", form).status_code == 302


class TestTheWords:
    def test_dates_and_people_from_what_to_what(self, as_manager, tenancy, resident, neighbour):
        edit_tenancy(as_manager, tenancy, [neighbour.pk], "2026-11-30")
        came, went, before, *_ = history(as_manager, "accounts/tenancy", tenancy)
        assert came.endswith("Changed by manager@example.org Residents +added: neighbour@example.org")
        assert went.endswith("Changed by manager@example.org Residents −removed: resident@example.org")
        assert before.endswith("Changed by manager@example.org Moved out from – → to 30 Nov 2026")

    def test_what_is_saved_at_once_is_one_entry(self, as_manager, tenancy, resident, neighbour, monkeypatch):
        monkeypatch.setattr("accounts.history_words.AT_ONCE", dt.timedelta(minutes=1))
        edit_tenancy(as_manager, tenancy, [neighbour.pk], "2026-11-30")
        changed, added = history(as_manager, "accounts/tenancy", tenancy)
        assert changed.endswith(
            "Changed by manager@example.org Moved out from – → to 30 Nov 2026 "
            "Residents −removed: resident@example.org Residents +added: neighbour@example.org"
        )
        assert added.endswith(
            "Added by a command on the server Apartment house/101 Moved in 1 Jan 2025 "
            "Residents +added: resident@example.org"
        )

    def test_what_it_was_added_with(self, as_manager, apartment):
        form = {"apartment": apartment.pk, "moved_in": "2026-11-01", "moved_out": ""}
        assert as_manager.post("/admin/accounts/tenancy/add/", form).status_code == 302
        (entry,) = history(as_manager, "accounts/tenancy", Tenancy.objects.get())
        assert entry.endswith("Added by manager@example.org Apartment house/101 Moved in 1 Nov 2026")

    def test_rights_and_not_the_password(self, as_root, resident):
        form = {"email": "resident@example.org", "is_active": ""}
        assert as_root.post(f"/admin/accounts/user/{resident.pk}/change/", form).status_code == 302
        newest, *_ = history(as_root, "accounts/user", resident)
        assert newest.endswith("Changed by root@example.org Active from yes → to no")
        columns = {field.name for field in User.history.model._meta.fields}
        assert columns.isdisjoint({"password", "last_login"})
        assert "token_hash" not in {field.name for field in Invitation.history.model._meta.fields}

    def test_a_meter_from_the_beginning(self, as_manager, meter):
        form = {"serial": "7", "decoder": "native", "topic": "", "installed_at_0": "2026-01-01",
                "installed_at_1": "00:00:00"}  # fmt: skip
        assert as_manager.post(f"/admin/metering/meter/{meter.pk}/change/", form).status_code == 302
        newest, oldest = history(as_manager, "metering/meter", meter)
        assert "Serial number from – → to 7" in newest
        assert "Installed at from from the beginning → to 1 Jan 2026, 00:00:00" in newest
        assert "Added by a command on the server Building House by the Sea Apartment house/101" in oldest

    def test_script_is_inert(self, as_manager, building):
        building.name = "<script>alert(1)</script>"
        building.save()
        page = as_manager.get(f"/admin/accounts/building/{building.pk}/history/").content.decode()
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert(1)" not in page

    def test_every_entry_of_a_page_says_from_what(self, as_manager, building):
        for number in range(60):
            building.name = f"House {number}"
            building.save()
        entries = history(as_manager, "accounts/building", building)
        assert len(entries) == 50
        assert entries[-1].endswith("Name from House 9 → to House 10")
        second = text_of(as_manager.get(f"/admin/accounts/building/{building.pk}/history/?p=2"))
        assert len(second) == 60 + 2 - 50
        assert "House by the Sea" in second[-1]

    def test_a_long_history_costs_no_more_queries(self, as_manager, tenancy):
        def ask():
            with CaptureQueriesContext(connection) as queries:
                history(as_manager, "accounts/tenancy", tenancy)
            return len(queries)

        tenancy.residents.add(UserFactory())
        few = ask()
        for _ in range(10):
            tenancy.residents.add(UserFactory())
        assert ask() == few


class TestWhatLeavesARecord:
    def test_saving_again_leaves_none(self, as_manager, tenancy, resident):
        before = Tenancy.history.count()
        edit_tenancy(as_manager, tenancy, [resident.pk])
        tenancy.residents.add(resident)
        assert Tenancy.history.count() == before

    def test_logging_in_leaves_none(self, resident):
        before = User.history.count()
        assert Client().post("/login", {"email": resident.email, "password": PASSWORD}).status_code == 302
        resident.refresh_from_db()
        assert resident.last_login is not None
        assert User.history.count() == before

    def test_a_command_that_moves_a_household_in(self, as_manager, tenancy):
        call_command("invite", "house", "101", "--moved-in", "2026-03-01")
        newest, _ = history(as_manager, "accounts/tenancy", tenancy)
        assert newest.endswith("Changed by a command on the server Moved out from – → to 1 Mar 2026")
        new = Tenancy.objects.get(moved_out=None)
        assert len(history(as_manager, "accounts/tenancy", new)) == 1
        (entry,) = history(as_manager, "accounts/invitation", Invitation.objects.get())
        assert "Added by a command on the server Tenancy house/101, 2026-03-01 to today" in entry

    def test_a_manager_who_approves(self, as_manager, tenancy):
        asked = JoinRequest.objects.create(user=UserFactory(email="new@example.org"), apartment=tenancy.apartment)
        form = {"action": "move_in", "_selected_action": asked.pk}
        assert as_manager.post("/admin/accounts/joinrequest/", form).status_code == 302
        assert "Changed by manager@example.org Moved out" in history(as_manager, "accounts/tenancy", tenancy)[0]
        new = Tenancy.objects.get(moved_out=None)
        newest, oldest = history(as_manager, "accounts/tenancy", new)
        assert newest.endswith("Changed by manager@example.org Residents +added: new@example.org")
        assert "Added by manager@example.org" in oldest

    def test_who_registers_through_an_invitation_did_it(self, as_manager, tenancy):
        link = Invitation(tenancy=tenancy).issue()
        form = {"email": "new@example.org", "password": PASSWORD, "invitation": link.partition("=")[2]}
        assert Client().post("/register", form).status_code == 302
        invitation = Invitation.objects.get()
        assert "Used by from – → to new@example.org" in history(as_manager, "accounts/invitation", invitation)[0]
        assert (
            "Changed by new@example.org Used at from – → to"
            in history(as_manager, "accounts/invitation", invitation)[0]
        )
        newest = history(as_manager, "accounts/tenancy", tenancy)[0]
        assert newest.endswith("Changed by new@example.org Residents +added: new@example.org")
        assert (
            "Added by new@example.org"
            in history(as_manager, "accounts/user", User.objects.get(email="new@example.org"))[0]
        )

    def test_an_invitation_that_was_used_already_leaves_none(self, tenancy, resident, neighbour):
        link = Invitation(tenancy=tenancy).issue()
        invitation = Invitation.objects.usable(link.partition("=")[2])
        late = Invitation.objects.get(pk=invitation.pk)
        assert invitation.accept(neighbour)
        before = Invitation.history.count(), Tenancy.history.count()
        assert not late.accept(resident)
        assert (Invitation.history.count(), Tenancy.history.count()) == before

    def test_imported_apartments_and_their_meters(self, as_manager, building, tmp_path):
        file = tmp_path / "apartments.csv"
        file.write_text("number,floor\n101,1\n102,1\n")
        call_command("import_apartments", "house", str(file))
        for kind, rows in {
            "accounts/apartment": Apartment.objects.all(),
            "metering/meter": Meter.objects.all(),
        }.items():
            assert len(rows) == 2
            for row in rows:
                (entry,) = history(as_manager, kind, row)
                assert "Added by a command on the server Building House by the Sea" in entry

    def test_from_the_other_side_too(self, tenancy, resident, neighbour):
        before = Tenancy.history.count()
        neighbour.tenancies.add(tenancy)
        neighbour.tenancies.remove(tenancy)
        assert Tenancy.history.count() == before + 2
        resident.tenancies.clear()
        newest = tenancy.history.first()
        assert Tenancy.history.count() == before + 3
        assert not newest.residents.exists()

    def test_it_begins_with_what_is_there(self, as_manager, tenancy, resident, meter):
        for model in (Tenancy, Building, Apartment, User, Invitation, Meter):
            model.history.all().delete()
        importlib.import_module("accounts.migrations.0003_history").begin(apps, None)
        importlib.import_module("metering.migrations.0003_history").begin(apps, None)
        tenancy.residents.remove(resident)
        newest, oldest = history(as_manager, "accounts/tenancy", tenancy)
        assert "Residents −removed: resident@example.org" in newest
        assert BEGAN in oldest
        assert "Residents resident@example.org" in oldest
        assert "Managers manager@example.org" in history(as_manager, "accounts/building", tenancy.apartment.building)[0]
        assert BEGAN in history(as_manager, "metering/meter", meter)[0]


class TestWhatIsGone:
    def test_a_deleted_tenancy_is_listed_with_its_history(self, as_manager, tenancy):
        form = {"post": "yes"}
        assert as_manager.post(f"/admin/accounts/tenancy/{tenancy.pk}/delete/", form).status_code == 302
        assert "/admin/accounts/tenancy/deleted/" in as_manager.get("/admin/accounts/tenancy/").content.decode()
        (entry,) = deleted(as_manager, "accounts/tenancy")
        assert "Deleted by manager@example.org Its history Apartment house/101 Moved in 1 Jan 2025" in entry
        entries = history(as_manager, "accounts/tenancy", tenancy.pk or int(Tenancy.history.first().id))
        assert "Deleted by manager@example.org" in entries[0]

    def test_who_deletes_an_account_takes_it_out_of_its_homes(self, as_root, as_manager, tenancy, resident):
        tenancy.apartment.building.managers.add(resident)
        page = as_root.post(f"/admin/accounts/user/{resident.pk}/delete/", {"post": "yes"})
        assert page.status_code == 302
        newest, *_ = history(as_manager, "accounts/tenancy", tenancy)
        assert newest.endswith("Changed by root@example.org Residents −removed: an account that was deleted")
        newest, *_ = history(as_manager, "accounts/building", tenancy.apartment.building)
        assert newest.endswith("Managers −removed: an account that was deleted")
        assert "Deleted by root@example.org" in deleted(as_root, "accounts/user")[0]

    def test_a_deleted_account_is_not_taken_for_a_command(self, as_manager, building, neighbour):
        client = Client()
        client.force_login(neighbour)
        building.managers.add(neighbour)
        form = {"name": "Renamed", "timezone": "Europe/Berlin", "currency": "EUR"}
        assert client.post(f"/admin/accounts/building/{building.pk}/change/", form).status_code == 302
        forget_person(neighbour)
        neighbour.delete()
        renamed = next(entry for entry in history(as_manager, "accounts/building", building) if "Renamed" in entry)
        assert "Changed by an account that was deleted Name from House by the Sea → to Renamed" in renamed

    def test_a_person_is_forgotten(self, as_root, as_manager, tenancy, resident):
        form = {"email": "newer@example.org", "is_active": "on"}
        assert as_root.post(f"/admin/accounts/user/{resident.pk}/change/", form).status_code == 302
        assert LogEntry.objects.filter(object_repr="newer@example.org").exists()
        user = User.objects.get(pk=resident.pk)
        forget_person(user)
        user.delete()
        assert not User.history.filter(email__in=["resident@example.org", "newer@example.org"]).exists()
        assert not LogEntry.objects.filter(object_repr__contains="@example.org").exists()
        page = as_manager.get(f"/admin/accounts/tenancy/{tenancy.pk}/history/")
        assert "removed: an account that was deleted" in text_of(page)[0]
        for address in ("resident@example.org", "newer@example.org"):
            assert address not in page.content.decode()

    def test_what_others_are_called_is_kept(self, resident, neighbour):
        forget_person(resident)
        assert User.history.filter(email=neighbour.email).exists()


class TestWhoMayRead:
    KINDS = ("accounts/tenancy", "accounts/apartment", "accounts/building", "accounts/user", "metering/meter",
             "accounts/invitation")  # fmt: skip

    @pytest.fixture
    def foreign(self, elsewhere):
        Invitation(tenancy=elsewhere).issue()
        return dict(
            zip(
                self.KINDS,
                (
                    elsewhere,
                    elsewhere.apartment,
                    elsewhere.apartment.building,
                    User.objects.get(email="stranger@example.org"),
                    Meter.objects.ensure_native([elsewhere.apartment])[0],
                    Invitation.objects.get(),
                ),
                strict=True,
            )
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_histories_of_other_buildings_are_not_there(self, as_manager, as_root, foreign, kind):
        path = f"/admin/{kind}/{foreign[kind].pk}/history/"
        assert as_manager.get(path).status_code == 404
        missing = as_manager.get(f"/admin/{kind}/999999/history/")
        assert missing.status_code == 404
        assert without_token(as_manager.get(path).content.decode()) == without_token(missing.content.decode())
        assert text_of(as_root.get(path))
        for nonsense in ("x", "9" * 40, "-1"):
            assert as_manager.get(f"/admin/{kind}/{nonsense}/history/").status_code == 404

    @pytest.mark.parametrize("kind", KINDS)
    def test_residents_read_none(self, as_resident, foreign, kind):
        assert as_resident.get(f"/admin/{kind}/deleted/", follow=True).status_code == 403
        assert as_resident.get(f"/admin/{kind}/{foreign[kind].pk}/history/", follow=True).status_code == 403

    def test_what_others_deleted_is_not_there(self, as_manager, as_root, elsewhere):
        elsewhere.delete()
        assert deleted(as_manager, "accounts/tenancy") == []
        assert "elsewhere/777" in deleted(as_root, "accounts/tenancy")[0]

    def test_what_a_tenancy_was_in_another_building_is_not_there(self, as_manager, elsewhere, apartment):
        Tenancy.objects.filter(pk=elsewhere.pk).update(apartment=apartment)
        Tenancy.objects.get(pk=elsewhere.pk).residents.clear()
        page = as_manager.get(f"/admin/accounts/tenancy/{elsewhere.pk}/history/")
        (entry,) = text_of(page)
        assert "Apartment house/101" in entry
        assert "stranger" not in page.content.decode()
        assert "elsewhere" not in page.content.decode()

    def test_an_address_from_before_somebody_came_is_not_there(self, as_manager, as_root, elsewhere, tenancy):
        stranger = User.objects.get(email="stranger@example.org")
        stranger.email = "between@example.org"
        stranger.save()
        tenancy.residents.add(stranger)
        stranger.email = "here@example.org"
        stranger.save()
        page = as_manager.get(f"/admin/accounts/user/{stranger.pk}/history/").content.decode()
        assert "between@example.org" in page
        assert "here@example.org" in page
        assert "stranger@example.org" not in page
        assert "stranger@example.org" in as_root.get(f"/admin/accounts/user/{stranger.pk}/history/").content.decode()

    def test_who_changed_an_account_elsewhere_is_not_named(self, as_manager, as_root, tenancy, resident):
        form = {"email": "resident@example.org", "is_active": ""}
        assert as_root.post(f"/admin/accounts/user/{resident.pk}/change/", form).status_code == 302
        newest, *_ = history(as_manager, "accounts/user", resident)
        assert newest.endswith("Changed by an administrator Active from yes → to no")

    def test_a_later_address_is_not_told_to_the_house_before(self, as_manager, tenancy, resident):
        tenancy.residents.remove(resident)
        resident.email = "elsewhere@example.org"
        resident.save()
        page = as_manager.get(f"/admin/accounts/tenancy/{tenancy.pk}/history/").content.decode()
        assert "resident@example.org" in page
        assert "elsewhere@example.org" not in page

    def test_nothing_is_restored(self, as_manager, as_root, tenancy):
        tenancy.moved_out = NOVEMBER
        tenancy.save()
        first = Tenancy.history.filter(id=tenancy.pk).last()
        form = {"apartment": tenancy.apartment_id, "moved_in": "2025-01-01", "moved_out": "", "_save": "Revert"}
        for client in (as_manager, as_root):
            for path in (f"{tenancy.pk}/history/{first.pk}/", f"{tenancy.pk}/history/", "deleted/"):
                client.post(f"/admin/accounts/tenancy/{path}", form)
        tenancy.refresh_from_db()
        assert tenancy.moved_out == NOVEMBER
        assert Tenancy.history.filter(id=tenancy.pk).count() == 2


def test_a_new_tenancy_ends_the_one_before_once(apartment):
    first = open_tenancy(apartment, dt.date(2026, 1, 1))
    open_tenancy(apartment, dt.date(2026, 2, 1))
    open_tenancy(apartment, dt.date(2026, 2, 1))
    assert [r.moved_out for r in first.history.all()] == [dt.date(2026, 2, 1), None]


def test_an_instance_that_is_old_by_now_does_not_make_the_history_lie(tenancy, resident):
    fresh = Tenancy.objects.get(pk=tenancy.pk)
    fresh.moved_out = NOVEMBER
    fresh.save()
    tenancy.residents.add(UserFactory())
    tenancy.moved_in = dt.date(2025, 2, 1)
    tenancy.save(update_fields=["moved_in"])
    newest, before, *_ = tenancy.history.all()
    assert (newest.moved_in, newest.moved_out) == (dt.date(2025, 2, 1), NOVEMBER)
    assert (before.moved_in, before.moved_out) == (dt.date(2025, 1, 1), NOVEMBER)
