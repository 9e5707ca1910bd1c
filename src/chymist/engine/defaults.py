"""What a recipe means where it says nothing: one table per kind of data and task.

The same table stands in `docs/defaults.md`.
"""

from __future__ import annotations

import math
from typing import Any

from chymist.engine.ignored import as_read, refuse_unread, unread
from chymist.engine.start import pinned
from chymist.errors import InputError, UsageError
from chymist.losses import FORMS
from chymist.optim import WHOLE
from chymist.parts import Part, part
from chymist.values import Data, Length, Recipe, Split

MODELS = {
    "image": "cnn", "table": "mlp", "array": "mlp", "sequence": "gru", "text": "lstm",
    "tokens": "lstm", "graph": "gcn",
}  # fmt: skip

TEXT_MODEL: dict[str, Any] = {"bidirectional": True, "pool": "max", "dropout": 0.5}
# Where every step of a text has a target.
STEP_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "language": ("lstm", {"hidden": (256,), "carry": True}),
    "tagging": ("lstm", {"bidirectional": True, "dropout": 0.3}),
}

LOSSES = {
    "classification": "cross_entropy", "regression": "mse", "tagging": "cross_entropy",
    "language": "cross_entropy",
}  # fmt: skip
# Models that are one affine map of their inputs.
MODEL_LOSSES = {
    "linear": "mse", "logistic": "binary_cross_entropy", "softmax": "cross_entropy",
    "perceptron": "perceptron", "linear_svm": "hinge",
}  # fmt: skip
# Models that are solved in a way of their own.
SOLVED_LOSSES = {
    "gaussian": "cross_entropy", "naive_bayes": "cross_entropy", "svm": "hinge", "svr": "mse",
}  # fmt: skip
# Models for one task only, and which is for the other.
OTHER_TASK = {
    **dict.fromkeys(("logistic", "softmax", "perceptron", "linear_svm"),
                    ("classification", "linear")),
    "id3": ("classification", "cart"), "c45": ("classification", "cart"),
    "gaussian": ("classification", "linear"), "naive_bayes": ("classification", "linear"),
    "svm": ("classification", "svr"), "svr": ("regression", "svm"),
}  # fmt: skip
LINK_LOSSES = {"identity": "mse", "logit": "binary_cross_entropy", "log": "poisson"}
# How those are trained whose step or penalty belongs to what they are.
MODEL_OPTIMIZERS = {
    "perceptron": part("optimizer", "sgd", lr=1.0),
    "linear_svm": part("optimizer", "sgd", lr=0.1, momentum=0.9, weight_decay=1e-3),
    "generalized_linear": part("optimizer", "irls"),
    **dict.fromkeys(SOLVED_LOSSES, part("optimizer", "direct")),
}

# Fixed features, then one affine map: for mse they are solved in closed form.
EXPANSIONS = ("polynomial", "random_features")

# Networks on graphs: (rate, strength of l2, what it is on); weights start as Glorot and Bengio say.
GRAPH_OPTIMIZERS = {
    "gcn": (0.01, 2.5e-4, "first"), "gat": (0.005, 2.5e-4, "all"), "sage": (0.01, 2.5e-4, "all"),
    "gin": (0.01, 0.0, "all"),
}  # fmt: skip
NODE_LENGTH, GRAPH_LENGTH = Length(200, "epochs"), Length(100, "epochs")

# Trees are grown at once, and read columns as they are: no scale, missing cells, categories.
TREES = ("id3", "c45", "cart", "random_forest", "boosting")
RAW_PIXELS = ("efficientnet_lite0",)
RAW_COLUMNS = {"missing": "keep", "encode": "integer", "scale": "none"}

# Images: batches of 64, of 128 from so many rows on; few passes, at least so many steps.
LARGE_IMAGE_SET, IMAGE_EPOCHS, IMAGE_STEPS = 10_000, 4, 340
# Tables: batches of about a 16th of the rows between two bounds, passes, at least so many steps.
TABLE_BATCHES, TABLE_EPOCHS, TABLE_STEPS = (16, 256), 15, 1000
# Texts and tokens: rows of a batch, passes, at least so many steps.
STEP_BATCHES = {"text": 32, "tokens": 32}
STEP_LENGTHS = {"text": (8, 500), "tokens": (6, 500)}


