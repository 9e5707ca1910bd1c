"""Parquet files and frames of pandas and polars mean what the same table means as a CSV file."""

from __future__ import annotations

import builtins
import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import chymist as cy
from chymist.cli import main
from chymist.data import reload
from chymist.errors import InputError, UsageError

ROWS = 60
RNG = np.random.default_rng(0)
CENTS: list[float | None] = (RNG.integers(0, 9000, ROWS) / 100).tolist()
DAYS = [dt.datetime(2020, 1, 1 + n % 28, n % 24) for n in range(ROWS)]
TABLE: dict[str, list[Any]] = {
    "number": list(range(ROWS)),
    "price": [None if n % 9 == 4 else c for n, c in enumerate(CENTS)],
    "count": [n * 7 % 11 for n in range(ROWS)],
    "job": [None if n % 7 == 3 else ("clerk", "smith", " baker")[n % 3] for n in range(ROWS)],
    "member": [n % 5 < 2 for n in range(ROWS)],
    "day": DAYS,
    "label": [("no", "yes")[n % 2] for n in range(ROWS)],
}
KINDS = ["id", "number", "number", "category", "category", "date"]


def frames() -> dict[str, Any]:
    """The same table in many forms."""
    plain = pd.DataFrame(TABLE)
    return {
        "pandas": plain,
        "another index": plain.set_index(pd.Index(range(900, 900 + ROWS)[::-1])),
        "dates as index": plain.set_index(pd.DatetimeIndex(DAYS, name="when")),
        "objects": plain.astype(object),
        "nullable": plain.convert_dtypes(),
        "categories": plain.astype({"job": "category", "member": "category", "label": "category"}),
        "small numbers": plain.astype({"count": "int8"}),
        "nanoseconds": plain.astype({"day": "datetime64[ns]"}),
        "polars": pl.DataFrame(TABLE),
        "polars categories": pl.DataFrame(TABLE).with_columns(pl.col("job").cast(pl.Categorical)),
    }


def csv(folder: Path) -> cy.Data:
    pd.DataFrame(TABLE).to_csv(folder / "t.csv", index=False)
    return cy.load(folder / "t.csv")


