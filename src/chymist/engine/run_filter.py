"""Which runs a list shows: a small language, parsed and never evaluated.

    model:resnet accuracy>0.9 state:running data:digits seed<3 -finding:overfitting "some text"

Terms stand beside each other and all must hold; "-" before a term turns it round. A term is a text
that a run must hold somewhere, or a field with a sign:

    field:text            holds the text, in any case; "" is a field that is absent
    field=value  !=       is this number, or this text
    field<0.1  <= > >=    a number (a date for `when`); an absent number never holds

Fields are those of `FIELDS`, a metric by its name or as `metric.NAME`, and any field of a recipe
by its dotted name (`optimizer.lr`, `batch_size`). Quotes hold together what has spaces.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chymist.engine.kinds import KINDS
from chymist.engine.run_rows import RunRow
from chymist.engine.status import STATES
from chymist.errors import UsageError, nearest

LONGEST = 1_000  # characters
MOST_TERMS = 40
SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
    "=": operator.eq,
}  # fmt: skip
FIELDS: Mapping[str, Callable[[RunRow], Any]] = {
    "name": lambda row: row.name,
    "kind": lambda row: row.kind,
    "state": lambda row: row.state,
    "data": lambda row: row.data,
    "fingerprint": lambda row: row.fingerprint,
    "model": lambda row: row.model,
    "recipe": lambda row: row.recipe,
    "code": lambda row: row.code,
    "seed": lambda row: row.seed,
    "score": lambda row: row.score and row.score["value"],
    "low": lambda row: row.score and row.score["low"],
    "high": lambda row: row.score and row.score["high"],
    "floor": lambda row: row.beaten,
    "finding": lambda row: [word for pair in row.findings for word in pair],
    "findings": lambda row: len(row.findings),
    "epochs": lambda row: row.epochs,
    "steps": lambda row: row.steps,
    "seconds": lambda row: row.seconds,
    "when": lambda row: datetime.fromtimestamp(row.when).astimezone().isoformat(),
    "verdict": lambda row: row.verdict,
}
CLOSED = {"kind": tuple(KINDS.values()), "state": STATES,
          "floor": ("beaten", "not beaten", "cannot tell")}  # fmt: skip
METRIC = "metric."
_TERM = re.compile(
    r'\s*(?P<no>-?)(?:(?P<field>[^\s"<>=!:-][^\s"<>=!:]*)(?P<sign><=|>=|!=|<|>|=|:))?'
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)'
)


@dataclass(frozen=True)
class Term:
    """One condition.

    Args:
        field: of a run; "" is anywhere.
        sign: ":" or one of `SIGNS`.
        value: the text or number as it was written.
        negated: whether it must not hold.
    """

    field: str
    sign: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        value = f'"{_escaped(self.value)}"' if _needs_quotes(self) else self.value
        return f"{'-' if self.negated else ''}{self.field}{self.sign if self.field else ''}{value}"


def parse_filter(text: str) -> tuple[Term, ...]:
    """The conditions of a filter.

    Args:
        text: as in the description of this module.

    Raises:
        UsageError: it is too long, or no such condition; names are checked by `check_filter`.

    Example:
        >>> [str(term) for term in parse_filter('model:mlp  -accuracy<0.9 "two words"')]
        ['model:mlp', '-accuracy<0.9', '"two words"']
    """
    if len(text) > LONGEST:
        raise _wrong(f"{len(text):,} characters", f"at most {LONGEST:,}")
    terms, at = [], 0
    while text[at:].strip():
        found = _TERM.match(text, at)
        if found is None or found.end() == at or not _is_term(found):
            received = text[at:].strip().split()[0][:60]
            quote = '"' in received
            raise _wrong(received, 'close the quotes: "two words"' if quote else
                         "write a text, or field:text, field=value, field<number")  # fmt: skip
        quoted = found["value"].startswith('"')
        value = re.sub(r"\\(.)", r"\1", found["value"][1:-1]) if quoted else found["value"]
        if found["sign"] not in (None, ":") and not value:
            raise _wrong(found[0].strip()[:60], f"give a value: {found['field']}{found['sign']}0.9")
        terms.append(Term(found["field"] or "", found["sign"] or ":", value, bool(found["no"])))
        at = found.end()
    if len(terms) > MOST_TERMS:
        raise _wrong(f"{len(terms)} terms", f"at most {MOST_TERMS}")
    return tuple(terms)


def _is_term(found: re.Match[str]) -> bool:
    """Whether a term has a field, or a text that does not begin with a sign."""
    return bool(found["field"] or (found["value"] and found["value"][0] not in "<>=!:"))


def check_filter(terms: Iterable[Term], rows: Collection[RunRow]) -> None:
    """Refuse fields that no run has, states and kinds that do not exist, and what is no number.

    Args:
        terms: of the filter.
        rows: all runs; those that are not there yet decide nothing.

    Raises:
        UsageError: with the nearest right name.
    """
    for term in terms:
        field, value = term.field, term.value
        if field and field not in FIELDS and not any(_has(row, field) for row in rows):
            names = {*FIELDS, *(n for row in rows for n in (*row.metrics, *row.fields))}
            raise _wrong(field[:60], nearest(field, names), "no such field")
        if field in CLOSED and term.sign in ":=!=" and value:
            known = CLOSED[field]
            if not any(value.lower() in one for one in known):
                raise _wrong(f"{field}{term.sign}{value[:40]}", nearest(value, known),
                             f"no such {field}")  # fmt: skip
        if term.sign[0] in "<>" and field != "when" and _number(value) is None:
            raise _wrong(str(term)[:60], f"give a number: {field}{term.sign}0.9")


def keeps(terms: Iterable[Term]) -> Callable[[RunRow], bool]:
    """What says whether all conditions hold for a run.

    Example:
        >>> row = RunRow("digits-0001", "fit", "finished", 0.0, metrics={"accuracy": 0.9})
        >>> [keeps(parse_filter(text))(row) for text in ("accuracy>0.8", "state:running", "digits")]
        [True, False, True]
    """
    tests = [_test(term) for term in terms]
    return lambda row: all(test(row) for test in tests)


def value_of(row: RunRow, field: str) -> Any:
    """A field of a run by name: of the list, a metric, or of its recipe; None if it has none."""
    if field in FIELDS:
        return FIELDS[field](row)
    if field.startswith(METRIC):
        return row.metrics.get(field.removeprefix(METRIC))
    return row.metrics[field] if field in row.metrics else row.fields.get(field)


def _has(row: RunRow, field: str) -> bool:
    return field.removeprefix(METRIC) in row.metrics or field in row.fields


def _test(term: Term) -> Callable[[RunRow], bool]:
    """One condition as a function; what does not depend on the run is worked out once."""
    holds = _holds(term)
    if not term.field:
        text = term.value.lower()
        return lambda row: (text in _words(row)) != term.negated
    field, negated = term.field, term.negated
    if _number(term.value) is None and field not in FIELDS:  # `loss` is a series, and a part
        return lambda row: (holds(row.fields.get(field)) if field in row.fields
                            else holds(value_of(row, field))) != negated  # fmt: skip
    return lambda row: holds(value_of(row, field)) != negated


def _holds(term: Term) -> Callable[[Any], bool]:
    """Whether a value satisfies a condition."""
    text, number = term.value.lower(), _number(term.value)
    if term.sign == ":":
        if not text:
            return lambda value: value in (None, "", [])
        return lambda value: any(text in one for one in _texts(value))
    compare = SIGNS[term.sign]
    if term.sign[0] in "<>":
        if number is None or term.field == "when":
            return lambda value: isinstance(value, str) and compare(value.lower(), text)
        return lambda value: _is_number(value) and compare(value, number)
    same = term.sign == "="

    def equal(value: Any) -> bool:
        if number is not None and _is_number(value):
            return (value == number or (math.isnan(value) and math.isnan(number))) == same
        return (text in _texts(value)) == same

    return equal


def _texts(value: Any) -> list[str]:
    """A value as the texts that it may be found by."""
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in _texts(one)]
    if value is None:
        return []
    return [f"{value:g}" if isinstance(value, float) else str(value).lower()]


def _words(row: RunRow) -> str:
    """Where a text without a field is looked for."""
    words = [row.name, row.kind, row.state, row.data, row.model, row.verdict, row.recipe]
    return "\n".join([*words, *(code for code, _ in row.findings)]).lower()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    try:
        return float(text.replace("_", "x"))  # Python would read 1_000
    except ValueError:
        return None


def _needs_quotes(term: Term) -> bool:
    """Whether the text of a condition would be read as something else without quotes."""
    value = term.value
    if not term.field and (not value or value.startswith("-") or re.search(r"[<>=!:]", value)):
        return True
    return bool(re.search(r'[\s"\\]', value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _wrong(received: str, do: str, what: str = "the filter is not understood") -> UsageError:
    return UsageError(what, where="--filter", received=received, do=do)
