"""The doctor's page: the same values as the command, commands that it starts, a browser."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chymist as cy
from chymist.doctor.texts import CODES
from chymist.engine.folder import alone_in
from chymist.reports.findings import as_text
from chymist.studio.tasks.diagnosing import codes, diagnosis
from chymist.verbs.diagnosing import diagnose
from tests.studio import Studio, studio_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy run, one with a rate that is too low, one without the doctor."""
    folder = tmp_path_factory.mktemp("runs")
    split = cy.split(cy.load("iris"), seed=0)
    cy.fit(cy.Recipe(model="softmax", length="60 epochs"), split, out=folder / "healthy")
    slow = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-5), length="20 epochs")
    cy.fit(slow, split, out=folder / "slow")
    cy.fit(slow, split, out=folder / "unwatched", doctor=False)
    return folder


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with studio_of(runs) as found:
        yield found


def told(folder: Path, lang: str = "en") -> dict[str, Any]:
    (found,) = diagnosis(str(folder), lang)
    return found


class TestWhatIsSaid:
    def test_cards_are_the_findings_of_diagnose(self, runs: Path) -> None:
        found, page = diagnose(runs / "slow"), told(runs / "slow")
        alarms = [one for one in found if one.level != "observation"]
        assert [card["code"] for card in page["cards"]] == [one.code for one in alarms]
        assert "lr_too_low" in [one.code for one in alarms]
        for card, one in zip(page["cards"], alarms, strict=True):
            assert (card["level"], card["claim"]) == (one.level, one.claim)
            assert card["evidence"] == [[k, as_text(v)] for k, v in one.evidence.items()]
            assert card["rule"] == CODES[one.code]["en"].rule
        assert page["state"] == "ended"
        assert page["checked"]["rules"] == found.checked.rules

    def test_a_chart_has_the_recorded_numbers(self, runs: Path) -> None:
        (card,) = [c for c in told(runs / "slow")["cards"] if c["code"] == "lr_too_low"]
        stored = json.loads((runs / "slow/findings.json").read_text())["signals"]["update_ratio"]
        assert [row[1:] for row in card["chart"]["rows"]] == stored
        assert card["chart"]["svg"].startswith("<svg")

    def test_nothing_found_names_what_was_looked_at(self, runs: Path) -> None:
        page = told(runs / "healthy")
        assert page["cards"] == []
        assert not page["undecided"]
        assert f"{page['checked']['rules']} causes" in page["verdict"]

    def test_an_unwatched_run_is_not_called_healthy(self, runs: Path) -> None:
        page = told(runs / "unwatched")
        assert (page["state"], page["undecided"], page["cards"]) == ("unwatched", True, [])
        assert page["cost"]["steps"] == round(cy.load_run(runs / "unwatched").facts["steps"] / 4)

    def test_of_a_run_that_trains_the_curves_are_read(self, runs: Path, tmp_path: Path) -> None:
        import shutil

        path = shutil.copytree(runs / "slow", tmp_path / "young")
        for name in ("result.json", "findings.json"):
            (path / name).unlink()
        page = told(path)
        assert (page["state"], page["cost"]) == ("interrupted", None)
        with alone_in(path):
            assert told(path)["state"] == "training"
        assert page["checked"]["curves"]

    def test_in_chinese(self, runs: Path) -> None:
        page = told(runs / "slow", "zh")
        card = next(card for card in page["cards"] if card["code"] == "lr_too_low")
        assert (card["title"], card["says"]) == ("学习率过小", "诊断")
        (why,) = codes("lr_too_low", "zh")
        assert why["title"] == card["title"]
        assert len(why["parts"]) == 6


class TestWhatIsStarted:
    def wait(self, studio: Studio, run: str) -> dict[str, Any]:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            job: dict[str, Any] = studio.get(f"/api/runs/{run}/doctor/jobs")["jobs"][0]
            if job["state"] != "running":
                return job
            time.sleep(0.1)
        raise AssertionError("it did not end")

    def test_a_remedy_becomes_a_run_with_its_proof(self, studio: Studio, runs: Path) -> None:
        before = (runs / "slow/result.json").read_bytes()
        job = studio.post("/api/runs/slow/doctor/fix", {"code": "lr_too_low"})
        assert job["state"] == "running"
        job = self.wait(studio, "slow")
        assert job["state"] == "done", job
        cured = Path(job["said"]["fix"]["cured"])
        assert cured.parent == runs
        (proof,) = told(runs / "slow")["proofs"]
        assert str(cured) in proof
        assert (runs / "slow/result.json").read_bytes() == before

    def test_a_command_can_be_cancelled_and_is_one_at_a_time(self, studio: Studio) -> None:
        job = studio.post("/api/runs/unwatched/doctor/experiments", {})
        status, _, said = studio.ask("/api/runs/unwatched/doctor/experiments", "POST", {})
        assert status == 400
        assert b"at work" in said
        studio.post("/api/runs/unwatched/doctor/cancel", {"number": job["number"]})
        assert self.wait(studio, "unwatched")["state"] == "cancelled"

    @pytest.mark.parametrize("body", [{"code": "--out=/tmp/x"}, {"code": ""}, {"more": 1}, []])
    def test_a_code_is_a_code(self, studio: Studio, body: object) -> None:
        assert studio.ask("/api/runs/slow/doctor/fix", "POST", body)[0] == 400
        assert studio.ask("/api/runs/nobody/doctor/experiments", "POST", {})[0] == 422
        assert studio.ask("/api/runs/slow/doctor/cancel", "POST", {"number": 99})[0] == 422

    def test_answers_are_those_of_the_task(self, studio: Studio, runs: Path) -> None:
        page = studio.get("/api/runs/healthy/doctor?lang=zh")
        assert page["verdict"] == told(runs / "healthy", "zh")["verdict"]
        assert studio.get("/api/why/overfitting?lang=zh")["title"] == "过拟合"
        assert studio.ask("/api/why/nothing_such")[0] == 400
