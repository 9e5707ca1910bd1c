"""The page of explanations: what it shows is what `cy.explain` finds, on the user's own run."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chymist as cy
from chymist.data.decoding import example_png
from chymist.errors import InputError, UsageError
from chymist.explanation.features import layer_outputs
from chymist.studio.tasks.explaining import while_working
from chymist.studio.tasks.opened import opened
from chymist.studio.tasks.units import _inputs
from tests import browser
from tests.studio import BUILT, Studio, studio_of
from tests.studio_runs import ask, make_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("answers") / "runs")


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with studio_of(runs) as found:
        yield found


def worst(folder: Path) -> int:
    """The row that is answered worst, from 0."""
    return int(ask("examples", folder, count=1)["rows"][0]["row"]) - 1


def test_a_map_is_that_of_explain_with_all_its_checks(runs: Path) -> None:
    row = worst(runs / "digits")
    told = ask("explain-row", runs / "digits", method="grad-cam", row=row)["answer"]
    found = cy.explain(runs / "digits", which=[row], method="grad-cam", most=1)
    assert told["title"] == found.title
    assert told["sentence"] == found.rows[0].sentence
    assert [one["sentence"] for one in told["checks"]] == [str(c.sentence) for c in found.checks]
    assert {one["name"] for one in told["checks"]} == {
        "contrast", "weights", "class", "faithfulness"
    }  # fmt: skip
    assert "random" in told
    assert told["likely"][0][0] == found.rows[0].said
    assert f"which=[{row}]" in told["script"]["python"]


@pytest.mark.parametrize("name", ["digits", "cancer", "diabetes", "texts"])
def test_every_method_that_is_offered_answers(runs: Path, name: str) -> None:
    known = ask("explainable", runs / name)
    row = worst(runs / name)
    assert known["methods"]
    for method in known["methods"]:
        assert method["about"] == 0
        column = known["columns"][0] if method["name"] == "partial-dependence" else None
        told = ask("explain-row", runs / name, method=method["name"], row=row, column=column)
        assert told["answer"]["title"]
        json.dumps(told, allow_nan=False)


def test_words_and_columns_have_the_numbers_of_their_verbs(runs: Path) -> None:
    row = worst(runs / "texts")
    told = ask("explain-row", runs / "texts", method="occlusion", row=row)["answer"]
    (text,) = cy.explain_words(runs / "texts", which=[row], method="occlusion").texts
    assert [word for word, *_ in told["words"]] == list(text.words)
    assert [value for _, value, *_ in told["words"]] == [f"{v:+.3g}" for v in text.values]
    row = worst(runs / "cancer")
    told = ask("explain-row", runs / "cancer", method="integrated-gradients", row=row)["answer"]
    found = cy.explain(runs / "cancer", which=[row], method="integrated-gradients", most=1)
    columns = found.to_dict()["rows"][0]["columns"]
    assert {name: value for name, _, value, _ in told["bars"]["rows"]} == {
        name: columns[name] for name in sorted(columns, key=lambda n: -abs(columns[n]))[:16]
    }


def test_a_constant_map_is_a_warning_in_the_place_of_a_picture(runs: Path) -> None:
    run = opened(str(runs / "digits"))
    weights = run.run.model.state_dict()
    last = [name for name in weights if name.endswith("weight")][-1]
    kept = weights[last].clone()
    try:
        weights[last].zero_()
        row = int(run.split.train[0])
        told = ask("explain-row", runs / "digits", method="saliency", row=row)["answer"]
    finally:
        weights[last].copy_(kept)
    assert told["constant"]
    assert "map" not in told


def test_an_own_image_is_read_as_the_command_reads_it(runs: Path, tmp_path: Path) -> None:
    pixels = np.zeros((20, 16), np.uint8)
    pixels[3:17, 6:10] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    path = tmp_path / "one.png"
    path.write_bytes(stream.getvalue())
    image = base64.b64encode(stream.getvalue()).decode()
    told = ask("explain-row", runs / "digits", method="saliency", image=image)["answer"]
    found = cy.explain(runs / "digits", path, method="saliency")
    assert told["sentence"] == found.rows[0].sentence
    low, high = found.rows[0].values.min(), found.rows[0].values.max()
    assert told["range"] == [f"{low:.3g}", f"{high:.3g}"]


@pytest.mark.parametrize("content", [b"no image", b"", example_png()[:40]])
def test_what_is_no_image_is_refused(runs: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        ask("explain-row", runs / "digits", method="saliency",
            image=base64.b64encode(content).decode())  # fmt: skip


def test_wrong_questions_are_refused(runs: Path) -> None:
    sealed = int(cy.load_run(runs / "digits").split.test[0])
    for task, options in (
        ("explain-row", {"method": "saliency", "row": sealed}), ("network", {"row": sealed}),
        ("unit", {"row": sealed, "layer": "0", "unit": 0, "line": 0, "column": 0}),
        ("explain-row", {"method": "nothing", "row": 0}),
        ("explain-row", {"method": "saliency"}), ("network", {"row": 10**6}),
        ("explain-row", {"method": "saliency", "image": "x" * 27_000_000}),
        ("explain-row", {"method": "saliency", "image": "?"}),
        ("layer-maps", {"row": worst(runs / "digits"), "layer": "x"}),
        ("explain-row", {"method": "saliency", "row": worst(runs / "digits"), "target": "ten"}),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            ask(task, runs / "digits", **options)


@pytest.mark.parametrize("name", ["digits", "texts"])
def test_the_arithmetic_of_every_convolution_is_the_networks_own_number(
    runs: Path, name: str
) -> None:
    row, run = worst(runs / name), opened(str(runs / name))
    layers = ask("network", runs / name, row=row)["layers"]
    opening = [one for one in layers if one["opens"]]
    assert opening
    for one in opening:
        maps = layer_outputs(run.run.model, [_inputs(run, row)], [one["name"]])[one["name"]][0]
        line, column = (0, 1) if maps.ndim == 2 else (maps.shape[1] - 1, 0)
        found = ask("unit", runs / name, row=row, layer=one["name"], unit=2, line=line,
                    column=column)  # fmt: skip
        value = maps[2, column] if maps.ndim == 2 else maps[2, line, column]
        assert found["value"] == float(value)
        assert abs(found["total"] - found["value"]) < 1e-5
        shown = sum(float((np.array(t["patch"]) * t["kernel"]).sum()) for t in found["tables"])
        assert shown + found["rest"] + found["bias"] == pytest.approx(found["value"], abs=1e-5)


def test_maps_of_layers_kernels_and_made_images(runs: Path) -> None:
    row = worst(runs / "digits")
    for layer in ask("network", runs / "digits", row=row)["layers"]:
        found = ask("layer-maps", runs / "digits", row=row, layer=layer["name"])
        assert found["units"] == layer["units"]
        assert ("maps" in found) == (len(layer["shape"]) == 3)
    kernels = ask("filters", runs / "digits")
    assert len(kernels["pictures"]) == kernels["units"]
    made = ask("maximize", runs / "digits", unit="3", steps=4)["answer"]
    assert made["unit"] == "3"
    assert len(made["images"]) == 2


def test_the_second_question_is_answered_from_memory(runs: Path) -> None:
    row = worst(runs / "digits")
    first = ask("explain-row", runs / "digits", method="occlusion", row=row)
    again = ask("explain-row", runs / "digits", method="occlusion", row=row)
    assert again["answer"] == first["answer"]
    assert again["took"] < 0.1


def test_long_work_says_that_it_goes_on() -> None:
    import time

    said = list(while_working(lambda: time.sleep(1.2) or 7))
    assert [list(one) for one in said] == [["seconds"], ["answer", "took"]]
    assert said[-1]["answer"] == 7
    with pytest.raises(InputError, match="no"):
        list(while_working(lambda: (_ for _ in ()).throw(InputError("no"))))


def test_lines_over_http_and_an_error_does_not_cost_the_worker_its_memory(studio: Studio) -> None:
    row = studio.get("/api/runs/digits/predictions/examples?count=1")["rows"][0]["row"]
    path = f"/api/runs/digits/explain/row?method=saliency&row={row}"
    lines = [json.loads(line) for line in studio.ask(path)[2].splitlines()]
    assert lines[-2]["answer"]["answer"]["form"] == "map"
    assert lines[-1] == {"end": True}
    (bad,) = studio.ask("/api/runs/digits/explain/row?method=x&row=1")[2].splitlines()
    assert json.loads(bad)["error"]["what"]
    again = [json.loads(line) for line in studio.ask(path)[2].splitlines()]
    assert again[0]["answer"]["took"] < 0.1
    status, _, content = studio.ask("/api/runs/digits/explain/row?method=saliency&row=0")
    assert status == 400
    assert b"counted from 1" in content


@pytest.mark.hard
def test_leaving_ends_the_task(studio: Studio) -> None:
    import http.client

    link = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=30)
    path = "/api/runs/digits/explain/maximize?unit=3&steps=512"
    link.request("GET", path, headers={"cookie": studio.cookie})
    assert link.getresponse().status == 200
    link.close()
    assert studio.get("/api/runs/digits/explain")["kind"] == "image"


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_the_page_shows_where_the_network_looked_and_what_a_unit_adds_up(
    studio: Studio, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    image = tmp_path / "own.png"
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(image)
    shown = browser.Browser(tmp_path)
    try:
        with shown.visit(studio.address) as (page, asked):
            failures: list[str] = []
            page.on("pageerror", lambda error: failures.append(str(error)))
            page.on(
                "console", lambda said: failures.append(said.text) if said.type == "error" else 0
            )
            page.goto(f"{studio.address.split('?')[0]}#/runs/digits/explain?layer=0")
            page.get_by_role("heading", name="Can it be believed?").wait_for()
            assert page.locator(".maps img").count() == 3
            unit = page.locator(".units button").first
            unit.focus()
            page.keyboard.press("Enter")
            page.locator(".sum").wait_for()
            before = page.locator(".sum").inner_text()
            page.keyboard.press("ArrowRight")
            page.get_by_text("column 6: patch times kernel").wait_for()
            page.locator(".product").first.wait_for()
            assert page.locator(".sum").inner_text() != before
            assert Axe().run(page).response["violations"] == []
            page.locator("input[type=file]").set_input_files(str(image))
            page.locator(".maps").wait_for()
            page.get_by_text("said ").last.wait_for()
            page.goto(f"{studio.address.split('?')[0]}#/runs/cancer/explain")
            page.locator(".drawing svg").wait_for()
            assert failures == []
            assert all(url.startswith((f"http://127.0.0.1:{studio.port}/", "data:"))
                       for url in asked)  # fmt: skip
    finally:
        shown.close()
