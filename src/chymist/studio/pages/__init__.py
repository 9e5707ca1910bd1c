"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import (
    compare,
    curves,
    architecture,
    doctor,
    explain,
    frame,
    playground,
    predictions,
    runs,
)

ROUTES = (
    *curves.ROUTES,
    *runs.ROUTES,
    *compare.ROUTES,
    *frame.ROUTES,
    *doctor.ROUTES,
    *architecture.ROUTES,
    *playground.ROUTES,
    *predictions.ROUTES,
    *explain.ROUTES,
    *doctor.ROUTES,
from chymist.studio.pages import layers, runs
    *layers.ROUTES,
)
