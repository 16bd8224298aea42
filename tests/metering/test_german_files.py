"""What people take away is explained in their language, and what programs read is the same in all of them."""

import io
import zipfile

import pytest

from accounts.models import AccessRecord, Apartment
from accounts.trace import record_access
from metering.my_data import my_data
from tests.factories import ReadingFactory
from tests.metering.test_german import GERMAN

pytestmark = pytest.mark.django_db


def test_ones_own_data(resident, manager, meter):
    reading = ReadingFactory(meter=meter, voltage=230.5)
    record_access(manager, {(meter.apartment_id, reading.taken_at)}, AccessRecord.What.LIST)

    def files(language):
        archive = zipfile.ZipFile(io.BytesIO(b"".join(my_data(resident, language))))
        return {name: archive.read(name).decode() for name in archive.namelist()}

    german, english = files("de"), files("en")
    assert german.pop("README.txt").startswith("Ihre Daten in Riser, Stand 20")
    assert english.pop("README.txt").startswith("Your data in Riser, as of 20")
    assert "manager@example.org" in english["access_records.json"]
    assert german == english


def test_the_page_asks_for_them_in_its_language(as_resident, monkeypatch):
    asked = []
    monkeypatch.setattr("metering.views.my_data.my_data", lambda user, language: asked.append(language) or iter([b""]))
    assert as_resident.get("/account/data", headers=GERMAN).status_code == 200
    assert asked == ["de"]


@pytest.mark.parametrize("path", ["/api/power-data", "/api/recent", "/api/openapi.json"])
def test_json(as_resident, meter, path, time_machine):
    time_machine.move_to("2026-11-25T12:00:00Z", tick=False)
    ReadingFactory(meter=meter, voltage=230.5)
    assert as_resident.get(path, headers=GERMAN).content == as_resident.get(path).content


@pytest.mark.parametrize("written", ["72,5", "72.5"])
def test_decimals_have_a_comma_where_they_are_entered(as_manager, apartment, written):
    path = f"/admin/accounts/apartment/{apartment.pk}/change/"
    given = {
        "building": apartment.building_id, "number": "101", "floor": "1", "area": written,
        "meters-TOTAL_FORMS": 0, "meters-INITIAL_FORMS": 0,
    }  # fmt: skip
    assert as_manager.post(path, given, headers=GERMAN).status_code == 302
    assert str(Apartment.objects.get(pk=apartment.pk).area).rstrip("0") == "72.5"
    page = as_manager.get(path, headers=GERMAN).content.decode()
    assert 'value="72,5' in page
    assert 'inputmode="decimal"' in page


def test_prices_too(as_manager, building):
    given = {
        "building": building.pk, "valid_from": "01.03.2026", "currency": "EUR", "standing_charge": "0,25",
        "tax_rate": "19", "rates-TOTAL_FORMS": 1, "rates-INITIAL_FORMS": 0, "rates-0-name": "Strom",
        "rates-0-price": "0,3",
    }  # fmt: skip
    assert as_manager.post("/admin/metering/tariff/add/", given, headers=GERMAN).status_code == 302
    (tariff,) = building.tariffs.all()
    assert [float(price) for price in (tariff.standing_charge, tariff.rates.get().price)] == [0.25, 0.3]
