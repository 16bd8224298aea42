"""Style sheets as an installation collects them."""

import gzip
import re

import pytest
from django.conf import settings

from config.assets import PLACES, THINNED, NodePackageFinder
from config.thin_css import thin, words_of

PLAIN = """p{margin:0}:root,[data-x=y]{--z:url("data:x,%3csvg class='q'/%3e")}"""
CLASS_OF_A_PAGE = re.compile(r'class="([^"{%]*)')


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".a{color:red}.b{color:blue}", ".a{color:red}"),
        (".a,.b{color:red}", ".a{color:red}"),
        (".a .b,.a>.c{color:red}", ""),
        (PLAIN, PLAIN),
        (".a:not(.b):hover{color:red}", ".a:not(.b):hover{color:red}"),
        ("@media (min-width:1px){.a{x:y}.b{x:y}}.b{x:y}", "@media (min-width:1px){.a{x:y}}"),
        ("@media print{.b{x:y}}", ""),
        ("@keyframes b{0%{x:y}to{x:z}}", "@keyframes b{0%{x:y}to{x:z}}"),
        ("/*! b */.a{x:y}/*# sourceMappingURL=b.map */", ".a{x:y}"),
        ('@charset "UTF-8";.a{x:y}', '@charset "UTF-8";.a{x:y}'),
    ],
)  # fmt: skip
def test_what_no_page_can_use_is_left_out(css, left):
    assert thin(css, {"a"}) == left


def test_bootstrap_without_what_no_page_uses():
    storage = NodePackageFinder.storage
    full = (settings.BASE_DIR / storage.path(THINNED)).read_text()
    with storage.open(THINNED) as file:
        collected = file.read().decode()
    assert len(gzip.compress(collected.encode())) < 12_000 < len(gzip.compress(full.encode()))
    assert collected.count("{") == collected.count("}")
    assert ".carousel" in full
    assert ".carousel" not in collected
    ours = {name for file in (settings.BASE_DIR / "templates").rglob("*.html")
            for names in CLASS_OF_A_PAGE.findall(file.read_text()) for name in names.split()}  # fmt: skip
    # What the templates put together, and what forms carry that crispy draws.
    ours |= {"alert-success", "alert-warning", "form-control", "is-invalid", "invalid-feedback", "form-text"}
    known = {name for name in ours if re.search(rf"\.{re.escape(name)}(?![\w-])", full)}
    assert len(known) > 30
    assert [name for name in sorted(known) if not re.search(rf"\.{re.escape(name)}(?![\w-])", collected)] == []
    # Elements and both themes are whole.
    for part in ("[data-bs-theme=dark]{", "body{", "table{", "input"):
        assert part in collected


def test_the_places_of_names_are_there():
    for folder, pattern in PLACES:
        assert words_of(folder.rglob(pattern)), (folder, pattern)
