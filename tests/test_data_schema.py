"""New raw rows are read as the training rows were, without the training data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chymist.data import Schema, load, read_inputs, schema_of
from chymist.data.preparation import fit_preparation
from chymist.errors import InputError
from chymist.values import Data

TABLE = "day,age,job,income\n" + "".join(
    f"{n + 10:02}/01/2020,{n}.5,{('clerk', 'nurse')[n % 2]},{('low', 'high')[n % 3 == 0]}\n"
    for n in range(12)
)


def census(folder: Path, text: str = TABLE) -> Data:
    (folder / "census.csv").write_text(text)
    return load(folder / "census.csv")


def stored(data: Data) -> Schema:
    return Schema.from_dict(json.loads(json.dumps(schema_of(data).to_dict())))


def rows(folder: Path, text: str, schema: Schema) -> dict[str, list[object]]:
    (folder / "new.csv").write_text(text)
    found, _ = read_inputs(folder / "new.csv", schema)
    assert isinstance(found, dict)
    return {name: cells.tolist() for name, cells in found.items()}


@pytest.mark.parametrize("name", ["digits", "iris", "diabetes"])
def test_exact_on_disk(name: str) -> None:
    assert stored(load(name)) == schema_of(load(name))


def test_columns_are_matched_by_name(tmp_path: Path) -> None:
    schema = stored(census(tmp_path))
    expected = {"day": ["2020-01-03"], "age": [7.0], "job": ["pilot"]}
    for text in (
        "day,age,job,income\n03/01/2020,7,pilot,low\n",
        "day,age,job\n03/01/2020,7,pilot\n",
        "extra;job;age;day\n1;pilot;7;03/01/2020\n",
        "day\tage\tjob\n2020-01-03\t7\tpilot\n",
    ):
        assert rows(tmp_path, text, schema) == expected
    missing = rows(tmp_path, "day,age,job\n,?,\n", schema)
    assert missing["day"] == missing["job"] == [None]
    assert np.isnan(missing["age"]).all()


def test_reading_the_training_file_gives_the_training_rows(tmp_path: Path) -> None:
    data = census(tmp_path)
    found, names = read_inputs(tmp_path / "census.csv", stored(data))
    preparation = fit_preparation(data, np.arange(12), {})
    assert np.array_equal(preparation.inputs(found), preparation.inputs(data.inputs))
    assert names == [str(n + 1) for n in range(12)]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    schema = stored(census(tmp_path))
    with pytest.raises(InputError, match=r"column 'age' is missing.*did you mean 'ages'"):
        rows(tmp_path, "day,ages,job\n03/01/2020,7,pilot\n", schema)


def test_wrong_cells_are_named_with_their_place(tmp_path: Path) -> None:
    schema = stored(census(tmp_path))
    with pytest.raises(InputError, match=r"new.csv, line 3, column 'age': got 'old'"):
        rows(tmp_path, "day,age,job\n03/01/2020,7,x\n03/01/2020,old,x\n", schema)
    with pytest.raises(InputError, match=r"not a date.*line 2.*'soon'"):
        rows(tmp_path, "day,age,job\nsoon,7,x\n", schema)
    with pytest.raises(InputError, match=r"infinite.*line 2.*'age'"):
        rows(tmp_path, "day,age,job\n03/01/2020,inf,x\n", schema)


def test_files_without_header_are_matched_by_position(tmp_path: Path) -> None:
    text = "".join(f"{n}.5,{('u', 'v')[n % 2]},{n + 1}.25\n" for n in range(6))
    (tmp_path / "t.csv").write_text(text)
    data = load(tmp_path / "t.csv", target=2)
    assert data.target == "column_2"
    for given in ("7,u,8\n9,v,9\n", "7,8\n9,9\n"):
        assert rows(tmp_path, given, stored(data)) == {"column_1": [7, 9], "column_3": [8, 9]}
    with pytest.raises(InputError, match="4 columns without header, not 2"):
        rows(tmp_path, "7,8,9,10\n", stored(data))
    with pytest.raises(InputError, match="header line"):
        rows(tmp_path, "03/01/2020,7,x,low\n", stored(census(tmp_path)))


def test_named_sets_are_matched_by_position(chymist_data: Path, tmp_path: Path) -> None:
    schema = stored(load("pima"))
    found = rows(tmp_path, "6,148,72,35,0,33.6,0.627,50,1\n1,2,3,4,5,6,7,8,0\n", schema)
    assert list(found.values())[-1] == [50, 8]


def test_mappings_and_arrays() -> None:
    x, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    array = stored(load((x, y)))
    assert np.array_equal(read_inputs(x + 1, array)[0], x + 1)
    assert read_inputs(x.tolist(), array)[1] == ["1", "2", "3", "4"]
    table = stored(load(({"a": x[:, 0], "b": ["u", "v"] * 2}, y)))
    found, _ = read_inputs({"b": ["u", None], "a": [1, 2], "c": [0, 0]}, table)
    assert isinstance(found, dict)
    assert (found["a"].tolist(), found["b"].tolist()) == ([1, 2], ["u", None])


def test_training_inputs_can_be_given_back() -> None:
    for name in ("iris", "digits"):
        data = load(name)
        found, names = read_inputs(data.inputs, stored(data))
        preparation = fit_preparation(data, np.arange(100), {})
        assert np.array_equal(preparation.inputs(found), preparation.inputs(data.inputs))
        assert len(names) == len(data)


def test_images_in_every_form(tmp_path: Path) -> None:
    for label in ("ant", "bee"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for level in (10, 20):
            Image.new("RGB", (8, 6), (level, 0, 0)).save(
                tmp_path / "photos" / label / f"{level}.png"
            )
    data = load(tmp_path / "photos")
    schema = stored(data)
    found, names = read_inputs(tmp_path / "photos", schema)
    assert names == ["ant/10.png", "ant/20.png", "bee/10.png", "bee/20.png"]
    assert np.array_equal(found, data.inputs)  # type: ignore[arg-type]
    found, names = read_inputs(tmp_path / "photos" / "bee", schema)
    assert names == ["10.png", "20.png"]
    Image.new("L", (80, 20), 33).save(tmp_path / "new.jpg")
    found, names = read_inputs(tmp_path / "new.jpg", schema)
    assert isinstance(found, np.ndarray)
    assert (found.shape, names) == ((1, 6, 8, 3), ["new.jpg"])
    census(tmp_path)
    with pytest.raises(InputError, match=r"cannot be read.*census.csv.*no PNG"):
        read_inputs(tmp_path / "census.csv", schema)


def test_levels_of_digits_are_kept(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
    found, _ = read_inputs(tmp_path / "white.png", stored(load("digits")))
    assert isinstance(found, np.ndarray)
    assert found.max() == 16


def test_flat_and_channelless_images() -> None:
    schema = stored(load("digits"))
    flat = np.arange(128).reshape(2, 64)
    for array in (flat, flat.reshape(2, 8, 8), flat.reshape(2, 8, 8, 1), flat.reshape(2, 1, 8, 8)):
        found, _ = read_inputs(array, schema)
        assert isinstance(found, np.ndarray)
        assert np.array_equal(found.reshape(2, 64), flat)
