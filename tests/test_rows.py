"""Rows in memory and streamed rows give the same bits, whoever prepares them and whoever dies."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.engine import rows as rows_module
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.place import Place, choose_device, free_memory
from chymist.engine.rows import Flat, InMemory, Streamed, in_turn, prepared_ahead
from chymist.errors import InputError, UsageError, WorkerLost

RECIPE = cy.Recipe(model=cy.models.mlp(hidden=(8,), dropout=0.2), length="3 epochs", batch_size=16)


@pytest.fixture(scope="module")
def iris() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


def bits(run: cy.Run) -> str:
    state = hashlib.sha256()
    for tensor in run.model.state_dict().values():
        state.update(tensor.numpy().tobytes())
    for series in run.history.values():
        state.update(series.tobytes())
    state.update(run.predictions.outputs.tobytes())
    return state.hexdigest()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_streamed_rows_give_the_bits_of_rows_in_memory(iris: cy.Split, workers: int) -> None:
    held = cy.fit(RECIPE, iris, seed=3, threads=1)
    streamed = cy.fit(RECIPE, iris, seed=3, threads=1, workers=workers)
    assert bits(held) == bits(streamed)
    assert held.score == streamed.score
    assert held.floors == streamed.floors


def test_streamed_images_and_regression_too() -> None:
    for name, model in (("digits", "cnn"), ("diabetes", "linear")):
        data = cy.load(name)
        split = cy.split(data, seed=0)
        recipe = cy.Recipe(model=model, length="1 epoch" if name == "digits" else None)
        held = cy.fit(recipe, split, threads=1)
        assert bits(held) == bits(cy.fit(recipe, split, threads=1, workers=2))


def test_rows_that_do_not_fit_into_memory_are_streamed(
    iris: cy.Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = complete(RECIPE, iris)
    assert isinstance(assemble(recipe, iris, 0).train, InMemory)
    monkeypatch.setattr("chymist.engine.place.SMALL", 0)
    monkeypatch.setattr("chymist.engine.place.free_memory", lambda: 100)
    assert isinstance(assemble(recipe, iris, 0).train, Streamed)


def test_the_loop_never_holds_more_than_the_batches_under_way(iris: cy.Split) -> None:
    asked: list[int] = []

    def prepare(index: np.ndarray) -> np.ndarray:
        asked.append(len(index))
        return np.zeros((len(index), 4), np.float32)

    rows = Streamed(prepare, torch.zeros(1000), torch.float32, 0)
    for inputs in in_turn(rows, 100):
        assert len(inputs) == 100
    assert asked == [100] * 10
    assert Flat(rows, 4)[np.array([5, 7])].shape == (2, 4)


@pytest.mark.parametrize("scale", ["auto", "standard", "minmax", "pixel", "none"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_images_held_as_bytes_give_the_bits_of_prepared_ones(scale: str, precision: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 5, 4, 3)).astype(np.uint8)
    split = cy.split(cy.load((images, np.arange(300) % 3)), seed=0)
    recipe = RECIPE.replace(data=cy.prepare(scale=scale), precision=precision)
    made = assemble(complete(recipe, split), split, 0)
    assert isinstance(made.train, InMemory)
    assert made.train.inputs.dtype == torch.uint8
    numbers = made.preparation.inputs(split.data.take(split.train))
    expected = torch.from_numpy(numbers).to(getattr(torch, precision))
    found = made.train.take(torch.arange(len(split.train)))
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


@pytest.mark.parametrize("form", ["reversed", "every second", "read-only", "transposed"])
def test_images_in_any_memory_order_are_read(form: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 4, 4, 3)).astype(np.uint8)
    given = {
        "reversed": images[::-1].copy()[::-1], "every second": np.repeat(images, 2, 0)[::2],
        "read-only": images.copy(), "transposed": np.ascontiguousarray(images.T).T,
    }[form]  # fmt: skip
    given.flags.writeable = form != "read-only"
    recipe, targets = RECIPE.replace(length="1 epoch"), np.arange(80) % 2
    expected, found = (
        cy.fit(recipe, cy.split(cy.load((x, targets)), seed=0)) for x in (images, given)
    )
    assert found.score == expected.score
    assert all(map(torch.equal, found.model.parameters(), expected.model.parameters()))


def _squares(index: np.ndarray) -> np.ndarray:
    return (index.astype(np.float32) ** 2)[:, None]


def _indices(count: int) -> list[np.ndarray]:
    return list(np.arange(count * 3).reshape(count, 3))


def test_batches_come_in_order_from_any_number_of_workers() -> None:
    expected = [_squares(index) for index in _indices(20)]
    for workers in (1, 2, 3):
        found = list(prepared_ahead(_squares, _indices(20), workers))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_killed_worker_is_replaced_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker = tmp_path / "killed"

    def prepare(index: np.ndarray) -> np.ndarray:
        if index[0] == 15 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return _squares(index)

    began = perf_counter()
    found = np.concatenate(list(prepared_ahead(prepare, _indices(10), 2)))
    assert np.array_equal(found, _squares(np.arange(30)))
    assert marker.exists()
    assert "a loader worker died" in caplog.text
    assert perf_counter() - began < 5


def test_a_row_that_kills_every_worker_is_named() -> None:
    def prepare(index: np.ndarray) -> np.ndarray:
        if 15 in index:
            os.kill(os.getpid(), signal.SIGKILL)
        return _squares(index)

    with pytest.raises(WorkerLost, match=r"rows 15, 16, 17.*3 lost in a row.*--workers 0"):
        list(prepared_ahead(prepare, _indices(10), 1))


def test_a_stuck_worker_is_named_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PATIENCE", 0.3)

    def prepare(index: np.ndarray) -> np.ndarray:
        sleep(60 if 15 in index else 0)
        return _squares(index)

    with pytest.raises(WorkerLost, match=r"does not answer.*rows 15"):
        list(prepared_ahead(prepare, _indices(10), 2))


def test_an_error_of_the_data_is_said_as_if_no_worker_stood_between() -> None:
    def prepare(index: np.ndarray) -> np.ndarray:
        raise InputError("an image is damaged", where="a/b.png", do="remove it")

    with pytest.raises(InputError, match="remove it"):
        list(prepared_ahead(prepare, _indices(2), 1))


def test_workers_end_with_their_trainer() -> None:
    """A trainer that is killed leaves no process behind."""
    reader, writer = os.pipe()
    trainer = os.fork()
    if trainer == 0:

        def prepare(index: np.ndarray) -> np.ndarray:
            os.write(writer, f"{os.getpid()}\n".encode())
            sleep(60)
            return _squares(index)

        list(prepared_ahead(prepare, _indices(4), 2))
        os._exit(0)
    workers = {int(os.read(reader, 100).split()[0])}
    os.kill(trainer, signal.SIGKILL)
    os.waitpid(trainer, 0)
    until = perf_counter() + 5
    while perf_counter() < until and any(_alive(pid) for pid in workers):
        sleep(0.05)
    assert not any(_alive(pid) for pid in workers)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_that_dies_in_the_middle_of_an_answer_is_replaced(tmp_path: Path) -> None:
    marker = tmp_path / "killed"

    def prepare(index: np.ndarray) -> np.ndarray:
        if index[0] == 6 and not marker.exists():
            marker.touch()
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return np.full((len(index), 10_000_000), index[0], np.float32)  # 120 MB through a pipe

    found = [array[0, 0] for array in prepared_ahead(prepare, _indices(4), 1)]
    assert found == [0, 3, 6, 9]
    assert marker.exists()


@pytest.mark.parametrize("workers", [-1, 1.5, 1000])
def test_a_wrong_number_of_workers_is_refused(iris: cy.Split, workers: object) -> None:
    with pytest.raises(UsageError, match="in workers"):
        cy.fit(RECIPE, iris, workers=workers)


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:99", "cuda:x", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no such device"):
        choose_device(name)


def test_free_memory_is_a_sensible_number() -> None:
    assert 2**20 < free_memory() < 2**50


def test_a_place_streams_with_workers_where_images_are_decoded(iris: cy.Split) -> None:
    assert Place().workers_for(iris.data, 100) is None
    assert Place().workers_for(iris.data, 2**60) == 0
    assert Place().workers_for(cy.load("digits"), 2**60) >= 1
    assert Place(workers=3).workers_for(iris.data, 100) == 3


def test_a_worker_whose_trainer_died_before_it_had_begun_ends_too() -> None:
    def work() -> None:
        rows_module._begin(lambda index: index, trainer=os.getppid() + 1_000_000)  # nobody
        sleep(60)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(10)
    assert process.exitcode == 1
