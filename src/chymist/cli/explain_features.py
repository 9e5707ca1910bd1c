"""`chymist explain`: what units respond to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {}
