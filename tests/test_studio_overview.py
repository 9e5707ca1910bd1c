"""The overview of a run: the words of the report, a bar that steers, training undisturbed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chymist as cy
from chymist.engine.control import ACTIONS
from chymist.engine.history import EFFECTS, read_history
from chymist.engine.status import status_of
from chymist.reports.chinese import WORDS
from chymist.reports.numbers import interval
from chymist.studio.overviews import branches_of, overview_of
from chymist.studio.tasks.again import again
from chymist.values import show
from tests import browser
from tests.faults import Server, differences, fingerprint
from tests.steered import fitting, trainer, until
from tests.studio import BUILT, Studio, studio_of

LONG = 4000  # epochs: more than any test waits for


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, a run that its user has interrupted, and a cross-validation."""
    from chymist.verbs.writing_studies import write_cross_validation

    folder = tmp_path_factory.mktemp("runs")
    data = cy.load("iris")
    split = cy.split(data, seed=0)
    recipe = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-5), length="20 epochs")
    cy.fit(recipe, split, out=folder / "slow", threads=1)
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError):
        cy.fit(recipe, split, out=folder / "half", threads=1, observer=seen.append,
               interrupted=lambda: seen[-1].step >= 40)  # fmt: skip
    write_cross_validation(folder / "folds", cy.cross_validate(recipe, data, 3), recipe, data)
    return folder


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Studio]:
    with studio_of(runs) as found:
        yield found


class TestWhatIsShown:
    def test_numbers_and_sentences_are_those_of_the_report(self, runs: Path) -> None:
        run, told = cy.load_run(runs / "slow"), overview_of(runs / "slow", "en")
        report = (runs / "slow" / "report.html").read_text()
        assert told["verdict"] == run.verdict
        assert told["score"]["text"] == show(run.score.metric, run.score.value)
        assert told["score"]["interval"] == interval(run.score)
        for text in (told["score"]["text"], told["score"]["interval"], *told["score"]["cautions"]):
            assert text in report
        assert [one["name"] for one in told["floors"]] == [one.name for one in run.floors]
        assert [one["code"] for one in told["findings"]] == [one.code for one in run.findings]
        assert told["status"]["state"] == "finished"
        assert told["recipe"]["optimizer.lr"] == "1e-05"
        assert [one["damage"] for one in told["checkpoints"]] == [""]
        assert told["environment"]["threads"] == "1"

    def test_chinese(self, runs: Path) -> None:
        told = overview_of(runs / "slow", "zh")
        assert told["verdict"] != overview_of(runs / "slow", "en")["verdict"]
        assert told["verdict"] in cy.report(runs / "slow", runs / "zh.html", "zh").read_text()
        (runs / "zh.html").unlink()

    def test_every_effect_has_its_chinese(self) -> None:
        for sentence in (*ACTIONS.values(), *EFFECTS.values()):
            assert sentence in WORDS

    def test_a_run_that_has_not_ended(self, runs: Path, studio: Studio) -> None:
        told = studio.get("/api/runs/half")
        assert told["status"]["state"] == "interrupted"
        assert (told["status"]["step"], told["score"], told["verdict"]) == (40, None, "")
        assert [e["action"] for e in told["history"]] == ["start", "interrupt"]

    def test_a_study(self, runs: Path, studio: Studio) -> None:
        told = studio.get("/api/runs/folds")
        kept = json.loads((runs / "folds/cv.json").read_text())
        assert told["kind"] == "cv"
        assert told["score"]["text"] == show("accuracy", kept["score"]["value"])

    def test_what_differs_from_the_defaults_and_what_makes_it_again(
        self, runs: Path, studio: Studio
    ) -> None:
        told = studio.get("/api/runs/slow/again")
        (found,) = again(str(runs / "slow"))
        assert told == json.loads(json.dumps(found))
        names = [name for name, _, _ in told["differs"]]
        assert "optimizer.lr" in names
        assert "model" not in names
        assert "cy.fit(recipe, split, seed=0" in told["python"]
        space: dict[str, Any] = {}
        exec(compile(told["python"], "again", "exec"), space)
        assert space["run"].score == cy.load_run(runs / "slow").score

    def test_a_damaged_folder_is_no_error_of_the_server(self, runs: Path, tmp_path: Path) -> None:
        import shutil

        for name in (
            "result.json",
            "history.json",
            "recipe.toml",
            "environment.json",
            "findings.json",
        ):
            for content in ("{", "[]", "null", '{"score": 3, "floors": [{}]}', "\udcff"):
                folder = shutil.copytree(runs / "slow", tmp_path / "x")
                (folder / name).write_text(content, errors="surrogateescape")
                assert overview_of(folder, "en")["kind"] == "fit"
                shutil.rmtree(folder)

    def test_no_torch_in_the_server(self) -> None:
        import subprocess
        import sys

        asked = "import sys; import chymist.studio.pages.overview; print('torch' in sys.modules)"
        told = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
        assert told.stdout.strip() == b"False"


