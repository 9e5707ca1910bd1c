"""`explain_words`: what each word of a text is worth to the answer of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any, get_args

import numpy as np
import torch

from chymist.data.schema import Schema
from chymist.data.texts import SPECIAL
from chymist.engine.assembly import forward
from chymist.errors import UsageError, nearest
from chymist.evidence.intervals import Estimate, mean_t
from chymist.explanation.deleting import Deletion
from chymist.explanation.words import (
    METHODS,
    REFERRED,
    Reference,
    deletion,
)
from chymist.losses import FORMS
from chymist.reports.markup import Markup
from chymist.reports.words import Weighed, words_html, words_lines, words_picture
from chymist.values import Data, Run, whole_number
from chymist.verbs.text_rows import Asked, Text, answer_number, asked, texts_of
from chymist.verbs.writing import save_drawing


@dataclass(frozen=True, eq=False)
class WordAttribution:
    """One text, and what each of its words is worth to an answer.

    Args:
        name: number of the row from 1, or of the new text.
        words: as the model reads them.
        values: one a word, in the unit of the model's output; positive speaks for the answer.
        target: the class that is explained, or the target of a regression.
        predicted: the class that the model gives; "" for values.
        truth: the class that it is, where it is known; "" elsewhere.
        output: the model's output for the target, before probabilities.
        probability: of the target; NaN for values.
        deletion: the output while words go, beside random orders.
        at: number of the word whose answer is explained, or None.
    """

    name: str
    words: tuple[str, ...]
    values: np.ndarray
    target: str
    predicted: str
    truth: str
    output: float
    probability: float
    deletion: Deletion
    at: int | None = None

    @property
    def title(self) -> str:
        """What the text is and what the model says, in one line."""
        said = f"{self.probability:.1%} {self.target}" if self.predicted else f"{self.output:.4g}"
        place = f", word {self.at + 1}" if self.at is not None else ""
        other = f" (answer: {self.predicted})" if self.predicted != self.target else ""
        truth = f"; is {self.truth}" if self.truth else ""
        return f"row {self.name}{place}: {said}{other if self.predicted else ''}{truth}"

    @property
    def weighed(self) -> Weighed:
        """As it is drawn."""
        return Weighed(self.title, self.words, tuple(self.values.tolist()), self.at)

    def to_dict(self) -> dict[str, Any]:
        """The text as plain values."""
        return {
            "row": self.name, "words": list(self.words), "values": self.values.tolist(),
            "target": self.target, "predicted": self.predicted, "truth": self.truth,
            "output": self.output, "probability": self.probability, "at": self.at,
            "faithfulness": {"gain": self.deletion.gain, "beaten": self.deletion.beaten},
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class ExplainedWords:
    """What the words of some texts are worth to the answers of a run.

    Args:
        method: how it was found.
        reference: what a word is compared with; "" where with nothing.
        texts: one `WordAttribution` each.
    """

    method: str
    reference: str
    texts: tuple[WordAttribution, ...]

    @property
    def signed(self) -> bool:
        """Whether values say for and against."""
        return self.method != "saliency"

    @property
    def faithfulness(self) -> Estimate:
        """By how much the output is lower when words go in this order than in random ones."""
        return mean_t(np.array([text.deletion.gain for text in self.texts]))

    @property
    def verdict(self) -> str:
        """Whether the values show what the model looks at, in one sentence."""
        found, beaten = self.faithfulness, np.mean([text.deletion.beaten for text in self.texts])
        interval = f" [{found.low:.3g}, {found.high:.3g}]" if len(self.texts) > 1 else ""
        how = (
            "faithful"
            if beaten > 0.95
            else "better than chance"
            if beaten > 0.6
            else "no better than chance"
        )
        return (f"taken away in this order, words lower the output by {found.value:.3g}{interval} "
                f"more than in random orders, of which it beats {beaten:.0%}: {how}")  # fmt: skip

    @property
    def _about(self) -> str:
        against = {"unknown": ", against the unknown word", "nothing": ", against nothing"}
        return f"{self.method}{against.get(self.reference, '')}"

    def svg(self) -> Markup:
        """The texts: vermilion speaks for the answer, blue against it."""
        said = f"What each word is worth, {self._about}. {self.verdict}"
        sign = "vermilion speaks for the answer, blue against" if self.signed else "without sign"
        notes = [f"{self._about}: {sign}", *wrap(self.verdict, 96)]
        return words_picture(said, [text.weighed for text in self.texts], notes, self.signed)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        found = self.faithfulness
        return {
            "method": self.method, "reference": self.reference, "verdict": self.verdict,
            "faithfulness": {"value": found.value, "low": found.low, "high": found.high},
            "texts": [text.to_dict() for text in self.texts],
        }  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def _repr_html_(self) -> str:
        texts = [text.weighed for text in self.texts]
        return str(words_html(texts, self.signed)) + f"<p>{self._about}: {self.verdict}</p>"

    def __repr__(self) -> str:
        lines = []
        for text in self.texts:
            lines += [text.title, *(f"  {line}" for line in words_lines(text.weighed, self.signed))]
        return "\n".join([*lines, f"{self._about}: {self.verdict}"])


def explain_words(
    run: Run | str | Path, rows: Any = None, *, method: str = "integrated-gradients",
    which: str | Sequence[int] = "worst", most: int = 4, target: str | None = None,
    reference: Reference | None = None, position: int | None = None, steps: int = 50,
    seed: int = 0, model: Any = None, data: Data | None = None,
) -> ExplainedWords:  # fmt: skip
    """What each word of texts is worth to the answer of a run, and whether that order is right.

    Args:
        run: a run on texts or tokens, or its folder.
        rows: new texts as for `predict`: a list, or a file with one text a line; None are rows of
            the run.
        method: "integrated-gradients", "occlusion", "input-x-gradient" or "saliency" (no sign).
        which: where there are no new rows: "worst", the validation rows that are answered worst,
            or numbers of rows of the data, from 0.
        most: texts at most.
        target: class that is explained; None is the answer of the model, "true" the right one.
        reference: what a word is compared with: "unknown" or "nothing"; None is "unknown" where
            the vocabulary was cut, since its numbers are learned there only.
        position: number of the word whose tag is explained, from 0; of tags only.
        steps: of integrated gradients.
        seed: of the random orders of the deletion.
        model: the user's own module or factory, if the run was made with one and is read from its
            folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.

    Returns:
        An `ExplainedWords`.

    Raises:
        InputError: there are no rows, or a text without words.
        UsageError: the run is not on texts, an unknown method or class, or a model without a table
            of embeddings.

    Example:
        >>> import chymist as cy
        >>> texts = ["a good film", "a bad film", "good and fine", "bad and dull"] * 8
        >>> data = cy.load((texts, ["pos", "neg"] * 16), kind="text")
        >>> run = cy.fit(cy.Recipe(model="text_cnn", length="10 epochs"), data, doctor=False)
        >>> explain_words(run, ["a good day"]).texts[0].words
        ('a', 'good', 'day')

    Source: Sundararajan, Taly, Yan 2017; Samek et al. 2017 (deletion).
    """
    if method not in METHODS:
        raise UsageError("unknown method", where="method", received=f"'{method}'",
                         do=nearest(method, METHODS))  # fmt: skip
    if reference is not None and reference not in get_args(Reference):
        raise UsageError("unknown reference", where="reference", received=f"'{reference}'",
                         do="use unknown or nothing")  # fmt: skip
    whole_number(steps, "steps", 1)
    whole_number(most, "most", 1)
    one = asked(run, rows, model, data)
    if one.schema.kind not in ("text", "tokens"):
        raise UsageError("only texts have words", where="run",
                         received=f"data of kind '{one.schema.kind}'",
                         do="use explain, which shows what fits the data")  # fmt: skip
    if one.schema.task == "language":
        raise UsageError("words are explained where a text has an answer, or each word a tag",
                         where="run", received="a model of the next token",
                         do="use gradient_reach to see how far back it looks")  # fmt: skip
    texts = texts_of(one, rows, which, most)
    against: Reference = reference or _reference(one)
    options: dict[str, Any] = {"steps": steps} if method == "integrated-gradients" else {}
    options |= {"reference": against} if method in REFERRED else {}
    attributor = partial(METHODS[method], position=_position(one.schema, position), **options)
    made = [_explained(one, text, attributor, target, against, position, seed) for text in texts]
    return ExplainedWords(method, against if method in REFERRED else "", tuple(made))


def _position(schema: Schema, position: int | None) -> int | None:
    if schema.task != "tagging":
        if position is not None:
            raise UsageError("only tags belong to a word", where="position",
                             received=str(position), do="leave it out")  # fmt: skip
        return None
    if position is None:
        raise UsageError("every word has a tag", where="position",
                         do="say which word is explained, from 0")  # fmt: skip
    return whole_number(position, "position", 0)


def _reference(run: Asked) -> Reference:
    """ "unknown" where training rows had unknown words, so that its numbers were learned."""
    given, known = run.predictor.recipe.data.options, len(run.predictor.preparation.vocabulary)
    rare = given.get("fewest", 1) > 1 or known >= given.get("vocabulary", 20_000) + len(SPECIAL)
    return "unknown" if rare or run.schema.task == "tagging" else "nothing"


def _explained(
    run: Asked, text: Text, attributor: Any, target: str | None, reference: Reference,
    position: int | None, seed: int,
) -> WordAttribution:  # fmt: skip
    """One text."""
    predictor, data = run.predictor, run.schema
    module, count = predictor.module, len(text.words)
    if position is not None and position >= count:
        raise UsageError("the text has no such word", where="position", received=str(position),
                         do=f"words are 0 to {count - 1}")  # fmt: skip
    inputs = text.numbers[None]
    made = forward(module, [inputs])
    made = made if position is None else made[:, position]
    form = FORMS[predictor.recipe.loss.name]
    answers = form.predictions(made).double().cpu().numpy().reshape(-1)
    answer = int(answers.argmax()) if data.classes else 0
    truth = text.truth if position is None or text.truth is None else text.truth[position]
    number = answer_number(target, answer, truth, data.classes)
    # One output stands for two classes: for the second as it is, for the first with its sign.
    single = made.shape[1] == 1
    sign = -1.0 if single and data.classes and number == 0 else 1.0
    goal = torch.zeros(1, dtype=torch.int64) if single else torch.tensor([number])
    unsigned = attributor.func is METHODS["saliency"]
    values = attributor(module, inputs, goal)[0] * (1.0 if unsigned else sign)
    lost = deletion(module, text.numbers, goal[0], values,
                    reference=reference, position=position, seed=seed)  # fmt: skip
    lost = Deletion(sign * lost.ordered, sign * lost.random)
    named = data.classes[int(truth)] if data.classes and truth is not None and truth >= 0 else ""
    return WordAttribution(
        text.name, tuple(text.words), values[:count].double().cpu().numpy(),
        data.classes[number] if data.classes else data.target,
        data.classes[answer] if data.classes else "", named,
        sign * float(made[0, 0 if single else number]),
        float(answers[number]) if data.classes else float("nan"), lost, position,
    )  # fmt: skip
