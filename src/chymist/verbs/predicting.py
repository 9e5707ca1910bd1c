"""`evaluate` on known rows and `predict` on new ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from chymist.data import left_aside, read_inputs, reload, schema_of
from chymist.data.new_steps import new_lines
from chymist.data.node_rows import node_rows
from chymist.data.preparation import Preparation
from chymist.data.schema import Schema
from chymist.data.tagged import sentence_numbers, sentences_of
from chymist.data.texts import UNKNOWN
from chymist.engine.assembly import HEADLINE, predict_rows
from chymist.engine.folder import open_folder, run_id
from chymist.engine.rows import EVALUATION_BATCH, Flat, Streamed, as_inputs, in_turn
from chymist.engine.steps import STEPWISE, step_predictions
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence import Looks, look, score, verdict
from chymist.losses import FORMS
from chymist.schedules import monitored
from chymist.values import Data, Floor, Predictions, Run, Score, Split
from chymist.verbs.flooring import floors_beside
from chymist.verbs.records import finished, load_model
from chymist.verbs.scoring import metrics_of
from chymist.verbs.sources import with_model


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A run's score on one part of its rows.

    Args:
        score: the headline score.
        floors: what trivial and cheap methods reach on the same rows, strongest first.
        verdict: one sentence that says who wins.
        metrics: all metrics on these rows.
        predictions: per-example results.
        looks: how often these test rows have been looked at; None for other parts.
    """

    score: Score
    floors: tuple[Floor, ...]
    verdict: str
    metrics: Mapping[str, float]
    predictions: Predictions
    looks: Looks | None

    def __repr__(self) -> str:
        return f"Evaluation({self.score}; {self.looks if self.looks else 'not sealed'})"


def evaluate(
    run: Run | str | Path, split: str = "test", *, model: Any = None, data: Data | None = None
) -> Evaluation:
    """Score a run on a part of its rows; a look at test rows is counted.

    Args:
        run: a run, or its folder.
        split: "test", "valid" or "train".
        model: the user's own module or factory, if the run was made with one and is read from
            its folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        Score with interval, floors on the same rows, and the count of looks.

    Raises:
        InputError: the part is empty, or the data has changed.
        UsageError: there is no such part.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 epochs"), cy.load("iris"))
        >>> cy.evaluate(run, split="valid").score == run.score
        True
    """
    if split not in ("train", "valid", "test"):
        raise UsageError(
            "unknown part of the rows",
            received=f"'{split}'",
            do=nearest(split, ["train", "valid", "test"]),
        )
    path, rows_of, predictor = opened(run, model, data)
    whole = rows_of.data
    rows = rows_of.rows(split)
    if not len(rows):
        raise InputError(
            f"the run has no {split} rows",
            where=whole.name,
            do=f"fit with --{split if split != 'train' else 'valid'} 0.2",
        )
    found = predictor.results(rows_of, rows)
    looks = look(whole.fingerprint, rows, run_id(path)) if split == "test" else None
    metric = HEADLINE[whole.task]
    chosen = predictor.monitor if split == "valid" else None
    number = score(found, metric, split, chosen, predictor.seed)
    matrices = predictor.matrix(whole, rows_of.train), predictor.matrix(whole, rows)
    floors = floors_beside(
        predictor.preparation, predictor.recipe.data.options, whole, rows_of.train, found,
        matrices, split, predictor.seed,
    )  # fmt: skip
    sentence = verdict(predictor.name, found, number, floors, predictor.seed)
    pairs = tuple(Floor(f.name, f.score) for f in floors)
    return Evaluation(number, pairs, sentence, metrics_of(found, whole), found, looks)


