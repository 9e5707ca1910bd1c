"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import layers, population, runs

ROUTES = (
    *runs.ROUTES,
    *layers.ROUTES,
    *population.ROUTES,
)
