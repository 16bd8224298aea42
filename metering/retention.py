"""Which readings may go, and letting them go without holding anybody up."""

import datetime as dt
from collections.abc import Iterator

from django.db import transaction

from metering.models import Meter, Reading

# One transaction's worth: a writer that waits for it waits some milliseconds.
CHUNK = 1000


def prune(before: dt.datetime) -> Iterator[int]:
    """Delete readings taken before that instant, but never saved ones nor the newest of a meter.

    Yields the number of each chunk deleted; safe to stop after any of them.
    """
    for meter in Meter.objects.all():
        newest = Reading.objects.filter(meter=meter).order_by("-taken_at").values_list("pk", flat=True).first() or 0
        old = Reading.objects.filter(meter=meter, taken_at__lt=before, saved_at__isnull=True).exclude(pk=newest)
        while True:
            with transaction.atomic():
                chunk = list(old.order_by("taken_at").values_list("pk", flat=True)[:CHUNK])
                deleted, _ = Reading.objects.filter(pk__in=chunk, saved_at__isnull=True).delete()
            if not deleted:
                break
            yield deleted
