"""Everything about me, and nothing about anybody else."""

import csv
import datetime as dt
import http.client
import io
import json
import re
import socket
import tracemalloc
import zipfile
from urllib.parse import urlencode

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import AsyncClient, Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Invitation, JoinRequest, Tenancy
from accounts.text import inert
from metering.export.tables import QUARTER_COLUMNS
from metering.loads import derive_new
from metering.models import Reading
from metering.models.instant import to_microseconds
from metering.my_data import COLUMNS, my_data
from metering.my_energy import DAY_COLUMNS
from tests.factories import MeterFactory, ReadingFactory, TenancyFactory
from tests.fakes import NOON

MARCH_BERLIN = dt.timezone(dt.timedelta(hours=1))


@pytest.fixture(autouse=True)
def no_download_lately(db):
    cache.clear()


def files_of(user):
    archive = zipfile.ZipFile(io.BytesIO(b"".join(my_data(user))))
    assert archive.testzip() is None
    return {name: archive.read(name).decode() for name in archive.namelist()}


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def take(meter, *instants, **fields):
    return [ReadingFactory(meter=meter, taken_at=instant, **fields) for instant in instants]


@pytest.fixture
def moved(resident, tenancy, apartment, neighbour_apartment):
    """Lived in 101 in March of 2025, then moved to 201; others live in 101 now."""
    tenancy.moved_in, tenancy.moved_out = dt.date(2025, 3, 1), dt.date(2025, 4, 1)
    tenancy.save()
    TenancyFactory(apartment=apartment, moved_in=dt.date(2025, 4, 1))
    TenancyFactory(apartment=neighbour_apartment, moved_in=dt.date(2025, 4, 1)).residents.add(resident)
    return resident


def test_each_tenancy_from_local_midnight_to_local_midnight(moved, meter, neighbour_apartment):
    begin = dt.datetime(2025, 3, 1, tzinfo=MARCH_BERLIN)
    end = dt.datetime(2025, 3, 31, 22, tzinfo=dt.UTC)
    moment = dt.timedelta(microseconds=1)
    take(meter, begin - moment, begin, end - moment, end)
    other = MeterFactory(apartment=neighbour_apartment)
    take(other, end - moment, end)
    files = files_of(moved)
    assert [row["taken at"] for row in rows_of(files["readings/house 101 2025-03-01.csv"])] == [
        "2025-03-01T00:00:00.000000+01:00",
        "2025-03-31T23:59:59.999999+02:00",
    ]
    assert [row["taken at"] for row in rows_of(files["readings/house 201 2025-04-01.csv"])] == [
        "2025-04-01T00:00:00.000000+02:00"
    ]


def test_all_columns_with_their_units(resident, neighbour, meter):
    meter.serial = "A-7"
    meter.save()
    values = {"voltage": 229.5, "current": -2.25, "power": -516.4, "power_factor": 0.98, "energy_total": 1234.5}
    (mine,) = take(meter, NOON, **values, received_at=NOON + dt.timedelta(seconds=1))
    mine.save_for(resident, "oven", NOON)
    (theirs,) = take(meter, NOON + dt.timedelta(hours=1))
    theirs.save_for(neighbour, "", NOON)
    take(meter, NOON + dt.timedelta(hours=2))
    first, second, third = rows_of(files_of(resident)["readings/house 101 2025-01-01.csv"])
    assert tuple(first) == COLUMNS
    assert tuple(first.values()) == (
        "2026-11-23T13:00:00.000000+01:00", "A-7", "229.5", "-2.25", "-516.4", "0.98", "1234.5",
        "2026-11-23T13:00:01.000000+01:00", "2026-11-23T13:00:00.000000+01:00", "yes", "oven",
    )  # fmt: skip
    assert (second["saved by me"], third["saved by me"]) == ("no", "")
    assert (third["received at"], third["power factor"]) == (third["taken at"], "")


def test_energy_of_today_that_nobody_has_summed_yet(resident, meter):
    begin = NOON - dt.timedelta(minutes=50)
    take(meter, *(begin + dt.timedelta(minutes=number) for number in range(20)))
    with time_machine.travel(NOON, tick=False):
        sum(derive_new())
        take(meter, *(begin + dt.timedelta(minutes=number) for number in range(20, 50)))
        files = files_of(resident)
    hours, days = (rows_of(files[f"{name}/house 101 2025-01-01.csv"]) for name in ("quarter_hours", "days"))
    (today,) = days
    assert (today["day"], today["covered (s)"]) == ("2026-11-23", str(49 * 60))
    assert float(today["energy (Wh)"]) == pytest.approx(sum(float(row["energy (Wh)"]) for row in hours))


