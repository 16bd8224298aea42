"""What every page's frame needs to know."""

from typing import Any

from django.http import HttpRequest

from accounts.access import find_residence
from accounts.models import Building


def building(request: HttpRequest) -> dict[str, Any]:
    """`residence` for the header, and `demo` where any building is a demo one."""
    return {
        "residence": find_residence(request) if hasattr(request, "user") else None,
        "demo": Building.objects.filter(is_demo=True).exists(),
    }
