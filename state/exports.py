"""Audit tables as files: CSV for spreadsheets, Parquet for data frames.

pandas is loaded when a file is written and not before; nothing else in this package uses it.
"""

from pathlib import Path

from state.errors import StorageFailed
from state.readers import Cell, Table

# Spreadsheets run text that begins like this as a formula
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(table: Table, path: Path) -> None:
    """Write a table as CSV in UTF-8; text that a spreadsheet would run gets a ' in front.

    Raises: StorageFailed.
    """
    import pandas as pd

    rows = [[_harmless(cell) for cell in row] for row in table.rows]
    frame = pd.DataFrame(rows, columns=list(table.columns), dtype=object)
    try:
        frame.to_csv(path, index=False, lineterminator="\n")
    except OSError as cause:
        raise StorageFailed(path, cause.strerror or str(cause)) from cause


def write_parquet(table: Table, path: Path) -> None:
    """Write a table as Parquet; whole numbers stay whole where cells are empty.

    Raises: StorageFailed.
    """
    import pandas as pd

    frame = pd.DataFrame(list(table.rows), columns=list(table.columns), dtype=object)
    try:
        frame.convert_dtypes().to_parquet(path, index=False)
    except OSError as cause:
        raise StorageFailed(path, cause.strerror or str(cause)) from cause


def _harmless(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
