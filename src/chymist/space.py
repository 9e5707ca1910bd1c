"""Search spaces: which values of which fields of a recipe are tried.

A space maps dotted names of recipe fields ("optimizer.lr") to ranges and choices. A range over a
field that takes whole numbers gives whole numbers. Points are drawn by key, one for each name, so
that a further trial or a further name changes none of the others.
"""

from __future__ import annotations

import itertools
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from chymist.errors import UsageError, nearest
from chymist.keys import generator
from chymist.parts import Part, convert, definition
from chymist.values import PART_FIELDS, Recipe

LARGEST_GRID = 10_000
TRIES = 50  # draws for one new point, where most have been drawn before
DIGITS = 6  # significant ones of a drawn number

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(:log)?")


@dataclass(frozen=True)
class Range:
    """All numbers from low to high, evenly or evenly in their logarithm.

    Args:
        low, high: the ends, low < high.
        log: whether equal ratios are equally likely; low must then be positive.
        whole: whether the field takes whole numbers only.
        listed: whether the field takes a list, of which this is the only item.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    listed: bool = False

    def at(self, share: float) -> Any:
        """The value at a share of the range.

        Args:
            share: from 0 to 1, 1 excluded for whole numbers.

        Example:
            >>> Range(1e-4, 1e-1, log=True).at(1 / 3), Range(1, 4, whole=True).at(0.99)
            (0.001, 4)
        """
        high = self.high + 1 if self.whole else self.high
        if self.log:
            value = math.exp(math.log(self.low) + share * (math.log(high) - math.log(self.low)))
        else:
            value = self.low + share * (high - self.low)
        return self.from_number(value)

    def from_number(self, value: float) -> Any:
        """A number as a value of the field: rounded, within the range, listed."""
        made = math.floor(value) if self.whole else float(f"{value:.{DIGITS}g}")
        made = type(made)(min(max(made, self.low), self.high))
        return (made,) if self.listed else made

    def share(self, value: Any) -> float:
        """Where a value lies, from 0 at the low end to 1 at the high one."""
        number = float(value[0] if self.listed else value)
        low, high = self.low, self.high
        if self.log:
            low, high, number = math.log(low), math.log(high), math.log(number)
        return (number - low) / (high - low)

    @property
    def values(self) -> tuple[Any, ...]:
        """All values, if the field takes whole numbers; else none, because they are too many."""
        if not self.whole or self.high - self.low >= LARGEST_GRID:
            return ()
        numbers = range(int(self.low), int(self.high) + 1)
        return tuple((n,) if self.listed else n for n in numbers)

    @property
    def corners(self) -> tuple[Any, ...]:
        """The values that must fit the field for all to fit."""
        ends = (int(self.low), int(self.high)) if self.whole else (self.low, self.high)
        return tuple((end,) if self.listed else end for end in ends)


@dataclass(frozen=True)
class Choice:
    """Some values, each as likely as the others."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share of the list, from 0 to 1, 1 excluded."""
        return self.values[int(share * len(self.values))]

    def from_number(self, number: int) -> Any:
        """The value of a number from 0."""
        return self.values[number]

    def share(self, value: Any) -> float:
        """Where a value stands in the list, from 0 to 1."""
        return self.values.index(value) / max(len(self.values) - 1, 1)

    @property
    def corners(self) -> tuple[Any, ...]:
        """The values that must fit the field for all to fit."""
        return self.values


Axis = Range | Choice
Space = Mapping[str, Axis]
Point = Mapping[str, Any]


def uniform(low: float, high: float) -> Range:
    """All numbers from low to high, each as likely as the others.

    Args:
        low, high: the ends; whole numbers are drawn where the field takes no others.

    Raises:
        UsageError: the range is empty.

    Example:
        >>> uniform(0, 0.5).at(0.5)
        0.25
    """
    return _range(low, high, False, f"{low!r}..{high!r}")


