"""Reports: what a run looks like on a page, in a notebook and in a terminal.

What lives here: `page` (the one HTML file of a run) with its sections, `charts` and `svg` (own
small SVG kit), `about_comparison`, `about_folds`, `about_runs`, `about_search`, `about_race` and
`about_diagnosis` (pages of studies), `bands` (curves of many trainings), `markup` (HTML that
escapes by itself), `layers` (a model layer by layer), `cuts` (how a protocol cuts rows), `findings`
(cards of the doctor), `views` (`Run.plot()` and a run in a notebook), `notebook` (other results
there, cut out of their reports), `live` (a fit while it runs), `text` (tables and sparklines for
terminals). It reads values, metrics and evidence and changes nothing. Importing it gives `Run` its
plots.
"""

from chymist.reports.layers import LayerRow as LayerRow
from chymist.reports.layers import layer_table as layer_table
from chymist.reports.page import report_html as report_html
from chymist.reports.views import notebook_html, plot
from chymist.values import Run

Run.views["plot"] = plot
Run.views["html"] = notebook_html
