"""`chymist explain`: what columns are worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {}