def test_energy_by_quarter_hour_and_day_of_ones_own_time(moved, meter, neighbour_apartment, monkeypatch):
    monkeypatch.setattr("metering.export.tables.BATCH", 2)
    meter.serial = "=A-7"
    meter.save()
    begin = dt.datetime(2025, 3, 1, tzinfo=MARCH_BERLIN)
    end = dt.datetime(2025, 3, 31, 22, tzinfo=dt.UTC)
    for start in (begin - dt.timedelta(hours=1), begin, end - dt.timedelta(minutes=45), end):
        take(
            meter, *(start + dt.timedelta(seconds=second) for second in range(0, 2400, 60)), voltage=230.0, current=4.0
        )
    sum(derive_new())
    files = files_of(moved)
    rows = rows_of(files["quarter_hours/house 101 2025-03-01.csv"])
    assert tuple(rows[0]) == QUARTER_COLUMNS
    assert tuple(rows[0].values()) == (
        "2025-03-01T00:00:00+01:00", "'=A-7", "230.0", "0.0", "0.0", "900", "15", "920", "920", "920",
        "230.0", "230.0", "230.0",
    )  # fmt: skip
    assert [row["from"] for row in rows] == [
        *(f"2025-03-01T00:{minute}:00+01:00" for minute in ("00", "15", "30")),
        *(f"2025-03-31T23:{minute}:00+02:00" for minute in ("15", "30", "45")),
    ]
    days = rows_of(files["days/house 101 2025-03-01.csv"])
    assert tuple(days[0]) == DAY_COLUMNS
    assert [row["day"] for row in days] == ["2025-03-01", "2025-03-31"]
    assert rows_of(files["days/house 201 2025-04-01.csv"]) == []


def test_a_replaced_meter_and_more_readings_than_one_batch(resident, meter, monkeypatch):
    monkeypatch.setattr("metering.export.tables.BATCH", 3)
    later = MeterFactory(apartment=meter.apartment, topic="house/later", installed_at=NOON)
    instants = [NOON + dt.timedelta(seconds=second) for second in range(7)]
    take(later, *reversed(instants))
    take(meter, *(instant - dt.timedelta(days=1) for instant in instants))
    rows = rows_of(files_of(resident)["readings/house 101 2025-01-01.csv"])
    assert len(rows) == 14
    assert rows == sorted(rows, key=lambda row: row["taken at"])
    assert {row["meter"] for row in rows} == {str(meter.pk), str(later.pk)}


def test_the_language_i_chose(resident):
    resident.language = "de"
    resident.save()
    assert json.loads(files_of(resident)["account.json"])["language"] == "de"


def test_who_i_am(resident, tenancy, manager, neighbour, as_resident):
    EmailAddress.objects.create(user=resident, email=resident.email, primary=True, verified=False)
    Invitation(tenancy=tenancy, used_by=resident, used_at=timezone.now()).issue()
    Invitation(tenancy=tenancy, used_by=neighbour, used_at=timezone.now()).issue()
    JoinRequest.objects.create(user=resident, apartment=tenancy.apartment, decided_by=manager, state="approved")
    JoinRequest.objects.create(user=neighbour, apartment=tenancy.apartment)
    files = files_of(resident)
    account = json.loads(files["account.json"])
    assert account["email"] == "resident@example.org"
    assert account["email_addresses"] == [{"email": "resident@example.org", "verified": False, "primary": True}]
    assert account["language"] is None
    assert len(account["sessions"]) == 1
    assert json.loads(files["tenancies.json"]) == [
        {"building": "House by the Sea", "apartment": "101", "floor": "1", "moved_in": "2025-01-01", "moved_out": None}
    ]
    (request,) = json.loads(files["join_requests.json"])
    assert (request["apartment"], request["state"]) == ("house/101", "approved")
    (invitation,) = json.loads(files["invitations.json"])
    assert invitation["apartment"] == "house/101"
    assert account["two_factor"] is False


