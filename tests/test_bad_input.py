"""Bad input, systematically: generated corpora against properties that hold for every case.

`make test` tries 200 cases of a kind, `make test-hard` 1,200 others. Whatever the files hold, chymist
takes them or refuses them in one line, at once, in little memory, and changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import signal
import tempfile
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import process_time
from types import FrameType
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.cli import main
from chymist.cli.inputs import recipe_of
from chymist.data import read_inputs, schema_of
from chymist.data.preparation import fit_preparation
from chymist.errors import ChymistError
from tests.corpora import KINDS, make
from tests.corpora_files import BAD, GOOD, table, text, write
from tests.corpora_texts import words

SECONDS = 5.0  # of work; how long that takes is up to the machine
WAITING = 60.0  # by the clock, after which something waits for ever
MEGABYTES = 512
TABLES = (".csv", ".parquet", ".pq", ".npy", ".npz")
COUNT, HARD = 200, 1200
CLI_EVERY = 8  # every 8th case is also given to the command line


class Hang(BaseException):
    """A case took too long; no handler of the library may swallow it."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Args:
        case: its name.
        verdict: what must come of it.
        problems: by property, what was wrong.
        refused: the line that refused it; empty if it was accepted.
        seconds: it took.
    """

    case: str
    verdict: str
    problems: dict[str, str]
    refused: str
    seconds: float


def use_rows(path: Path, test: str | None = None) -> None:
    """Load, split and prepare; what comes out is finite."""
    data = cy.load(path, test=test, target=-1 if path.suffix == ".npy" else None)
    split = cy.split(data, seed=0)
    inputs = fit_preparation(data, split.train, {}).inputs(data.take(split.train))
    assert np.isfinite(inputs).all()


def use_new_rows(path: Path) -> None:
    """Read as new rows of a run on other data."""
    raw, names = read_inputs(path, _known("table" if path.suffix in TABLES else "image"))
    assert len(names) == len(raw if isinstance(raw, np.ndarray) else next(iter(raw.values())))


@cache
def _known(kind: str) -> Any:
    if kind == "image":
        return schema_of(cy.load("digits"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "known.csv"
        path.write_bytes(text(table(random.Random(1))))
        return schema_of(cy.load(path))


def use_named(name: str) -> None:
    """Load a named set."""
    data = cy.load(name)
    assert len(data) == len(data.targets)


def action(kind: str, path: Path) -> list[Callable[[], object]]:
    """What is done with a case in Python: the first decides whether it is accepted."""
    if kind == "recipes":
        return [lambda: use_recipe(path)]
    if kind == "named":
        return [lambda: use_named(path.name)]
    return [lambda: use_rows(path), lambda: use_new_rows(path)]


def use_recipe(path: Path) -> None:
    """Read a recipe file as `--recipe` does; what it says can be written and read again."""
    recipe = recipe_of(Namespace(recipe=str(path), dotted={}))
    assert cy.Recipe.from_toml(recipe.to_toml()) == recipe


def command(kind: str, path: Path) -> list[str]:
    """What is given to the command line."""
    if kind == "recipes":
        return ["fit", "iris", "--recipe", str(path), "--print-recipe"]
    if path.suffix == ".npy":
        return ["fit", str(path), "--target=-1", "--print-recipe"]
    return ["fit", path.name if kind == "named" else str(path), "--print-recipe"]


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Stop what takes longer than it may."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Mode, time and content of everything below a folder."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in root.rglob("*"):
        about = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if plain else ""
        found[str(path.relative_to(root))] = (about.st_mode, about.st_mtime_ns, content)
    return found


def one_line(line: str) -> str:
    """What is wrong with an error line; empty if nothing is."""
    if not line.isprintable():
        return f"not printable: {line!r}"
    return f"{len(line)} characters: {line[:80]}" if len(line) > 1000 else ""


def told(argv: list[str]) -> tuple[str, str]:
    """What is wrong with the answer of the command line, and its exit code as text."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
    except SystemExit as error:
        return f"left by SystemExit {error.code}", "exit"
    shown, said = out.getvalue(), err.getvalue()
    bare = (shown + said).replace("\n", "")
    if not bare.isprintable():
        return f"not printable: {bare!r:.300}", str(code)
    if "unforeseen" in bare:
        return f"unforeseen: {bare[:300]}", str(code)
    if code not in (0, 1, 2):
        return f"exit code {code}", str(code)
    if "--json" in argv:
        answers = [json.loads(line) for line in shown.splitlines()]
        right = len(answers) == 1 and (code == 0) == ("error" not in answers[0])
        return ("" if right else f"JSON: {shown[:200]}"), str(code)
    right = code == 0 or (shown == "" and said.count("\n") == 1 and said.endswith("\n"))
    return ("" if right else f"lines: {said[:300]!r} {shown[:100]!r}"), str(code)


