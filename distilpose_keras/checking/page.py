"""The page of a check: problems, the worst cases in pictures, statistics."""

from distilpose_keras.checking.sheet import contact_sheet
from distilpose_keras.report.page import escape, figure, paragraph, write_page


def write_check_page(path, check):
    """Write a check as one self-contained HTML file.

    Args:
        path: the HTML file; written atomically.
        check: `DatasetCheck`.
    """
    title = f"Check of {check.folder.name or check.folder}"
    parts = ["<h2>Problems</h2>", _problem_table(check.problems)]
    for problem in check.problems:
        parts += _cases(problem, check.schemas.get(problem.split))
    for split, figures in check.statistics.items():
        parts += [f"<h2>{escape(split)}</h2>", *_figures(figures)]
        parts += [paragraph(f"Note: {remark}.") for remark in check.remarks[split]]
    write_page(path, title, check.line(), parts)


def _problem_table(problems):
    if not problems:
        return paragraph("None was found.")
    rows = [
        (p.split, p.kind, f"{p.count:,}", f"{p.of:,}", "yes" if p.serious else "look")
        for p in problems
    ]
    return table(("Split", "Problem", "Count", "Of", "Serious"), rows)


def _cases(problem, schema):
    """The examples of a problem, in pictures where there are some."""
    parts = [f"<h2>{escape(problem.kind)} ({escape(problem.split)})</h2>"]
    sheet = None if schema is None else contact_sheet(problem, schema)
    shown = [example.text for example in problem.examples]
    if sheet is not None:
        parts.append(
            figure("the worst cases, in the order of the list", sheet[0], ".jpg")
        )
    parts.append("<ol>" + "".join(f"<li>{escape(t)}</li>" for t in shown) + "</ol>")
    return parts


def _figures(figures):
    """The statistics of a split as two tables."""
    single = [
        (name.replace("_", " "), f"{value:,}")
        for name, value in figures.items()
        if isinstance(value, (int, float))
    ]
    single += [
        (f"{name.replace('_', ' ')}, percentiles 5, 50, 95", ", ".join(map(str, value)))
        for name, value in figures.items()
        if isinstance(value, list)
    ]
    single += [
        (f"people of category {name}", f"{count:,}")
        for name, count in figures["categories"].items()
    ]
    flags = [
        (name, *(f"{count:,}" for count in counts))
        for name, counts in figures["visibility"].items()
    ]
    return [
        table(("", ""), single),
        paragraph("Labels of people with keypoints:"),
        table(("Keypoint", "not labelled", "hidden", "visible"), flags),
    ]


def table(heads, rows):
    """An HTML table; the first two columns are text."""

    def line(tag, cells):
        marks = (' class="text"' if n < 2 and tag == "td" else "" for n in range(9))
        return "".join(
            f"<{tag}{mark}>{escape(cell)}</{tag}>"
            for cell, mark in zip(cells, marks, strict=False)
        )

    lines = [line("th", heads), *(line("td", row) for row in rows)]
    return "<table>" + "".join(f"<tr>{cells}</tr>" for cells in lines) + "</table>"
