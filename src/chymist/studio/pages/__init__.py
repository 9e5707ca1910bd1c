"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import compare, frame, runs

ROUTES = (
    *runs.ROUTES,
    *compare.ROUTES,
    *frame.ROUTES,
)
