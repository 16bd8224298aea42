"""Dates and times as in German, 24 hours, with seconds; the months are short, so that lists stay narrow."""

DATE_FORMAT = "j. N Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "j. N Y, H:i:s"
SHORT_DATE_FORMAT = "d.m.Y"
SHORT_DATETIME_FORMAT = "d.m.Y H:i"
