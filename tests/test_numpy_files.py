"""Arrays in files train like arrays in memory, and what is large stays on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.cli import main
from chymist.data import blocks, npy, room
from chymist.data.load import moved, reload
from chymist.errors import DiskFull, InputError
from chymist.verbs import predicting

RNG = np.random.default_rng(7)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = np.where(X[:, 0] + 0.1 * X[:, 1] > 0, 4, 2)
RECIPE = cy.Recipe(model="softmax", length="3 epochs", batch_size=16)


def npz(folder: Path, **arrays: Any) -> Path:
    """An NPZ file whose members are stored as they are."""
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def same(found: cy.Data, wanted: cy.Data) -> None:
    assert found.fingerprint == wanted.fingerprint
    assert isinstance(found.inputs, np.ndarray)
    assert np.array_equal(found.inputs, wanted.inputs, equal_nan=found.inputs.dtype.kind == "f")
    assert np.array_equal(found.targets, wanted.targets)
    assert (found.classes, found.columns) == (wanted.classes, wanted.columns)


def weights(data: cy.Data, **options: Any) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = cy.fit(RECIPE, cy.split(data, seed=3), **options).model.state_dict()  # fmt: skip
    return found


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("inputs", [X, X.astype(np.float64), X.astype(">f4"), np.asfortranarray(X),
                                    (X * 9).astype(np.int16), X > 0, X.astype(np.float16),
                                    (X * 9).astype(np.uint8).reshape(30, 3, 4, 1)])  # fmt: skip
@pytest.mark.parametrize("packed", [np.savez, np.savez_compressed])
def test_the_same_rows_as_from_arrays(
    inputs: np.ndarray, packed: Callable[..., None], tmp_path: Path
) -> None:
    packed(tmp_path / "a.npz", X=inputs, y=Y[: len(inputs)])
    same(cy.load(tmp_path / "a.npz"), cy.load((inputs, Y[: len(inputs)])))


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_same_fit_as_from_arrays(
    order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = weights(cy.load((X, Y)))
    path = npz(tmp_path, x=np.asarray(X, order=order), y=Y)
    assert equal(weights(cy.load(path)), wanted)
    monkeypatch.setattr(npy, "MAPPED", 1000)
    data = cy.load(path)
    assert isinstance(data.inputs, np.memmap)
    assert not data.inputs.flags.writeable
    assert all(equal(weights(data, workers=workers), wanted) for workers in (None, 0, 2))


def test_predictions_and_scores_are_the_same_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "new.npy", X)
    run = cy.fit(RECIPE, cy.load((X, Y)))
    wanted = cy.predict(run, X, probabilities=True)
    score = cy.evaluate(run).metrics
    monkeypatch.setattr(npy, "MAPPED", 1000)
    monkeypatch.setattr(predicting, "EVALUATION_BATCH", 50)
    close = cy.predict(run, tmp_path / "new.npy", probabilities=True)
    assert np.allclose(close, wanted, rtol=0, atol=1e-6)  # batches of another size may round so
    monkeypatch.undo()
    monkeypatch.setattr(npy, "MAPPED", 1000)
    assert np.array_equal(cy.predict(run, tmp_path / "new.npy", probabilities=True), wanted)
    mapped = cy.fit(RECIPE, cy.load(npz(tmp_path, x=X, y=Y)))
    assert isinstance(mapped.data.inputs, np.memmap)
    assert cy.evaluate(mapped).metrics == score


def test_a_row_on_the_disk_that_is_too_large_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cy.fit(RECIPE, cy.load((X, Y)))
    new = X.astype(np.float64)
    new[70, 1] = 1e300
    np.save(tmp_path / "new.npy", new)
    monkeypatch.setattr(npy, "MAPPED", 1000)
    monkeypatch.setattr(predicting, "EVALUATION_BATCH", 50)
    with pytest.raises(InputError, match="new rows from 51 on, row 21, column 'x2'"):
        cy.predict(run, tmp_path / "new.npy")


def test_training_never_sees_the_test_arrays(tmp_path: Path) -> None:
    found = []
    for last in (X[80:], np.full_like(X[80:], 1e6)):
        data = cy.load(npz(tmp_path, x_train=X[:80], y_train=Y[:80], x_test=last, y_test=Y[80:]))
        assert cy.split(data, seed=3).test.tolist() == list(range(80, 120))
        found.append(weights(data))
    assert equal(*found)


def test_compressed_arrays_are_unpacked_onto_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.room_for, "__defaults__", (1000,))
    np.savez_compressed(tmp_path / "a.npz", x=X, y=Y)
    data = cy.load(tmp_path / "a.npz")
    assert isinstance(data.inputs, np.memmap)
    same(data, cy.load((X, Y)))


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.room_for, "__defaults__", (1000,))
    usage = shutil._ntuple_diskusage(10**9, 10**9, 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    np.savez_compressed(tmp_path / "a.npz", x=X, y=Y)
    with pytest.raises(DiskFull, match=r"the unpacked data do not fit on the disk, in a\.npz, 'x'"):
        cy.load(tmp_path / "a.npz")


def test_missing_numbers_are_read_again(tmp_path: Path) -> None:
    holes = np.where(X > 2, np.nan, X)
    data = cy.load(npz(tmp_path, x=holes, y=Y), missing="median")
    same(data, cy.load((holes, Y), missing="median"))
    same(reload(data.source), data)


def test_test_arrays_of_another_form(tmp_path: Path) -> None:
    for last, labels, message in (
        (X[:, :2], Y, "differ in form"),
        (X, Y.astype(str), "differ in form"),
        (X, Y[:9], "differ in length"),
    ):
        path = npz(tmp_path, x_train=X, y_train=Y, x_test=last, y_test=labels)
        with pytest.raises(InputError, match=message):
            cy.load(path)


def test_files_that_were_moved() -> None:
    def target(place: str, target: str) -> str:
        found: str = moved({"load": f"old/{place}", "target": target}, f"new/{place}")["target"]
        return found

    assert target("x.npy", "old/y.npy") == "new/y.npy"
    assert target("a.npz", "y") == "y"
    assert target("a.csv", "y.npy") == "y.npy"


def test_predictions_do_not_overwrite_the_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", Y)
    fit = ["fit", "x.npy", "--target", "y.npy", "--model", "softmax", "--length", "2 epochs"]
    assert main(fit) == 0
    assert main(["resume", "runs/x-0001"]) == 0
    assert main(["predict", "runs/x-0001", "x.npy", "--out", "y.npy"]) == 1
    assert "would change what they were made from" in capsys.readouterr().err
    np.save("y.npy", Y[::-1])
    assert main(["evaluate", "runs/x-0001"]) == 1
    assert "changed" in capsys.readouterr().err


def test_blocks_put_together_are_the_array(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(blocks.row_blocks(X, size=100))
    assert [len(block) for block in rows] == [8] * 15
    assert np.array_equal(np.concatenate(rows), X)
    monkeypatch.setattr(blocks.row_blocks, "__defaults__", (100,))
    in_blocks = cy.load((X, Y))
    monkeypatch.undo()
    same(in_blocks, cy.load((X, Y)))
