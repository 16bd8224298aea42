"""Front-end files from npm packages, offered to Django as static files.

Lists just the files the pages use, so that nothing else of a package is published.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage, Storage

FILES = {
    "packages/bootstrap.min.css": "bootstrap/dist/css/bootstrap.min.css",
    "packages/bootstrap.min.css.map": "bootstrap/dist/css/bootstrap.min.css.map",
    "packages/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "packages/uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
}


class NodePackageStorage(FileSystemStorage):
    """node_modules under the names the pages use."""

    def path(self, name: str) -> str:
        return super().path(FILES[name])


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
