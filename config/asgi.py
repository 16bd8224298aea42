"""The application that uvicorn serves: `uvicorn config.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_asgi_application()

# Needs Django set up.
from metering.live.line import LiveLines  # noqa: E402

application = LiveLines(django_application)
