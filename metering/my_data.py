"""Everything that is kept about one person: one zip, made while it is sent, so that memory holds little of it."""

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_DEFLATED

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from zipstream import ZipStream

from accounts.access import Residence
from accounts.deletion import sessions_of
from accounts.models import AccessRecord, Invitation, JoinRequest, Tenancy, User
from accounts.text import inert
from accounts.two_factor import has_two_factor
from metering.export.tables import readings_of
from metering.models import meters_of
from metering.my_energy import days, quarter_hours
from metering.periods import Period

PIECE_BYTES = 64 * 1024

FIELDS = (
    "taken_at", "voltage", "current", "power", "power_factor", "energy_total", "received_at", "saved_at",
    "saved_by_id", "note",
)  # fmt: skip
COLUMNS = (
    "taken at", "meter", "voltage (V)", "current (A)", "power (W)", "power factor", "energy register (kWh)",
    "received at", "saved at", "saved by me", "note",
)  # fmt: skip

README = _("""\
Your data in Riser, as of {made_at}

account.json         who you are here: email, language, dates, two-factor, what you may do, where you are logged in
tenancies.json       where you live or lived, from when until when (moved_out: the first day no longer there)
join_requests.json   apartments you asked to join, and what was decided
invitations.json     invitations you used
access_records.json  who looked at your readings, and when
saved_readings.json  readings that you or somebody of your household saved, with their notes
readings/            one file for each time in an apartment: "BUILDING APARTMENT MOVED-IN.csv"
quarter_hours/       energy by the quarter hour, as far as readings were known; files named in the same way
days/                energy by the local day: what bills are made of

Days are those of the building. Times are ISO 8601: in readings with the building's offset from UTC, elsewhere in UTC.

The columns of readings/*.csv (UTF-8, with commas, a point before decimals):
  taken at               when it was measured
  meter                  the meter's serial number, or its number in Riser
  voltage (V)            volts
  current (A)            amperes; below zero: your apartment gave electricity away
  power (W)              watts; below zero: your apartment gave electricity away
  power factor           from -1 to 1; empty where the meter does not say
  energy register (kWh)  what the meter's own counter showed, in kilowatt hours; empty where the meter does not say
  received at            when Riser got it
  saved at               when you or somebody of your household saved it; else empty
  saved by me            yes or no; empty where it was not saved
  note                   what was written when it was saved

The columns of quarter_hours/*.csv and days/*.csv (as above):
  from, day              when the quarter hour begins; the local day
  energy (Wh)            watt hours taken from the grid: by the meter's counter, else by its power
  exported (Wh)          watt hours given away
  bridged (Wh)           of the energy: what the meter's counter went on by while no readings came
  covered (s)            for how many seconds readings were close enough to know the power
  readings               how many there were; power and voltage are theirs

A spreadsheet may take a text such as =1+1 for a formula. So an apostrophe (') stands before each meter and note that
begins with one of = + - @ ' or a tab or line break, and within them before such a character that follows a
semicolon, a quotation mark, a tab or a line break. Take these apostrophes away to have the text as it was written.
Numbers are as they are, and so are the .json files.
""")


def my_data(user: User, language: str = settings.LANGUAGE_CODE) -> Iterator[bytes]:
    """The zip, in pieces of some 64 KiB, explained in that language.

    Needs the database; holds no transaction open between two pieces.
    """
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    asked_at = timezone.now()
    with translation.override(language):
        archive.add(str(README).format(made_at=_utc(asked_at)), "README.txt")
    for name, content in _documents(user):
        archive.add(_json(content), name)
    residences = [Residence.of(tenancy) for tenancy in Tenancy.objects.of(user)]
    archive.add(_saved_readings(user, residences, asked_at), "saved_readings.json")
    for residence in residences:
        # A blank stands in no slug and in no number: two homes never have one name.
        name = f"{residence.building.slug} {residence.apartment.number} {residence.tenancy.moved_in}"
        archive.add(_csv(user, residence, asked_at), f"readings/{name}.csv")
        archive.add(quarter_hours(residence, asked_at), f"quarter_hours/{name}.csv")
        archive.add(days(residence, asked_at), f"days/{name}.csv")
    yield from _pieces(archive)


