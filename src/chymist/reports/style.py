"""The style sheet of the report: light and dark, narrow screens, print."""

from __future__ import annotations

import re

_COLORS = """
:root{color-scheme:light dark;--bg:#fdfdfa;--ink:#1d1d1b;--soft:#5c5c57;--rule:#dcdcd4;
--card:#f5f5ef;--s1:#0072b2;--s2:#c04f00;--s3:#00785a;--grid:#e6e6df;--axis:#8a8a83;
--hit:0 114 178;--miss:213 94 0}
@media(prefers-color-scheme:dark){:root{--bg:#141413;--ink:#e9e8e2;--soft:#a8a79f;--rule:#383833;
--card:#1e1e1c;--s1:#62b6ee;--s2:#f29a52;--s3:#45c79c;--grid:#2b2b28;--axis:#7d7c75;
--hit:64 156 220;--miss:240 140 60}}
"""

_TEXT = """*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,
"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:1040px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1,h2,.verdict{font-family:Charter,"Iowan Old Style",Palatino,Georgia,"Noto Serif",serif;
font-weight:600;line-height:1.25;overflow-wrap:anywhere}
h1{font-size:2rem;margin:.1em 0 .3em}
figcaption,h1,h2,h3,.verdict{text-wrap:balance}
h2{font-size:1.4rem;margin:0 0 .8em}
h3{font-size:1rem;margin:2.2em 0 .5em}
section{border-top:1px solid var(--rule);padding:30px 0 26px;margin-top:26px}
p{margin:.5em 0;max-width:68ch;overflow-wrap:anywhere}
a{color:var(--s1)}
.eyebrow,.note,footer,nav{color:var(--soft);font-size:.86rem}
.eyebrow{margin:0}
nav a{color:inherit;margin-right:1.1em;white-space:nowrap;display:inline-block;padding:.15em 0}
.verdict{font-size:1.5rem;max-width:34em;margin:0 0 .9em;font-weight:500}
.caution{border-left:3px solid var(--s2);padding:.1em 0 .1em .9em}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:34px 44px;margin:1.2em 0}
.head{display:grid;grid-template-columns:minmax(0,4fr) minmax(0,5fr);gap:10px 44px;
align-items:start}
.big{font-size:3.6rem;line-height:1.05;font-weight:600;letter-spacing:-.02em;margin:.1em 0}
.big+p{margin-top:.2em}
article{border:1px solid var(--rule);border-radius:6px;padding:2px 20px 14px;margin:20px 0}
article h3{margin:1em 0 .5em}article .grid{margin:.5em 0 0}article .grid>*{min-width:0}
figure{margin:0;min-width:0}
figcaption{font-weight:600;margin:0 0 .5em;line-height:1.4;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;max-width:560px;overflow:visible}
.tree svg{width:auto;max-width:none}
"""

_DRAWING = """svg text{fill:var(--soft)}
svg .lead{fill:var(--ink);font-weight:600}
svg .grid{stroke:var(--grid)}svg .axis{stroke:var(--axis)}
svg line.s1,svg line.s2{stroke-width:2}
svg .s1{stroke:var(--s1)}svg .s2{stroke:var(--s2)}svg .s3{stroke:var(--s3)}
svg .dot,svg text.s1,svg text.s2,svg text.s3{stroke:none}
svg .dot.s1,svg text.s1,svg .bar{fill:var(--s1)}svg .dot.s2,svg text.s2{fill:var(--s2)}
svg .dot.s3,svg text.s3{fill:var(--s3)}
svg .bar{opacity:.75}
svg .best,svg .floor{stroke:var(--axis)}
svg .lost{fill:var(--s2);font-weight:700}
svg path{stroke-linejoin:round}
"""

