"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import curves, frame, playground, runs

ROUTES = (
    *curves.ROUTES,
    *runs.ROUTES,
    *frame.ROUTES,
    *playground.ROUTES,
)
