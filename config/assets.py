"""Front-end files from npm packages, offered to Django as static files.

Lists just the files the pages use, so that nothing else of a package is published. Where they are collected, for an
installation, Bootstrap's style sheet loses the parts that no page uses: nine tenths of it.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage
from django.utils import timezone

from config.thin_css import thin, words_of

FILES = {
    "packages/bootstrap.min.css": "bootstrap/dist/css/bootstrap.min.css",
    "packages/bootstrap.min.css.map": "bootstrap/dist/css/bootstrap.min.css.map",
    "packages/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "packages/uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
}


THINNED = "packages/bootstrap.min.css"
CRISPY = Path(find_spec("crispy_bootstrap5").submodule_search_locations[0])  # type: ignore[union-attr,index]
# Names that templates put together.
COMPOSED = {f"alert-{level}" for level in ("info", "success", "warning", "danger")}
# Where the other names of classes stand.
PLACES = (
    (settings.BASE_DIR / "templates", "*.html"),
    (settings.BASE_DIR / "static/js", "*.js"),
    (settings.BASE_DIR / "accounts", "*.py"),
    (settings.BASE_DIR / "metering", "*.py"),
    (CRISPY, "*.html"),
    (CRISPY, "*.py"),
)


class NodePackageStorage(FileSystemStorage):
    """node_modules under the names the pages use."""

    def path(self, name: str) -> str:
        return super().path(FILES[name])

    def open(self, name: str, mode: str = "rb") -> "File[Any]":
        """The file; of Bootstrap's style sheet what the pages use."""
        if name != THINNED:
            return super().open(name, mode)
        used = words_of(file for folder, pattern in PLACES for file in folder.rglob(pattern))
        return ContentFile(thin(Path(self.path(name)).read_text(), used | COMPOSED).encode(), name)

    def get_modified_time(self, name: str) -> dt.datetime:
        """When the file changed: what is thinned changes with the pages, so it is always new."""
        return timezone.now() if name == THINNED else super().get_modified_time(name)


class NodePackageFinder(BaseFinder):
    """Finds the files of FILES in node_modules."""

    storage = NodePackageStorage(location=settings.BASE_DIR / "node_modules")

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        missing = [source for name, source in FILES.items() if not self.storage.exists(name)]
        if not missing:
            return []
        return [Error(f"Front-end files are missing: {', '.join(missing)}", hint="Run `make setup`.", id="config.E001")]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = [self.storage.path(path)] if path in FILES and self.storage.exists(path) else []
        return found if find_all else next(iter(found), None)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        for name in FILES:
            if self.storage.exists(name):
                yield name, self.storage
