"""From raw columns and pixels to float32 features, fitted on training rows only, and back.

`prepare` describes a preparation as a part of the recipe; `fit_preparation` fits it; the fitted
`Preparation` is stored with the model, so that raw rows can be predicted later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from chymist.data.cells import short
from chymist.data.features import Feature, Options, fit_feature, order_of
from chymist.data.number_columns import fit_number_columns, write_number_columns
from chymist.data.pixels import fit_pixels, prepared_pixels
from chymist.data.stepwise import TextOptions, checked_numbers, fit_stepwise, scaled_steps
from chymist.data.texts import check_tokens, to_numbers
from chymist.errors import InputError, UsageError, nearest
from chymist.keys import generator
from chymist.parts import Count, describer, part
from chymist.values import Data, DataKind, Table

FITTED_BYTES = 2**28  # of rows on the disk that a preparation is fitted on


@dataclass(frozen=True)
class Preparation:
    """A fitted preparation: all its numbers, and nothing of the rows themselves.

    Args:
        kind: kind of the data.
        features: what becomes of each column, in order; empty for images.
        columns: number of raw columns of an array; 0 for tables by name and images.
        shape: (channels, height, width) of an image; empty otherwise.
        pixels: shift and scale of every pixel of an image.
        filled: empty cells of the training rows that were filled, by column.
        target_shift, target_scale: mean and deviation of each regression target; empty for classes.
        notes: what was done that is not obvious, in sentences.
        tokens: how texts are cut.
        vocabulary: the tokens that are known; the place of each is its number.
        steps: mean and deviation of each feature of a sequence.
        stop_words: words of texts that are left out.
    """

    kind: DataKind
    features: tuple[Feature, ...] = ()
    columns: int = 0
    shape: tuple[int, ...] = ()
    pixels: tuple[float, float] = (0.0, 1.0)
    filled: dict[str, int] = field(default_factory=dict)
    target_shift: tuple[float, ...] = ()
    target_scale: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    tokens: str = ""
    vocabulary: tuple[str, ...] = ()
    steps: tuple[tuple[float, float], ...] = ()
    stop_words: tuple[str, ...] = ()

    def inputs(self, raw: Table | np.ndarray, dtype: type[np.floating] = np.float32) -> np.ndarray:
        """Raw inputs as the model takes them.

        Args:
            raw: columns by name, or an array (rows, columns), or images (rows, height, width,
                channels).
            dtype: of prepared columns; they are worked out in double precision, and then rounded.

        Returns:
            C-contiguous: (rows, features), or (rows, channels, height, width) in float32; sequences
            (rows, steps, features); numbers of tokens (rows, steps) and of nodes (rows, 1), int64.

        Raises:
            InputError: a column is missing, or the shape or a cell does not fit.
        """
        if self.kind == "image":
            return prepared_pixels(raw, self.shape, self.pixels)
        if self.kind == "text":
            cut = check_tokens(self.tokens)
            return to_numbers(raw, self.vocabulary, self.shape[0], cut, self.stop_words)
        if self.kind in ("tokens", "graph"):
            return checked_numbers(raw, self.shape, len(self.vocabulary))
        if self.kind == "sequence":
            return scaled_steps(raw, self.shape, self.steps, dtype)
        columns = self._columns(raw)
        rows = len(next(iter(columns.values())))
        made = np.empty((rows, *self.input_shape), dtype)
        if isinstance(raw, np.ndarray) and write_number_columns(self.features, raw, made):
            return made
        at = 0
        for feature in self.features:
            feature.write(columns[feature.name], made[:, at : at + feature.width])
            at += feature.width
        return made

    def targets(self, targets: np.ndarray, dtype: type[np.floating] = np.float32) -> np.ndarray:
        """Targets as the loss takes them: class indices int64, or standardised values.

        Classes have the shape of the data's targets: (rows,), or (rows, steps) for tagging;
        t = (y - mean) / deviation, with mean and deviation of the training rows; (rows, outputs).
        """
        if not self.target_scale:
            return targets.astype(np.int64)
        values = targets.astype(np.float64).reshape(
            len(targets), targets.shape[1] if targets.ndim > 1 else 1
        )
        made: np.ndarray = ((values - self.target_shift) / self.target_scale).astype(dtype)
        return made

    def outputs(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of the model in the unit of the target, (rows, outputs)."""
        if not self.target_scale:
            return outputs
        values = outputs.astype(np.float64).reshape(len(outputs), -1)
        made: np.ndarray = values * self.target_scale + self.target_shift
        return made

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one prepared input."""
        return self.shape or (sum(feature.width for feature in self.features),)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name per prepared feature: "age", "workclass=Private", "pixel 3,4"."""
        if self.kind in ("text", "tokens", "graph", "sequence"):
            return tuple(f"value {place + 1}" for place in range(int(np.prod(self.shape))))
        if self.kind == "image":
            channels, height, width = self.shape
            several = [f" of channel {c + 1}" if channels > 1 else "" for c in range(channels)]
            return tuple(
                f"pixel {y + 1},{x + 1}{end}"
                for end in several
                for y in range(height)
                for x in range(width)
            )
        return tuple(name for feature in self.features for name in feature.names)

    @cached_property
    def categories(self) -> tuple[int, ...]:
        """Number of categories of each prepared feature that is a category's code, 0 for others.

        Empty if none is: what a model may cut by, not only compare. Codes that are scaled are
        numbers.
        """
        sizes = tuple(
            len(feature.categories) if feature.codes and feature.affine == [(0.0, 1.0)] else 0
            for feature in self.features
            for _ in range(feature.width)
        )
        return sizes if any(sizes) else ()

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of each feature, float64: x_prepared = (x - shift) / scale.

        x is the raw value, its signed logarithm for a feature named log1p(...), and 0 or 1 for a
        category (shift 0, scale 1).
        """
        if self.kind == "sequence":
            means, deviations = np.array(self.steps, np.float64).T
            return np.tile(means, self.shape[0]), np.tile(deviations, self.shape[0])
        if not self.features:
            count = int(np.prod(self.shape))
            return np.full(count, self.pixels[0]), np.full(count, self.pixels[1])
        pairs = [pair for feature in self.features for pair in feature.affine]
        shift, scale = np.array(pairs, np.float64).reshape(-1, 2).T
        return shift, scale

    def unseen(self, raw: Table | np.ndarray) -> dict[str, int]:
        """Cells of each category column whose category no training row had."""
        if not self.features:
            return {}
        columns = self._columns(raw)
        counts = {f.name: f.unseen(columns[f.name]) for f in self.features}
        return {name: count for name, count in counts.items() if count}

    def to_dict(self) -> dict[str, Any]:
        """The preparation as plain values, exact."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Preparation:
        """A preparation from its plain values.

        Raises:
            InputError: it is not one.
        """
        try:
            return msgspec.convert(plain, cls)
        except msgspec.ValidationError as error:
            raise InputError(
                "the stored preparation cannot be read",
                received=str(error)[:90],
                do="the run folder is damaged: run again",
            ) from None

    def _columns(self, raw: Table | np.ndarray) -> Mapping[str, np.ndarray]:
        """The raw columns by name."""
        if not isinstance(raw, np.ndarray):
            for feature in self.features:
                if feature.name not in raw:
                    raise InputError(
                        f"the column {short(feature.name)} is missing",
                        where="new rows",
                        do=nearest(feature.name, raw)[:90],
                    )
            return raw
        if raw.ndim != 2 or raw.shape[1] != self.columns:
            raise InputError(
                "inputs have another shape than the training rows",
                where="new rows",
                received=f"shape {raw.shape}",
                do=f"give (rows, {self.columns})",
            )
        return {feature.name: raw[:, feature.position] for feature in self.features}


