"""`sample`: let a language model go on with a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist.data.streams import END
from chymist.data.texts import SPECIAL, tokenized
from chymist.engine.folder import open_folder
from chymist.engine.steps import carries, forget
from chymist.errors import InputError, UsageError
from chymist.keys import generator
from chymist.values import Run, whole_number
from chymist.verbs.records import finished, load_model


def sample(
    run: Run | str | Path, prompt: str = "", length: int = 200, temperature: float = 1.0,
    seed: int = 0, *, model: Any = None,
) -> str:  # fmt: skip
    """Draw a continuation of a text, token by token, from what the model expects next.

    Each token is drawn with probability softmax(outputs / temperature), and read as the next
    input. A temperature of 0 takes the most probable one.

    Args:
        run: a run whose task is the next token, or its folder.
        prompt: the text to go on with; nothing begins as after the end of a line.
        length: tokens that are drawn.
        temperature: below 1 is more careful, above 1 more daring.
        seed: seed of the draws.
        model: the user's own module or factory, if the run was made with one and is read from
            its folder.

    Returns:
        The continuation, without the prompt.

    Raises:
        UsageError: a number out of range, or a run of another task.
        InputError: a token of the prompt was not in the training text.

    Example:
        >>> import chymist as cy
        >>> ids = np.tile(np.arange(1, 5), 60)
        >>> data = cy.load((ids[:-5].reshape(-1, 5), ids[1:-4].reshape(-1, 5)), kind="tokens",
        ...                task="language")
        >>> run = cy.fit(cy.Recipe(length="40 epochs", batch_size=8), data, doctor=False)
        >>> cy.sample(run, "34", length=3, temperature=0)
        '123'

    Source: Graves 2013, arXiv:1308.0850.
    """
    length, seed = whole_number(length, "length", 1, 10**6), whole_number(seed, "seed", 0)
    if not isinstance(temperature, int | float) or not 0 <= temperature < np.inf:
        raise UsageError("no temperature", where="temperature", received=repr(temperature)[:40],
                         do="give a number from 0")  # fmt: skip
    module, vocabulary, steps = _opened(run, model)
    spelled = all(len(token) <= 1 for token in vocabulary if token not in SPECIAL)
    known = {token: number for number, token in enumerate(vocabulary)}
    begin = _begin(prompt, known, spelled)
    draws = generator(seed, "sample")
    silent = [number for number, token in enumerate(vocabulary) if token in SPECIAL]
    draw = partial(_draw, silent=silent, temperature=temperature, draws=draws)
    drawn = [vocabulary[n] for n in _drawn(module, begin, length, steps, draw)]
    if spelled:
        return "".join(drawn)
    return "".join("\n" if token == END else f" {token}" for token in drawn)


def _opened(run: Run | str | Path, model: Any) -> tuple[nn.Module, Sequence[str], int]:
    """Module, vocabulary and steps of a row."""
    if isinstance(run, Run):
        task, preparation, module = run.data.task, run.preparation, run.model
    else:
        saved = open_folder(run)
        finished(saved)
        task, preparation = saved.schema.task, saved.preparation
        module = load_model(saved, model)[0] if task == "language" else nn.Identity()
    if task != "language":
        raise UsageError("the run does not say what comes next in a text", where="run",
                         received=task, do="use predict")  # fmt: skip
    return module, preparation.vocabulary, preparation.shape[0]


def _begin(prompt: str, known: dict[str, int], spelled: bool) -> list[int]:
    """Numbers of the tokens of a prompt."""
    tokens = list(prompt) if spelled else prompt.split()
    if not spelled and any(token not in known for token in tokens):
        tokens = tokenized(prompt, "words")
    for token in tokens:
        if token not in known:
            raise InputError("a token of the prompt is not in the training text", where="prompt",
                             received=f"'{token[:40]}'", do="leave it out")  # fmt: skip
    end = "\n" if spelled else END
    return [known[token] for token in tokens] or [known.get(end, len(known) - 1)]


def _drawn(
    module: nn.Module, begin: list[int], length: int, steps: int, draw: Callable[[Tensor], int]
) -> list[int]:
    """Numbers of the drawn tokens."""
    kept, text, fresh = carries(module), list(begin), list(begin)
    module.eval()
    forget(module)
    device = next(module.parameters()).device
    with torch.no_grad():
        for _ in range(length):
            given = fresh if kept else text[-steps:]
            outputs = module(torch.tensor([given], device=device))[0, -1]
            fresh = [draw(outputs.double().cpu())]
            text += fresh
    forget(module)
    return text[len(begin) :]


def _draw(
    outputs: Tensor, silent: list[int], temperature: float, draws: np.random.Generator
) -> int:
    """One token from the outputs for all; those that stand for no text are never drawn."""
    outputs[silent] = -torch.inf
    if temperature == 0:
        return int(outputs.argmax())
    chances = torch.softmax(outputs / temperature, 0).numpy()
    return int(np.searchsorted(np.cumsum(chances), draws.random() * chances.sum(), "right"))
