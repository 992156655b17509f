"""The material that ``prepare_tiles.py`` wrote, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from prepare_tiles import optical_density
from scipy import ndimage as ndi

if TYPE_CHECKING:
    from pathlib import Path


class Sources:
    """Arrays of ``sources.npz`` as attributes, and what follows from them."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as archive:
            for name in archive.files:
                setattr(self, name, archive[name])
        soft = ndi.gaussian_filter(self.bank[:, 1].astype(np.float32), (0, 1.5, 1.5))
        self.bank_mask = (self.bank[:, 1] > 0.5).astype(np.float32)
        self.bank_density = self.bank[:, 0].astype(np.float32) * np.clip(2 * soft, 0, 1)
        area = [(bottom - top) * (right - left) for top, bottom, left, right in self.labelled]
        self.share = np.array(area) / sum(area)
        self.unmix = self._stains_of_slide()
        self.recolourable = np.flatnonzero(~self.pink)
        self.round_nuclei = np.flatnonzero(self.bank_elongation < 1.6)
        self.oval_nuclei = np.flatnonzero(
            (self.bank_elongation > 1.35) & (self.bank_elongation < 2.6)
        )
        self.long_nuclei = np.flatnonzero(self.bank_elongation > 1.9)

    def _stains_of_slide(self) -> np.ndarray:
        """Return the matrix that takes optical density to haematoxylin, eosin and the rest."""
        density = optical_density(self.slide[::2, ::2], 243.0)
        inside = self.slide_labels[::2, ::2] > 0
        stroma = ~inside & (density[..., 1] > 0.3) & (density[..., 0] < 0.35 * density[..., 1])
        vectors = [density[where].mean(axis=0) for where in (inside, stroma)]
        vectors = [vector / np.linalg.norm(vector) for vector in vectors]
        return np.linalg.inv(np.stack([*vectors, np.cross(*vectors)])).astype(np.float32)
