"""A class with few rows, learned directly or from attributes that other classes share.

Run `python -m bench.attributes`: it prints the table of `docs/neurons.md`.
"""

from __future__ import annotations

from itertools import product

import numpy as np

import chymist as cy
from chymist.evidence.intervals import mean_t
from chymist.keys import generator
from chymist.values import Split

COMMON, TESTS, DRAWS = 100, 250, 10
SIZES = [1, 4, 16]


def recalls(draw: int, few: int) -> dict[str, float]:
    """Recall of a pair of digits with few training rows, by how it is learned.

    The classes are pairs: 3 or 5, beside it 4 or 9. Three of them have 100 rows each; 5 9 has few.

    Args:
        draw: seed of rows and runs.
        few: training rows of 5 9.

    Returns:
        "direct": one network for the four classes; "direct, balanced": rows weighted so that
        classes count alike; "attributes": one network says 3 or 5, one 4 or 9, of all rows;
        "odd attributes": the same with 3 or 5, and whether both are first or both second, which
        describe the classes as well and are no property of a digit.
    """
    images, pairs, training = pairs_of_digits(draw, (COMMON, COMMON, COMMON, few))
    classes, last = pairs @ [2, 1], slice(len(images) - TESTS, None)

    def told(targets: np.ndarray, weights: str = "none") -> np.ndarray:
        data = cy.load((images, targets), task="classification")
        none = np.array([], np.int64)
        rows = Split(data, np.arange(training), np.arange(training, len(data)), none)
        recipe = cy.Recipe(model=cy.models.mlp(hidden=(32,)), length="300 steps", stop="none",
                           data=cy.prepare(weights=weights))  # fmt: skip
        run = cy.fit(recipe, rows, seed=draw, doctor=False)
        return cy.predict(run, images[last]).astype(int)

    left, right, differ = (told(t) for t in (pairs[:, 0], pairs[:, 1], pairs[:, 0] ^ pairs[:, 1]))
    labels = {
        "direct": told(classes), "direct, balanced": told(classes, "balanced"),
        "attributes": 2 * left + right, "odd attributes": 2 * left + (left ^ differ),
    }  # fmt: skip
    return {name: float((made == 3).mean()) for name, made in labels.items()}


def pairs_of_digits(draw: int, counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """Two digits side by side; no writing of a digit is in training and test rows.

    Args:
        draw: seed.
        counts: training rows of 3 4, 3 9, 5 4, 5 9; of each there are 250 test rows after them.

    Returns:
        Rows (n, 128), which digits they are (n, 2) as 0 or 1, and the number of training rows.
    """
    digits, random = cy.load("digits"), generator(draw, "pairs")
    halves = {}
    for digit in (3, 5, 4, 9):
        written = random.permutation(np.flatnonzero(digits.targets == digit))
        halves[digit] = np.array_split(written, 2)
    images, pairs = [], []
    for part, sizes in ((0, counts), (1, (TESTS,) * 4)):
        for (i, j), size in zip(product((0, 1), repeat=2), sizes, strict=True):
            picked = [random.choice(halves[d][part], size) for d in ((3, 5)[i], (4, 9)[j])]
            images.append(np.concatenate([digits.take(rows)[..., 0] for rows in picked], 2))
            pairs.append(np.tile([i, j], (size, 1)))
    rows = np.concatenate(images).reshape(-1, 128).astype(float)
    return rows, np.concatenate(pairs), sum(counts)


def main() -> None:
    """Measure, and print."""
    for size in SIZES:
        found = [recalls(draw, size) for draw in range(DRAWS)]
        balanced = np.array([row["direct, balanced"] for row in found])
        for name in found[0]:
            values = np.array([row[name] for row in found])
            gain = mean_t(values - balanced) if name != "direct, balanced" else None
            more = f"{gain.value:.3f} [{gain.low:.3f}, {gain.high:.3f}]" if gain else "0"
            print(f"{size} rows, {name}: {values.mean():.3f}, above balanced {more}", flush=True)


if __name__ == "__main__":
    main()
