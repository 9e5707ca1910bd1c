"""Parts of a recipe: named, with checked options, as frozen values.

A part is *described* by a `Part` (kind, name, options) and *built* by the function registered
under that name. `cy.optim.adam(lr=1e-3)` describes; the engine builds when it has the parameters.
The palette is closed: a name in a file can only select a function that is registered here, it can
never import or run anything.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from importlib import import_module
from typing import Annotated, Any, Concatenate, ParamSpec

import msgspec

from chymist.errors import UsageError, nearest

MOST = sys.float_info.max  # infinity is no value of an option
Positive = Annotated[float, msgspec.Meta(gt=0, le=MOST)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Fraction = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]

P = ParamSpec("P")

# Where each kind of part is defined; imported when the first part of that kind is looked up.
PALETTE = {
    "data": "chymist.data.preparation",
    "model": "chymist.models",
    "activation": "chymist.activations",
    "init": "chymist.initializers",
    "loss": "chymist.losses",
    "penalty": "chymist.penalties",
    "optimizer": "chymist.optim",
    "schedule": "chymist.schedules",
    "clip": "chymist.clip",
    "gradient_noise": "chymist.gradient_noise",
    "stop": "chymist.stop",
    "augment": "chymist.augment",
    "protocol": "chymist.protocols",
    "toy": "chymist.data.toys",
}


@dataclass(frozen=True)
class Definition:
    """A registered part: its name, the function that builds it, and its options with types."""

    kind: str
    name: str
    build: Callable[..., Any]
    fixed: int  # leading arguments that the engine supplies (parameters, shapes, tensors)

    @cached_property
    def options(self) -> dict[str, inspect.Parameter]:
        """Options by name, in the order of the signature, with evaluated annotations."""
        hints = typing.get_type_hints(self.build, include_extras=True)
        parameters = list(inspect.signature(self.build).parameters.values())[self.fixed :]
        return {p.name: p.replace(annotation=hints[p.name]) for p in parameters}


_REGISTRY: dict[str, dict[str, Definition]] = {kind: {} for kind in PALETTE}


@dataclass(frozen=True)
class Part:
    """A part of a recipe as a value: kind, name and options.

    Args:
        kind: "model", "loss", "optimizer", ...
        name: registered name, or the class name of a user's own module.
        items: options as sorted (name, value) pairs.
        source: hash of the source of a user's own module, else empty.
        factory: the user's own module or factory; not part of equality.

    Example:
        >>> part("optimizer", "adam", lr=0.01)
        adam(lr=0.01)
    """

    kind: str
    name: str
    items: tuple[tuple[str, Any], ...] = ()
    source: str = ""
    factory: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return dict(self.items)

    def replace(self, **options: Any) -> Part:
        """The same part with some options changed."""
        return part(self.kind, self.name, **{**self.options, **options})

    def build(self, *fixed: Any) -> Any:
        """Build the part with what the engine supplies."""
        return definition(self.kind, self.name).build(*fixed, **self.options)

    def bind(self) -> Callable[..., Any]:
        """The registered function with this part's options already given."""
        function, options = definition(self.kind, self.name).build, self.options
        if not options:
            return function

        def bound(*fixed: Any, **more: Any) -> Any:
            return function(*fixed, **options, **more)

        return bound

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.items)})"

    __repr__ = __str__