@describer("data")
def prepare(
    fitted_on: tuple[Data, np.ndarray],
    *,
    columns: dict[str, str] | None = None,
    missing: Literal["auto", "median", "mean", "mode", "category", "keep"] = "auto",
    scale: Literal["auto", "standard", "minmax", "pixel", "none"] = "auto",
    encode: Literal["onehot", "integer"] = "onehot",
    transform: Literal["auto", "none", "log"] = "none",
    drop: tuple[str, ...] = (),
    weights: str = "none",
    tokens: Literal["words", "characters", "spaces"] = "words",
    vocabulary: Count = 20_000,
    fewest: Count = 1,
    steps: Count | None = None,
    stop_words: tuple[str, ...] = (),
    bucketing: Annotated[int, msgspec.Meta(ge=0)] = 0,
) -> Preparation:
    """How raw columns become features; everything is fitted on training rows only.

    Args:
        columns: kinds that differ from the inferred ones, {"zip": "category"}.
        missing: fill of empty cells. "auto" is the median of numbers and dates, the most frequent
            category; "category" makes missing a category of its own (for numbers: the median,
            and a 0/1 feature beside it); "keep" leaves them empty (NaN), and cells of a category
            that no training row had, for models that take them, as trees do.
        scale: "auto" and "standard": (x - mean) / deviation; "minmax": (x - min) / (max - min);
            "pixel": x / largest possible value (images); "none". Images use one mean and one
            deviation for all pixels.
        encode: categories as one 0/1 feature each, or as one number.
        transform: "log" replaces numbers by sign(x) log(1 + |x|); "auto" does so for columns
            whose skewness is beyond 4 in at least 100 training rows; "none" never. Measured on
            adult it costs half a point of accuracy, hence it is not the default.
        drop: columns that are left out.
        weights: how much training rows count in the loss: "none" alike; "balanced" so that all
            classes count alike; or the name of a column of numbers, which is then no feature.
            Scores are not weighted.
        tokens: how texts are cut: into "words" in lower case and signs, "characters", or at
            "spaces".
        vocabulary: number of tokens that are known at most, the most frequent of the training rows.
        fewest: times that a token must occur in them to be known.
        steps: tokens of a text, which is filled up or cut; by default as many as 99 % of the
            training texts have.
        stop_words: words that are left out of texts, and lists of them: "english", "german",
            "chinese" (characters). A text of nothing else keeps its words.
        bucketing: batches that are put together of texts of similar length: so many batches are
            drawn, sorted by length, and read in a new order. 0 reads rows as they are drawn.

    Returns:
        A part of the recipe.

    Raises:
        UsageError: an unknown option or value.

    Example:
        >>> prepare(scale="minmax", columns={"zip": "category"})
        prepare(columns={'zip': 'category'}, scale='minmax')

    Source: LeCun, Bottou, Orr, Müller 1998, Efficient BackProp, section 4.3 (standardisation).
    """
    data, rows = fitted_on
    all_rows, rows = rows, rows_to_fit_on(data, rows)
    options = Options(missing, scale, encode, transform)
    _refuse_without_texts(data.kind, stop_words, bucketing)
    if data.kind == "image":
        found = _image_preparation(data, rows, options, columns, drop)
    elif data.kind not in ("table", "array"):
        _refuse_columns(data.kind, columns, drop)
        texts = TextOptions(check_tokens(tokens), vocabulary, fewest, steps, stop_words)
        found = Preparation(data.kind, **fit_stepwise(data, rows, scale, texts))
    else:
        named = weights in [column.name for column in data.columns]
        drop = (*drop, weights) if named and weights not in drop else drop
        found = _table_preparation(data, rows, options, columns or {}, drop)
    if len(rows) < len(all_rows):
        said = f"preparation is fitted on {len(rows):,} of the {len(all_rows):,} training rows"
        found = replace(found, notes=(*found.notes, said))
    if data.task != "regression":
        return found
    return _with_targets(found, data, all_rows)