def complete(recipe: Recipe, split: Split) -> Recipe:
    """A recipe with every field set.

    Args:
        recipe: what the user gave.
        split: the rows; defaults depend on the kind of data, the task and the number of rows.

    Returns:
        A recipe without None, but for the schedule of a solver, which has none.

    Raises:
        UsageError: something is given that the optimiser would not read, or the model is for
            another task or number of classes.

    Example:
        >>> import chymist as cy
        >>> full = complete(Recipe(), cy.split(cy.load("iris")))
        >>> full.model, full.batch_size, str(full.length)
        (mlp(), 16, '200 epochs')
    """
    chosen = _chosen(recipe, split)
    if chosen.model.factory is None:
        _check_task(chosen.model, chosen.loss, split.data)
    _check_link(chosen.model, chosen.loss)
    refuse_unread(chosen)
    single = chosen.model.name == "perceptron" and recipe.optimizer is None  # Rosenblatt's rule
    recipe, model, optimizer = chosen, chosen.model, chosen.optimizer
    rows, image = len(split.train), split.data.kind == "image"
    usual = 1 if single else _image_batch(rows) if image else _table_batch(rows)
    if split.data.kind in STEP_BATCHES and not single:
        usual = STEP_BATCHES[split.data.kind]
    batch_size = recipe.batch_size or usual
    nodes = split.data.kind == "graph" and not _of_graphs(split.data)
    if optimizer.name in WHOLE or (nodes and recipe.batch_size is None):
        batch_size = "all"  # every step passes over all nodes of a graph
    length = recipe.length or _length(_usual_length(split.data), rows, batch_size)
    schedule = recipe.schedule or part("schedule", "constant" if single else "one_cycle")
    full = recipe.replace(
        batch_size=batch_size,
        length=length,
        schedule=schedule,
        stop=recipe.stop or _stop(model, length, image, len(split.valid)),
        clip=recipe.clip or part("clip", "none"),
        init=pinned(recipe.init) if recipe.init else part("init", "default"),
        penalty=recipe.penalty or part("penalty", "none"),
        gradient_noise=recipe.gradient_noise or part("gradient_noise", "none"),
        augment=recipe.augment or part("augment", "none"),
        data=_preparation(recipe, model),
        precision=recipe.precision or ("float64" if model.name in TREES else "float32"),
        accumulate=recipe.accumulate or 1,
    )
    return as_read(full)


def one_of_several(recipe: Recipe, split: Split) -> Recipe:
    """A recipe whose options were given for several models, without those that its own ignores.

    Args:
        recipe: what the user gave.
        split: the rows, which say what optimiser it will have.
    """
    return recipe.replace(**dict.fromkeys(unread(_chosen(recipe, split))))


def _of_graphs(data: Data) -> bool:
    """Whether the rows are graphs, not nodes of one."""
    return data.graph is not None and data.graph.owners is not None


def _chosen(recipe: Recipe, split: Split) -> Recipe:
    """A recipe with model, loss and optimiser."""
    data = split.data
    whole = _of_graphs(data)
    model = recipe.model or (part("model", "gin") if whole else _model(data))
    _check_ahead(model, data)
    recipe = _on_graph(recipe, model, whole)
    loss = recipe.loss or part("loss", loss_of(model) or LOSSES[data.task])
    solvable = loss.name == "mse" and model.name in ("linear", *EXPANSIONS)
    free = recipe.penalty is None or recipe.penalty.name == "none"
    exact = part("optimizer", "closed_form") if solvable and free else _optimizer(model, free)
    return recipe.replace(model=model, loss=loss, optimizer=recipe.optimizer or exact)


def _model(data: Data) -> Part:
    """The usual model for a kind of data and a task."""
    if data.task in STEP_MODELS and data.kind in ("text", "tokens"):
        name, options = STEP_MODELS[data.task]
        return part("model", name, **options)
    return part("model", MODELS[data.kind], **(TEXT_MODEL if data.kind == "text" else {}))


def _check_ahead(model: Part, data: Data) -> None:
    """Refuse a model that has read what it is to say."""
    if data.task == "language" and model.options.get("bidirectional"):
        raise UsageError("a model that reads from the end has seen the next token",
                         where="model.bidirectional", received="true",
                         do="leave it out")  # fmt: skip


def _on_graph(recipe: Recipe, model: Part, whole: bool) -> Recipe:
    """A recipe for a network on a graph as its paper has it, where the recipe says nothing."""
    if model.factory is not None or model.name not in GRAPH_OPTIMIZERS:
        return recipe
    rate, strength, layers = GRAPH_OPTIMIZERS[model.name]
    usual = part("penalty", "l2", strength=strength, layers=layers)
    return recipe.replace(
        optimizer=recipe.optimizer or part("optimizer", "adam", lr=rate),
        penalty=recipe.penalty or (usual if strength else None),
        schedule=recipe.schedule or part("schedule", "constant"),
        init=recipe.init or part("init", "xavier_uniform"),
        length=recipe.length or (GRAPH_LENGTH if whole else NODE_LENGTH),
        stop=recipe.stop or part("stop", "none"),
    )


def loss_of(model: Part) -> str | None:
    """The loss that a model is made for; None where the task says it.

    Example:
        >>> loss_of(part("model", "generalized_linear", link="log")), loss_of(part("model", "mlp"))
        ('poisson', None)
    """
    if model.name == "generalized_linear" and model.factory is None:
        return LINK_LOSSES[model.options.get("link", "identity")]
    return MODEL_LOSSES.get(model.name) or SOLVED_LOSSES.get(model.name)


