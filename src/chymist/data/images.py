"""Folders and zips of images: one folder per class, `class/file`.

Folders named train, valid (or val) and test above the classes are recognised: test, or valid where
there is no test, becomes the standard test part.
"""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

import numpy as np

from chymist.data.archives import MAX_RATIO, Listing, list_files
from chymist.data.cells import short
from chymist.data.decoding import SUFFIXES, Header, decode, read_header
from chymist.data.room import room_for
from chymist.data.tabular import finished
from chymist.data.targets import as_classes
from chymist.errors import InputError, UsageError
from chymist.values import Data

MIXED_SIDE = 64  # side of images of different sizes where the user names none
PICTURES_AT_ONCE = 512
LARGE = 2**28  # bytes of decoded images below which no more is asked
NO_IMAGES = (".xlsx", ".ods", ".docx", ".npz", ".pt", ".whl")  # zips of other things
TRAIN = ("train", "training")
VALID = ("val", "valid", "validation")
TEST = ("test", "testing")


T = TypeVar("T")


class Picture(NamedTuple):
    """An image in a folder or zip: its part, class, and where its bytes are."""

    part: str
    label: str
    name: str
    listing: Listing

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self.name if len(self.name) <= 70 else "..." + self.name[-67:]

    def bytes(self) -> bytes:
        """Its content."""
        return self.listing.read(self.name)


def folder_data(path: Path, name: str, test: Path | None, size: int | None) -> Data:
    """Data from a folder or zip of images.

    Images of one size keep it; images of different sizes are cut and resized to 64 x 64. They are
    grey if all are grey, RGB otherwise.

    Args:
        path: folder or zip.
        name: name of the data.
        test: a second one, whose images become the standard test part.
        size: side in pixels; None keeps the common size.

    Returns:
        Data of kind "image", rows sorted by class and file name, test rows last.

    Raises:
        UsageError: an impossible size.
        InputError: no images, one class only, an empty class, a damaged image.

    Example:
        >>> import tempfile
        >>> from chymist.data.decoding import example_png
        >>> folder = Path(tempfile.mkdtemp())
        >>> for label in ("cat", "dog"):
        ...     (folder / label).mkdir()
        ...     _ = (folder / label / "1.png").write_bytes(example_png())
        >>> folder_data(folder, "pets", None, None).inputs.shape
        (2, 2, 3, 1)
    """
    if size is not None and (isinstance(size, bool) or not 1 <= size <= 4096):
        raise UsageError(
            "not an image size",
            where="image_size",
            received=repr(size),
            do="give a number of pixels from 1 to 4096",
        )
    pictures, notes = pictures_of(path)
    if test is not None:
        more, said = pictures_of(test)
        pictures = [*(p._replace(part="train") for p in pictures)]
        pictures += [p._replace(part="test") for p in more]
        notes += said
    return pictures_data(pictures, notes, name, size)


def pictures_data(pictures: list[Picture], notes: list[str], name: str, size: int | None) -> Data:
    """Data from images of known parts and classes.

    Args:
        pictures: the images; those of the part "test" become the standard test part.
        notes: what is to be said of them.
        name: name of the data.
        size: side in pixels; None keeps the common size.

    Returns:
        Data of kind "image", rows sorted by class and file name, test rows last.

    Raises:
        InputError: one class only, or a damaged image.
    """
    rows = sorted(pictures, key=lambda p: (p.part == "test", p.label, p.name))
    targets = as_classes("folder", [picture.label for picture in rows])
    headers = _each(rows, lambda p: read_header(p.bytes(), p.place))
    shape, said = common_shape(headers, size)
    _check_ratio(rows, shape, name)
    inputs = room_for((len(rows), *shape), name)
    for start in range(0, len(rows), PICTURES_AT_ONCE):
        stop = start + PICTURES_AT_ONCE
        inputs[start:stop] = _each(
            rows[start:stop], lambda p: decode(p.bytes(), p.place, shape), headers[start:stop]
        )
    first = sum(picture.part != "test" for picture in rows)
    data = Data(
        name, "image", "classification", inputs, targets.values, targets.classes,
        target="class", notes=(*notes, *said),
    )  # fmt: skip
    return finished(data, targets, first if first < len(rows) else None)


