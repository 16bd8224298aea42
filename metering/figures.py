"""Figures as people read them."""


def figure(value: float | None) -> str:
    """At least one and at most two decimals, such as 220.5 and 507.15; a dash where there is no value."""
    return "–" if value is None else f"{value:.2f}".removesuffix("0")
