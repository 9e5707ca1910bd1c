"""The doctor beside a run of `fit`: what it finds is written, said and drawn, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.doctor import Finding, Watcher
from chymist.doctor.finding import Remedy
from chymist.engine.events import Event, Step
from chymist.engine.loop import Program
from chymist.errors import Diverged, InputError, Interrupted
from chymist.reports.findings import chart_of, findings_section
from chymist.verbs.diagnosing import evidence_text, read_findings, write_findings
from chymist.verbs.watching import POINTS, Tap, some_rows, thinned

SLOW = cy.Recipe(
    model=cy.models.mlp(hidden=(16,)), optimizer=cy.optim.sgd(lr=1e-6), schedule="constant",
    length="12 epochs", batch_size=16, stop="none",
)  # fmt: skip
TWICE = cy.Recipe(
    model=lambda shapes: nn.Sequential(
        nn.Linear(shapes.inputs[0], 16), nn.ReLU(), nn.Linear(16, shapes.outputs), nn.Softmax(1)
    ),
    length="6 epochs", batch_size=16, stop="none",
)  # fmt: skip
SLOW_WORDS = [
    "--model", "mlp", "--model.hidden", "16", "--optimizer", "sgd", "--optimizer.lr", "1e-6",
    "--schedule", "constant", "--length", "12 epochs", "--stop", "none", "--batch-size", "16",
]  # fmt: skip


@pytest.fixture(scope="module")
def iris() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


@pytest.fixture(scope="module")
def slow(iris: cy.Split, tmp_path_factory: pytest.TempPathFactory) -> cy.Run:
    return cy.fit(SLOW, iris, out=tmp_path_factory.mktemp("slow") / "run")


def codes(run: Any) -> list[str]:
    return [finding.code for finding in run]


@pytest.mark.parametrize("drop", [0.0, 0.3])
def test_no_bit_depends_on_the_doctor(drop: float) -> None:
    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(model=cy.models.cnn(channels=(4,), dropout=drop), length="24 steps")
    plain, watched = (cy.fit(recipe, split, seed=1, doctor=on) for on in (False, True))
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, watched.model.state_dict()[name]), name
    for name, series in plain.history.items():
        assert np.array_equal(series, watched.history[name]), name
    assert plain.findings == ()
    assert read_findings(plain.path) is None
    assert not watched.model._forward_pre_hooks
    assert not watched.model._forward_hooks


def test_foreign_random_layers_draw_the_same(iris: cy.Split) -> None:
    def net(shapes: cy.Shapes) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))

    recipe = cy.Recipe(model=net, length="3 epochs", batch_size=16)
    plain, watched = (cy.fit(recipe, iris, doctor=on) for on in (False, True))
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, watched.model.state_dict()[name]), name


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_healthy_runs_are_left_in_peace(name: str) -> None:
    told: list[Finding] = []
    run = cy.fit(cy.Recipe(), cy.split(cy.load(name), seed=0), doctor=told.append)
    assert codes(run.findings) == []
    assert told == []
    report = cy.diagnose(run)
    assert len(report) == 0
    assert report.checked.stopped == ""
    assert report.checked.steps == run.facts["steps"]
    assert report.checked.rules > 30
    assert report.checked.train == len(run.split.train)
    assert "\n" not in str(report)
    assert "causes were checked" in str(report)


def test_a_healthy_fit_of_digits_prints_nothing_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "digits", "--out", "run"]) == 0
    assert "Finding" not in capsys.readouterr().out
    assert json.loads((tmp_path / "run/findings.json").read_text())["findings"] == []
    assert '<h2 id="findings' not in (tmp_path / "run/report.html").read_text()
    assert main(["diagnose", "run"]) == 0
    assert "nothing wrong was found" in capsys.readouterr().out
    assert main(["show", "run"]) == 0
    assert "Finding" not in capsys.readouterr().out


def test_what_is_certain_is_said_while_the_run_trains(iris: cy.Split) -> None:
    heard: list[Any] = []
    run = cy.fit(TWICE, iris, observer=heard.append, doctor=heard.append)
    places = [n for n, item in enumerate(heard) if isinstance(item, Finding)]
    assert heard[places[0]].code == "double_softmax"
    assert heard[places[0] - 1].step == 12 < run.facts["steps"]
    others = [heard[n].code for n in places[1:]]
    assert "double_softmax" not in others
    assert places[1:] == list(range(len(heard) - len(others), len(heard)))
    assert run.findings[0].level == "certain"
    assert codes(run.findings)[0] == "double_softmax"


def test_findings_are_the_same_in_memory_file_and_json(slow: cy.Run) -> None:
    assert "lr_too_low" in codes(slow.findings)
    plain = json.loads((slow.path / "findings.json").read_text())
    assert plain["findings"] == [finding.to_dict() for finding in slow.findings]
    assert cy.diagnose(slow.path).to_dict() == cy.diagnose(slow).to_dict()
    again = cy.load_run(slow.path)
    assert again.findings == slow.findings
    assert np.array_equal(again.history["update_ratio"], slow.history["update_ratio"])


def test_the_evidence_can_be_checked_from_the_folder(slow: cy.Run) -> None:
    found = next(f for f in slow.findings if f.code == "lr_too_low")
    signals = json.loads((slow.path / "findings.json").read_text())["signals"]
    ratios = [value for _, value in signals["update_ratio"]]
    assert found.evidence["ratio"] == pytest.approx(float(np.median(ratios)))
    losses, fifth = slow.history["loss"][:, 1], len(slow.history["loss"]) // 5
    fell = losses[-2 * fifth : -fifth].mean() - losses[-fifth:].mean()
    assert found.evidence["fell"] == pytest.approx(fell / losses[:fifth].mean())


def test_faces_of_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "iris", *SLOW_WORDS, "--out", "run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [n for n, text in enumerate(lines) if text.startswith("Finding finding  lr_too_low: ")]
    assert len(told) == 1
    assert lines[told[0] + 1] == "Remedy  a higher learning rate (--optimizer.lr 0.01)"
    assert main(["show", "run"]) == 0
    assert "Finding finding  lr_too_low" in capsys.readouterr().out
    assert main(["show", "run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["findings"]
    assert main(["diagnose", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["run"] == "run"
    assert found["findings"] == shown
    assert set(shown[0]) == {"code", "level", "claim", "evidence", "remedy"}
    assert main(["diagnose", "run", "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "学习率过小" in out
    assert "steps are tiny" in out
    assert "Remedy  提高学习率 (--optimizer.lr 0.01)" in out
    assert main(["show", "run", "--lang", "zh"]) == 0
    assert "学习率过小" in capsys.readouterr().out
    assert main(["report", "run", "--lang", "zh"]) == 0
    page = Path("run/report.html").read_text()
    assert "<p><strong>学习率过小</strong></p>" in page
    assert "<strong>怎么办：</strong>" in page
    assert main(["report", "run", "--lang", "en"]) == 0
    assert "学习率过小" not in Path("run/report.html").read_text()
    assert main(["fit", "iris", *SLOW_WORDS, "--out", "chinese", "--lang", "zh"]) == 0
    assert "lr_too_low 学习率过小: steps are tiny" in capsys.readouterr().out
    assert "学习率过小" in Path("chinese/report.html").read_text()
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["show", "run"]) == 0
    assert "学习率过小" in capsys.readouterr().out
    assert main(["fit", "iris", *SLOW_WORDS, "--out", "again", "--json", "--quiet"]) == 0
    again = json.loads(capsys.readouterr().out)["findings"]
    assert [f["code"] for f in again] == [f["code"] for f in shown]


def test_a_run_that_diverges_is_diagnosed(iris: cy.Split, tmp_path: Path) -> None:
    recipe = SLOW.replace(optimizer=cy.optim.sgd(lr=1e30))
    told: list[Finding] = []
    with pytest.raises(Diverged) as error:
        cy.fit(recipe, iris, out=tmp_path / "run", doctor=told.append)
    found = cy.diagnose(tmp_path / "run")
    assert found[0].code == "nan_inf_loss"
    assert found[0].level == "certain"
    assert error.value.where.startswith(f"step {found[0].evidence['step']},")
    assert codes(told)[0] == "nan_inf_loss"
    assert len(codes(told)) == len(set(codes(told)))


@pytest.mark.parametrize("after", [5, 31, 40])
def test_a_resumed_run_has_the_findings_of_an_uninterrupted_one(
    after: int, iris: cy.Split, slow: cy.Run, tmp_path: Path
) -> None:
    taken: list[Event] = []
    with pytest.raises(Interrupted):
        cy.fit(SLOW, iris, out=tmp_path / "run", observer=taken.append,
               interrupted=lambda: len(taken) >= after)  # fmt: skip
    assert not (tmp_path / "run" / "findings.json").exists()
    with pytest.raises(InputError, match=r"no findings.*resume"):
        cy.diagnose(tmp_path / "run")
    run, step, _ = cy.resume(tmp_path / "run")
    assert 0 < step < run.facts["steps"]
    assert codes(run.findings) == codes(slow.findings)
    for mine, theirs in zip(run.findings, slow.findings, strict=True):
        assert mine.evidence.keys() == theirs.evidence.keys()
        assert mine.evidence.get("fell") == theirs.evidence.get("fell")
    assert cy.diagnose(run).checked.steps == slow.facts["steps"]


def noisy() -> cy.Split:
    """Labels that depend on one of thirty features, and are wrong in three rows of ten."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(400, 30)).astype(np.float32)
    labels = (inputs[:, 0] > 0) ^ (random.random(400) < 0.3)
    return cy.split(cy.load((inputs, labels.astype(int))), seed=0)


