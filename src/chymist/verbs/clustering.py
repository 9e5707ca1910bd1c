"""`kmeans`: groups of rows around centres, and whether another start finds the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.errors import UsageError
from chymist.keys import generator, key
from chymist.parts import Part
from chymist.values import Data, Split, whole_number
from chymist.verbs.projecting import prepared_matrix

SILHOUETTE_ROWS = 5000  # distances between all pairs of more rows take too much memory


@dataclass(frozen=True, eq=False)
class Clusters:
    """What k-means found, the best of several starts.

    Args:
        centers: in prepared units, (clusters, features).
        labels: cluster of each row, (n,).
        inertia: sum of the squared distances of rows to their centres.
        inertias: of every start, ascending.
        silhouette: mean of (b - a) / max(a, b) over rows (of many, some), in [-1, 1]: a is the mean
            distance to the own cluster, b to the next one.
        stability: mean adjusted Rand index of every two starts: 1 where all find the same
            clusters, about 0 where they agree by chance.
        names: of the features, where they are known, (features,).
    """

    centers: np.ndarray
    labels: np.ndarray
    inertia: float
    inertias: np.ndarray
    silhouette: float
    stability: float
    names: tuple[str, ...] = ()

    @property
    def sizes(self) -> np.ndarray:
        """Rows of each cluster, (clusters,)."""
        return np.bincount(self.labels, minlength=len(self.centers))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values (the JSON contract); labels count from 0."""
        arrays = ("centers", "sizes", "labels", "inertias")
        numbers = ("inertia", "silhouette", "stability")
        return {
            "names": list(self.names),
            **{name: getattr(self, name) for name in numbers},
            **{name: getattr(self, name).tolist() for name in arrays},
        }

    def __repr__(self) -> str:
        return (
            f"Clusters({len(self.centers)}: silhouette {self.silhouette:.3f}, "
            f"stability {self.stability:.3f} over {len(self.inertias)} starts)"
        )


def kmeans(
    data: Data | Split | np.ndarray,
    clusters: int,
    *,
    seeds: int = 10,
    seed: int = 0,
    prepare: Part | None = None,
) -> Clusters:
    """k-means: centres that make the sum of squared distances of rows to the nearest one small.

    Lloyd's iteration from k-means++ starts; each start ends in a local optimum, and the best of
    them is given. How far the starts agree says whether the clusters are in the data.

    Args:
        data: rows, as in `pca`.
        clusters: number of centres.
        seeds: number of starts.
        seed: the first seed.
        prepare: preparation of data, `cy.prepare(...)`.

    Returns:
        `Clusters`.

    Raises:
        InputError: not rows of numbers.
        UsageError: not 2 to n - 1 clusters.

    Example:
        >>> import chymist as cy
        >>> kmeans(cy.load("iris"), 2)
        Clusters(2: silhouette 0.582, stability 1.000 over 10 starts)

    Source: Lloyd 1982; Arthur, Vassilvitskii 2007; Rousseeuw 1987; Hubert, Arabie 1985.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    x, names = prepared_matrix(data, prepare)
    clusters = whole_number(clusters, "clusters", 2, len(x) - 1)
    distinct = len(np.unique(x, axis=0))
    if distinct < clusters:
        raise UsageError("more clusters than different rows", where="clusters",
                         received=f"{clusters} of {distinct}", do="ask for fewer")  # fmt: skip
    seed = whole_number(seed, "seed", 0)
    numbers = range(seed, seed + whole_number(seeds, "seeds", 1, 1000))
    starts = [
        KMeans(clusters, n_init=1, random_state=key(n, "kmeans") % 2**32).fit(x) for n in numbers
    ]
    best = min(starts, key=lambda start: float(start.inertia_))
    pairs = [
        adjusted_rand_score(a.labels_, b.labels_)
        for place, a in enumerate(starts)
        for b in starts[place + 1 :]
    ]
    some = generator(seed, "silhouette").permutation(len(x))[:SILHOUETTE_ROWS]
    several = len(np.unique(best.labels_[some])) > 1
    return Clusters(
        best.cluster_centers_, best.labels_.astype(np.int64), float(best.inertia_),
        np.sort([float(start.inertia_) for start in starts]),
        float(silhouette_score(x[some], best.labels_[some])) if several else float("nan"),
        float(np.mean(pairs)) if pairs else float("nan"), names,
    )  # fmt: skip
