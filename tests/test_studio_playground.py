"""The playground: the true fit, seen while it learns, paused, stepped, kept; and its page."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.studio.tasks.play_looks import GRID
from chymist.studio.tasks.play_trainer import bucketed
from chymist.studio.tasks.playing import session
from tests import browser
from tests.studio import BUILT, Studio, studio_of

MLP = {"name": "mlp", "hidden": [4], "activation": "tanh"}
RECIPE: dict[str, Any] = {
    "model": MLP, "optimizer": {"name": "adam", "lr": 0.03}, "schedule": {"name": "constant"},
    "batch_size": 10, "length": "12 epochs", "stop": {"name": "none"},
}  # fmt: skip
Answer = dict[str, Any]


def wish(source: str = "xor", recipe: Mapping[str, Any] | None = None, **more: Any) -> Answer:
    """What a page says to start."""
    made = {**RECIPE, **(recipe or {})}
    return {"do": "start", "n": 1, "data": {"source": source}, "recipe": made, "speed": 0, **more}


def play(first: Answer, then: Callable[[Answer], Answer | None] | None = None) -> list[Answer]:
    """All that a session says: `then` answers what it said; it ends with the run if not before."""
    inbox: SimpleQueue[Answer] = SimpleQueue()
    inbox.put(first)
    heard = []
    for said in session(inbox):
        heard.append(said)
        word = then(said) if then else None
        if said["kind"] == "frame":
            inbox.put({"do": "seen"})
        if word:
            inbox.put(word)
        elif said["kind"] in ("end", "error", "diverged"):
            inbox.put({"do": "end"})
    return heard


def of(kind: str, heard: list[Answer]) -> list[Answer]:
    return [one for one in heard if one["kind"] == kind]


def fitted(recipe: Mapping[str, Any], source: str = "xor", seed: int = 0) -> cy.Run:
    split = cy.split(cy.load(source), test=0, valid=0.3, seed=0)
    return cy.fit(cy.Recipe.from_dict({**RECIPE, **recipe}), split, seed, threads="auto")


def test_it_is_the_true_fit_to_the_bit() -> None:
    heard, run = play(wish()), fitted({})
    end = of("end", heard)[0]
    assert end["score"]["value"] == run.score.value
    assert (end["score"]["low"], end["score"]["high"]) == (run.score.low, run.score.high)
    assert end["verdict"] == run.verdict
    epochs = [one for frame in of("frame", heard) for one in frame["epochs"]]
    assert [one[2] for one in epochs] == run.history["train_loss"][:, 1].tolist()
    assert [one[3] for one in epochs] == run.history["val_loss"][:, 1].tolist()
    assert [one[0] for one in epochs] == list(range(1, 13))


def test_steps_and_epochs_stop_where_they_should() -> None:
    plan = [{"do": "step"}, {"do": "step", "steps": 3}, {"do": "epoch"}, {"do": "end"}]

    def then(said: Answer) -> Answer | None:
        return plan.pop(0) if said["kind"] == "frame" and said["paused"] else None

    heard = play(wish(paused=True), then)
    steps = [one["step"] for one in of("frame", heard) if one["paused"]]
    assert steps == [0, 1, 4, 14]  # 140 rows in batches of 10: an epoch is 14 steps


def test_a_paused_run_goes_on_to_the_same_end() -> None:
    plan = [{"do": "step", "steps": 5}, {"do": "epoch"}, {"do": "resume"}]

    def then(said: Answer) -> Answer | None:
        return plan.pop(0) if said["kind"] == "frame" and said["paused"] and plan else None

    with_pauses, without = play(wish(paused=True), then), play(wish())
    assert not plan
    end, other = of("end", with_pauses)[0], of("end", without)[0]
    assert end["score"] == other["score"]
    assert of("frame", with_pauses)[-1]["map"] == of("frame", without)[-1]["map"]


def test_xor_needs_a_hidden_layer() -> None:
    linear = of("end", play(wish(recipe={"model": {"name": "softmax"}, "length": "60 epochs"})))[0]
    hidden = of("end", play(wish(recipe={"length": "60 epochs"})))[0]
    majority = next(f for f in linear["floors"] if f["name"] == "majority class")
    assert linear["score"]["low"] <= majority["high"]
    assert "model_bias" in [finding["code"] for finding in linear["findings"]]
    assert hidden["score"]["value"] > 0.95
    assert hidden["score"]["low"] > linear["score"]["high"]


def test_maps_are_what_the_model_says_on_the_grid() -> None:
    heard = play(wish())
    about, frame = of("about", heard)[0], of("frame", heard)[-1]
    run = fitted({})
    x, y = (np.linspace(about["low"][k], about["high"][k], GRID) for k in (0, 1))
    rows = {"x1": np.tile(x, GRID), "x2": np.repeat(y, GRID)}
    sent = np.frombuffer(base64.b64decode(frame["map"]), np.uint8)
    with torch.no_grad():
        logits = run.model(torch.from_numpy(run.preparation.inputs(rows))).numpy()
    said = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    np.testing.assert_allclose(sent / 255, said, atol=0.003)
    unit = np.frombuffer(base64.b64decode(frame["units"][0][0]), np.uint8).astype(float)
    layer = run.model[1]
    inputs = run.preparation.inputs({name: v.reshape(GRID, GRID)[::2, ::2].ravel()
                                     for name, v in rows.items()})  # fmt: skip
    weight, bias = layer.weight.detach().numpy()[0], float(layer.bias.detach()[0])
    wanted = np.tanh(inputs @ weight + bias)
    np.testing.assert_allclose(unit, 128 + 127 * wanted / np.abs(wanted).max(), atol=0.51)
    np.testing.assert_allclose(frame["weights"][0], layer.weight.detach().numpy(), rtol=0.006)
    assert frame["scores"]["valid"][0] == run.score.value
    assert np.sum(frame["scores"]["valid"][2]) == 60
    assert len(about["points"]["x"]) == about["points"]["rows"] == 200
    assert sum(about["points"]["valid"]) == 60


def test_points_drawn_by_hand_are_read_as_a_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines = [f"{a:.3f},{b:.3f},{'AB'[int(a > b)]}" for a, b in rng.uniform(-1, 1, (40, 2))]
    text = "\r\n".join(["x1,x2,class", *lines])
    data = {"csv": text, "name": "points", "target": "class", "numbers": ["x1", "x2"]}

    def then(said: Answer) -> Answer | None:
        return {"do": "save", "into": str(tmp_path)} if said["kind"] == "end" else (
            {"do": "end"} if said["kind"] == "saved" else None)  # fmt: skip

    heard = play({**wish(), "data": data}, then)
    name = of("saved", heard)[0]["run"]
    assert (tmp_path / f"{name}.csv").read_text() == text.replace("\r\n", "\n")
    kept = json.loads((tmp_path / name / "result.json").read_text())
    assert kept["score"]["value"] == of("end", heard)[0]["score"]["value"]
    assert cy.evaluate(tmp_path / name, split="valid").score.n == 12


@pytest.mark.parametrize("plane", ["columns", "pca"])
def test_columns_of_a_real_set(plane: str) -> None:
    given = wish("iris", {"length": "3 epochs"}, plane=plane, only=plane == "columns",
                 axes=["petal length (cm)", "petal width (cm)"])  # fmt: skip
    heard = play(given)
    about, frame = of("about", heard)[0], of("frame", heard)[-1]
    assert about["classes"] == ["setosa", "versicolor", "virginica"]
    assert len(about["inputs"]) == (2 if plane == "columns" else 4)
    assert set(np.frombuffer(base64.b64decode(frame["ranks"]), np.uint8)) <= {0, 1, 2}
    if plane == "pca":  # against scikit-learn, up to signs
        from sklearn.decomposition import PCA

        split = cy.split(cy.load("iris"), test=0, valid=0.3, seed=0)
        table = np.stack(list(split.data.inputs.values()), 1)  # type: ignore[union-attr]
        scaled = (table - table[split.train].mean(0)) / table[split.train].std(0)
        wanted = PCA(2).fit(scaled[split.train]).transform(scaled)
        for axis, name in enumerate("xy"):
            mine = np.sort(np.abs(about["points"][name]))
            theirs = np.sort(np.abs(wanted[:, axis]))
            np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_values_and_solved_models_have_a_plane_too() -> None:
    regression = play(wish("bumps", {"model": {**MLP, "hidden": [8]}}))
    assert of("end", regression)[0]["metrics"]["r2"][0] < 1
    assert of("frame", regression)[-1]["scores"]["valid"][2] == []
    tree = {"model": {"name": "cart"}, "optimizer": {"name": "direct"}}
    heard = play({**wish(), "recipe": tree})
    assert of("end", heard)[0]["score"]["value"] > 0.8
    assert of("frame", heard)[-1]["units"] == []


def test_a_rate_that_is_too_high_diverges_and_is_said() -> None:
    recipe = {"model": {**MLP, "activation": "relu", "hidden": [8]},
              "optimizer": {"name": "sgd", "lr": 10.0}}  # fmt: skip
    heard = play(wish("bumps", recipe))
    assert "not finite" in of("diverged", heard)[0]["error"]["what"]
    assert not of("end", heard)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": {**RECIPE, "model": {"name": "mpl"}}}, "did you mean 'mlp'"),
        ({"recipe": {**RECIPE, "model": {"name": "lenet5"}}}, "no model of the playground"),
        ({"recipe": {**RECIPE, "model": {**MLP, "hidden": [300]}}}, "too large"),
        ({"recipe": {**RECIPE, "optimizer": {"name": "adam", "lr": -1}}}, "optimizer.lr"),
        ({"recipe": {**RECIPE, "length": "99999 epochs"}}, "too long"),
        ({"recipe": {**RECIPE, "init": {"name": "from_run", "path": "/etc"}}}, "from nothing"),
        ({"recipe": {**RECIPE, "loss": {"name": "mse"}}}, "is for regression"),
        ({"data": {"source": "/etc/passwd"}}, "no such data"),
        ({"data": {"source": "xor(rows=2)"}}, "toy.rows"),
        ({"data": {"csv": "a\n1\n2\n"}}, ""),
        ({"axes": ["x1", "x3"]}, "no such column"),
        ({"data": {"csv": "../../etc,b,c\n1,2,u\n", "name": "../../x"}}, ""),
    ],
)
def test_wrong_values_are_refused_in_words(change: Answer, said: str) -> None:
    error = of("error", play({**wish(), **change}))[0]["error"]
    assert said in " ".join(error.values())


def test_no_more_than_two_pictures_are_on_their_way() -> None:
    inbox: SimpleQueue[Answer] = SimpleQueue()
    inbox.put(wish(recipe={"length": "4000 epochs"}))
    talk = session(inbox)
    said = [next(talk) for _ in range(4)]
    assert [one["kind"] for one in said] == ["ready", "about", "frame", "frame"]
    time.sleep(1)  # nobody has seen them: the run goes on, its pictures are dropped
    inbox.put({"do": "seen"})
    newest = next(talk)
    assert newest["step"] > said[3]["step"] + 1
    assert newest["losses"][-1][0] >= newest["step"]  # of the losses none is lost
    assert newest["epochs"][0][0] == 1
    inbox.put({"do": "end"})
    assert not list(talk)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=500))
def test_no_extreme_of_the_loss_is_lost(values: list[float]) -> None:
    kept = bucketed(list(enumerate(values, 1)))
    assert len(kept) <= 60
    assert kept[-1][0] == len(values)
    assert min(low for _, low, _ in kept) == pytest.approx(min(values), rel=1e-4)
    assert max(high for _, _, high in kept) == pytest.approx(max(values), rel=1e-4)


def test_other_seeds_are_the_fits_of_those_seeds() -> None:
    def then(said: Answer) -> Answer | None:
        return {"do": "seeds", "seeds": 2} if said["kind"] == "end" else (
            {"do": "end"} if said["kind"] == "seeds" else None)  # fmt: skip

    overlay = of("seeds", play(wish(), then))[0]
    run = fitted({}, seed=2)
    assert overlay["scores"][1] == [2, cy.values.show("accuracy", run.score.value)]
    assert len(overlay["maps"]) == 2


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with studio_of(tmp_path_factory.mktemp("runs")) as found:
        yield found


class Page:
    """A page that is open: its stream of lines."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.link = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
        headers = {"cookie": studio.cookie, "x-chymist-nonce": studio.nonce}
        self.link.request("POST", "/api/play", "", headers)
        self.answer = self.link.getresponse()
        self.status = self.answer.status
        self.name = self.next()["name"] if self.status == 200 else ""

    def next(self) -> Answer:
        found: Answer = json.loads(self.answer.readline())
        return found

    def until(self, kind: str) -> Answer:
        while (said := self.next())["kind"] != kind:
            pass
        return said

    def tell(self, word: Any) -> tuple[int, Answer]:
        status, _, content = self.studio.ask(f"/api/play/{self.name}", "POST", word)
        return status, json.loads(content)

    def close(self) -> None:
        self.answer.close()
        self.link.close()


