"""The building one meets when trying Riser out."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import DEFAULT_BUILDING, Building
from metering.demo import building as demo
from metering.demo import energy


class Command(BaseCommand):
    """Loads what is missing of the demo; a second run changes nothing."""

    help = (
        "Load a demo building with twenty apartments, some residents and seven days of readings and a year of energy."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("This is not a demo: DEBUG is off. Nothing was loaded.")
        if Building.objects.filter(slug=DEFAULT_BUILDING, is_demo=False).exists():
            raise CommandError(f"There is a real building called {DEFAULT_BUILDING}. Nothing was loaded.")
        building = demo.make_building()
        demo.make_people(building)
        for stored in demo.make_past(building):
            self.stdout.write(f"demo readings: {stored:,}")
        demo.save_some(building)
        energy.make_tariff(building)
        quarters = sum(energy.make_energy(building, next(iter(demo.RESIDENTS)), timezone.now() - demo.PAST))
        if quarters:
            self.stdout.write(f"demo energy: {quarters:,} quarter hours of the time before")
        self.stdout.write(f"demo building {building.slug}: {building.apartments.count()} apartments")
