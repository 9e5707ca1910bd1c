"""What a playground says of a run that has ended: the same numbers as everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chymist.doctor import Finding
from chymist.doctor.texts import LANGUAGES
from chymist.engine.assembly import Assembly, predictions_for
from chymist.evidence.scores import score
from chymist.parts import registered
from chymist.reports.saying import saying
from chymist.studio.tasks.play_setup import MODELS, Setup
from chymist.values import Predictions, Recipe, Run, Split, show
from chymist.verbs.reporting import command_for, script_of

RECIPE = "recipe.toml"


def choices() -> dict[str, Any]:
    """What a page can offer: names of the registry, toy sets with their options."""
    kinds = ("activation", "optimizer", "penalty", "schedule", "loss")
    found: dict[str, Any] = {kind: sorted(registered(kind)) for kind in kinds}
    found["model"] = list(MODELS)
    found["toy"] = {
        name: {option: known.default for option, known in entry.options.items()}
        for name, entry in registered("toy").items()
    }
    return found


def about(setup: Setup, assembly: Assembly) -> dict[str, Any]:
    """What is trained, before the first step."""
    data = setup.split.data
    program = assembly.program
    return {
        "data": data.name, "task": data.task, "classes": list(data.classes),
        "target": data.target, "axes": list(setup.axes), "columns": list(setup.columns),
        "train": len(setup.split.train), "held_out": len(setup.split.valid),
        "model": assembly.recipe.model.name, "loss": assembly.recipe.loss.name,
        "parameters": sum(p.numel() for p in assembly.state.model.parameters()),
        "inputs": list(assembly.preparation.feature_names)[:8],
        "steps": program.total_steps, "steps_per_epoch": program.steps_per_epoch,
        "toml": assembly.recipe.to_toml(), **ways(setup, assembly.recipe),
    }  # fmt: skip


def ways(setup: Setup, recipe: Recipe) -> dict[str, Any]:
    """The script and the command that do the same."""
    return {
        "python": script_of(recipe, setup.split, setup.seed, 1),
        "command": command_for(recipe, setup.split, setup.seed, 1, "."),
    }


def counts(predictions: Predictions, classes: Sequence[str]) -> list[list[int]]:
    """How many rows of each class (down) were taken for which (across)."""
    size = len(classes)
    if not size:
        return []
    pairs = predictions.targets * size + predictions.outputs.argmax(1)
    found: list[list[int]] = np.bincount(pairs, minlength=size * size).reshape(size, -1).tolist()
    return found


def summary(run: Run, assembly: Assembly) -> dict[str, Any]:
    """Score, floors, verdict and findings of a run that has ended."""
    say = saying("zh")
    trained = predictions_for(assembly, run.split, "train")
    fitted = score(trained, run.score.metric, "train", None, run.seed)
    floors = [{"name": f.name, "zh": say.again(f.name) or f.name, **_shown(f.score.to_dict())}
              for f in run.floors]  # fmt: skip
    return {
        "score": _shown(run.score.to_dict()), "trained": _shown(fitted.to_dict()),
        "floors": floors, "verdict": run.verdict, "verdict_zh": say.again(run.verdict),
        "metrics": {name: [value, show(name, value)] for name, value in run.metrics.items()},
        "findings": [told(finding) for finding in run.findings],
        "confusion": counts(run.predictions, run.data.classes),
        "notes": list(run.facts.get("notes", ())), "steps": run.facts["steps"],
    }  # fmt: skip


def _shown(plain: dict[str, Any]) -> dict[str, Any]:
    """A score with its numbers as every face of chymist writes them."""
    texts = [show(plain["metric"], plain[name]) for name in ("value", "low", "high")]
    return {**plain, "text": f"{texts[0]} [{texts[1]}, {texts[2]}]"}


def told(finding: Finding) -> dict[str, Any]:
    """A finding in both languages."""
    known = LANGUAGES["zh"].get(finding.code)
    remedy = finding.remedy.words if finding.remedy else ""
    return {
        "code": finding.code, "level": finding.level, "claim": finding.claim,
        "zh": known.title if known else finding.claim, "remedy": remedy,
        "remedy_zh": known.remedy if known else remedy,
    }  # fmt: skip


def named_again(split: Split, place: str) -> Split:
    """The same rows, said to come from a file."""
    data = split.data
    return replace(split, data=replace(data, source={**data.source, "load": place}))
