"""`write_report`: plain data in, one self-contained HTML file out."""

import base64
import html
from dataclasses import dataclass, field

import cv2

from distilpose_keras.files import atomic_path
from distilpose_keras.report.charts import loss_curves
from distilpose_keras.report.rows import COLUMNS, texts


@dataclass(frozen=True)
class Gallery:
    """Pictures that belong together.

    Attributes:
        title: heading.
        text: what the reader sees there.
        pictures: (caption, (height, width, 3) uint8 RGB) pairs.
    """

    title: str
    text: str
    pictures: list = field(default_factory=list)


_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2330; background: #f4f5f7;
       margin: 0 }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 60px; background: #fff }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 19px; margin: 38px 0 6px }
p { max-width: 75ch; color: #47505f; margin: 4px 0 14px }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 6px 14px; border-bottom: 1px solid #dfe3e8; text-align: right }
th { font-weight: 600; border-bottom: 2px solid #aab2bf }
th.text, td.text { text-align: left }
img { max-width: 100%; height: auto; border: 1px solid #e3e6ea; border-radius: 4px }
figure { margin: 0 0 18px; display: inline-block; vertical-align: top }
figure + figure { margin-left: 14px }
figcaption { font-size: 13px; color: #5a6473 }
"""


def write_report(path, *, title, text="", histories, rows, galleries=()):
    """Write the report of a run.

    Args:
        path: the HTML file; written atomically, needs no other file.
        title: heading of the page.
        text: a paragraph on what was run.
        histories: see `loss_curves`; may be empty.
        rows: list of dicts, one per model and file; the keys of `COLUMNS` that at
            least one row has become the table's columns, in that order, and their
            values are shown as `texts` writes them.
        galleries: `Gallery` objects, in order.

    Raises:
        ValueError: if a row has a key that is not a column.
    """
    parts = ["<h2>Accuracy, size and speed</h2>", _table(rows)]
    curves = loss_curves(histories)
    if curves is not None:
        parts += ["<h2>Training</h2>", figure("", curves, ".png")]
    for gallery in galleries:
        parts += [f"<h2>{escape(gallery.title)}</h2>", paragraph(gallery.text)]
        parts += [figure(*picture, ".jpg") for picture in gallery.pictures]
    write_page(path, title, text, parts)


def write_page(path, title, text, parts):
    """Write a page that needs no other file, atomically.

    Args:
        path: the HTML file.
        title: heading of the page.
        text: a paragraph below it.
        parts: pieces of HTML, such as `figure` and `paragraph` make.
    """
    parts = [f"<h1>{escape(title)}</h1>", paragraph(text), *parts]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>\n"
        f"<body><main>\n{chr(10).join(parts)}\n</main></body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _table(rows):
    """The rows as an HTML table."""
    unknown = sorted({key for row in rows for key in row} - COLUMNS.keys())
    if unknown:
        raise ValueError(
            f"a row may have the keys {', '.join(COLUMNS)}. Received: {unknown}"
        )
    shown = [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]
    lines = [_line("th", shown, [COLUMNS[key].heading for key in shown])]
    lines += [_line("td", shown, texts(row, shown)) for row in rows]
    return f"<table>\n{chr(10).join(lines)}\n</table>"


def _line(tag, keys, words):
    """A line of the table, as HTML."""
    kinds = (' class="text"' if COLUMNS[key].is_text else "" for key in keys)
    cells = (
        f"<{tag}{kind}>{escape(word)}</{tag}>"
        for kind, word in zip(kinds, words, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def paragraph(text):
    """A paragraph; nothing for no text."""
    return f"<p>{escape(text)}</p>" if text else ""


def figure(caption, image, suffix):
    """An image embedded in the page."""
    encoded = base64.b64encode(_encode(image, suffix)).decode()
    kind = {".png": "png", ".jpg": "jpeg"}[suffix]
    note = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    source = f"data:image/{kind};base64,{encoded}"
    return f'<figure><img alt="{escape(caption)}" src="{source}">{note}</figure>'


def _encode(image, suffix):
    """The bytes of an RGB picture in a file format."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    _, content = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return content.tobytes()


def escape(text):
    """Text as HTML shows it."""
    return html.escape(str(text), quote=True)
