"""A building's apartments from a spreadsheet."""

import csv
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from simple_history.utils import bulk_create_with_history

from accounts.models import Apartment, Building
from metering.models import Meter


class Command(BaseCommand):
    """Adds the apartments that are missing; all of the file or, where a line is wrong, nothing of it."""

    help = "Read a CSV file with the columns number and floor into a building, which is made if missing."
    # Those of the pages would take half of the time that a start takes.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("building", help="the building's slug")
        parser.add_argument("file", type=Path, metavar="FILE.csv")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"Cannot read {options['file']}: {error}") from error
        reader = csv.DictReader(text.splitlines())
        if not {"number", "floor"} <= set(reader.fieldnames or ()):
            raise CommandError(f"{options['file']} needs a first line with the columns number and floor.")
        with transaction.atomic():
            building, made = self.building(options["building"])
            floors = dict(building.apartments.values_list("number", "floor"))
            added = [
                a for line, row in enumerate(reader, start=2) if (a := self.apartment(building, floors, row, line))
            ]
            Meter.objects.ensure_native(bulk_create_with_history(added, Apartment, batch_size=1000))
        self.stdout.write(
            f"{'New building' if made else 'Building'} {building.slug}: {len(added)} apartments added, "
            f"{building.apartments.count()} in all."
        )

    def building(self, slug: str) -> tuple[Building, bool]:
        found = Building.objects.filter(slug=slug).first()
        building = found or Building(slug=slug, name=slug)
        try:
            building.full_clean()
        except ValidationError as error:
            raise CommandError(f"{slug}: {' '.join(error.messages)}") from error
        building.save()
        return building, found is None

    def apartment(self, building: Building, floors: dict[str, str], row: dict[str, str], line: int) -> Apartment | None:
        """The new apartment of a line; None where it is there already, on the same floor. `floors` get to know it."""
        number, floor = (row["number"] or "").strip(), (row["floor"] or "").strip()
        if number in floors:
            if floors[number] != floor:
                raise CommandError(
                    f"Line {line}: apartment {number} is on floor {floors[number]}, not {floor or 'none'}."
                )
            return None
        apartment = Apartment(building=building, number=number, floor=floor)
        try:
            apartment.clean_fields(exclude=["building"])
        except ValidationError as error:
            raise CommandError(f"Line {line}: {' '.join(error.messages)} Nothing was imported.") from error
        floors[number] = floor
        return apartment
