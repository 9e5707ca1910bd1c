"""`chymist explain`: what words, nodes and edges are worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

METHODS: Mapping[str, Callable[[argparse.Namespace], int]] = {}
