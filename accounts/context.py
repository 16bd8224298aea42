"""What every page's frame needs to know."""

from typing import Any

from django.http import HttpRequest

from accounts.access import find_residence
from accounts.models import Building


def building(request: HttpRequest) -> dict[str, Any]:
    """`residence` for the header, and `demo` where the building is a demo one: for who lives in none, where any is."""
    residence = find_residence(request) if hasattr(request, "user") else None
    demo = residence.building.is_demo if residence else Building.objects.filter(is_demo=True).exists()
    return {"residence": residence, "demo": demo}
