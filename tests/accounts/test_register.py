import datetime as dt
import re
import subprocess
import sys

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import Invitation, JoinRequest, User
from tests.factories import PASSWORD, ApartmentFactory, BuildingFactory, TenancyFactory
from tests.installation import PROJECT

pytestmark = pytest.mark.django_db
FORM = {"email": "New@example.org", "password": PASSWORD, "apartment": "101", "floor": "1"}


def register(client=None, query="", **changes):
    client = client or Client()
    return client, client.post(f"/register{query}", FORM | changes)


def mails_to(address="new@example.org"):
    return [message for message in mail.outbox if message.to == [address]]


def link_of(message):
    """The path of the confirmation link."""
    return re.search(r"http://127.0.0.1:8000(/register/confirm/\S+)", message.body)[1]


def confirm(client=None, password=PASSWORD):
    client = client or Client()
    return client, client.post(link_of(mails_to()[-1]), {"password": password})


def log_in(email="new@example.org", password=PASSWORD):
    client = Client()
    client.post("/login", {"email": email, "password": password})
    return client


def is_in(client):
    return get_user(client).is_authenticated


def answer(client, response):
    """All that a visitor can see of it, but the time of day and the secrets that differ every time."""
    headers = {name: value for name, value in response.items() if name != "Expires"}
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", client.get(response.url).content.decode())
    return response.status_code, response.content, headers, list(client.cookies), page


class TestWithoutInvitation:
    def test_the_account_is_confirmed_through_the_mailbox_then_waits_and_sees_nothing(self, apartment):
        client, response = register()
        assert (response.status_code, response.url) == (302, "/register/sent")
        assert "Check your mailbox" in client.get(response.url).content.decode()
        user = User.objects.get()
        assert user.email == "new@example.org"
        request = JoinRequest.objects.get()
        assert (request.user, request.apartment, request.state) == (user, apartment, "waiting")
        assert user.apartment is None
        assert not is_in(client)
        client, response = confirm()
        assert (response.status_code, response.url) == (302, "/")
        page = client.get("/").content.decode()
        assert "Waiting for your manager" in page
        assert client.get("/history").status_code == 404
        assert client.get("/api/power-data").status_code == 404
        assert client.post("/api/save-reading").status_code == 404
        assert is_in(log_in())

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

    def test_with_several_buildings_one_is_chosen(self, apartment):
        other = ApartmentFactory(building=BuildingFactory(slug="other"), number="101")
        _, response = register()
        assert "building" in response.context["form"].errors
        _, response = register(building=str(other.building.pk))
        assert JoinRequest.objects.get().apartment == other

    def test_nothing_is_said_of_who_lives_there(self, resident):
        register()
        client, _ = confirm()
        assert "resident@example.org" not in client.get("/").content.decode() + mails_to()[0].body

    def test_an_occupied_apartment_answers_as_an_empty_one(self, resident, neighbour_apartment):
        occupied = answer(*register(email="one@example.org"))
        assert answer(*register(email="two@example.org", apartment="201", floor="2")) == occupied
        bodies = [mails_to(f"{name}@example.org")[0].body for name in ("one", "two")]
        particular = r"/confirm/\S+|one@|two@|101|201"
        assert re.sub(particular, "", bodies[0]) == re.sub(particular, "", bodies[1])


@pytest.fixture
def registered(apartment):
    """Just now, without an invitation; another mail may be asked for."""
    register()
    cache.clear()