def pictures_of(path: Path) -> tuple[list[Picture], list[str]]:
    """The images of a folder or zip with their classes, and notes.

    Raises:
        InputError: no image, images outside the class folders, an empty class.

    Example:
        >>> import tempfile
        >>> pictures_of(Path(tempfile.mkdtemp()))
        Traceback (most recent call last):
        chymist.errors.InputError: no image found...
    """
    listing = list_files(path)
    images = [name for name in listing.files if name.lower().endswith(SUFFIXES)]
    if not images:
        tables = any(name.lower().endswith((".csv", ".tsv")) for name in listing.files)
        raise InputError(
            "no image found",
            where=listing.label,
            received=f"{len(listing.files)} other files",
            do="give the table file itself" if tables else "give png, jpg, bmp, gif or webp files",
        )
    root = _root(images)
    parts = _parts({PurePosixPath(n).relative_to(root).parts[0] for n in images})
    pictures = []
    for name in images:
        steps = PurePosixPath(name).relative_to(root).parts
        part = parts.get(steps[0], "train")
        inner = steps[1:] if parts else steps
        if len(inner) < 2:
            raise InputError(
                "an image lies outside the class folders",
                where=f"{listing.label}, {name}"[-70:],
                received=f"{len(images)} images",
                do="put each image into a folder named after its class",
            )
        pictures.append(Picture(part, inner[0], name, listing))
    _check_empty(listing, images, root, bool(parts))
    notes = []
    other = Counter(PurePosixPath(n).suffix or n for n in listing.files if n not in set(images))
    if other:
        kinds = ", ".join(sorted(other)[:3])
        notes.append(f"{sum(other.values())} files that are no images are left aside ({kinds})")
    if "valid" in parts.values() and "test" in parts.values():
        notes.append("images of the validation folder join the training rows")
    if parts:
        kept = "test" if "test" in parts.values() else "valid"
        pictures = [p._replace(part="test" if p.part == kept else "train") for p in pictures]
    return pictures, notes


def common_shape(
    headers: Sequence[Header], size: int | None
) -> tuple[tuple[int, int, int], list[str]]:
    """Shape of all images, and notes on what is done to them.

    Args:
        headers: size and colour of each image.
        size: side in pixels that the user wants; None keeps the common size.

    Example:
        >>> common_shape([Header(8, 8, False), Header(9, 8, False)], None)[0]
        (64, 64, 1)
    """
    colour = any(header.colour for header in headers)
    sizes = {(header.height, header.width) for header in headers}
    channels = 3 if colour else 1
    notes = []
    if colour and not all(header.colour for header in headers):
        grey = sum(not header.colour for header in headers)
        notes.append(f"{grey} grey images are read as RGB")
    if size is None and len(sizes) == 1:
        height, width = next(iter(sizes))
        return (height, width, channels), notes
    side = MIXED_SIDE if size is None else size
    if sizes != {(side, side)}:
        why = f"images have {len(sizes)} sizes: " if len(sizes) > 1 else "images are "
        notes.append(f"{why}cut to squares and resized to {side} x {side} (image_size changes it)")
    return (side, side, channels), notes


def image_of(content: bytes, label: str, shape: tuple[int, ...]) -> np.ndarray:
    """The image of a file, as a batch of one.

    Args:
        content: bytes of the file.
        label: what to call it in messages.
        shape: (height, width, channels) that it is brought to.

    Raises:
        InputError: no image, a damaged one, or a model of images with other channels.

    Example:
        >>> from chymist.data.decoding import example_png
        >>> image_of(example_png(), "a.png", (2, 3, 1)).shape
        (1, 2, 3, 1)
    """
    found: np.ndarray = decode(content, label, _of_files(shape))[None]
    return found


