"""What the verbs print: labelled lines for people, one object for programs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from chymist.cli.findings import print_findings
from chymist.cli.terminal import Screen, counted
from chymist.data.cells import short
from chymist.engine.assembly import Assembly, forward
from chymist.engine.defaults import TREES
from chymist.engine.folder import Saved
from chymist.engine.status import status_of
from chymist.engine.threads import using_threads
from chymist.models.counting import count_fitted
from chymist.optim import AT_ONCE
from chymist.reports.trees import size_text, tree_text
from chymist.values import Data, Floor, Recipe, Run, Score, Split, show
from chymist.verbs.designs import note_of_copies
from chymist.verbs.diagnosing import read_findings
from chymist.verbs.reading import coefficients
from chymist.verbs.reporting import command_of
from chymist.verbs.trees import tree_of
from chymist.verbs.validation import CrossValidation

TREE_LEVELS, TREE_LINES = 3, 40  # of a tree that `show` prints

# Told beside the headline score, where the task has them.
BESIDE = ("perplexity", "bits_per_character", "chunk_f1")


def print_data(screen: Screen, rows: Split | Data) -> None:
    """What was read, and which rows are for what."""
    from chymist.reports.text import table

    data = rows.data if isinstance(rows, Split) else rows
    what = f"{len(data.classes)} classes" if data.classes else f"target {data.target}"
    words = {"image": "images", "text": "texts", "sequence": "sequences"}
    kind = words.get(data.kind, "rows")
    shape = ""
    if not isinstance(data.inputs, Mapping) and data.inputs.ndim > 1:
        shape = " of " + " x ".join(str(n) for n in data.inputs.shape[1:])
    if data.kind == "graph" and data.graph is not None:  # their inputs are numbers of nodes
        kind = "nodes" if data.graph.owners is None else "graphs"
        features = data.graph.features
        shape = "" if features is None else f" of {counted(features.shape[1], 'feature')}"
    screen.line(
        "Data",
        f"{data.name} · {len(data):,} {kind}{shape} · {what} · fingerprint {data.fingerprint[:12]}",
    )
    if data.kind == "table":
        cells = [
            [
                c.name,
                c.kind,
                str(c.missing or ""),
                str(c.distinct),
                c.note or ("feature" if c.used else "not used"),
            ]
            for c in data.columns
        ]
        screen.block(table(cells, ["column", "kind", "missing", "distinct", "use"], 92))
    for note in data.notes:
        screen.line("Note", note)
    if isinstance(rows, Split):
        sealed = f"{len(rows.test):,} test (sealed)" if len(rows.test) else "no test rows"
        screen.line(
            "Rows",
            f"{len(rows.train):,} train · {len(rows.valid):,} valid · {sealed} · "
            f"{rows.method}, seed {rows.seed}",
        )


def print_model(screen: Screen, assembly: Assembly, split: Split) -> None:
    """Model and plan, and the loss before the first step beside what it should be."""
    program, model, recipe = assembly.program, assembly.state.model, assembly.recipe
    solved = any(hasattr(module, "fitted_numbers") for module in model.modules())
    parameters = "solved from all rows" if solved else f"{count_fitted(model):,} parameters"
    solver = recipe.optimizer.name in AT_ONCE
    few = min(8 if assembly.shapes.each_step else 256, len(program.rows))
    with using_threads(1):
        scores = forward(model, [program.rows.take(torch.arange(few))])
    first = float(program.loss(scores, program.rows.targets[:few]))
    expected = assembly.form.initial
    hint = f" (uninformed: {expected(len(split.data.classes)):.2f})" if expected else ""
    size, outputs = assembly.shapes.inputs, assembly.shapes.outputs
    inputs = counted(size[0], "input") if len(size) == 1 else f"{' x '.join(map(str, size))} inputs"
    graph = assembly.shapes.graph
    if graph is not None and graph.features is not None and split.data.kind == "graph":
        inputs = counted(graph.features.shape[1], "input")
    start = "" if solver else f" · initial loss {first:.2f}{hint}"
    screen.line(
        "Model", f"{recipe.model} · {inputs}, {counted(outputs, 'output')} · {parameters}{start}"
    )
    rule, threads = program.rule, threads_text(torch.get_num_threads())
    stop = f" · best {rule.monitor} is kept" if rule else ""
    schedule = f" · {recipe.schedule.name}" if recipe.schedule else ""
    each = f"{counted(program.steps_per_epoch, 'step')} each · batch {program.batch_size}"
    how = f"{recipe.length}, {each} · {recipe.optimizer}{schedule}{stop}"
    if solver:
        how = f"solved from {counted(len(program.rows), 'row')} by {recipe.optimizer}"
    screen.line("Plan", f"{how} · {threads}")
    for column, cells in assembly.preparation.filled.items():
        screen.line("Note", f"{cells:,} empty cells of '{column}' in the training rows are filled")


def threads_text(count: int) -> str:
    """A number of threads in words."""
    return f"{count} thread" if count == 1 else f"{count} threads"


def near(path: Path) -> str:
    """A path as a person would type it from here."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def print_result(screen: Screen, run: Run) -> None:
    """Score, floors, verdict and where everything is."""
    screen.line("Result", score_text(run.score), result=True)
    beside = [f"{name} {show(name, run.metrics[name])}" for name in BESIDE if name in run.metrics]
    if beside:
        screen.line("Metrics", " · ".join(beside))
    if run.score.selected_on:
        stops = run.recipe.stop is not None and run.recipe.stop.name != "none"
        what = "weights were" if stops else "learning rate was"
        screen.line(
            "Note",
            f"the {what} chosen by {run.score.selected_on} on these rows: the score is optimistic",
        )
    for note in run.facts.get("notes", ()):
        screen.line("Note", note)
    print_floors(screen, run.floors)
    screen.line("Verdict", run.verdict)
    if run.recipe.model.name == "linear" and len(run.preparation.feature_names) <= 12:
        screen.line("Line", f"{run.data.target} = {coefficients(run)}")
    if run.recipe.model.name in TREES:
        screen.line("Tree", size_text(tree_of(run)))
    facts = run.facts
    screen.line(
        "Time",
        f"{facts['seconds']:.1f} s · {facts['samples_per_second']:,.0f} rows/s · "
        f"waiting for data {100 * facts['waiting_for_data']:.1f} % · "
        f"{threads_text(facts['threads'])}",
    )
    screen.line("Files", f"{near(run.path)}/  report.html · model.safetensors · records.sqlite")
    again = command_of(run, near(run.path))
    if again:
        screen.line("Again", f"{again}   (same bits on this machine)")
    screen.line("Report", near(run.path / "report.html"))


