"""Folders and zips of images (placeholder until the reader lands)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chymist.errors import InputError
from chymist.values import Data


def folder_data(path: Path, name: str, test: Path | None, size: int | None) -> Data:
    raise InputError("images are not read yet", where=path.name)


def image_rows(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    raise InputError("images are not read yet", where=path.name)


def is_image_zip(path: Path) -> bool:
    return path.suffix == ".zip"
