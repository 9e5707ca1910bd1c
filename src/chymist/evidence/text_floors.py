"""Floors for texts: words that are counted and weighted, and a linear model of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
WORDS = "TF-IDF of words and pairs"


def text_floors(
    texts: Sequence[str], targets: Array, new_texts: Sequence[str],
    tokenize: Callable[[str], list[str]], classes: int, seed: int,
) -> dict[str, Array]:  # fmt: skip
    """What linear models of counted words say of new texts.

    Each text is its words and pairs of words, (1 + log count) log((1 + n) / (1 + n_w)) + 1, of
    length 1.

    Args:
        texts: of the training rows.
        targets: class numbers (n,), or values (n,) or (n, outputs).
        new_texts: of the scored rows.
        tokenize: text -> tokens.
        classes: number of classes; 0 for values.
        seed: of the solver.

    Returns:
        Probabilities (m, classes), or values, by name.

    Example:
        >>> texts, classes = ["a good film", "a bad film"] * 5, np.array([0, 1] * 5)
        >>> made = text_floors(texts, classes, ["good"], str.split, 2, seed=0)
        >>> [int(chances.argmax(1)[0]) for chances in made.values()]
        [0, 0, 0]

    Source: Joachims 1998, Text categorization with support vector machines.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import LinearSVC

    if not classes:
        mean = np.broadcast_to(targets.mean(0), (len(new_texts), *targets.shape[1:]))
        outputs: dict[str, Array] = {"mean of the training rows": mean.astype(np.float64)}
    else:
        shares = np.bincount(targets, minlength=classes) / len(targets)
        outputs = {"majority class": np.tile(shares, (len(new_texts), 1))}
    counting = TfidfVectorizer(tokenizer=tokenize, token_pattern=None, lowercase=False,
                               ngram_range=(1, 2), sublinear_tf=True)  # fmt: skip
    try:
        known = counting.fit_transform(texts)
    except ValueError:  # no word in any text
        return outputs
    new = counting.transform(new_texts)
    if not classes:
        return outputs | {f"ridge regression, {WORDS}": Ridge().fit(known, targets).predict(new)}
    if len(np.unique(targets)) < 2:
        return outputs
    machine = LinearSVC(random_state=seed).fit(known, targets)
    outputs[f"linear SVM, {WORDS}"] = np.eye(classes)[machine.predict(new)]
    likely = LogisticRegression(C=10.0, max_iter=300).fit(known, targets)
    made = np.zeros((len(new_texts), classes))
    made[:, likely.classes_] = likely.predict_proba(new)
    outputs[f"logistic regression, {WORDS}"] = made
    return outputs
