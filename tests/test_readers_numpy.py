"""NPY and NPZ files: roles, targets, large arrays on the disk, and what is refused."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main
from chymist.data import reload
from chymist.data.npy import MAPPED, open_npy, open_npz
from chymist.errors import InputError, UsageError

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(np.int64)
FLAT = cy.load((X, Y))


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def refused(*given: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        cy.load(*given, **options)
    return caught.value.line()


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [("x", "y"), ("X", "y"), ("data", "target"), ("features", "labels"), ("x_train", "y_train")],
)
def test_arrays_are_found_by_their_names(tmp_path: Path, inputs: str, targets: str) -> None:
    path = saved(tmp_path / "a.npz", **{targets: Y, inputs: X})
    data = cy.load(path)
    assert data == FLAT or data.fingerprint == FLAT.fingerprint
    assert f"inputs are the array '{inputs}', targets '{targets}'" in data.notes
    assert data.name == "a"
    assert reload(data.source) == data


def test_a_compressed_file_holds_the_same(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=X, y=Y)
    assert cy.load(tmp_path / "a.npz").fingerprint == FLAT.fingerprint


def test_test_arrays_become_the_standard_test_part(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x_train=X[:30], y_train=Y[:30], x_test=X[30:], y_test=Y[30:])
    data = cy.load(path)
    assert data.test_rows is not None
    assert data.test_rows.tolist() == list(range(30, 40))
    assert data.fingerprint == FLAT.fingerprint
    assert "the test part is 'x_test' and 'y_test'" in data.notes


def test_another_array_can_be_the_target(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=X, y=Y, price=X[:, 0] * 2)
    data = cy.load(path, target="price")
    assert data.task == "regression"
    assert data.targets.tolist() == (X[:, 0] * 2).tolist()
    assert "arrays not used: 'y'" in data.notes
    assert reload(data.source) == data


def test_the_target_is_never_among_the_inputs(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", data=Y, features=X)
    assert cy.load(path, target="data").fingerprint == FLAT.fingerprint
    path = saved(tmp_path / "b.npz", x=Y, y=X)
    data = cy.load(path, target="x")
    assert data.fingerprint == FLAT.fingerprint
    assert "inputs are the array 'y', targets 'x'" in data.notes
    path = saved(tmp_path / "c.npz", x=Y, X=X)
    assert cy.load(path, target="x").fingerprint == FLAT.fingerprint


def test_an_array_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=X, y=Y, price=Y)
    assert refused(path, target="prize") == (
        "there is no array of that name, in a.npz: got 'prize'; did you mean 'price'?"
    )
    assert refused(path, target="zzz").endswith("known: price, x, y")


def test_targets_from_a_second_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    data = cy.load(tmp_path / "x.npy", target=str(tmp_path / "y.npy"))
    assert data.fingerprint == FLAT.fingerprint
    assert reload(data.source) == data


@pytest.mark.parametrize(("target", "column"), [(-1, 3), (1, 0), ("2", 1)])
def test_targets_from_a_column(tmp_path: Path, target: Any, column: int) -> None:
    whole = np.column_stack([X, Y])
    np.save(tmp_path / "t.npy", whole)
    data = cy.load(tmp_path / "t.npy", target=target)
    assert np.array_equal(np.asarray(data.inputs), np.delete(whole, column, 1))
    assert len(data.columns) == 3
    assert data.task == ("classification" if column == 3 else "regression")
    assert reload(data.source) == data


def test_named_columns_are_a_table(tmp_path: Path) -> None:
    rows = np.zeros(40, [("age", "i4"), ("job", "U8"), ("day", "M8[D]"), ("y", "S3")])
    rows["age"], rows["job"] = np.arange(40) % 7, np.where(Y, "a", "b")
    rows["day"], rows["y"] = np.datetime64("2020-01-01") + np.arange(40), np.where(Y, b"yes", b"no")
    np.save(tmp_path / "t.npy", rows)
    data = cy.load(tmp_path / "t.npy")
    assert data.classes == ("no", "yes")
    assert [(c.name, c.kind) for c in data.columns] == [
        ("age", "number"), ("job", "category"), ("day", "date")]  # fmt: skip


def test_images_keep_their_form(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (12, 8, 8, 3), np.uint8)
    data = cy.load(saved(tmp_path / "a.npz", images=pixels, labels=np.arange(12) % 2))
    assert data.kind == "image"
    assert data.inputs.shape == (12, 8, 8, 3)  # type: ignore[union-attr]
    assert data.fingerprint == cy.load((pixels, np.arange(12) % 2)).fingerprint


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("form", ["npy", "npz"])
def test_large_arrays_stay_in_their_file(tmp_path: Path, form: str, order: Any) -> None:
    large = np.asarray(np.arange(MAPPED, dtype=np.float32).reshape(-1, 64), order=order)
    if form == "npy":
        np.save(tmp_path / "x.npy", large)
        read = open_npy(tmp_path / "x.npy").read("array")
    else:
        read = open_npz(saved(tmp_path / "x.npz", x=large)).read("x")
    assert isinstance(read, np.memmap)
    assert not read.flags.writeable
    assert np.array_equal(read, large)
    labels = np.arange(len(large)) % 2
    assert cy.load((read, labels)).fingerprint == cy.load((large, labels)).fingerprint


def test_other_byte_orders_and_small_types_are_read(tmp_path: Path) -> None:
    for dtype in (">f8", "<f4", ">i2", "u1", "?", "<f2"):
        np.save(tmp_path / "x.npy", (X > 0).astype(dtype))
        np.save(tmp_path / "y.npy", Y)
        data = cy.load(tmp_path / "x.npy", target=str(tmp_path / "y.npy"))
        assert np.array_equal(np.asarray(data.inputs, float), (X > 0).astype(float))


def test_missing_numbers_need_a_word(tmp_path: Path) -> None:
    holes = X.copy()
    holes[3, 1] = np.nan
    path = saved(tmp_path / "a.npz", x=holes, y=Y)
    assert "row 4, column 2" in refused(path)
    data = cy.load(path, missing="median")
    assert data.columns[1].missing == 1
    assert reload(data.source) == data
    holes[5, 0] = np.inf
    assert "row 6, column 1" in refused(saved(path, x=holes, y=Y), missing="median")


def test_a_file_that_unpacks_to_too_much_is_to_be_saved_otherwise(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((40, 2**16)), y=Y)
    said = refused(tmp_path / "a.npz")
    assert "the zip unpacks to too much" in said
    assert said.endswith("; save inputs and targets with numpy.savez")
    cy.load(saved(tmp_path / "a.npz", x=np.zeros((40, 2**16)), y=Y))


def test_objects_are_never_read(tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "made"),)

    for name in ("t.npy", "t.npz"):
        rows = np.array([Bad()] * 40, object)
        if name == "t.npy":
            np.save(tmp_path / name, rows, allow_pickle=True)
        else:
            np.savez(tmp_path / name, x=rows, y=Y)
        line = refused(tmp_path / name)
        assert "objects" in line or "not as large" in line, line
    assert not (tmp_path / "made").exists()


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"\x93NUM", "cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff", "a header of 65,535 bytes"),
        (b"\x93NUMPY\x09\x00\x10\x00", "version 9.0"),
        (header("(10, 4)") + bytes(80), "not as large as its header says"),
        (header("(10**9, 4)"), "damaged"),
        (header("(1000000000, 1000000000)"), "not as large"),
        (header("(-1, 4)"), "damaged"),
        (header("(True, 4)"), "damaged"),
        (header("(2, 2)", "'|O'") + bytes(32), "Python objects"),
        (header("(2, 2)", "'<c16'") + bytes(64), "neither numbers nor texts"),
        (header("(2, 2)", "'|V8'") + bytes(32), "neither numbers nor texts"),
        (header("()") + bytes(8), "has no rows"),
        (header("(0, 4)"), "has no rows"),
        (header("(1,1,1,1,1,1,1,1,1)") + bytes(8), "too many axes"),
        (header("(2, 2)", "__import__('os')") + bytes(32), "damaged"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    line = refused(tmp_path / "x.npy", target=-1)
    assert said in line
    assert "x.npy" in line
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", (io.BytesIO(), content)[1])
    assert "x.npz" in refused(tmp_path / "x.npz")


def test_stored_arrays_are_checked_before_they_are_mapped(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=np.zeros((MAPPED // 8, 2)), y=np.arange(MAPPED // 8) % 2)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    assert "another checksum" in refused(path)


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"a": X, "b": Y}, {}, "name them x and y"),
        ({"x": X}, {}, "targets are missing"),
        ({"x": X, "y": Y[:9]}, {}, "differ in length"),
        ({"x": X, "y": Y}, {"target": "z"}, "no array of that name"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y}, {}, "differ in form"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y[:9]}, {}, "differ in length"),
        ({}, {}, "no arrays"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_asked(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    assert said in refused(saved(tmp_path / "a.npz", **arrays), **options)


def test_options_that_do_not_suit(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=X, y=Y)
    for option in ({"header": True}, {"image_size": 8}, {"test": path}):
        with pytest.raises(UsageError, match="does not suit NPZ and NPY files"):
            cy.load(path, **option)  # type: ignore[arg-type]


def test_predictions_of_new_files(tmp_path: Path) -> None:
    run = cy.fit(cy.Recipe(model="softmax", length="5 epochs"), cy.load((X, Y)), seed=0)
    expected = cy.predict(run, X).tolist()
    np.save(tmp_path / "new.npy", X)
    assert cy.predict(run, tmp_path / "new.npy").tolist() == expected
    assert cy.predict(run, saved(tmp_path / "new.npz", x=X, y=Y)).tolist() == expected
    assert cy.predict(run, saved(tmp_path / "one.npz", rows=X)).tolist() == expected
    with pytest.raises(InputError, match="which array holds the new rows"):
        cy.predict(run, saved(tmp_path / "two.npz", a=X, b=X))


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    path = saved(tmp_path / "a.npz", x=X, y=Y)
    short = ["--model", "softmax", "--length", "2 epochs", "--json"]
    assert main(["fit", str(path), "--out", str(tmp_path / "r1"), *short]) == 0
    first = json.loads(capsys.readouterr().out)
    argv = ["fit", str(tmp_path / "x.npy"), "--target", str(tmp_path / "y.npy")]
    assert main([*argv, "--out", str(tmp_path / "r2"), *short]) == 0
    second = json.loads(capsys.readouterr().out)
    assert first["data"]["fingerprint"] == second["data"]["fingerprint"] == FLAT.fingerprint
    assert first["score"] == second["score"]
    out = tmp_path / "p.csv"
    told = ["predict", str(tmp_path / "r1"), str(tmp_path / "x.npy"), "--out", str(out), "--json"]
    assert main(told) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 40
    assert len(out.read_text().splitlines()) == 41
