"""The single-cell reference that comes with a sample."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from napari_vhd.io.simulate.celltypes import TYPES
from napari_vhd.io.simulate.expression import InventedExpression

_CELLS_PER_TYPE = (80, 260)


def write_invented_reference(path: Path, genes: int, seed: int, column: str) -> None:
    """Write single cells of another donor: raw counts, made-up Ensembl ids, ``feature_name``."""
    expression = InventedExpression(genes, seed, batch=1)
    rng = np.random.default_rng((seed, 71))
    numbers = rng.integers(*_CELLS_PER_TYPE, len(TYPES))
    kind = rng.permutation(np.repeat(np.arange(len(TYPES)), numbers))
    richness = np.array([t.richness for t in TYPES])[kind]
    depth = richness * np.exp(rng.normal(np.log(2200), 0.45, len(kind)))
    counts = expression.draw(rng, kind, depth, np.zeros(len(kind)))
    obs = pd.DataFrame(
        {column: pd.Categorical.from_codes(kind, list(expression.type_names))},
        index=[f"ref_{i:06d}" for i in range(len(kind))],
    )
    var = pd.DataFrame(
        {"feature_name": list(expression.genes.symbols)}, index=list(expression.genes.ids)
    )
    ad.AnnData(counts.astype(np.float32), obs, var).write_h5ad(path, compression="gzip")
