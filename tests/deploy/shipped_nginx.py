"""nginx as deploy/nginx.conf sets it up."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.broker import answers, find, free_port
from tests.installation import PROJECT
from tests.waiting import wait_for

SITE = PROJECT / "deploy/nginx.conf"
# What Debian's own nginx.conf says, as far as it matters, and folders of our own.
AROUND = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/start.log;
events {{ worker_connections 768; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; gzip on;
    include {folder}/site.conf;
}}
"""


class ShippedNginx:
    """On loopback and a free port, before a web server on another one; only names, ports and paths differ."""

    def __init__(self, folder: Path, web_port: int, certificate: Path) -> None:
        self.port = free_port()
        self._folder = folder
        text = SITE.read_text()
        for old, new in (
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{web_port};"),
            ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
            ("listen [::]:80;", ""),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.port} ssl http2;"),
            ("listen [::]:443 ssl http2;", ""),
            ("/etc/letsencrypt/live/riser.example.org/fullchain.pem", str(certificate)),
            ("/etc/letsencrypt/live/riser.example.org/privkey.pem", str(certificate.with_suffix(".key"))),
            ("/var/log/nginx/riser.log", f"{folder}/riser.log"),
            ("/var/log/nginx/riser-error.log", f"{folder}/error.log"),
        ):
            assert text.count(old) == 1, f"not once in deploy/nginx.conf: {old!r}"
            text = text.replace(old, new)
        (folder / "site.conf").write_text(text)
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder))

    def __enter__(self) -> Self:
        command = [find("nginx", "nginx"), "-c", str(self._folder / "nginx.conf")]
        with (self._folder / "start.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self._answers, f"nginx answers on port {self.port}")
        return self

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "start.log").read_text()
        return answers(self.port)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._process.terminate()
        self._process.wait(10)
