"""Damaged checkpoints: named and passed over, or without any effect; never half of one.

The worst that could happen is a damaged state that is taken for a right one. So whatever is done to
the newest checkpoint of a run, the state after reading equals, bit by bit, that of the newest or that
of the older one, as the step says; and a run that goes on from there ends with the same bits.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import torch

import chymist as cy
from chymist.cli import main
from chymist.data import reload
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.folder import open_folder
from chymist.engine.running import continue_from
from chymist.errors import ChymistError, Interrupted
from tests.corpora_checkpoints import DAMAGE, Parts, damage
from tests.corpora_files import BAD, GOOD, Case, table, text, write
from tests.test_bad_input import COUNT, HARD, MEGABYTES, SECONDS, Hang, limited, one_line, peak

OLDER, NEWEST = 6, 13
STEPS = 40


@dataclass(frozen=True)
class Base:
    """A run that was interrupted twice, and the same run to its end."""

    folder: Path
    final: bytes
    parts: dict[int, Parts]
    digests: dict[int, str]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Made once: data, an uninterrupted run, and one that was interrupted at two steps."""
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("checkpoints")
    (place / "t.csv").write_bytes(text(table(random.Random(3), 60)))
    recipe = cy.Recipe(
        model=cy.models.mlp(hidden=(48, 32), dropout=0.2), optimizer=cy.optim.adam(lr=0.01),
        batch_size=8, length=f"{STEPS} steps", stop=cy.stop.early("val_loss", patience="30 steps"),
    )  # fmt: skip
    split = cy.split(cy.load(place / "t.csv"), seed=0)
    cy.fit(recipe, split, seed=1, out=place / "whole")
    run = place / "run"
    with pytest.raises(Interrupted):
        cy.fit(recipe, split, seed=1, out=run, **until(OLDER))
    with pytest.raises(Interrupted):
        cy.resume(run, **until(NEWEST))
    parts = {
        step: {p.name: p.read_bytes() for p in (run / f"checkpoints/step-{step:08d}").iterdir()}
        for step in (OLDER, NEWEST)
    }
    final = (place / "whole" / "model.safetensors").read_bytes()
    found = Base(run, final, parts, {})
    found.digests[0] = digest(fresh(run))
    for step in (OLDER, NEWEST):
        folder = place / str(step)
        put(folder, {step: parts[step]})
        found.digests[step] = read(folder, fresh(run))[2]
    return found


def until(step: int) -> dict[str, Any]:
    """Arguments that interrupt a run at a step."""
    seen: list[int] = [0]
    return {
        "observer": lambda event: seen.append(event.step), "interrupted": lambda: seen[-1] >= step,
    }  # fmt: skip


def fresh(run: Path) -> Assembly:
    """The run before its first step."""
    saved = open_folder(run)
    return assemble(saved.recipe, _split(run), int(saved.environment["seed"]))


@cache
def _split(run: Path) -> Any:
    saved = open_folder(run)
    return saved.split_of(reload(saved.source))


class Unrecorded:
    """Stands where a recorder stands."""

    def truncate(self, step: int, evaluated: int) -> None:
        """Nothing was recorded."""


def put(folder: Path, checkpoints: dict[int, Parts], around: dict[str, Any] | None = None) -> None:
    """Write checkpoints into a run folder."""
    files = {
        f"step-{step:08d}/{n}": c for step, parts in checkpoints.items() for n, c in parts.items()
    }
    write(Case("", "", {**files, **(around or {})}, "."), folder / "checkpoints")