def predict(
    run: Run | str | Path, rows: Any = None, *, probabilities: bool = False, model: Any = None
) -> np.ndarray:
    """Predict new raw rows, prepared as the training rows were.

    Args:
        run: a run, or its folder; the data of the run is not needed.
        rows: a CSV file, an image, a folder or zip of images, an array, or a mapping of columns;
            a target column is ignored. For texts also a list, or a file with one text a line
            (.txt); for a series a table, of whose last lines a forecast is made. For tags of
            words a list of sentences, or a file: a line for each sentence, the columns of a word
            with slashes (He/PRP ran/VBD), or a line for each word and an empty one after each
            sentence. For nodes of a graph their identifiers, the file of nodes, or another with a
            column of identifiers; None are all nodes.
        probabilities: give class probabilities (n, classes) in place of labels.
        model: the user's own module or factory, if the run was made with one and is read from
            its folder.

    Returns:
        Class names (n,), or (n, steps) for tagging, "" behind a sentence;
        or values (n,) in the unit of the target; or
        probabilities.

    Raises:
        InputError: a column is missing or the rows do not fit.
        UsageError: probabilities of values, or of a loss that estimates none (perceptron, hinge).

    Example:
        >>> import chymist as cy
        >>> data = cy.load("iris")
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 epochs"), data)
        >>> [str(name) for name in cy.predict(run, data.inputs)[:2]]
        ['setosa', 'setosa']
    """
    found = predict_named(run, rows, model=model)
    outputs, classes = found.outputs, found.classes
    if probabilities:
        check_estimated(classes, found.estimated)
    if classes and not probabilities:
        labels: np.ndarray = np.array(classes, dtype=object)[outputs.argmax(-1)]
        for row, words in enumerate(found.words):
            labels[row, len(words) :] = ""
        return labels
    return outputs


class Predicted(NamedTuple):
    """Predictions of new rows.

    Args:
        outputs: probabilities (n, classes), or values (n,) or (n, outputs).
        classes: class names; empty for values.
        names: what to call each row.
        notes: what was left aside or never seen in training, in sentences.
        estimated: whether the loss estimates the probabilities, see `Predictions`.
        words: of new sentences with tags, the words of each; empty for other rows.
    """

    outputs: np.ndarray
    classes: tuple[str, ...]
    names: list[str]
    notes: list[str]
    estimated: bool
    words: list[list[str]]


def check_estimated(classes: Sequence[str], estimated: bool) -> None:
    """Refuse to give probabilities where there are none.

    Raises:
        UsageError: values are predicted, or the loss estimates no probabilities.
    """
    if not classes:
        raise UsageError("a regression has no probabilities", where="probabilities")
    if not estimated:
        raise UsageError(
            "the model's loss estimates no probabilities",
            where="probabilities",
            received="scores",
            do="ask for labels, or train with cross_entropy",
        )


def predict_named(run: Run | str | Path, rows: Any = None, *, model: Any = None) -> Predicted:
    """Predict new raw rows, with their names and with what there is to say about them."""
    data: Data | None
    if isinstance(run, Run):
        predictor, schema, data = _predictor(run), schema_of(run.data), run.data
    else:
        saved = open_folder(run)
        finished(saved)
        data = reload(saved.source) if saved.schema.kind == "graph" else None
        module, _ = load_model(saved, model, data)
        predictor = Predictor(module, saved.preparation, saved.recipe, 0)
        schema = saved.schema
    if schema.task == "language":
        raise UsageError("a model of the next token goes on with a text", where="predict",
                         do="use sample")  # fmt: skip
    graph = data.graph if data is not None and schema.kind == "graph" else None
    if rows is None and graph is None:
        raise UsageError("new rows are missing", where="rows",
                         do="give a file or an array; only a graph has its own")  # fmt: skip
    nodes = None if graph is None else node_rows(rows, graph)
    raw, names, words = (*nodes[:2], []) if nodes else _read(rows, schema, predictor.preparation)
    outputs = predictor.outputs(predictor.batches(raw))
    if not schema.classes and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    aside = left_aside(rows, schema)
    notes = (
        [f"columns that the run does not know have no influence: {', '.join(aside)}"]
        if aside
        else []
    )
    notes += nodes.notes if nodes else []
    for column, cells in predictor.preparation.unseen(raw).items():
        notes.append(f"{cells:,} cells of '{column}' hold a value that no training row had")
    if words:
        unknown = int((raw[..., 0] == UNKNOWN).sum())
        notes += [f"{unknown:,} of {sum(map(len, words)):,} words are not known"] * bool(unknown)
    return Predicted(outputs, schema.classes, names, notes, predictor.estimated, words)


def _read(
    rows: Any, schema: Schema, preparation: Preparation
) -> tuple[Any, list[str], list[list[str]]]:
    """Raw inputs of new rows, their names, and the words of sentences that get tags."""
    columns = tuple(column.name for column in schema.columns)
    lines = new_lines(rows) if schema.task == "tagging" and columns else None
    if lines is None:
        return *read_inputs(rows, schema), []
    where = Path(rows).name if isinstance(rows, str | Path) else "new rows"
    sentences = sentences_of(lines, where, columns)
    raw = sentence_numbers(sentences, columns, preparation.vocabulary, schema.shape[0])
    words = [["/".join(word) for word in sentence] for sentence in sentences]
    return raw, [str(row + 1) for row in range(len(raw))], words


