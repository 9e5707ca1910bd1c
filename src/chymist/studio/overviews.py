"""What there is to say of a run at a glance, from the files of its folder; the same words as its
report. Imports no torch."""

from __future__ import annotations

import json
import shlex
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from chymist.engine.control import ACTIONS
from chymist.engine.history import EFFECTS, Entry, read_history
from chymist.engine.kinds import KINDS, kind_in
from chymist.engine.manifest import kept_checkpoints
from chymist.engine.status import status_of
from chymist.errors import InputError
from chymist.reports.numbers import interval, metric_name, part_name, rows_of, seconds
from chymist.reports.saying import Say, saying
from chymist.reports.verdict import cautions
from chymist.values import Score, show

MOST_BRANCHES = 200


def overview_of(folder: Path, lang: str) -> dict[str, Any]:
    """What the page shows of a run or a study.

    Args:
        folder: of the run.
        lang: "en" or "zh".
    """
    kind, say = kind_in(folder), saying(lang)
    found = {"kind": kind, "folder": str(folder), "now": time.time()}
    return {**found, **(_run(folder, say) if kind == "fit" else _study(folder, kind, say))}


def branches_of(folder: Path, others: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The runs that have branched from a run: they know it, it does not know them.

    Args:
        folder: of the run.
        others: folders of other runs, by name.
    """
    own, found = _json(folder / "environment.json").get("id", ""), []
    for name, other in list(others.items())[:MOST_BRANCHES]:
        with suppress(InputError):
            first = next(iter(read_history(other)), None)
            if first is not None and first.action == "branch":
                facts = first.facts
                if (facts.get("parent_id") or None) == own:
                    changes = [str(one) for one in facts.get("changes", ())]
                    found.append({"name": name, "step": first.step, "changes": changes})
    return found


def entry_said(entry: Entry, say: Say) -> dict[str, Any]:
    """An entry of a history, with its effect in a language."""
    fields = {**entry.fields, "why": say.word(entry.fields["why"])}
    effect = say(EFFECTS.get(entry.action, entry.action), **fields)
    return {"at": entry.at, "step": entry.step, "action": entry.action, "by": entry.by,
            "effect": effect}  # fmt: skip


def _run(folder: Path, say: Say) -> dict[str, Any]:
    """A run of `fit`, finished or not."""
    status, result = status_of(folder), _json(folder / "result.json")
    facts = result.get("facts", {})
    try:
        history = [entry_said(entry, say) for entry in read_history(folder)]
    except InputError as error:
        history = [{"at": 0.0, "step": 0, "action": "damaged", "by": "", "effect": error.line()}]
    return {
        "status": status.to_dict(),
        "age": None if status.updated is None else max(0.0, time.time() - status.updated),
        "error": _failure(result),
        "verdict": _again(str(result.get("verdict", "")), say),
        "score": _score(result.get("score"), say),
        "floors": [_floor(one, say) for one in result.get("floors", ())],
        "notes": [_again(str(note), say) for note in facts.get("notes", ())],
        "seconds": seconds(float(facts["seconds"]), say) if "seconds" in facts else "",
        "waiting": facts.get("waiting_for_data"),
        "parameters": facts.get("parameters"),
        "findings": _findings(folder, say),
        "checkpoints": [one._asdict() for one in kept_checkpoints(folder)],
        "recipe": _recipe(folder),
        "data": _json(folder / "data.json").get("schema", {}).get("name", ""),
        "environment": _environment(folder),
        "history": history,
        "actions": {name: say(effect) for name, effect in ACTIONS.items()},
    }


def _study(folder: Path, kind: str, say: Say) -> dict[str, Any]:
    """A cross-validation, comparison, search, race, population or imported log."""
    mark = next(name for name, known in KINDS.items() if known == kind)
    told = _json(folder / mark)
    data = told.get("data", {})
    return {
        "verdict": _again(str(told.get("verdict") or told.get("statement") or ""), say),
        "score": _score(told.get("score"), say),
        "data": data.get("name", "") if isinstance(data, dict) else "",
    }


def _score(told: Any, say: Say) -> dict[str, Any] | None:
    """A score as the report says it."""
    try:
        score = Score.from_dict(told)
        return {
            "metric": metric_name(score.metric, say),
            "text": show(score.metric, score.value),
            "rows": rows_of(score.n, score.split, say),
            "part": part_name(score.split, say),
            "interval": interval(score, say),
            "cautions": cautions(score, say),
        }
    except (TypeError, KeyError, AttributeError, InputError):
        return None


def _floor(told: Mapping[str, Any], say: Say) -> dict[str, Any]:
    name = str(told.get("name", ""))
    return {"name": say.again(name) or name, "score": _score(told.get("score"), say)}


def _failure(result: Mapping[str, Any]) -> str:
    """Why a run has diverged, in a line."""
    error = result.get("error")
    if not isinstance(error, dict):
        return ""
    return "; ".join(str(error.get(n, "")) for n in ("what", "where", "do") if error.get(n))


def _findings(folder: Path, say: Say) -> list[dict[str, str]]:
    """Code, level and claim of each finding."""
    found = _json(folder / "findings.json").get("findings", [])
    return [{"code": str(one.get("code", "")), "level": str(one.get("level", "")),
             "claim": _again(str(one.get("claim", "")), say)}
            for one in found if isinstance(one, dict)]  # fmt: skip


def _recipe(folder: Path) -> dict[str, str]:
    """The fields of the recipe by dotted name, as texts."""
    try:
        told = tomllib.loads((folder / "recipe.toml").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    flat: dict[str, str] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            flat[name] = str(value.get("name", ""))
            flat |= {f"{name}.{k}": _text(v) for k, v in value.items() if k != "name"}
        else:
            flat[name] = _text(value)
    return {name: text for name, text in flat.items() if text != ""}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _environment(folder: Path) -> dict[str, str]:
    """Where the run ran: versions, machine, threads, seed, command."""
    told = _json(folder / "environment.json")
    command = told.get("command")
    plain = {name: told.get(name) for name in ("seed", "threads", "device", "workers", "platform",
                                               "processors")}  # fmt: skip
    versions = told.get("versions")
    plain |= versions if isinstance(versions, dict) else {}
    if isinstance(command, list) and command:
        plain["command"] = shlex.join([Path(str(command[0])).name, *map(str, command[1:])])
    return {name: str(value) for name, value in plain.items() if value is not None}


def _again(sentence: str, say: Say) -> str:
    return say.again(sentence) or sentence


def _json(path: Path) -> dict[str, Any]:
    """A JSON object; nothing if it is not there or damaged, which the status says."""
    try:
        found = json.loads(path.read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
