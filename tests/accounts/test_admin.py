import datetime as dt
import re
import zoneinfo

import pytest
import qrcode
import time_machine
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Building, Invitation, JoinRequest, Tenancy, User
from tests.factories import ApartmentFactory, BuildingFactory, TenancyFactory, UserFactory

pytestmark = pytest.mark.django_db
NEXT_WEEK = str(dt.date.today() + dt.timedelta(days=7))  # noqa: DTZ011 - any day near will do
ACTION = "/admin/accounts/joinrequest/"


def test_logging_out_of_admin_leads_where_a_device_forgets_the_last_reading(as_manager):
    answer = as_manager.post("/admin/logout/", follow=True)
    assert answer.redirect_chain == [("/login", 302)]
    assert "data-visitor" in answer.content.decode()
    assert "_auth_user_id" not in as_manager.session


@pytest.fixture
def waiting(apartment):
    return JoinRequest.objects.create(user=UserFactory(email="new@example.org"), apartment=apartment)


@pytest.fixture
def elsewhere():
    """Another building with somebody in it, which the manager has nothing to do with."""
    apartment = ApartmentFactory(building=BuildingFactory(slug="elsewhere", name="Elsewhere"), number="7-77")
    tenancy = TenancyFactory(apartment=apartment)
    tenancy.residents.add(UserFactory(email="stranger@example.org"))
    return tenancy


def act(client, name, row):
    return client.post(ACTION, {"action": name, "_selected_action": row.pk}, follow=True)


def test_the_list_says_who_lives_there_now(as_manager, waiting, resident):
    page = as_manager.get(ACTION).content.decode()
    assert "new@example.org" in page
    assert "resident@example.org since 2025-01-01" in page


@pytest.mark.parametrize(
    ("action", "state", "said"),
    [("join_household", "approved", "1 approved."), ("move_in", "approved", "1 approved."),
     ("refuse", "refused", "1 refused.")],
)  # fmt: skip
def test_requests_are_decided(as_manager, waiting, resident, action, state, said):
    page = act(as_manager, action, waiting).content.decode()
    assert said in page
    waiting.refresh_from_db()
    assert waiting.state == state
    assert "1 had been decided already" in act(as_manager, action, waiting).content.decode()


def test_a_request_can_be_decided_on_its_own_page(as_manager, waiting):
    page = as_manager.get(f"{ACTION}{waiting.pk}/change/").content.decode()
    assert 'name="action" value="join_household"' in page
    assert f'name="_selected_action" value="{waiting.pk}"' in page


def test_requests_of_other_buildings_cannot_be_decided(as_manager, elsewhere):
    foreign = JoinRequest.objects.create(user=UserFactory(), apartment=elsewhere.apartment)
    act(as_manager, "join_household", foreign)
    foreign.refresh_from_db()
    assert foreign.state == "waiting"
    assert as_manager.get(f"{ACTION}{foreign.pk}/change/").status_code == 404


def test_an_invitation_shows_its_link_once(as_manager, tenancy):
    form = {"tenancy": tenancy.pk, "expires_at_0": NEXT_WEEK, "expires_at_1": "00:00:00"}
    response = as_manager.post("/admin/accounts/invitation/add/", form)
    assert "no-store" in response["Cache-Control"]
    page = response.content.decode()
    token = re.search(r"register\?invitation=([\w-]+)", page)[1]
    invitation = Invitation.objects.usable(token)
    assert invitation.tenancy == tenancy
    assert invitation.created_by.email == "manager@example.org"
    for path in ("", f"{invitation.pk}/change/"):
        assert token not in as_manager.get(f"/admin/accounts/invitation/{path}", follow=True).content.decode()
    assert Client().get(f"/register?invitation={token}").status_code == 200


