"""Which names of cell types mean the same: of references, of layouts, and ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_vhd.io.simulate.tissue.celltypes import (
    B_CELL,
    ENDOTHELIAL,
    ENTEROCYTE,
    FIBROBLAST,
    GOBLET,
    MACROPHAGE,
    NEUTROPHIL,
    T_CELL,
    TUMOR,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A name belongs to the first kind whose pattern it contains.
_PATTERNS: tuple[tuple[str, int], ...] = (
    (r"lymphatic|endoth", ENDOTHELIAL),
    (
        r"fibro|\bcaf|strom|muscle|\bv?sm\b|\bsmc|\bsm\b|pericyt|glia|schwann|adipo|mesench",
        FIBROBLAST,
    ),
    (r"neutro|granulo", NEUTROPHIL),
    (r"macroph|mono|dendrit|dc\b|\bcdc|\btam|myel|\bmast|kupffer", MACROPHAGE),
    (r"plasma|\bb\b|\bb[ _-]?cell|\bpdc", B_CELL),
    (r"\bt\b|\bt[ _-]?cell|cd4|cd8|treg|\bnk\b|\bilc|lymphoc|immune", T_CELL),
    (r"goblet|secretory", GOBLET),
    (r"tumou?r|malign|cancer|carcinom|neoplas", TUMOR),
    (r"entero|epithel|colono|tuft|crypt|stem|paneth|absorp|endocrin", ENTEROCYTE),
)

# Where a kind has no cells in a reference, the kinds to take instead, most alike first.
_ALIKE: dict[int, tuple[int, ...]] = {
    TUMOR: (ENTEROCYTE, GOBLET), ENTEROCYTE: (GOBLET, TUMOR), GOBLET: (ENTEROCYTE, TUMOR),
    FIBROBLAST: (ENDOTHELIAL,), ENDOTHELIAL: (FIBROBLAST,), MACROPHAGE: (NEUTROPHIL,),
    NEUTROPHIL: (MACROPHAGE,), T_CELL: (B_CELL,), B_CELL: (T_CELL,),
}  # fmt: skip

# 10x Genomics' labels of the Visium HD colorectal cancers (DeconvolutionResults_P*CRC) to the types
# of the scMetaLink colorectal reference. Adipocyte and pDC are not there: neighbours stand in.
LABEL_TO_REFERENCE: dict[str, str] = {
    "Tumor I": "Tumor Epithelial", "Tumor II": "Tumor Epithelial",
    "Tumor III": "Tumor Epithelial", "Tumor IV": "Tumor Epithelial",
    "Tumor V": "Tumor Epithelial", "Goblet": "Normal Epithelial",
    "Enterocyte": "Normal Epithelial", "Epithelial": "Normal Epithelial",
    "Tuft": "Normal Epithelial", "Neuroendocrine": "Normal Epithelial", "CAF": "CAF",
    "Proliferating Fibroblast": "CAF", "Myofibroblast": "CAF", "Fibroblast": "Normal Fibroblast",
    "Vascular Fibroblast": "Normal Fibroblast", "vSM": "SMC", "Smooth Muscle": "SMC",
    "SM Stress Response": "SMC", "Unknown III (SM)": "SMC", "Pericytes": "Pericyte",
    "Endothelial": "Endothelial", "Lymphatic Endothelial": "Endothelial", "Macrophage": "TAM",
    "Proliferating Macrophages": "TAM", "cDC I": "Normal Macrophage",
    "mRegDC": "Normal Macrophage", "Neutrophil": "Monocyte", "Plasma": "Plasma", "Mature B": "B",
    "Memory B": "B", "CD4 T cell": "T", "CD8 T cell": "T", "NK": "T",
    "Proliferating Immune II": "T", "Mast": "Mast", "Enteric Glial": "Gliacyte",
}  # fmt: skip

_WITHOUT_LIKE = ("Adipocyte", "pDC")


def kind_of(name: str) -> int | None:
    """Find the number of our cell type that a name means, None where no pattern fits."""
    plain = name.lower().replace("_", " ")
    for pattern, kind in _PATTERNS:
        if re.search(pattern, plain):
            return kind
    return None


class TypeChooser:
    """Chooses, for cells of a kind or with a label, types of a reference.

    Parameters
    ----------
    names
        The reference's types.
    weights
        How common each is.
    """

    def __init__(self, names: Sequence[str], weights: NDArray[np.floating]) -> None:
        self._names, self._weights = list(names), np.asarray(weights, float)
        self._kinds = [kind_of(name) for name in names]

    def types_of_kind(self, kind: int) -> list[int]:
        """Types of one of our kinds; else of the kind most like it; else the most common type."""
        for wanted in (kind, *_ALIKE[kind]):
            found = [i for i, k in enumerate(self._kinds) if k == wanted]
            if found:
                return found
        return [int(np.argmax(self._weights))]

    def types_of_label(self, label: str) -> list[int]:
        """Types that a layout's label means; empty where it means none."""
        if label in self._names:
            return [self._names.index(label)]
        if LABEL_TO_REFERENCE.get(label) in self._names:
            return [self._names.index(LABEL_TO_REFERENCE[label])]
        kind = kind_of(label)
        if kind is None or label in _WITHOUT_LIKE:
            return []
        return self.types_of_kind(kind)

    def choose(
        self, rng: np.random.Generator, groups: NDArray[np.integer], options: Sequence[list[int]]
    ) -> NDArray[np.int64]:
        """Draw a type for each cell from the options of its group, common types more often."""
        chosen = np.zeros(len(groups), np.int64)
        for group, types in enumerate(options):
            here = np.flatnonzero(groups == group)
            if len(here):
                weights = self._weights[types]
                chosen[here] = rng.choice(types, len(here), p=weights / weights.sum())
        return chosen