def log(low: float, high: float) -> Range:
    """All numbers from low to high, equal ratios equally likely (rates, widths, decays).

    Args:
        low, high: the ends, positive.

    Raises:
        UsageError: the range is empty, or an end is not positive.

    Example:
        >>> log(1e-4, 1e-2).at(0.5)
        0.001
    """
    return _range(low, high, True, f"{low!r}..{high!r}:log")


def choice(*values: Any) -> Choice:
    """Some values: names of parts, lists, numbers.

    Raises:
        UsageError: fewer than two different values.

    Example:
        >>> choice((32,), (128, 64)).at(0.7)
        (128, 64)
    """
    kept = tuple(value for n, value in enumerate(values) if value not in values[:n])
    if len(kept) < 2:
        raise UsageError("a choice needs two different values", received=repr(values)[:80],
                         do="give more values, or set the field in the recipe")  # fmt: skip
    return Choice(kept)


def _range(low: Any, high: Any, logarithmic: bool, text: str) -> Range:
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (low, high))
    if not numbers or not math.isfinite(low) or not math.isfinite(high):
        raise UsageError("a range needs two finite numbers", received=text[:80],
                         do="write 1e-4..1e-1")  # fmt: skip
    if not low < high:
        raise UsageError("the range is empty", received=text, do="put the smaller number first")
    if logarithmic and low <= 0:
        raise UsageError("a logarithmic range needs positive ends", received=text,
                         do="start above 0, or leave out :log")  # fmt: skip
    return Range(float(low), float(high), logarithmic)


def parse(text: str, single: bool, where: str) -> Axis | None:
    """What a command line says to try: a range, a choice, or None for one value to set.

    Args:
        text: `1e-4..1e-1:log`, `0..0.5`, `32|128|128,64`, or a value.
        single: whether the field takes one value, so that a comma separates choices too.
        where: name of the field, for errors.

    Raises:
        UsageError: neither of them.

    Example:
        >>> parse("1e-4..1e-1:log", True, "optimizer.lr")
        Range(low=0.0001, high=0.1, log=True, whole=False, listed=False)
        >>> parse("32|128,64", False, "model.hidden"), parse("128,64", False, "model.hidden")
        (Choice(values=('32', '128,64')), None)
    """
    try:
        if "|" in text:
            return choice(*(item.strip() for item in text.split("|")))
        if ".." in text:
            found = RANGE.fullmatch(text.strip())
            if not found:
                raise UsageError("not a range", received=f"'{text[:80]}'",
                                 do="write 0..0.5 or 1e-4..1e-1:log")  # fmt: skip
            ends = float(found[1]), float(found[2])
            return _range(*ends, bool(found[3]), text.strip())
        if single and "," in text:
            return choice(*(item.strip() for item in text.split(",")))
    except UsageError as error:
        raise UsageError(error.what, where=where, received=error.received, do=error.do) from None
    return None


def takes_list(name: str, recipe: Recipe, default: Callable[[Recipe], Recipe]) -> bool:
    """Whether a field of a recipe takes a list or a mapping, whose items commas separate.

    Args:
        name: dotted name of the field.
        recipe: the recipe.
        default: fills what a recipe leaves open.

    Raises:
        UsageError: there is no such field.

    Example:
        >>> recipe = Recipe(model="mlp")
        >>> takes_list("model.hidden", recipe, lambda recipe: recipe)
        True
    """
    origins = {typing.get_origin(leaf) for leaf in _leaves(_hint(name, recipe, default))}
    return bool(origins & {tuple, dict})


