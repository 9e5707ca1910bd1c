"""Cora's two-layer GCN beside PyTorch Geometric: one training, and 20 seeds as one population.

    PYTHONPATH=src python -m bench.graphs [--threads 1] [--rounds 3] [--seeds 20]

Everybody trains 200 epochs with the same network, dropout, decay of the first layer, rate and
split, and validates after every epoch; each measurement is a process of its own, and they take
turns. Geometric is as its example has it: `GCNConv(cached=True)` on dense features. Its population
is its loop over some of the seeds, counted up to all. Seconds are of processor: what others do on
the machine is not in them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

EPOCHS, FEW = 200, 2  # FEW: seeds of the peer's population that are measured
PEERS = ("geometric", "chymist", "geometric x seeds", "chymist loop", "chymist population")


def geometric(seeds: list[int]) -> list[float]:
    """Test accuracies of PyTorch Geometric's GCN, one seed after the other."""
    import torch
    from torch.nn import functional
    from torch_geometric.nn import GCNConv

    import chymist as cy

    data = cy.load("cora")
    split = cy.split(data)
    features = torch.from_numpy(data.graph.features)
    x = features / features.sum(1, keepdim=True).clamp(min=1)
    edges, y = torch.from_numpy(data.graph.edges), torch.from_numpy(data.targets)
    train, valid, test = (torch.from_numpy(split.rows(n)) for n in ("train", "valid", "test"))
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        first, second = GCNConv(x.shape[1], 16, cached=True), GCNConv(16, 7, cached=True)
        optimizer = torch.optim.Adam(
            [{"params": first.parameters(), "weight_decay": 5e-4},
             {"params": second.parameters(), "weight_decay": 0}], lr=0.01,
        )  # fmt: skip

        def forward(training: bool, one: GCNConv = first, two: GCNConv = second) -> torch.Tensor:
            hidden = one(functional.dropout(x, 0.5, training), edges).relu()
            return two(functional.dropout(hidden, 0.5, training), edges)

        for _ in range(EPOCHS):
            optimizer.zero_grad()
            functional.cross_entropy(forward(True)[train], y[train]).backward()
            optimizer.step()
            with torch.no_grad():
                outputs = forward(False)
                functional.cross_entropy(outputs[valid], y[valid]).item()
        found.append(float((outputs[test].argmax(1) == y[test]).float().mean()))
    return found


def chymist_loop(seeds: list[int]) -> list[float]:
    """Test accuracies of `cy.fit`, one seed after the other; all that `fit` does counts."""
    import chymist as cy

    split = cy.split(cy.load("cora"))
    runs = [cy.fit(cy.Recipe(), split, seed=seed, doctor=False) for seed in seeds]
    return [cy.evaluate(run).score.value for run in runs]


def chymist_population(seeds: list[int]) -> list[float]:
    """Test accuracies of `cy.fit_population`."""
    import torch

    import chymist as cy

    split = cy.split(cy.load("cora"))
    made = cy.fit_population(cy.Recipe(), split, seeds=seeds)
    truth, rows = (torch.from_numpy(part[split.test])
                   for part in (split.data.targets, split.data.inputs))  # fmt: skip
    with torch.no_grad():
        found = [job.run.state.model.eval()(rows).argmax(1) == truth for job in made.jobs]
    return [float(right.float().mean()) for right in found]


def measure(peer: str, seeds: int, threads: int) -> dict[str, object]:
    """Train once to warm up, then once more by the clock."""
    import torch

    torch.set_num_threads(threads)
    many = list(range(seeds))
    work: Callable[[list[int]], list[float]] = (
        geometric if peer.startswith("geometric")
        else chymist_population if "population" in peer else chymist_loop
    )  # fmt: skip
    asked = [0] if peer in PEERS[:2] else many[:FEW] if peer == PEERS[2] else many
    work([99, 98] if work is chymist_population else [99])
    began = time.process_time()
    found = work(asked)
    seconds = time.process_time() - began
    factor = seeds / FEW if peer == PEERS[2] else 1
    return {"seconds": seconds * factor, "accuracies": found}


def main() -> None:
    """Measure all peers in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--peer", choices=PEERS)
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(measure(options.peer, options.seeds, options.threads)))
        return
    found: dict[str, list[dict]] = {peer: [] for peer in PEERS}
    count = str(options.threads)
    around = {**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    for _ in range(options.rounds):
        for peer in PEERS:
            words = [sys.executable, "-m", "bench.graphs", "--peer", peer, "--threads", count,
                     "--seeds", str(options.seeds)]  # fmt: skip
            made = subprocess.run(words, env=around, capture_output=True, text=True, check=True)
            found[peer].append(json.loads(made.stdout.splitlines()[-1]))
    for peer, made in found.items():
        seconds = statistics.median(one["seconds"] for one in made)
        accuracy = statistics.mean(a for one in made for a in one["accuracies"])
        print(f"{peer:20} {seconds:8.2f} s   test accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
