"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import curves, runs

ROUTES = (*runs.ROUTES, *curves.ROUTES)
