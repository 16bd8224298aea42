"""Addresses that have an account already, are odd, or that nobody can write to."""

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import JoinRequest
from tests.accounts.test_register import answer, is_in, log_in, mails_to, register
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def known(resident):
    """An account as everybody's who registered: allauth has the address, too."""
    EmailAddress.objects.create(user=resident, email=resident.email, primary=True, verified=True)
    return resident


class TestAnAddressThatHasAnAccount:
    def test_the_page_tells_nothing(self, known):
        assert answer(*register(email="RESIDENT@example.org")) == answer(*register())
        assert JoinRequest.objects.get().user.email == "new@example.org"

    @pytest.mark.parametrize("email", ["resident@example.org", "new@example.org"])
    def test_nor_does_the_work(self, known, email, hashed):
        register(email=email)
        assert len(hashed) == 1
        assert len(mail.outbox) == 1

    def test_the_mailbox_is_told(self, known):
        register(email="Resident@example.org", password="another horse 8")
        (message,) = mails_to("resident@example.org")
        assert message.subject == "[Riser] You have an account already"
        for words in ("http://127.0.0.1:8000/login", "http://127.0.0.1:8000/password/reset", "nothing was changed"):
            assert words in message.body
        assert "invitation" not in message.body
        assert is_in(log_in("resident@example.org"))
        assert not is_in(log_in("resident@example.org", "another horse 8"))

    def test_no_mailbox_is_flooded(self, known):
        for _ in range(3):
            for email in ("resident@example.org", "new@example.org"):
                assert register(email=email)[1].url == "/register/sent"
        assert [len(mails_to(email)) for email in ("resident@example.org", "new@example.org")] == [1, 1]


QUOTED = ['"' + "new"[:number] + "\\" + "new"[number:] + '"@example.org' for number in range(3)]


UNWRITABLE = ["a@" + "ü" * 63 + ".org", "a@x\uffff.org"]


class TestOddAddresses:
    @pytest.mark.parametrize("addresses", [QUOTED, [f"new+{number}@example.org" for number in range(3)]])
    def test_one_mailbox_is_not_flooded_by_spelling_it_otherwise(self, apartment, addresses):
        for address in addresses:
            register(email=address)
        assert len(mail.outbox) == 1

    def test_nor_is_its_owner_kept_from_their_mail(self, apartment):
        for address in (*QUOTED, "new+1@example.org"):
            register(email=address, password="another horse 8")
        mail.outbox.clear()
        register()
        assert len(mails_to()) == 1

    @pytest.mark.parametrize("address", UNWRITABLE)
    @pytest.mark.parametrize("path", ["/register", "/password/reset"])
    def test_one_that_nobody_can_write_to(self, apartment, address, path, caplog):
        form = {"email": address, "password": PASSWORD, "apartment": "101", "floor": "1"}
        assert Client(raise_request_exception=False).post(path, form).status_code in {200, 302}


def test_an_address_fits_into_the_account(apartment):
    _, response = register(email=f"{'x' * 60}@{'y' * 60}.{'z' * 60}.{'w' * 60}.{'v' * 60}.org")
    assert "email" in response.context["form"].errors