def test_weights_that_are_not_kept_are_no_overfitting() -> None:
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(64,)), length="60 epochs", batch_size=32,
                       optimizer=cy.optim.adam(lr=3e-3), schedule="constant")  # fmt: skip
    ends = cy.fit(recipe.replace(stop="none"), noisy())
    kept = cy.fit(recipe.replace(stop=cy.stop.early("val_loss", patience="60 epochs")), noisy())
    assert "overfitting" in codes(ends.findings)
    assert kept.facts["best_epoch"] < 20
    assert "overfitting" not in codes(kept.findings)
    assert cy.diagnose(kept).checked.epochs == 60


def test_a_doctor_who_fails_harms_no_run(iris: cy.Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise KeyError("a foreign module")

    plain = cy.fit(SLOW, iris, doctor=False)
    monkeypatch.setattr(Watcher, "step", fails)
    run = cy.fit(SLOW, iris)
    assert run.findings == ()
    assert run.score == plain.score
    assert "could not look" in str(cy.diagnose(run))
    assert "KeyError" in str(cy.diagnose(run))


def test_an_error_of_the_listener_is_the_callers() -> None:
    def fails(finding: Finding) -> None:
        raise KeyError(finding.code)

    with pytest.raises(KeyError, match="double_softmax"):
        cy.fit(TWICE, cy.split(cy.load("iris"), seed=0), doctor=fails)


def test_runs_without_findings_and_damaged_ones(iris: cy.Split, tmp_path: Path) -> None:
    run = cy.fit(SLOW, iris, out=tmp_path / "run", doctor=False)
    with pytest.raises(InputError, match=r"no findings.*it has ended; run fit again"):
        cy.diagnose(run)
    assert cy.load_run(run.path).findings == ()
    for text in ('{"findings": 3}', '{"findings": [{"code": "a"}]}', "no json"):
        (run.path / "findings.json").write_text(text)
        with pytest.raises(InputError, match=r"damaged.*findings\.json"):
            cy.diagnose(run)


def test_numbers_of_numpy_and_no_numbers_are_written(tmp_path: Path) -> None:
    evidence = {"a": np.float32(0.5), "b": np.int64(3), "c": float("nan"), "d": {1: 2.0}}
    finding = Finding("x", "finding", "claim", evidence, Remedy("words", {"lr": np.float64(0.1)}))
    write_findings(tmp_path, [finding], {"rules": 1}, {})
    stored = read_findings(tmp_path)
    assert stored is not None
    assert stored.findings[0].evidence == {"a": 0.5, "b": 3, "c": None, "d": {"1": 2.0}}
    assert evidence_text(stored.findings[0].evidence) == "a 0.5 · b 3 · c none · d 1: 2"


def test_cards_of_the_report(slow: cy.Run) -> None:
    page = (slow.path / "report.html").read_text()
    assert 'id="findings"' in page
    assert "chymist why lr_too_low" in page
    section = findings_section(slow)
    told = [f for f in slow.findings if f.level != "observation"]
    assert section.count("<article>") == len(told)
    assert "update over weight by step" in section
    assert "Loss by epoch" in str(chart_of(slow, "overfitting"))
    assert [f.code for f in slow.findings if f.level == "observation"] == ["optimisation_failure"]
    assert "Also seen, and no alarm" in section


def test_cards_are_inert_and_symptoms_are_named_apart(slow: cy.Run) -> None:
    from dataclasses import replace

    hostile = "<script>alert(1)</script>"
    found = (
        Finding(hostile, "finding", hostile, {hostile: [hostile]}, Remedy(hostile, {"a": hostile})),
        Finding("dead_relu", "observation", "12 of 64 units never fire"),
    )
    section = findings_section(replace(slow, findings=found))
    assert "<script" not in section
    assert "&lt;script&gt;" in section
    assert section.count("<article>") == 1
    assert "Also seen, and no alarm" in section
    quiet = findings_section(replace(slow, findings=found[1:]))
    assert "found nothing wrong" in quiet


def test_the_ear_hands_on_what_it_hears() -> None:
    program = Program(
        None, lambda model, x: model(x), nn.functional.mse_loss, lambda step: 1.0, None,  # type: ignore[arg-type]
        lambda model: {}, None, 4, 1, 0,
    )  # fmt: skip
    ear, model, inputs = Tap(program), nn.Linear(3, 1), torch.ones(4, 3)
    outputs = ear.apply(model, inputs)
    assert outputs.requires_grad
    assert torch.equal(outputs, model(inputs))
    each = ear.loss(outputs, torch.zeros(4, 1), reduction="none")
    assert each.shape == (4, 1)
    assert ear.batch is not None
    assert ear.batch[0] is inputs
    assert not ear.batch[1].requires_grad


class Counted:
    """Rows of which it is noted which were taken."""

    def __init__(self, rows: int, features: int) -> None:
        self.targets, self.features = torch.arange(rows), features

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: torch.Tensor) -> torch.Tensor:
        return index[:, None].expand(len(index), self.features)

    def batches(self, indices: Any) -> Iterator[Any]:
        raise AssertionError


@pytest.mark.parametrize(
    ("rows", "features", "expected"),
    [(0, 3, None), (100, 3, 100), (5000, 3, 1500), (5000, 1000, 1000), (5000, 10**6, 256)],
)
def test_rows_that_are_looked_at(rows: int, features: int, expected: int | None) -> None:
    found = some_rows(Counted(rows, features), 0, "train")
    if expected is None:
        assert found is None
        return
    assert found is not None
    inputs, targets = found
    assert len(inputs) == len(targets) == len(set(targets.tolist())) == expected
    assert torch.equal(inputs[:, 0], targets)
    assert targets.tolist() != sorted(targets.tolist()), "sorted rows would mislead"


def test_of_a_long_series_the_greatest_values_are_kept() -> None:
    points = [(n, float(n % 7)) for n in range(2000)]
    points[1234] = (1234, 99.0)
    kept = thinned(points)
    assert len(kept) == POINTS
    assert (1234, 99.0) in kept
    assert kept == sorted(kept)


def test_steps_are_events_of_the_run(iris: cy.Split) -> None:
    steps: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, Step):
            steps.append(event.step)

    run = cy.fit(SLOW, iris, observer=note)
    assert steps == list(range(1, run.facts["steps"] + 1))
