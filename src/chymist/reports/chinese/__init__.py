"""Chinese for the sentences of the reports, a module a section, by their English templates.

`WORDS` are what the reports say themselves; `STORED` what a run holds in English (its verdict,
notes, claims of the doctor), taken apart by these templates and said anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chymist.reports.chinese import (
    architecture,
    claims,
    data,
    errors,
    kit,
    layers,
    logs,
    model,
    names,
    searches,
    stored,
    studies,
    training,
    whole,
)

WORDS: Mapping[str, str] = MappingProxyType({
    **architecture.WORDS, **layers.WORDS, **names.WORDS, **kit.WORDS, **data.WORDS, **model.WORDS,
    **training.WORDS, **errors.WORDS, **whole.WORDS, **logs.WORDS,
    **studies.WORDS, **searches.WORDS,
})  # fmt: skip
STORED: Mapping[str, str] = MappingProxyType(
    {**stored.WORDS, **claims.WORDS, **studies.STORED, **searches.STORED}
)