_REST = """.scroll{overflow-x:auto;max-width:100%;margin:.5em 0}
table{border-collapse:collapse;font-size:.88rem;line-height:1.4}
th,td{text-align:left;padding:.28em 1.3em .28em 0;border-bottom:1px solid var(--grid);
vertical-align:top;max-width:22em;overflow-wrap:break-word}
th{color:var(--soft);font-weight:500;border-color:var(--rule);white-space:nowrap}
.n,.t{white-space:nowrap}.n{text-align:right}
tr.sum td{font-weight:600;border-top:1px solid var(--rule)}
.matrix{table-layout:auto}
.matrix td,.matrix th{vertical-align:middle;padding:.3em .45em;text-align:center;border:0;
min-width:2.9em}
.matrix th[scope=row]{text-align:right;padding-right:.8em}
.matrix td small{display:block;font-size:.76em;line-height:1.1}
.matrix td{border:1px solid var(--bg)}
.matrix .z{color:var(--soft)}
.h{background:rgb(var(--hit)/var(--a))}.m{background:rgb(var(--miss)/var(--a))}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px 28px;
margin:1em 0}
dl div{min-width:0}dl .wide{grid-column:span 2}
dt{color:var(--soft);font-size:.84rem}dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--card);padding:12px 14px;overflow-x:auto;font:.84rem/1.5 ui-monospace,
SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;margin:.4em 0 1.2em;border-radius:4px}
code{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em;
overflow-wrap:anywhere}
td code,td b{white-space:nowrap}
details{margin:.5em 0}
summary{cursor:pointer;color:var(--soft);font-size:.86rem}
.shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:22px 18px;
padding:0;margin:1em 0;list-style:none}
.shots img{width:96px;height:96px;object-fit:contain;image-rendering:pixelated;display:block;
background:var(--card);border:1px solid var(--rule)}
.shots p{margin:.35em 0 0;font-size:.8rem;line-height:1.4}
.looks{grid-template-columns:repeat(auto-fill,minmax(200px,1fr))}
.looks div{display:flex;gap:4px}
.beside{display:flex;flex-wrap:wrap;gap:20px 64px;align-items:flex-start}
.beside>*{min-width:min(17em,100%);max-width:100%}.beside h3{margin-top:0}
.beside .note{contain:inline-size}
.samples{display:grid;grid-template-columns:minmax(2em,max-content) repeat(6,34px);gap:5px 7px;
align-items:center;font-size:.85rem;color:var(--soft)}
.samples span{text-align:right;padding-right:.4em;max-width:9em;overflow:hidden;
text-overflow:ellipsis;white-space:nowrap}
.samples img{width:34px;height:34px;object-fit:contain;image-rendering:pixelated;display:block}
.wrong{color:var(--s2);font-weight:600}
li{max-width:68ch;overflow-wrap:anywhere;margin:.3em 0}
footer{padding-top:8px;padding-bottom:48px}
@media screen and (max-width:760px){header,main,footer{padding-left:16px;padding-right:16px}
.grid,.head{grid-template-columns:minmax(0,1fr)}
h1{font-size:1.6rem}.verdict{font-size:1.25rem}.big{font-size:2.9rem}
section{padding:22px 0 18px}th,td{padding-right:.75em}svg text{font-size:14.5px}
article{padding:0 12px 10px}
.shots{grid-template-columns:repeat(auto-fill,minmax(96px,1fr))}
.looks{grid-template-columns:repeat(auto-fill,minmax(196px,1fr))}}
@media print{:root{--bg:#fff}body{font-size:9.5pt}header,main,footer{padding:0}
section{padding:14px 0 8px;margin-top:12px}.grid{gap:18px 30px}.big{font-size:2.6rem}
nav,summary{display:none}
figure,article,tr,li,dl div{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}
pre{white-space:pre-wrap}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""

STYLE = _COLORS + _TEXT + _DRAWING + _REST

# A drawing has its own size of letters, which its labels were placed for.
_ALONE = """svg{background:var(--bg);font-variant-numeric:tabular-nums;font-family:system-ui,
-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
"""


def as_file(markup: object) -> str:
    """The first SVG of a piece of the report, as a file of its own with the report's colours.

    Args:
        markup: the piece.

    Raises:
        ValueError: there is no drawing in it.

    Example:
        >>> as_file('<p><svg width="3"><g/></svg></p>')[:50]
        '<svg xmlns="http://www.w3.org/2000/svg" width="3">'
    """
    found = re.search(r"<svg\b.*?</svg>", str(markup), re.DOTALL)
    if found is None:
        raise ValueError("no drawing in this piece of the report")
    svg = found.group()
    if "xmlns=" not in svg.split(">")[0]:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    head, rest = svg.split(">", 1)
    style = (_COLORS + _ALONE + _DRAWING).replace("<", "&lt;")
    return f"{head}><style>{style}</style>{rest}\n"
