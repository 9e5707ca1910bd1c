"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import explain, predictions, runs

ROUTES = (*runs.ROUTES, *predictions.ROUTES, *explain.ROUTES)