def read(folder: Path, assembly: Assembly) -> tuple[int, list[str], str]:
    """Step, problems and digest of the state after reading."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        step, problems = continue_from(folder, assembly, Unrecorded())  # type: ignore[arg-type]
        return step, problems, digest(assembly)


def digest(assembly: Assembly) -> str:
    """A hash of everything that a state holds, but for the time it waited."""
    state = assembly.state
    found = hashlib.sha256()
    moments = state.optimizer.state_dict()["state"]
    tables: dict[str, dict[str, Any]] = {
        "model": dict(state.model.state_dict()), "best": dict(state.best or {}),
        **{f"moments {index}": entries for index, entries in moments.items()},
        "random": {"torch": torch.get_rng_state()} if state.step else {},
        "plain": {k: v for k, v in vars(state).items() if k != "waited" and isinstance(v, int | float | str | None)},
    }  # fmt: skip
    for table_name in sorted(tables):
        for name, value in sorted(tables[table_name].items()):
            found.update(f"{table_name} {name} ".encode())
            if isinstance(value, torch.Tensor):
                found.update(f"{value.dtype} {tuple(value.shape)}".encode())
                found.update(value.contiguous().numpy().tobytes())
            else:
                found.update(repr(value).encode())
    return found.hexdigest()


def problem(seed: int, base: Base, folder: Path) -> str:
    """What is wrong with what became of a damaged newest checkpoint; empty if nothing is."""
    name, verdict, changed, around = damage(seed, base.parts[OLDER], base.parts[NEWEST])
    put(folder, {OLDER: base.parts[OLDER], NEWEST: changed}, around)
    contents, began = everything(folder), process_time()
    try:
        with limited():
            step, problems, found = read(folder, fresh(base.folder))
    except ChymistError as error:
        return f"{name}: no older one was used: {error.line()}"
    except Hang:
        return f"{name}: stopped"
    named = any(f"step-{NEWEST:08d}" in line for line in problems)
    wrong = [one_line(line) for line in problems if one_line(line)]
    if process_time() - began > SECONDS:
        wrong.append(f"{process_time() - began:.1f} s")
    if found != base.digests.get(step):
        wrong.append(f"SILENT CORRUPTION at step {step}")
    if verdict == BAD and step == NEWEST:
        wrong.append("accepted")
    if verdict == GOOD and (step != NEWEST or named):
        wrong.append(f"refused: {problems}")
    if step == OLDER and not named:
        wrong.append("not named")
    if step not in (OLDER, NEWEST):
        wrong.append(f"back to step {step}")
    if everything(folder) != contents:
        wrong.append("files were changed or lost")
    return f"{name}: {'; '.join(wrong)}" if wrong else ""


def everything(folder: Path) -> list[str]:
    """Contents of all files, wherever they were put."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in files)


def check(seeds: range, base: Base, place: Path) -> None:
    idle, wrong = peak(reset=True), []
    for seed in seeds:
        folder = place / "run"
        try:
            wrong.append(problem(seed, base, folder))
        except Exception as error:  # a traceback is what is looked for
            name = list(DAMAGE)[seed % len(DAMAGE)]
            wrong.append(f"{seed}: {name}: traceback {type(error).__name__}: {error}"[:300])
        shutil.rmtree(folder)
    found = [line for line in wrong if line]
    print(f"\ncheckpoints: {len(seeds)} cases, {len(found)} wrong, {peak() - idle:.0f} MB")
    assert not found, f"{len(found)} of {len(seeds)}:\n" + "\n".join(found[:40])
    assert peak() - idle < MEGABYTES


@pytest.mark.parametrize("block", range(5))
def test_a_damaged_checkpoint_is_named_and_an_older_one_used(
    block: int, base: Base, tmp_path: Path
) -> None:
    check(range(block * COUNT // 5, (block + 1) * COUNT // 5), base, tmp_path)


@pytest.mark.hard
def test_more_damaged_checkpoints(base: Base, tmp_path: Path) -> None:
    check(range(COUNT, COUNT + HARD), base, tmp_path)


def test_when_all_are_damaged_the_run_starts_again(base: Base, tmp_path: Path) -> None:
    names = list(DAMAGE)
    for seed in (names.index("one bit"), names.index("not finite"), names.index("manifest empty")):
        _, _, newest, _ = damage(seed, base.parts[OLDER], base.parts[NEWEST])
        older = {**base.parts[OLDER], "MANIFEST.json": b""}
        put(tmp_path / str(seed), {OLDER: older, NEWEST: newest})
        step, problems, found = read(tmp_path / str(seed), fresh(base.folder))
        assert (step, len(problems)) == (0, 2)
        assert found == base.digests[0]


@pytest.mark.parametrize(
    "name",
    ["nothing", "cut at a page", "one bit", "page of zeros", "file of the older one", "special file",
     "all files of the older one", "counter", "tensor of another shape", "not finite", "odd header"],
)  # fmt: skip
def test_a_run_with_a_damaged_checkpoint_ends_with_the_same_bits(
    name: str, base: Base, tmp_path: Path
) -> None:
    seed = list(DAMAGE).index(name)
    _, verdict, changed, _ = damage(seed, base.parts[OLDER], base.parts[NEWEST])
    run = tmp_path / "run"
    shutil.copytree(base.folder, run)
    shutil.rmtree(run / "checkpoints")
    put(run, {OLDER: base.parts[OLDER], NEWEST: changed})
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["resume", str(run), "--json"]) == 0
    assert json.loads(out.getvalue())["resumed_from"] == (NEWEST if verdict == GOOD else OLDER)
    assert (f"step-{NEWEST:08d}" in err.getvalue()) == (verdict != GOOD)
    assert (run / "model.safetensors").read_bytes() == base.final