def test_a_page_is_served_and_what_it_saw_is_kept(studio: Studio) -> None:
    page = Page(studio)
    assert page.tell(wish())[0] == 200
    end = page.until("end")
    page.tell({"do": "save"})
    name = page.until("saved")["run"]
    assert name in [row["name"] for row in studio.get("/api/runs")["runs"]]
    assert page.tell(wish(data={"run": name}))[0] == 200
    assert page.until("end")["score"] == end["score"]
    for word in ({"do": "fly"}, {"do": "speed"}, {"do": "speed", "speed": -1}, []):
        assert page.tell(word)[0] == 400
    large = wish(data={"csv": "x" * 950_000})
    assert page.tell(large)[0] == 400
    assert page.tell(wish(data={"run": "../runs"}))[0] == 422
    page.close()
    for _ in range(100):
        if page.tell({"do": "pause"})[0] == 422:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("a page that was closed goes on")


def test_there_are_few_pages_and_a_worker_that_dies_is_said(studio: Studio) -> None:
    pages = []
    for _ in range(50):  # those of other tests may be ending
        pages.append(Page(studio))
        if pages[-1].status != 200:
            break
    assert pages[-1].status == 422
    assert len(pages) == 4
    pages[0].until("ready")
    for pid in workers_of(studio.process.pid):
        os.kill(pid, signal.SIGKILL)
    assert pages[0].until("lost")["error"]["what"]
    for page in pages:
        page.close()


