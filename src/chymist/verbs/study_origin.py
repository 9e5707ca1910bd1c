"""How a study was carried out, as plain values that its folder keeps: what it takes to redo it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chymist.parts import Part
from chymist.protocols import Cut
from chymist.values import Data, Split
from chymist.verbs.reporting import cut_again


def about(data: Data | Split) -> dict[str, Any]:
    """What data a study is about, as plain values."""
    whole = data.data if isinstance(data, Split) else data
    return {"name": whole.name, "kind": whole.kind, "fingerprint": whole.fingerprint,
            "rows": len(whole), "source": dict(whole.source)}  # fmt: skip


def how_of(
    data: Data | Split, protocol: Part | None, cuts: Sequence[Cut], seed: int,
    group: Any = None, time: Any = None, one_seed: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What data, how its rows were cut and from which seeds, as plain values.

    Args:
        data: what the caller gave.
        protocol: how rows were cut; None if they were not.
        cuts: one a training.
        seed: the first one.
        group, time: as the caller gave them; arrays are named, not kept.
        one_seed: whether models that start at random were started from one seed only.
    """
    repeats = cuts[-1].repeat + 1 if cuts else 1
    own = [name for name, value in (("group", group), ("time", time))
           if value is not None and not isinstance(value, str)]  # fmt: skip
    split = None
    if isinstance(data, Split):
        if cut_again(data):
            split = {"seed": data.seed, **data.options}
        else:
            own.append("split")
    if not (data.data if isinstance(data, Split) else data).source:
        own.append("data")
    return {
        "data": about(data),
        "protocol": "" if protocol is None else str(protocol),
        "folds": len(cuts) // repeats, "seeds": repeats, "seed": seed,
        "group": group if isinstance(group, str) else None,
        "time": time if isinstance(time, str) else None, "own": own, "one_seed": one_seed,
        "split": split, "fits": [(cut.repeat, cut.fold) for cut in cuts], "command": "",
    }  # fmt: skip
