"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import (
    architecture,
    compare,
    curves,
    doctor,
    explain,
    frame,
    layers,
    overview,
    playground,
    population,
    predictions,
    runs,
)

ROUTES = (
    *architecture.ROUTES,
    *compare.ROUTES,
    *curves.ROUTES,
    *doctor.ROUTES,
    *explain.ROUTES,
    *frame.ROUTES,
    *layers.ROUTES,
    *overview.ROUTES,
    *playground.ROUTES,
    *population.ROUTES,
    *predictions.ROUTES,
    *runs.ROUTES,
)
