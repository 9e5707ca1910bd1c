"""How good outputs are, on a scale that means the same for every task: 0 is chance, 1 is right."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from chymist.doctor.reading_loss import Link, hard_labels

WORDS = 2000  # the most frequent ones, that reference learners count
MOST, LEAST = 1500, 400  # rows that reference learners see
BLINK, MORE = 400_000, 1_200_000  # values in these rows: a twentieth of a second, or a fifth
TREES = 12  # of the forest that tells rows apart: 0.45 to 0.55 on equal halves, 0.8 to 1 on others


def labels_of(outputs: Tensor, link: Link) -> Tensor:
    """Predicted class indices of (rows, classes), or of one column by its link."""
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return outputs.argmax(1)
    cut = 0.0 if link == "sigmoid" else 0.5
    return (outputs.flatten() > cut).long()


def is_classes(outputs: Tensor, targets: Tensor, link: Link) -> bool:
    """Whether targets are classes: indices, or 0 and 1 for probabilities or log-odds."""
    if link == "unknown":
        return False
    if not targets.is_floating_point():
        return True
    hard = bool(((targets == 0) | (targets == 1)).all())
    return hard and link in ("sigmoid", "probabilities") and outputs.numel() == targets.numel()


def recalls_of(outputs: Tensor, targets: Tensor, link: Link) -> dict[int, float]:
    """Share found of each class; empty for values."""
    targets = hard_labels(targets, link)
    if not is_classes(outputs, targets, link):
        return {}
    several = targets.is_floating_point()  # a label for each column, yes or no
    said = labels_of(outputs.flatten() if several else outputs, link)
    true = targets.flatten().long()
    if said.shape != true.shape:
        return {}
    return {int(c): float((said[true == c] == c).float().mean()) for c in true.unique()}


def score_of(outputs: Tensor, targets: Tensor, link: Link) -> float:
    """Balanced accuracy of classes, or explained variance of values, at least -1.

    Where nobody knows what the loss takes, nobody knows what outputs mean: nan.
    """
    if not bool(torch.isfinite(outputs).all()):
        return -1.0
    if link == "unknown":
        return math.nan
    recalls = recalls_of(outputs, targets, link)
    if recalls:
        return float(np.mean(list(recalls.values())))
    if outputs.numel() != targets.numel():
        return math.nan
    outputs = outputs.sigmoid() if link == "sigmoid" else outputs  # targets between 0 and 1
    goal = targets.flatten().double()
    around = float(((goal - goal.mean()) ** 2).mean())
    error = float(((outputs.flatten().double() - goal) ** 2).mean())
    return max(-1.0, 1 - error / around) if around > 0 else math.nan


class Reference(NamedTuple):
    """What cheap learners reach.

    Args:
        linear, neighbors: score of the validation rows by a linear model and by nearest neighbours.
        chance: score of a constant.
        noisy: share of training rows whose neighbours agree on another class, beyond what they
            would by chance.
        own: score of training rows by their nearest neighbours, themselves left out.
        within: score of one half of the validation rows by neighbours in the other half.
        weighted: as `linear`, of a model that weighs classes by their size; it finds rare ones.
        signal: whether predictions of values go with the targets: their correlation is above three
            standard errors.
        near: share of validation rows that have a training row closer than a twentieth of what
            training rows have among themselves.
    """

    linear: float
    neighbors: float
    chance: float
    noisy: float = 0.0
    own: float = math.nan
    within: float = math.nan
    near: float = 0.0
    weighted: float = math.nan
    signal: bool = False

    @property
    def best(self) -> float:
        """The better of the two."""
        return float(np.nanmax([self.linear, self.neighbors, self.chance]))


def reference(
    train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], values: int = MORE
) -> Reference | None:
    """Scores of a linear model and of nearest neighbours, fitted on the training rows.

    Args:
        train, valid: inputs and targets.
        values: of inputs that they may see; wide rows are fewer, but 400 at least.

    Returns:
        None where there is nothing to compare with: inputs that are no numbers or are the targets
        themselves, one class only, or validation rows of another form.

    Example:
        >>> x = torch.linspace(-1, 1, 80).unsqueeze(1)
        >>> reference((x, 2 * x), (x + 0.01, 2 * x + 0.02)) is None
        False
    """
    x, y, other, goal = (
        part.detach().cpu().reshape(len(part), -1).numpy() for part in (*train, *valid)
    )
    metric = train[0].is_floating_point()
    rows, more = (_some(len(part), values // max(1, x.shape[1])) for part in (x, other))
    x, y, other, goal = x[rows], y[rows], other[more], goal[more]
    if not metric and x.shape[1] == 1 and train[0].dtype != torch.bool:
        return None  # the number of a node is its name: what it says is in the model
    if not metric:
        x, other = _counted(x, other)
    if not all(np.isfinite(part).all() for part in (x, y, other, goal)) or len(x) < 6:
        return None
    if x.shape[1] != other.shape[1] or y.shape[1] != goal.shape[1]:
        return None
    if x.shape == y.shape and np.array_equal(x, y) and x.shape[1] > 1:
        return None
    spread = x.std(0)
    scale = np.where(spread > 1e-9, spread, 1)
    x, other = (x - x.mean(0)) / scale, (other - x.mean(0)) / scale
    binary = set(np.unique(y)) <= {0, 1}
    if not train[1].is_floating_point() and y.shape[1] > 1 and not binary:
        return None
    if not train[1].is_floating_point() or binary:
        return _of_classes(x, y.astype(int), other, goal.astype(int), metric)
    return _of_values(x, y, other, goal, metric)


def _counted(x: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often each word stands in a row: numbers of words themselves have no order."""
    words, found = np.unique(x, return_counts=True)
    if x.shape[1] < 2 or not np.issubdtype(x.dtype, np.integer):
        return x.astype(float), other.astype(float)
    words = words[np.argsort(-found, kind="stable")[:WORDS]]
    words.sort()
    sets = []
    for part in (x, other):
        at = np.searchsorted(words, part).clip(max=len(words) - 1)
        known = words[at] == part
        cells = np.arange(len(part))[:, None] * len(words) + at
        counts = np.bincount(cells[known], minlength=len(part) * len(words))
        sets.append(counts.reshape(len(part), len(words)).astype(float))
    return sets[0], sets[1]


