"""Bad input of the verbs of function sets: one line, the right exit code, and nothing left behind."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from chymist.cli import main

GOOD = [f"{0.5 * i % 7:g},{i * i % 7},{'pq'[i % 2]}" for i in range(24)]
TABLES = {
    "good": ("a,b,y", GOOD),
    "empty": ("", []),
    "header": ("a,b,y", []),
    "row": ("a,b,y", ["1,2,p"]),
    "oneclass": ("a,b,y", [row[:-1] + "p" for row in GOOD]),
    "void": ("a,b,c,y", [f"{i % 7},,{i % 5},{'pq'[i % 2]}" for i in range(24)]),
    "infinite": ("a,b,y", ["inf,2,p", *GOOD]),
    "huge": ("a,b,y", [f"{i}e307,{i % 5},{'pq'[i % 2]}" for i in range(24)]),
    "numbers": ("a,b,y", [f"{i * i % 11},{i % 5},{1.5 * i + 0.25}" for i in range(24)]),
}
VERBS = {
    "pca": "",
    "kmeans": "--clusters 2",
    "crossing": "--models gaussian,naive_bayes",
    "mistake-bound": "",
    "bag": "--model cart --members 2",
    "race": "--optimizers sgd --rates 0.1 --seeds 1",
    "suitability": "",
    "effects": "",
}
SOURCES = {
    "gone.csv": "no such file", "empty.csv": "empty", "header.csv": "no rows",
    "row.csv": "two rows", "oneclass.csv": "one class", "void.csv": "column 'b'",
    "infinite.csv": "line 2, column 'a'", "huge.csv": "infinite", "taken": "taken",
}  # fmt: skip
# command -> exit code
OPTIONS = {
    "pca good.csv --components 0": 2, "pca good.csv --components 99999999999999999999": 2,
    "pca good.csv --share 0": 2, "pca good.csv --share nan": 2, "pca good.csv --held 0.9": 2,
    "pca good.csv --seed -1": 2, "pca good.csv --out nowhere/p.svg": 1,
    "pca good.csv --out taken": 1, "pca good.csv --out good.csv": 1,
    "pca good.csv --model.width 3": 2, "pca good.csv --data.scal none": 2,
    "pca good.csv --group a": 2, "pca good.csv --valid 0.1": 2, "pca good.csv --time a": 2,
    "kmeans good.csv": 2, "kmeans good.csv --clusters 1": 2, "kmeans good.csv --clusters -3": 2,
    "kmeans good.csv --clusters 24": 2, "kmeans good.csv --clusters x": 2,
    "kmeans good.csv --clusters 2 --seeds 0": 2, "kmeans good.csv --clusters 2 --seed -1": 2,
    "kmeans good.csv --clusters 2 --out nowhere/c.csv": 1,
    "crossing good.csv": 2, "crossing good.csv --models gaussian": 2,
    "crossing good.csv --models gaussian,softmax,mlp": 2,
    "crossing good.csv --models gaussian,gausian": 2,
    "crossing good.csv --models gaussian,tree": 2,
    "crossing good.csv --models gaussian,naive_bayes --sizes 0.5": 2,
    "crossing good.csv --models gaussian,naive_bayes --sizes 2,999999999": 1,
    "crossing good.csv --models gaussian,naive_bayes --folds 1": 2,
    "crossing good.csv --models gaussian,naive_bayes --folds 1000": 1,
    "crossing good.csv --models gaussian,naive_bayes --seeds 0": 2,
    "crossing numbers.csv --models gaussian,naive_bayes": 2,
    "crossing good.csv --recipes gone.toml,gone2.toml": 1,
    "mistake-bound good.csv": 1, "mistake-bound good.csv --against z": 2,
    "mistake-bound iris": 2, "mistake-bound numbers.csv": 2, "mistake-bound iris --seed -1": 2,
    "bag good.csv --members 1": 2, "bag good.csv --model nosuch": 2,
    "bag good.csv --model cart --rows good.csv": 2, "bag good.csv --model cart --out p.csv": 2,
    "bag good.csv --model cart --rows gone.csv --out p.csv": 1,
    "bag good.csv --model cart --rows good.csv --out good.csv": 1,
    "bag good.csv --model cart --valid 0": 1, "bag good.csv --loss mse": 2,
    "tree gone": 1, "tree taken": 1, "tree svm": 1, "tree tree --stability 0": 2,
    "tree tree --stability x": 2, "tree tree --depth -1": 2, "tree tree --out taken": 1,
    "tree tree --out nowhere/t.svg": 1, "tree tree --data numbers.csv --stability 3": 1,
    "support gone": 1, "support tree": 1, "support svm --out taken": 1,
    "support svm --out good.csv": 1, "support svm --data gone.csv": 1,
    "race good.csv --optimizers adam,adam": 2, "race good.csv --optimizers adem": 2,
    "race good.csv --optimizers irls": 2, "race good.csv --rates 0.1,0.1": 2,
    "race good.csv --rates -1": 2, "race good.csv --rates nan": 2, "race good.csv --rates x": 2,
    "race good.csv --seeds 0": 2, "race good.csv --seeds -1": 2, "race good.csv --out taken": 1,
    "race good.csv --optimizer adam": 2, "race good.csv --valid 0": 2,
    "graph x*": 2, "graph x*y --at x=1": 2, "graph x --at x": 2, "graph x --at x=1,x=2": 2,
    "graph x --at x=1,y=2": 2, "graph nosuch(x) --at x=1": 2, "graph x --at x=1 --out taken": 1,
    "graph x --at x=1 --out nowhere/g.svg": 1,
    "part nosuch": 2, "part relu --kind loss": 2, "part adam --out a.svg": 2,
    "part constant --out c.svg": 2, "part relu --out nowhere/r.svg": 1, "part relu --out taken": 1,
    "part elu(nosuch=1)": 2, "part elu(alpha=x)": 2, "part uniform(bound=1e300)": 2,
    "part normal(std=1e300)": 2, "part constant(value=1e300) --kind init": 2,
    "shapes nosuch": 2, "shapes mlp --input 0": 2, "shapes mlp --input axb": 2,
    "shapes mlp --input 999999999999999999999999": 2, "shapes mlp --outputs 0": 2,
    "shapes mlp --batch 0": 2, "shapes mlp --loss mse": 2, "shapes cnn --input 4": 2,
    "effects good.csv --rows 0": 2, "effects good.csv --seeds 0": 2,
    "suitability good.csv --folds 1": 2, "suitability good.csv --rows -5": 2,
    "suitability good.csv --folds 99999": 1,
    "fit good.csv --columns a=id,a=number": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables, a taken folder and two runs."""
    made = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for name, (head, rows) in TABLES.items():
            Path(f"{name}.csv").write_text("\n".join([head, *rows, ""]) if head else "")
        Path("taken").mkdir()
        Path("taken/x").write_text("x")
        for model, out in (("id3", "tree"), ("svm", "svm")):
            assert main(["fit", "good.csv", "--model", model, "--out", out, "--quiet"]) == 0
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def refused(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error; the same in JSON, and nothing is left behind."""
    before = sorted(str(path) for path in Path().rglob("*"))
    content = Path("good.csv").read_text()
    assert main(words) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("chymist: ")
    assert "unforeseen" not in line
    assert main([*words, "--json"]) == code
    answer = capsys.readouterr()
    (told,) = answer.out.splitlines()
    assert set(json.loads(told)["error"]) >= {"code", "what"}
    assert sorted(str(path) for path in Path().rglob("*")) == before
    assert Path("good.csv").read_text() == content
    return line


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("verb", VERBS)
def test_bad_rows(verb: str, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused([verb, source, *VERBS[verb].split()], 1, capsys)
    assert SOURCES[source] in line


@pytest.mark.parametrize("verb", VERBS)
def test_bad_words(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    own = VERBS[verb].split()
    assert "SOURCE" in refused([verb, *own], 2, capsys)
    assert "known: a, b, y" in refused([verb, "good.csv", *own, "--target", "z"], 1, capsys)
    assert "'--nosuch'" in refused([verb, "good.csv", *own, "--nosuch", "1"], 2, capsys)


@pytest.mark.parametrize("command", OPTIONS)
def test_bad_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(shlex.split(command), OPTIONS[command], capsys)


def said(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(shlex.split(words)) == 0
    return capsys.readouterr().out


def test_a_singular_design_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{i * 7 % 11},{2 * (i * 7 % 11)},{3 * i + i % 3}" for i in range(40)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["a,twice,y", *lines, ""]))
    for solver in ("closed_form", "irls"):
        out = said(
            f"fit {table} --model linear --optimizer {solver} --out {tmp_path}/{solver}", capsys
        )
        assert "depend on each other" in out or "rank 1 of 2" in out


def test_separable_rows_are_named_solved_or_descended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{i * 7 % 40 + 0.5},{'no' if i * 7 % 40 < 20 else 'yes'}" for i in range(40)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["a,y", *lines, ""]))
    for way in ("--optimizer irls", "--stop none --length '300 epochs'"):
        words = f"fit {table} --model logistic {way} --out {tmp_path}/run{len(way)}"
        assert "a hyperplane separates the training rows" in said(words, capsys)


def test_an_unseen_category_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{('red', 'blue', 'green')[i % 3]},{i % 7},{'pq'[i // 2 % 2]}" for i in range(40)]
    table, new = tmp_path / "t.csv", tmp_path / "new.csv"
    table.write_text("\n".join(["colour,size,y", *lines, ""]))
    new.write_text("colour,size\npurple,3\nred,4\n")
    for model in ("c45", "naive_bayes", "svm"):
        said(f"fit {table} --model {model} --out {tmp_path}/{model}", capsys)
        out = said(f"predict {tmp_path}/{model} {new} --out {tmp_path}/{model}.csv", capsys)
        assert "'colour' hold a value that no training row had" in out


def test_a_tree_on_one_class_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("id3", "c45", "cart", "random_forest", "boosting"):
        line = refused(["fit", "oneclass.csv", "--model", model], 1, capsys)
        assert "the target has one class only, in column 'y': got 'p' in all 24 rows" in line
