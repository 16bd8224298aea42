"""What `make screenshots` tells of the pages that it renders, in real Chromium."""

from scripts.screenshots import Look, _visit

SITE = "http://127.0.0.1:1"
PAGE = """<!doctype html><link rel="icon" href="data:,"><script>window.ran = true</script>
<script src="/script.js"></script><img src="/nosuch.png">"""
POLICY = {"Content-Security-Policy": "script-src 'self'"}


def test_it_tells_what_goes_wrong_on_a_page_but_not_that_the_page_is_a_problem(browser, capsys):
    with _visit(browser, SITE, "", Look("en", 390, "light")) as page:
        page.route("**/script.js", lambda route: route.fulfill(body="throw new Error('boom')"))
        page.route("**/nosuch.png", lambda route: route.fulfill(status=404))
        page.route(f"{SITE}/", lambda route: route.fulfill(status=503, body=PAGE, headers=POLICY))
        page.goto(f"{SITE}/")
    told = capsys.readouterr().out
    assert "Executing inline script violates the following Content Security Policy directive" in told
    assert "Error: boom" in told
    assert "404" in told
    assert "503" not in told