def test_a_slow_download_does_not_go_on_into_the_next_households_time(resident, meter, monkeypatch):
    monkeypatch.setattr("metering.my_data.PIECE_BYTES", 1)
    take(meter, timezone.now() - dt.timedelta(minutes=1), power=1111.0)
    pieces = my_data(resident)
    begun = next(pieces)
    take(meter, timezone.now() + dt.timedelta(seconds=1), power=77777.0)
    archive = zipfile.ZipFile(io.BytesIO(begun + b"".join(pieces)))
    content = archive.read("readings/house 101 2025-01-01.csv").decode()
    assert "1111.0" in content
    assert "77777" not in content


def test_who_looked(as_manager, resident, neighbour, meter):
    reading = take(meter, timezone.now())[0]
    as_manager.get(f"/admin/metering/reading/{reading.pk}/change/")
    (look,) = json.loads(files_of(resident)["access_records.json"])
    assert (look["apartment"], look["who"], look["role"]) == ("house/101", "manager@example.org", "manager")
    assert json.loads(files_of(neighbour)["access_records.json"]) == []


def test_nothing_secret_and_nobody_else(resident, tenancy, manager, neighbour, meter):
    tenancy.residents.add(neighbour)
    invitation = Invitation(tenancy=tenancy, used_by=resident, used_at=timezone.now(), created_by=manager)
    token = invitation.issue().partition("=")[2]
    take(meter, NOON)[0].save_for(neighbour, "theirs", NOON)
    everything = "".join(files_of(resident).values())
    assert "theirs" in everything
    for secret in (token, invitation.token_hash, resident.password, manager.email, neighbour.email):
        assert secret not in everything


def test_saved_readings_with_notes_as_they_were_written(resident, neighbour, tenancy, meter):
    tenancy.residents.add(neighbour)
    first, second, _ = take(meter, *(NOON + dt.timedelta(minutes=minute) for minute in range(3)))
    first.save_for(resident, "=oven", NOON)
    second.save_for(neighbour, "kettle", NOON)
    saved = json.loads(files_of(resident)["saved_readings.json"])
    assert [(row["note"], row["saved_by_me"]) for row in saved] == [("=oven", True), ("kettle", False)]


def test_who_never_lived_anywhere(manager):
    files = files_of(manager)
    assert json.loads(files["account.json"])["manages_buildings"] == ["House by the Sea"]
    assert json.loads(files["tenancies.json"]) == json.loads(files["saved_readings.json"]) == []
    assert not [name for name in files if name.startswith("readings/")]


def test_the_readme_explains_every_file_and_column(resident, meter):
    files = files_of(resident)
    for name in files.keys() - {"README.txt"}:
        assert f"\n{name.split('/')[0]}" in files["README.txt"]
    for column in COLUMNS:
        assert f"\n  {column}  " in files["README.txt"]


@pytest.mark.parametrize(
    "note",
    ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "'=1", 'x";"=1', "x;=1", "x\n=1"],
)
def test_a_formula_is_inert_in_every_cell_it_could_be_in(resident, meter, note):
    take(meter, NOON, note=note, saved_at=NOON)
    text = files_of(resident)["readings/house 101 2025-01-01.csv"]
    (row,) = rows_of(text)
    assert read_back(row["note"]) == note
    line = text.partition("\r\n")[2]
    for separator in (",", ";", "\t"):
        for cells in csv.reader(io.StringIO(line, newline=""), delimiter=separator):
            risky = [cell for cell in cells if cell.lstrip().startswith(tuple("=+-@＝＋－＠\t\r"))]
            assert risky == []


def read_back(text):
    """What README.txt says to do."""
    return re.sub(r"""(^|[;"\t\r\n])'""", r"\1", text)


@given(st.text(alphabet="a =+-@';\"\t\r\n,"))
def test_every_text_can_be_read_back(text):
    assert read_back(inert(text)) == text


def test_numbers_stay_numbers(resident, meter):
    take(meter, NOON, current=-1.5, power=-345.0)
    (row,) = rows_of(files_of(resident)["readings/house 101 2025-01-01.csv"])
    assert (float(row["current (A)"]), float(row["power (W)"])) == (-1.5, -345.0)


