import datetime as dt

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django.utils import timezone

from accounts.models import Invitation, JoinRequest, User
from tests.factories import PASSWORD, ApartmentFactory, BuildingFactory, TenancyFactory

pytestmark = pytest.mark.django_db
FORM = {"email": "New@example.org", "password": PASSWORD, "apartment": "101", "floor": "1"}


def register(client=None, query="", **changes):
    client = client or Client()
    return client, client.post(f"/register{query}", FORM | changes)


class TestWithoutInvitation:
    def test_the_account_waits_and_sees_nothing(self, apartment):
        client, response = register()
        assert response.status_code == 302
        user = User.objects.get()
        assert user.email == "new@example.org"
        request = JoinRequest.objects.get()
        assert (request.user, request.apartment, request.state) == (user, apartment, "waiting")
        assert user.apartment is None
        page = client.get("/").content.decode()
        assert "Waiting for your manager" in page
        assert client.get("/history").status_code == 404
        assert client.get("/api/power-data").status_code == 404
        assert client.post("/api/save-reading").status_code == 404

    @pytest.mark.parametrize(
        ("changes", "field", "error"),
        [
            ({"apartment": "999"}, "apartment", "There is no apartment 999 in this building."),
            ({"floor": "2"}, "floor", "Apartment 101 is not on this floor. Check both."),
            ({"password": "12345678"}, "password", "This password is too common."),
            ({"email": "nonsense"}, "email", "Enter a valid email address."),
            ({"floor": ""}, "floor", "This field is required."),
        ],
    )
    def test_bad_input_is_explained(self, apartment, changes, field, error):
        _, response = register(**changes)
        assert response.status_code == 200
        assert error in response.context["form"].errors[field]
        assert User.objects.count() == 0

    def test_an_address_that_has_an_account(self, resident):
        _, response = register(email="RESIDENT@example.org")
        assert "This email address has an account already." in str(response.context["form"].errors["email"])
        assert JoinRequest.objects.count() == 0

    def test_with_several_buildings_one_is_chosen(self, apartment):
        other = ApartmentFactory(building=BuildingFactory(slug="other"), number="101")
        _, response = register()
        assert "building" in response.context["form"].errors
        _, response = register(building=str(other.building.pk))
        assert JoinRequest.objects.get().apartment == other

    def test_nothing_is_said_of_who_lives_there(self, resident):
        client, _ = register()
        assert "resident@example.org" not in client.get("/").content.decode()


class TestThroughAnInvitation:
    @pytest.fixture
    def token(self, tenancy):
        return Invitation(tenancy=tenancy).issue().partition("=")[2]

    def test_apartment_and_floor_are_filled_in_and_fixed(self, token, neighbour_apartment):
        page = Client().get(f"/register?invitation={token}")
        form = page.context["form"]
        assert (form["apartment"].value(), form["floor"].value()) == ("101", "1")
        assert form.fields["apartment"].disabled
        assert form.fields["floor"].disabled
        client, _ = register(query=f"?invitation={token}", apartment="201", floor="2")
        assert User.objects.get().apartment.number == "101"
        assert client.get("/api/power-data").json()["apartment"] == "101"
        assert JoinRequest.objects.count() == 0

    def test_the_token_may_come_in_the_form(self, token):
        client, response = register(invitation=token)
        assert response.status_code == 302
        assert get_user(client).apartment.number == "101"

    def test_it_works_once(self, token):
        register(query=f"?invitation={token}")
        client = Client()
        assert client.get(f"/register?invitation={token}").status_code == 410
        _, response = register(client, f"?invitation={token}", email="second@example.org")
        assert response.status_code == 410
        assert User.objects.count() == 1

    def test_it_expires(self, token):
        Invitation.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        assert "has expired" in Client().get(f"/register?invitation={token}").content.decode()

    def test_a_made_up_token_is_none(self, token):
        assert Client().get("/register?invitation=nonsense").status_code == 410

    def test_the_token_itself_is_not_stored(self, token):
        assert token not in str(Invitation.objects.values().get())

    def test_who_has_an_account_adds_the_apartment_to_it(self, token, as_neighbour, neighbour):
        page = as_neighbour.get(f"/register?invitation={token}").content.decode()
        assert "Add apartment 101" in page
        assert as_neighbour.post("/invitation", {"invitation": token}).status_code == 302
        assert as_neighbour.get("/api/power-data").json()["apartment"] == "101"
        assert as_neighbour.post("/invitation", {"invitation": token}).status_code == 410

    def test_whoever_is_second_at_the_same_moment_waits_instead(self, token, tenancy):
        form_page = Client()
        form_page.get(f"/register?invitation={token}")
        invitation = Invitation.objects.usable(token)
        other = TenancyFactory().residents.model.objects.create_user("first@example.org")
        assert invitation.accept(other)
        assert not Invitation.objects.get().accept(User.objects.create_user("second@example.org"))
        assert tenancy.residents.get() == other


class TestAtTheSameMoment:
    def test_the_address_was_registered_between_look_and_leap(self, apartment, monkeypatch):
        User.objects.create_user("new@example.org", "x")
        monkeypatch.setattr("accounts.forms.RegisterForm.validate_unique_email", lambda _self, value: value)
        _, response = register()
        assert "This email address has an account already." in str(response.context["form"].errors["email"])
        assert JoinRequest.objects.count() == 0


def test_an_invitation_ends_with_the_household(tenancy):
    invitation = Invitation(tenancy=tenancy)
    token = invitation.issue().partition("=")[2]
    tenancy.moved_out = dt.date(2025, 6, 1)
    tenancy.save()
    assert Invitation.objects.usable(token) is None
    invitation.refresh_from_db()
    assert not invitation.accept(User.objects.create_user("late@example.org"))


def test_an_address_fits_into_the_account(apartment):
    _, response = register(email=f"{'x' * 60}@{'y' * 60}.{'z' * 60}.{'w' * 60}.{'v' * 60}.org")
    assert "email" in response.context["form"].errors
