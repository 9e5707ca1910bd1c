"""Run folders whose files somebody has edited: one line that names the file, and nothing else."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chymist.cli import as_chymist, run
from chymist.cli import main as chymist
from chymist.errors import ChymistError

TABLE = "age,job,income\n" + "".join(
    f"{20 + i % 40},{'abc'[i % 3]},{'high' if i % 40 > 19 else 'low'}\n" for i in range(120)
)
VERBS = {
    "show": ["show", "run"],
    "resume": ["resume", "run", "--quiet"],
    "evaluate": ["evaluate", "run", "--quiet"],
    "predict": ["predict", "run", "good.csv", "--quiet", "--out", "p.csv"],
    "report": ["report", "run"],
    "runs": ["runs", "."],
}
FILES = ("split.json", "environment.json", "result.json", "data.json", "recipe.toml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a finished run on it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "good.csv").write_text(TABLE)
    words = ["--model", "mlp", "--model.hidden", "4", "--length", "2 epochs", "--quiet"]
    out = ["--out", str(folder / "run")]
    with contextlib.chdir(folder):
        assert chymist(["fit", "good.csv", "--test", "0.2", *words, *out]) == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; the working folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(**changes: Any) -> Callable[[bytes], bytes]:
    """An edit of a JSON file: some keys replaced."""
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


def text(content: str | bytes) -> Callable[[bytes], bytes]:
    """An edit that replaces all."""
    return lambda _: content.encode() if isinstance(content, str) else content


KNOWN = {
    "split is a list": ("split.json", text("[]")),
    "row out of range": ("split.json", rows(valid=[999])),
    "negative row": ("split.json", rows(valid=[-1])),
    "doubled row": ("split.json", rows(valid=[3, 3])),
    "row in two parts": ("split.json", lambda c: rows(valid=json.loads(c)["train"][:3])(c)),
    "no training row": ("split.json", rows(train=[])),
    "huge row": ("split.json", rows(test=[10**30])),
    "rows are text": ("split.json", rows(test="abc")),
    "empty environment": ("environment.json", text("{}")),
    "threads": ("environment.json", rows(threads=0)),
    "status only": ("result.json", text('{"status":"finished"}')),
    "diverged only": ("result.json", text('{"status":"diverged"}')),
    "unknown status": ("result.json", rows(status="x")),
    "no status": ("result.json", text("{}")),
    "model only": ("recipe.toml", text('[model]\nname = "mlp"\n')),
    "unknown model": ("recipe.toml", text('model = "nothing"\n')),
    "long number": ("recipe.toml", text("batch_size = " + "9" * 5000)),
    "deep list": ("recipe.toml", text("batch_size = " + "[" * 5000)),
    **{f"{name} {word}": (name, text(content)) for name in FILES for word, content in
       {"null": "null", "no UTF-8": b"\xff\xfe{}", "empty": "", "deep": "[" * 100_000}.items()},
    **{f"{name} cut": (name, lambda c: c[: len(c) // 2]) for name in FILES},
}  # fmt: skip


@pytest.mark.parametrize("case", KNOWN)
def test_a_known_edit_is_one_line_that_names_the_file(
    case: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, edit = KNOWN[case]
    path = here / "run" / name
    path.write_bytes(edit(path.read_bytes()))
    before = contents(here)
    verbs = ["resume", "evaluate"] if case == "row out of range" else list(VERBS)
    for verb in verbs:
        if verb == "runs":
            assert chymist(VERBS[verb]) == 0
            assert "damaged" in capsys.readouterr().out
            continue
        assert chymist(VERBS[verb]) == 1, verb
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert name in error, error
        assert "unforeseen" not in error
        assert len(error) <= 400
    assert contents(here) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


ODD = (
    None, True, -1, 0, 1.5, 10**30, 2**63, -(2**63), 1e308, 5e-324, "", "x", "\x1b[31mred\x07\n",
    "é\u202e\U0001f600", "1e5", [], [[]], [None], {}, {"a": {"b": []}}, "../../x", "=cmd()",
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside plain values."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in pairs:
        found.append((value, key))
        if isinstance(inner, (dict, list)):
            found += places(inner)
    return found


def mutate_json(content: bytes, draw: random.Random) -> bytes:
    """One seeded edit of a JSON file."""
    way = draw.randrange(8)
    if way == 0:
        return content[: draw.randrange(len(content))]
    if way == 1:
        at = draw.randrange(len(content))
        return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]
    plain = json.loads(content)
    where, key = draw.choice(places(plain))
    if way == 2:
        del where[key]
    elif way == 3 and isinstance(where, dict):
        where[draw.choice(["\x1b]0;t\x07", "", "name", "kind", "\u0000"])] = where.pop(key)
    elif way == 4:
        inner: Any = 1
        for _ in range(draw.choice([3, 200, 900])):
            inner = [inner] if draw.random() < 0.5 else {"a": inner}
        where[key] = inner
    elif way == 5:
        written = json.dumps(plain)
        return (written[:-1] + f', "{draw.choice(list(plain))}": {json.dumps(draw.choice(ODD))}}}'
                ).encode()  # fmt: skip
    else:
        where[key] = draw.choice(ODD)
    return json.dumps(plain).encode()


def mutate_toml(content: bytes, draw: random.Random) -> bytes:
    """One seeded edit of a TOML file; lengths and widths stay, so that nothing grows huge."""
    way = draw.randrange(4)
    if way == 0:
        return content[: draw.randrange(len(content))]
    if way == 1:
        at = draw.randrange(len(content))
        return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]
    lines = content.decode().splitlines()
    at = draw.randrange(len(lines))
    if way == 2:
        lines[at : at + 1] = draw.choice([[], [lines[at]] * 2, ["[a.b.c]", lines[at]], ["\x1b[1m"]])
        return "\n".join(lines).encode()
    odd = ["nan", "-inf", "1e308", "'\\u001b'", '"\\u001b[1m"', "[[[1]]]", "9" * 30, "{a={b=1}}",
           "-1", "0", "true", "1979-05-27T07:32:00Z", '""']  # fmt: skip
    key, sign, _ = lines[at].partition("=")
    lines[at] = f"{key}{sign or '='} {draw.choice(odd)}"
    return "\n".join(lines).encode()


def asked(words: list[str]) -> Exception | None:
    """What a command fails with."""
    try:
        run(words)
    except Exception as error:
        return error
    return None


def unharmed(here: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Mutate one file and ask every verb: it answers, or fails as chymist fails."""
    draw = random.Random(seed)
    name = FILES[seed % len(FILES)]
    path = here / "run" / name
    whole = path.read_bytes()
    path.write_bytes((mutate_toml if name.endswith("toml") else mutate_json)(whole, draw))
    before = contents(here)
    for verb in VERBS if seed % 4 == 0 else draw.sample(list(VERBS), 2):
        failure = asked(VERBS[verb])
        if failure is not None:
            what = f"mutation {seed} of {name}, {verb}: {as_chymist(failure).line()}"
            assert isinstance(failure, ChymistError), f"{what}\n{path.read_bytes()[:600]!r}"
            assert failure.exit_code == 1, what
            assert failure.line().isprintable(), what
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err, (seed, verb)
    after = contents(here)
    written = {"run/report.html", "p.csv"}
    changed = {p for p in {*before, *after} if before.get(p) != after.get(p)}
    assert {str(Path(p).relative_to(here)) for p in changed} <= written, seed
    path.write_bytes(whole)


@pytest.mark.parametrize("block", range(4))
def test_two_hundred_mutations_are_answered(
    block: int, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(50 * block, 50 * block + 50):
        unharmed(here, seed, capsys)


@pytest.mark.hard
@pytest.mark.parametrize("block", range(20))
def test_a_thousand_mutations_are_answered(
    block: int, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(1000 + 50 * block, 1050 + 50 * block):
        unharmed(here, seed, capsys)