def _some(count: int, most: int) -> np.ndarray:
    """Rows that reference learners see, from all over the set."""
    return np.random.default_rng(0).permutation(count)[: min(MOST, max(LEAST, most))]


def _of_classes(
    x: np.ndarray, y: np.ndarray, other: np.ndarray, goal: np.ndarray, metric: bool
) -> Reference | None:
    """References for one column of classes, or for several columns of 0 and 1.

    Between numbers of words there is no distance: then neighbours accuse nobody.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier

    classes = len(np.unique(y))
    if classes < 2:
        return None
    weighted = math.nan
    if y.shape[1] == 1:
        y, goal = y[:, 0], goal[:, 0]
        straight = LogisticRegression(max_iter=100, tol=1e-2).fit(x, y).predict(other)
        if np.unique(y, return_counts=True)[1].max() > len(y) * 0.8:
            even = LogisticRegression(max_iter=100, tol=1e-2, class_weight="balanced")
            weighted = _recall(goal, even.fit(x, y).predict(other))
    else:
        straight = (Ridge(1.0).fit(x, y).predict(other) > 0.5).astype(int)
    model = KNeighborsClassifier(min(5, len(x) - 1)).fit(x, y)
    noisy, own = 0.0, math.nan
    distances, ids = model.kneighbors(n_neighbors=min(10, len(x) - 1))
    far, around = model.kneighbors(other)
    voted = _voted(np.unique(y), y[around])[0] if y.ndim == 1 else y[around].mean(1) > 0.5
    if y.ndim == 1 and metric:
        mixed = np.random.default_rng(0).permutation(y)
        noisy = max(0.0, _contradicted(y, y[ids]) - _contradicted(mixed, mixed[ids]))
        own = _recall(y, _voted(np.unique(y), y[ids])[0])
    return Reference(
        _recall(goal, straight),
        _recall(goal, voted),
        1 / classes,
        noisy,
        own,
        _within(other, goal),
        _near(x, other, distances, far) if metric else 0.0,
        weighted,
    )


def _voted(classes: np.ndarray, around: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class of most neighbours, (rows,), and their share."""
    shares = (around[:, :, None] == classes).mean(1)
    return classes[shares.argmax(1)], shares.max(1)


def _contradicted(y: np.ndarray, around: np.ndarray) -> float:
    """Share of rows of which four neighbours in five agree on another class."""
    said, share = _voted(np.unique(y), around)
    return float(((share >= 0.8) & (said != y)).mean())


def _within(x: np.ndarray, y: np.ndarray) -> float:
    """Score of one half of rows by their neighbours in the other half."""
    from sklearn.neighbors import KNeighborsClassifier

    half = len(x) // 2
    if half <= 20:
        return math.nan
    return _recall(y[half:], KNeighborsClassifier(5).fit(x[:half], y[:half]).predict(x[half:]))


