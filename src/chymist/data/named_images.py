"""Named sets of photos: archives of JPEG files, decoded once.

Decoding 60,000 files takes half a minute, so the decoded pixels are kept in the user's cache under
the hash of the archives. Whoever removes them loses time only.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from chymist.data.archives import MAX_BYTES, MAX_ENTRIES, Listing
from chymist.data.images import Picture, pictures_data, pictures_of
from chymist.data.tables import read_bytes
from chymist.data.tabular import finished
from chymist.data.targets import Targets
from chymist.errors import InputError
from chymist.values import Data

SIDE = 224  # of hymenoptera, as networks for ImageNet take them
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def cifar10(paths: Sequence[Path], name: str) -> Data:
    """CIFAR-10 from its two archives of JPEG files, `train/<class>/NNNN.jpg`.

    Args:
        paths: archive of the training part, and of the test part.
        name: name of the data.

    Raises:
        InputError: an archive is damaged, or is another.
    """
    content = [path.read_bytes() for path in paths]
    key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in content)).hexdigest()
    kept = cache_folder() / f"cifar10-{key[:24]}.npz"
    found = _kept(kept)
    if found is not None:
        inputs, numbers, classes, first = found
        targets = Targets("classification", numbers, classes)
        data = Data(name, "image", "classification", inputs, numbers, classes, target="class")
        return finished(data, targets, first)
    pictures = [p for path in paths for p in _in_tar(read_bytes(path), path.name)]
    data = pictures_data(pictures, [], name, None)
    if data.test_rows is not None and data.inputs.dtype == np.uint8:  # type: ignore[union-attr]
        _keep(kept, data, int(data.test_rows[0]))
    return data


def hymenoptera(paths: Sequence[Path], name: str) -> Data:
    """Ants and bees, cut to squares of 224 pixels; the published validation part is kept as such.

    Args:
        paths: the zip.
        name: name of the data.

    Raises:
        InputError: the zip is damaged.
    """
    pictures, _ = pictures_of(paths[0])
    data = pictures_data(pictures, [], name, SIDE)
    notes = (f"photos are cut to squares and resized to {SIDE} x {SIDE}",)
    return replace(data, test_rows=None, valid_rows=data.test_rows, notes=notes)


def cache_folder() -> Path:
    """Where decoded pixels and converted weights are kept: the user's cache.

    Example:
        >>> cache_folder().parts[-2:]
        ('chymist', 'made')
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chymist" / "made"


def _in_tar(content: bytes, label: str) -> list[Picture]:
    """The images of a tar archive, `part/class/file`."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isfile() else None
                if stream is not None:
                    files[entry.name] = stream.read()
                if len(files) > MAX_ENTRIES or archive.offset > MAX_BYTES:
                    raise InputError("the archive is too big", where=label, do="fetch it again")
    except (tarfile.TarError, *UNREADABLE) as error:
        raise InputError("the archive is damaged", where=label, received=str(error)[:60],
                         do="fetch it again") from None  # fmt: skip
    listing = Listing(label, tuple(sorted(files)), (), files.__getitem__)
    made = []
    for file in listing.files:
        steps = PurePosixPath(file).parts
        if len(steps) != 3:
            raise InputError("another archive was expected", where=label, received=file[:60],
                             do="files are to be part/class/name")  # fmt: skip
        made.append(Picture(steps[0], steps[1], file, listing))
    return made


def _kept(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], int] | None:
    """Decoded pixels, classes and first test row from the cache; None if they are not there."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            inputs, numbers = stored["inputs"], stored["targets"]
            classes, first = tuple(map(str, stored["classes"])), int(stored["first"])
    except UNREADABLE:
        return None
    fits = inputs.dtype == np.uint8 and inputs.ndim == 4 and len(inputs) == len(numbers)
    fits = fits and numbers.dtype == np.int64 and 0 < first < len(numbers)
    fits = fits and numbers.min() >= 0 and numbers.max() < len(classes)
    return (inputs, numbers, classes, first) if fits else None


def _keep(path: Path, data: Data, first: int) -> None:
    """Write decoded pixels into the cache; where that fails, they are decoded again next time."""
    draft = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            np.savez(stream, inputs=np.asarray(data.inputs), targets=data.targets,
                     classes=np.array(data.classes), first=first)  # fmt: skip
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()


READERS = {"cifar10": cifar10, "hymenoptera": hymenoptera}
