"""The cell card and the summary of a selection as rich text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .wording import one_of, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_vhd.corrections.readings import Card
    from napari_vhd.review.summary import Distribution

    from .gathering import Cells

_MOST_CATEGORIES = 20


def card_text(card: Card, boundaries: str) -> str:
    """Write everything that is known of one cell."""
    parts = [f"<b>{escape(card.id)}</b> &nbsp;{escape(one_of(boundaries))}"]
    parts += [f"<p>⚠ {escape(sentence)}</p>" for sentence in _warnings(card)]
    facts = [
        ("Area", _number(card.area_um2, "µm²")),
        ("UMIs", _number(card.umis)),
        ("Genes", _number(card.genes)),
        ("Probability", _number(card.probability)),
    ]
    parts.append(_table([(name, value) for name, value in facts if value]))
    if card.labels:
        rows = [
            (title, f"<b>{escape(str(value or '–'))}</b>{_by(by)}")
            for title, value, by in card.labels
        ]
        parts += ["<p>Labels</p>", _table(rows, raw=True)]
    if card.scores:
        ranked = sorted(card.scores, key=lambda s: -s[1] if s[1] == s[1] else float("inf"))
        parts += ["<p>Scores</p>", _table((t, _number(v) or "–") for t, v in ranked)]
    return "".join(parts)


def _warnings(card: Card) -> list[str]:
    found = []
    if not card.kept:
        reason = f": {card.kept_reason}" if card.kept_reason else ""
        found.append(f"Left out by quality control{reason}.")
    if card.stale:
        found.append(f"Out of date since this cell was edited: {', '.join(card.stale)}.")
    if card.conflicts:
        found.append(f"Two opinions: {'; '.join(str(c) for c in card.conflicts)}.")
    return found


def _by(by: str) -> str:
    return f"<br><small>{escape(by)}</small>" if by else ""


def cells_text(cells: Cells) -> str:
    """Write what several cells are like."""
    rows = [("Area, median", _number(cells.area_um2.median, "µm²"))]
    rows.append(("Area, all", _number(cells.area_um2.total, "µm²")))
    for title, unit, values in cells.quality:
        rows.append((f"{title}, median", _median(values, unit)))
    parts = [f"<b>{cells.number:,} {escape(title_of(cells.boundaries))}</b>", _table(rows)]
    if cells.shares:
        parts.append(f"<p>{escape(cells.column)}</p>")
        parts.append(_composition(cells))
    return "".join(parts)


def _median(values: Distribution, unit: str) -> str:
    return _number(values.median, unit) if values.number else "–"


def _composition(cells: Cells) -> str:
    shown = cells.shares[:_MOST_CATEGORIES]
    rows = [
        (
            f"<span style='color:{share.color}'>■</span> {escape(share.name)}",
            f"{100 * share.share:.1f} % ({share.count:,})",
        )
        for share in shown
    ]
    more = len(cells.shares) - len(shown)
    if more > 0:
        rows.append((f"and {more} more", ""))
    return _table(rows, raw=True)


def _table(rows: Iterable[Sequence[str]], raw: bool = False) -> str:
    cells = (
        f"<tr><td style='padding-right:10px'>{name if raw else escape(name)}</td>"
        f"<td>{value if raw else escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"


def _number(value: float | None, unit: str = "") -> str:
    """Write a number, "" where there is none."""
    if value is None or value != value:
        return ""
    whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f} {unit}".rstrip() if whole else f"{value:.3g} {unit}".rstrip()
