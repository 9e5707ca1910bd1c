"""Many trainings as one task: the members, what the peers share, and the measurement."""

from __future__ import annotations

import importlib
import math
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.task import RATE, moment
from bench.workloads import Workload

MODULES = {
    "chymist": "many_chymist", "chymist-loop": "many_chymist", "expert": "many_expert",
    "tutorial": "many_tutorial", "skorch": "many_skorch", "jax": "many_jax",
}  # fmt: skip
TWICE = ("chymist", "jax")  # peers that are called again beside JAX, which compiles but once
EVERY = 10  # a peer that is too slow trains each tenth member


@dataclass(frozen=True)
class Member:
    """One training.

    Args:
        train, held: numbers of the rows to train on, and to be scored on.
        seed: of initial weights and order.
        rate: of Adam.
    """

    train: np.ndarray
    held: np.ndarray
    seed: int
    rate: float


@dataclass(frozen=True)
class Many:
    """A population: all its rows, float32 and class indices, its members, a seed, who trains it."""

    workload: Workload
    x: np.ndarray
    y: np.ndarray
    members: tuple[Member, ...]
    seed: int
    peer: str


def members_of(workload: Workload, x: np.ndarray, y: np.ndarray, seed: int) -> tuple[Member, ...]:
    """The trainings of a workload; the folds are those that `cy.cross_validate` cuts.

    Args:
        workload: what is measured.
        x, y: all rows; without folds, first those to train on.
        seed: of the folds, or of the first member.
    """
    if workload.folds:
        import chymist as cy
        from chymist.data import folds

        parts = folds(cy.load((x, y), task="classification"), workload.folds, seed=seed)
        return tuple(Member(np.setdiff1d(np.arange(len(y)), p), p, seed, RATE) for p in parts)
    train, held = np.split(np.arange(len(y)), [workload.rows])
    seeds = range(seed * workload.seeds, (seed + 1) * workload.seeds)
    return tuple(Member(train, held, s, rate) for rate in workload.rates for s in seeds)


def inputs_of(task: Many, member: Member) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and held-out rows; (x - mean) / deviation where that is asked for.

    A column that is constant on the rows trained on has deviation 1.
    """
    x, held = task.x[member.train], task.x[member.held]
    if not task.workload.standard:
        return x, held
    mean, deviation = x.mean(0), x.std(0)
    deviation[deviation == 0] = 1
    return (x - mean) / deviation, (held - mean) / deviation


def ready() -> None:
    """Have torch import what it imports when the first optimiser is made."""
    import torch
    import torch.profiler

    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def measure(peer: str, workload: Workload, path: Path, seed: int, spawned: float) -> dict[str, Any]:
    """Train all members and say how it went; seconds are told from some if the peer is slow."""
    from bench.peer import quality

    with np.load(path) as rows:
        x, y = (np.concatenate([rows[n], rows[f"{n}v"]]) for n in ("x", "y"))
    everybody = members_of(workload, x, y, seed)
    members = everybody[::EVERY] if peer in workload.partly else everybody
    train = importlib.import_module(f"bench.peers.{MODULES[peer]}").train
    task = Many(workload, x, y, members, seed, peer)
    began = moment()
    scores = train(task)
    ended, now = moment(), time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = len(everybody) / len(members)
    seconds = times * (ended.wall - began.wall)
    accuracy, loss = quality(scores, y[np.concatenate([m.held for m in members])])
    found = {
        "seconds": seconds, "cpu": times * (ended.cpu - began.cpu), "later": 0.0, "whole": seconds,
        "since_start": now - spawned, "accuracy": accuracy, "loss": loss, "peak_mb": peak,
        "trained": len(members),
    }  # fmt: skip
    if peer in TWICE and "jax" in workload.peers:
        train(task)
        found["again"] = time.perf_counter() - ended.wall
    return found


def steps_per_epoch(rows: int, batch: int) -> int:
    """Steps of an epoch; the last batch may be short."""
    return math.ceil(rows / batch)


def drawn(fan_in: int, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """torch's initial weights of an affine layer: U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    bound = 1 / math.sqrt(fan_in)
    return generator.uniform(-bound, bound, shape).astype(np.float32)


def stacked(task: Many) -> Mapping[str, np.ndarray]:
    """What a program over all members at once takes; the member is the first axis.

    Returns:
        x (members, rows, ...), held (members, rows held, ...), y (members, rows), filled up with
        zeros to the longest; order (members, steps, batch) and weights, 0 where a batch is filled
        up: numbers of rows in an order drawn anew for every epoch.
    """
    batch, epochs = task.workload.batch, task.workload.epochs
    inputs = [inputs_of(task, member) for member in task.members]
    steps = steps_per_epoch(max(len(x) for x, _ in inputs), batch)
    order = np.zeros((len(inputs), epochs, steps * batch), np.int32)
    weights = np.zeros(order.shape, np.float32)
    for number, member in enumerate(task.members):
        rows = len(member.train)
        if steps_per_epoch(rows, batch) != steps:
            raise ValueError("members differ in steps per epoch")
        generator = np.random.default_rng([member.seed, number])
        for epoch in range(epochs):
            order[number, epoch, :rows] = generator.permutation(rows)
        weights[number, :, :rows] = 1
    shape = (len(inputs), epochs * steps, batch)
    return {
        "x": filled([x for x, _ in inputs]), "held": filled([held for _, held in inputs]),
        "y": filled([task.y[member.train] for member in task.members]),
        "order": order.reshape(shape), "weights": weights.reshape(shape),
    }  # fmt: skip


def filled(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays stacked, (parts, longest, ...), the shorter filled up with zeros."""
    longest = max(map(len, parts))
    made = np.zeros((len(parts), longest, *parts[0].shape[1:]), parts[0].dtype)
    for number, part in enumerate(parts):
        made[number, : len(part)] = part
    return made
