"""Other pages against the studio, in a real browser that its user has opened it with."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chymist.studio.checks import CHECKS, known_host, same_origin, same_site
from chymist.studio.server import listen
from chymist.studio.site import Site
from tests import browser
from tests.test_studio_sockets import Counting, served

pytestmark = pytest.mark.skipif(bool(browser.refusal()), reason=browser.refusal() or "-")

# What a page may try with no rights at all; every answer that it can read is told.
EVIL = """
<!doctype html><title>evil</title><body><script>
const told = [], target = new URLSearchParams(location.search).get("at");
const note = (how, what) => told.push(`${how}: ${what}`);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const ways = {
  async plain() { note("plain", await (await fetch(target + "/api/runs", {credentials: "include"})).text()); },
  async nocors() { note("nocors", (await fetch(target + "/api/runs", {mode: "no-cors", credentials: "include"})).type); },
  async post() { await fetch(target + "/api/runs", {method: "POST", mode: "no-cors", credentials: "include", body: "{}"}); },
  async header() { note("header", await (await fetch(target + "/api/runs", {method: "POST", credentials: "include",
    headers: {"x-chymist-nonce": "guess", "content-type": "application/json"}, body: "{}"})).text()); },
  async put() { await fetch(target + "/api/runs", {method: "PUT", credentials: "include", body: "{}"}); },
  async beacon() { navigator.sendBeacon(target + "/api/runs", "{}"); },
  async image() { const it = new Image(); it.src = target + "/static/a.svg"; await it.decode(); note("image", it.width); },
  async script() { const it = document.createElement("script"); it.src = target + "/static/main.js"; document.body.append(it); await wait(300); },
  async style() { const it = document.createElement("link"); it.rel = "stylesheet"; it.href = target + "/static/style.css"; document.head.append(it); await wait(100); },
  async frame() { const it = document.createElement("iframe"); it.src = target + "/"; document.body.append(it); await wait(300);
    note("frame", it.contentDocument ? it.contentDocument.body.textContent : ""); },
  async form() { const it = document.createElement("form"); it.method = "post"; it.action = target + "/api/runs"; it.target = "sink";
    const sink = document.createElement("iframe"); sink.name = "sink"; document.body.append(sink, it); it.submit(); await wait(300); },
  async events() { const it = new EventSource(target + "/api/runs", {withCredentials: true}); it.onmessage = (e) => note("events", e.data); await wait(300); it.close(); },
  async socket() { const it = new WebSocket(target.replace("http", "ws") + "/api/runs"); it.onmessage = (e) => note("socket", e.data); await wait(300); it.close(); },
};
window.attack = async () => {
  for (const way of Object.values(ways)) { try { await way(); } catch (error) { /* refused */ } }
  await wait(300);
  return told;
};
</script>
"""


class Evil(http.server.BaseHTTPRequestHandler):
    """A page of somebody else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(EVIL.encode())

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture(scope="module")
def evil() -> Iterator[int]:
    """The port of a page that means harm, on this machine and so no stranger to its browser."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Browser]:
    """A browser that finds this machine under a name of somebody else."""
    rules = "MAP evil.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    found = browser.Browser(tmp_path_factory.mktemp("home"), rules=rules)
    yield found
    found.close()


ORIGINS = ("http://evil.test", "http://127.0.0.1", "http://localhost")
TARGETS = ("http://127.0.0.1", "http://evil.test", "http://localhost")
FEW = [(ORIGINS[0], TARGETS[0]), (ORIGINS[1], TARGETS[0])]
ALL = [(origin, target) for origin in ORIGINS for target in TARGETS]


def attacked(
    shown: browser.Browser, evil: int, ways: Any, checks: Any = CHECKS
) -> tuple[list[str], list[str]]:
    """What other pages could read, and what reached a handler, beside a user who is in."""
    with listen(0) as listening:
        site, recorder = Site((), listening.getsockname()[1]), Counting()
        running = served(recorder, site, listening, checks)
        next(running)
        try:
            with shown.visit(site.address) as (page, _):
                assert "secret" in page.content()  # the user is in
                page.wait_for_timeout(200)  # its icon has been asked for
                recorder.reached.clear()
                told = rounds(page.context, site.port, evil, ways)
                return told, recorder.reached
        finally:
            next(running, None)


def rounds(context: Any, at: int, evil: int, ways: Any) -> list[str]:
    """The attacks: from another site, from another port here, by a name that was bent."""
    told = []
    for origin, target in ways:
        other = context.new_page()
        other.goto(f"{origin}:{evil}/?at={target}:{at}")
        told += [line for line in other.evaluate("attack()") if "secret" in line]
        other.close()
    bent = context.new_page()
    answer = bent.goto(f"http://evil.test:{at}/")  # the page that a bent name leads to
    told += ["bent"] if "secret" in bent.content() else []
    assert answer.status in (200, 401, 403)
    bent.close()
    return told


def test_another_page_reads_and_changes_nothing(shown: browser.Browser, evil: int) -> None:
    assert attacked(shown, evil, FEW) == ([], [])


@pytest.mark.hard
def test_no_page_of_any_origin_reads_or_changes_anything(shown: browser.Browser, evil: int) -> None:
    assert attacked(shown, evil, ALL) == ([], [])


@pytest.mark.hard
def test_without_the_checks_the_attacks_arrive(shown: browser.Browser, evil: int) -> None:
    told, reached = attacked(shown, evil, ALL, [])
    assert "bent" in told
    assert "POST /api/runs" in reached
    # Another port of this machine is the same site: its cookies are sent along.
    without = [check for check in CHECKS if check not in (known_host, same_origin, same_site)]
    _, reached = attacked(shown, evil, ALL, without)
    assert "GET /api/runs" in reached
