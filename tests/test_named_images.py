"""Named sets of photos: read from archives, kept decoded, in the parts that were published."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chymist as cy
from chymist.data import named_images
from chymist.data.named_images import cifar10
from chymist.errors import InputError


def jpeg(level: int, size: tuple[int, int] = (32, 32)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (level, 10, 200 - level)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def archive(path: Path, part: str, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{part}/{name}")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = {f"{c}/{n:04}.jpg": jpeg(10 * n + 100 * k)
             for k, c in enumerate(("cat", "ship")) for n in range(4)}  # fmt: skip
    test = {"cat/0000.jpg": jpeg(5), "ship/0000.jpg": jpeg(150)}
    return [archive(tmp_path / "a.tar.gz", "train", train),
            archive(tmp_path / "b.tar.gz", "test", test)]  # fmt: skip


def test_archives_are_read_and_kept(two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    data = cifar10(two, "photos")
    assert data.classes == ("cat", "ship")
    assert data.inputs.shape == (10, 32, 32, 3)
    assert data.targets.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 1]
    assert data.test_rows.tolist() == [8, 9]
    assert abs(int(data.inputs[3, 5, 5, 0]) - 30) < 3

    def broken(*_: object) -> None:
        raise AssertionError("decoded again")

    kept = next((named_images.cache_folder()).glob("*.npz"))
    with monkeypatch.context() as patched:
        patched.setattr(named_images, "pictures_data", broken)
        again = cifar10(two, "photos")
    assert again == data
    assert np.array_equal(again.inputs, data.inputs)
    kept.write_bytes(kept.read_bytes()[:-200])  # damaged: it is decoded again
    assert cifar10(two, "photos") == data
    assert kept.stat().st_size > 200


def test_a_cache_that_cannot_be_written_costs_time_only(
    two: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(cifar10(two, "photos")) == 10


def test_wrong_archives_are_named(two: list[Path], tmp_path: Path) -> None:
    damaged = tmp_path / "c.tar"
    damaged.write_bytes(b"no archive" * 100)
    with pytest.raises(InputError, match="damaged"):
        cifar10([damaged, two[1]], "photos")
    other = archive(tmp_path / "d.tar.gz", "train", {"0000.jpg": jpeg(3)})
    with pytest.raises(InputError, match="another archive"):
        cifar10([other, two[1]], "photos")
    with pytest.raises(InputError, match="image"):
        cifar10([archive(tmp_path / "e.tar.gz", "train",
                         {"cat/1.jpg": b"x" * 99, "ship/1.jpg": jpeg(3)}), two[1]], "p")  # fmt: skip


def test_a_standard_validation_part_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHYMIST_DATA", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "hymenoptera_256.zip", "w") as made:
        for part, count in (("train", 3), ("val", 2)):
            for label in ("ants", "bees"):
                for n in range(count):
                    made.writestr(f"{part}/{label}/{n}.jpg", jpeg(20 * n, (260 + n, 256)))
    data = cy.load("hymenoptera")
    assert data.inputs.shape == (10, 224, 224, 3)
    assert any("differs from the published file" in note for note in data.notes)
    split = cy.split(data, seed=4)
    assert split.valid.tolist() == [6, 7, 8, 9]
    assert (len(split.train), len(split.test)) == (6, 0)
    assert "standard validation part" in split.method
    drawn = cy.split(data, seed=4, valid=0.2, test=0)
    assert len(drawn.valid) == 2
    assert "standard" not in drawn.method


def test_the_published_photos(chymist_data: Path) -> None:
    data = cy.load("hymenoptera")
    split = cy.split(data, seed=0)
    assert data.class_counts(split.train).tolist() == [123, 121]
    assert data.class_counts(split.valid).tolist() == [70, 83]
    assert not any("differs" in note for note in data.notes)