def workers_of(root: int) -> list[int]:
    """The workers below a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"chymist.studio.worker" in (folder / "cmdline").read_bytes():
                above = int(folder.name)
                while above > 1 and above != root:
                    stat = Path(f"/proc/{above}/stat").read_text()
                    above = int(stat.rpartition(") ")[2].split()[1])
                found += [int(folder.name)] if above == root else []
    return found


needs_browser = pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)


@needs_browser
def test_xor_in_a_browser(studio: Studio, tmp_path: Path) -> None:
    shown = browser.Browser(tmp_path)
    try:
        with shown.visit(studio.address) as (page, asked):
            page.goto(studio.address.split("?")[0] + "#/playground")
            page.get_by_role("button", name="XOR, linear model").click(timeout=60_000)
            page.get_by_label("steps a picture").select_option("0")
            page.locator('[data-verdict="no better"]').wait_for(timeout=60_000)
            page.get_by_label("model", exact=True).select_option("mlp")
            page.get_by_role("button", name="Play").click()
            page.locator('[data-verdict="better"]').wait_for(timeout=60_000)
            assert "98.3 %" in page.locator('[data-part="valid"]').inner_text()
            assert "model=mlp" not in page.url  # what is as it was at first needs no place
            assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    finally:
        shown.close()


@pytest.mark.hard
@needs_browser
def test_points_drawn_and_kept_by_keyboard_alone(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    shown = browser.Browser(tmp_path)
    try:
        with studio_of(tmp_path / "runs") as studio, shown.visit(studio.address) as (page, _):
            page.goto(studio.address.split("?")[0] + "#/playground?data=points&epochs=20&speed=0")
            plane = page.get_by_role("application")
            plane.focus()
            for _ in range(8):  # two columns of points, a class each
                for key in ("1", "Shift+ArrowRight", "2", "Shift+ArrowLeft", "ArrowUp"):
                    page.keyboard.press(key)
            page.get_by_text("16 points; ten").wait_for()
            page.keyboard.press("u")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Delete")
            page.get_by_text("14 points; ten").wait_for()
            assert page.url.count("_") == 13  # they are in the address
            page.locator('[data-status="paused"]').wait_for(timeout=60_000)
            page.get_by_role("button", name="One epoch").press("Enter")
            page.get_by_text("step 1 of 20").wait_for()
            plane.focus()
            page.keyboard.press("p")
            page.locator('[data-status="ended"]').wait_for(timeout=60_000)
            page.get_by_role("button", name="Hidden layer 1, unit 2").focus()
            page.get_by_text("What one unit says: Hidden layer 1, unit 2").wait_for()
            page.get_by_role("button", name="Save as run").press("Enter")
            page.wait_for_url("**/#/runs/play-points-0001", timeout=60_000)
            score = json.loads((tmp_path / "runs/play-points-0001/result.json").read_text())
            assert score["score"]["n"] == 5
    finally:
        shown.close()


@pytest.mark.hard
@needs_browser
def test_a_table_of_ones_own_and_a_worker_that_is_killed(studio: Studio, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = [f"{a:.2f},{b:.2f},{c:.2f},{'no' if a + b < 0 else 'yes'}"
             for a, b, c in rng.normal(0, 1, (200, 3))]  # fmt: skip
    table = tmp_path / "my table.csv"
    table.write_text("\n".join(["width,depth,age,grown", *lines]))
    shown = browser.Browser(tmp_path)
    try:
        with shown.visit(studio.address) as (page, _):
            page.goto(studio.address.split("?")[0] + "#/playground?data=csv&speed=0")
            page.get_by_text("Draw points, or choose a table").wait_for(timeout=60_000)
            page.get_by_label("Table (CSV, with a header)").set_input_files(table)
            page.get_by_label("up", exact=True).select_option("age", timeout=60_000)
            page.get_by_role("button", name="Play").click()
            page.locator("[data-verdict]").wait_for(timeout=60_000)
            assert "my-table" in page.locator(".verdict").inner_text()
            page.get_by_label("up", exact=True).select_option("depth")
            page.get_by_role("button", name="Play").click()
            page.locator('[data-verdict="better"]').wait_for(timeout=60_000)
            for pid in workers_of(studio.process.pid):
                os.kill(pid, signal.SIGKILL)
            page.get_by_text("The worker has gone").wait_for(timeout=60_000)
    finally:
        shown.close()
