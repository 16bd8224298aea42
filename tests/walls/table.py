"""Who gets what at every path outside Django's admin. A new path is one line here.

Each line says what a GET gives to those who are not logged in (anonymous, disabled), to those who
wait (pending, future), to those who live here (resident, next, neighbour), to who moved out
(former), to managers and the superuser. `shows` are the pages in which one's
own readings must appear; nobody else's appear anywhere.
"""

from dataclasses import dataclass

LOGIN = "to the login"
GROUPS = {
    "anonymous": "out", "disabled": "out", "pending": "waiting", "future": "waiting", "resident": "living",
    "next": "living", "neighbour": "living", "former": "past", "manager": "managing", "other_manager": "managing",
    "superuser": "managing",
}  # fmt: skip

Answer = int | str


@dataclass(frozen=True)
class Row:
    """What each kind of visitor gets at one path."""

    path: str
    out: Answer
    waiting: Answer
    living: Answer
    past: Answer
    managing: Answer
    shows: bool = False

    def expected(self, role: str) -> Answer:
        answer: Answer = getattr(self, GROUPS[role])
        return answer


def in_admin(path: str, managing: Answer) -> Row:
    """A page of Django's admin: everybody else is sent to its log-in page."""
    return Row(path, *["/admin/login/"] * 4, managing)


RESET = "^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)$"

# fmt: off
GET = {
    # pattern               path                       out    wait  live  past  manage
    "":                  Row("/",                      LOGIN, 200,  200,  200,  "/admin/", shows=True),
    "history":           Row("/history",               LOGIN, 404,  200,  200,  404, shows=True),
    "export":            Row("/export?what=readings&format=csv", LOGIN, 404, 200, 200, 404),
    "live":              Row("/live",                  401,   404,  200,  204,  404),
    "api/power-data":    Row("/api/power-data",        401,   404,  200,  200,  404, shows=True),
    "api/save-reading":  Row("/api/save-reading",      405,   405,  405,  405,  405),
    "api/saved-readings/<number>": Row("/api/saved-readings/1", 405, 405, 405, 405, 405),
    "api/recent":        Row("/api/recent",            401,   404,  200,  200,  404),
    "api/curve":         Row("/api/curve",             401,   404,  200,  200,  404),
    "api/voltage":       Row("/api/voltage",           401,   404,  200,  200,  404),
    "api/energy":        Row("/api/energy?since=2025-01-01&until=2026-12-31", 401, 404, 200, 200, 404),
    "api/openapi.json":  Row("/api/openapi.json",      LOGIN, 200,  200,  200,  200),
    "api/docs":          Row("/api/docs",              LOGIN, 200,  200,  200,  200),
    "api/":              Row("/api/",                  404,   404,  404,  404,  404),
    "healthz":           Row("/healthz",               200,   200,  200,  200,  200),
    "readyz":            Row("/readyz",                200,   200,  200,  200,  200),
    "metrics":           Row("/metrics",               200,   200,  200,  200,  200),
    "login":             Row("/login",                 200,   "/",  "/",  "/",  "/"),
    "register":          Row("/register",              200,   "/",  "/",  "/",  "/"),
    "logout":            Row("/logout",                "/login", 200, 200, 200, 200),
    "invitation":        Row("/invitation",            LOGIN, "/",  "/",  "/",  "/"),
    "account":           Row("/account",               LOGIN, 200,  200,  200,  200),
    "login/code":        Row("/login/code",            "/login", "/", "/", "/", "/"),
    "register/sent":     Row("/register/sent",         200,   200,  200,  200,  200),
    "register/confirm/<str:key>": Row("/register/confirm/nonsense", 410, 410, 410, 410, 410),
    "language":          Row("/language",              "/", "/", "/", "/", "/"),
    "account/language":  Row("/account/language",      405,   405,  405,  405,  405),
    "account/log-out-everywhere": Row("/account/log-out-everywhere", 405, 405, 405, 405, 405),
    "account/confirm":   Row("/account/confirm",       LOGIN, 200,  200,  200,  200),
    "account/confirm/code": Row("/account/confirm/code", *["/account/confirm"] * 5),
    "account/two-factor": Row("/account/two-factor",   *["/account"] * 5),
    "account/two-factor/set-up": Row("/account/two-factor/set-up", LOGIN, *["/account/confirm"] * 4),
    "account/two-factor/take-off": Row("/account/two-factor/take-off", LOGIN, 404, 404, 404, 404),
    "account/two-factor/codes": Row("/account/two-factor/codes", LOGIN, 404, 404, 404, 404),
    "account/two-factor/codes/file": Row("/account/two-factor/codes/file", LOGIN, 404, 404, 404, 404),
    "account/two-factor/codes/new": Row("/account/two-factor/codes/new", LOGIN, *["/account/confirm"] * 4),
    "account/access":    Row("/account/access",        LOGIN, 200,  200,  200,  200),
    "account/data":      Row("/account/data",          LOGIN, 200,  200,  200,  200),
    "account/delete":    Row("/account/delete",        LOGIN, 200,  200,  200,  200),
    "password":          Row("/password",              LOGIN, 200,  200,  200,  200),
    "password/reset":    Row("/password/reset",        200,   200,  200,  200,  200),
    "password/reset/sent": Row("/password/reset/sent", 200,   200,  200,  200,  200),
    RESET:               Row("/password/reset/1-set-x", 200,  200,  200,  200,  200),
    "password/reset/done": Row("/password/reset/done", 200,   200,  200,  200,  200),
    "inactive":          Row("/inactive",              200,   200,  200,  200,  200),
    "theme":             Row("/theme",                 405,   405,  405,  405,  405),
    "manifest.webmanifest": Row("/manifest.webmanifest", 200, 200,  200,  200,  200),
    "service-worker.js": Row("/service-worker.js",     200,   200,  200,  200,  200),
    "offline":           Row("/offline",               200,   200,  200,  200,  200),
    # Django's admin apart from its models: these have a table of their own.
    "admin/":            in_admin("/admin/", 200),
    "admin/login/":      Row("/admin/login/",          LOGIN, 403,  403,  403,  "/admin/"),
    "admin/logout/":     Row("/admin/logout/",         "/admin/", "/admin/", "/admin/", "/admin/", 405),
    "admin/password_change/": in_admin("/admin/password_change/", "/password"),
    "admin/password_change/done/": in_admin("/admin/password_change/done/", 200),
    "admin/autocomplete/": in_admin("/admin/autocomplete/", 403),
    "admin/jsi18n/":     in_admin("/admin/jsi18n/", 200),
    "admin/r/<path:content_type_id>/<path:object_id>/": in_admin("/admin/r/1/1/", 404),
    "admin/^(?P<app_label>accounts|metering)/$": in_admin("/admin/accounts/", 200),
    "admin/(?P<url>.*)$": in_admin("/admin/nothing/here/", 404),
}

