"""Several runs beside each other: the numbers of scipy, "cannot tell" below three seeds, and the
same sentences in Python, command, report and studio."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.studio.tasks.comparing import parts_of
from chymist.verbs.comparing_many import ManyRuns
from tests import browser
from tests.run_folders import make_run
from tests.studio import BUILT, Studio, studio_of

ROWS = 30
RIGHT: Mapping[tuple[int, int], int] = {  # rows that a recipe has right, by (recipe, seed)
    (0, 0): 29, (0, 1): 28, (0, 2): 29, (1, 0): 21, (1, 1): 19, (1, 2): 20, (2, 0): 28,
}  # fmt: skip


def made(parent: Path, recipe: int, seed: int, right: int) -> str:
    """A folder of a run that has so many of its 30 rows right."""
    folder = make_run(parent / f"r{recipe}-s{seed}", 10 * recipe + seed, recipe, seed, 3, 5,
                      value=lambda recipe, seed: right / ROWS)  # fmt: skip
    targets = np.arange(ROWS) % 3
    wrong = np.random.default_rng([recipe, seed]).permutation(ROWS)[right:]
    labels = targets.copy()
    labels[wrong] = (labels[wrong] + 1) % 3
    np.savez(folder / "valid.npz", rows=np.arange(120, 150), targets=targets,
             outputs=np.eye(3)[labels])  # fmt: skip
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], str]:
    parent = tmp_path_factory.mktemp("runs")
    return {key: made(parent, *key, right) for key, right in RIGHT.items()}


def test_recipes_are_compared_over_seeds(folders: dict[tuple[int, int], str]) -> None:
    found = cy.compare_runs(*(folders[recipe, seed] for seed in range(3) for recipe in (0, 1)))
    assert isinstance(found, ManyRuns)
    a, b = ([RIGHT[recipe, seed] / ROWS for seed in range(3)] for recipe in (0, 1))
    tested = stats.ttest_rel(a, b)
    interval = tested.confidence_interval(0.95)
    pair = found.to_dict()["pairs"][0]
    assert (pair["difference"], pair["low"], pair["high"], pair["p"]) == pytest.approx(
        (np.mean(a) - np.mean(b), interval.low, interval.high, tested.pvalue)
    )
    assert pair["better"] == "r0-s0 (softmax)"
    assert pair["test"] == "paired seeds"
    assert found.verdict.startswith("r0-s0 (softmax) is better than r1-s0 (mlp) by 28.9 points [")
    assert found.verdict.endswith("(3 seeds, paired seeds).")
    assert found.to_dict()["differs"]["model"] == ["softmax", "mlp"]
    assert "batch_size" not in found.to_dict()["differs"]


def test_models_are_compared_on_rows_with_holms_correction(
    folders: dict[tuple[int, int], str],
) -> None:
    chosen = [folders[0, 0], folders[1, 0], folders[2, 0]]
    found = cy.compare_runs(*chosen)
    assert isinstance(found, ManyRuns)
    pairs = {(p["a"], p["b"]): p for p in found.to_dict()["pairs"] if p["test"] == "paired rows"}
    expected = {}
    for (a, b), pair in pairs.items():
        sides = []
        for name in (a, b):
            with np.load(Path(folders[0, 0]).parent / name / "valid.npz") as file:
                sides.append(file["outputs"].argmax(1) == file["targets"])
        first, second = sides
        table = [[np.sum(first & second), np.sum(first & ~second)],
                 [np.sum(~first & second), np.sum(~first & ~second)]]  # fmt: skip
        expected[a, b] = float(mcnemar(table, exact=True).pvalue)
        alone = cy.compare_runs(*(str(Path(chosen[0]).parent / name) for name in (a, b)))
        assert (alone.difference.value, alone.difference.p) == (pair["difference"], pair["p"])
    adjusted = multipletests(list(expected.values()), method="holm")[1]
    assert [pairs[key]["p"] for key in expected] == pytest.approx(list(expected.values()))
    assert [pairs[key]["p_holm"] for key in expected] == pytest.approx(list(adjusted))


def test_below_three_seeds_it_cannot_tell_of_recipes(
    folders: dict[tuple[int, int], str],
) -> None:
    keys = [(0, 0), (0, 1), (1, 0), (1, 1)]
    found = cy.compare_runs(*(folders[key] for key in keys))
    assert isinstance(found, ManyRuns)
    assert found.verdict.startswith("Cannot tell which recipe is better: 2 seeds in common, 3 are")
    over = [p for p in found.to_dict()["pairs"] if p["test"] == "paired seeds"]
    assert [p["better"] for p in over] == [None]
    lone = cy.compare_runs(folders[0, 0], folders[1, 0], folders[2, 0])
    assert lone.verdict.startswith("Cannot tell which recipe is better: 1 seed in common")
    seeds = cy.compare_runs(*(folders[0, seed] for seed in range(3)))
    assert seeds.verdict.startswith("These are seeds of one recipe.")


def test_what_cannot_be_compared_is_said(
    folders: dict[tuple[int, int], str], tmp_path: Path
) -> None:
    other = Path(made(tmp_path, 1, 1, 15))
    data = json.loads((other / "data.json").read_text())
    data["schema"]["fingerprint"] = "cd" * 32
    (other / "data.json").write_text(json.dumps(data))
    found = cy.compare_runs(folders[0, 0], folders[1, 0], str(other))
    assert isinstance(found, ManyRuns)
    assert "the runs have different data" in found.to_dict()["out"][str(other)]
    assert "different data" in found.page()
    with pytest.raises(InputError, match="the runs have different data"):
        cy.compare_runs(folders[0, 0], str(other), str(other))
    with pytest.raises(UsageError, match="several runs"):
        cy.compare_runs(folders[0, 0], folders[0, 0], folders[0, 0])


def test_the_page_holds_verdict_table_and_script_in_both_languages(
    folders: dict[tuple[int, int], str],
) -> None:
    found = cy.compare_runs(*(folders[key] for key in ((0, 0), (1, 0), (2, 0))))
    assert isinstance(found, ManyRuns)
    parts = parts_of(found.page())
    assert re.search(r'<p class="verdict">Cannot tell which recipe', parts["html"])
    assert parts["script"].startswith("import chymist as cy\n")
    compile(parts["script"], "script", "exec")
    chinese = parts_of(found.page("zh"))["html"]
    assert "无法判断哪个配方更好" in chinese
    assert "Cannot tell" not in chinese


@pytest.fixture(scope="module")
def studio(
    folders: dict[tuple[int, int], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    parent = Path(folders[0, 0]).parent
    words = ["--folds", "2", "--seeds", "2", "--length", "1 epoch", "--quiet"]
    assert main(["compare", "iris", "--models", "knn,softmax", *words,
                 "--out", str(parent / "versus")]) == 0  # fmt: skip
    with studio_of(parent) as found:
        yield found


def test_the_studio_says_what_the_command_says(
    studio: Studio, folders: dict[tuple[int, int], str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["compare-runs", folders[0, 0], folders[1, 0], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = studio.get("/api/compare?run=r0-s0&run=r1-s0")
    assert {name: found[name] for name in told} == told
    assert told["verdict"] in unescape(found["html"])
    assert "another seed" in found["caution"]
    assert found["command"] == f"chymist compare-runs {folders[0, 0]} {folders[1, 0]}"
    stored = json.loads((Path(folders[0, 0]).parent / "versus/comparison.json").read_text())
    page = studio.get("/api/runs/versus/study?lang=en")
    assert stored["verdict"] in unescape(page["html"])
    assert "cy.compare(" in page["script"]
    row = next(r for r in studio.get("/api/runs")["runs"] if r["name"] == "versus")
    assert row["verdict"] == stored["verdict"]


def test_bad_requests_are_one_line(studio: Studio) -> None:
    for path in ("/api/compare", "/api/compare?run=r0-s0", "/api/compare?run=r0-s0&run=nothing",
                 "/api/runs/nothing/study", "/api/compare?run=r0-s0&run=versus"):  # fmt: skip
        status, _, content = studio.ask(path)
        assert status in (400, 422), path
        assert json.loads(content)["error"]["what"], path


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_two_runs_are_chosen_and_compared_by_keyboard(studio: Studio, tmp_path: Path) -> None:
    shown = browser.Browser(tmp_path)
    errors: list[str] = []
    try:
        with shown.visit(f"{studio.address}", width=browser.NARROW) as (page, _):
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(page.url.split("#")[0] + "#/?fold=false&filter=model:mlp")
            page.locator("tbody tr[data-at='0']").focus()
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Space")
            page.get_by_role("link", name="Compare 2 runs").click()
            page.locator(".verdict").first.wait_for(timeout=30_000)
            assert "one training each" in page.locator(".verdict").first.inner_text()
            assert page.locator("h1").count() == 1
            root = page.locator("html")
            assert root.evaluate("root => root.scrollWidth - root.clientWidth") == 0
    finally:
        shown.close()
    assert errors == []