def refused(*given: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        cy.load(*given, **options)
    line = caught.value.line()
    assert "\n" not in line
    return line


@pytest.mark.parametrize("name", frames())
def test_a_frame_means_what_its_file_means(name: str, tmp_path: Path) -> None:
    expected, data = csv(tmp_path), cy.load(frames()[name], target="label")
    assert [c.kind for c in data.columns] == KINDS
    assert data.columns == expected.columns
    assert data.fingerprint == expected.fingerprint
    assert data.targets.tolist() == expected.targets.tolist()


@pytest.mark.parametrize("name", frames())
def test_a_parquet_file_means_what_its_csv_means(name: str, tmp_path: Path) -> None:
    expected, frame = csv(tmp_path), frames()[name]
    path = tmp_path / "t.parquet"
    if isinstance(frame, pl.DataFrame):
        frame.write_parquet(path)
    else:
        frame = frame.astype({"day": "datetime64[us]"}) if name == "objects" else frame
        frame.to_parquet(path, index=name == "another index")
    data = cy.load(path, target="label")
    assert data.columns == expected.columns
    assert data.fingerprint == expected.fingerprint
    assert reload(data.source) == data


def test_the_last_column_is_the_target_as_in_a_file() -> None:
    data = cy.load(pd.DataFrame(TABLE))
    assert data.target == "label"
    assert "the target is the last column, 'label'" in data.notes


@pytest.mark.parametrize("library", [pd, pl])
def test_inputs_and_targets_apart(library: Any) -> None:
    frame = library.DataFrame({name: v for name, v in TABLE.items() if name != "label"})
    whole = cy.load(library.DataFrame(TABLE), target="label")
    column = pl.Series("label", TABLE["label"])
    data = cy.load((frame, column if library is pl else column.to_pandas()))
    assert data.target == "label"
    assert data.fingerprint == whole.fingerprint
    assert cy.load((frame, np.array(TABLE["label"]))).classes == ("no", "yes")
    assert cy.load((frame, TABLE["label"])).targets.tolist() == whole.targets.tolist()
    several = cy.load((frame, np.array([TABLE["number"], TABLE["count"]], float).T))
    assert several.targets.shape == (ROWS, 2)
    assert "differ in length" in refused((frame, TABLE["label"][:-1]))


def test_other_indexes_are_noted() -> None:
    frame = pd.DataFrame({"a": CENTS, "b": CENTS[::-1]})
    targets = pd.Series(TABLE["label"], index=range(ROWS)[::-1], name="y")
    note = "inputs and targets have different indexes: rows are paired by their order"
    assert note in cy.load((frame, targets)).notes
    assert note not in cy.load((frame, targets.reset_index(drop=True))).notes


def test_declared_categories_are_categories(tmp_path: Path) -> None:
    codes = [1.0 + n % 3 for n in range(ROWS)]
    frame = pd.DataFrame({"zip": pd.Categorical(codes), "x": CENTS, "y": pd.Categorical(codes)})
    data = cy.load(frame)
    assert (data.columns[0].kind, data.task, data.classes) == (
        "category", "classification", ("1", "2", "3"))  # fmt: skip
    assert cy.load(frame, columns={"zip": "number"}).columns[0].kind == "number"
    assert cy.load((frame[["x"]], frame["y"])).task == "classification"


def test_kinds_beyond_text_files(tmp_path: Path) -> None:
    frame = pl.DataFrame({
        "span": [dt.timedelta(minutes=n % 5) for n in range(ROWS)],
        "money": [Decimal(n * 3 % 17) / 4 for n in range(ROWS)],
        "clock": [dt.time(n % 3, 30) for n in range(ROWS)],
        "moment": pl.Series(DAYS).dt.replace_time_zone("Europe/Paris"),
        "bytes": [(b"a", b"b")[n % 2] for n in range(ROWS)],
        "y": [n % 4 for n in range(ROWS)],
    })  # fmt: skip
    frame.write_parquet(tmp_path / "t.parquet")
    data = cy.load(frame)
    assert [c.kind for c in data.columns] == ["number", "number", "category", "date", "category"]
    assert np.asarray(data.inputs["span"])[:3].tolist() == [0, 60, 120]  # type: ignore[call-overload]
    assert np.asarray(data.inputs["money"])[1] == 0.75  # type: ignore[call-overload]
    assert data.inputs["moment"][0] == "2019-12-31T23:00:00"  # type: ignore[call-overload]
    assert cy.load(tmp_path / "t.parquet").fingerprint == data.fingerprint


@pytest.mark.parametrize("library", [pd, pl])
def test_predictions_of_frames(library: Any, tmp_path: Path) -> None:
    frame = library.DataFrame(TABLE)
    run = cy.fit(cy.Recipe(model="softmax", length="3 epochs"), cy.load(frame), seed=0)
    pd.DataFrame(TABLE).to_csv(tmp_path / "t.csv", index=False)
    pd.DataFrame(TABLE).to_parquet(tmp_path / "t.parquet")
    expected = cy.predict(run, tmp_path / "t.csv").tolist()
    assert cy.predict(run, tmp_path / "t.parquet").tolist() == expected
    assert cy.predict(run, frame).tolist() == expected
    assert cy.predict(run, frame[["day", "job", "price", "member", "count"]]).tolist() == expected
    with pytest.raises(InputError, match="'job' is missing"):
        cy.predict(run, frame[["day", "price", "member", "count"]])


def test_a_second_file_is_for_test(tmp_path: Path) -> None:
    frame = pl.DataFrame(TABLE)
    frame[:40].write_parquet(tmp_path / "a.parquet")
    frame[40:].write_csv(tmp_path / "b.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    frame[40:].write_parquet(tmp_path / "b.parquet")
    data = cy.load(tmp_path / "a.parquet", test=tmp_path / "b.parquet")
    assert data.test_rows is not None
    assert data.test_rows.tolist() == list(range(40, 60))
    assert data.fingerprint == csv(tmp_path).fingerprint
    assert reload(data.source) == data


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame(TABLE).to_parquet(tmp_path / "t.parquet")
    run, short = tmp_path / "run", ["--model", "softmax", "--length", "2 epochs", "--json"]
    assert main(["fit", str(tmp_path / "t.parquet"), "--out", str(run), *short]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["rows"] == ROWS
    assert (
        main(
            [
                "predict",
                str(run),
                str(tmp_path / "t.parquet"),
                "--out",
                str(tmp_path / "p.csv"),
                "--json",
            ]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out)["rows"] == ROWS


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"a": [[1], [2], [3]], "y": [1, 2, 1]}), "column 'a'"),
        (pl.DataFrame({"a": [{"b": 1}, {"b": 2}], "y": [1, 2]}), "column 'a'"),
        (pd.DataFrame({"a": [1j, 2j, 3j], "y": [1, 2, 1]}), "column 'a'"),
        (pd.DataFrame({"a": [object()] * 3, "y": [1, 2, 1]}), "column 'a'"),
        (pd.DataFrame({"a": [b"\xff"] * 3, "y": [1, 2, 1]}), "not UTF-8"),
        (pd.DataFrame([[1, 2, 1]] * 3, columns=["a", "a", "y"]), "same name"),
        (pd.DataFrame([[1, 2, 1]] * 3, columns=["1", 1, "y"]), "same name"),
        (pd.DataFrame({"a": [1.0, np.inf, 2.0], "y": [1, 2, 1]}), "frame, row 2, column 'a'"),
        (pd.DataFrame({"a": [1.0, 10**400, 2.0], "y": [1, 2, 1]}, dtype=object), "infinite"),
        (pd.DataFrame({"a": [1.0, 3.0, 2.0], "y": ["a", None, "b"]}), "the target is missing"),
        (pd.DataFrame({"a": [None, None], "y": ["a", "b"]}), "no values"),
        (pd.DataFrame({"a": [], "y": []}), "rows are needed"),
        (pd.DataFrame(), "no columns"),
        (pl.DataFrame({"a": [1, 2], "y": [1, 2]}).lazy(), "collect()"),
    ],
)  # fmt: skip
def test_frames_that_are_refused(frame: Any, said: str) -> None:
    assert said in refused(frame)


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_columns_without_cells_are_refused_by_name(tmp_path: Path) -> None:
    for values in ([[1], [2]], [{"b": 1}, {"b": 2}]):
        line = refused(parquet(tmp_path / "t.parquet", a=values, y=[1, 2]))
        assert "t.parquet, column 'a'" in line