def test_a_household_that_has_left_is_not_offered_to_be_invited(as_manager, tenancy, neighbour_apartment):
    ended = TenancyFactory(apartment=neighbour_apartment, moved_out=dt.date(2026, 1, 1))
    form = as_manager.get("/admin/accounts/invitation/add/").context["adminform"].form
    assert list(form.fields["tenancy"].queryset) == [tenancy]
    form = {"tenancy": ended.pk, "expires_at_0": NEXT_WEEK, "expires_at_1": "00:00:00"}
    assert as_manager.post("/admin/accounts/invitation/add/", form).status_code == 200
    assert not Invitation.objects.exists()


def modules(page):
    """What the code's path paints, as rows of dark and light, its margin cut off."""
    size = int(re.search(r'viewBox="0 0 (\d+)', page)[1])
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", page)}
    return [[(x, y) in dark for x in range(4, size - 4)] for y in range(4, size - 4)]


def test_an_invitation_can_be_printed(as_manager, tenancy):
    form = {"tenancy": tenancy.pk, "expires_at_0": NEXT_WEEK, "expires_at_1": "00:00:00"}
    page = as_manager.post("/admin/accounts/invitation/add/", form).content.decode()
    expires = Invitation.objects.get().expires_at.astimezone(zoneinfo.ZoneInfo("Europe/Berlin"))
    for words in ("House by the Sea", "Apartment 101", "Floor 1", f"{expires:%B %Y}, 00:00", "Scan this code"):
        assert words in page
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=0)
    code.add_data(re.search(r"http://127.0.0.1:8000/register\?invitation=[\w-]+", page)[0])
    assert modules(page) == code.get_matrix()
    assert "style=" not in page.partition("<article")[2].partition("</article>")[0]


def test_an_invitation_to_another_building_is_refused(as_manager, tenancy, elsewhere):
    page = as_manager.get("/admin/accounts/invitation/add/").content.decode()
    assert "elsewhere/7-77" not in page
    form = {"tenancy": elsewhere.pk, "expires_at_0": NEXT_WEEK, "expires_at_1": "00:00:00"}
    assert as_manager.post("/admin/accounts/invitation/add/", form).status_code == 200
    assert Invitation.objects.count() == 0


def test_a_new_apartment_gets_a_meter(as_manager, building):
    form = {"building": building.pk, "number": "301", "floor": "3", "meters-TOTAL_FORMS": 0, "meters-INITIAL_FORMS": 0}
    assert as_manager.post("/admin/accounts/apartment/add/", form).status_code == 302
    apartment = building.apartments.get()
    assert apartment.meters.count() == 1


def test_a_manager_sees_only_their_own_buildings(as_manager, tenancy, elsewhere):
    for name in ("building", "apartment", "tenancy", "user"):
        page = as_manager.get(f"/admin/accounts/{name}/").content.decode()
        for foreign in ("Elsewhere", "elsewhere", "7-77", "stranger@example.org"):
            assert foreign not in page, name
    assert "elsewhere" not in as_manager.get("/admin/accounts/tenancy/add/").content.decode()


def test_overlapping_tenancies_are_refused_in_words(as_manager, tenancy):
    form = {"apartment": tenancy.apartment.pk, "moved_in": "2026-01-01", "moved_out": ""}
    page = as_manager.post("/admin/accounts/tenancy/add/", form).content.decode()
    assert "has a tenancy from 2025-01-01 to today already" in page
    assert Tenancy.objects.count() == 1


def test_a_manager_does_not_edit_accounts_nor_make_buildings(as_manager, resident, manager):
    assert as_manager.get("/admin/accounts/user/add/").status_code == 403
    refused = as_manager.get("/admin/accounts/building/add/")
    assert refused.status_code == 403
    # It tells to log out, and here one can.
    assert 'href="/logout"' in refused.content.decode()
    page = as_manager.get(f"/admin/accounts/user/{resident.pk}/change/").content.decode()
    assert "argon2" not in page
    assert as_manager.post(f"/admin/accounts/user/{manager.pk}/change/", {"is_superuser": "on"}).status_code == 403
    own = Building.objects.get()
    form = {"slug": "stolen", "name": "New name", "timezone": "Europe/Berlin", "currency": "EUR"}
    as_manager.post(f"/admin/accounts/building/{own.pk}/change/", form)
    own.refresh_from_db()
    assert (own.slug, own.name) == ("house", "New name")
    assert own.managers.count() == 1