def print_tree(screen: Screen, saved: Saved) -> None:
    """How large the tree of a run is, and its uppermost cuts; nothing of other models."""
    if saved.recipe.model.name not in TREES:
        return
    named = tree_of(saved.path)
    screen.line("Tree", size_text(named))
    screen.block(tree_text(named, TREE_LEVELS, TREE_LINES))


def print_floors(screen: Screen, floors: Sequence[Floor]) -> None:
    """What trivial and cheap methods reach on the same rows."""
    for floor in floors:
        low, high = (show(floor.score.metric, v) for v in (floor.score.low, floor.score.high))
        value = show(floor.score.metric, floor.score.value)
        screen.line("Floor", f"{floor.name} {value} [{low}, {high}]")


def score_text(score: Score) -> str:
    """A score in words."""
    value, low, high = (show(score.metric, v) for v in (score.value, score.low, score.high))
    rows = {"valid": "validation", "train": "training"}.get(score.split, score.split)
    how = "" if score.groups is None else f" by group ({score.groups:,} groups)"
    return f"{score.metric} {value} [{low}, {high}]   (95 % interval{how}, {score.n:,} {rows} rows)"


def _print_next(screen: Screen, saved: Saved, alive: bool) -> None:
    """Why a run has no score, or what can be done with it."""
    if saved.result.get("status") == "diverged":
        error = saved.result["error"]
        screen.line("Failed", f"{error['what']}, in {error['where']}; {error['do']}")
    else:
        verb, action = ("steer", " pause") if alive else ("resume", "")
        screen.line("Next", f"chymist {verb} {saved.path}{action}")


