"""Text made to harm, or without end, in real Chromium: nothing runs, and no page becomes wider than its screen."""

import json
from itertools import product

import pytest
from playwright.sync_api import expect

from tests.browser.test_every_page import log_in
from tests.factories import PASSWORD

pytestmark = pytest.mark.sqlite

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
FILL = """
from django.utils import timezone
from accounts.models import *
from metering.models import *

texts = {texts}
building = Building.objects.get()
person = User.objects.create_user(texts["email"], {password!r}, is_superuser=True)
building.name = texts["name"]
building.save()
apartment = Apartment.objects.get(number="101")
tenancy = Tenancy.objects.create(apartment=apartment, moved_in="2026-01-01")
tenancy.residents.add(person)
Apartment.objects.filter(pk=apartment.pk).update(number=texts["number"], floor=texts["number"])
meter = Meter.objects.get(apartment=apartment)
Meter.objects.filter(pk=meter.pk).update(serial=texts["serial"], topic=texts["topic"])
now = timezone.now()
Reading.objects.create(meter=meter, taken_at=now, voltage=230, current=2, power=460, saved_at=now, note=texts["note"])
RejectedMessage.objects.create(
    received_at=now, topic=texts["topic"], building=building, payload=texts["payload"].encode(), reason=texts["topic"])
other = User.objects.create_user("x" + texts["email"][1:], "")
JoinRequest.objects.create(user=other, apartment=apartment)
"""
PAGES = ("/", "/history", "/history?show=saved", "/account", "/password")
ADMIN = ("accounts/building", "accounts/apartment", "accounts/tenancy", "accounts/joinrequest", "accounts/user",
         "metering/meter", "metering/reading", "metering/rejectedmessage")  # fmt: skip


def fill(house, **texts):
    usual = dict.fromkeys(("name", "number", "serial", "topic", "note", "payload", "email"), texts["long"])
    limits = {"name": 100, "number": 32, "serial": 64, "topic": 200, "note": 120, "payload": 4000, "email": 250}
    texts = {name: (usual | texts)[name][:limit] for name, limit in limits.items()}
    house.manage("shell", "--verbosity", "0", "-c", FILL.format(texts=json.dumps(texts), password=PASSWORD))
    return texts


@pytest.mark.parametrize("letter", ["W", "ﷺ"])
def test_words_without_end_fit_the_screen(letter, page, house, site):
    email = f"{'w' * 64}@{'w' * 60}.{'w' * 60}.{'w' * 50}.org"
    texts = fill(house, long=letter * 4000, email=email)
    log_in(page, site, email)
    for width, path in product((390, 1280), PAGES):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(site + path)
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.goto(f"{site}/history?show=saved")
    expect(page.get_by_text(texts["note"]).first).to_be_attached()


def test_admin_keeps_its_width_too(page, house, site):
    email = f"{'w' * 64}@{'w' * 60}.{'w' * 60}.{'w' * 50}.org"
    fill(house, long="W" * 4000, email=email)
    log_in(page, site, email)
    page.set_viewport_size({"width": 390, "height": 800})
    for name in ADMIN:
        page.goto(f"{site}/admin/{name}/")
        links = page.locator("#result_list tbody th a").evaluate_all("links => links.map((link) => link.pathname)")
        parts = ("change", "history") if name == "metering/reading" else ("change", "history", "delete")
        for path in (f"/admin/{name}/", *(link.replace("change", part) for link, part in product(links, parts))):
            page.goto(site + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_nothing_runs(page, house, site):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/x") else None)
    email = '"<svg/onload=alert(3)>"@example.org'
    texts = fill(house, long=EVIL * 9, number="<svg onload=alert(3)>", email=email)
    log_in(page, site, email)
    expect(page.get_by_role("heading", name=f"Apartment {texts['number']}")).to_be_visible()
    paths = [*PAGES, *(f"/admin/{name}/" for name in ADMIN)]
    for path in paths:
        page.goto(site + path)
        page.wait_for_load_state()
        if path.startswith("/admin/"):
            page.locator("#result_list tbody th a").first.click()
            page.wait_for_load_state()
    assert asked == []