def fitted(space: Space, recipe: Recipe, default: Callable[[Recipe], Recipe]) -> Space:
    """A space whose axes fit the fields that they name: converted, and whole where they must be.

    Args:
        space: axes by dotted name.
        recipe: what the values are written into.
        default: fills what a recipe leaves open.

    Raises:
        UsageError: an empty space, an unknown field, a value that a field does not take.

    Example:
        >>> fitted({"batch_size": uniform(8, 16)}, Recipe(), lambda recipe: recipe)
        {'batch_size': Range(low=8.0, high=16.0, log=False, whole=True, listed=False)}
    """
    if not space:
        raise UsageError("nothing to search", where="space",
                         do="give a range or a choice: --optimizer.lr 1e-4..1e-1:log")  # fmt: skip
    named = {name.replace("-", "_"): axis for name, axis in space.items()}
    for name, axis in named.items():
        if not isinstance(axis, (Range, Choice)):
            raise UsageError("neither a range nor a choice", where=name, received=repr(axis)[:80],
                             do="use cy.space.uniform, log or choice")  # fmt: skip
    first = {n: a.values[0] for n, a in named.items() if n in PART_FIELDS and a.values}
    _known(named)
    base = recipe.replace(**first)
    made = {name: _fit(name, axis, _hint(name, base, default)) for name, axis in named.items()}
    for name, axis in made.items():
        for corner in axis.corners:
            written(base, {name: corner}, default)
    return made


def written(recipe: Recipe, point: Point, default: Callable[[Recipe], Recipe]) -> Recipe:
    """A recipe with the values of a point; parts whose options are set are filled if left open.

    Args:
        recipe: what the values are written into.
        point: values by dotted name.
        default: fills what a recipe leaves open.

    Raises:
        UsageError: an unknown field, or a value that a field does not take.

    Example:
        >>> written(Recipe(optimizer="adam"), {"optimizer.lr": 0.02}, lambda recipe: recipe)
        Recipe(model=None, loss=None, optimizer=adam(lr=0.02), ...)
    """
    _known(point)
    made = recipe.replace(**{name: value for name, value in point.items() if "." not in name})
    for name, value in point.items():
        slot, dot, option = name.partition(".")
        if dot:
            part = _part_in(slot, made, default)
            made = made.replace(**{slot: part.replace(**{option: value})})
    return made


def drawn(space: Space, trials: int, seed: int) -> list[Point]:
    """Different points of a space, drawn at random; all points if there are no more.

    The first points of a longer list are those of a shorter one.

    Args:
        space: as `fitted` gives it.
        trials: number of points.
        seed: seed of the draw.

    Example:
        >>> drawn({"batch_size": Choice((16, 32))}, 5, seed=0)
        [{'batch_size': 16}, {'batch_size': 32}]

    Source: Bergstra, Bengio 2012, Random search for hyper-parameter optimization.
    """
    size = math.prod(len(axis.values) or math.inf for axis in space.values())
    if size <= trials:
        return grid(space)
    found: dict[str, Point] = {}
    for number in range(TRIES * trials):
        point = {
            name: axis.at(generator(seed, "search", name, number).random())
            for name, axis in space.items()
        }
        found.setdefault(repr(point), point)
        if len(found) == trials:
            break
    return list(found.values())


def grid(space: Space) -> list[Point]:
    """All points of a space of choices and whole numbers.

    Args:
        space: as `fitted` gives it.

    Raises:
        UsageError: a range of numbers that are not whole, too many points.

    Example:
        >>> grid({"batch_size": Choice((16, 32)), "stop": Choice(("none", "early"))})[1]
        {'batch_size': 16, 'stop': 'early'}
    """
    for name, axis in space.items():
        if not axis.values:
            raise UsageError("a grid needs values, not a range", where=name,
                             received=text_of_axis(axis), do="list them: 1e-3|1e-2")  # fmt: skip
    size = math.prod(len(axis.values) for axis in space.values())
    if size > LARGEST_GRID:
        raise UsageError("the grid is too large", received=f"{size:,} points",
                         do=f"give at most {LARGEST_GRID:,}, or search at random")  # fmt: skip
    rows = itertools.product(*(axis.values for axis in space.values()))
    return [dict(zip(space, row, strict=True)) for row in rows]