class TestChanges:
    def test_steering_through_the_studio(self, studio: Studio, runs: Path) -> None:
        folder = runs / "steered"
        with trainer(*fitting(folder, LONG)) as process:
            until(folder, "running", 20)
            entry = studio.post("/api/runs/steered/steer", {"action": "pause"})
            assert (entry["action"], entry["by"]) == ("pause", "studio")
            stands = status_of(folder)
            assert (stands.state, stands.step) == ("paused", entry["step"])
            time.sleep(0.3)
            told = studio.get("/api/runs/steered")
            assert told["status"]["step"] == entry["step"]
            studio.post("/api/runs/steered/steer", {"action": "resume"})
            until(folder, "running", entry["step"] + 1)
            studio.post("/api/runs/steered/steer", {"action": "stop"})
            printed, _ = process.communicate(timeout=60)
        assert "stopped by its user" in json.loads(printed)["notes"][0]
        told = studio.get("/api/runs/steered")
        assert told["status"]["state"] == "stopped"
        assert told["score"]["text"] == show("accuracy", json.loads(printed)["score"]["value"])
        by = {(e.action, e.by) for e in read_history(folder)}
        assert {("pause", "studio"), ("resume", "studio"), ("stop", "studio")} <= by

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("slow/steer", {"action": "pause"}, 422),  # it has ended
            ("slow/steer", {"action": "rm -rf"}, 400),
            ("slow/steer", {"action": "pause", "by": "x"}, 400),
            ("folds/steer", {"action": "pause"}, 422),
            ("nothing/steer", {"action": "pause"}, 422),
            ("slow/resume", {}, 422),
            ("slow/branch", {"changes": {"--out": "/tmp/x"}}, 400),
            ("slow/branch", {"changes": {"out": "/tmp/x"}}, 400),
            ("slow/branch", {"changes": {"recipe": "/etc/passwd"}}, 400),
            ("slow/branch", {"changes": {"init.path": "/etc"}}, 400),
            ("slow/branch", {"changes": {"optimizer.lr": "a\nb"}}, 400),
            ("slow/branch", {"step": -1}, 400),
            ("slow/branch", {"step": 7}, 422),
        ],
    )
    def test_what_is_refused(
        self, path: str, body: Any, status: int, studio: Studio, runs: Path
    ) -> None:
        before = sorted(p.name for p in runs.iterdir())
        code, _, content = studio.ask(f"/api/runs/{path}", "POST", body)
        assert code == status, content
        assert json.loads(content)["error"]["what"]
        assert sorted(p.name for p in runs.iterdir()) == before

    def test_a_branch_and_a_resumed_run_are_nobodys_children(self, runs: Path) -> None:
        with studio_of(runs) as own:
            changes = {"optimizer.lr": "0.05", "length": "4000 epochs"}
            made = own.post("/api/runs/slow/branch", {"changes": changes})
            assert made["run"] == "slow-branch-0001"
            own.post("/api/runs/half/resume", {})
            os.killpg(own.process.pid, signal.SIGKILL) if os.getpgid(
                own.process.pid
            ) == own.process.pid else own.process.kill()
        branch = runs / "slow-branch-0001"
        first = until(branch, "running", 1)
        until(branch, "running", (first.step or 0) + 1)  # it goes on without the studio
        assert cy.steer(branch, "stop")["action"] == "stop"
        until(branch, "stopped")
        until(runs / "half", "finished")
        (child,) = branches_of(runs / "slow", {branch.name: branch, "half": runs / "half"})
        assert child["name"] == branch.name
        assert "optimizer.lr 1e-05 -> 0.05" in child["changes"]


WATCHED = 3000  # epochs: 20 studios start and are killed in their time