def test_bombs_are_refused_by_what_they_say(tmp_path: Path) -> None:
    zeros = pa.array(np.zeros(20_000_000, np.int8))
    path = parquet(tmp_path / "bomb.parquet", a=zeros, y=zeros)
    assert path.stat().st_size < 200_000
    line = refused(path)
    assert "unpacks to too many cells" in line
    assert "20,000,000 rows, 2 columns" in line


def test_long_texts_that_come_often_are_unpacked_once(tmp_path: Path) -> None:
    words = [("a" * 5000, "b" * 5000)[n % 2] for n in range(2000)]
    path = parquet(tmp_path / "t.parquet", a=words, y=[n % 3 for n in range(2000)])
    data = cy.load(path, columns={"a": "category"})
    assert len({id(cell) for cell in data.inputs["a"]}) == 2  # type: ignore[call-overload]
    path = parquet(tmp_path / "b.parquet", a=pa.array(["a" * 9000] * 9000), y=pa.array(range(9000)))
    assert "too many texts" in refused(path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"a,b\n1,2\n"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    assert "t.parquet" in refused(tmp_path / "t.parquet")
    (tmp_path / "d.parquet").mkdir()
    assert "not a file" in refused(tmp_path / "d.parquet")


def test_options_that_do_not_suit(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", a=[1.5, 2.5], y=[1, 2])
    for option in ({"header": True}, {"image_size": 8}, {"missing": "median"}):
        with pytest.raises(UsageError, match="does not suit"):
            cy.load(path, **option)  # type: ignore[arg-type]


def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "t.parquet", a=[1.5, 2.5], y=[1, 2])
    known = builtins.__import__

    def absent(name: str, *given: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return known(name, *given)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert "pip install 'chymist[frames]'" in refused(path)


def test_no_frame_library_is_imported_unasked(tmp_path: Path) -> None:
    csv(tmp_path)
    script = (
        f"import sys, chymist as cy; cy.load({str(tmp_path / 't.csv')!r}); "
        "print([m for m in ('pandas', 'polars', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_moments_of_a_mapping_are_dates() -> None:
    days = np.array(["2024-03-01", "NaT", "2024-03-05"], "datetime64[ns]")
    data = cy.load(({"day": days, "x": [1.5, 2.0, 4.0]}, ["n", "y", "n"]))
    assert (data.columns[0].kind, data.columns[0].missing) == ("date", 1)


def test_a_file_of_fewer_rows_than_it_claims_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": range(200), "y": ["n", "y"] * 100}), path)
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    # 200 and 8191 as Thrift writes them: the footer now says so of the file and of its columns.
    path.write_bytes(content[:start] + content[start:].replace(b"\x90\x03", b"\xfe\x7f"))
    with pytest.raises(InputError, match=r"cannot be read, in t\.parquet: got 200 rows of 8191"):
        cy.load(path)


def test_a_target_that_is_a_column_too_is_refused() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5, 4.0], "y": ["n", "y", "n"]})
    with pytest.raises(InputError, match=r"the target is also a column of the inputs.*got 'y'"):
        cy.load((frame, frame["y"]))