def text_of(value: Any) -> str:
    """A value as a person writes it.

    Example:
        >>> text_of(0.0123456), text_of((128, 64)), text_of("relu")
        ('0.0123', '128,64', 'relu')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (tuple, list)):
        return ",".join(map(text_of, value))
    return str(value)


def text_of_axis(axis: Axis) -> str:
    """An axis as the command line writes it.

    Example:
        >>> text_of_axis(log(1e-4, 0.1)), text_of_axis(choice((32,), (128, 64)))
        ('0.0001..0.1:log', '32|128,64')
    """
    if isinstance(axis, Choice):
        return "|".join(map(text_of, axis.values))
    return f"{axis.low:g}..{axis.high:g}{':log' if axis.log else ''}"


def _known(space: Iterable[str]) -> None:
    """Refuse names of no recipe field."""
    slots = [item.name for item in fields(Recipe)]
    for name in space:
        slot, dot, _ = name.partition(".")
        if slot not in slots or (dot and slot not in PART_FIELDS):
            known = PART_FIELDS if dot else slots
            raise UsageError("unknown recipe field", where="space", received=f"'{name}'",
                             do=nearest(slot, known))  # fmt: skip


def _part_in(slot: str, recipe: Recipe, default: Callable[[Recipe], Recipe]) -> Part:
    """The part in a slot of a recipe, or the default one."""
    part: Part = getattr(recipe, slot) or getattr(default(recipe), slot)
    if part.source:
        raise UsageError("a module of your own has no options to search", where=slot,
                         received=f"'{part.name}'", do="search fields of other parts")  # fmt: skip
    return part


def _hint(name: str, recipe: Recipe, default: Callable[[Recipe], Recipe]) -> Any:
    """The declared type of a field."""
    _known({name: Choice(())})
    slot, dot, option = name.partition(".")
    if not dot:
        return HINTS.get(slot, str)
    part = _part_in(slot, recipe, default)
    options = definition(slot, part.name).options
    if option not in options:
        raise UsageError(f"unknown option of {slot} '{part.name}'", where="space",
                         received=f"'{name}'",
                         do=nearest(option, options) if options else "it has none")  # fmt: skip
    return options[option].annotation


def _leaves(hint: Any) -> Iterator[Any]:
    """The types of a union, without annotations."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        yield from _leaves(inner[0])
    elif origin in (typing.Union, types.UnionType):
        for one in inner:
            yield from _leaves(one)
    else:
        yield hint


def _fit(name: str, axis: Axis, hint: Any) -> Axis:
    """An axis for a field of a type."""
    if isinstance(axis, Choice):
        if hint is str:  # names of parts, lengths and precisions: the recipe checks them
            return axis
        try:
            return choice(*(convert(value, hint, name) for value in axis.values))
        except UsageError as error:
            raise UsageError(error.what, where=name, received=error.received,
                             do=error.do) from None  # fmt: skip
    leaves = set(_leaves(hint))
    lists = [typing.get_args(leaf) for leaf in leaves if typing.get_origin(leaf) is tuple]
    items = {leaf for one in lists if one[-1] is ... for leaf in _leaves(one[0])}
    listed = bool(items & {int, float}) and not leaves & {int, float}
    kinds = items if listed else leaves
    if not kinds & {int, float}:
        raise UsageError("the field takes no range", where=name, received=text_of_axis(axis),
                         do="list its values: a|b|c")  # fmt: skip
    whole = float not in kinds
    if whole and not (axis.low.is_integer() and axis.high.is_integer()):
        raise UsageError("the field takes whole numbers", where=name,
                         received=text_of_axis(axis), do="give whole ends")  # fmt: skip
    return replace(axis, whole=whole, listed=listed)


HINTS: Mapping[str, Any] = {"batch_size": Literal["all"] | int, "accumulate": int}
