"""Event files: TensorBoard's own reader finds what was written, and writing changes no run."""

from __future__ import annotations

import errno
import io
import json
import re
import sys
from pathlib import Path
from time import process_time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.data.event_files import checksum, frame, read_events
from chymist.reports.dataflow import dataflow
from chymist.reports.event_files import EventFile
from chymist.reports.tracing import trace
from chymist.verbs import tensorboard as boards

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
ALL = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}


def read(folder: Path):  # type: ignore[no-untyped-def]
    """A folder as TensorBoard itself reads it."""
    found = accumulator.EventAccumulator(str(folder), size_guidance=ALL)
    return found.Reload()


def points(found, tag: str) -> list[tuple[int, float]]:  # type: ignore[no-untyped-def]
    return [(event.step, event.value) for event in found.Scalars(tag)]


def narrow(series: np.ndarray) -> list[tuple[int, float]]:
    """Points as float32 holds them."""
    return [(int(step), float(np.float32(value))) for step, value in series.tolist()]


@pytest.fixture(scope="module")
def boarded(tmp_path_factory: pytest.TempPathFactory) -> tuple[cy.Run, cy.Run, Path]:
    """The same small network for images twice, without and with event files."""
    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(
        model=cy.models.cnn(channels=(4, 8), dropout=0.2), length="3 epochs", augment="shift",
        optimizer=cy.optim.adam(lr=1e-2),
    )  # fmt: skip
    place = tmp_path_factory.mktemp("board")
    plain = cy.fit(recipe, split, seed=1)
    return plain, cy.fit(recipe, split, seed=1, tensorboard=place), place / "digits"


def test_event_files_change_no_bit_of_a_run(boarded: tuple[cy.Run, cy.Run, Path]) -> None:
    plain, watched, _ = boarded
    one, other = plain.model.state_dict(), watched.model.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert plain.history.keys() == watched.history.keys()
    # How often the doctor looks at gradients depends on the clock, with and without a board.
    recorded = plain.history.keys() - {"gradient_norm", "update_ratio"}
    assert len(recorded) >= 5
    assert all(np.array_equal(plain.history[n], watched.history[n]) for n in recorded)
    assert np.array_equal(plain.predictions.outputs, watched.predictions.outputs)
    assert plain.facts["notes"] == watched.facts["notes"]


def test_tensorboard_reads_the_numbers(boarded: tuple[cy.Run, cy.Run, Path]) -> None:
    _, run, folder = boarded
    found = read(folder)
    tags = {"loss": "loss/step", "rate": "learning_rate", "train_loss": "loss/train",
            "val_loss": "loss/valid", "val_accuracy": "accuracy/valid"}  # fmt: skip
    for name, tag in tags.items():
        assert points(found, tag) == narrow(run.history[name]), name
    speeds = found.Scalars("throughput/rows_per_second")
    assert len(speeds) == 3
    assert all(event.value > 0 for event in speeds)
    walls = [event.wall_time for event in found.Scalars("loss/step")]
    assert walls == sorted(walls)


def test_tensorboard_reads_histograms_of_weights_and_gradients(
    boarded: tuple[cy.Run, cy.Run, Path],
) -> None:
    _, run, folder = boarded
    found = read(folder)
    named = dict(run.model.named_parameters())
    tags = found.Tags()["histograms"]
    assert {f"{kind}/{name}" for kind in ("weights", "gradients") for name in named} == set(tags)
    assert [event.step for event in found.Histograms("weights/0.weight")] == [
        int(step) for step in run.history["val_loss"][:, 0]
    ]
    last = {name: found.Histograms(f"weights/{name}")[-1].histogram_value for name in named}
    kept = run.facts["best_epoch"] in (None, 3.0)
    for name, parameter in named.items():
        histo, values = last[name], parameter.detach().double().numpy().ravel()
        assert histo.num == len(values) == sum(histo.bucket)
        if kept:  # the weights of the result are those of the last epoch
            assert histo.min == values.min()
            assert histo.max == values.max()
            np.testing.assert_allclose([histo.sum, histo.sum_squares],
                                       [values.sum(), (values**2).sum()], rtol=1e-12)  # fmt: skip


def test_tensorboard_reads_pictures(boarded: tuple[cy.Run, cy.Run, Path]) -> None:
    _, run, folder = boarded
    found = read(folder)
    assert set(found.Tags()["images"]) == {"images/batch", "images/first layer",
                                           "images/worst valid"}  # fmt: skip
    for tag in found.Tags()["images"]:
        for event in found.Images(tag):
            picture = Image.open(io.BytesIO(event.encoded_image_string))
            assert picture.size == (event.width, event.height)
    kernels = Image.open(io.BytesIO(found.Images("images/first layer")[-1].encoded_image_string))
    assert np.array_equal(np.asarray(kernels), cy.show_weights(run).sheet[..., 0])
    assert [event.step for event in found.Images("images/first layer")] == [0, run.facts["steps"]]


