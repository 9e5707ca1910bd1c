"""Chinese for the sentences of the reports, a module a section, by their English templates."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chymist.reports.chinese import logs

WORDS: Mapping[str, str] = MappingProxyType({**logs.WORDS})