class TestUnconfirmed:
    def test_it_does_not_get_in(self, registered):
        client = Client()
        response = client.post("/login", {"email": "new@example.org", "password": PASSWORD})
        assert response.context["form"].non_field_errors()[0].startswith("Email, password and apartment number do not")
        assert not is_in(client)

    def test_looking_at_the_link_confirms_nothing(self, registered):
        assert "Confirm and log in" in Client().get(link_of(mails_to()[0])).content.decode()
        assert not is_in(log_in())

    def test_who_did_not_choose_the_password_cannot_confirm(self, registered):
        # Else somebody registers a stranger's address, the stranger clicks, and the first one is in.
        client, response = confirm(password="another horse 8")
        assert response.status_code == 200
        assert "not the password that was chosen" in response.content.decode()
        assert not is_in(client)
        assert not is_in(log_in())

    def test_the_link_works_once(self, registered):
        confirm()
        _, response = confirm()
        assert response.status_code == 410
        assert "used already" in response.content.decode()

    def test_the_link_runs_out(self, registered):
        with time_machine.travel(timezone.now() + dt.timedelta(days=4)):
            assert confirm()[1].status_code == 410

    def test_registering_again_sends_another_link_and_changes_nothing(self, registered):
        register(password="another horse 8")
        assert len(mails_to()) == 2
        assert JoinRequest.objects.count() == 1
        assert confirm(password="another horse 8")[1].status_code == 200
        assert is_in(confirm()[0])

    @pytest.mark.parametrize("action", ["join_household", "move_in"])
    def test_a_manager_does_not_approve_an_address_that_may_be_a_strangers(self, registered, as_manager, action):
        form = {"action": action, "_selected_action": JoinRequest.objects.get().pk}
        page = as_manager.post("/admin/accounts/joinrequest/", form, follow=True).content.decode()
        assert "The email address is not confirmed" in page
        assert JoinRequest.objects.get().state == "waiting"
        assert not is_in(log_in())
        vouch = {"action": "vouch", "_selected_action": JoinRequest.objects.get().pk}
        said = as_manager.post("/admin/accounts/joinrequest/", vouch, follow=True).content.decode()
        # No message begins with an address, which Django would write with a capital.
        assert f"Confirmed by you: {JoinRequest.objects.get().user}." in said
        assert "1 approved." in as_manager.post("/admin/accounts/joinrequest/", form, follow=True).content.decode()
        assert is_in(log_in())

    def test_a_manager_sees_who_vouched(self, registered, as_manager):
        asked = JoinRequest.objects.get()
        assert "Approve" not in as_manager.get(f"/admin/accounts/joinrequest/{asked.pk}/change/").content.decode()
        as_manager.post("/admin/accounts/joinrequest/", {"action": "vouch", "_selected_action": asked.pk})
        page = as_manager.get(f"/admin/accounts/joinrequest/{asked.pk}/history/").content.decode()
        assert "Vouched for the email address." in page
        assert "manager@example.org" in page

    def test_one_who_refuses_is_not(self, registered, manager):
        JoinRequest.objects.get().refuse(manager)
        assert not is_in(log_in())

    def test_the_manager_sees_it(self, registered, as_manager):
        pages = ["/admin/accounts/joinrequest/", f"/admin/accounts/joinrequest/{JoinRequest.objects.get().pk}/change/"]
        assert all("not confirmed" in as_manager.get(page).content.decode() for page in pages)
        confirm()
        assert not any("not confirmed" in as_manager.get(page).content.decode() for page in pages)

    @pytest.mark.parametrize("given", ["a household", "a building", "all rights", "another address"])
    def test_what_it_is_given_meanwhile_is_no_proof(self, registered, building, tenancy, given):
        """Whoever gives it takes the account for its owner's."""
        user = User.objects.get(email="new@example.org")
        if given == "a household":
            tenancy.residents.add(user)
        elif given == "a building":
            building.managers.add(user)
        else:
            root = Client()
            root.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
            form = {"email": "new@example.org", "is_active": "on"}
            form |= {"is_superuser": "on"} if given == "all rights" else {"email": "other@example.org"}
            assert root.post(f"/admin/accounts/user/{user.pk}/change/", form).status_code == 302
        client = Client()
        user.refresh_from_db()
        client.post("/login", {"email": user.email, "password": PASSWORD})
        assert not is_in(client)

    def test_nor_is_an_apartment_that_is_gone(self, registered, apartment, neighbour_apartment):
        JoinRequest.objects.all().delete()
        TenancyFactory(apartment=neighbour_apartment).residents.add(User.objects.get(email="new@example.org"))
        assert not is_in(log_in())
        register()
        assert "Somebody, probably you, registered new@example.org." in mails_to()[-1].body

    def test_an_account_made_by_hand_needs_none_whoever_asks_for_a_reset(self):
        User.objects.create_user("new@example.org", PASSWORD)
        Client().post("/password/reset", {"email": "new@example.org"})
        assert EmailAddress.objects.filter(verified=False).exists()
        assert is_in(log_in())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"password": "12345678"}, "password"), ({"floor": "7"}, "floor"), ({"apartment": "999"}, "apartment"),
        ({"email": "nobody"}, "email"), ({"password": "password", "floor": "7"}, "password"),
    ],
)  # fmt: skip
def test_the_cursor_stands_in_the_first_field_that_is_wrong(apartment, wrong, field):
    _, response = register(**wrong)
    form = response.context["form"]
    assert [name for name in form.fields if "autofocus" in form.fields[name].widget.attrs] == [field]
    page = response.content.decode()
    assert page.count(" autofocus") == 1
    assert re.search(r"<input[^>]* autofocus", page)[0].count(f'name="{field}"') == 1


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
        assert as_neighbour.post("/invitation", {"invitation": token}).url == "/"

    def test_whoever_joined_by_it_opens_it_again(self, token, as_resident):
        client, _ = register(query=f"?invitation={token}")
        for again in (client.get(f"/register?invitation={token}"), client.post("/invitation", {"invitation": token})):
            assert (again.status_code, again.url) == (302, "/")
        # To others in the same household as well it says what it says of one that never was.
        for path in ("/register?invitation=", "/register?invitation=nonsense"):
            answer = as_resident.get(path + (token if path.endswith("=") else ""))
            assert answer.status_code == 410
            assert "registered already" not in answer.content.decode()

    def test_a_stranger_is_told_the_same_of_a_used_one_as_of_a_made_up_one(self, token):
        register(query=f"?invitation={token}")
        used, unknown = (Client().get(f"/register?invitation={each}") for each in (token, "nonsense"))
        assert (used.status_code, unknown.status_code) == (410, 410)
        for answer in (used, unknown):
            text = answer.content.decode()
            assert text.index("You have registered already?") < text.index("used already or has expired")
        strip = re.compile(r"nonce[=-]\S+|csrf\S+ \S+")
        assert strip.sub("", used.content.decode()).replace(token, "nonsense") == strip.sub(
            "", unknown.content.decode()
        )

    def test_who_has_an_account_is_told_by_mail_and_the_invitation_stays(self, token, neighbour):
        client, response = register(query=f"?invitation={token}", email="neighbour@example.org")
        assert response.url == "/register/sent"
        assert not is_in(client)
        assert "open your invitation link again" in mails_to("neighbour@example.org")[0].body
        assert Invitation.objects.usable(token)

    def test_who_waits_confirms_first_and_opens_it_again(self, token, registered):
        assert register(query=f"?invitation={token}")[1].url == "/register/sent"
        assert "open your invitation link again" in mails_to()[1].body
        client, _ = confirm()
        client.post("/invitation", {"invitation": token})
        assert client.get("/api/power-data").json()["apartment"] == "101"

    def test_it_needs_no_mail(self, token):
        register(query=f"?invitation={token}")
        assert mail.outbox == []
        assert is_in(log_in())