def attempt(kind: str, seed: int, root: Path) -> Outcome:
    """Try one case in a folder of its own, in Python and on the command line."""
    case, given = make(kind, seed), root / "a" / "given"
    for name in ("given", "desk", "tmp"):
        (root / "a" / name).mkdir(parents=True)
    path = write(case, given)
    path = Path(case.source) if kind == "named" else path
    before, began = snapshot(root), process_time()
    problems: dict[str, str] = {}
    refused = ""
    with surroundings(root / "a"), limited():
        try:
            for number, act in enumerate(action(kind, path)):
                line = refusal(act, problems)
                refused = line if number == 0 else refused
            if seed % CLI_EVERY == 0:
                argv = command(kind, path) + ["--json"] * (seed % (2 * CLI_EVERY) == 0)
                problem, code = told(argv)
                if problem or (code == "0") != (refused == ""):
                    problems["command line"] = problem or f"exit {code}, refused: {refused!r}"
        except Hang:
            problems["at once"] = "stopped"
    seconds = process_time() - began
    if seconds > SECONDS:
        problems["at once"] = f"{seconds:.1f} s"
    if snapshot(root) != before:
        problems["nothing changed"] = "files differ"
    if case.verdict == GOOD and refused:
        problems["good is accepted"] = refused
    if case.verdict == BAD and not refused:
        problems["bad is refused"] = "accepted"
    return Outcome(case.name, case.verdict, problems, refused, seconds)


def refusal(act: Callable[[], object], problems: dict[str, str]) -> str:
    """Do something; the line that refused it, or empty. Other exceptions are problems."""
    try:
        act()
    except ChymistError as error:
        if one_line(error.line()):
            problems["one line"] = one_line(error.line())
        return error.line() or "?"
    except Exception:
        problems["no traceback"] = traceback.format_exc(limit=-3)
        return "traceback"
    return ""


@contextlib.contextmanager
def surroundings(root: Path) -> Iterator[None]:
    """Run in an empty folder, with a temporary folder and named sets of one's own."""
    here, place = os.getcwd(), tempfile.tempdir
    os.environ["CHYMIST_DATA"] = str(root / "given")
    os.chdir(root / "desk")
    tempfile.tempdir = str(root / "tmp")
    try:
        yield
    finally:
        os.chdir(here)
        tempfile.tempdir = place
        del os.environ["CHYMIST_DATA"]


def peak(reset: bool = False) -> float:
    """Largest memory of this process since the last reset, in MB; 0 where it is not known."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


@dataclass(frozen=True)
class Corpus:
    """Outcomes of all cases of a kind, and what memory they took above idle, in MB."""

    outcomes: tuple[Outcome, ...]
    megabytes: float


@cache
def corpus(kind: str, first: int, count: int) -> Corpus:
    """Try the cases of a kind, once for all properties."""
    with tempfile.TemporaryDirectory() as warm, tempfile.TemporaryDirectory() as folder:
        attempt(kind, 0, Path(warm))  # imports what it needs before memory is measured
        idle = peak(reset=True)
        outcomes = []
        for seed in range(first, first + count):
            root = Path(folder) / str(seed)
            outcomes.append(attempt(kind, seed, root))
        return Corpus(tuple(outcomes), peak() - idle)


PROPERTIES = (
    "no traceback", "one line", "good is accepted", "bad is refused", "at once", "nothing changed", "command line",
)  # fmt: skip


def check(found: Corpus, name: str) -> None:
    wrong = [f"{o.case}: {o.problems[name]}" for o in found.outcomes if name in o.problems]
    assert not wrong, f"{len(wrong)} of {len(found.outcomes)}:\n" + "\n".join(wrong[:12])


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_comes(kind: str, name: str) -> None:
    check(corpus(kind, 0, COUNT), name)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_and_shares(kind: str, record_property: Callable[[str, object], None]) -> None:
    found = corpus(kind, 0, COUNT)
    measured(kind, found, record_property)


@pytest.mark.hard
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_else_comes(kind: str, record_property: Callable[[str, object], None]) -> None:
    found = corpus(kind, COUNT, HARD)
    for name in PROPERTIES:
        check(found, name)
    measured(kind, found, record_property)


def measured(kind: str, found: Corpus, record: Callable[[str, object], None]) -> None:
    """Little memory; a tenth of the cases is right and accepted, a third is refused."""
    accepted = sum(not o.refused for o in found.outcomes if o.verdict == GOOD)
    refused = sum(bool(o.refused) for o in found.outcomes)
    slowest = max(found.outcomes, key=lambda o: o.seconds)
    record("cases", len(found.outcomes))
    record("slowest", f"{slowest.seconds:.2f} s, {slowest.case}")
    record("megabytes", round(found.megabytes))
    print(f"\n{kind}: {len(found.outcomes)} cases, {accepted} right ones accepted, {refused} refused, "
          f"slowest {slowest.seconds:.2f} s ({slowest.case}), {found.megabytes:.0f} MB")  # fmt: skip
    assert accepted >= len(found.outcomes) / 10
    assert refused >= len(found.outcomes) / 3
    assert found.megabytes < MEGABYTES


@pytest.mark.parametrize("block", range(4))
def test_words_of_the_command_line(block: int) -> None:
    check_words(range(block * COUNT // 4, (block + 1) * COUNT // 4))


@pytest.mark.hard
def test_more_words_of_the_command_line() -> None:
    check_words(range(COUNT, COUNT + HARD))


def check_words(seeds: range) -> None:
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("given", "desk", "tmp"):
            (Path(folder) / name).mkdir()
        before = snapshot(Path(folder))
        for seed in seeds:
            argv = words(seed) + ["--json"] * (seed % 2)
            with surroundings(Path(folder)), limited():
                problem, _ = told(argv)
            if problem:
                wrong.append(f"{seed} {argv!r:.300}: {problem}")
        assert snapshot(Path(folder)) == before
    assert not wrong, f"{len(wrong)} of {len(seeds)}:\n" + "\n".join(wrong[:12])
