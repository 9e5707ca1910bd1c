"""The command line: wrong input is one line and an exit code; right input keeps the contract."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chymist as cy
from chymist.cli import main

TABLE = "age,job,income\n" + "".join(
    f"{20 + i % 40},{'abc'[i % 3]},{'high' if i % 40 > 19 else 'low'}\n" for i in range(120)
)
FAST = ["--model", "softmax", "--length", "3 epochs"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files, good and bad; the working folder of each test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(TABLE)
    (tmp_path / "numbers.csv").write_text(
        "a,b,price\n" + "".join(f"{2 * i},{i % 7 + 0.5},{6 * i + 0.25}\n" for i in range(60))
    )
    return tmp_path


def write(name: str, content: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def photos(name: str = "photos", sizes: tuple[int, ...] = (8, 8), classes: int = 2) -> str:
    random = np.random.default_rng(0)
    for label in range(classes):
        folder = Path(name) / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(12):
            side = sizes[number % len(sizes)]
            pixels = random.integers(0, 120, (side, side, 3)) + 120 * label
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return name


def corrupt(name: str) -> str:
    photos(name)
    (Path(name) / "class0" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    return name


def a_run(out: str = "run") -> str:
    assert main(["fit", "good.csv", *FAST, "--out", out, "--quiet"]) == 0
    return out


def damaged_run(file: str) -> str:
    path = Path(a_run()) / file
    path.write_bytes(path.read_bytes()[:20])
    return "run"


def changed_data() -> str:
    a_run()
    write("good.csv", TABLE + "33,a,low\n")
    return "run"


# name -> words of the command, exit code, what the line must say
WRONG: dict[str, tuple[Callable[[], list[str]], int, tuple[str, ...]]] = {
    # sources
    "no such source": (lambda: ["fit", "digist"], 1, ("'digist'", "digits")),
    "no such file": (lambda: ["fit", "gone.csv"], 1, ("gone.csv",)),
    "empty file": (lambda: ["fit", write("e.csv", "")], 1, ("empty", "e.csv")),
    "header only": (lambda: ["fit", write("h.csv", "a,b,c\n")], 1, ("h.csv",)),
    "ragged": (lambda: ["fit", write("r.csv", TABLE + "1,2\n")], 1, ("line 122", "2 cells")),
    "binary": (lambda: ["fit", write("b.csv", b"a,b\n1,\x00\x02\n")], 1, ("binary", "b.csv")),
    "latin-1": (lambda: ["fit", write("l.csv", "a,b\n1,é\n".encode("latin-1"))], 1, ("UTF-8",)),
    "damaged gz": (lambda: ["fit", write("g.csv.gz", b"\x1f\x8b\x08rubbish")], 1, ("g.csv.gz",)),
    "one column": (lambda: ["fit", write("o.csv", "a\n1\n2\n3\n")], 1, ("feature",)),
    "doubled names": (lambda: ["fit", write("d.csv", "a,a,b\n1,2,x\n3,4,y\n")], 1, ("'a'",)),
    "unknown target": (lambda: ["fit", "good.csv", "--target", "incone"], 1, ("'income'",)),
    "target number": (lambda: ["fit", "good.csv", "--target", "9"], 1, ("9",)),
    "missing target": (
        lambda: ["fit", write("m.csv", TABLE + "30,a,\n")], 1, ("income", "121"),
    ),
    "one class": (
        lambda: ["fit", write("c.csv", "a,b\n1,x\n2,x\n3,x\n4,x\n")], 1, ("'x'", "class"),
    ),
    "empty column": (
        lambda: ["fit", write("v.csv", "a,b,c\n1,,x\n2,,y\n3,,x\n4,,y\n")], 1, ("'b'",),
    ),
    "infinite cell": (
        lambda: ["fit", write("i.csv", "a,b\n1,x\ninf,y\n3,x\n4,y\n")], 1, ("'a'", "line 3"),
    ),
    "text target for a regression": (
        lambda: ["fit", "good.csv", "--loss", "mse"], 2, ("regression", "cross_entropy"),
    ),
    "too few rows": (lambda: ["fit", write("t.csv", "a,b\n1,x\n2,y\n")], 1, ("t",)),
    "class only in validation": (
        lambda: ["fit", write("k.csv", "t,a,b\n" + "".join(
            f"{i},{i % 5},{'xyz'[min(i // 20, 2)]}\n" for i in range(60))), "--time", "t"],
        1, ("'z'", "training rows"),
    ),
    "unknown kind": (lambda: ["fit", "good.csv", "--columns", "age=numbr"], 2, ("'number'",)),
    "unknown column": (lambda: ["fit", "good.csv", "--columns", "agee=id"], 1, ("'age'",)),
    "columns without kind": (lambda: ["fit", "good.csv", "--columns", "age"], 2, ("NAME=KIND",)),
    "text as number": (
        lambda: ["fit", "good.csv", "--columns", "job=number"], 1, ("'job'", "line 2"),
    ),
    "empty folder": (lambda: [Path("dir").mkdir() or "fit", "dir"], 1, ("dir",)),
    "corrupt image": (lambda: ["fit", corrupt("p")], 1, ("3.png",)),
    "one class of images": (lambda: ["fit", photos("q", classes=1)], 1, ("class",)),
    "damaged zip": (lambda: ["fit", write("z.zip", b"PK\x03\x04rubbish")], 1, ("z.zip",)),
    "a single image": (lambda: [photos("s") and "fit", "s/class0/1.png"], 1, ("1.png",)),
    "test file of other columns": (
        lambda: ["fit", "good.csv", "--test", write("x.csv", "a,b,c\n1,2,3\n4,5,6\n")], 1, ("x.csv",),
    ),
    "no test file": (lambda: ["fit", "good.csv", "--test", "gone.csv"], 1, ("gone.csv",)),
    "unknown group": (lambda: ["fit", "good.csv", "--group", "jop"], 1, ("'job'",)),
    "unknown time": (lambda: ["fit", "good.csv", "--time", "when"], 1, ("'when'",)),
    # usage
    "unknown verb": (lambda: ["fti", "iris"], 2, ("'fit'",)),
    "unknown option": (lambda: ["fit", "iris", "--modle", "mlp"], 2, ("'--model'",)),
    "no source": (lambda: ["fit"], 2, ("SOURCE",)),
    "two sources": (lambda: ["fit", "iris", "wine"], 2, ("'wine'",)),
    "unknown model": (lambda: ["fit", "iris", "--model", "mpl"], 2, ("'mlp'",)),
    "unknown loss": (lambda: ["fit", "iris", "--loss", "crossentropy"], 2, ("'cross_entropy'",)),
    "unknown optimizer": (lambda: ["fit", "iris", "--optimizer", "adm"], 2, ("'adam'",)),
    "unknown schedule": (lambda: ["fit", "iris", "--schedule", "onecycle"], 2, ("'one_cycle'",)),
    "unknown part option": (
        lambda: ["fit", "iris", "--model", "mlp", "--model.hiden", "3"], 2, ("'hidden'",),
    ),
    "unknown recipe field": (lambda: ["fit", "iris", "--modell.hidden", "3"], 2, ("'model'",)),
    "part option without part": (lambda: ["fit", "iris", "--optimizer.lr", "1"], 2, ("--optimizer",)),
    "rate is no number": (
        lambda: ["fit", "iris", "--optimizer", "adam", "--optimizer.lr", "fast"], 2, ("'fast'",),
    ),
    "negative rate": (
        lambda: ["fit", "iris", "--optimizer", "adam", "--optimizer.lr", "-1"], 2, ("optimizer.lr",),
    ),
    "option without value": (lambda: ["fit", "iris", "--model.hidden"], 2, ("--model.hidden",)),
    "length without unit": (lambda: ["fit", "iris", "--length", "10"], 2, ('"10 epochs"',)),
    "batch of none": (lambda: ["fit", "iris", "--batch-size", "0"], 2, ("batch_size",)),
    "share out of range": (lambda: ["fit", "iris", "--valid", "1.5"], 2, ("valid",)),
    "share is no number": (lambda: ["fit", "iris", "--valid", "some"], 2, ("'some'",)),
    "no thread": (lambda: ["fit", "iris", "--threads", "0"], 2, ("--threads",)),
    "seed is no number": (lambda: ["fit", "iris", "--seed", "x"], 2, ("--seed",)),
    "monitor": (
        lambda: ["fit", "iris", "--stop", "early", "--stop.monitor", "val_los"], 2, ("'val_loss'",),
    ),
    "patience without unit": (
        lambda: ["fit", "iris", "--stop", "early", "--stop.patience", "5"], 2, ("stop.patience",),
    ),
    "cnn for a table": (lambda: ["fit", "iris", "--model", "cnn"], 2, ("mlp",)),
    "logistic for three classes": (lambda: ["fit", "iris", "--model", "logistic"], 2, ("two classes",)),
    "one fold": (lambda: ["cv", "iris", "--folds", "1"], 2, ("--folds",)),
    "more folds than rows": (lambda: ["cv", "iris", "--folds", "151", *FAST], 1, ("150",)),
    "cv with validation rows": (lambda: ["cv", "iris", "--valid", "0.2"], 2, ("--valid", "fold")),
    "cv in time": (lambda: ["cv", "good.csv", "--time", "age"], 2, ("--time", "later rows")),
    "cv of an unknown group": (
        lambda: ["cv", "good.csv", "--group", "jib", *FAST], 1, ("'jib'", "job")
    ),
    "no repeats": (lambda: ["cv", "iris", "--repeats", "0"], 2, ("--repeats",)),
    "unknown part": (lambda: ["part", "adm"], 2, ("'adam'",)),
    "no shape": (lambda: ["shapes", "cnn", "--input", "axb"], 2, ("1x28x28",)),
    # recipe files
    "no recipe file": (lambda: ["fit", "iris", "--recipe", "gone.toml"], 1, ("gone.toml",)),
    "recipe is no TOML": (
        lambda: ["fit", "iris", "--recipe", write("a.toml", "model = [")], 1, ("a.toml", "TOML"),
    ),
    "recipe key": (
        lambda: ["fit", "iris", "--recipe", write("b.toml", "modle = 'mlp'")], 2, ("'model'",),
    ),
    "recipe option": (
        lambda: ["fit", "iris", "--recipe", write("c.toml", "[model]\nname='mlp'\nhiden=[3]")],
        2, ("'hidden'",),
    ),
    "recipe value": (
        lambda: ["fit", "iris", "--recipe", write("d.toml", "[optimizer]\nname='adam'\nlr='x'")],
        2, ("optimizer.lr",),
    ),
    "recipe is binary": (
        lambda: ["fit", "iris", "--recipe", write("e.toml", b"\xff\xfe")], 1, ("e.toml",),
    ),
    # folders and runs
    "out is a file": (lambda: ["fit", "iris", "--out", "good.csv"], 1, ("good.csv",)),
    "out is taken": (lambda: ["fit", "iris", "--out", a_run()], 1, ("not empty",)),
    "no run": (lambda: ["show", "nowhere"], 1, ("nowhere",)),
    "a folder but no run": (lambda: [Path("d").mkdir() or "resume", "d"], 1, ("not a run folder",)),
    "run with damaged data": (lambda: ["show", damaged_run("data.json")], 1, ("data.json",)),
    "run with damaged weights": (
        lambda: ["predict", damaged_run("model.safetensors"), "good.csv"], 1, ("model.safetensors",),
    ),
    "run with damaged record": (lambda: ["report", damaged_run("records.sqlite")], 1, ("records.sqlite",)),
    "run with damaged predictions": (lambda: ["report", damaged_run("valid.npz")], 1, ("valid.npz",)),
    "evaluate what": (lambda: ["evaluate", a_run(), "--split", "tets"], 2, ("'test'",)),
    "data has changed": (lambda: ["evaluate", changed_data()], 1, ("changed",)),
    "predict without a column": (
        lambda: ["predict", a_run(), write("n.csv", "age,jobb\n1,a\n2,b\n")], 1, ("'job'",),
    ),
    "predict no file": (lambda: ["predict", a_run(), "gone.csv"], 1, ("gone.csv",)),
    "predict text for number": (
        lambda: ["predict", a_run(), write("n.csv", "age,job\nold,a\n3,b\n")], 1, ("'age'", "line 2"),
    ),
    "predictions into no folder": (
        lambda: ["predict", a_run(), "good.csv", "--out", "no/where.csv"], 1, ("no/where.csv",),
    ),
}  # fmt: skip


def test_there_are_at_least_sixty() -> None:
    assert len(WRONG) >= 60


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line_and_leaves_nothing(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, code, needles = WRONG[name]
    words = make()
    capsys.readouterr()
    before = sorted(str(p) for p in here.rglob("*"))
    assert main(words) == code
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("chymist: ")
    assert len(lines[0]) <= 300
    assert "Traceback" not in captured.out + captured.err
    for needle in needles:
        assert needle in lines[0], lines[0]
    assert sorted(str(p) for p in here.rglob("*")) == before

    assert main([*words, "--json"]) == code
    captured = capsys.readouterr()
    found = json.loads(captured.out)["error"]
    assert set(found) == {"code", "what", "where", "received", "do"}
    assert re.fullmatch(r"[a-z0-9'_-]+.*", found["code"])


RIGHT: dict[str, Callable[[], list[str]]] = {
    "table": lambda: ["fit", "good.csv"],
    "constant column": lambda: [
        "fit", write("k.csv", "a,b,c\n" + "".join(f"{i % 9},7,{'xy'[i % 2]}\n" for i in range(60)))
    ],
    "missing cells": lambda: [
        "fit", write("m.csv", TABLE.replace("\n25,", "\n?,").replace(",b,", ",,"))
    ],
    "no header": lambda: ["fit", write("n.csv", TABLE.split("\n", 1)[1])],
    "semicolons and windows line ends": lambda: [
        "fit", write("s.csv", TABLE.replace(",", ";").replace("\n", "\r\n"))
    ],
    "byte order mark": lambda: ["fit", write("u.csv", ("\ufeff" + TABLE).encode())],
    "test file": lambda: ["fit", "good.csv", "--test", write("t.csv", TABLE)],
    "no validation": lambda: ["fit", "good.csv", "--valid", "0", "--test", "0"],
    "mixed sizes of images": lambda: ["fit", photos("p", sizes=(9, 12, 17))],
    "grouped": lambda: ["fit", "good.csv", "--group", "age"],
    "recipe file": lambda: ["fit", "good.csv", "--recipe", write("r.toml", "[model]\nname='mlp'")],
    "out is an empty folder": lambda: [Path("o").mkdir() or "fit", "good.csv", "--out", "o"],
    "names that hurt": lambda: [
        "fit", write("x.csv", TABLE.replace("high", "<script>\x1b[31m").replace("job", "=cmd()"))
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_input_succeeds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = RIGHT[name]()
    assert main([*words, *(FAST if "--recipe" not in words else FAST[2:]), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    answer = json.loads(captured.out)
    assert "\x1b" not in captured.err
    assert set(answer) >= {
        "run", "data", "model", "score", "floor", "floors", "epochs", "steps", "seconds",
        "samples_per_second", "waiting_for_data", "findings",
    }  # fmt: skip
    assert set(answer["data"]) == {"name", "kind", "fingerprint", "rows", "train", "valid", "test"}
    keys = {"metric", "value", "low", "high", "n", "split", "selected_on"}
    assert set(answer["score"]) == keys | ({"groups"} if "--group" in words else set())
    page = (Path(answer["run"]) / "report.html").read_text("utf-8")
    assert "<script>\x1b" not in page


def test_the_way_of_a_user(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    """fit, show, evaluate, predict, resume, report, runs, cv: each with its JSON."""
    source = (here / "numbers.csv").read_bytes()
    stat = os.stat("numbers.csv")

    def ask(*words: str) -> dict:
        assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = ask("fit", "numbers.csv", "--model", "linear")
    assert made["run"].endswith("runs/numbers-0001")
    assert made["score"]["metric"] == "rmse"
    shown = ask("show", made["run"])
    assert shown["score"] == made["score"]
    looked = ask("evaluate", made["run"], "--split", "test")
    assert looked["looks"] == {"count": 1, "runs": 1}
    assert looked["score"]["split"] == "test"
    found = ask("predict", made["run"], "numbers.csv", "--out", "p.csv")
    assert found == {"run": made["run"], "rows": 60, "predictions": "p.csv"}
    rows = Path("p.csv").read_text().splitlines()
    assert rows[0] == "row,prediction"
    assert float(rows[5].split(",")[1]) == pytest.approx(6 * 4 + 0.25, abs=1e-3)
    again = ask("resume", made["run"])
    assert again["resumed_from"] == made["steps"]
    assert ask("report", made["run"])["report"].endswith("report.html")
    assert [r["state"] for r in ask("runs")["runs"]] == ["finished"]
    cv = ask("cv", "numbers.csv", "--folds", "5", "--model", "linear")
    assert set(cv) >= {
        "run", "data", "model", "score", "floor", "folds", "predictions", "executor", "epochs",
        "seconds",
    }  # fmt: skip
    assert cv["executor"] == "loop"
    assert [row["kind"] for row in ask("runs")["runs"]] == ["fit", "cv"]
    assert set(cv["folds"][0]) == {"repeat", "fold", "n", "value", "epochs"}
    assert len(Path(cv["predictions"]).read_text().splitlines()) == 61
    assert (here / "numbers.csv").read_bytes() == source
    assert os.stat("numbers.csv").st_mtime_ns == stat.st_mtime_ns


def test_intervals_by_group_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{n % 7},s{n // 6:02},{n % 5}.5" for n in range(120)]
    write("sites.csv", "a,site,y\n" + "\n".join(rows) + "\n")
    words = ["sites.csv", "--group", "site", "--model", "linear"]
    assert main(["fit", *words]) == 0
    assert "(95 % interval by group (4 groups), 24 validation rows)" in capsys.readouterr().out
    assert main(["cv", *words, "--folds", "5", "--json"]) == 0
    answer = capsys.readouterr()
    assert json.loads(answer.out)["score"]["groups"] == 20
    assert "the intervals are by group (20 groups)" in answer.err


def test_predict_says_what_it_left_aside(capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run()
    write("new.csv", "job,age,shoe\na,33,44\nz,50,38\n")
    assert main(["predict", run, "new.csv", "--out", "p.csv"]) == 0
    said = capsys.readouterr().out
    assert "no influence: shoe" in said
    assert "1 cells of 'job' hold a value that no training row had" in said


def test_the_printed_script_and_recipe_do_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "good.csv", "--target", "income", *FAST, "--seed", "3", "--valid", "0.3"]
    assert main([*words, "--print-script"]) == 0
    Path("same.py").write_text(capsys.readouterr().out)
    assert main([*words, "--print-recipe"]) == 0
    Path("same.toml").write_text(capsys.readouterr().out)
    assert not Path("runs").exists()
    assert main([*words, "--json"]) == 0
    score = json.loads(capsys.readouterr().out)["score"]
    printed = subprocess.run(
        [sys.executable, "same.py"], capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    assert f"{100 * score['value']:.1f} %" in printed
    tail = ["--seed", "3", "--valid", "0.3", "--json", "--target", "income"]
    assert main(["fit", "good.csv", "--recipe", "same.toml", *tail]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == score


def test_help_of_every_verb_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    from chymist.cli.options import VERBS

    for verb in VERBS:
        with pytest.raises(SystemExit) as stop:
            main([verb, "--help"])
        assert stop.value.code == 0
        assert f"chymist {verb}" in capsys.readouterr().out.split("example:")[1]


def test_an_unwritable_folder(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["fit", "iris", *FAST, "--out", "locked/run"]) == 1
    assert "no permission" in capsys.readouterr().err


def test_a_full_disk_is_said_and_leaves_no_half_run(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from chymist.engine import folder

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(folder, "write_file", full)
    assert main(["fit", "iris", *FAST, "--out", "run"]) == 5
    assert "disk is full" in capsys.readouterr().err
    assert not Path("run").exists()
    assert not list(here.glob(".tmp*"))


def test_a_diverging_run_exits_with_three(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--optimizer", "sgd", "--optimizer.lr", "1e30", "--schedule", "constant"]
    assert main(["fit", "numbers.csv", "--model", "mlp", *words, "--out", "run"]) == 3
    assert "learning rate" in capsys.readouterr().err
    assert main(["show", "run"]) == 0
    assert "diverged" in capsys.readouterr().out


def test_ctrl_c_saves_and_resume_gives_the_same_weights(here: Path) -> None:
    """A real process, a real signal."""
    import signal
    import time

    words = [sys.executable, "-m", "chymist", "fit", "digits", "--model", "mlp", "--length",
             "3000 steps", "--threads", "1"]  # fmt: skip
    process = subprocess.Popen(
        [*words, "--out", "cut"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (here / "cut" / "records.sqlite").exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the run had ended before the signal came")
    assert process.returncode == 130, error
    assert "chymist resume" in error
    assert "Traceback" not in error
    subprocess.run(
        [sys.executable, "-m", "chymist", "resume", "cut"], check=True, capture_output=True
    )
    subprocess.run([*words, "--out", "whole"], check=True, capture_output=True)
    a, b = (here / name / "model.safetensors" for name in ("cut", "whole"))
    assert a.read_bytes() == b.read_bytes()


def test_import_chymist_is_light() -> None:
    code = (
        "import sys, chymist; print([m for m in ('torch', 'numpy', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_images_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    photos("photos")
    shutil.make_archive("packed", "zip", ".", "photos")
    prints = []
    for source in ("photos", "packed.zip"):
        assert main(["fit", source, "--length", "4 epochs", "--json", "--threads", "1"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["data"]["kind"] == "image"
        prints.append(answer["data"]["fingerprint"])
    assert prints[0] == prints[1]
    assert main(["predict", answer["run"], "photos/class1/3.png", "--out", "p.csv"]) == 0
    assert Path("p.csv").read_text().splitlines()[0] == "row,prediction,p(class0),p(class1)"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chymist {cy.__version__}\n"