def _of_files(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape of images that files can hold.

    Raises:
        InputError: they cannot.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise InputError(
            "image files have 1 or 3 channels",
            where="the model",
            received=f"{channels} channels",
            do="give an array",
        )
    return height, width, channels


def image_rows(path: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """Images of an unlabelled source: a file, or all images below a folder or zip.

    Args:
        path: the source.
        shape: (height, width, channels) that they are brought to.

    Returns:
        uint8 (rows, height, width, channels), and the names of the files.

    Raises:
        InputError: no image, a damaged image, or a model of images with other channels.

    Example:
        >>> import tempfile
        >>> from chymist.data.decoding import example_png
        >>> path = Path(tempfile.mkdtemp()) / "a.png"
        >>> _ = path.write_bytes(example_png())
        >>> image_rows(path, (2, 3, 1))[1]
        ['a.png']
    """
    if not path.is_dir() and not zipfile.is_zipfile(path):
        content = Listing(path.parent.name, (path.name,), (), lambda _: path.read_bytes())
        return image_of(content.read(path.name), path.name, shape), [path.name]
    wanted = _of_files(shape)
    listing = list_files(path)
    rows = [Picture("", "", n, listing) for n in listing.files if n.lower().endswith(SUFFIXES)]
    if not rows:
        raise InputError(
            "no image found",
            where=listing.label,
            received=f"{len(listing.files)} other files",
            do="give png, jpg, bmp, gif or webp files",
        )
    headers = _each(rows, lambda p: read_header(p.bytes(), p.place))
    images = _each(rows, lambda p: decode(p.bytes(), p.place, wanted), headers)
    return np.stack(images), [picture.name for picture in rows]


def is_image_zip(path: Path) -> bool:
    """Whether a file is a zip; those of office programs are no image zips.

    Example:
        >>> is_image_zip(Path(__file__))
        False
    """
    return zipfile.is_zipfile(path) and path.suffix.lower() not in NO_IMAGES


def _root(images: list[str]) -> PurePosixPath:
    """The folder that holds the class folders: single folders on the way to it are skipped."""
    root = PurePosixPath()
    while True:
        inner = [PurePosixPath(name).relative_to(root).parts for name in images]
        first = {parts[0] for parts in inner}
        if len(first) > 1 or min(len(parts) for parts in inner) < 3 or _parts(first):
            return root
        root = root / first.pop()


def _parts(names: set[str]) -> dict[str, str]:
    """Which folder is for train, valid and test; empty if the folders are classes."""
    found = {}
    for name in names:
        for part, known in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
            if name.lower() in known:
                found[name] = part
    whole = len(found) == len(names) and "train" in found.values()
    return found if whole else {}


def _check_empty(listing: Listing, images: list[str], root: PurePosixPath, parts: bool) -> None:
    """Refuse a class folder without images."""
    depth = len(root.parts) + (2 if parts else 1)
    filled = {PurePosixPath(name).parts[:depth] for name in images}
    for folder in listing.folders:
        steps = PurePosixPath(folder).parts
        if len(steps) == depth and steps[: len(root.parts)] == root.parts and steps not in filled:
            raise InputError(
                f"the class folder {short(steps[-1])} has no images",
                where=listing.label,
                received="0 images",
                do="add images or remove the folder",
            )


def _check_ratio(rows: list[Picture], shape: tuple[int, int, int], label: str) -> None:
    """Refuse small files that decode to very much, as pictures of one colour do."""
    total = len(rows) * int(np.prod(shape))
    if total > LARGE and total > MAX_RATIO * sum(_each(rows, lambda p: len(p.bytes()))):
        raise InputError(
            "the images unpack to too much",
            where=label,
            received=f"{total / 2**20:,.0f} MiB",
            do="give a smaller image_size",
        )


def _each(
    pictures: list[Picture], work: Callable[[Picture], T], headers: Sequence[Header] = ()
) -> list[T]:
    """Do the same with every picture, several at once; decoding runs outside Python's lock.

    Large ones are decoded with fewer workers, because each holds two copies of its pixels.
    """
    largest = max((header.height * header.width for header in headers), default=1)
    workers = max(1, min(8, os.cpu_count() or 1, LARGE // (8 * largest)))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, pictures))
