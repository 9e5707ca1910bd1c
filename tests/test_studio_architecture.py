"""The architecture page: the graph of `cy.architecture`, of runs that have not ended too."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import chymist as cy
from chymist.reports.flow_picture import flow_picture, without_identities
from chymist.studio.tasks.picturing import picture
from tests.studio import Studio, studio_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network on digits."""
    folder = tmp_path_factory.mktemp("runs")
    cy.fit(cy.Recipe(model="cnn", length="1 epoch"), cy.load("digits"), out=folder / "cnn")
    return folder


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with studio_of(runs) as found:
        yield found


def told(folder: Path, depth: int | None = None, lang: str = "en") -> dict[str, Any]:
    (found,) = picture(str(folder), depth, lang)
    return found


class TestGraph:
    def test_numbers_are_those_of_the_module(self, runs: Path) -> None:
        run = cy.load_run(runs / "cnn")
        page = told(runs / "cnn")
        assert page["parameters"] == sum(p.numel() for p in run.model.parameters())
        assert sum(node["parameters"] for node in page["nodes"]) == page["parameters"]
        assert page["multiply_adds"] == cy.architecture(run).multiply_adds
        whole = told(runs / "cnn", depth=99)
        kinds = [node["kind"] for node in whole["nodes"]]
        for kind in (nn.Conv2d, nn.Linear, nn.BatchNorm2d):
            many = sum(isinstance(one, kind) for one in run.model.modules())
            assert kinds.count(kind.__name__) == many

    def test_every_node_is_in_one_box(self, runs: Path) -> None:
        for depth in (None, 1, 99):
            page = told(runs / "cnn", depth)
            boxes = re.findall(r'data-nodes="([\d ]+)"', page["svg"])
            places = [int(n) for box in boxes for n in box.split()]
            assert sorted(places) == list(range(len(page["nodes"])))

    def test_a_run_that_has_not_ended_has_the_same_graph(self, runs: Path, tmp_path: Path) -> None:
        young = shutil.copytree(runs / "cnn", tmp_path / "young")
        for name in ("result.json", "model.safetensors", "findings.json"):
            (young / name).unlink()
        page, other = told(young), told(runs / "cnn")
        assert page["nodes"] == other["nodes"]
        assert page["script"]["command"] == ""
        made: dict[str, Any] = {}
        code = page["script"]["python"].replace('found.save("model.svg")', "")
        exec(code, made)
        assert made["found"].parameters == page["parameters"]

    def test_in_chinese_the_numbers_are_the_same(self, runs: Path) -> None:
        page, other = told(runs / "cnn", lang="zh"), told(runs / "cnn")
        assert page["nodes"] == other["nodes"]
        assert "个参数" in page["total"]
        assert f"{page['parameters']:,}" in page["total"]

    def test_of_a_population_the_first_member_is_drawn(self, tmp_path: Path) -> None:
        recipe = cy.Recipe(model="mlp", length="1 epoch")
        cy.fit_population(recipe, cy.load("iris"), seeds=2, out=tmp_path / "two")
        page = told(tmp_path / "two")
        (member, _) = sorted((tmp_path / "two/members").iterdir())
        run = cy.load_run(member)
        assert page["parameters"] == sum(p.numel() for p in run.model.parameters())
        assert str(member) in page["script"]["command"]

    def test_reports_carry_no_marks(self) -> None:
        graph = without_identities(cy.architecture("lenet5", (1, 28, 28)).graph())
        plain, marked = (flow_picture(graph, "", marked=on) for on in (False, True))
        assert "data-nodes" not in plain
        assert re.sub(r' data-nodes="[\d ]+"', "", marked) == plain


class TestRoute:
    def test_the_answer_is_that_of_the_task(self, studio: Studio, runs: Path) -> None:
        page = studio.get("/api/runs/cnn/architecture?depth=1&lang=zh")
        assert page["svg"] == told(runs / "cnn", 1, "zh")["svg"]

    @pytest.mark.parametrize("depth", ["-1", "1.5", "²", "100", "x"])
    def test_a_depth_is_a_small_number(self, studio: Studio, depth: str) -> None:
        from urllib.parse import quote

        assert studio.ask(f"/api/runs/cnn/architecture?depth={quote(depth)}")[0] == 400

    def test_a_run_that_is_not_there(self, studio: Studio) -> None:
        assert studio.ask("/api/runs/nobody/architecture")[0] == 422