def test_a_superuser_makes_accounts_and_buildings(db):
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "x"))
    form = {"email": "New@Example.org", "usable_password": "true", "password1": "correct horse 7",
            "password2": "correct horse 7"}  # fmt: skip
    assert client.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(email="new@example.org").check_password("correct horse 7")
    page = client.get("/admin/accounts/building/add/")
    assert "#id_slug" in page.content.decode()
    assert page.context["adminform"].form["timezone"].value() == ""
    form = {"slug": "birch", "name": "Birch", "timezone": "Europe/Berlin", "currency": "EUR"}
    assert client.post("/admin/accounts/building/add/", form).status_code == 302
    assert Building.objects.get().slug == "birch"


def test_a_manager_does_not_see_where_people_live_elsewhere(as_manager, resident, elsewhere):
    elsewhere.residents.add(resident)
    page = as_manager.get("/admin/accounts/user/").content.decode()
    assert "house/101" in page
    assert "elsewhere" not in page


def test_an_apartment_stays_in_its_building(as_manager, manager, apartment, elsewhere):
    elsewhere.apartment.building.managers.add(manager)
    form = {"building": elsewhere.apartment.building.pk, "number": "101", "floor": "2",
            "meters-TOTAL_FORMS": 0, "meters-INITIAL_FORMS": 0}  # fmt: skip
    assert as_manager.post(f"/admin/accounts/apartment/{apartment.pk}/change/", form).status_code == 302
    apartment.refresh_from_db()
    assert (apartment.building.slug, apartment.floor) == ("house", "2")


def test_a_new_household_is_not_mixed_with_one_that_moved_in_today(as_manager, waiting, apartment):
    other = JoinRequest.objects.create(user=UserFactory(), apartment=apartment)
    act(as_manager, "move_in", waiting)
    page = act(as_manager, "move_in", other).content.decode()
    assert "A household moved in today already." in page
    other.refresh_from_db()
    assert other.state == "waiting"
    assert Tenancy.objects.get().residents.count() == 1


def test_a_request_that_a_later_tenancy_forbids_is_explained(as_manager, waiting, apartment):
    TenancyFactory(apartment=apartment, moved_in=dt.date(2900, 1, 1))
    page = act(as_manager, "join_household", waiting).content.decode()
    assert "has a tenancy from 2900-01-01" in page


@pytest.mark.parametrize("expires", ["0001-01-01", "9999-12-31", "2020-01-01"])
def test_an_invitation_expires_at_a_sensible_time(as_manager, tenancy, expires):
    form = {"tenancy": tenancy.pk, "expires_at_0": expires, "expires_at_1": "23:59:59"}
    page = as_manager.post("/admin/accounts/invitation/add/", form).content.decode()
    assert "Choose a time between now and a year from now." in page


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
def test_a_tenancy_has_sensible_dates(as_manager, apartment, date):
    form = {"apartment": apartment.pk, "moved_in": date, "moved_out": ""}
    assert as_manager.post("/admin/accounts/tenancy/add/", form).status_code == 200
    assert Tenancy.objects.count() == 0


def test_an_address_that_was_changed_counts_no_more(resident):
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "x"))
    EmailAddress.objects.create(user=resident, email=resident.email)
    form = {"email": "newer@example.org", "is_active": "on"}
    assert client.post(f"/admin/accounts/user/{resident.pk}/change/", form).status_code == 302
    assert not EmailAddress.objects.exists()
    assert User.objects.get(pk=resident.pk).email == "newer@example.org"