def _check_task(model: Part, loss: Part, data: Data) -> None:
    """Refuse a model for another task or number of classes, before its loss is looked at."""
    task, other = OTHER_TASK.get(model.name, ("", ""))
    if model.name == "generalized_linear" or _of_values(model, loss):
        task, other = FORMS[loss_of(model) or loss.name].task, linear_for(data)
    what, received = f"the model '{model.name}' is for", f"{data.task} data"
    if task not in ("", data.task):
        raise UsageError(f"{what} {task}", where="model", received=received, do=f"use {other}")
    if loss_of(model) == "binary_cross_entropy" and len(data.classes) > 2:
        raise UsageError(f"{what} two classes", where="model", do=f"use {linear_for(data)}",
                         received=f"{len(data.classes)} classes")  # fmt: skip


def _of_values(model: Part, loss: Part) -> bool:
    """Whether this is linear regression; with a loss of classes it is that of classes."""
    return model.name == "linear" and FORMS[loss.name].task == "regression"


def linear_for(data: Data) -> str:
    """The linear model for a task and number of classes."""
    if data.task == "regression":
        return "linear"
    return "logistic" if len(data.classes) == 2 else "softmax"


def _check_link(model: Part, loss: Part) -> None:
    """Refuse a loss that does not hold the inverse of the link."""
    wanted = loss_of(model)
    if model.name == "generalized_linear" and loss.name != wanted:
        raise UsageError("the loss does not belong to the link", where="loss",
                         received=f"'{loss.name}' with {model}", do=f"use {wanted}")  # fmt: skip


def _optimizer(model: Part, free: bool) -> Part:
    """AdamW; convex models bear a larger rate and no decay, so that they reach their optimum."""
    if model.name in TREES:
        return part("optimizer", "direct")
    if model.factory is None and model.name in MODEL_OPTIMIZERS:
        found = MODEL_OPTIMIZERS[model.name]
        if free or found.name != "irls":  # which knows the penalties of its own option alone
            return found
    if model.name in (*MODEL_LOSSES, *EXPANSIONS, "generalized_linear"):
        return part("optimizer", "adamw", lr=2e-2, weight_decay=0.0)
    return part("optimizer", "adamw", lr=3e-3)


def _preparation(recipe: Recipe, model: Part) -> Part:
    """What the user gave; for trees, columns as they are wherever that says nothing."""
    given = recipe.data.options if recipe.data else {}
    if model.name in RAW_PIXELS and model.factory is None:
        if given.get("scale", "none") not in ("none", "auto"):
            raise UsageError(f"the model '{model.name}' scales pixels itself", where="data.scale",
                             received=f"'{given['scale']}'", do="leave it out")  # fmt: skip
        return part("data", "prepare", **{**given, "scale": "none"})
    return part("data", "prepare", **(RAW_COLUMNS if model.name in TREES else {}) | given)


def _image_batch(rows: int) -> int:
    return 64 if rows < LARGE_IMAGE_SET else 128


def _table_batch(rows: int) -> int:
    """The largest power of two within the bounds that gives an epoch 16 steps."""
    low, high = TABLE_BATCHES
    size = low
    while size * 2 <= min(high, rows // 16):
        size *= 2
    return size


def _usual_length(data: Data) -> tuple[int, int]:
    """Passes over the rows, and steps at least."""
    if data.kind == "image":
        return IMAGE_EPOCHS, IMAGE_STEPS
    return STEP_LENGTHS.get(data.kind, (TABLE_EPOCHS, TABLE_STEPS))


def _length(usual: tuple[int, int], rows: int, batch_size: int | str) -> Length:
    """Some passes over the rows, more of them where an epoch has few steps."""
    per_epoch = max(1, rows // batch_size) if isinstance(batch_size, int) else 1
    epochs, steps = usual
    return Length(max(epochs, math.ceil(steps / per_epoch)), "epochs")


def _stop(model: Part, length: Length, image: bool, valid_rows: int) -> Part:
    """Tables keep the best weights of the whole run; convex models and images the last ones."""
    if (
        image
        or not valid_rows
        or model.name in (*MODEL_LOSSES, *EXPANSIONS, *MODEL_OPTIMIZERS, *TREES)
    ):
        return part("stop", "none")
    return part("stop", "early", monitor="val_loss", patience=str(length))


def check_split(split: Split) -> None:
    """Refuse a split that cannot be trained on.

    Raises:
        InputError: no training rows.
    """
    if not len(split.train):
        raise InputError(
            "the split has no training rows",
            where=split.data.name,
            received=repr(split),
            do="lower test and valid",
        )
