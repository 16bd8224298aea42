"""The API keeps to its own description, whatever is sent: schemathesis makes it up."""

import json

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import Client
from hypothesis import HealthCheck, settings

from accounts.models import Tenancy
from metering.api import api
from metering.models import Reading
from tests.factories import ReadingFactory


def load(*, with_login: bool):
    described = json.loads(json.dumps(api.get_openapi_schema()))
    if not with_login:
        # The session is ours to send, not a part to be made up.
        del described["components"]["securitySchemes"]
        for operations in described["paths"].values():
            for operation in operations.values():
                del operation["security"]
    schema = schemathesis.openapi.from_dict(described)
    schema.app = get_wsgi_application()
    return schema


for_residents, for_strangers = load(with_login=False), load(with_login=True)

# A request outside of Django's test client closes its connection: no transaction around a test survives that.
pytestmark = pytest.mark.django_db(transaction=True)

# The same examples in every run.
bounded = settings(max_examples=25, derandomize=True, database=None, deadline=None,
                   suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip


@pytest.fixture
def visit(resident):
    """Headers and cookies of a resident's page."""
    client = Client()
    client.force_login(resident)
    client.get("/")
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    return {"cookies": cookies, "headers": {"X-CSRFToken": cookies["csrftoken"]}}


@for_residents.parametrize()
@bounded
def test_as_a_resident(case, visit, meter):
    if not Reading.objects.exists():
        ReadingFactory(meter=meter)
    case.call_and_validate(**visit)


@for_residents.parametrize()
@bounded
def test_without_a_reading(case, visit, meter):
    case.call_and_validate(**visit)


@for_residents.parametrize()
@bounded
def test_without_an_apartment(case, visit):
    Tenancy.objects.all().delete()
    case.call_and_validate(**visit)


@for_strangers.parametrize()
@bounded
def test_as_a_stranger(case):
    case.call_and_validate()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[null, null]", 422), ("[]", 422), ("7", 422), ('"x"', 422), ('{"note": 7}', 422), ('{"note": null}', 422),
        ('{"note": "\\ud800"}', 422), ('{"note": "\\u0000"}', 422), ("{", 400), ("\xff", 400), ("[" * 100_000, 400),
        ('{"note": "' + "x" * 2_000_000 + '"}', 413), ("null", 201), ("{}", 201), ("", 201),
        ('{"note": "\\u202e"}', 422), ('{"note": "<script>", "id": 7, "saved_by": 1, "apartment": "201"}', 201),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_odd_bodies(as_resident, meter, body, status):
    ReadingFactory(meter=meter)
    response = as_resident.generic("POST", "/api/save-reading", body.encode("latin-1"), "application/json")
    assert response.status_code == status
    assert response["Content-Type"].startswith("application/json")


KINDS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "text/xml",
         "application/json; charset=nonsense"]  # fmt: skip


@pytest.mark.parametrize("content_type", KINDS)
def test_odd_kinds_of_bodies(as_resident, meter, content_type):
    ReadingFactory(meter=meter)
    response = as_resident.generic("POST", "/api/save-reading", b"%00\xff&a=b\r\n--x", content_type)
    assert response.status_code in {201, 400, 422}
