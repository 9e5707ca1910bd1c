"""Reading tables and arrays: delimiters, headers, kinds of columns, targets, named sets."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chymist.data import load, named_sets, reload, split
from chymist.data.cells import MISSING, date_order, is_number, to_date
from chymist.data.preparation import fit_preparation
from chymist.data.tables import delimiter_of, has_header, parse
from chymist.values import Data


def table(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def kinds(data: Data) -> dict[str, str]:
    return {column.name: column.kind for column in data.columns}


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    # A first row of plain names fixes the delimiter; blanks around cells do not count.
    rows = [["a", "b", "c"], *rows]
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    found, lines = parse(file.getvalue(), "t.csv")
    expected = [row for row in rows if any(cell.strip() for cell in row)]
    assert [[cell.strip() for cell in row] for row in found] == [
        [cell.strip() for cell in row] for row in expected
    ]
    assert lines == sorted(set(lines))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=8))
def test_numbers_survive_exactly(tmp_path_factory: pytest.TempPathFactory, x: list[float]) -> None:
    text = "x,y\n" + "".join(f"{value!r},{'ab'[n % 2]}\n" for n, value in enumerate(x))
    path = table(tmp_path_factory.mktemp("t"), text)
    data = load(path, columns={"x": "number"})
    assert isinstance(data.inputs, dict)
    assert data.inputs["x"].tolist() == x


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    text = "a,b,y\n1,x z,n\n2,w,y\n".replace(",", delimiter)
    data = load(table(tmp_path, text))
    assert kinds(data) == {"a": "number", "b": "category"}


def test_delimiter_inside_quotes_does_not_count() -> None:
    assert delimiter_of('a,b\n"1;2",3\n"4;5",6\n') == ","
    assert delimiter_of("a;b\n1,5;2,5\n") == ";"
    assert delimiter_of("one\ntwo\n") == ","


def test_decimal_commas(tmp_path: Path) -> None:
    data = load(table(tmp_path, "a;b;y\n1,5;2;n\n-2,25;3;y\n?;4;n\n"))
    assert kinds(data) == {"a": "number", "b": "number"}
    assert isinstance(data.inputs, dict)
    assert data.inputs["a"][:2].tolist() == [1.5, -2.25]
    lists = load(table(tmp_path, "a;y\n1,5,2;n\n1,2;y\n1,2;n\n1,2;n\n"), header=True)
    assert kinds(lists) == {"a": "category"}


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a,b\n1,x\n2,y\n", True),
        ("1,x\n2,y\n", False),
        ("?,x\n2,y\n", False),
        (",a\n0,1\n1,2\n", True),
        ("a,\n1,2\n", False),
        ("sky,play\nsunny,no\nrainy,yes\nsunny,no\n", True),
        ("sunny,no\nrainy,yes\nsunny,no\n", False),
        ("a,b\n", True),
        ("1,2\n", False),
        ("1949,1950\n1,2\n", False),
    ],
)
def test_header_is_detected(text: str, header: bool) -> None:
    assert has_header(parse(text, "t.csv")[0]) is header


def test_header_can_be_said(tmp_path: Path) -> None:
    years = table(tmp_path, "1949,1950\n1,0.5\n2,1.5\n3,9.5\n")
    assert kinds(load(years, header=True)) == {"1949": "number"}
    assert load(years, header=True).target == "1950"
    assert len(load(years)) == 4
    assert load(years).target == "column_2"
    assert "no header line" in load(years).notes[0]


def test_kinds_are_inferred(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["id,name,age,job,day,review,zip,y"]
    for n in range(80):
        review = " ".join(f"word{k}" for k in rng.integers(0, 99, 9))
        day = f"{n % 28 + 1:02}/03/20{n % 20 + 10}"
        job = ("clerk", "nurse")[n % 2]
        lines.append(f"{n + 1},N{n},{n % 30}.5,{job},{day},{review},{10000 + n % 5},{n}.25")
    path = table(tmp_path, "\n".join(lines))
    data = load(path)
    assert kinds(data) == {
        "id": "id", "name": "id", "age": "number", "job": "category", "day": "date",
        "review": "text", "zip": "number",
    }  # fmt: skip
    assert [column.name for column in data.columns if not column.used] == ["id", "name", "review"]
    assert all(column.note for column in data.columns if not column.used)
    assert data.columns[4].note == "dates are day/month/year"
    assert isinstance(data.inputs, dict)
    assert data.inputs["day"][0] == "2010-03-01"
    forced = load(path, columns={"zip": "category", "id": "number"})
    assert kinds(forced)["zip"] == "category"
    assert kinds(forced)["id"] == "number"
    assert data.task == "regression"


def test_years_that_count_up_stay_numbers(chymist_data: Path) -> None:
    assert kinds(load("longley"))["year"] == "number"
    assert kinds(load("pollution"))["No"] == "id"


def test_a_lone_counting_column_is_a_feature(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n},{2 * n + 0.5}\n" for n in range(12))
    data = load(table(tmp_path, text))
    assert kinds(data) == {"x": "number"}
    assert "only feature" in data.columns[0].note


def test_a_stray_text_in_a_column_of_numbers_is_named(tmp_path: Path) -> None:
    rows = [f"{n % 7}.5,{'ab'[n % 2]}" for n in range(40)]
    rows[5] = "1.2.3,b"
    data = load(table(tmp_path, "x,y\n" + "\n".join(rows)))
    assert kinds(data) == {"x": "category"}
    assert (
        data.notes[-1] == "column 'x' is category, not a number because of '1.2.3' (t.csv, line 7)"
    )


def test_missing_markers(tmp_path: Path) -> None:
    marks = sorted(MISSING)
    text = "a,b,y\n1.5,u,n\n" + "".join(f" {mark} ,{mark},y\n" for mark in marks) + "2.5,v,n\n"
    data = load(table(tmp_path, text))
    assert [column.missing for column in data.columns] == [len(marks)] * 2
    assert isinstance(data.inputs, dict)
    assert np.isnan(data.inputs["a"]).sum() == len(marks)
    assert data.inputs["b"].tolist() == ["u", *[None] * len(marks), "v"]


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["no", "yes", "no"], "classification", ("no", "yes")),
        (["10", "9", "10"], "classification", ("9", "10")),
        (["0.0", "1.0", "0"], "classification", ("0", "1")),
        (["1", "2", "3"] * 2, "classification", ("1", "2", "3")),
        (["1", "2", "3"], "regression", ()),
        (["1", "2", "5"] * 4, "regression", ()),
        (["1.5", "2", "3"] * 9, "regression", ()),
        ([str(n) for n in range(30)] * 9, "regression", ()),
    ],
)
def test_tasks_are_inferred(
    cells: list[str], task: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    text = "x,y\n" + "".join(f"{n}.5,{cell}\n" for n, cell in enumerate(cells))
    data = load(table(tmp_path, text))
    assert (data.task, data.classes) == (task, classes)


def test_tasks_can_be_said(tmp_path: Path) -> None:
    path = table(tmp_path, "x,y\n1.5,1\n2.5,2\n3.5,1\n4.5,2\n")
    assert load(path).task == "classification"
    assert load(path, task="regression").targets.tolist() == [1, 2, 1, 2]
    assert load(path, columns={"y": "number"}).task == "regression"


def test_targets_by_name_and_number(tmp_path: Path) -> None:
    path = table(tmp_path, "a,b,c\n1.5,x,7.5\n2.5,y,8.5\n3.5,x,9.5\n")
    assert load(path, target="b").classes == ("x", "y")
    assert load(path, target=2) == load(path, target="b")
    assert load(path, target=-1).target == load(path).target == "c"
    assert "the target is the last column, 'c'" in load(path).notes
    assert "last column" not in " ".join(load(path, target="c").notes)


def test_a_source_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, "a,zip,b\n1.5,7,x\n2.5,8,y\n3.5,7,x\n")
    test = table(tmp_path, "a,zip,b\n1.5,7,x\n", "test.csv")
    monkeypatch.chdir(tmp_path)
    data = load("t.csv", test="test.csv", columns={"zip": "category"}, name="mine")
    assert data.source == {
        "load": str(path.resolve()), "test": str(test.resolve()), "target": "b", "name": "mine",
        "columns": {"zip": "category"},
    }  # fmt: skip
    monkeypatch.chdir("/")
    again = reload(data.source)
    assert again == data
    assert again.name == "mine"


def test_sources_are_not_touched(tmp_path: Path) -> None:
    path = table(tmp_path, "a,b\n1.5,x\n2.5,y\n")
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    load(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [path]


def test_gzip_and_name(tmp_path: Path) -> None:
    path = tmp_path / "census.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1.5,x\n2.5,y\n"))
    assert load(path).name == "census"
    assert load(str(path), name="mine").name == "mine"


def test_arrays_tensors_and_columns() -> None:
    x, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
    array, tensor = load((x, y)), load((torch.tensor(x), torch.tensor(y)))
    assert array == tensor
    assert (array.kind, array.task, array.classes) == ("array", "classification", ("0", "1"))
    assert [column.name for column in array.columns] == ["x1", "x2"]
    assert array.source == {}
    named = load(({"a": x[:, 0], "b": ["u", "v", "u", None]}, ["n", "y", "n", "y"]))
    assert kinds(named) == {"a": "number", "b": "category"}
    whole = load({"a": x[:, 0], "y": ["n", "y", "n", "y"]}, target="y")
    assert whole.classes == ("n", "y")
    several = load((x, x + 0.5))
    assert (several.task, several.targets.shape) == ("regression", (4, 2))
    assert load((x, y[:, None])).targets.shape == (4,)


@pytest.mark.parametrize(
    ("shape", "stored"),
    [((4, 8, 8), (4, 8, 8, 1)), ((4, 8, 8, 3), (4, 8, 8, 3)), ((4, 3, 8, 8), (4, 8, 8, 3))],
)
def test_arrays_of_images(shape: tuple[int, ...], stored: tuple[int, ...]) -> None:
    images = np.zeros(shape, np.uint8)
    images[0] = 7
    data = load((images, [0, 1, 0, 1]))
    assert isinstance(data.inputs, np.ndarray)
    assert (data.kind, data.inputs.shape, data.inputs.dtype) == ("image", stored, np.uint8)
    tensors = torch.zeros((4, 1, 8, 3))
    assert load((tensors, [0, 1, 0, 1])).inputs.shape == (4, 8, 3, 1)  # type: ignore[union-attr]


def test_embedded_sets() -> None:
    assert {"digits", "iris", "mnist", "adult", "pokemon"} <= set(named_sets())
    digits = load("digits")
    assert isinstance(digits.inputs, np.ndarray)
    assert (digits.kind, digits.inputs.shape, digits.inputs.dtype) == (
        "image", (1797, 8, 8, 1), np.uint8,
    )  # fmt: skip
    assert digits.inputs.max() == 16
    for name, rows, columns, classes in (
        ("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast_cancer", 569, 30, 2),
        ("diabetes", 442, 10, 0),
    ):  # fmt: skip
        data = load(name)
        assert (len(data), len(data.columns), len(data.classes)) == (rows, columns, classes)
        assert reload(data.source) == data


SHAPES = {
    "adult": (48842, 14, 2), "airline-passengers": (144, 1, 0), "auto-insurance": (63, 1, 0),
    "banknote": (1372, 4, 2), "daily-min-temperatures": (3650, 1, 0), "housing": (506, 13, 0),
    "longley": (16, 6, 0), "pima": (768, 8, 2), "pokemon": (75, 6, 0),
    "pollution": (41757, 12, 0), "sonar": (208, 60, 2), "wine-quality": (1599, 11, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_named_tables(name: str, chymist_data: Path) -> None:
    data = load(name)
    assert (len(data), len(data.columns), len(data.classes)) == SHAPES[name]
    assert "differs" not in " ".join(data.notes)
    parts = split(data)
    made = fit_preparation(data, parts.train, {}).inputs(data.take(parts.valid))
    assert np.isfinite(made).all()


def test_adult_labels_are_normalised(chymist_data: Path) -> None:
    data = load("adult")
    assert data.classes == ("<=50K", ">50K")
    assert data.test_rows is not None
    assert data.test_rows.tolist() == list(range(32_561, 48_842))
    assert np.bincount(data.targets).tolist() == [37_155, 11_687]
    assert {c.name: c.missing for c in data.columns if c.missing} == {
        "workclass": 2799, "occupation": 2809, "native-country": 857,
    }  # fmt: skip


def test_pokemon_names_are_no_feature(chymist_data: Path) -> None:
    data = load("pokemon")
    assert data.target == "newcp"
    assert [c.name for c in data.columns if c.used] == ["species", "cp", "hp", "weight", "height"]


def test_mnist(chymist_data: Path) -> None:
    data = load("mnist")
    assert isinstance(data.inputs, np.ndarray)
    assert (data.inputs.shape, data.inputs.dtype) == ((70_000, 28, 28, 1), np.uint8)
    assert np.bincount(data.targets).tolist() == [
        6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958,
    ]  # fmt: skip


@given(st.dates().filter(lambda day: day.year >= 1000))
def test_dates_in_every_order(day: object) -> None:
    iso = str(day)
    year, month, number = iso.split("-")
    assert to_date(iso, "") == to_date(iso.replace("-", "/"), "") == iso
    assert to_date(f"{int(number)}.{int(month)}.{year}", "dates are day/month/year") == iso
    assert to_date(f"{month}/{number}/{year}", "dates are month/day/year") == iso


def test_dates_that_could_be_two_things_are_no_dates() -> None:
    assert date_order(["01/02/2020", "03/04/2020"]) is None
    assert date_order(["01/02/2020", "31/04/2020"]) is None
    assert date_order(["13/02/2020", "02/14/2020"]) is None
    assert date_order(["2020-13-01"]) is None
    assert to_date("2020-01-01 10:00+02:00", "") == "2020-01-01T08:00:00"


@given(st.text(max_size=8))
def test_is_number_agrees_with_python(text: str) -> None:
    try:
        float(text)
        number = "_" not in text
    except ValueError:
        number = False
    assert is_number(text) is number