# Registers as a browser does, but stands still where the invitation was found good and nothing is saved yet.
AT_THE_DOOR = """
import sys
import django
django.setup()
from django.test import Client
from accounts.forms import RegisterForm
save = RegisterForm.save
def wait_then_save(self, request):
    print("at the door", flush=True)
    sys.stdin.readline()
    return save(self, request)
RegisterForm.save = wait_then_save
form = {"email": sys.argv[1], "password": "correct horse 7", "apartment": "101", "floor": "1"}
response = Client(SERVER_NAME="127.0.0.1").post(f"/register?invitation={sys.argv[2]}", form)
print(response.status_code, "used already" in response.content.decode())
"""


def test_of_two_at_the_same_moment_exactly_one_gets_in(installation):
    installation.make_house("101")
    token = installation.manage("invite", "house", "101").strip().partition("=")[2]
    env = installation.env | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    pipe = subprocess.PIPE
    people = [
        subprocess.Popen(
            [sys.executable, "-c", AT_THE_DOOR, f"{name}@example.org", token],
            cwd=PROJECT, env=env, text=True, stdin=pipe, stdout=pipe, stderr=pipe,
        )
        for name in ("first", "second")
    ]  # fmt: skip
    assert [person.stdout.readline() for person in people] == ["at the door\n"] * 2
    for person in people:
        person.stdin.write("go\n")
        person.stdin.flush()
    assert sorted(person.communicate(timeout=30)[0] for person in people) == ["302 False\n", "410 True\n"]
    (account,) = installation.query("SELECT id, email FROM accounts_user")
    assert installation.query("SELECT user_id FROM accounts_tenancy_residents") == [account[:1]]
    assert installation.query("SELECT count(*) FROM accounts_joinrequest") == [(0,)]


def test_an_invitation_ends_with_the_household(tenancy):
    invitation = Invitation(tenancy=tenancy)
    token = invitation.issue().partition("=")[2]
    tenancy.moved_out = dt.date(2025, 6, 1)
    tenancy.save()
    assert Invitation.objects.usable(token) is None
    invitation.refresh_from_db()
    assert not invitation.accept(User.objects.create_user("late@example.org"))
