"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import (
    architecture,
    doctor,
    explain,
    frame,
    playground,
    predictions,
    runs,
)

ROUTES = (
    *runs.ROUTES,
    *frame.ROUTES,
    *doctor.ROUTES,
    *architecture.ROUTES,
    *playground.ROUTES,
    *predictions.ROUTES,
    *explain.ROUTES,
)
