"""Day totals -> the totals of local months. Whoever changes days calls this in the same transaction."""

import datetime as dt
from collections.abc import Collection

from django.db import connection

from metering.models import Meter, MonthTotal
from metering.periods import By, next_begin

_SUM = """
INSERT INTO metering_monthtotal (meter_id, month, band_id, energy, exported, bridged, covered)
SELECT meter_id, {month}, band_id, SUM(energy), SUM(exported), SUM(bridged), SUM(covered) FROM metering_daytotal
WHERE meter_id IN ({meters}) AND date >= %s AND date < %s GROUP BY meter_id, band_id
"""
_MONTH = {"sqlite": "%s", "postgresql": "CAST(%s AS date)"}


def hold(meters: Collection[int]) -> None:
    """Have others wait who are about to change days of these meters, until this transaction ends.

    Two who sum different days of a month at once would each leave out what the other one adds.
    """
    list(Meter.objects.filter(pk__in=meters).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def sum_month(meters: Collection[int], date: dt.date) -> None:
    """Write the totals of these meters of the month in which that day lies."""
    month = date.replace(day=1)
    MonthTotal.objects.filter(meter__in=meters, month=month).delete()
    statement = _SUM.format(month=_MONTH[connection.vendor], meters=", ".join(["%s"] * len(meters)))
    with connection.cursor() as cursor:
        cursor.execute(statement, [month, *meters, month, next_begin(month, By.MONTH)])
