"""Figures as people read them: which way they are rounded, and where a sign stands."""

from decimal import Decimal

import pytest

from metering import figures


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (25056 / 86400, "29 %"), (0.57, "57 %"), (0.58, "58 %"), (0.28999, "28 %"), (0, "0 %"), (1.0, "100 %"),
        (86399 / 86400, "99 %"), ((10 * 366 * 86400 - 1) / (10 * 366 * 86400), "99 %"), (None, "–"),
    ],
)  # fmt: skip
def test_a_share_is_rounded_down_only_where_it_is_below(share, said):
    assert figures.per_cent(share) == said


def test_every_whole_per_cent_of_a_day_is_itself():
    assert [figures.per_cent(864 * each / 86400) for each in range(101)] == [f"{each} %" for each in range(101)]


@pytest.mark.parametrize(
    ("energy", "beside", "said"),
    [
        (4000, 0, "0.00"), (-4000, 0, "0.00"), (0, 0, "0.00"), (5001, 0, "+0.01"), (-5001, 0, "−0.01"),
        (3_200_000, 3_200_000, "+3.20"), (-3_200_000, 24_000_000, "−3.2"), (40_000, 24_000_000, "0.0"),
    ],
)  # fmt: skip
def test_a_difference_in_energy_has_a_sign_where_one_is_seen(energy, beside, said):
    assert figures.more_energy(energy, beside) == said


def test_a_difference_in_money_has_a_sign_where_one_is_seen():
    said = [figures.more_money(Decimal(value), "EUR") for value in ("0.004", "-0.004", "0.005", "-1.2")]
    assert said == ["€0.00", "€0.00", "+€0.01", "−€1.20"]
