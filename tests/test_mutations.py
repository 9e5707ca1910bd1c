"""The checks of the fault tests notice when a step of the protocol is broken on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import Server, copy_of, fingerprint, judge
from tests.mutations import MUTATIONS
from tests.save_protocol import protocol_problems
from tests.test_crash_points import (
    BEFORE,
    JOB,
    calls_of_a_save,
    error_problems,
    keeping_problems,
)

LONG: dict[str, Any] = {"job_name": "lstm-adam", "length": "160 steps"}
Check = Callable[..., list[str]]


class Standing:
    """A run that stands in the middle, what it gives in the end, and the checks on it."""

    def __init__(self, server: Server, place: Path) -> None:
        self.server = server
        self.short, self.long = place / "short", place / "long"
        assert server.train(self.short, every=-1, stop_at=BEFORE + 1, **JOB).code == 130
        assert server.train(place / "whole", **LONG).code == 0
        self.reference = fingerprint(place / "whole")
        for events in (97, 12):
            assert server.train(self.long, stop_at=events, **LONG).code == 130
        self.older, newest = sorted(self.long.glob("checkpoints/step-*"))
        counters = json.loads((self.older / "state.json").read_text())["counters"]
        assert counters["loss_rows"] > 0  # in the middle of an epoch
        shutil.rmtree(newest)  # so that the record is ahead of the last checkpoint

    def sequence(self, mutations: list[str]) -> list[str]:
        """The calls of a save are those of the protocol."""
        return protocol_problems(calls_of_a_save(self.server, self.short, mutations=mutations))

    def keeping(self, mutations: list[str]) -> list[str]:
        """The last two checkpoints are kept."""
        return keeping_problems(self.server, self.short, mutations=mutations)

    def errors(self, mutations: list[str]) -> list[str]:
        """Errors of the disk are told."""
        return error_problems(self.server, self.short, "EIO", 3, mutations=mutations)

    def resuming(self, mutations: list[str]) -> list[str]:
        """A resumed run gives the same bits."""
        folder, step = copy_of(self.long, "trial"), int(self.older.name[5:])
        return judge(self.server, folder, self.reference, {step}, mutations=mutations, **LONG)


@pytest.fixture(scope="module")
def standing(server: Server, swift: Path) -> Standing:
    return Standing(server, swift)


NOTICED_BY = {
    "files_are_not_flushed": "sequence",
    "folders_are_not_flushed": "sequence",
    "nothing_is_read_back": "sequence",
    "renamed_before_the_manifest": "sequence",
    "old_ones_are_removed_first": "sequence",
    "old_ones_are_removed_before_the_new_one_is_durable": "sequence",
    "the_newest_one_is_removed": "keeping",
    "only_the_newest_one_is_kept": "keeping",
    "old_ones_are_never_removed": "keeping",
    "drafts_are_left": "keeping",
    "errors_of_a_save_are_swallowed": "errors",
    "the_optimizer_is_forgotten": "resuming",
    "random_numbers_are_forgotten": "resuming",
    "the_stopping_memory_is_forgotten": "resuming",
    "the_sum_of_losses_is_forgotten": "resuming",
    "the_step_is_off_by_one": "resuming",
    "running_statistics_are_forgotten": "resuming",
    "the_order_starts_anew": "resuming",
    "the_order_depends_on_the_process": "resuming",
    "points_after_the_checkpoint_are_kept": "resuming",
}


@pytest.mark.parametrize("check", ["sequence", "keeping", "errors", "resuming"])
def test_without_a_mutation_every_check_is_content(standing: Standing, check: str) -> None:
    assert getattr(standing, check)([]) == []


@pytest.mark.parametrize("mutation", NOTICED_BY)
def test_a_mutation_is_noticed(standing: Standing, mutation: str) -> None:
    problems = getattr(standing, NOTICED_BY[mutation])([mutation])
    assert problems != []
    assert not any("AttributeError" in p or "TypeError" in p for p in problems), problems


def test_every_mutation_is_tried() -> None:
    assert set(NOTICED_BY) == set(MUTATIONS)
