"""Logs of other programs: the same values, steps and times; damage is said in one line."""

from __future__ import annotations

import contextlib
import math
import os
import struct
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chymist as cy
from chymist.data.event_files import VERSION, frame, messages
from chymist.data.log_names import tag_of

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def event(**fields: object) -> bytes:
    return frame(messages().Event(**fields).SerializeToString())


def scalar(step: int, tag: str, value: float, wall: float = 10.0) -> bytes:
    return event(
        wall_time=wall, step=step, summary={"value": [{"tag": tag, "simple_value": value}]}
    )


BEGIN = event(wall_time=1.0, file_version=VERSION)


def log_of(folder: Path, *records: bytes, name: str = "events.out.tfevents.1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(records))
    return folder / name


def official(folder: Path) -> dict[str, list[tuple[float, int, float]]]:
    """The points that TensorBoard itself finds."""
    found = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(e.wall_time, e.step, e.value) for e in found.Scalars(tag)]
            for tag in found.Tags()["scalars"]}  # fmt: skip


def same(log, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Every point of an imported log is that of TensorBoard, to the bit."""
    told = official(folder)
    assert set(log.tags.values()) == set(told)
    for name, tag in log.tags.items():
        expected = np.array(told[tag])
        np.testing.assert_array_equal(log.history[name], expected[:, 1:])
        np.testing.assert_array_equal(log.times[name], expected[:, 0])


def test_a_log_of_torch_has_the_same_points(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    rng = np.random.default_rng(0)
    with SummaryWriter(str(tmp_path / "one")) as writer:
        for step in range(50):
            writer.add_scalar("Loss/train", rng.random(), step)
            writer.add_scalar("Loss/test", rng.random(), step, walltime=1e9 + step / 8)
            writer.add_scalar("acc", rng.random(), 2 * step, new_style=True)  # in tensor form
        writer.add_histogram("weights", rng.random(100), 0)
        writer.add_text("note", "hello")
    log = cy.import_log(tmp_path / "one")
    assert log.tags == {
        "train_loss": "Loss/train",
        "test_loss": "Loss/test",
        "train_accuracy": "acc",
    }
    told = official(tmp_path / "one")
    for name, tag in log.tags.items():
        if tag in told:
            np.testing.assert_array_equal(log.history[name], np.array(told[tag])[:, 1:])
            np.testing.assert_array_equal(log.times[name], np.array(told[tag])[:, 0])
    found = accumulator.EventAccumulator(
        str(tmp_path / "one"), size_guidance={"tensors": 0}
    ).Reload()
    if "acc" in found.Tags()["tensors"]:
        from tensorboard.util.tensor_util import make_ndarray

        expected = [(e.step, float(make_ndarray(e.tensor_proto))) for e in found.Tensors("acc")]
        assert log.history["train_accuracy"].tolist() == [list(pair) for pair in expected]
    assert log.notes == ("left out: 1 histogram, 1 text",)


@given(
    st.lists(
        st.tuples(st.sampled_from(["loss", "a/b", "../x"]), st.integers(0, 2**50),
                  st.floats(width=32), st.floats(1, 2e9)),
        min_size=1, max_size=30,
    )
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_a_folder_keeps_every_point_to_the_bit(
    written: list[tuple[str, int, float, float]],
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log_of(folder / "log", BEGIN, *(scalar(s, tag, v, wall) for tag, s, v, wall in written))
        same(cy.import_log(folder / "log", folder / "run"), folder / "log")
        from chymist.verbs.importing import load_imported

        again = load_imported(folder / "run")
        same(again, folder / "log")
        assert sorted(p.name for p in folder.iterdir()) == ["log", "run"]  # no path in a tag
        assert {tag for tag, *_ in written} == set(again.tags.values())


def test_an_imported_run_goes_back_into_the_same_event_file(tmp_path: Path) -> None:
    log_of(tmp_path / "log", BEGIN, scalar(1, "epoch_loss", 0.1, 5.25), scalar(2, "epoch_loss", math.nan, 6.5),
           scalar(2, "odd tag", math.inf, 7.0))  # fmt: skip
    cy.import_log(tmp_path / "log", tmp_path / "run")
    written = cy.to_tensorboard(tmp_path / "run", tmp_path / "board")
    assert repr(official(written.runs[0])) == repr(official(tmp_path / "log"))


def test_a_run_of_ours_comes_back_under_its_own_names(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    run = cy.fit(cy.Recipe(model="softmax", length="3 epochs"), split, tensorboard=tmp_path)
    log = cy.import_log(tmp_path / "iris")
    assert {*log.history} == {*run.history, "rows_per_second"}
    for name, points in run.history.items():
        assert log.history[name][:, 0].tolist() == points[:, 0].tolist()
        assert log.history[name][:, 1].tolist() == points[:, 1].astype(np.float32).tolist()


def test_restarts_take_back_what_they_do_anew(tmp_path: Path) -> None:
    start = {"status": messages().SessionLog.START}
    first = [scalar(step, "loss", step) for step in range(10)]
    log_of(tmp_path / "log", BEGIN, *first, name="events.out.tfevents.1")
    log_of(tmp_path / "log", BEGIN, event(wall_time=2.0, step=6, session_log=start),
           *(scalar(step, "loss", 100 + step) for step in range(6, 8)),
           name="events.out.tfevents.2")  # fmt: skip
    log = cy.import_log(tmp_path / "log")
    same(log, tmp_path / "log")
    assert log.history["loss"][:, 1].tolist() == [0, 1, 2, 3, 4, 5, 106, 107]
    assert log.notes == ("4 points were written anew after a restart; the later ones stand",)


def test_points_out_of_order_in_old_and_new_formats(tmp_path: Path) -> None:
    steps = [0, 1, 2, 3, 1, 2]
    records = [scalar(step, tag, n) for n, step in enumerate(steps) for tag in ("loss", "b")]
    old = event(wall_time=1.0, file_version="brain.Event:1")
    for name, begin, count in (("new", BEGIN, 6), ("old", old, 3)):
        log_of(tmp_path / name, begin, *records)
        log = cy.import_log(tmp_path / name)
        same(log, tmp_path / name)
        assert len(log.history["loss"]) == count


def test_folders_of_keras_are_parts_of_one_run(tmp_path: Path) -> None:
    for part, value in (("train", 0.5), ("validation", 0.75)):
        log_of(tmp_path / "k" / part, BEGIN, scalar(0, "epoch_loss", value),
               scalar(0, "epoch_accuracy", value))  # fmt: skip
    log_of(
        tmp_path / "k" / "train", BEGIN, scalar(0, "epoch_learning_rate", 0.25), name="x.tfevents.2"
    )
    log = cy.import_log(tmp_path / "k")
    assert {name: points.tolist() for name, points in log.history.items()} == {
        "train_loss": [[0, 0.5]], "train_accuracy": [[0, 0.5]], "rate": [[0, 0.25]],
        "val_loss": [[0, 0.75]], "val_accuracy": [[0, 0.75]],
    }  # fmt: skip
    assert log.tags["val_loss"] == "validation/epoch_loss"


def test_several_runs_are_imported_one_at_a_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        log_of(tmp_path / "logs" / name, BEGIN, scalar(0, "loss", 1.0))
    with pytest.raises(cy.InputError, match=r"several runs.*got a, b; give one"):
        cy.import_log(tmp_path / "logs")
    log_of(tmp_path / "logs", BEGIN, scalar(0, "loss", 2.0))
    log = cy.import_log(tmp_path / "logs")
    assert log.history["loss"].tolist() == [[0, 2]]
    assert log.notes == ("left out, runs of their own: a, b",)
    (tmp_path / "empty").mkdir()
    with pytest.raises(cy.InputError, match="holds no log"):
        cy.import_log(tmp_path / "empty")


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        ({"dtype": 1, "float_val": [0.1]}, float(np.float32(0.1))),
        ({"dtype": 2, "double_val": [0.1]}, 0.1),
        ({"dtype": 1, "tensor_content": struct.pack("<f", 0.3)}, float(np.float32(0.3))),
        ({"dtype": 9, "int64_val": [7]}, 7.0),
        ({"dtype": 3, "int_val": [-7], "tensor_shape": {"dim": [{"size": 1}]}}, -7.0),
        ({"dtype": 19, "half_val": [0x3C00]}, 1.0),
        ({"dtype": 7, "string_val": [b"x"]}, None),
        ({"dtype": 1, "float_val": [1.0], "tensor_shape": {"dim": [{"size": 2**40}]}}, None),
        ({"dtype": 1, "float_val": [1.0], "tensor_shape": {"dim": [{"size": -1}]}}, None),
        ({"dtype": 1, "tensor_content": b"abc"}, None),
        ({"dtype": 1}, None),
        ({"dtype": 99}, None),
    ],
)
def test_numbers_in_tensors(tmp_path: Path, tensor: dict[str, object], value: float | None) -> None:
    metadata = {"plugin_data": {"plugin_name": "scalars"}}
    one = {"tag": "loss", "tensor": tensor, "metadata": metadata}
    log_of(
        tmp_path, BEGIN, event(wall_time=1.5, step=3, summary={"value": [one]}), scalar(0, "b", 1)
    )
    log = cy.import_log(tmp_path)
    if value is None:
        assert set(log.history) == {"b"}
        assert log.notes == ("left out: 1 tensor",)
    else:
        assert log.history["loss"].tolist() == [[3, value]]
        assert log.times["loss"].tolist() == [1.5]


GOOD = (scalar(1, "loss", 0.5), scalar(2, "loss", 0.25))


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (scalar(3, "loss", 1.0)[:-1], "it ends within a record"),
        (scalar(3, "loss", 1.0)[:5], "it ends within a record"),
        (b"\0" * 64, "the length of a record does not fit its checksum"),
        (scalar(3, "loss", 1.0)[:-1] + b"\xff", "a record does not fit its checksum"),
        (frame(b"")[:0] + struct.pack("<Q", 2**62) + b"\0" * 100, "the length of a record"),
    ],
)
def test_what_stands_before_damage_is_imported_and_the_damage_said(
    tmp_path: Path, tail: bytes, said: str
) -> None:
    log_of(tmp_path, BEGIN, *GOOD, tail, *GOOD)
    log = cy.import_log(tmp_path)
    assert log.history["loss"].tolist() == [[1, 0.5], [2, 0.25]]
    place = len(BEGIN) + sum(map(len, GOOD))
    (note,) = log.notes
    assert f"read up to byte {place:,}: " in note
    # A tail that is only cut off ends there; after it, bytes of the next record stand.
    assert said in note or "checksum" in note


def test_a_huge_length_with_a_right_checksum_is_refused_without_memory(tmp_path: Path) -> None:
    from chymist.data.event_files import checksum

    for length, said in ((2**40, "a record of 1,099,511,627,776 bytes"), (2**27, "ends within")):
        head = struct.pack("<Q", length)
        log_of(tmp_path, BEGIN, *GOOD, head + struct.pack("<I", checksum(head)) + b"\0" * 50)
        assert said in cy.import_log(tmp_path).notes[0]


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\0" * 100, frame(b"\xff" * 9), scalar(0, "loss", 1.0), frame(b"")]
)
def test_other_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = log_of(tmp_path, content)
    with pytest.raises(cy.InputError, match="not a TensorBoard event file"):
        cy.import_log(path)


@given(st.binary(max_size=200), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_no_bytes_are_a_traceback(noise: bytes, place: int) -> None:
    import tempfile

    whole = BEGIN + b"".join(GOOD)
    with tempfile.TemporaryDirectory() as folder:
        path = log_of(Path(folder), whole[:place] + noise + whole[place + len(noise) :])
        with contextlib.suppress(cy.InputError):  # one line; anything else is a defect
            assert cy.import_log(path).points > 0


@pytest.mark.parametrize("step", [-(2**63), 2**63 - 1, 2**53 + 1])
def test_a_step_that_is_no_count_is_one_line(tmp_path: Path, step: int) -> None:
    log_of(tmp_path, BEGIN, *GOOD, scalar(step, "loss", 1.0))
    with pytest.raises(cy.InputError, match="a step that is no count"):
        cy.import_log(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events.out.tfevents.1")
    with pytest.raises(cy.InputError, match="no plain file"):
        cy.import_log(tmp_path / "events.out.tfevents.1")


def test_names_that_are_no_text_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.csv")
    path.write_text("step,loss\n1,2\n2,3\n")
    log = cy.import_log(path, tmp_path / "run")
    assert log.name == "\\udcff"
    assert "udcff" in (tmp_path / "run" / "report.html").read_text()
    folder = tmp_path / os.fsdecode(b"\xfe")
    folder.mkdir()
    log_of(folder, BEGIN, *GOOD)
    assert cy.import_log(folder).name == "\\udcfe"


# CSV logs


def csv(folder: Path, text: str, name: str = "log.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def lists(log) -> dict[str, list[list[float]]]:  # type: ignore[no-untyped-def]
    return {name: points.tolist() for name, points in log.history.items()}


def test_the_csv_log_of_keras(tmp_path: Path) -> None:
    text = "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n0,0.5,0.1,0.9,0.4,1.0\n1,0.75,0.1,0.5,NA,inf\n"
    log = cy.import_log(csv(tmp_path, text))
    assert log.unit == "epoch"
    assert lists(log) == {
        "train_accuracy": [[0, 0.5], [1, 0.75]], "rate": [[0, 0.1], [1, 0.1]],
        "train_loss": [[0, 0.9], [1, 0.5]], "val_accuracy": [[0, 0.4]],
        "val_loss": [[0, 1.0], [1, math.inf]],
    }  # fmt: skip
    assert not log.times


def test_the_sparse_metrics_of_lightning(tmp_path: Path) -> None:
    text = ("epoch,step,train_loss_epoch,train_loss_step,val_acc,val_loss\n"
            "0,49,,0.7,,\n0,99,,0.6,,\n0,99,,,0.5,0.8\n0,99,0.65,,,\n1,149,,nan,,\n")  # fmt: skip
    log = cy.import_log(csv(tmp_path, text, "metrics.csv"))
    assert log.unit == "step"
    assert repr(lists(log)) == repr({
        "train_loss": [[99.0, 0.65]], "loss": [[49.0, 0.7], [99.0, 0.6], [149.0, math.nan]],
        "val_accuracy": [[99.0, 0.5]], "val_loss": [[99.0, 0.8]],
    })  # fmt: skip


def test_an_export_of_weights_and_biases(tmp_path: Path) -> None:
    text = ('"Step","fair-sun-1 - val_loss","fair-sun-1 - val_loss__MIN","fair-sun-1 - val_loss__MAX"\n'
            '"10","0.5","0.5","0.5"\n"20","0.25","0.25","0.25"\n')  # fmt: skip
    log = cy.import_log(csv(tmp_path, text))
    assert lists(log) == {"val_loss": [[10, 0.5], [20, 0.25]]}
    two = "Step,a - loss,b - loss\n1,0.5,0.6\n"
    assert set(cy.import_log(csv(tmp_path, two)).history) == {"a - loss", "b - loss"}
    clocked = "_step,_timestamp,train/loss\n1,1700000000.5,0.5\n"
    log = cy.import_log(csv(tmp_path, clocked))
    assert (lists(log), log.times["train_loss"].tolist()) == (
        {"train_loss": [[1, 0.5]]},
        [1700000000.5],
    )


def test_semicolons_commas_marks_and_cut_off_lines(tmp_path: Path) -> None:
    text = "\ufeffEpoch;loss;phase\r\n1;0,5;warm\r\n2;0,25;warm\r\n3;0"
    log = cy.import_log(csv(tmp_path, text))
    assert lists(log) == {"train_loss": [[1, 0.5], [2, 0.25]]}
    assert log.notes == ("the last line is cut off, and left out", "left out, no numbers: phase")


def test_a_log_without_steps_counts_its_rows(tmp_path: Path) -> None:
    log = cy.import_log(csv(tmp_path, "loss,valid loss\n0.5,1.0\n0.25,0.75\n"))
    assert (log.unit, lists(log)["val_loss"]) == ("row", [[0, 1.0], [1, 0.75]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("epoch,loss\n", "not a log"),
        ("epoch,loss\n1,a\n2,b\n", "holds no numbers"),
        ("epoch,loss\n1,2,3\n4,5\n", "another number of cells"),
        ("loss,loss\n1,2\n", "two columns have the same name"),
        ("a\0b", "binary"),
    ],
)
def test_other_tables_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(cy.InputError, match=said):
        cy.import_log(csv(tmp_path, text))


def test_a_column_of_steps_that_is_none_is_said(tmp_path: Path) -> None:
    log = cy.import_log(csv(tmp_path, "step,loss\n1,2\ninf,3\n"))
    assert lists(log) == {"loss": [[0, 2], [1, 3]]}
    assert log.notes == ("the column step is no count; rows are counted instead",)


def test_tables_with_many_columns_are_read_in_time_or_refused(tmp_path: Path) -> None:
    def table(columns: int) -> str:
        heads = ["step", *(f"loss/c{n}" for n in range(columns))]
        return "\n".join(",".join(row) for row in (heads, ["1"] * len(heads), ["2"] * len(heads)))

    began = process_time()
    assert len(cy.import_log(csv(tmp_path, table(9000))).history) == 9000
    assert process_time() - began < 4
    with pytest.raises(cy.InputError, match="too many columns"):
        cy.import_log(csv(tmp_path, table(10_001)))


def test_a_name_that_two_tags_would_have_is_given_once(tmp_path: Path) -> None:
    log = cy.import_log(csv(tmp_path, "epoch,loss,train_loss,train/loss\n0,1,2,3\n"))
    assert log.tags == {
        "train_loss": "loss",
        "train_loss (2)": "train_loss",
        "train/loss": "train/loss",
    }
    assert lists(log)["train_loss (2)"] == [[0, 2]]


@pytest.mark.parametrize("name", ["loss", "train_loss", "val_loss", "rate", "val_accuracy", "val_rmse",
                                  "rows_per_second", "gradient_norm", "update_ratio"])  # fmt: skip
def test_our_names_come_back(name: str) -> None:
    from chymist.data.log_names import series_of

    assert series_of(tag_of(name)) == name
