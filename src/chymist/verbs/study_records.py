"""Records of studies: what their files hold, from memory as from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from chymist.engine.stored import read_as

T = TypeVar("T")


class Plain(Protocol):
    """What has plain values."""

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values."""


def record_of(found: Plain | Mapping[str, Any], kind: type[T]) -> T:
    """A study as the record that its file would hold: through JSON, which knows no infinity.

    Args:
        found: the study, or its plain values.
        kind: of record.
    """
    plain = found if isinstance(found, Mapping) else found.to_dict()
    return msgspec.convert(msgspec.json.decode(msgspec.json.encode(plain)), kind)


def read_record(path: Path, kind: type[T]) -> T:
    """The record of a study, read back.

    Raises:
        InputError: the file is missing or damaged.
    """
    return read_as(path, kind)[1]