def _refuse_without_texts(kind: str, stopped: tuple[str, ...], bucketing: int) -> None:
    """Refuse options of texts for rows that are none."""
    given = [("stop_words", stopped, ("text",)), ("bucketing", bucketing, ("text", "tokens"))]
    for name, value, kinds in given:
        if value and kind not in kinds:
            raise UsageError(f"{name} is for texts", where=f"data.{name}",
                             received=f"data of kind '{kind}'", do="leave it out")  # fmt: skip


def fit_preparation(data: Data, rows: np.ndarray, options: Mapping[str, Any]) -> Preparation:
    """Fit a preparation on the training rows, and on nothing else.

    Args:
        data: the data.
        rows: training rows.
        options: options of `prepare`; absent ones are the defaults.

    Returns:
        The fitted preparation.

    Raises:
        UsageError: an unknown option or value, or one that does not suit the data.
        InputError: an unknown column, a cell that does not fit, or no feature left.

    Example:
        >>> import chymist as cy
        >>> data = cy.load("iris")
        >>> preparation = fit_preparation(data, np.arange(0, 150, 2), {"scale": "minmax"})
        >>> preparation.inputs(data.inputs).shape
        (150, 4)
    """
    fitted: Preparation = part("data", "prepare", **options).build((data, np.asarray(rows)))
    return fitted