def _pieces(parts: ZipStream) -> Iterator[bytes]:
    piece = bytearray()
    for part in parts:
        piece += part
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _documents(user: User) -> Iterator[tuple[str, Any]]:
    yield "account.json", _account(user)
    yield (
        "tenancies.json",
        [
            {
                "building": tenancy.apartment.building.name,
                "apartment": tenancy.apartment.number,
                "floor": tenancy.apartment.floor,
                "moved_in": tenancy.moved_in.isoformat(),
                "moved_out": tenancy.moved_out.isoformat() if tenancy.moved_out else None,
            }
            for tenancy in Tenancy.objects.of(user)
        ],
    )
    yield (
        "join_requests.json",
        [
            {
                "apartment": str(row.apartment),
                "asked_at": _utc(row.created_at),
                "state": row.state,
                "decided_at": _utc(row.decided_at),
            }
            for row in JoinRequest.objects.filter(user=user).select_related("apartment__building")
        ],
    )
    yield (
        "invitations.json",
        [
            {
                "apartment": str(row.tenancy.apartment),
                "made_at": _utc(row.created_at),
                "expires_at": _utc(row.expires_at),
                "used_at": _utc(row.used_at),
            }
            for row in Invitation.objects.filter(used_by=user).select_related("tenancy__apartment__building")
        ],
    )
    yield "access_records.json", _access_records(user)


def _access_records(user: User) -> list[dict[str, Any]]:
    records: Any = AccessRecord.objects.visible_to(user)
    # Files are the same in every language.
    with translation.override(None):
        return [_access_record(record) for record in records]


def _access_record(record: Any) -> dict[str, Any]:
    return {
        "apartment": str(record.tenancy.apartment),
        "who": record.viewer.email if record.viewer else None,
        "role": record.role,
        "what": record.get_what_display(),
        "first_at": _utc(record.first_at),
        "last_at": _utc(record.known_until),
    }


def _account(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        # None: as the browser asks for.
        "language": user.language or None,
        "registered_at": _utc(user.date_joined),
        "last_login_at": _utc(user.last_login),
        "two_factor": has_two_factor(user),
        "superuser": user.is_superuser,
        "manages_buildings": [building.name for building in user.managed_buildings.all()],
        "email_addresses": [
            {"email": row.email, "verified": row.verified, "primary": row.primary}
            for row in EmailAddress.objects.filter(user=user)
        ],
        "sessions": [{"ends_at": _utc(session.expire_date)} for session in sessions_of(user)],
    }


def _saved_readings(user: User, residences: list[Residence], until: dt.datetime) -> Iterator[bytes]:
    comma = ""
    yield b"["
    for residence in residences:
        for _meter, batch in _batches(residence, until, saved=True):
            for reading in batch:
                content = {
                    "apartment": str(residence.apartment),
                    "taken_at": _local(reading.taken_at, residence),
                    "saved_at": _local(reading.saved_at, residence),
                    "saved_by_me": reading.saved_by_id == user.pk,
                    "note": reading.note,
                }
                yield f"{comma}\n{json.dumps(content, ensure_ascii=False)}".encode()
                comma = ","
    yield b"\n]\n"


def _csv(user: User, residence: Residence, until: dt.datetime) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for meter, batch in _batches(residence, until):
        writer.writerows(_row(user, residence, meter, reading) for reading in batch)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _row(user: User, residence: Residence, meter: str, reading: Any) -> tuple[Any, ...]:
    taken_at = _local(reading.taken_at, residence)
    return (
        taken_at,
        meter,
        reading.voltage,
        reading.current,
        reading.power,
        reading.power_factor,
        reading.energy_total,
        _local(reading.received_at, residence) if reading.received_at else taken_at,
        _local(reading.saved_at, residence),
        ("yes" if reading.saved_by_id == user.pk else "no") if reading.saved_at else "",
        inert(reading.note),
    )


def _batches(residence: Residence, until: dt.datetime, *, saved: bool = False) -> Iterator[tuple[str, list[Any]]]:
    """FIELDS of the readings, with the meter's name: one meter after the other, in the order of time.

    Up to when the download was asked for: a slow one must not go on into the next household's time.
    """
    period = Period(residence.since, until)
    for meter in meters_of(residence):
        for batch in readings_of(residence, meter, period, FIELDS, saved=saved, named=True):
            yield inert(meter.name), batch


def _local(instant: dt.datetime | None, residence: Residence) -> str | None:
    return instant.astimezone(residence.building.zone).isoformat(timespec="microseconds") if instant else None


def _utc(instant: dt.datetime | None) -> str | None:
    return instant.astimezone(dt.UTC).isoformat(timespec="seconds") if instant else None


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
