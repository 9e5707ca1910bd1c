"""Data: readers, kinds of columns, preparation, splits.

What lives here: everything between a source on disk or in memory and float32 arrays with row
numbers. `load` reads, `split` and `folds` cut rows, `preparation` fits on training rows only.
It may touch the files that the user names and those of named sets, for reading only; it writes
nothing. It knows values, parts, keys and errors, and nothing of models. scikit-learn, Pillow and
torch are imported only where a source needs them.
"""

from __future__ import annotations

from chymist.data.duplicates import copies_across as copies_across
from chymist.data.duplicates import duplicates_across as duplicates_across
from chymist.data.load import load as load
from chymist.data.load import moved as moved
from chymist.data.load import reload as reload
from chymist.data.named import named_sets as named_sets
from chymist.data.schema import Schema as Schema
from chymist.data.schema import left_aside as left_aside
from chymist.data.schema import read_inputs as read_inputs
from chymist.data.schema import schema_of as schema_of
from chymist.data.splits import folds as folds
from chymist.data.splits import group_numbers as group_numbers
from chymist.data.splits import hold_out as hold_out
from chymist.data.splits import moments as moments
from chymist.data.splits import split as split
