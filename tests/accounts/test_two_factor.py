"""Two-factor log-in, with real codes."""

import datetime as dt
import io
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.auth import get_user
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from accounts.two_factor import has_two_factor
from tests.factories import PASSWORD, ApartmentFactory, TenancyFactory

pytestmark = pytest.mark.django_db
SET_UP = "/account/two-factor/set-up"
WRONG = "This code is wrong, too old, or was used already. Wait for the next one."


@pytest.fixture(autouse=True)
def clock():
    """Time stands still, half way through the time of a code, until a test moves it."""
    middle = time.time() // 30 * 30 + 15
    with time_machine.travel(dt.datetime.fromtimestamp(middle, dt.UTC), tick=False) as traveller:
        yield traveller


def code_of(secret, periods=0):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def give_password(client, path, password=PASSWORD):
    """Open a page that wants the password once more."""
    response = client.get(path)
    assert response.url.startswith("/account/confirm?next=")
    return client.post(response.url, {"password": password})


def set_up(client):
    """Switch two-factor on; returns the secret."""
    assert give_password(client, SET_UP).url == SET_UP
    secret = client.get(SET_UP).context["form"].secret
    response = client.post(SET_UP, {"code": code_of(secret)})
    assert response.url == "/account/two-factor/codes"
    return secret


@pytest.fixture
def secret(as_resident, clock):
    """The resident's secret; the code that set it up is over."""
    secret = set_up(as_resident)
    clock.shift(90)
    return secret


def give_email_and_password(email="resident@example.org", **more):
    client = Client()
    response = client.post("/login", {"email": email, "password": PASSWORD, "apartment": "", **more})
    assert response.url == "/login/code"
    return client


def log_in(code, **more):
    client = give_email_and_password(**more)
    return client, client.post("/login/code", {"code": code})


class TestSetUp:
    @pytest.mark.django_db(transaction=True)
    def test_it_takes_the_password_and_a_code_and_shows_recovery_codes(self, as_resident, resident):
        assert give_password(as_resident, SET_UP).url == SET_UP
        page = as_resident.get(SET_UP)
        secret = page.context["form"].secret
        assert 'src="data:image/svg+xml;base64,' in page.content.decode()
        assert f">{secret}</code>" in page.content.decode()
        assert "no-store" in page.headers["Cache-Control"]
        response = as_resident.post(SET_UP, {"code": code_of(secret)}, follow=True)
        assert response.redirect_chain == [("/account/two-factor/codes", 302)]
        assert len(response.context["unused_codes"]) == 10
        assert "Two-factor log-in is on." in response.content.decode()
        assert has_two_factor(resident)

    def test_a_wrong_password_does_not_open_it(self, as_resident):
        response = give_password(as_resident, SET_UP, "wrong horse 7")
        assert response.context["form"].errors == {"password": ["Incorrect password."]}
        assert as_resident.get(SET_UP).status_code == 302

    def test_a_wrong_code_keeps_the_same_secret_on_the_page(self, as_resident, resident):
        give_password(as_resident, SET_UP)
        secret = as_resident.get(SET_UP).context["form"].secret
        response = as_resident.post(SET_UP, {"code": code_of(secret, periods=7)})
        assert response.context["form"].errors == {"code": [WRONG]}
        assert response.context["form"].secret == secret
        assert not has_two_factor(resident)

    def test_guessing_is_stopped_here_too(self, as_resident, resident):
        give_password(as_resident, SET_UP)
        secret = as_resident.get(SET_UP).context["form"].secret
        for _ in range(5):
            as_resident.post(SET_UP, {"code": code_of(secret, periods=7)})
        response = as_resident.post(SET_UP, {"code": code_of(secret)})
        assert response.context["form"].errors == {"code": ["Too many wrong codes. Wait five minutes and try again."]}

    def test_the_database_holds_no_readable_secret(self, as_resident, resident, secret):
        data = {row.type: row.data for row in Authenticator.objects.filter(user=resident)}
        assert secret not in str(data)
        assert len(data["totp"]["secret"]) > 100
        assert len(data["recovery_codes"]["seed"]) > 100

    @pytest.mark.django_db(transaction=True)
    def test_the_mailbox_is_told(self, as_resident, resident):
        set_up(as_resident)
        told = [message for message in mail.outbox if "Authenticator app activated." in message.body]
        assert [message.to for message in told] == [["resident@example.org"]]
        assert "From: 127.0.0.1" in told[0].body

    def test_so_it_is_where_an_administrator_takes_it_off_or_chooses_a_password(self, resident):
        TOTP.activate(resident, generate_totp_secret())
        root = Client()
        root.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
        root.post("/admin/accounts/user/", {"action": "take_off_two_factor", "_selected_action": resident.pk})
        new = {"password1": "another horse 8", "password2": "another horse 8", "usable_password": "true"}
        root.post(f"/admin/accounts/user/{resident.pk}/password/", new)
        first, second = mail.outbox
        assert "deactivated" in first.body
        assert "password" in second.subject.lower()
        for message in mail.outbox:
            assert message.to == ["resident@example.org"]
            assert "From: Riser's administration, root@example.org" in message.body

    def test_sessions_of_before_end_and_this_one_goes_on(self, as_resident, resident):
        other = Client()
        other.force_login(resident)
        set_up(as_resident)
        assert get_user(as_resident) == resident
        assert not get_user(other).is_authenticated

    def test_the_account_page_tells_its_state(self, as_resident, secret):
        page = as_resident.get("/account").content.decode()
        assert "10 recovery codes left." in page
        assert "Set up two-factor" not in page


