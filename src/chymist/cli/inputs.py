"""From options to data, split and recipe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.options import recipe_fields
from chymist.errors import InputError, UsageError
from chymist.parts import listed, part
from chymist.values import Data, Recipe, Split


def load_source(options: argparse.Namespace) -> Data:
    """Read the data source."""
    header = {"yes": True, "no": False, None: None}[options.header]
    columns = pairs(options.columns, "--columns") if options.columns else None
    test = options.test if options.test and number(options.test) is None else None
    return cy.load(
        options.source,
        target=options.target,
        columns=columns,
        header=header,
        test=test,
        missing=options.missing,
        image_size=options.image_size,
        kind=options.kind,
        tokens=options.tokens,
        steps=options.steps,
        horizon=options.horizon,
        graph=options.graph,
    )


def split_of(options: argparse.Namespace, data: Data) -> Split:
    """Cut the rows as the options say."""
    test = number(options.test) if options.test else None
    valid = None
    if options.valid is not None:
        given = number(options.valid)
        if given is None:
            raise UsageError(
                "not a share",
                where="--valid",
                received=f"'{options.valid}'",
                do="give a number from 0 to 1, for example 0.2",
            )
        valid = given
    return cy.split(
        data,
        test=test,
        valid=valid,
        seed=options.seed if options.split_seed is None else options.split_seed,
        group=options.group,
        time=options.time,
    )


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe: a file if given, then what the options say on top of it.

    Raises:
        InputError: the file cannot be read.
        UsageError: an unknown name or value.
    """
    plain: dict[str, Any] = {}
    if options.recipe:
        try:
            text = Path(options.recipe).read_text("utf-8-sig")
        except (OSError, ValueError) as error:
            raise InputError(
                "the recipe file cannot be read",
                where=options.recipe,
                received=getattr(error, "strerror", None) or "no UTF-8 text",
                do="give a TOML file",
            ) from None
        plain = Recipe.from_toml(text, options.recipe).to_dict()
    return Recipe.from_dict(merged(plain, recipe_fields(options)))


def folds_given(options: argparse.Namespace, folds: int) -> Any:
    """`--protocol NAME --protocol.OPTION VALUE` as a protocol, or `--folds`: a number, or "loo".

    Its options are taken out of `options.dotted`, since they belong to no recipe.

    Args:
        options: of a verb that cuts rows.
        folds: their number, if neither is given.

    Raises:
        UsageError: an unknown name or value, or both ways at once.
    """
    dotted = options.dotted
    given = {n.partition(".")[2]: v for n, v in dotted.items() if n.startswith("protocol.")}
    options.dotted = {n: v for n, v in dotted.items() if not n.startswith("protocol.")}
    if options.protocol is None:
        if given:
            where = f"--protocol.{next(iter(given))}"
            raise UsageError(
                "options of the protocol without its name", where=where, do="add --protocol NAME"
            )
        for name in ("repeats", "seeds"):
            count(getattr(options, name, None), f"--{name}")
        return folds if options.folds is None else _folds(options.folds)
    for name in ("folds", "repeats", "seeds"):
        if getattr(options, name, None) is not None:
            raise UsageError("a protocol has options of its own", where=f"--{name}",
                             do=f"leave it out; see chymist part {options.protocol}")  # fmt: skip
    return part("protocol", options.protocol, **given)


def _folds(text: str) -> Any:
    if text == "loo":
        return text
    if not text.isdecimal() or int(text) < 2:
        raise UsageError("folds must be 2 or more, or loo", where="--folds", received=f"'{text}'")
    return int(text)


def count(number: int | None, where: str) -> None:
    """Refuse less than one, where a number is given.

    Raises:
        UsageError: it is so.
    """
    if number is not None and number < 1:
        what = f"at least one {where[2:-1]}" if where.endswith("s") else "a number from 1 on"
        raise UsageError(f"{what} is needed", where=where, received=str(number))


def merged(plain: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Fields of the command line over those of the file.

    A new name replaces a part with its options; options alone change those of the file's part.

    Example:
        >>> merged({"optimizer": {"name": "adam", "lr": 0.1}}, {"optimizer": {"lr": 0.2}})
        {'optimizer': {'name': 'adam', 'lr': 0.2}}
    """
    result = dict(plain)
    for field, value in given.items():
        if isinstance(value, dict):
            base = result.get(field, {})
            base = {"name": base} if isinstance(base, str) else base
            same = "name" not in value or value["name"] == base.get("name")
            value = {**(base if same else {}), **value}
            if "name" not in value and field != "data":
                raise UsageError(
                    f"options of the {field} without its name",
                    where=", ".join(f"--{field}.{o}" for o in value),
                    do=f"add --{field} NAME",
                )
        result[field] = value
    return result


def number(text: str) -> float | None:
    """A share or count as text, or None if it is no number.

    Example:
        >>> number("0.25"), number("30"), number("test.csv")
        (0.25, 30, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value >= 1 and value.is_integer() else value


def pairs(text: str, where: str) -> dict[str, str]:
    """`a=x,b=y` as a mapping; a name with a comma is quoted: `"a, b"=x`.

    Raises:
        UsageError: an item has no equals sign.

    Example:
        >>> pairs('"city, country"=category,zip=id', "--columns")
        {'city, country': 'category', 'zip': 'id'}
    """
    found = {}
    for item in listed(text, where):
        name, sign, value = item.rpartition("=")
        if not sign:
            raise UsageError(
                "value does not fit",
                where=where,
                received=f"'{item}'",
                do="write NAME=KIND,NAME=KIND",
            )
        if name.strip() in found:
            raise UsageError("a name is given twice", where=where, received=f"'{name.strip()}'",
                             do="give each name once")  # fmt: skip
        found[name.strip()] = value.strip()
    return found
