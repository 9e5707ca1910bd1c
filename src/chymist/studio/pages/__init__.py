"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import (
    compare,
    curves,
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
    *playground.ROUTES,
    *predictions.ROUTES,
    *explain.ROUTES,
    *doctor.ROUTES,
)