def register(kind: str, fixed: int = 0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function under its own name; the function itself stays as it is.

    Args:
        kind: kind of the part.
        fixed: number of leading arguments that are no options.
    """

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        _REGISTRY[kind][build.__name__] = Definition(kind, build.__name__, build, fixed)
        return build

    return decorate


def describer(
    kind: str,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Callable[P, Part]]:
    """Register a builder and turn it into a function that describes the part.

    The first argument of the builder is what the engine supplies; the others are options.
    """

    def decorate(build: Callable[Concatenate[Any, P], Any]) -> Callable[P, Part]:
        _REGISTRY[kind][build.__name__] = Definition(kind, build.__name__, build, 1)

        signature = inspect.signature(build)
        visible = signature.replace(parameters=list(signature.parameters.values())[1:])

        @wraps(build)
        def describe(*args: P.args, **options: P.kwargs) -> Part:
            try:
                given = visible.bind_partial(*args).arguments if args else {}
            except TypeError as error:
                raise UsageError(str(error), where=f"{kind} {build.__name__}") from None
            return part(kind, build.__name__, **given, **options)

        describe.__signature__ = visible  # type: ignore[attr-defined]
        return describe

    return decorate


def definition(kind: str, name: str) -> Definition:
    """The definition registered under a name.

    Raises:
        UsageError: the name is unknown; the nearest right one is named.
    """
    known = registered(kind)
    if name not in known:
        raise UsageError(f"unknown {kind}", received=f"'{name}'", do=nearest(name, known))
    return known[name]


def registered(kind: str) -> Mapping[str, Definition]:
    """All registered parts of a kind, by name."""
    if kind not in PALETTE:
        raise UsageError("unknown kind of part", received=f"'{kind}'", do=nearest(kind, PALETTE))
    if PALETTE[kind] not in sys.modules:
        import_module(PALETTE[kind])
    return _REGISTRY[kind]


def part(kind: str, name: str, **options: Any) -> Part:
    """Describe a registered part, with its options checked and converted.

    Args:
        kind: kind of the part ("loss", "optimizer", ...).
        name: its registered name.
        **options: its options; text is converted to the declared type ("1e-3", "128,64").

    Returns:
        A frozen `Part`.

    Raises:
        UsageError: unknown name, unknown option or a value out of range.

    Example:
        >>> part("optimizer", "adam", lr="1e-2").options
        {'lr': 0.01}
    """
    known = definition(kind, name).options
    items = []
    for option, value in options.items():
        if option not in known:
            raise UsageError(
                f"unknown option of {kind} '{name}'",
                received=f"'{option}'",
                do=nearest(option, known) if known else "it has no options",
            )
        where = f"{kind}.{option}"
        items.append((option, convert(value, known[option].annotation, where)))
    return Part(kind, name, tuple(sorted(items)))


def spelled(kind: str, text: str) -> Part:
    """A part from its name, or from its name and options as a part is printed.

    Args:
        kind: kind of the part.
        text: "elu" or "elu(alpha=0.5)".

    Raises:
        UsageError: unknown name or option, or a value out of range.

    Example:
        >>> spelled("activation", "elu(alpha=0.5)").options
        {'alpha': 0.5}
    """
    name, bracket, rest = text.strip().partition("(")
    if bracket and not rest.endswith(")"):
        raise UsageError("a bracket is not closed", where=kind, received=repr(text)[:80],
                         do="write name(option=value)")  # fmt: skip
    pairs = listed(rest.removesuffix(")"), kind)
    return part(kind, name.strip(), **dict(_pair(item, kind) for item in pairs))


def in_order(kind: str, steps: str | Sequence[Any]) -> Part:
    """Several parts of one kind, one after the other, as a part; a single one is itself.

    Args:
        kind: kind of the parts; it has a part "in_order" with the option `steps`.
        steps: parts, or their names, with options in brackets; or a text of them with commas.

    Raises:
        UsageError: unknown name or option, or a value out of range.

    Example:
        >>> in_order("augment", "flip, crop(padding=2)").options
        {'steps': ('flip', 'crop(padding=2)')}
        >>> in_order("augment", ["crop(padding=2)"])
        crop(padding=2)
    """
    texts = re.split(r",(?![^(]*\))", steps) if isinstance(steps, str) else steps
    found = [one if isinstance(one, Part) else spelled(kind, str(one)) for one in texts]
    return found[0] if len(found) == 1 else part(kind, "in_order", steps=[*map(written, found)])


def written(described: Part) -> str:
    """A part as `spelled` reads it.

    Example:
        >>> written(part("augment", "crop", padding=2, fill="edge"))
        'crop(fill=edge, padding=2)'
    """
    options = ", ".join(f"{name}={value}" for name, value in described.items)
    return f"{described.name}({options})" if options else described.name


def convert(value: Any, hint: Any, where: str) -> Any:
    """A value as the declared type of an option.

    Args:
        value: a Python value, or text from a command line or file.
        hint: the type annotation of the option.
        where: name of the option, for the error.

    Raises:
        UsageError: the value does not fit the type or its range.

    Example:
        >>> convert("128,64", tuple[int, ...], "model.hidden")
        (128, 64)
    """
    if isinstance(value, Part) and hint is str:  # a part within a part is kept as it is printed
        value = str(value)
    if isinstance(value, str) and _expects_tuple(hint):
        value = listed(value, where)
    if isinstance(value, str) and _expects_mapping(hint):
        value = dict(_pair(item, where) for item in listed(value, where))
    try:
        return msgspec.convert(value, hint, strict=False)
    except msgspec.ValidationError as error:
        choices = [str(choice) for choice in _choices(hint)]
        do = nearest(str(value), choices) if "enum" in str(error) else str(error).lower()
        if choices and _takes_number(hint):
            do = f"give a number, or {' or '.join(choices)}"
        raise UsageError("value does not fit", where=where, received=repr(value), do=do) from None


def listed(text: str, where: str) -> list[str]:
    """The items between commas; one that holds a comma itself is quoted, as in a CSV file.

    Args:
        text: what the user wrote.
        where: name of the option, for the error.

    Raises:
        UsageError: a quotation mark is not closed.

    Example:
        >>> listed('a, "b, c"', "data.drop")
        ['a', 'b, c']
    """
    try:
        row = next(csv.reader([text], skipinitialspace=True, strict=text.count('"') % 2 == 1), [])
    except csv.Error:
        raise UsageError(
            "a list cannot be read",
            where=where,
            received=repr(text)[:80],
            do='close the quotation marks: "a,b",c',
        ) from None
    return [item.strip() for item in row if item.strip()]


def own(kind: str, factory: Callable[..., Any]) -> Part:
    """A part made from a user's own module or factory; its name and source hash are recorded."""
    target = (
        type(factory)
        if not inspect.isroutine(factory) and not inspect.isclass(factory)
        else factory
    )
    try:
        text = inspect.getsource(target)
    except (OSError, TypeError):
        text = getattr(target, "__qualname__", repr(target))
    name = getattr(target, "__name__", "module").replace("<lambda>", "factory")
    return Part(kind, name, (), hashlib.sha256(text.encode()).hexdigest()[:16], factory)


def _choices(hint: Any) -> list[Any]:
    """The values of a Literal, also inside a union."""
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [choice for part_ in typing.get_args(hint) for choice in _choices(part_)]


def _takes_number(hint: Any) -> bool:
    return hint in (int, float) or any(_takes_number(part_) for part_ in typing.get_args(hint))


def _expects_tuple(hint: Any) -> bool:
    return any(typing.get_origin(h) is tuple for h in (hint, *typing.get_args(hint)))


def _expects_mapping(hint: Any) -> bool:
    return any(typing.get_origin(h) is dict for h in (hint, *typing.get_args(hint)))


def _pair(item: str, where: str) -> tuple[str, str]:
    name, sign, value = item.rpartition("=")
    if not sign:
        raise UsageError(
            "value does not fit", where=where, received=repr(item), do="write NAME=VALUE"
        )
    return name.strip(), value.strip()