def _with_targets(found: Preparation, data: Data, rows: np.ndarray) -> Preparation:
    """A preparation that scales the targets of a regression too."""
    values = data.targets[rows].astype(np.float64).reshape(len(rows), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        shift, scales = values.mean(0), values.std(0)
    if not (np.isfinite(shift).all() and np.isfinite(scales).all()):
        raise InputError(
            "the targets are too large to be scaled",
            where=data.target,
            received=f"{np.abs(values).max():.3g}",
            do="change their unit",
        )
    flat = (values == values[:1]).all(0)  # rounding may leave a tiny deviation of equal values
    shift, scales = np.where(flat, values[0], shift), np.where(flat, 1.0, scales)
    return replace(found, target_shift=tuple(shift.tolist()), target_scale=tuple(scales.tolist()))


def rows_to_fit_on(data: Data, rows: np.ndarray) -> np.ndarray:
    """The training rows that a preparation is fitted on: all, or as many as are surely held.

    Only a set that lies on the disk is fitted on fewer, drawn evenly by a fixed key; its size
    decides, never the machine.

    Example:
        >>> from chymist.data import load
        >>> rows_to_fit_on(load("iris"), np.arange(5))
        array([0, 1, 2, 3, 4])
    """
    if not isinstance(data.inputs, np.memmap):
        return rows
    most = max(1000, FITTED_BYTES // max(1, data.inputs[:1].nbytes))
    if most >= len(rows):
        return rows
    return np.sort(generator(0, "preparation").choice(rows, most, replace=False))


def _image_preparation(
    data: Data, rows: np.ndarray, options: Options, columns: Any, drop: tuple[str, ...]
) -> Preparation:
    _refuse_columns("image", columns, drop)
    assert isinstance(data.inputs, np.ndarray)
    height, width, channels = data.inputs.shape[1:]
    pixels = fit_pixels(data.inputs, rows, options.scale)
    return Preparation("image", shape=(channels, height, width), pixels=pixels)


def _refuse_columns(kind: str, columns: Any, drop: tuple[str, ...]) -> None:
    """Refuse options of columns where there are none."""
    if columns or drop:
        raise UsageError(
            f"data of kind '{kind}' has no columns",
            where="data.columns" if columns else "data.drop",
            received=str(columns or drop)[:60],
            do="leave it out",
        )


def _table_preparation(
    data: Data, rows: np.ndarray, options: Options, kinds: dict[str, str], drop: tuple[str, ...]
) -> Preparation:
    names = [column.name for column in data.columns]
    for name in (*drop, *kinds):
        if name not in names:
            raise InputError(
                "unknown column",
                where="data.drop" if name in drop else "data.columns",
                received=short(name),
                do=nearest(name, names)[:90],
            )
    features, filled, notes = [], {}, []
    inputs: Table | np.ndarray = data.inputs
    known: dict[int, Feature] = {}
    if isinstance(inputs, np.ndarray):
        # One pass over the rows, which may lie on the disk, not one for each column.
        inputs, rows = np.asarray(inputs[rows]), np.arange(len(rows))
        known = fit_number_columns(names, inputs, options)
    for position, column in enumerate(data.columns):
        name, kind = column.name, kinds.get(column.name, column.kind)
        if name in drop or kind in ("text", "id"):
            continue
        if kind == column.kind == "number" and position in known:
            features.append(known[position])
            continue
        cells = inputs[rows, position] if isinstance(inputs, np.ndarray) else inputs[name][rows]
        order = order_of(cells, kind, column.kind, name)
        feature, empty, said = fit_feature(name, position, kind, cells, options, order)
        features.append(feature)
        notes += said
        filled.update({name: empty} if empty else {})
    if not any(feature.width for feature in features):
        raise InputError(
            "no feature is left",
            where=data.name,
            received=f"{len(drop)} columns dropped",
            do="drop fewer columns",
        )
    columns = len(names) if isinstance(data.inputs, np.ndarray) else 0
    return Preparation(data.kind, tuple(features), columns, filled=filled, notes=tuple(notes))