# What a POST without any content gives; every other path answers 405, or leads to the log-in first.
POST = {
    "api/save-reading":  Row("/api/save-reading",      401,   404,  201,  201,  404),
    "api/energy":        Row("/api/energy",            405,   405,  405,  405,  405),
    "api/openapi.json":  Row("/api/openapi.json",      LOGIN, 200,  200,  200,  200),
    "api/docs":          Row("/api/docs",              LOGIN, 200,  200,  200,  200),
    "login":             Row("/login",                 200,   "/",  "/",  "/",  "/"),
    "register":          Row("/register",              200,   "/",  "/",  "/",  "/"),
    "logout":            Row("/logout",                "/login", "/login", "/login", "/login", "/login"),
    "invitation":        Row("/invitation",            LOGIN, 410,  410,  410,  410),
    "login/code":        Row("/login/code",            *["/login/code"] * 5),
    "register/confirm/<str:key>": Row("/register/confirm/nonsense", 410, 410, 410, 410, 410),
    "language":          Row("/language",              "/", "/", "/", "/", "/"),
    "account/language":  Row("/account/language",      LOGIN, *["/account"] * 4),
    "account/log-out-everywhere": Row("/account/log-out-everywhere", LOGIN, *["/account"] * 4),
    "account/confirm":   Row("/account/confirm",       LOGIN, 200,  200,  200,  200),
    "account/confirm/code": Row("/account/confirm/code", *["/account/confirm"] * 5),
    "account/two-factor": Row("/account/two-factor",   *["/account"] * 5),
    "account/two-factor/set-up": Row("/account/two-factor/set-up", LOGIN, *["/account/confirm"] * 4),
    "account/two-factor/take-off": Row("/account/two-factor/take-off", LOGIN, 404, 404, 404, 404),
    "account/two-factor/codes/new": Row("/account/two-factor/codes/new", LOGIN, *["/account/confirm"] * 4),
    "account/delete":    Row("/account/delete",        LOGIN, 200,  200,  200,  200),
    "password":          Row("/password",              LOGIN, 200,  200,  200,  200),
    "password/reset":    Row("/password/reset",        200,   200,  200,  200,  200),
    RESET:               Row("/password/reset/1-set-x", 200,  200,  200,  200,  200),
    "theme":             Row("/theme",                 "/",   "/",  "/",  "/",  "/"),
}
# fmt: on
