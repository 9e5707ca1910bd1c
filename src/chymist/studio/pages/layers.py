"""What the layers of a run did: a heat map of a quantity, and the histograms behind a cell."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chymist.engine.kinds import kind_in
from chymist.engine.layer_record import (
    FILE,
    OUTPUT,
    QUANTITIES,
    StoredLayers,
    bin_edges,
    read_counts,
    read_layers,
)
from chymist.errors import UsageError, nearest
from chymist.reports.about_layers import (
    BAND,
    LOG,
    SHARES,
    TITLES,
    heat_map,
    looks_text,
    standing_out,
)
from chymist.reports.saying import Say, saying
from chymist.studio.asking import language_of
from chymist.studio.replies import reply


def layers(request: Request) -> Response:
    """`GET /api/runs/{run}/layers?quantity=&looks=`: nothing new if there are as many looks."""
    folder = request.app.state.folders.find(request.path_params["run"])
    quantity = request.query_params.get("quantity", "update_ratio")
    if quantity not in QUANTITIES:
        raise UsageError("no such quantity", received=quantity[:60],
                         do=nearest(quantity[:60], QUANTITIES))  # fmt: skip
    say = saying(language_of(request))
    ended = (folder / "result.json").is_file()
    found = read_layers(folder / FILE)
    if found is None or not len(found.steps):
        return reply({"looks": 0, "ended": ended, "why": why_none(folder, ended, say)})
    if request.query_params.get("looks") == str(len(found.steps)):
        return reply({"looks": len(found.steps), "ended": ended, "same": True})
    return reply({"looks": len(found.steps), "ended": ended, **_shown(found, quantity, say),
                  "script": script_of(folder, quantity)})  # fmt: skip


def _shown(found: StoredLayers, quantity: str, say: Say) -> dict[str, Any]:
    """A heat map as plain values: null where a layer was not looked at."""
    shown = heat_map(found, quantity)
    values = [
        [_short(value) if there else None for value, there in zip(row, seen, strict=True)]
        for row, seen in zip(shown.values.tolist(), shown.seen.tolist(), strict=True)
    ]
    return {
        "quantity": quantity, "title": say(TITLES[quantity]),
        "quantities": [{"name": name, "title": say(TITLES[name])} for name in QUANTITIES],
        "steps": shown.steps.tolist(), "values": values,
        "rows": [{"number": r.number, "name": r.name, "kind": r.kind, "units": r.units}
                 for r in shown.rows],
        "low": _short(shown.low), "high": _short(shown.high), "log": quantity in LOG,
        "share": quantity in SHARES, "signed": quantity == "activation_mean",
        "shown": ["outputs"] if QUANTITIES[quantity][0] == OUTPUT else ["weights", "gradients"],
        "looked": looks_text(found, say), "counted": list(found.counted),
        "band": say(BAND) if quantity == "update_ratio" else "",
        "standing": [vars(one) for one in standing_out(found, say)],
    }  # fmt: skip


def _short(value: float) -> float:
    """Four digits, which is what is shown."""
    return float(f"{value:.4g}")


def why_none(folder: Path, ended: bool, say: Say) -> str:
    """Why a run has no record of its layers."""
    if kind_in(folder) == "import":
        return say("An imported log has curves, and no layers.")
    if not (folder / "environment.json").is_file():
        return say("This folder holds no single run: its members have layers, it has none.")
    facts: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        facts = json.loads((folder / "result.json").read_text()).get("facts") or {}
    if not ended:
        return say("No step was looked at yet.")
    if facts.get("steps") == 1:
        return say("The model was solved in one step: nothing happened over time.")
    return say(
        "This run has no record of its layers: it is older than such records, or was trained "
        "with layers=False."
    )


def script_of(folder: Path, quantity: str) -> dict[str, str]:
    """Python and the command that show the same."""
    return {
        "python": f"import chymist as cy\n\nfound = cy.layer_history({str(folder)!r})\n"
                  f"print(found)\nfound.save('layers.svg', {quantity!r})\n",
        "command": shlex.join(["chymist", "layers", str(folder), "--quantity", quantity,
                               "--out", "layers.svg"]),
    }  # fmt: skip


def histogram(request: Request) -> Response:
    """`GET /api/runs/{run}/layers/histogram?layer=&step=`: at the start, and last before a step."""
    folder = request.app.state.folders.find(request.path_params["run"])
    query = request.query_params
    try:
        layer, step = int(query.get("layer", "")), int(query.get("step", ""))
    except ValueError:
        raise UsageError("layer and step are whole numbers", received=str(query)[:60]) from None
    shown = query.get("shown", "weights")
    if shown not in ("weights", "gradients", "outputs"):
        raise UsageError("no such histogram", received=shown[:60])
    found = read_counts(folder / FILE, layer, shown) if (folder / FILE).is_file() else {}
    before = [at for at in found if at <= step] or list(found)[:1]
    some = sorted({*list(found)[:1], *before[-1:]})
    return reply({
        "shown": shown, "edges": np.asarray(bin_edges()).tolist(),
        "histograms": [{"step": at, "counts": found[at].tolist()} for at in some],
    })  # fmt: skip


ROUTES = (
    Route("/api/runs/{run}/layers", layers), Route("/api/runs/{run}/layers/histogram", histogram),
)  # fmt: skip
