"""QR codes as a path of SVG: sharp on paper, and no inline style that a strict policy would forbid."""

from dataclasses import dataclass

from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode


@dataclass(frozen=True)
class QrPath:
    """`d` of the path that paints the dark modules in a square of `size` units, margin included."""

    size: int
    d: str


def draw(text: str) -> QrPath:
    """The code of the text, each module one unit, with the margin of four that readers need."""
    code = QRCode(error_correction=ERROR_CORRECT_M, border=4)
    code.add_data(text)
    rows = code.get_matrix()
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module)
    return QrPath(len(rows), "".join(dark))
