from metering.house.floors import from_the_top, level, natural


def test_floors_lie_where_their_names_say():
    assert from_the_top({"1", "10", "-1", "2", "EG", "-2", "DG"}) == ["DG", "10", "2", "1", "EG", "-1", "-2"]
    assert from_the_top({"1.OG", "2.OG", "ground", "UG", "UG2"}) == ["2.OG", "1.OG", "ground", "UG", "UG2"]
    assert from_the_top({"B1", "B2", "1st", "2nd", "GF", "0.5"}) == ["2nd", "1st", "0.5", "GF", "B1", "B2"]


def test_a_floor_whose_name_says_nothing_comes_last_in_natural_order():
    assert from_the_top({"wing-10", "wing-9", "-3", "1"}) == ["1", "-3", "wing-9", "wing-10"]
    assert level("shop") is None


def test_one_level_may_have_several_names():
    assert from_the_top({"0", "EG", "ground"}) == ["0", "EG", "ground"]


def test_numbers_count_as_numbers():
    assert sorted(["10", "9", "a2", "A10", "9b", "1" * 32], key=natural) == ["9", "9b", "10", "1" * 32, "a2", "A10"]
