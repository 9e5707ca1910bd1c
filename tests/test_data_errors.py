"""Wrong inputs of the data layer: one line that says what, where and what to do; and controls."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chymist.data import folds, load, read_inputs, reload, schema_of, split
from chymist.data.catalogue import ALIASES, DIGESTS, EMBEDDED, SETS
from chymist.data.named import READERS, named_sets
from chymist.data.preparation import fit_preparation
from chymist.errors import ChymistError, InputError, UsageError

ROWS = "age,job,income\n39,clerk,low\n50,nurse,high\n38,clerk,low\n53,cook,high\n28,nurse,low\n"


def table(folder: Path, text: str | bytes = ROWS, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def photo(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB", level: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level, 0, 0)).save(path)
    return path


def photos(folder: Path, count: int = 2) -> Path:
    for label in ("ant", "bee"):
        for number in range(count):
            photo(folder / "photos" / label / f"{number}.png", level=number)
    return folder / "photos"


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def png(folder: Path) -> bytes:
    return photo(folder / "one.png").read_bytes()


def empty_class(folder: Path) -> Path:
    (photos(folder) / "wasp").mkdir()
    return folder / "photos"


def one_class(folder: Path) -> Path:
    for number in range(3):
        photo(folder / "photos" / "ant" / f"{number}.png")
    return folder / "photos"


def corrupt(folder: Path) -> Path:
    path = photos(folder) / "bee" / "1.png"
    path.write_bytes(path.read_bytes()[:40])
    return folder / "photos"


def animation(folder: Path) -> Path:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "green", "blue")]
    path = photos(folder) / "bee" / "2.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return folder / "photos"


def huge(folder: Path) -> Path:
    Image.new("1", (9000, 8000)).save(photos(folder) / "bee" / "9.png")
    return folder / "photos"


def loose(folder: Path) -> Path:
    photo(photos(folder) / "stray.png")
    return folder / "photos"


def only_valid(folder: Path) -> Path:
    for name in ("train/ant", "train/bee", "val/ant", "val/wasp"):
        photo(folder / "photos" / name / "1.png")
    return folder / "photos"


# name -> (what is loaded, exit code, words of the message)
FILES: dict[str, tuple[Callable[[Path], Any], int, tuple[str, ...]]] = {
    "missing file": (lambda f: load(f / "tabel.csv"), 1, ("no such file", "tabel.csv")),
    "misspelt file": (lambda f: (table(f), load(f / "tabel.csv")), 1, ("'table.csv'",)),
    "empty name": (lambda f: load(""), 1, ("no such file", "named set")),
    "impossible name": (lambda f: load("a\0b"), 1, ("no such file", r"a\x00b")),
    "very long name": (lambda f: load("a" * 5000), 1, ("no such file", "too long")),
    "misspelt set": (lambda f: load("digitz"), 1, ("digitz", "'digits'")),
    "empty file": (lambda f: load(table(f, b"")), 1, ("empty", "table.csv")),
    "blank lines only": (lambda f: load(table(f, "\n \n\n")), 1, ("empty", "table.csv")),
    "commas only": (lambda f: load(table(f, ",,\n,,\n")), 1, ("no rows", "table.csv")),
    "header only": (lambda f: load(table(f, "a,b\n")), 1, ("header and no rows", "2 column")),
    "one row": (lambda f: load(table(f, "a,b\n1,2\n")), 1, ("two rows", "1 sample")),
    "ragged": (
        lambda f: load(table(f, "a,b\n1,2\n3,4,5\n6,7\n")),
        1,
        ("table.csv, line 3", "3 cells, not 2"),
    ),
    "short row": (lambda f: load(table(f, "a,b,c\n1,2,3\n3,4\n")), 1, ("line 3", "2 cells, not 3")),
    "binary": (lambda f: load(table(f, b"a,b\n1,\x00\x01\n")), 1, ("binary", "position 6")),
    "latin-1": (
        lambda f: load(table(f, "a,b\n1,2\n3,é\n".encode("latin-1"))),
        1,
        ("UTF-8", "line 3"),
    ),
    "utf-16": (lambda f: load(table(f, ROWS.encode("utf-16"))), 1, ("UTF-16", "table.csv")),
    "workbook": (
        lambda f: load(pack(f / "table.xlsx", {"xl/workbook.xml": b"<x/>"})),
        1,
        ("not a text table", "CSV"),
    ),
    "parquet": (lambda f: load(table(f, b"PAR1....", "t.parquet")), 1, ("Parquet", "t.parquet")),
    "broken gzip": (
        lambda f: load(table(f, gzip.compress(ROWS.encode())[:-12], "table.csv.gz")),
        1,
        ("gzip", "table.csv.gz"),
    ),
    "open quote": (lambda f: load(table(f, 'a,b\n1,"2\n3,4\n')), 1, ("line 2", "quotes")),
    "names twice": (lambda f: load(table(f, "a,b,a\n1,2,3\n")), 1, ("'a'", "columns 1 and 3")),
    "unknown target": (
        lambda f: load(table(f), target="incom"),
        1,
        ("'incom'", "did you mean 'income'?"),
    ),
    "target number": (lambda f: load(table(f), target=4), 1, ("4", "from 1 to 3")),
    "one target class": (
        lambda f: load(table(f, "a,b\n1,x\n2,x\n3,x\n")),
        1,
        ("one class", "'b'", "'x'"),
    ),
    "target is a name": (
        lambda f: load(table(f, "a,b\n" + "".join(f"{n},n{n}\n" for n in range(9)))),
        1,
        ("different in every row", "'b'"),
    ),
    "missing target": (
        lambda f: load(table(f, "a,b\n1,x\n2,\n3,y\n")),
        1,
        ("target is missing", "line 3", "'b'", "1 of 3"),
    ),
    "infinite target": (
        lambda f: load(table(f, "a,b\n1,1.5\n2,inf\n3,2\n")),
        1,
        ("infinite", "line 3", "'b'"),
    ),
    "infinite cell": (
        lambda f: load(table(f, "a,b\n1,x\ninf,y\n3,x\n")),
        1,
        ("infinite", "line 3", "'a'", "'inf'"),
    ),
    "overflowing cell": (
        lambda f: load(table(f, "a,b\n1,x\n1e999,y\n3,x\n")),
        1,
        ("infinite", "line 3", "1e999"),
    ),
    "text for a regression": (
        lambda f: load(table(f, "a,b\n1,1.5\n2,high\n3,2\n"), task="regression"),
        1,
        ("regression", "line 3", "'high'"),
    ),
    "column without values": (
        lambda f: load(table(f, "a,b,c\n1,?,x\n2,,y\n3,NA,x\n")),
        1,
        ("no values", "'b'", "3 missing"),
    ),
    "forced number": (
        lambda f: load(table(f), columns={"job": "number"}),
        1,
        ("not a number", "line 2", "'job'", "'clerk'"),
    ),
    "forced date": (
        lambda f: load(table(f), columns={"job": "date"}),
        1,
        ("not a date", "line 2", "'job'"),
    ),
    "kind of an unknown column": (
        lambda f: load(table(f), columns={"jobs": "category"}),
        1,
        ("'jobs'", "'job'"),
    ),
    "unknown kind": (
        lambda f: load(table(f), columns={"job": "categorie"}),
        2,
        ("'categorie'", "'category'"),
    ),
    "unknown kind of the target": (
        lambda f: load(table(f), columns={"income": "categorie"}),
        2,
        ("'categorie'", "'category'"),
    ),
    "unknown task": (
        lambda f: load(table(f), task="classify"),
        2,
        ("'classify'", "classification"),
    ),
    "no feature": (
        lambda f: load(table(f), columns={"age": "id", "job": "text"}),
        1,
        ("feature", "'age' is id"),
    ),
    "test file without a column": (
        lambda f: load(table(f), test=table(f, "age,income\n3,low\n", "test.csv")),
        1,
        ("'job'", "test.csv"),
    ),
    "test file with another class": (
        lambda f: load(table(f), test=table(f, "age,job,income\n3,cook,none\n", "test.csv")),
        1,
        ("class 'none'", "no training rows"),
    ),
    "test option of a named set": (
        lambda f: load("iris", test=table(f)),
        2,
        ("test", "named sets"),
    ),
    "no image": (lambda f: load(table(f).parent), 1, ("no image", "table file")),
    "empty class folder": (lambda f: load(empty_class(f)), 1, ("'wasp'", "photos", "remove")),
    "one class folder": (lambda f: load(one_class(f)), 1, ("one class", "'ant'")),
    "corrupt image": (lambda f: load(corrupt(f)), 1, ("cannot be read", "bee/1.png")),
    "animation": (lambda f: load(animation(f)), 1, ("animation", "bee/2.gif", "3 frames")),
    "huge image": (lambda f: load(huge(f)), 1, ("too big", "bee/9.png", "9000 x 8000")),
    "image outside classes": (lambda f: load(loose(f)), 1, ("outside", "stray.png", "class")),
    "class in val only": (lambda f: load(only_valid(f)), 1, ("class 'wasp'", "no training")),
    "target of images": (lambda f: load(photos(f), target="x"), 2, ("target", "images")),
    "image size": (lambda f: load(photos(f), image_size=0), 2, ("image_size", "0")),
    "damaged zip": (
        lambda f: load(table(f, pack(f / "a", {"a/1.png": png(f)}).read_bytes()[:-30], "b.zip")),
        1,
        ("b.zip",),
    ),
    "zip that leads out": (
        lambda f: load(pack(f / "a.zip", {"a/../../1.png": png(f), "b/1.png": png(f)})),
        1,
        ("leads out", "a.zip"),
    ),
    "zip bomb": (
        lambda f: load(pack(f / "a.zip", {"a/1.png": bytes(2**24), "b/1.png": png(f)})),
        1,
        ("unpacks to too much", "a.zip", "16 MiB"),
    ),
    "zip of a table": (lambda f: load(pack(f / "a.zip", {"a.csv": b"a,b"})), 1, ("table file",)),
}

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])
HOLED = np.where(X == 5, np.nan, X)


def data(task: str | None = None) -> Any:
    return load((X, Y), task=task)


def prepared(rows: Any, options: dict[str, Any]) -> Any:
    return fit_preparation(rows, np.arange(6), options)


MEMORY: dict[str, tuple[Callable[[], Any], int, tuple[str, ...]]] = {
    "NaN": (lambda: load((HOLED, Y)), 1, ("NaN", "row 3, column 2", "missing=")),
    "Inf": (
        lambda: load((np.where(X == 4, np.inf, X), Y), missing="median"),
        1,
        ("infinite", "row 3"),
    ),
    "NaN column": (
        lambda: load((X * [np.nan, 1], Y), missing="median"),
        1,
        ("no values", "column 1"),
    ),
    "NaN target": (lambda: load((X, np.where(Y, np.nan, 1.5))), 1, ("target", "row 2", "nan")),
    "lengths": (lambda: load((X, Y[:5])), 1, ("6 inputs", "(5,)")),
    "axes": (lambda: load((X[:, 0], Y)), 1, ("2 axes", "(6,)")),
    "texts": (lambda: load((X.astype(str), Y)), 1, ("numbers", "columns by name")),
    "ragged lists": (lambda: load(([[1], [2, 3]], [0, 1])), 1, ("equal length",)),
    "inputs alone": (lambda: load(X), 1, ("(inputs, targets)", "ndarray")),
    "three arrays": (lambda: load((X, Y, Y)), 1, ("pair", "3 values")),
    "one row": (lambda: load((X[:1], Y[:1])), 1, ("two rows", "1 sample")),
    "several class targets": (
        lambda: load((X, np.stack([Y, Y], 1)), task="classification"),
        1,
        ("one target per row",),
    ),
    "columns of other length": (lambda: load(({"a": [1, 2, 3]}, [0, 1])), 1, ("'a'", "3 cells")),
    "reload of arrays": (lambda: reload(data().source), 1, ("memory", "again")),
    "reload of nonsense": (lambda: reload({"load": "iris", "shell": "x"}), 1, ("shell",)),
    "share of one": (lambda: split(data(), test=1.0), 2, ("test", "1.0")),
    "negative share": (lambda: split(data(), valid=-0.1), 2, ("valid", "-0.1")),
    "share as text": (lambda: split(data(), test="0.2"), 2, ("test", "'0.2'")),  # type: ignore[arg-type]
    "shares too large": (lambda: split(data(), test=0.6, valid=0.4), 2, ("0.6 + 0.4",)),
    "too few rows": (lambda: split(data(), test=3, valid=3), 1, ("6 rows", "3 for test")),
    "unknown group": (lambda: split(load("iris"), group="petal"), 1, ("'petal'", "petal")),
    "unknown time": (lambda: split(data(), time="x3"), 1, ("'x3'", "did you mean")),
    "group and time": (lambda: split(data(), group="x1", time="x2"), 2, ("group, time",)),
    "too few groups": (lambda: split(data(), group=np.zeros(6)), 1, ("1 group", "3 parts")),
    "group leaves a class": (
        lambda: split(data(), time=np.array([0, 9, 0, 9, 0, 9]), test=1, valid=2),
        1,
        ("class '1'", "no training rows"),
    ),
    "folds": (lambda: folds(data(), 1, seed=0), 2, ("folds", "1")),
    "more folds than rows": (lambda: folds(data(), 7, seed=0), 1, ("6, 7 folds",)),
    "class of one row": (
        lambda: folds(load((X, np.array([0, 0, 0, 0, 0, 1]))), 2, seed=0),
        1,
        ("class '1'", "no training rows"),
    ),
    "dropped all": (lambda: prepared(data(), {"drop": ("x1", "x2")}), 1, ("no feature",)),
    "dropped unknown": (lambda: prepared(data(), {"drop": ("x9",)}), 1, ("'x9'", "did you mean")),
    "preparation option": (
        lambda: prepared(data(), {"scales": "none"}),
        2,
        ("'scales'", "'scale'"),
    ),
    "preparation value": (lambda: prepared(data(), {"scale": "zscore"}), 2, ("zscore",)),
    "pixels of a table": (lambda: prepared(data(), {"scale": "pixel"}), 2, ("images",)),
    "too large": (lambda: prepared(load((np.where(X > 4, 1e300, X), Y)), {}), 1, ("too large",)),
    "column missing in new rows": (
        lambda: read_inputs({"a": [1.0]}, schema_of(load(({"a": X[:, 0], "bb": X[:, 1]}, Y)))),
        1,
        ("'bb'", "missing"),
    ),
    "text in new rows": (
        lambda: read_inputs({"a": ["x"]}, schema_of(load(({"a": X[:, 0]}, Y)))),
        1,
        ("not a number", "row 1", "'a'"),
    ),
    "shape of new rows": (
        lambda: read_inputs(np.zeros((2, 3)), schema_of(data())),
        1,
        ("(2, 3)", "(rows, 2)"),
    ),
    "NaN in new rows": (lambda: read_inputs(HOLED, schema_of(data())), 1, ("NaN", "row 3")),
    "table for an image model": (
        lambda: read_inputs(np.zeros((2, 9, 9)), schema_of(load("digits"))),
        1,
        ("(rows, 8, 8, 1)",),
    ),
}


def check(action: Callable[[], Any], exit_code: int, words: tuple[str, ...]) -> None:
    with pytest.raises(ChymistError) as caught:
        action()
    error = caught.value
    line = str(error)
    assert type(error) is (InputError if exit_code == 1 else UsageError)
    assert error.exit_code == exit_code
    assert error.do, f"says nothing to do: {line}"
    assert [word for word in words if word not in line] == [], line
    assert "\n" not in line
    assert len(line) <= 200, line


@pytest.mark.parametrize("name", FILES)
def test_wrong_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    action, exit_code, words = FILES[name]
    check(lambda: action(tmp_path), exit_code, words)


@pytest.mark.parametrize("name", MEMORY)
def test_wrong_values_are_refused_in_one_line(name: str) -> None:
    check(*MEMORY[name])


def test_named_set_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHYMIST_DATA", str(tmp_path))
    with pytest.raises(InputError) as caught:
        load("pokemon")
    line = str(caught.value)
    for word in ("pokemon.csv", "SHA-256 e8132bb4", "VIRA3475", str(tmp_path / "pokemon_cp")):
        assert word in line


@pytest.mark.parametrize("name", ["digits", "iris", "cora", "mutag", "trec"])
def test_a_set_with_a_reader_of_its_own_has_one_target(name: str, request: Any) -> None:
    if name not in EMBEDDED:
        request.getfixturevalue("chymist_data")
    with pytest.raises(InputError, match=f"one target only, in {name}: got 'colour'"):
        load(name, target="colour")


def test_every_set_of_files_has_a_reader_and_published_hashes() -> None:
    assert set(READERS) == {name for name, known in SETS.items() if not known.task}
    assert {file for known in SETS.values() for file in known.files} == set(DIGESTS)
    assert set(ALIASES.values()) <= set(SETS)
    assert set(named_sets()) == {*EMBEDDED, *SETS}


def test_damaged_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHYMIST_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "mnist" / f"{name}-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x05abc")
    check(lambda: load("mnist"), 1, ("IDX", "train-images-idx3-ubyte", "fetch"))


def test_encrypted_zip(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a/1.png": png(tmp_path), "b/1.png": png(tmp_path)})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(mark)
        while start >= 0:
            content[start + offset] |= 1
            start = content.find(mark, start + 1)
    path.write_bytes(bytes(content))
    check(lambda: load(path), 1, ("encrypted", "a.zip"))


def test_controls_that_must_succeed(tmp_path: Path) -> None:
    assert load(table(tmp_path)).classes == ("high", "low")
    assert len(load(table(tmp_path, "a,b\n1,x\n\n2,y\n,,\n"[:-4] + "\n"))) == 2
    assert load(table(tmp_path, b"\xef\xbb\xbf" + ROWS.encode())).columns[0].name == "age"
    assert load(table(tmp_path, gzip.compress(ROWS.encode()), "t.csv.gz")).name == "t"
    assert load(table(tmp_path, ROWS.replace("\n", "\r\n"))).columns[1].distinct == 3
    assert load(photos(tmp_path)).inputs.shape == (4, 8, 8, 3)
    assert load((HOLED, Y), missing="median").columns[1].missing == 1
    constant = load(({"a": X[:, 0], "c": np.ones(6)}, Y))
    assert constant.columns[1].note == "the same in all rows"
    assert np.isfinite(fit_preparation(constant, np.arange(6), {}).inputs(constant.inputs)).all()
