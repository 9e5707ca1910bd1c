"""What differs between a recipe and the defaults for its data, and what makes the run again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chymist.data import reload
from chymist.engine.defaults import complete
from chymist.engine.folder import Saved, open_folder
from chymist.engine.history import read_history
from chymist.errors import ChymistError
from chymist.evidence.studies import differing
from chymist.values import Recipe
from chymist.verbs.reporting import command_for, script_of


def again(folder: str) -> Iterator[dict[str, Any]]:
    """Fields that differ from the defaults, with both values; the script and the command.

    Args:
        folder: of a run; its data is read again.
    """
    saved = open_folder(folder)
    found: dict[str, Any] = {"differs": None, "python": "", "command": "", "why": ""}
    try:
        split = saved.split_of(reload(saved.source))
        name = None if saved.recipe.model.source else saved.recipe.model.name
        usual = complete(Recipe(model=name), split)
        pairs = differing({"default": usual.to_dict(), "run": saved.recipe.to_dict()})
        found["differs"] = [[n, _said(old), _said(new)] for n, (old, new) in pairs.items()]
        seed, threads = int(saved.environment["seed"]), int(saved.environment["threads"])
        found["python"] = script_of(saved.recipe, split, seed, threads)
        found["command"] = command_for(saved.recipe, split, seed, threads, str(saved.path))
    except ChymistError as error:  # moved data, arrays in memory, a module of one's own
        found["why"] = error.line()
    yield found | _branched(saved)


def _branched(saved: Saved) -> dict[str, str]:
    """The script of a branch: `fit` would begin at step 0."""
    first = next(iter(read_history(saved.path)), None)
    if first is None or first.action != "branch":
        return {}
    parent = str(first.facts.get("parent", ""))
    try:
        theirs = open_folder(parent).recipe.to_dict()
    except ChymistError:
        return {"why": "the run that it branched from is not there"}
    ours = saved.recipe.to_dict()
    changes = {n: ours[n] for n in ours if ours[n] != theirs.get(n)}
    lines = ["import chymist as cy", "", f"changes = {changes!r}",
             f"run = cy.branch({parent!r}, changes, step={first.step}, out='branch')",
             "print(run.score, run.verdict, sep='\\n')", ""]  # fmt: skip
    words = ["chymist", "branch", parent, "--step", str(first.step),
             "--recipe", str(Path(saved.path) / "recipe.toml")]  # fmt: skip
    return {"python": "\n".join(lines), "command": shlex.join(words)}


def _said(value: Any) -> str:
    return "" if value is None else str(value)