def test_a_download_that_nobody_may_keep(in_event_loop, resident, meter):
    take(meter, NOON)
    client = AsyncClient()
    client.force_login(resident)

    async def download():
        response = await client.get("/account/data")
        return response, b"".join([piece async for piece in response.streaming_content])

    response, content = in_event_loop(download())
    assert response["Content-Type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="riser-\d{4}-\d\d-\d\d\.zip"', response["Content-Disposition"])
    assert "no-store" in response["Cache-Control"]
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


def test_once_a_minute(as_resident, as_neighbour):
    assert as_resident.get("/account/data").status_code == 200
    again = as_resident.get("/account/data")
    assert again.status_code == 429
    assert "less than a minute ago" in again.content.decode()
    assert as_neighbour.get("/account/data").status_code == 200


def test_only_by_who_asks_for_it(as_resident):
    assert Client().get("/account/data").url == "/login?next=/account/data"
    assert as_resident.post("/account/data").status_code == 405


def test_the_account_page_tells_how_long_what_is_kept(as_resident, settings):
    settings.READING_RETENTION_DAYS, settings.ERASE_READINGS_AFTER_MONTHS = 9, 14
    settings.ERASE_BILLING_AFTER_MONTHS = 41
    page = as_resident.get("/account").content.decode()
    for words in ("kept for 9 days", "14 months after you moved out", "deleted 41 months after", "/account/data"):
        assert words in page


def peak_of(user):
    tracemalloc.start()
    try:
        for _ in my_data(user):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_four_times_as_much_takes_no_more_memory(resident, meter, monkeypatch):
    monkeypatch.setattr("metering.export.tables.BATCH", 200)

    def fill(first, last):
        instants = (NOON + dt.timedelta(seconds=second) for second in range(first, last))
        rows = [Reading(meter=meter, taken_at=instant, voltage=1, current=1, power=1) for instant in instants]
        Reading.objects.bulk_create(rows, batch_size=5000)

    fill(0, 1500)
    peak_of(resident)
    before = peak_of(resident)
    fill(1500, 6000)
    assert peak_of(resident) < before * 1.25


class Browser:
    """As much of one as a log-in and a download take."""

    def __init__(self, port):
        self.port = port
        self.room = None
        self.cookies = {}

    def open(self, path, form=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers["Connection"] = "close"
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.connect()
        if self.room:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.room)
        connection.request("POST" if form else "GET", path, urlencode(form or {}), headers)
        response = connection.getresponse()
        for cookie in response.msg.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def register(self, link):
        token = link.partition("=")[2]
        page = self.open(f"/register?invitation={token}").read().decode()
        csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        form = {"csrfmiddlewaretoken": csrf, "invitation": token, "email": "a@example.org", "password": "horse 7 horse"}
        with self.open("/register", form) as answer:
            assert answer.status == 302


READINGS = 60_000


def test_a_real_server_sends_it_while_it_is_made(installation):
    installation.make_house("101")
    installation.start_web()
    browser = Browser(installation.web_port)
    browser.register(installation.manage("invite", "house", "101", "--moved-in", "2026-01-01").strip())
    start = to_microseconds(NOON)
    taken_at = f"{start} + i"
    if not installation.database.url.startswith("sqlite"):
        taken_at = f"timestamptz '1970-01-01 00:00:00+00' + ({start} + i) * interval '1 microsecond'"
    installation.execute(
        f"WITH RECURSIVE n(i) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {READINGS - 1})"
        " INSERT INTO metering_reading (meter_id, taken_at, voltage, current, power, note)"
        f" SELECT (SELECT min(id) FROM metering_meter), {taken_at}, 230, 2, (i * 7919 % 100003) * 0.37, '' FROM n"
    )
    # The system takes little ahead of what is read, so that the server has to wait.
    browser.room = 8192
    with browser.open("/account/data") as response:
        content = response.read(1000)
        # What it has not read from the database yet cannot be in it; no transaction of its own keeps these rows there.
        installation.execute("DELETE FROM metering_reading")
        content += response.read()
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    lines = archive.read("readings/house 101 2026-01-01.csv").count(b"\n")
    assert 1000 < lines < READINGS / 2


def test_a_household_of_the_future_has_a_file_without_rows(resident, apartment, meter):
    Tenancy.objects.filter(residents=resident).update(moved_in=dt.date(2999, 1, 1))
    take(meter, NOON)
    assert rows_of(files_of(resident)["readings/house 101 2999-01-01.csv"]) == []
