"""What the pages need besides the database."""

from collections.abc import Iterator
from pathlib import Path
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import get_connection

from metering.doctor.finding import Finding


def check_static_files() -> Iterator[Finding]:
    """Whether the pages' style sheets and scripts were collected."""
    if settings.DEBUG:
        yield Finding("static files", "served from the source")
    elif (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        yield Finding("static files", str(settings.STATIC_ROOT))
    else:
        yield Finding("static files", f"none in {settings.STATIC_ROOT}", "Run manage.py collectstatic.")


def check_mail() -> Iterator[Finding]:
    """Whether password resets could be sent."""
    backend = settings.EMAIL_BACKEND.rpartition(".backends.")[2].partition(".")[0]
    place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if backend == "smtp" else backend
    try:
        with get_connection():
            yield Finding("mail", f"{place} answers")
    except (OSError, SMTPException) as error:
        yield Finding("mail", f"{place}: {error}", "Correct EMAIL_URL: without mail nobody can reset a password.")