def u9(place: Path, epochs: int, kills: int, steer: bool) -> dict[str, Any]:
    """A run while a studio watches it and is killed again and again; its fingerprint."""
    folder = place / "runs" / "run"
    folder.parent.mkdir(parents=True)
    killed = 0
    with trainer(*fitting(folder, epochs, "--seed", "1")) as process:
        while process.poll() is None and (killed < kills or steer):
            with studio_of(folder.parent) as studio:
                while process.poll() is None and not folder.exists():
                    time.sleep(0.01)
                for _ in range(5):
                    if process.poll() is None:
                        studio.get("/api/runs/run")
                if steer and process.poll() is None:
                    for action in ("pause", "checkpoint", "resume"):
                        studio.ask("/api/runs/run/steer", "POST", {"action": action})
                studio.process.kill()
                killed += 1
                steer = steer and killed < kills
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return {**fingerprint(folder), "killed": killed}


def test_training_is_the_same_with_a_studio_that_is_killed(server: Server, swift: Path) -> None:
    """Watched, paused, saved and let go on by a studio that is then killed."""
    words = {"job_name": "mlp-adam", "length": "6000 steps"}
    assert server.train(swift / "peace", **words).code == 0
    folder = swift / "watched" / "run"
    folder.parent.mkdir()
    with studio_of(folder.parent) as studio:
        pid = server.start("train", swift, folder=folder, **words)
        until(folder, "running", 1)
        for action in ("pause", "checkpoint", "resume"):
            assert studio.post("/api/runs/run/steer", {"action": action})["by"] == "studio"
        studio.get("/api/runs/run")
        studio.process.kill()
    assert server.end(pid).code == 0
    assert differences(fingerprint(swift / "peace"), fingerprint(folder)) == []


@pytest.fixture(scope="module")
def unwatched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run that no studio watched; its fingerprint."""
    peace = tmp_path_factory.mktemp("unwatched") / "peace"
    with trainer(*fitting(peace, WATCHED, "--seed", "1")) as process:
        process.communicate(timeout=300)
    return fingerprint(peace)


@pytest.mark.hard
@pytest.mark.parametrize("steer", [False, True])
def test_training_is_the_same_with_a_studio_that_is_killed_20_times(
    steer: bool, unwatched: dict[str, Any], tmp_path: Path
) -> None:
    """U9: off, on, killed 20 times, with requests in between."""
    found = u9(tmp_path / "killed", WATCHED, kills=20, steer=steer)
    assert found["killed"] == 20
    assert differences(unwatched, found) == []


@pytest.mark.skipif(
    bool(browser.refusal()) or not BUILT.is_file(), reason="no browser, or no pages"
)
def test_the_page_pauses_goes_on_and_stops_a_run(tmp_path: Path) -> None:
    """A person watches a run that trains, pauses it, lets it go on, and stops it, by keyboard."""
    folder = tmp_path / "runs" / "live"
    folder.parent.mkdir()
    shown = browser.Browser(tmp_path)
    try:
        with (
            trainer(*fitting(folder, LONG)) as process,
            studio_of(folder.parent) as studio,
        ):
            until(folder, "running", 10)
            with shown.visit(studio.address, width=browser.NARROW) as (page, asked):
                page.goto(f"{studio.address.split('?')[0]}#/runs/live")
                page.get_by_role("heading", name="This run trains").wait_for()
                page.get_by_role("button", name="Pause").press("Enter")
                page.get_by_role("heading", name="This run is paused").wait_for()
                assert status_of(folder).state == "paused"
                page.locator(".who .badge", has_text="Paused").wait_for()
                page.get_by_role("button", name="Go on").press("Enter")
                page.get_by_role("heading", name="This run trains").wait_for()
                page.get_by_role("button", name="Save now").press("Enter")
                page.get_by_text("verified").first.wait_for()
                page.get_by_role("button", name="Stop and score").press("Enter")
                page.get_by_role("button", name="Yes: Stop and score").press("Enter")
                page.locator("p.big").wait_for(timeout=60_000)
                process.wait(60)
                told = overview_of(folder, "en")
                assert page.locator("p.big").inner_text() == told["score"]["text"]
                assert page.locator("h1").inner_text() == told["verdict"]
                assert page.get_by_text("stopped by its user at step").count() >= 1
                page.locator(".who .badge", has_text="Stopped by its user").wait_for()
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert page.evaluate(wide) <= 0
                from axe_playwright_python.sync_playwright import Axe

                broken = Axe().run(page).response["violations"]
                assert broken == [], [rule["id"] for rule in broken]
                assert all(url.startswith(f"http://127.0.0.1:{studio.port}/") for url in asked)
    finally:
        shown.close()
