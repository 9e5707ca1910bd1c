"""What series are called in logs of other programs, and what they are called here.

A tag is cut into words. Words for a part of the rows, for what a point stands for, and for a metric
are in the tables below; a tag of other words keeps its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, count

# Which rows: the first words of our names.
PARTS = {
    "train": "train", "training": "train", "tr": "train",
    "val": "val", "valid": "val", "validation": "val", "eval": "val", "evaluation": "val",
    "dev": "val", "heldout": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

# What a point stands for. A training loss of a step or batch is "loss", of an epoch "train_loss".
POINTS = {
    "step": "step", "steps": "step", "batch": "step", "iter": "step", "iteration": "step",
    "iterations": "step", "vs": "step", "epoch": "epoch", "avg": "epoch", "mean": "epoch",
}  # fmt: skip

METRICS = {
    "loss": "loss", "cost": "loss",
    "accuracy": "accuracy", "acc": "accuracy", "top1": "accuracy",
    "error": "error", "err": "error",
    "lr": "rate", "learning rate": "rate", "learningrate": "rate",
    "mse": "mse", "mae": "mae", "rmse": "rmse", "r2": "r2",
    "auc": "auc", "auroc": "auc", "f1": "f1", "precision": "precision", "recall": "recall",
    "perplexity": "perplexity", "ppl": "perplexity",
}  # fmt: skip

# Names under which our own series are written to event files.
TAGS = {
    "loss": "loss/step", "train_loss": "loss/train", "val_loss": "loss/valid",
    "rate": "learning_rate", "rows_per_second": "throughput/rows_per_second",
    "gradient_norm": "doctor/gradient_norm", "update_ratio": "doctor/update_ratio",
}  # fmt: skip
OURS = {tag: name for name, tag in TAGS.items()}

STEPS = ("step", "global_step", "trainer/global_step", "iteration", "iter", "_step")
EPOCHS = ("epoch", "epochs")
CLOCKS = ("_timestamp", "wall time", "wall_time", "timestamp")


def tag_of(series: str) -> str:
    """The tag under which one of our series is written.

    Example:
        >>> tag_of("val_loss"), tag_of("val_accuracy"), tag_of("odd")
        ('loss/valid', 'accuracy/valid', 'odd')
    """
    if series in TAGS:
        return TAGS[series]
    metric = series.removeprefix("val_")
    return series if metric == series else f"{metric}/valid"


def series_of(tag: str, part: str = "", by_epoch: bool = False) -> str:
    """Our name of a tag or column; its own name where the tables do not know its words.

    Args:
        tag: as it stands in the log.
        part: of the rows, where the name of a folder says it ("validation").
        by_epoch: whether a point is an epoch where the tag says nothing of it.

    Example:
        >>> [series_of(tag) for tag in ("Loss/train", "epoch_loss", "train_loss_step", "lr-Adam")]
        ['train_loss', 'train_loss', 'loss', 'rate']
        >>> series_of("epoch_accuracy", part="validation"), series_of("weights/body.0")
        ('val_accuracy', 'weights/body.0')
        >>> series_of("loss"), series_of("loss", by_epoch=True)
        ('loss', 'train_loss')
    """
    if tag in OURS:
        return OURS[tag]
    words = [word.lower() for word in re.split(r"[^0-9A-Za-z]+", tag) if word]
    text = " ".join(words).replace("learning rate", "lr")
    words = text.split()
    if words[:1] == ["lr"]:  # lr-Adam, lr/group_0
        return "rate" if len(words) < 3 else tag
    parts = [PARTS[word] for word in words if word in PARTS] or [PARTS.get(part, "")]
    points = [POINTS[word] for word in words if word in POINTS]
    rest = [word for word in words if word not in PARTS and word not in POINTS]
    if len(rest) != 1 or rest[0] not in METRICS or len(set(parts)) != 1:
        return tag
    metric, which = METRICS[rest[0]], parts[0]
    if metric == "rate":
        return "rate"
    if which in ("val", "test"):
        return f"{which}_{metric}"
    if metric != "loss":
        return f"train_{metric}"
    if "step" in points:
        return "loss"
    return "train_loss" if which or points or by_epoch else "loss"


def named(tags: Iterable[tuple[str, str]], by_epoch: bool = False) -> dict[tuple[str, str], str]:
    """Our name of each tag, each name once: of tags with the same one the first has it.

    Args:
        tags: part of the rows ("" where only the tag may say it) and tag.
        by_epoch: whether a point is an epoch where the tag says nothing of it.

    Example:
        >>> list(named([("", "epoch_loss"), ("", "train/loss"), ("val", "loss")]).values())
        ['train_loss', 'train/loss', 'val_loss']
    """
    found, taken = dict[tuple[str, str], str](), set[str]()
    for part, tag in tags:
        name = series_of(tag, part, by_epoch)
        whole = f"{part}/{tag}" if part else tag
        free = chain((name, whole), (f"{whole} ({n})" for n in count(2)))
        found[part, tag] = next(other for other in free if other not in taken)
        taken.add(found[part, tag])
    return found
