"""Guesses from one address are counted for that address, and for nobody's code page but the account's own."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.core.cache import cache
from django.test import Client

from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
HERE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture(autouse=True)
def nothing_counted_yet(db):
    cache.clear()


@pytest.fixture
def codes(resident):
    """Recovery codes of the resident, who has two-factor."""
    TOTP.activate(resident, generate_totp_secret())
    return RecoveryCodes.activate(resident).generate_codes()


def looked_at(name):
    """Whether the password was looked at: else it were too many guesses."""
    answer = Client(**HERE).post("/login", {"email": f"{name}@example.org", "password": "wrong"})
    return "do not fit" in answer.content.decode()


def log_in(resident, password=PASSWORD, client=None):
    client = client or Client(**HERE)
    client.post("/login", {"email": resident.email, "password": password})
    return client


def enter(client, code):
    client.post("/login/code", {"code": code})
    return "_auth_user_id" in client.session


def test_logging_in_with_ones_own_code_gives_an_address_no_new_guesses(resident, codes):
    looked = 0
    for turn in range(3):
        looked += sum(looked_at(f"{turn}-{number}") for number in range(8))
        enter(log_in(resident), codes.pop())
    assert looked <= 10


def test_resetting_ones_own_password_neither(resident):
    EmailAddress.objects.create(user=resident, email=resident.email, primary=True)
    Client().post("/password/reset", {"email": resident.email})
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/" in word)
    assert sum(looked_at(number) for number in range(10)) == 10
    own = Client(**HERE)
    form = own.get("/" + link.split("/", 3)[3]).url
    own.post(form, {"password1": "another horse 8", "password2": "another horse 8"})
    assert not looked_at("again")


def test_who_guesses_at_the_same_address_shuts_nobody_out_of_the_code_page(resident, codes):
    own = log_in(resident)
    assert enter(own, codes[0])
    own.post("/logout")
    for number in range(10):
        looked_at(number)
    assert enter(log_in(resident, client=own), codes[1])


def test_a_log_in_that_waits_for_its_code_ends_with_the_password(resident, codes):
    thief = log_in(resident)
    resident.set_password("another horse 8")
    resident.save()
    assert not enter(thief, codes[0])


def test_and_with_log_out_everywhere(resident, codes):
    thief = log_in(resident)
    resident.end_sessions()
    assert not enter(thief, codes[0])
    assert enter(log_in(resident), codes[1])


@pytest.mark.parametrize("target", ["http://[", "//[::1"])
def test_an_address_that_is_none_leads_nowhere(target, resident):
    answer = Client().post("/login", {"email": resident.email, "password": PASSWORD, "next": target})
    assert (answer.status_code, answer.url) == (302, "/")
    assert Client().get("/login", {"next": target}).status_code == 200
