"""Files that are made while they are sent."""

from metering.views.streaming import stream
from tests.streams import whole


def test_an_empty_piece_does_not_end_a_file():
    assert whole(stream(iter([b"first ", b"", b"last"]), "text/plain", "file.txt")) == b"first last"
