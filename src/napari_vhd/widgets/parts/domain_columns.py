"""Columns of domains, and which of them are computed with a range."""

from __future__ import annotations

from napari_vhd import keys


def domain_columns(domain_range: tuple[int, int]) -> list[str]:
    """Name the columns of domains that a range gives."""
    low, high = domain_range
    return [keys.domains(number) for number in range(low, high + 1)]


def fitting_column(column: str, domain_range: tuple[int, int]) -> str:
    """Give the column of domains nearest to one that a range does not give."""
    columns = domain_columns(domain_range)
    if column in columns or not column.startswith(keys.domains(0)[:-1]):
        return column
    try:
        number = int(column.removeprefix(keys.domains(0)[:-1]))
    except ValueError:
        return column
    return columns[0] if number < domain_range[0] else columns[-1]
