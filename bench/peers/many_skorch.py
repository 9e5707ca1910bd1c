"""skorch: `NeuralNetClassifier` behind a `StandardScaler`, scored by `cross_val_score`."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

from bench.nets import build
from bench.populations import Many, ready

ready()


def train(task: Many) -> np.ndarray:
    """Scores of the held-out rows of all members, kept while they are scored."""
    work, first = task.workload, task.members[0]
    torch.manual_seed(first.seed)
    net = NeuralNetClassifier(
        build, module__net=work.net, criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam, lr=first.rate, max_epochs=work.epochs, batch_size=work.batch,
        iterator_train__shuffle=True, train_split=None, verbose=0,
    )  # fmt: skip
    found = []

    def accuracy(fitted, x: np.ndarray, y: np.ndarray) -> float:
        found.append(fitted.predict_proba(x))
        return float((found[-1].argmax(1) == y).mean())

    folds = [(member.train, member.held) for member in task.members]
    cross_val_score(
        make_pipeline(StandardScaler(), net), task.x, task.y, cv=folds, scoring=accuracy
    )
    return np.log(np.maximum(np.concatenate(found), 1e-30))