def _recall(goal: np.ndarray, said: np.ndarray) -> float:
    """Mean share found of the classes that there are."""
    return float(np.mean([(said[goal == c] == c).mean() for c in np.unique(goal)]))


def _of_values(
    x: np.ndarray, y: np.ndarray, other: np.ndarray, goal: np.ndarray, metric: bool
) -> Reference:
    """References for one or several values of a row."""
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    model = KNeighborsRegressor(min(5, len(x) - 1)).fit(x, y)
    distances, ids = model.kneighbors()
    half = len(other) // 2
    within = math.nan
    if half > 20:
        half_model = KNeighborsRegressor(5).fit(other[:half], goal[:half])
        within = _explained(goal[half:], half_model.predict(other[half:]))
    far, near = model.kneighbors(other)
    straight, around = Ridge(1.0).fit(x, y).predict(other), y[near].mean(1)
    return Reference(
        _explained(goal, straight),
        _explained(goal, around),
        0.0,
        0.0,
        _explained(y, y[ids].mean(1)),
        within,
        _near(x, other, distances, far) if metric else 0.0,
        signal=_goes_with(goal, straight) or _goes_with(goal, around),
    )


def _goes_with(goal: np.ndarray, said: np.ndarray) -> bool:
    """Whether predictions correlate with targets: three standard errors of a correlation of 0."""
    one, other = goal.ravel(), said.ravel()
    if min(one.std(), other.std()) < 1e-12:
        return False
    return bool(np.corrcoef(one, other)[0, 1] > 3 / math.sqrt(len(one)))


def _explained(goal: np.ndarray, said: np.ndarray) -> float:
    """Explained variance of all values together, at least -1."""
    around = float(((goal - goal.mean()) ** 2).mean())
    return (
        max(-1.0, 1 - float(((said.reshape(goal.shape) - goal) ** 2).mean()) / around)
        if around
        else math.nan
    )


def _near(x: np.ndarray, other: np.ndarray, distances: np.ndarray, far: np.ndarray) -> float:
    """Share of validation rows that all but stand among the training rows.

    The share is taken again with ranks in place of values, and the lower one counts: where tails
    are heavy, the many small values are near each other by their nature.
    """
    from sklearn.neighbors import NearestNeighbors

    # In a line or a plane the tenth is many times as far away as the first, whatever the rows are.
    place = -1 if x.shape[1] > 3 else 0
    share = _closer(distances[:, place], far)
    if not share:
        return 0.0
    order = np.sort(x, axis=0)
    ranks = [
        np.stack([np.searchsorted(order[:, n], part[:, n]) for n in range(x.shape[1])], 1)
        for part in (x, other)
    ]
    ranked = NearestNeighbors(n_neighbors=distances.shape[1]).fit(ranks[0])
    return min(share, _closer(ranked.kneighbors()[0][:, place], ranked.kneighbors(ranks[1])[0]))


def _closer(distances: np.ndarray, others: np.ndarray) -> float:
    """Share of rows closer than a twentieth of what training rows have among themselves.

    That is what they have to one of their nearest neighbours: to the tenth, for the first ones may
    be copies too.
    """
    usual = float(np.median(distances))
    return float((others[:, 0] < usual / 20).mean()) if usual > 0 else 0.0


def told_apart(train: Tensor, valid: Tensor) -> float:
    """Balanced accuracy, on rows held out, of a forest that tells training from validation rows.

    Args:
        train, valid: inputs.

    Example:
        >>> told_apart(torch.zeros(40, 2), torch.ones(40, 2))
        1.0
    """
    from sklearn.ensemble import ExtraTreesClassifier

    parts = [p.detach().cpu().reshape(len(p), -1).numpy() for p in (train, valid)]
    parts = [p[_some(len(p), LEAST)] for p in parts]
    same = parts[0].shape[1] == parts[1].shape[1]
    if not same or min(map(len, parts)) < 20 or not all(np.isfinite(p).all() for p in parts):
        return 0.5
    x, y = np.concatenate(parts), np.repeat([0, 1], [len(p) for p in parts])
    rows = np.random.default_rng(0).permutation(len(x))
    fit, held = rows[len(x) // 3 :], rows[: len(x) // 3]
    forest = ExtraTreesClassifier(
        TREES, min_samples_leaf=3, class_weight="balanced", random_state=0
    )
    return _recall(y[held], forest.fit(x[fit], y[fit]).predict(x[held]))
