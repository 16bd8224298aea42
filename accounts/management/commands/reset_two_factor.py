"""For whoever lost phone and recovery codes and has no superuser to ask."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.two_factor import take_off


class Command(BaseCommand):
    """Takes two-factor off one account and ends its sessions."""

    help = "Take two-factor off an account whose owner lost phone and recovery codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the account's email address")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            raise CommandError(f"There is no account {options['email']}.")
        if not take_off(user):
            raise CommandError(f"{user} has no two-factor.")
        self.stdout.write(f"{user} logs in with the password alone now.")
