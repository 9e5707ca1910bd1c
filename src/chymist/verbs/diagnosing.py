"""What is wrong with a run: its findings, written, read back and asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chymist.doctor import Finding
from chymist.doctor.finding import ranked
from chymist.doctor.reading_curves import CURVE_RULES, findings_of_curves
from chymist.engine.files import write_file
from chymist.engine.folder import open_folder
from chymist.engine.imported import is_imported, read_imported
from chymist.engine.stored import read_as
from chymist.errors import InputError
from chymist.reports.findings import as_text
from chymist.values import Data, Run

FILE = "findings.json"
TRIED = "experiments.json"


@dataclass(frozen=True)
class Checked:
    """What the doctor looked at.

    Args:
        rules: number of causes that were asked for.
        steps, epochs, looks: of the run; deep looks at the model.
        train, valid: rows looked at.
        stopped: why the watching ended before the run; empty if it did not.
        curves: whether there was nothing but recorded curves.
    """

    rules: int = 0
    steps: int = 0
    epochs: int = 0
    looks: int = 0
    train: int = 0
    valid: int = 0
    stopped: str = ""
    curves: bool = False

    def __str__(self) -> str:
        if self.curves:
            return (f"{self.rules} symptoms were looked for in the curves; causes take the model "
                    "and the rows")  # fmt: skip
        if self.stopped:
            return f"the doctor could not look at this run ({self.stopped})"
        if not self.rules:
            return "nobody watched this run (doctor=False)"
        rows = f"{self.train:,} training and {self.valid:,} validation rows"
        return (f"{self.rules} causes were checked: {self.steps:,} steps, {self.epochs:,} epochs, "
                f"{self.looks:,} deep looks, {rows}")  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """The findings of a run, the surest first; it is read like a list.

    Args:
        run: its folder.
        findings: in rank order.
        checked: what was looked at.
        experiments: what experiments found, as plain values (`Experiments.to_dict`); None if none
            were made.
    """

    run: str
    findings: tuple[Finding, ...]
    checked: Checked = field(default_factory=Checked)
    experiments: Mapping[str, Any] | None = None

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, place: int) -> Finding:
        return self.findings[place]

    @property
    def silence(self) -> str:
        """What there is to say where there is no finding."""
        return (
            f"nothing wrong was found; {self.checked}" if self.checked.rules else str(self.checked)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON of `diagnose`."""
        tried = None if self.experiments is None else dict(self.experiments)
        return {"run": self.run, "findings": [f.to_dict() for f in self.findings],
                "checked": msgspec.to_builtins(self.checked), "experiments": tried}  # fmt: skip

    def _repr_html_(self) -> str:
        from chymist.verbs.diagnosis_pages import diagnosis_view  # it knows diagnoses

        return diagnosis_view(self)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"{f.level}  {f.code}: {f.claim}" for f in self.findings]
        if not lines:
            lines = [self.silence]
        if self.experiments is not None:
            lines.append(f"experiments: {self.experiments['claim']}")
        return "\n".join(lines)


@dataclass(frozen=True)
class StoredFindings:
    """`findings.json`."""

    findings: list[Finding]
    checked: Checked
    signals: dict[str, list[tuple[int, float | None]]]
    experiments: dict[str, Any] | None = None


@dataclass(frozen=True)
class StoredExperiments:
    """`experiments.json`: what they found, and the findings as they leave them."""

    findings: list[Finding]
    experiments: dict[str, Any]