def test_tensorboard_reads_the_graph_and_the_texts(boarded: tuple[cy.Run, cy.Run, Path]) -> None:
    _, run, folder = boarded
    found = read(folder)
    nodes = {node.name: node for node in found.Graph().node}
    assert list(nodes["0-Conv2d"].input) == ["input"]
    assert all(name in nodes for node in nodes.values() for name in node.input)
    held = {re.sub(r"-\w+$", "", name): node.attr["parameters"].i for name, node in nodes.items()}
    expected = {name: sum(p.numel() for p in run.model.get_submodule(name).parameters())
                for name, _ in run.model.named_children()}  # fmt: skip
    assert {n: k for n, k in held.items() if k} == {n: k for n, k in expected.items() if k}
    sizes = [d.size for d in nodes["output"].attr["_output_shapes"].list.shape[0].dim]
    assert sizes == [1, 10]
    texts = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode()
             for tag in found.Tags()["tensors"]}  # fmt: skip
    assert set(texts) == {"recipe", "findings", "verdict", "worst valid rows"}
    assert 'name = "cnn"' in texts["recipe"]
    assert texts["verdict"] == run.verdict
    assert run.findings
    assert all(f"**{f.code}**" in texts["findings"] for f in run.findings)
    worst = texts["worst valid rows"].splitlines()[2].split(" | ")
    assert int(worst[0].strip("| ")) - 1 in run.split.valid


def test_the_loader_and_the_watcher_of_folders_read_every_record(
    boarded: tuple[cy.Run, cy.Run, Path],
) -> None:
    from tensorboard.backend.event_processing.directory_watcher import DirectoryWatcher
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (path,) = boarded[2].iterdir()
    one = [event.step for event in EventFileLoader(str(path)).Load()]
    watcher = DirectoryWatcher(str(path.parent), EventFileLoader)
    assert one == [event.step for event in watcher.Load()]
    assert len(one) > boarded[1].facts["steps"]


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_frames_are_those_of_tensorboard(content: bytes) -> None:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    RecordWriter(stream).write(content)
    assert frame(content) == stream.getvalue()
    assert checksum(content) == masked_crc32c(content)


@pytest.mark.parametrize("size", [4096, 4097, 4225, 10_000, 65_535])
def test_checksums_of_long_records_are_those_of_tensorboard(size: int) -> None:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    content = np.random.default_rng(size).bytes(size)
    assert checksum(content) == masked_crc32c(content)


def test_a_long_record_is_checked_fast() -> None:
    began = process_time()
    checksum(bytes(2**23))
    assert process_time() - began < 1.5  # byte by byte it takes several seconds


@given(
    st.lists(st.tuples(st.integers(0, 2**40), st.floats(width=32), st.floats(1, 2e9)), max_size=20)
)
@settings(max_examples=25, deadline=None)
def test_any_number_comes_back(written: list[tuple[int, float, float]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with EventFile(Path(folder)) as file:
            for step, value, wall in written:
                file.scalars(step, {"a": value}, wall)
        found = read_events(list(Path(folder).iterdir())).series.get("a", [])
        told = read(Path(folder))
        official = told.Scalars("a") if written else []
    assert [(w, s) for w, s, _ in found] == [(w, s) for s, _, w in written]
    values = np.array([value for *_, value in found], np.float32)
    for expected in ([v for _, v, _ in written], [event.value for event in official]):
        np.testing.assert_array_equal(values, np.array(expected, np.float32))


def test_two_runs_do_not_collide_and_what_is_there_stays(tmp_path: Path) -> None:
    split, recipe = cy.split(cy.load("iris"), seed=0), cy.Recipe(model="softmax", length="2 epochs")
    place = tmp_path / "board"
    for _ in range(2):
        cy.fit(recipe, split, tensorboard=place)
    cy.fit(recipe, split, out=tmp_path / "mine", tensorboard=place)
    assert sorted(p.name for p in place.iterdir()) == ["iris", "iris-0001", "mine"]
    assert all(len(list(p.iterdir())) == 1 for p in place.iterdir())


def test_a_resumed_run_has_all_its_points(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(4,)), length="40 steps", batch_size=16)
    whole = cy.fit(recipe, split, seed=2)
    asked = iter([False] * 17 + [True] * 100)
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, seed=2, out=tmp_path / "run", interrupted=lambda: next(asked),
               tensorboard=tmp_path / "board")  # fmt: skip
    first = points(read(tmp_path / "board" / "run"), "loss/step")
    assert first == narrow(whole.history["loss"])[: len(first)]
    assert 15 < len(first) < 20  # what was written before stands
    run, step, _ = cy.resume(tmp_path / "run", tensorboard=tmp_path / "board")
    assert step > 0
    again = points(read(tmp_path / "board" / "run-0001"), "loss/step")
    assert again == narrow(whole.history["loss"])
    assert run.predictions.outputs.tolist() == whole.predictions.outputs.tolist()