class TestLogIn:
    def test_password_then_code(self, resident, secret):
        client = give_email_and_password()
        assert "Now the code" in client.get("/login/code").content.decode()
        response = client.post("/login/code", {"code": code_of(secret)})
        assert response.url == "/"
        assert get_user(client) == resident

    def test_the_way_goes_on_to_the_page_asked_for(self, resident, secret):
        client = Client()
        response = client.post("/login", {"email": resident.email, "password": PASSWORD, "next": "/history"})
        assert client.post(response.url, {"code": code_of(secret)}).url == "/history"

    def test_the_chosen_apartment_stays_chosen(self, resident, meter, secret):
        other = ApartmentFactory(number="301")
        TenancyFactory(apartment=other).residents.add(resident)
        for periods, number in enumerate(("101", "301")):
            client, _ = log_in(code_of(secret, periods), apartment=number)
            assert client.get("/api/power-data").json()["apartment"] == number

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/", 302), ("/history", 302), ("/account", 302), (SET_UP, 302), ("/account/two-factor/codes", 302),
            ("/account/confirm", 302), ("/admin/", 302), ("/api/power-data", 401), ("/live", 401),
        ],
    )  # fmt: skip
    def test_who_gave_the_password_only_is_nobody(self, secret, path, status):
        client = give_email_and_password()
        response = client.get(path)
        assert response.status_code == status
        if status == 302:
            assert response.url.startswith(("/login?", "/admin/login/"))
        assert not get_user(client).is_authenticated

    @pytest.mark.parametrize("periods", [-1, 0, 1])
    def test_a_clock_may_be_off_by_half_a_minute(self, resident, secret, periods):
        client, _ = log_in(code_of(secret, periods))
        assert get_user(client) == resident

    @pytest.mark.parametrize("periods", [-2, 2])
    def test_and_by_no_more(self, secret, periods):
        client, response = log_in(code_of(secret, periods))
        assert response.context["form"].errors == {"code": [WRONG]}
        assert not get_user(client).is_authenticated

    @pytest.mark.parametrize("later", [0, 16, 31, 59])
    def test_a_code_works_once(self, clock, secret, later):
        code = code_of(secret, periods=1)
        assert log_in(code)[1].status_code == 302
        clock.shift(later)
        client, response = log_in(code)
        assert response.context["form"].errors == {"code": [WRONG]}
        assert not get_user(client).is_authenticated

    def test_also_the_one_that_set_it_up(self, as_resident):
        secret = set_up(as_resident)
        assert log_in(code_of(secret))[1].context["form"].errors == {"code": [WRONG]}

    def test_also_where_the_cache_has_much_else_to_remember(self, secret):
        code = code_of(secret)
        assert log_in(code)[1].status_code == 302
        for number in range(1500):
            cache.set(f"zz{number}", 1, timeout=600)
        assert log_in(code)[1].context["form"].errors == {"code": [WRONG]}

    @pytest.mark.parametrize("code", ["", "000 000", "x" * 33, "١٢٣٤٥٦", "\x00", "-1"])
    def test_nonsense(self, secret, code):
        client, response = log_in(code)
        assert response.status_code == 200
        assert response.context["form"].errors["code"]
        assert not get_user(client).is_authenticated

    def test_a_form_without_a_code(self, secret):
        client = give_email_and_password()
        assert client.post("/login/code", {"credential": "{}"}).url == "/login/code"

    def test_wrong_codes_are_stopped_and_later_ones_let_in_again(self, clock, resident, secret):
        client = give_email_and_password()
        for _ in range(5):
            client.post("/login/code", {"code": code_of(secret, periods=9)})
        response = client.post("/login/code", {"code": code_of(secret)})
        assert response.context["form"].errors == {"code": ["Too many wrong codes. Wait five minutes and try again."]}
        clock.shift(301)
        client, _ = log_in(code_of(secret))
        assert get_user(client) == resident

    def test_a_new_password_from_the_mailbox_does_not_replace_the_code(self, resident, secret):
        resident.set_password("another horse 8")
        resident.save()
        client = give_email_and_password(password="another horse 8")
        assert not get_user(client).is_authenticated


