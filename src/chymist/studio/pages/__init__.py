"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import architecture, doctor, frame, playground, runs

ROUTES = (
    *runs.ROUTES,
    *frame.ROUTES,
    *doctor.ROUTES,
    *architecture.ROUTES,
    *playground.ROUTES,
)
