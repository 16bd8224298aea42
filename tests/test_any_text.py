"""Any text in any form: an answer in words, never a failure."""

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Apartment, Building, Tenancy
from metering.models import Meter
from tests.walls.table import POST

pytestmark = pytest.mark.django_db

ANSWERED = {200, 302}
any_text = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.text(st.sampled_from("0123456789-:.,eE+ \0\u0661\uff11/TZ"), max_size=25),
    st.sampled_from(["", "x" * 10_000, "9" * 400, "-1", "1e999", "NaN", "0001-01-01", "9999-12-31", "24:00", "\ufeff",
                     "\u202e", "<script>", "a@b", "%00", "%s%n", "{{7*7}}", "../..", "İ", "ß" * 300]),
)  # fmt: skip


def any_of(*names, **usual):
    """Fields with their usual values or with anything, or left out."""
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(st.just(usual[name]), any_text) if name in usual else any_text for name in names}
    )


def trial(examples=30):
    """The database stays as earlier examples left it: that is so outside, too."""
    return settings(max_examples=examples, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def quick(settings):
    """What takes long on purpose, or refuses the many, is not what is tried here."""
    settings.ACCOUNT_RATE_LIMITS = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@trial()
@given(fields=any_of("email", "password", "apartment", "next", "remember", email="resident@example.org"))
def test_log_in(fields, resident):
    assert Client().post("/login", fields).status_code in ANSWERED


@trial()
@given(
    fields=any_of(
        "email", "password", "building", "apartment", "floor", "next", password="correct horse 7", apartment="101",
        floor="1",
    ),
)  # fmt: skip
def test_registration(fields, apartment):
    assert Client().post("/register", fields).status_code in ANSWERED


@trial()
@given(token=any_text)
def test_an_invitation(token, apartment):
    for answer in (Client().get("/register", {"invitation": token}), Client().post("/register", {"invitation": token})):
        assert answer.status_code in {*ANSWERED, 410}


@trial()
@given(fields=any_of("email", "uidb36", "key"))
def test_a_new_password(fields, resident):
    assert Client().post("/password/reset", fields).status_code in ANSWERED


@trial()
@given(
    fields=any_of("show", "since", "until", "sort", "page", show="saved", since="2026-01-01", sort="-power", page="1")
)
def test_history(fields, as_resident, meter):
    assert as_resident.get("/history", fields).status_code in ANSWERED


@trial()
@given(fields=any_of("note"))
def test_a_note(fields, as_resident, meter):
    assert as_resident.post("/api/save-reading", fields).status_code in {409, 422}


FORMS = sorted({row.path for name, row in POST.items() if not name.startswith(("admin/", "api/"))} - {"/logout"})


@pytest.mark.parametrize("path", FORMS)
@trial(15)
@given(
    fields=any_of(
        "password", "code", "oldpassword", "password1", "password2", "email", "apartment", "invitation", "next"
    )
)
def test_every_form_of_a_resident(path, fields, as_resident, tenancy):
    assert as_resident.post(path, fields).status_code in {*ANSWERED, 404, 410}


ADMIN = {
    Building: ("slug", "name", "timezone", "currency", "managers", "_save", "_continue"),
    Apartment: ("building", "number", "floor", "meters-0-serial"),
    Tenancy: ("apartment", "moved_in", "moved_out", "residents"),
    Meter: ("building", "apartment", "serial", "decoder", "topic", "installed_at_0", "installed_at_1", "removed_at_0",
            "removed_at_1"),
}  # fmt: skip


@pytest.mark.parametrize("model", ADMIN)
@trial(40)
@given(data=st.data())
def test_admin(model, data, as_manager, resident, meter, tenancy):
    usual = {
        "building": str(meter.building_id), "apartment": str(meter.apartment_id), "decoder": "native",
        "timezone": "Europe/Berlin", "currency": "EUR", "moved_in": "2020-01-01", "installed_at_0": "2020-01-01",
        "installed_at_1": "12:00", "number": "301",
    }  # fmt: skip
    forms = data.draw(st.sampled_from(["0", "1", "x", "-1"]))
    fields = data.draw(any_of(*ADMIN[model], **usual)) | {"meters-TOTAL_FORMS": forms, "meters-INITIAL_FORMS": "0"}
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
    for page in ("add", f"{model.objects.values_list('pk', flat=True).first()}/change"):
        assert as_manager.post(f"{path}/{page}/", fields).status_code in {*ANSWERED, 403}
    assert as_manager.get(f"{path}/").status_code == 200
