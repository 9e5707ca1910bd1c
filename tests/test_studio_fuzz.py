"""Every route of the studio asked for nonsense: never an error that nobody foresaw."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

import chymist as cy
from chymist.errors import InputError
from chymist.studio.app import unguarded
from chymist.studio.guard import Guard
from chymist.studio.site import Site
from tests.studio_requests import PORT, asked_of, assert_sealed, good

SITE = Site((), PORT)
ROUTES = [route for route in unguarded(SITE).routes if isinstance(route, Route)]

TEXTS = st.one_of(
    st.sampled_from([
        "", "0", "-1", "1", "5", "1e308", "1e999", "NaN", "inf", "-0", "9" * 30, "1_000", "٣", "0x1",
        "true", "null", "iris-0001", "../iris-0001", "en", "zh", "xx", "train", "valid", "test",
        "loss", "val_loss", "train_loss", "accuracy", "step", "a,b,,c", "[]", "{}", "<script>", "'",
        "\x00", "\ud83d\ude00", "a" * 500, "%00", ":", "1:2", "lr>0", "(((", "=1+1", "\n",
    ]),
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
)  # fmt: skip
NAMES = st.sampled_from([
    "from", "to", "px", "key", "keys", "run", "runs", "lang", "epoch", "step", "layer", "unit", "row",
    "rows", "split", "cell", "truth", "told", "page", "size", "sort", "filter", "q", "after", "since",
    "id", "n", "x", "y", "seed", "name", "method", "limit", "offset", "cursor", "log", "what", "code",
])  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.one_of(
    st.binary(max_size=40),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"1e999999", b'"\\ud800"', b"{}",
                     b'{"do": "stop"}', b'{"do": "start"}', b'{"do": 1}', b"9" * 10_000]),
)  # fmt: skip


class Nobody:
    """In the place of worker processes: what reaches it was found to be in order."""

    async def ask(self, task: str, options: Mapping[str, Any], *more: Any, **others: Any) -> Any:
        json.dumps(dict(options))  # has to travel
        raise InputError("nobody computes here")

    async def listen(self, task: str, options: Mapping[str, Any], *more: Any) -> AsyncIterator[Any]:
        json.dumps(dict(options))
        raise InputError("nobody computes here")
        yield

    async def tell(self, *words: Any) -> None:
        raise InputError("nobody listens here")

    def warm(self) -> None:
        """Nothing has to start."""

    async def close(self) -> None:
        pass

    def enter(self, *words: Any) -> Any:
        raise InputError("nobody plays here")

    of = start = cancel = enter


class Asking:
    """The application over a folder with a run, without a socket."""

    def __init__(self, folder: Path) -> None:
        self.site = Site((folder,), PORT)
        self.app = unguarded(self.site)
        self.loop = asyncio.new_event_loop()
        self.life = self.app.router.lifespan_context(self.app)
        self.loop.run_until_complete(self.life.__aenter__())
        self.app.state.workshops = dict.fromkeys(self.app.state.workshops, Nobody())
        self.app.state.plays = self.app.state.jobs = Nobody()

    def ask(self, method: str, path: str, query: str, body: bytes) -> Any:
        request = replace(
            good(self.site, method, path), query=query, body=body, raw=quote(path).encode()
        )
        asking = asyncio.wait_for(asked_of(Guard(self.app, self.site), request, most=200_000), 10)
        return self.loop.run_until_complete(asking)

    def close(self) -> None:
        self.loop.run_until_complete(self.life.__aexit__(None, None, None))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("runs")
    recipe = cy.Recipe(model="softmax", length="2 epochs")
    cy.fit(recipe, cy.split(cy.load("iris"), seed=0), seed=0, out=folder / "iris-0001")
    (folder / "broken-0001").mkdir()
    (folder / "broken-0001" / "environment.json").write_text("{")
    found = Asking(folder)
    yield found
    found.close()


def never_unforeseen(asking: Asking, route: Route, data: st.DataObject) -> None:
    """One odd request; whatever is wrong with it is said in words."""
    method = data.draw(st.sampled_from(sorted((route.methods or {"GET"}) - {"HEAD"})))
    runs = st.sampled_from(["iris-0001", "iris-0001", "broken-0001", "nothing"])

    def value(found: re.Match[str]) -> str:
        return data.draw((runs if "run" in found[0] else TEXTS) | TEXTS)

    path = re.sub(r"\{[^}]*\}", value, route.path)
    pairs = data.draw(st.lists(st.tuples(NAMES, TEXTS), max_size=4))
    query = urlencode(pairs, errors="replace") + data.draw(
        st.sampled_from(["", "", "&&=%zz%ff", "&a"])
    )
    body = data.draw(BODIES) if method == "POST" else b""
    path = path.encode("utf-8", "replace").decode()
    answer = asking.ask(method, path, query, body)
    assert_sealed(answer)
    assert answer.status != 500, (method, path, query, body[:100], answer.body)
    assert answer.status < 500 or answer.status == 503
    if answer.headers.get("content-type") == "application/json" and answer.body:
        json.loads(answer.body, parse_constant=lambda sign: pytest.fail(f"{sign} is no JSON"))


CALM = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
@settings(max_examples=5, deadline=None, suppress_health_check=CALM)
@given(data=st.data())
def test_no_route_meets_what_it_did_not_foresee(
    asking: Asking, route: Route, data: st.DataObject
) -> None:
    never_unforeseen(asking, route, data)


@pytest.mark.hard
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
@settings(max_examples=300, deadline=None, suppress_health_check=CALM)
@given(data=st.data())
def test_no_route_meets_what_it_did_not_foresee_in_hundreds(
    asking: Asking, route: Route, data: st.DataObject
) -> None:
    never_unforeseen(asking, route, data)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_knows_a_run_that_is_not_there(asking: Asking, route: Route) -> None:
    if "{run}" in route.path:
        method = "POST" if "POST" in (route.methods or ()) else "GET"
        path = route.path.replace("{run}", "nothing")
        answer = asking.ask(method, path, "", b"{}" if method == "POST" else b"")
        assert 400 <= answer.status < 500
