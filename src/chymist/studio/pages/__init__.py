"""Routes of the pages, one module a page: requests to plain values, nothing computed here."""

from chymist.studio.pages import playground, runs

ROUTES = (*runs.ROUTES, *playground.ROUTES)