def print_saved(screen: Screen, saved: Saved, language: str) -> None:
    """A run as its folder tells it; findings in a language."""
    result = saved.result
    where = status_of(saved.path)
    far = "" if result or not where.steps else f" · step {where.step:,} of {where.steps:,}"
    screen.line("Run", f"{saved.path} · {where.state}{far}", result=True)
    recipe, schedule = saved.recipe, saved.recipe.schedule or "no schedule"
    counts = " · ".join(f"{len(saved.split[n]):,} {n}" for n in ("train", "valid", "test"))
    hashed = f"fingerprint {saved.schema.fingerprint[:12]}"
    screen.line("Data", f"{saved.schema.name} · {counts} · {hashed}")
    screen.line(
        "Recipe",
        f"{recipe.model} · {recipe.loss} · {recipe.optimizer} · {schedule} · "
        f"batch {recipe.batch_size} · {recipe.length} · stop {recipe.stop}",
    )
    if result.get("status") == "finished":
        screen.line("Result", score_text(Score.from_dict(result["score"])), result=True)
        for note in result["facts"].get("notes", ()):
            screen.line("Note", note)
        print_floors(
            screen, [Floor(f["name"], Score.from_dict(f["score"])) for f in result["floors"]]
        )
        screen.line("Verdict", result["verdict"])
        screen.line(
            "Metrics", " · ".join(f"{n} {show(n, v)}" for n, v in result["metrics"].items())
        )
        facts = result["facts"]
        screen.line(
            "Time",
            f"{facts['seconds']:.1f} s · {counted(facts['steps'], 'step')} · "
            f"{counted(facts['epochs'], 'epoch')} · {counted(facts['parameters'], 'parameter')} · "
            f"waiting for data {100 * facts['waiting_for_data']:.1f} %",
        )
        print_tree(screen, saved)
        screen.line("Report", str(saved.path / "report.html"))
    else:
        _print_next(screen, saved, where.alive)
    stored = read_findings(saved.path)
    print_findings(screen, stored.findings if stored else [], language)


def plain_findings(saved: Saved) -> list[dict[str, Any]]:
    """The findings of a run as plain values."""
    stored = read_findings(saved.path)
    return [finding.to_dict() for finding in stored.findings] if stored else []


def fit_summary(run: Run) -> dict[str, Any]:
    """The JSON object of `fit`."""
    facts, data, split = run.facts, run.data, run.split
    floors = [plain_floor(f) for f in run.floors]
    return {
        "run": str(run.path),
        "data": {"name": data.name, "kind": data.kind, "fingerprint": data.fingerprint,
                 "rows": len(data), "train": len(split.train), "valid": len(split.valid),
                 "test": len(split.test)},
        "model": {"name": run.recipe.model.name, "parameters": facts["parameters"]},
        "notes": list(facts.get("notes", ())),
        "score": run.score.to_dict(),
        "floor": {k: floors[0][k] for k in ("name", "value")} if floors else None,
        "floors": floors,
        "verdict": run.verdict,
        "metrics": dict(run.metrics),
        **{k: facts[k] for k in ("epochs", "steps", "seconds", "samples_per_second",
                                 "waiting_for_data")},
        "report": str(run.path / "report.html"),
        "findings": [finding.to_dict() for finding in run.findings],
    }  # fmt: skip


