"""The report of a run: one self-contained HTML page with curves, table and pictures."""