class TestRecoveryCodes:
    @pytest.fixture
    def codes(self, as_resident, secret):
        return as_resident.get("/account/two-factor/codes").context["unused_codes"]

    def test_each_lets_in_once(self, resident, codes):
        client, _ = log_in(codes[3])
        assert get_user(client) == resident
        assert log_in(codes[3])[1].context["form"].errors == {"code": [WRONG]}
        assert "9 recovery codes left." in client.get("/account").content.decode()

    def test_as_a_file(self, as_resident, codes):
        response = as_resident.get("/account/two-factor/codes/file")
        assert response.headers["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
        assert "no-store" in response.headers["Cache-Control"]
        assert response.content.decode().splitlines()[-10:] == codes

    def test_new_ones_end_the_old_ones(self, as_resident, codes):
        response = as_resident.post("/account/two-factor/codes/new", follow=True)
        assert set(codes).isdisjoint(response.context["unused_codes"])
        assert log_in(codes[0])[1].context["form"].errors == {"code": [WRONG]}

    @pytest.mark.parametrize("name", ["codes", "codes/file", "codes/new", "take-off"])
    def test_later_they_want_the_password_again(self, clock, as_resident, codes, name):
        clock.shift(300)
        path = f"/account/two-factor/{name}"
        assert give_password(as_resident, path).url == path
        assert as_resident.get(path).status_code == 200


class TestTakingItOff:
    def test_it_takes_the_password(self, clock, as_resident, resident, secret):
        clock.shift(300)
        assert as_resident.post("/account/two-factor/take-off").url.startswith("/account/confirm?")
        assert has_two_factor(resident)
        # The form that was sent goes through now.
        response = give_password(as_resident, "/account/two-factor/take-off")
        assert as_resident.get(response.url).url == "/account"
        assert not Authenticator.objects.exists()
        assert Client().post("/login", {"email": resident.email, "password": PASSWORD}).url == "/"

    def test_a_code_does_not_replace_the_password(self, clock, as_resident, resident, secret):
        clock.shift(300)
        path = "/account/two-factor/take-off"
        response = as_resident.post("/account/confirm/code?next=" + path, {"code": code_of(secret)})
        assert response.url == "/account/confirm?next=" + path
        assert as_resident.get(path).status_code == 302

    def test_the_command_takes_it_off_and_ends_sessions(self, as_resident, resident, secret):
        out = io.StringIO()
        call_command("reset_two_factor", "Resident@Example.org", stdout=out)
        assert out.getvalue() == "resident@example.org logs in with the password alone now.\n"
        assert not has_two_factor(resident)
        assert not get_user(as_resident).is_authenticated

    @pytest.mark.parametrize(
        ("email", "words"),
        [("nobody@example.org", "There is no account nobody@"), ("resident@example.org", "has no two-factor")],
    )
    def test_the_command_says_where_there_is_nothing_to_do(self, resident, email, words):
        with pytest.raises(CommandError, match=words):
            call_command("reset_two_factor", email)

    def test_a_superuser_takes_it_off_in_admin(self, admin_client, resident, neighbour, secret):
        form = {"action": "take_off_two_factor", "_selected_action": [resident.pk, neighbour.pk]}
        page = admin_client.post("/admin/accounts/user/", form, follow=True).content.decode()
        assert "Two-factor is off for resident@example.org." in page
        assert "There was none on neighbour@example.org." in page
        assert not has_two_factor(resident)
        history = admin_client.get(f"/admin/accounts/user/{resident.pk}/history/").content.decode()
        assert "Two-factor taken off by admin@example.com" in history

    def test_a_manager_does_not(self, as_manager, resident, secret):
        page = as_manager.get("/admin/accounts/user/").content.decode()
        assert "Take two-factor off" not in page
        as_manager.post("/admin/accounts/user/", {"action": "take_off_two_factor", "_selected_action": [resident.pk]})
        assert has_two_factor(resident)

    def test_nobody_sees_secrets_in_admin(self, admin_client, secret):
        assert admin_client.get("/admin/mfa/authenticator/").status_code == 404
        assert "authenticator" not in admin_client.get("/admin/").content.decode()


class TestAnotherSecretKey:
    def test_one_still_named_is_read(self, resident, secret, settings):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a new one, a new one, a new one, a new one, a new one"
        client, _ = log_in(code_of(secret))
        assert get_user(client) == resident

    def test_one_forgotten_is_said_in_words(self, resident, secret, settings):
        settings.SECRET_KEY = "a new one, a new one, a new one, a new one, a new one"
        client, response = log_in(code_of(secret))
        assert "SECRET_KEY was changed" in response.content.decode()
        assert not get_user(client).is_authenticated


class TestTwoAtTheSameMoment:
    """On a web server of its own, as processes: two people with one code."""

    ACCOUNT = """
from allauth.mfa.totp.internal.auth import TOTP
from accounts.models import User
user = User.objects.create_user("resident@example.org", "correct horse 7")
TOTP.activate(user, "JBSWY3DPEHPK3PXP")
"""

    def send(self, browser, url, **fields):
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.open(url).read().decode())[1]
        return browser.open(url, urlencode(fields | {"csrfmiddlewaretoken": token}).encode()).url

    def test_a_code_lets_one_of_them_in(self, installation):
        installation.manage("shell", "-c", self.ACCOUNT)
        site = installation.start_web()
        browsers = [build_opener(HTTPCookieProcessor(CookieJar())) for _ in range(2)]
        for browser in browsers:
            url = self.send(browser, f"{site}/login", email="resident@example.org", password=PASSWORD, apartment="")
            assert url == f"{site}/login/code"
        together = threading.Barrier(2)

        def send_code(browser):
            together.wait()
            return self.send(browser, f"{site}/login/code", code=code_of("JBSWY3DPEHPK3PXP"))

        with ThreadPoolExecutor(2) as people:
            assert sorted(people.map(send_code, browsers)) == [f"{site}/", f"{site}/login/code"]
