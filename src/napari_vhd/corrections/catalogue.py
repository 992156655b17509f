"""What a sample can be coloured by: its columns, with titles and groups for a reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_vhd import keys

if TYPE_CHECKING:
    import pandas as pd

CATEGORICAL: Literal["categorical"] = "categorical"
NUMBER: Literal["number"] = "number"
DOMAINS, CELL_TYPES, SCORES = "Domains", "Cell types", "Scores"
QUALITY, REGIONS, OWN_LABELS, GENES = "Quality", "Regions", "Own labels", "Genes"
GENE_PREFIX = "gene:"
KEPT_NAMES = ("kept", "dropped")

_TITLES = {
    keys.TYPE_DOMAIN: ("Type of its domain", ""),
    keys.TYPE_ENRICHMAP: ("Type by EnrichMap", ""),
    keys.TYPE_CELLTYPIST: ("Type by CellTypist (majority)", ""),
    keys.TYPE_CELLTYPIST_PER_CELL: ("Type by CellTypist (each cell)", ""),
    keys.CONFIDENCE_CELLTYPIST: ("Confidence of CellTypist", ""),
    keys.KEPT: ("Kept by quality control", ""),
    keys.KEPT_REASON: ("Why dropped", ""),
    keys.ISLAND: ("Island", ""),
    keys.REGION_NAME: ("Region of the run", ""),
    keys.AREA_UM2: ("Area", "µm²"),
    keys.PROBABILITY: ("Probability of the nucleus", ""),
    "n_bins": ("2 µm bins", ""),
    "n_counts": ("UMIs", ""),
    "total_counts_mt": ("Mitochondrial UMIs", ""),
    "pct_counts_mt": ("Mitochondrial share", "%"),
    "n_genes_by_counts": ("Genes", ""),
}
# Ids, and what says the same twice.
_LEFT_OUT = frozenset({keys.CELL_ID, keys.REGION_KEY, keys.NUCLEUS_ID, "novae_sid", "total_counts"})
_DOMAINS = re.compile(keys.domains(0)[:-1] + r"(\d+)$")


@dataclass(frozen=True)
class Column:
    """Something that cells can be coloured by.

    Attributes
    ----------
    name
        Name of the column; ``gene:<symbol>`` for a gene.
    kind
        ``"categorical"`` or ``"number"``.
    title, unit
        For a reader.
    group
        Heading under which it is listed.
    """

    name: str
    kind: Literal["categorical", "number"]
    title: str
    unit: str
    group: str


def columns_of(frame: pd.DataFrame) -> list[Column]:
    """List the columns of a table's ``obs`` (or of boundaries) that cells can be coloured by."""
    found = [column_of(str(name), frame[name]) for name in frame if name not in _LEFT_OUT]
    order = (DOMAINS, CELL_TYPES, SCORES, REGIONS, QUALITY)
    return sorted((c for c in found if c is not None), key=lambda c: order.index(c.group))


def column_of(name: str, values: pd.Series) -> Column | None:
    """Describe one column, None where cells cannot be coloured by it."""
    import pandas as pd

    if name.startswith("log1p_"):
        return None
    named = values.dtype == object or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype)
    if named or pd.api.types.is_bool_dtype(values.dtype) or name == keys.ISLAND:
        kind: Literal["categorical", "number"] = CATEGORICAL
    elif pd.api.types.is_numeric_dtype(values.dtype):
        kind = NUMBER
    else:
        return None
    title, unit = title_of(name)
    return Column(name, kind, title, unit, _group(name))


def codes_of(values: pd.Series) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Read a categorical column: int32 codes (-1: none) and names."""
    import pandas as pd

    names: tuple[str, ...]
    if pd.api.types.is_bool_dtype(values.dtype):
        truth = values.fillna(False).to_numpy(dtype=bool)
        names = KEPT_NAMES if values.name == keys.KEPT else ("yes", "no")
        return np.where(truth, 0, 1).astype(np.int32), names
    if not isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("category")
    names = tuple(str(name) for name in values.cat.categories)
    codes = values.cat.codes.to_numpy().astype(np.int32)
    if "" in names:
        # No reason is no category.
        empty = names.index("")
        codes = np.where(codes == empty, -1, codes - (codes > empty)).astype(np.int32)
        names = (*names[:empty], *names[empty + 1 :])
    return codes, names


def title_of(name: str) -> tuple[str, str]:
    """Give the title and unit of a column for a reader."""
    if name in _TITLES:
        return _TITLES[name]
    if match := _DOMAINS.match(name):
        return f"{match[1]} domains", ""
    if name.endswith("_score_raw"):
        return f"{_words(name.removesuffix('_score_raw'))} score, not smoothed", ""
    if name.endswith("_score"):
        return f"{_words(name.removesuffix('_score'))} score", ""
    return _words(name), ""


def _group(name: str) -> str:
    if name.endswith(("_score", "_score_raw")):
        return SCORES
    if _DOMAINS.match(name):
        return DOMAINS
    if name.startswith("cell_type_") or name == keys.CONFIDENCE_CELLTYPIST:
        return CELL_TYPES
    return REGIONS if name == keys.REGION_NAME else QUALITY


def _words(name: str) -> str:
    return name.replace("_", " ")
