"""scikit-learn: `MLPClassifier`, one `partial_fit` per epoch so that each can be validated.

Its initial weights are its own (Glorot's); everything else is as for the others.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier

from bench.task import RATE, Task


def train(task: Task) -> np.ndarray:
    """Validation scores (logarithms of probabilities) after training."""
    work = task.workload
    hidden = {"mlp": (128,), "adult": (128, 64)}[work.net]
    x, xv = _flat(task.x), _flat(task.xv)
    classes = np.arange({"mlp": 10, "adult": 2}[work.net])
    model = MLPClassifier(
        hidden, alpha=0.0, batch_size=work.batch, learning_rate_init=RATE, random_state=task.seed
    )
    for _ in range(work.epochs):
        model.partial_fit(x, task.y, classes=classes)
        found = model.predict_proba(xv)
        log_loss(task.yv, found, labels=classes)
        accuracy_score(task.yv, found.argmax(1))
        task.clock.tick()
    return np.log(np.maximum(model.predict_proba(xv), 1e-12))


def _flat(x: np.ndarray) -> np.ndarray:
    rows = x.reshape(len(x), -1)
    return rows.astype(np.float32) / 255 if rows.dtype == np.uint8 else rows