def print_folds(screen: Screen, found: CrossValidation, out: Path) -> None:
    """Print what `cv` prints at the end."""
    screen.line("Score", f"{found.score}   {len(found.folds)} fits", result=True)
    if found.corrected:
        screen.line("Score", f"{found.corrected}   for a model trained on all rows", result=True)
    print_floors(screen, found.floors)
    if found.verdict:
        screen.line("Verdict", found.verdict)
    if found.score.groups is not None:
        screen.line("Note", f"the intervals are by group ({found.score.groups:,} groups)")
    for note in _notes(found):
        screen.line("Note", note)
    facts, how = found.facts, "trained as one program"
    if facts["executor"] == "loop":
        how = f"trained each by itself ({facts['reason']})"
    elif facts["executor"] == "closed form":
        how = "not trained: exact, in closed form from one fit,"
    screen.line("Folds", f"{how} in {facts['seconds']:.1f} s")
    screen.line("Files", f"{out}/  report.html · cv.json · predictions.csv")


def print_plan(screen: Screen, plan: Mapping[str, Any]) -> None:
    """Print what was measured to choose the form of a population."""
    if not plan["measured"]:
        screen.line("Plan", "nothing was measured: there was one form, or one that always wins")
        return
    for kind in plan["measured"]:
        screen.line("Plan", kind["what"])
        times = sorted(kind["seconds"].items(), key=lambda item: item[1])
        forms = " · ".join(f"{name} {1e3 * seconds:.3g} ms" for name, seconds in times)
        screen.line("", f"{forms} a step and member; chosen: {kind['chosen']}")
    screen.line("", f"{plan['fingerprint']} of {plan['file']}")


def _notes(found: CrossValidation) -> list[str]:
    """What a reader of the score should know of its rows."""
    facts, notes = found.facts, []
    if facts["never_held"]:
        notes.append(
            f"{facts['never_held']:,} rows were never held out; the score is of the others"
        )
    if facts["duplicates"]:
        notes.append(note_of_copies(facts["duplicates"], found.score.groups is not None))
    if facts["rare_classes"]:
        names = ", ".join(map(short, facts["rare_classes"][:3]))
        more = ", ..." if len(facts["rare_classes"]) > 3 else ""
        notes.append(f"fewer rows than folds: class {names}{more}; some folds hold none of it out")
    if facts["order"] == "shared":
        notes.append("all models read the same batches: none is what fit would give, and an "
                     "interval over seeds is too narrow")  # fmt: skip
    if not found.sealed:
        notes.append("all rows were used; none is sealed for a last test")
    return notes


def cv_summary(
    found: CrossValidation, data: Data, recipe: Recipe, out: Path, path: Path
) -> dict[str, Any]:
    """The JSON object of `cv`."""
    floors = [plain_floor(f) for f in found.floors]
    model = recipe.model.name if recipe.model else found.facts["model"]
    return {
        "run": str(out),
        "data": {"name": data.name, "kind": data.kind, "fingerprint": data.fingerprint,
                 "rows": len(data)},
        "model": {"name": model, "parameters": found.facts["parameters"]},
        "score": found.score.to_dict(),
        "floor": {k: floors[0][k] for k in ("name", "value")} if floors else None,
        "floors": floors,
        "verdict": found.verdict,
        "folds": list(found.folds),
        "predictions": str(path), "report": str(out / "report.html"),
        **{k: found.facts[k] for k in ("executor", "order", "plan", "epochs", "seconds", "protocol",
                                       "duplicates", "never_held")},
        **corrected_of(found),
    }  # fmt: skip


def corrected_of(found: CrossValidation) -> dict[str, Any]:
    """What bootstraps add: the estimates, and the corrected score."""
    plain = {k: v for k, v in found.facts.items() if k == "bootstrap"}
    return plain | ({"corrected": found.corrected.to_dict()} if found.corrected else {})


def plain_floor(floor: Floor) -> dict[str, Any]:
    """A floor as plain values."""
    return {
        "name": floor.name,
        "value": floor.score.value,
        "low": floor.score.low,
        "high": floor.score.high,
    }