def test_an_apartment_takes_no_number_that_another_has(as_manager, apartment, neighbour_apartment):
    path = f"/admin/accounts/apartment/{apartment.pk}/change/"
    form = {"number": neighbour_apartment.number, "floor": "1", "meters-TOTAL_FORMS": "0", "meters-INITIAL_FORMS": "0"}
    answer = as_manager.post(path, form)
    assert answer.status_code == 200
    assert "This building has an apartment with this number already." in answer.content.decode()


def test_a_tenancy_begins_today_by_the_time_of_the_house(as_manager, building):
    with time_machine.travel("2026-11-25 23:30Z"):
        form = as_manager.get("/admin/accounts/tenancy/add/").context["adminform"].form
        assert form["moved_in"].value() == dt.date(2026, 11, 26)


def test_a_filter_for_what_is_current_says_so_in_german(as_manager, tenancy):
    for path in ("accounts/tenancy", "metering/tariff"):
        page = as_manager.get(f"/admin/{path}/", headers={"accept-language": "de"}).content.decode()
        assert ">Aktuell</a>" in page, path


def test_filters_have_titles_that_need_no_grammar(as_manager, tenancy):
    page = as_manager.get("/admin/metering/reading/", headers={"accept-language": "de"}).content.decode()
    assert "<summary> Gemerkt</summary>" in page
    assert "Nach gemerkt" not in page
    assert "<summary> State</summary>" in as_manager.get("/admin/accounts/tenancy/").content.decode()


def test_a_field_of_a_time_says_by_which_zone_it_is(as_manager, tenancy):
    page = as_manager.get("/admin/accounts/invitation/add/").content.decode()
    assert "It is shown when you save. By the time of Europe/Berlin." in page


@pytest.fixture
def as_superuser():
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", "x"))
    return client


def test_what_cannot_be_deleted_says_what_to_do_instead_and_leads_back(as_superuser, tenancy, resident):
    apartment, building = tenancy.apartment, tenancy.apartment.building
    for row, words in {
        tenancy: "Enter the moving-out date instead",
        apartment: "Enter the moving-out date in its tenancy",
        building: "Was it added by mistake? Then delete first what is listed here.",
    }.items():
        path = f"/admin/accounts/{row._meta.model_name}/"
        page = as_superuser.post(f"{path}{row.pk}/delete/", {"post": "yes"}).content.decode()
        assert "<h1>This cannot be deleted</h1>" in page
        assert words in page
        assert f'href="{path}{row.pk}/change/">Back to {row}</a>' in page
        chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        page = as_superuser.post(path, chosen).content.decode()
        assert words in page
        assert f'href="{path}">Back to the list</a>' in page


def test_deleting_several_is_asked_in_german_that_is_some(as_manager, apartment):
    empty = TenancyFactory(apartment=apartment)
    chosen = {"action": "delete_selected", "_selected_action": empty.pk}
    answer = as_manager.post("/admin/accounts/tenancy/", chosen, headers={"accept-language": "de"})
    assert "ausgewählten Mietverhältnisse löschen" in answer.content.decode()


def test_deleting_an_account_names_no_tables(as_superuser, tenancy, resident):
    page = as_superuser.get(f"/admin/accounts/user/{resident.pk}/delete/").content.decode()
    assert "resident@example.org" in page
    assert "relationship" not in page
    assert "object (" not in page


def test_the_header_leads_to_the_account_and_home_only_where_one_is(as_manager, manager, tenancy):
    page = as_manager.get("/admin/").content.decode()
    assert '<a href="/account">Your account</a>' in page
    assert ">Your apartment</a>" not in page
    tenancy.residents.add(manager)
    assert '<a href="/">Your apartment</a>' in as_manager.get("/admin/").content.decode()


def test_a_name_that_topics_cannot_have_is_refused_in_a_sentence(as_superuser):
    form = {"slug": "Garden Street", "name": "Garden", "timezone": "Europe/Berlin", "currency": "EUR"}
    page = as_superuser.post("/admin/accounts/building/add/", form).content.decode()
    assert "Only letters A to Z, digits, dot, underscore and hyphen are possible here, at most 32 together." in page