def test_a_full_disk_ends_the_log_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, recipe = cy.split(cy.load("iris"), seed=0), cy.Recipe(model="softmax", length="5 epochs")
    plain, flushed = cy.fit(recipe, split), EventFile.flush
    calls: list[int] = []

    def full(file: EventFile) -> None:
        calls.append(1)
        if len(calls) > 3:  # half of a record was written
            half = bytes(file._waiting[: len(file._waiting) // 2])
            with file._path.open("ab") as stream:
                stream.write(half)
            raise OSError(errno.ENOSPC, "No space left on device")
        flushed(file)

    monkeypatch.setattr(EventFile, "flush", full)
    monkeypatch.setattr(boards, "FLUSH_SECONDS", 1e9)  # only epochs are flushed
    run = cy.fit(recipe, split, tensorboard=tmp_path / "board")
    assert np.array_equal(run.predictions.outputs, plain.predictions.outputs)
    assert run.facts["notes"] == [*plain.facts["notes"],
                                  "nothing more was written for TensorBoard: no space left on device"]  # fmt: skip
    assert len(calls) == 4
    found = points(read(tmp_path / "board" / "iris"), "loss/train")
    assert 2 <= len(found) < 5
    assert found == narrow(run.history["train_loss"])[: len(found)]
    (note,) = read_events([*(tmp_path / "board" / "iris").iterdir()]).notes
    assert "ends within a record" in note


def test_a_model_that_cannot_be_traced_is_still_logged(tmp_path: Path) -> None:
    class Shy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) == 1:
                raise RuntimeError("not for one row")
            return self.layer(x)

    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model=lambda shapes: Shy(), length="2 epochs", batch_size=30)
    run = cy.fit(recipe, split, doctor=False, tensorboard=tmp_path)
    found = read(tmp_path / "iris")
    assert not found.Tags()["graph"]
    assert points(found, "loss/train") == narrow(run.history["train_loss"])
    assert not run.facts["notes"]


def test_histograms_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chymist.reports.event_files.MOST_VALUES", 1000)
    monkeypatch.setattr(boards, "LOOKS", 4)
    split = cy.split(cy.load("iris"), seed=0)
    cy.fit(cy.Recipe(model=cy.models.mlp(hidden=(500,)), length="20 epochs", stop="none"), split,
           tensorboard=tmp_path)  # fmt: skip
    found = read(tmp_path / "iris")
    looks = found.Histograms("weights/1.weight")
    steps = [step for step, _ in points(found, "loss/train")]
    assert [event.step for event in looks] == [steps[n - 1] for n in (1, 5, 10, 15, 20)]
    assert {event.histogram_value.num for event in looks} == {1000}


