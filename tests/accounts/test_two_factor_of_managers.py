"""Two-factor log-in of those who see a building: where it is required, and by no other door."""

import pytest
from django.contrib.auth import get_user
from django.test import Client

from tests.accounts.test_two_factor import SET_UP, give_password, set_up
from tests.factories import PASSWORD, UserFactory
from tests.installation import environment, run_manage

pytestmark = pytest.mark.django_db


class TestRequired:
    @pytest.fixture(autouse=True)
    def required(self, settings):
        settings.REQUIRE_MANAGER_2FA = True

    @pytest.mark.parametrize(
        "path", ["/", "/history", "/api/docs", "/invitation", "/password", "/admin/", "/admin/accounts/user/",
                 "/admin/login/", "/admin/jsi18n/", "/account/two-factor/codes"],
    )  # fmt: skip
    def test_managers_without_it_are_sent_to_set_it_up(self, as_manager, path):
        """Their session is older than the rule."""
        response = as_manager.get(path)
        assert (response.status_code, response.url) == (302, SET_UP)
        assert "Managers log in with two factors here." in as_manager.get(path, follow=True).content.decode()

    @pytest.mark.parametrize("path", ["/account", "/account/confirm", "/healthz", "/readyz", "/metrics"])
    def test_these_pages_stay_open(self, as_manager, path):
        assert as_manager.get(path).status_code == 200

    def test_they_may_log_out(self, as_manager):
        assert as_manager.post("/logout").url == "/login"
        assert not get_user(as_manager).is_authenticated

    def test_programs_get_words(self, as_manager):
        response = as_manager.get("/api/power-data")
        assert response.status_code == 403
        assert response.json() == {"detail": "Managers log in with two factors here. Set up two-factor log-in first."}
        assert as_manager.post("/api/save-reading").status_code == 403
        response = as_manager.get("/live")
        assert (response.status_code, response.headers["Content-Type"]) == (403, "text/plain")
        assert b"two-factor" in response.content

    def test_with_it_they_are_in(self, as_manager):
        set_up(as_manager)
        assert as_manager.get("/admin/").status_code == 200

    def test_a_session_of_before_does_not_come_in_with_the_next_one(self, as_manager, manager):
        other = Client()
        other.force_login(manager)
        set_up(as_manager)
        assert other.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/login?")

    def test_superusers_too(self, admin_client):
        assert admin_client.get("/admin/").url == SET_UP
        set_up_as_superuser = give_password(admin_client, SET_UP, "password")
        assert set_up_as_superuser.url == SET_UP

    def test_a_resident_is_not_bothered(self, as_resident):
        assert as_resident.get("/").status_code == 200

    def test_a_resident_who_becomes_manager_is_asked_at_the_next_request(self, as_resident, resident, building):
        building.managers.add(resident)
        assert as_resident.get("/").url == SET_UP

    @pytest.mark.parametrize(("debug", "required"), [("off", "True"), ("on", "False")])
    def test_it_is_required_unless_riser_is_only_tried_out(self, tmp_path, debug, required):
        env = environment("sqlite://:memory:", tmp_path, 1, DEBUG=debug, ALLOWED_HOSTS="riser.example.org")
        del env["REQUIRE_MANAGER_2FA"]
        said = run_manage(env, "shell", "-c", "from django.conf import settings; print(settings.REQUIRE_MANAGER_2FA)")
        assert said.splitlines()[-1] == required

    def test_where_it_is_not_required_nobody_is(self, as_manager, settings):
        settings.REQUIRE_MANAGER_2FA = False
        assert as_manager.get("/admin/").status_code == 200


class TestAdminLogin:
    """Django admin has a log-in form of its own, which knows nothing of two-factor."""

    @pytest.fixture
    def boss(self):
        user = UserFactory(email="boss@example.org", is_superuser=True)
        client = Client()
        client.force_login(user)
        set_up(client)
        return user

    def test_a_manager_does_not_become_the_superuser_with_a_password_alone(self, as_manager, manager, boss):
        form = {"username": boss.email, "password": PASSWORD, "next": "/admin/"}
        assert as_manager.post("/admin/login/", form).status_code == 302
        assert get_user(as_manager) == manager

    def test_nor_does_a_stranger(self, boss):
        client = Client()
        client.post("/admin/login/", {"username": boss.email, "password": PASSWORD, "next": "/admin/"})
        assert not get_user(client).is_authenticated
