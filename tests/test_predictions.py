"""Where `predict` writes and what: nothing is lost that was there, no name is altered."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chymist.cli import main
from chymist.verbs.writing import write_predictions

TABLE = "age,job,sign\n" + "".join(
    f"{20 + i % 40},{'abc'[i % 3]},{'+' if i % 40 > 19 else '-'}\n" for i in range(80)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a run on it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "t.csv").write_text(TABLE)
    words = ["--model", "softmax", "--length", "3 epochs", "--quiet"]
    assert main(["fit", str(folder / "t.csv"), *words, "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.csv").write_text(TABLE)
    return tmp_path


def predict(made: Path, *words: str) -> int:
    return main(["predict", str(made / "run"), "new.csv", "--quiet", *words])


def test_signs_as_classes_come_back_as_they_are(made: Path) -> None:
    assert predict(made) == 0
    with open("predictions.csv", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["row", "prediction", "p(+)", "p(-)"]
    assert {row[1] for row in rows[1:]} == {"+", "-"}


def test_formulas_are_inert_and_nothing_else_is_altered(tmp_path: Path) -> None:
    same = ["+", "-", "++", "+-", "=", "@", "-1.5", "+3", "a=b", "<=50K", "é", "1e9"]
    inert = ["=cmd()", "+cmd|x", "-2+3", "@SUM(A1)", "\tx", "\rx", "=1", "--x"]
    write_predictions(tmp_path / "p.csv", np.eye(20), same + inert, [str(i) for i in range(20)])
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as stream:
        found = [row[1] for row in csv.reader(stream)][1:]
    assert found == same + ["'" + name for name in inert]


def test_the_default_place_is_the_first_free_one(made: Path, here: Path) -> None:
    Path("predictions.csv").write_text("mine")
    os.symlink("nowhere", "predictions-2.csv")
    assert predict(made) == 0
    assert Path("predictions.csv").read_text() == "mine"
    assert os.readlink("predictions-2.csv") == "nowhere"
    assert len(Path("predictions-3.csv").read_text().splitlines()) == 81


def test_a_named_file_is_replaced_and_a_link_is_followed(made: Path, here: Path) -> None:
    Path("far").mkdir()
    Path("far/p.csv").write_text("old")
    os.symlink("far/p.csv", "link.csv")
    os.symlink("far/new.csv", "loose.csv")
    for name in ("link.csv", "loose.csv"):
        assert predict(made, "--out", name) == 0
        assert Path(name).is_symlink()
    assert Path("far/p.csv").read_text() == Path("far/new.csv").read_text() != "old"
    assert sorted(p.name for p in Path("far").iterdir()) == ["new.csv", "p.csv"]


def test_a_pipe_and_a_device_get_the_bytes_and_stay(made: Path, here: Path) -> None:
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    assert predict(made, "--out", "pipe") == 0
    reader.join(20)
    assert Path("pipe").is_fifo()
    assert got[0].count(b"\n") == 81
    assert predict(made, "--out", "/dev/null") == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
@pytest.mark.parametrize("out", ["/dev/stdout", "-"])
def test_standard_output_holds_the_table_and_nothing_else(out: str, made: Path, here: Path) -> None:
    words = [sys.executable, "-m", "chymist", "predict", str(made / "run"), "new.csv"]
    Path("log").write_text("before\n")
    with open("log", "a") as log:
        subprocess.run([*words, "--out", out], stdout=log, check=True, stderr=subprocess.DEVNULL)
    lines = Path("log").read_text().splitlines()
    assert lines[:2] == ["before", "row,prediction,p(+),p(-)"]
    assert len(lines) == 82


def piped(made: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command of the shell in which $PREDICT is the verb with its arguments."""
    predict = f"{sys.executable} -m chymist predict {made / 'run'} new.csv"
    return subprocess.run(
        ["sh", "-c", command.replace("$PREDICT", predict)], capture_output=True, text=True
    )


@pytest.mark.parametrize("out", ["/dev/stdout", "-"])
@pytest.mark.parametrize("sign", [">", ">>"])
def test_standard_output_is_written_where_the_shell_stands(
    out: str, sign: str, made: Path, here: Path
) -> None:
    Path("log").write_text("before\n")
    piped(made, f"(echo HEADER; $PREDICT --out {out}; echo FOOTER) {sign} log")
    lines = Path("log").read_text().splitlines()
    before = ["before"] if sign == ">>" else []
    assert lines[: len(before) + 2] == [*before, "HEADER", "row,prediction,p(+),p(-)"]
    assert lines[-1] == "FOOTER"
    assert len(lines) == len(before) + 83


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_standard_output_that_fails_is_said(made: Path, here: Path) -> None:
    done = piped(made, "$PREDICT --out - > /dev/full")
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith(
        "chymist: the output could not be written, in standard output: got No space"
    )
    assert "Traceback" not in done.stderr
    done = piped(made, "($PREDICT --out -; echo $? >&2) | true")
    assert done.stderr.splitlines()[-1] == "0"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("out", ["/dev/stdout", "-"])
def test_standard_output_holds_one_thing(
    out: str, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(made, "--out", out, "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["received"] == f"'{out}' with --json"


@pytest.mark.parametrize(
    ("out", "said"),
    [("new.csv", "new.csv"), ("twin.csv", "new.csv"), ("link.csv", "new.csv"),
     ("data", "t.csv"), ("run/recipe.toml", "recipe.toml"), ("run/result.json", "result.json"),
     ("run/checkpoints/p.csv", "checkpoints"), (".", "a folder is in the way"),
     ("new.csv/p.csv", "new.csv")],
)  # fmt: skip
def test_what_was_read_is_never_written(
    out: str, said: str, made: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.link("new.csv", "twin.csv")
    os.symlink("new.csv", "link.csv")
    where = str(made / "t.csv") if out == "data" else out
    where = str(made / out) if out.startswith("run/") else where
    places = [p for folder in (made, here) for p in folder.rglob("*") if p.is_file()]
    before = {p: p.read_bytes() for p in places}
    assert predict(made, "--out", where) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert {p: p.read_bytes() for p in places} == before


def test_a_folder_of_images_is_never_written_into(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    for number in range(24):
        place = Path("photos") / f"c{number % 2}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 120, (8, 8)) + 120 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(place)
    words = ["--model", "softmax", "--length", "2 epochs", "--quiet", "--out", "run"]
    assert main(["fit", "photos", *words]) == 0
    for out in ("photos/p.csv", "photos/c0/0.png"):
        assert main(["predict", "run", "photos/c0", "--out", out]) == 1
        assert "in photos" in capsys.readouterr().err or "of 0.png" in out
    assert main(["predict", "run", "photos", "--out", "run/p.csv", "--quiet"]) == 0


def test_a_file_in_the_way_of_a_run_folder_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "new.csv", "--model", "softmax", "--length", "1 epochs", "--out"]
    assert main([*words, "new.csv/in/the/way"]) == 1
    error = capsys.readouterr().err
    assert "a file in the way" in error
    assert "permission" not in error