def test_a_histogram_is_of_what_is_finite(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.histogram(1, "a", np.array([0.0, 1.0, np.nan, np.inf, 1.0]))
        file.histogram(2, "a", np.full(3, 2.5))
        file.histogram(3, "a", np.array([np.nan]))
        file.histogram(4, "a", np.array([]))
    found = read(tmp_path).Histograms("a")
    assert [event.step for event in found] == [1, 2]
    assert found[0].histogram_value.num == 3
    assert sum(found[1].histogram_value.bucket) == 3


class Branching(nn.Module):
    """A shared layer, a sum, a step in place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"one": nn.Linear(3, 3)})
        self.out = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        once = self.body["one"](x)
        twice = self.body["one"](once) + once
        twice.relu_()
        return self.out(twice)


def test_the_graph_follows_the_tensors(tmp_path: Path) -> None:
    model = Branching()
    with EventFile(tmp_path) as file:
        file.graph(dataflow(model, trace(model, (torch.ones(2, 3),), batch=2)))
    nodes = {node.name: node for node in read(tmp_path).Graph().node}
    inputs = {name: list(node.input) for name, node in nodes.items()}
    assert inputs == {
        "input": [], "body/one": ["input"], "body/one_1": ["body/one"],
        "add": ["body/one_1", "body/one"], "relu": ["add"], "out": ["relu"], "output": ["out"],
    }  # fmt: skip
    numbers = {name: (node.attr["parameters"].i, node.attr["shared"].i)
               for name, node in nodes.items() if node.op == "Linear"}  # fmt: skip
    assert numbers == {"body/one": (12, 0), "body/one_1": (0, 12), "out": (8, 0)}
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_members_and_trials_have_folders(tmp_path: Path) -> None:
    split, recipe = cy.split(cy.load("iris"), seed=0), cy.Recipe(model="softmax", length="3 epochs")
    found = cy.fit_population(recipe, split, seeds=2, tensorboard=tmp_path)
    for number in range(2):
        board = read(tmp_path / "iris-population" / f"member-{number:04d}")
        assert points(board, "loss/valid") == narrow(np.array(found.histories[number]["val_loss"]))
    space = {"optimizer.lr": cy.space.choice(1e-3, 1e-2)}
    cy.search(recipe, cy.load("iris"), space, "grid", folds=2, tensorboard=tmp_path)
    made = sorted(p.name for p in (tmp_path / "iris-search").iterdir())
    assert made == [f"trial-000{n}-fold-0{k}" for n in range(2) for k in range(2)]
    texts = read(tmp_path / "iris-search" / "trial-0001-fold-00").Tensors("recipe")
    assert b"lr = 0.01" in texts[0].tensor_proto.string_val[0]


def test_recorded_runs_are_written_point_for_point(tmp_path: Path) -> None:
    split, recipe = cy.split(cy.load("iris"), seed=0), cy.Recipe(model="softmax", length="4 epochs")
    run = cy.fit(recipe, split, out=tmp_path / "run")
    cy.fit_population(recipe, split, seeds=2, out=tmp_path / "pop")
    written = cy.to_tensorboard([run, tmp_path / "run", tmp_path / "pop"], tmp_path / "board")
    assert [p.relative_to(tmp_path / "board").as_posix() for p in written.runs] == [
        "run", "run-0001", "pop/0000", "pop/0001"]  # fmt: skip
    for folder in written.runs[:2]:
        found = read(folder)
        assert points(found, "loss/step") == narrow(run.history["loss"])
        assert points(found, "accuracy/valid") == narrow(run.history["val_accuracy"])
    assert written.points == sum(
        len(series)
        for folder in written.runs
        for series in read_events([*folder.iterdir()]).series.values()
    )
    population = cy.fit_population(recipe, split, seeds=2)
    members = cy.to_tensorboard(population, tmp_path / "board")
    assert [p.name for p in members.runs] == ["iris-member-0000", "iris-member-0001"]


def test_the_command_line_writes_what_python_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["fit", "iris", "--model", "softmax", "--length", "2 epochs", "--quiet"]
    assert main([*words, "--out", "run", "--tensorboard", "board"]) == 0
    assert main(["tensorboard", "run", "--out", "board", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["runs"] == ["board/run-0001"]
    live, later = read(tmp_path / "board/run"), read(tmp_path / "board/run-0001")
    assert points(live, "loss/step") == points(later, "loss/step")
    (tmp_path / "file").write_text("")
    assert main([*words, "--tensorboard", "file"]) == 1
    assert "a file in the way" in capsys.readouterr().err
    assert main(["tensorboard", "nothing", "--out", "board"]) == 1
    assert not (tmp_path / "runs").exists()


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chymist.data.event_files import messages

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    messages.cache_clear()
    split = cy.split(cy.load("iris"), seed=0)
    try:
        for action in (
            lambda: cy.fit(cy.Recipe(model="softmax"), split, tensorboard=tmp_path / "a"),
            lambda: cy.to_tensorboard(tmp_path, tmp_path / "a"),
        ):
            with pytest.raises(cy.UsageError, match=r"pip install 'chymist\[tensorboard\]'"):
                action()
        cy.fit(cy.Recipe(model="softmax", length="1 epochs"), split)  # nobody else needs it
    finally:
        messages.cache_clear()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_record_that_is_not_written_whole_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    run = cy.fit(cy.Recipe(model="softmax", length="1 epoch"), cy.load("iris"), out=tmp_path / "r")
    kept = cy.to_tensorboard(run, tmp_path / "boards").runs

    def fails(*_: object) -> int:
        raise error

    monkeypatch.setattr("chymist.verbs.event_logs.write_series", fails)
    with pytest.raises(type(error)):
        cy.to_tensorboard(run, tmp_path / "boards")
    assert tuple((tmp_path / "boards").iterdir()) == kept