def diagnose(
    run: Run | str | Path,
    experiments: bool = False,
    budget: float = 0.25,
    *,
    model: Any = None,
    data: Data | None = None,
) -> Diagnosis:
    """What is wrong with a run, as its record shows; with experiments, why.

    Without experiments nothing is trained. With them, small trainings that differ from the run in
    one thing each show what limits it; what they found is kept in the run folder. Of an imported
    log the losses are read, and nothing else is there.

    Args:
        run: a run, or its folder.
        experiments: whether to make experiments.
        budget: optimiser steps of all experiments together, as a share of those of the run.
        model: the user's own module or factory, if the run was made with one and is read from
            its folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        The findings in rank order, with their evidence, what was checked, and what experiments
        found, now or before.

    Raises:
        InputError: no run folder, a run that has not ended, or one that was not watched; for
            experiments, rows or a module that are not at hand.
        UsageError: a closed-form solution, which has no steps to experiment with.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("iris"), seed=0)
        >>> run = cy.fit(cy.Recipe(model="softmax", length="60 epochs"), split, seed=0)
        >>> report = cy.diagnose(run)
        >>> len(report), report.checked.steps == run.facts["steps"]
        (0, True)
        >>> cy.diagnose(run, experiments=True).experiments["verdict"]
        'nothing'
    """
    if experiments:
        from chymist.verbs.diagnosing_runs import experiment

        experiment(run, budget, model, data)
    if not isinstance(run, Run) and is_imported(Path(run)):
        return _of_curves(Path(run))
    path = run.path if isinstance(run, Run) else open_folder(run).path
    stored = read_findings(path)
    if stored is None:
        state = "it has ended" if (path / "result.json").exists() else "it has not ended"
        raise InputError(
            "the run has no findings", where=str(path), received=state,
            do="run fit again" if state == "it has ended" else f"chymist resume {path}",
        )  # fmt: skip
    return Diagnosis(str(path), tuple(stored.findings), stored.checked, stored.experiments)


def _of_curves(folder: Path) -> Diagnosis:
    """What the curves of an imported log show."""
    curves = read_imported(folder).series
    checked = Checked(rules=len(CURVE_RULES), curves=True)
    return Diagnosis(str(folder), tuple(ranked(findings_of_curves(curves))), checked)


def write_findings(
    folder: Path, findings: Sequence[Finding], checked: Mapping[str, Any],
    signals: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write what the doctor found into the run folder.

    Args:
        folder: the run folder.
        findings: in rank order.
        checked: what was looked at.
        signals: series that the run's own record does not have; kept if there is a finding.
    """
    plain = {"checked": dict(checked), "findings": [f.to_dict() for f in findings],
             "signals": dict(signals) if findings else {}}  # fmt: skip
    write_file(
        folder / FILE, msgspec.json.format(msgspec.json.encode(plain, enc_hook=_plain), indent=1)
    )


def write_experiments(folder: Path, findings: Sequence[Finding], found: Mapping[str, Any]) -> None:
    """Write what experiments found into the run folder, beside what the signals said.

    Args:
        folder: the run folder.
        findings: as experiments leave them, in rank order.
        found: what they found, as plain values.
    """
    plain = {"findings": [f.to_dict() for f in findings], "experiments": dict(found)}
    write_file(
        folder / TRIED, msgspec.json.format(msgspec.json.encode(plain, enc_hook=_plain), indent=1)
    )


def read_signalled(folder: Path) -> StoredFindings | None:
    """What signals said, before any experiment; None for a run that was not watched.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / FILE
    return read_as(path, StoredFindings)[1] if path.exists() else None


def read_findings(folder: Path) -> StoredFindings | None:
    """What the doctor found, read back; None for a run that was neither watched nor tried.

    Raises:
        InputError: a file is damaged.
    """
    found, path = read_signalled(folder), folder / TRIED
    if not path.exists():
        return found
    tried = read_as(path, StoredExperiments)[1]
    told = found or StoredFindings([], Checked(), {})
    return replace(told, findings=tried.findings, experiments=tried.experiments)


def signals_of(stored: StoredFindings | None) -> dict[str, np.ndarray]:
    """The doctor's series of a run, as those of its history: (points, 2) of step and value."""
    series = {} if stored is None else stored.signals
    return {name: np.array(points, np.float64) for name, points in series.items() if points}


def evidence_text(evidence: Mapping[str, object]) -> str:
    """The numbers and names of a finding in one line.

    Example:
        >>> evidence_text({"share": 0.51234567, "layer": "body.1", "steps": [1, 2]})
        'share 0.5123 · layer body.1 · steps 1, 2'
    """
    return " · ".join(f"{name} {as_text(value)}" for name, value in evidence.items())


def _plain(value: object) -> object:
    """Numbers of NumPy as Python's; what is no plain value is named."""
    return value.item() if isinstance(value, np.generic) else str(value)
