"""An invitation for a household that moves in."""

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Apartment, Building, Invitation, open_tenancy


class Command(BaseCommand):
    """Opens a tenancy, ends the one before it, and prints the link, alone, on standard output."""

    help = "Print an invitation link for the household that lives in an apartment from a date on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("building", help="the building's slug")
        parser.add_argument("apartment", help="the apartment's number")
        parser.add_argument(
            "--moved-in", type=dt.date.fromisoformat, metavar="DATE", help="local date, YYYY-MM-DD; default today"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        building = Building.objects.filter(slug=options["building"]).first()
        if building is None:
            raise CommandError(f"There is no building {options['building']}.")
        apartment = Apartment.objects.filter(building=building, number=options["apartment"]).first()
        if apartment is None:
            raise CommandError(f"There is no apartment {options['apartment']} in building {building.slug}.")
        try:
            tenancy = open_tenancy(apartment, options["moved_in"] or building.today())
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(Invitation(tenancy=tenancy).issue())
