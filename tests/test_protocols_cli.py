"""`--protocol` of `cv`, `compare` and `search`: the answer, what is said of the rows, and wrong use in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chymist.cli import main

FAST = ["--model", "softmax", "--length", "2 epochs"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{20 + i % 40},{i * 7 % 11}.5,{i},{'ab'[i % 3 > 1]}\n" for i in range(80)]
    Path("good.csv").write_text("age,size,day,kind\n" + "".join(rows))
    twice = [f"{n % 12}.5,{n % 5},{n % 3},{n * 1.25}\n" for n in range(90)]
    Path("twice.csv").write_text("a,b,site,y\n" + "".join(twice))


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict, str]:
    """The JSON object, and what was said beside it."""
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_a_bootstrap_has_a_corrected_score(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cv", "iris", "--protocol", "bootstrap", "--protocol.times", "6", *FAST]
    found, said = ask(capsys, *words, "--seed", "1")
    assert found["protocol"] == "bootstrap(times=6)"
    assert len(found["folds"]) == 6
    assert [fold["repeat"] for fold in found["folds"]] == list(range(6))
    assert found["score"]["split"] == "out-of-fold"
    assert found["corrected"]["split"] == ".632+"
    assert found["corrected"]["value"] == pytest.approx(1 - found["bootstrap"]["point632_plus"])
    assert found["duplicates"] == 2
    assert found["never_held"] == 150 - found["score"]["n"]
    assert "(.632+, n=" in said
    assert "for a model trained on all rows" in said
    assert "2 rows occur more than once: training may see the copy of a held-out row; group or drop them" in said  # fmt: skip
    kept = json.loads((Path(found["run"]) / "cv.json").read_text())
    assert kept["corrected"] == found["corrected"]
    assert kept["facts"]["bootstrap"] == found["bootstrap"]
    lines = Path(found["predictions"]).read_text().splitlines()
    assert len(lines) == 1 + sum(fold["n"] for fold in found["folds"])


def test_protocols_and_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = ask(capsys, "cv", "good.csv", "--protocol", "monte_carlo", "--protocol.times=3",
                   "--protocol.test", "10", *FAST)  # fmt: skip
    assert [fold["n"] for fold in found["folds"]] == [10, 10, 10]
    found, said = ask(capsys, "cv", "good.csv", "--protocol", "time_series", "--protocol.folds", "2",
                      "--protocol.size", "10", "--time", "day", *FAST)  # fmt: skip
    assert [fold["n"] for fold in found["folds"]] == [10, 10]
    assert found["never_held"] == 60
    assert "60 rows were never held out; the score is of the others" in said
    assert "corrected" not in found
    found, _ = ask(capsys, "cv", "good.csv", "--protocol", "time_series", "--time", "day",
                   "--protocol.folds", "2", "--test", "0.25", *FAST)  # fmt: skip
    assert [fold["n"] for fold in found["folds"]] == [20, 20]
    assert found["never_held"] == 20
    assert max(_rows(found)) <= 60
    found, _ = ask(capsys, "cv", "twice.csv", "--protocol", "leave_groups_out", "--group", "site",
                   "--model", "linear")  # fmt: skip
    assert len(found["folds"]) == 3


def test_compare_and_search_take_the_same_protocols(capsys: pytest.CaptureFixture[str]) -> None:
    splits = ["--protocol", "monte_carlo", "--protocol.times", "4", "--protocol.test", "16"]
    blocks = ["--protocol", "time_series", "--time", "day", "--protocol.folds", "2"]
    length = ["--length", "2 epochs"]
    compared = ["compare", "good.csv", "--models", "softmax,knn", *length]
    searched = ["search", "good.csv", *FAST, "--optimizer", "adam", "--optimizer.lr", "0.01|0.1",
                "--method", "grid"]  # fmt: skip
    found, said = ask(capsys, *compared, *splits)
    assert found["design"] == "4 random splits"
    assert "mean of 4 fits" in said
    lines = Path(found["predictions"]).read_text().splitlines()
    assert lines[0].startswith("entry,repeat,fold,row,target")
    assert [line.split(",")[1] for line in lines[1:65]] == [r for r in "0123" for _ in range(16)]
    found, _ = ask(capsys, *compared, *blocks, "--test", "0.25")
    assert found["design"] == "2 blocks in time"
    assert found["sealed"]
    found, said = ask(capsys, *searched, *splits)
    assert (found["facts"]["design"], found["facts"]["fits"]) == ("4 random splits", 8)
    assert "seeds unknown" not in said
    assert "4 random splits" in Path(found["report"]).read_text()
    found, said = ask(capsys, *searched, *blocks)
    assert (found["facts"]["design"], found["facts"]["fits"]) == ("2 blocks in time", 4)
    assert "seeds unknown from one seed" in said


def test_three_seeds_where_something_starts_at_random(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "good.csv", "--folds", "2", "--length", "1 epoch", "--models"]
    for models, seeds, design in (
        ("softmax,knn", [], "2 folds x 3 seeds"),
        ("softmax,knn", ["--seeds", "1"], "2 folds x 1 seed"),
        ("tree,knn", [], "2 folds x 1 seed"),
    ):
        found, _ = ask(capsys, *words, models, *seeds)
        assert found["design"] == design


def test_leave_one_out_of_a_line_says_that_it_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    found, said = ask(capsys, "cv", "twice.csv", "--model", "linear", "--folds", "loo")
    assert found["executor"] == "closed form"
    assert "Folds   not trained: exact, in closed form from one fit, in" in said
    assert len(found["folds"]) == 90
    assert (
        json.loads(Path(found["run"], "cv.json").read_text())["facts"]["executor"] == "closed form"
    )


def _rows(found: dict) -> list[int]:
    lines = Path(found["predictions"]).read_text().splitlines()[1:]
    return [int(line.split(",")[0]) for line in lines]


def test_folds_and_repeats_are_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    found, said = ask(capsys, "cv", "good.csv", "--folds", "4", "--repeats", "2", *FAST)
    assert found["protocol"] == "kfold(folds=4, repeats=2)"
    assert [fold["fold"] for fold in found["folds"]] == [0, 1, 2, 3] * 2
    assert "Fold    8/8" in said
    assert "occur" not in said
    found, _ = ask(capsys, "cv", "good.csv", *FAST)
    assert found["protocol"] == "kfold(folds=10, repeats=1)"
    same, _ = ask(capsys, "cv", "good.csv", "--protocol", "kfold", "--protocol.folds", "10", *FAST)
    assert same["score"] == found["score"]


def test_copies_in_other_groups_and_rare_classes_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, said = ask(capsys, "cv", "twice.csv", "--folds", "3", "--model", "linear")
    assert "60 rows occur more than once" in said
    _, said = ask(capsys, "cv", "twice.csv", "--folds", "3", "--group", "site", "--model", "linear")
    assert "occur more than once" not in said
    Path("rare.csv").write_text("x,y\n" + "".join(f"{n}.5,{'abc'[(n > 20) + (n > 36)]}\n" for n in range(40)))  # fmt: skip
    _, said = ask(capsys, "cv", "rare.csv", "--folds", "5", *FAST)
    assert "fewer rows than folds: class 'c'; some folds hold none of it out" in said


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--protocol", "bootstap"], 2, "unknown protocol: got 'bootstap'; did you mean 'bootstrap'?"),
        (["--protocol", "bootstrap", "--protocol.tims", "3"], 2, "got 'tims'; did you mean 'times'?"),
        (["--protocol", "bootstrap", "--protocol.times", "0"], 2, "protocol.times: got '0'"),
        (["--protocol", "bootstrap", "--protocol.times", "few"], 2, "protocol.times: got 'few'"),
        (["--protocol.times", "3"], 2, "without its name, in --protocol.times; add --protocol NAME"),
        (["--protocol", "kfold", "--folds", "3"], 2, "a protocol has options of its own, in --folds"),
        (["--protocol", "kfold", "--repeats", "3"], 2, "options of its own, in --repeats"),
        (["--protocol", "kfold", "--protocol.folds", "81"], 1, "fewer rows or groups than folds"),
        (["--protocol", "time_series"], 2, "time_series needs the order of the rows, in time; give time=COLUMN"),
        (["--protocol", "time_series", "--time", "kind"], 1, "'kind'"),
        (["--protocol", "kfold", "--time", "day"], 2, "cv takes no --time"),
        (["--folds", "3", "--time", "day"], 2, "later rows"),
        (["--protocol", "leave_groups_out"], 2, "leave_groups_out needs groups"),
        (["--protocol", "leave_p_out", "--protocol.p", "4"], 1, "got 1,581,580 ways; give limit=1000"),
        (["--protocol", "monte_carlo", "--protocol.test", "0"], 2, "no rows would be held out"),
        (["--protocol", "monte_carlo", "--protocol.test", "1.5"], 2, "not a share of the rows"),
        (["--protocol", "bootstrap", "--model.hidden", "3"], 2, "options of the model without its name"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cv", "good.csv", *words]) == code
    said = capsys.readouterr()
    line = said.err.splitlines()[-1]
    assert message in line
    assert line.startswith("chymist: ")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol", "monte_carlo", "--seeds", "2"], "options of its own, in --seeds"),
        (["--protocol", "kfold", "--folds", "3"], "options of its own, in --folds"),
        (["--protocol.times", "3"], "without its name, in --protocol.times"),
        (["--protocol", "monte"], "unknown protocol: got 'monte'"),
        (["--time", "day"], "takes no --time"),
        (["--seeds", "0"], "at least one seed is needed, in --seeds"),
        (["--folds", "1"], "folds must be 2 or more, or loo"),
    ],
)
@pytest.mark.parametrize("verb", ["compare", "search"])
def test_wrong_use_in_comparisons_is_one_line(
    verb: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"compare": ["--models", "softmax,knn"], "search": ["--batch-size", "16|32"]}[verb]
    assert main([verb, "good.csv", *more, *words]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert message in line
    assert line.startswith("chymist: ")
    assert not Path("runs").exists()


def test_a_protocol_is_no_part_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "good.csv", "--protocol.times", "3"]) == 2
    assert "unknown option: got '--protocol.times'" in capsys.readouterr().err
    assert main(["part", "bootstrap"]) == 0
    assert "times = 200" in capsys.readouterr().out
