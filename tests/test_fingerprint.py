"""The fingerprint names content, not files."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chymist.data import load
from chymist.data.fingerprint import fingerprint

TABLE = "a,b,y\n1.0,red,1\n2.5,blue,0\n,red,1\n4,?,0\n"


def test_the_form_of_a_table_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "other place").mkdir()
    forms = {
        "one.csv": TABLE.encode(),
        "two.tsv": TABLE.replace(",", "\t").encode(),
        "three.csv": TABLE.replace("\n", "\r\n").replace("red", '"red"').encode(),
        "four.csv": b"\xef\xbb\xbf" + TABLE.replace("1.0,", "1e0 ,").replace("?", "NA").encode(),
        "other place/five.csv.gz": gzip.compress(TABLE.encode()),
    }
    found = set()
    for name, content in forms.items():
        path = tmp_path / name
        path.write_bytes(content)
        os.utime(path, (1, 1))
        found.add(load(path).fingerprint)
    assert len(found) == 1
    kinds = load(tmp_path / "one.csv", columns={"a": "category"})
    assert kinds.fingerprint in found
    assert kinds != load(tmp_path / "one.csv")


def test_any_change_of_content_matters(tmp_path: Path) -> None:
    changes = [TABLE, TABLE.replace("2.5", "2.6"), TABLE.replace("blue", "blu"),
               TABLE.replace("b,y", "c,y"), TABLE.replace("red,1", "red,0", 1),
               TABLE.replace("2.5,blue,0\n,red,1", ",red,1\n2.5,blue,0")]  # fmt: skip
    found = set()
    for text in changes:
        (tmp_path / "t.csv").write_text(text)
        found.add(load(tmp_path / "t.csv").fingerprint)
    assert len(found) == len(changes)


def test_it_is_the_same_on_every_machine() -> None:
    columns = {"a": np.array([1.0, np.nan]), "b": np.array(["x", None], object)}
    found = fingerprint(columns, np.array([0, 1]), ("n", "y"), "t")
    assert found == "88035f6915ced1c0fdc986dedd851eea624f267a5708743119ed75abd9b621c8"
    assert (
        load("iris").fingerprint
        == "f5201ec1ebbf49194e5261fd749aada236ddc79dec0399e1a3961e5a8ce80020"
    )


@given(st.lists(st.text(max_size=3), min_size=2, max_size=4), st.data())
def test_texts_cannot_run_into_each_other(cells: list[str], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.text(max_size=3), min_size=len(cells), max_size=len(cells)))
    targets = np.arange(len(cells))

    def name(texts: list[str]) -> str:
        # A text in front keeps the column from being one of numbers.
        column = np.array(["x", *texts], object)
        return fingerprint({"a": column}, targets, (), "y")

    assert (name(cells) == name(other)) == (cells == other)


def test_folder_and_zip_of_images(tmp_path: Path) -> None:
    for label, level in (("ant", 10), ("bee", 200)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            image = Image.new("L", (6, 5), level + number)
            image.save(tmp_path / "photos" / label / f"{number}.png")
    folder = load(tmp_path / "photos")
    files = sorted((tmp_path / "photos").rglob("*.png"), reverse=True)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(tmp_path))
        archive.writestr("__MACOSX/photos/ant/._0.png", b"junk")
    packed = load(tmp_path / "a.zip")
    assert packed.fingerprint == folder.fingerprint
    assert np.array_equal(packed.inputs, folder.inputs)
    Image.new("L", (6, 5), 99).save(tmp_path / "photos" / "bee" / "1.png")
    assert load(tmp_path / "photos").fingerprint != folder.fingerprint


def test_arrays() -> None:
    x, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    assert load((x, y)).fingerprint == load((x.copy(order="F"), y.tolist())).fingerprint
    assert load((x, y)).fingerprint != load((x + 1, y)).fingerprint
    assert load((x, y)).fingerprint != load((x, 1 - y)).fingerprint
