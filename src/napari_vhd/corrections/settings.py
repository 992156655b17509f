"""How the stages were set whose results can be worked out anew for a single cell."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from napari_vhd import keys
from napari_vhd.parameters import CelltypistParameters, QcParameters

if TYPE_CHECKING:
    from collections.abc import Mapping

Parameters = TypeVar("Parameters")

_OF_QC = frozenset({keys.KEPT, keys.KEPT_REASON})
_LETTERS = 16


class Settings:
    """Parameters of the stages as their results were computed.

    Parameters
    ----------
    recipes
        Stage -> what its result depends on (`napari_vhd.io.publishing.Done.recipe`).

    Attributes
    ----------
    qc, celltypist
        None where the stage is not done, or nothing says how.
    """

    def __init__(self, recipes: Mapping[str, Mapping[str, Any]]) -> None:
        self._recipes = recipes
        self.qc = _read(QcParameters, recipes.get("qc"))
        self.celltypist = _read(CelltypistParameters, recipes.get("celltypist"))

    def recipe(self, column: str) -> str:
        """Hash what a column of single cells depends on besides their counts."""
        stages = ("qc",) if column in _OF_QC else ("qc", "celltypist")
        parts = [
            [self._recipes.get(stage, {}).get(part) for part in ("parameters", "files")]
            for stage in stages
        ]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]


def _read(kind: type[Parameters], recipe: Mapping[str, Any] | None) -> Parameters | None:
    """Make parameters of what was written down; what is not known any longer is left out."""
    written = (recipe or {}).get("parameters")
    if written is None:
        return None
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in written.items() if name in names})
