"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import doctor, explain, frame, overview, playground, predictions, runs

ROUTES = (
    *runs.ROUTES,
    *frame.ROUTES,
    *overview.ROUTES,
    *playground.ROUTES,
    *predictions.ROUTES,
    *explain.ROUTES,
    *doctor.ROUTES,
)
