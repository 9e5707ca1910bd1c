"""Folders and zips of images: classes, parts, sizes, colours, orientation."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chymist.data import load, reload, split
from chymist.data.decoding import decode, read_header
from chymist.data.room import room_for
from chymist.errors import DiskFull


def photo(path: Path, size: tuple[int, int] = (6, 4), mode: str = "L", level: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).convert(mode).save(path)


def two_classes(folder: Path, mode: str = "L", end: str = "png") -> Path:
    for label, level in (("ant", 50), ("bee", 200)):
        for number in range(3):
            photo(folder / label / f"{number}.{end}", mode=mode, level=level + number)
    return folder


def pixels(folder: Path) -> np.ndarray:
    inputs = load(folder).inputs
    assert isinstance(inputs, np.ndarray)
    return inputs


def test_classes_are_folders_and_rows_are_sorted(tmp_path: Path) -> None:
    data = load(two_classes(tmp_path / "insects"))
    assert (data.name, data.kind, data.task) == ("insects", "image", "classification")
    assert data.classes == ("ant", "bee")
    assert data.targets.tolist() == [0, 0, 0, 1, 1, 1]
    found = pixels(tmp_path / "insects")
    assert (found.shape, found.dtype) == ((6, 4, 6, 1), np.uint8)
    assert found[:, 0, 0, 0].tolist() == [50, 51, 52, 200, 201, 202]
    assert reload(data.source) == data


@pytest.mark.parametrize("end", ["png", "bmp", "gif", "webp", "jpg", "jpeg", "PNG"])
def test_formats(end: str, tmp_path: Path) -> None:
    for label in ("ant", "bee"):
        for level in (60, 180):
            path = tmp_path / label / f"{level}.{end}"
            path.parent.mkdir(exist_ok=True)
            kind = {"jpg": "JPEG"}.get(end.lower(), end)
            Image.new("L", (8, 8), level).save(
                path, kind, **({"lossless": True} if end == "webp" else {})
            )
    found = pixels(tmp_path)
    assert abs(found[:, 0, 0, 0].astype(int) - [180, 60, 180, 60]).max() <= 2


def test_mixed_sizes_are_cut_and_resized(tmp_path: Path) -> None:
    two_classes(tmp_path)
    photo(tmp_path / "ant" / "wide.png", (200, 100))
    data = load(tmp_path)
    assert pixels(tmp_path).shape == (7, 64, 64, 1)
    assert "2 sizes" in data.notes[0]
    small = load(tmp_path, image_size=16)
    assert isinstance(small.inputs, np.ndarray)
    assert small.inputs.shape == (7, 16, 16, 1)
    assert reload(small.source) == small


def test_the_middle_is_kept(tmp_path: Path) -> None:
    image = np.zeros((4, 12), np.uint8)
    image[:, 4:8] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    assert decode(content, "a.png", (4, 4, 1)).min() == 255


def test_colours(tmp_path: Path) -> None:
    assert pixels(two_classes(tmp_path / "grey")).shape[-1] == 1
    assert pixels(two_classes(tmp_path / "bits", mode="1")).shape[-1] == 1
    assert pixels(two_classes(tmp_path / "rgb", mode="RGB")).shape[-1] == 3
    photo(two_classes(tmp_path / "both") / "ant" / "colour.png", mode="RGB")
    assert pixels(tmp_path / "both").shape == (7, 4, 6, 3)
    assert load(tmp_path / "both").notes == ("6 grey images are read as RGB",)


def test_transparent_is_white_and_16_bits_become_8(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.fromarray(np.full((2, 2), 51400, np.uint16)).save(tmp_path / "deep.png")
    clear, deep = ((tmp_path / name).read_bytes() for name in ("clear.png", "deep.png"))
    assert decode(clear, "clear.png", (2, 2, 3)).min() == 255
    assert decode(deep, "deep.png", (2, 2, 1)).tolist() == [[[200]] * 2] * 2


def test_images_are_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 0, 0], [250, 250, 250]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image.save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    assert read_header(content, "a.png") == (3, 2, False)
    assert decode(content, "a.png", (3, 2, 1))[:, :, 0].tolist() == [[250, 0]] * 3


def test_parts_are_recognised(tmp_path: Path) -> None:
    for part in ("train", "val"):
        two_classes(tmp_path / part)
    data = load(tmp_path)
    assert data.test_rows is not None
    assert data.test_rows.tolist() == [6, 7, 8, 9, 10, 11]
    assert split(data, valid=2).method == "stratified, standard test part"
    two_classes(tmp_path / "test")
    three = load(tmp_path)
    assert (len(three), three.test_rows.tolist()) == (18, [12, 13, 14, 15, 16, 17])  # type: ignore[union-attr]
    assert "join the training rows" in three.notes[0]


def test_train_and_test_can_be_classes_of_their_own(tmp_path: Path) -> None:
    for label in ("train", "plane"):
        photo(tmp_path / label / "1.png")
    assert load(tmp_path).classes == ("plane", "train")


def test_a_second_folder_is_the_test_part(tmp_path: Path) -> None:
    data = load(two_classes(tmp_path / "a"), test=two_classes(tmp_path / "b"))
    assert data.test_rows is not None
    assert data.test_rows.tolist() == [6, 7, 8, 9, 10, 11]
    assert reload(data.source) == data


def test_other_files_are_left_aside_and_counted(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for name in ("notes.txt", "ant/readme.md", ".DS_Store", "ant/Thumbs.db", ".git/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    data = load(tmp_path)
    assert len(data) == 6
    assert data.notes == ("2 files that are no images are left aside (.md, .txt)",)


def test_zip_with_one_root(tmp_path: Path) -> None:
    two_classes(tmp_path / "insects")
    for root in ("insects/", "deep/insects/", ""):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("__MACOSX/insects/ant/._1.png", b"junk")
            for path in (tmp_path / "insects").rglob("*.png"):
                archive.write(path, root + path.relative_to(tmp_path / "insects").as_posix())
        assert load(tmp_path / "a.zip") == load(tmp_path / "insects")


def test_deeper_folders_belong_to_their_class(tmp_path: Path) -> None:
    photo(tmp_path / "ant" / "red" / "1.png")
    photo(tmp_path / "ant" / "black" / "1.png")
    photo(tmp_path / "bee" / "1.png")
    assert load(tmp_path).targets.tolist() == [0, 0, 1]


def test_hymenoptera(chymist_data: Path) -> None:
    data = load(chymist_data / "hymenoptera" / "hymenoptera_256.zip", image_size=32)
    assert data.classes == ("ants", "bees")
    assert data.test_rows is not None
    assert (len(data), len(data.test_rows)) == (397, 153)
    assert np.bincount(data.targets[:244]).tolist() == [123, 121]


def test_images_beyond_memory_are_decoded_onto_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows, fingerprint and fitted bits, whether held in memory or on the disk."""
    import torch

    import chymist as cy
    from chymist.data import images

    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(0, 256, (12, 12), np.uint8) // (1 + (label == "dog"))
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{number}.png")
    held = cy.load(tmp_path / "pets")
    monkeypatch.setattr(images, "room_for", lambda shape, label: room_for(shape, label, held=0))
    monkeypatch.setattr("chymist.engine.place.SMALL", 0)
    monkeypatch.setattr("chymist.engine.place.free_memory", lambda: 1000)
    mapped = cy.load(tmp_path / "pets")
    assert isinstance(mapped.inputs, np.memmap)
    assert mapped == held
    recipe = cy.Recipe(model="cnn", length="2 epochs", batch_size=8)
    first, second = (cy.fit(recipe, cy.split(data), threads=1) for data in (held, mapped))
    for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_images_that_fit_nowhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiskFull, match="do not fit on the disk, in photos"):
        room_for((10**9, 1000, 1000), "photos")