@dataclass(frozen=True, eq=False)
class Predictor:
    """What is needed to predict: module, preparation, recipe, seed."""

    module: torch.nn.Module
    preparation: Any
    recipe: Any
    seed: int

    @property
    def name(self) -> str:
        """Name of the model."""
        return str(self.recipe.model.name)

    @property
    def estimated(self) -> bool:
        """Whether shares of classes are probabilities that the loss estimates."""
        return FORMS[self.recipe.loss.name].estimated

    @property
    def monitor(self) -> str | None:
        """What early stopping watched, or the schedule, or None."""
        rule = self.recipe.stop.build(1)
        watched = rule.monitor if rule else monitored(self.recipe)
        return watched if watched and watched.startswith("val_") else None

    @property
    def dtype(self) -> torch.dtype:
        """Of the inputs of the model."""
        return torch.float64 if self.recipe.precision == "float64" else torch.float32

    @property
    def exact(self) -> type[np.floating]:
        """What columns are prepared in."""
        return np.float64 if self.recipe.precision == "float64" else np.float32

    def rows(self, data: Data, rows: np.ndarray) -> Streamed:
        """Some rows of the data, prepared when they are asked for: they may not fit into memory."""

        def prepare(index: np.ndarray) -> np.ndarray:
            found: np.ndarray = self.preparation.inputs(data.take(rows[index]), self.exact)
            return found

        return Streamed(prepare, torch.from_numpy(data.targets[rows]), self.dtype, 0)

    def matrix(self, data: Data, rows: np.ndarray) -> Flat:
        """Some rows of the data, prepared, as a matrix (rows, features)."""
        return Flat(self.rows(data, rows), math.prod(self.preparation.input_shape))

    def batches(self, raw: Any) -> Iterator[torch.Tensor]:
        """Raw inputs of new rows, prepared; those that lie on the disk batch by batch.

        Raises:
            InputError: the shape or a cell does not fit.
        """
        if not isinstance(raw, np.memmap):
            whole = as_inputs(self.preparation.inputs(raw, self.exact), self.dtype)
            yield from whole.split(EVALUATION_BATCH)
            return
        for start in range(0, len(raw), EVALUATION_BATCH):
            try:
                prepared = self.preparation.inputs(
                    raw[start : start + EVALUATION_BATCH], self.exact
                )
            except InputError as error:
                told = error.to_dict()
                where = f"new rows from {start + 1} on, {told.get('where')}"
                raise InputError(**{**told, "where": where}) from None
            yield torch.from_numpy(prepared).to(self.dtype)

    def outputs(self, batches: Iterable[torch.Tensor]) -> np.ndarray:
        """Probabilities, or values in raw units (n, outputs)."""
        form = FORMS[self.recipe.loss.name]
        return predict_rows(self.module, form, self.preparation, batches)

    def results(self, split: Split, rows: np.ndarray) -> Predictions:
        """Per-example results on some rows of a split; of steps where each has a target."""
        data, inputs = split.data, self.rows(split.data, rows)
        if data.task in STEPWISE:
            form, size = FORMS[self.recipe.loss.name], self.recipe.batch_size
            lanes = len(split.train) if size == "all" else int(size)
            return step_predictions(self.module, form, inputs, rows, data, lanes)
        shaped = _shaped(self.outputs(in_turn(inputs)), data)
        groups = split.groups_of(rows)
        return Predictions(rows, data.targets[rows], shaped, groups, self.estimated)


def _predictor(run: Run) -> Predictor:
    return Predictor(run.model, run.preparation, run.recipe, run.seed)


def opened(run: Run | str | Path, model: Any, data: Data | None) -> tuple[Path, Split, Predictor]:
    """Folder, rows and predictor of a run or run folder."""
    if isinstance(run, Run):
        return run.path, run.split, _predictor(run)
    saved = open_folder(run)
    finished(saved)
    split = saved.split_of(data if data is not None else reload(saved.source))
    module, _ = load_model(saved, model, split.data)
    recipe, seed = with_model(saved.recipe, model), int(saved.environment["seed"])
    return saved.path, split, Predictor(module, saved.preparation, recipe, seed)


def _shaped(outputs: np.ndarray, data: Data) -> np.ndarray:
    """Values (n, 1) as (n,) where the targets are (n,)."""
    single = data.task == "regression" and data.targets.ndim == 1
    return outputs[:, 0] if single else outputs
