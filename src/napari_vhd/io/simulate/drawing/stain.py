"""Colours of a staining run, and how dyes become light (Beer-Lambert)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
Float = NDArray[np.float32]

# Usual optical densities of R, G, B, in the range of published stain matrices (Ruifrok & Johnston
# 2001; Macenko et al. 2009).
_HAEMATOXYLIN: Colour = (0.58, 0.72, 0.37)
_EOSIN: Colour = (0.13, 0.87, 0.46)
_BLOOD: Colour = (0.08, 0.75, 0.62)
_WHITE = 243.0
_LN10 = np.float32(2.302585)


@dataclass(frozen=True)
class Stain:
    """Colours of one staining run.

    Attributes
    ----------
    haematoxylin, eosin, blood
        Optical densities of R, G, B of a unit of each dye.
    white
        Grey values of empty glass.
    """

    haematoxylin: Colour
    eosin: Colour
    blood: Colour
    white: Colour

    @staticmethod
    def draw(seed: int, variety: float = 1.0) -> Stain:
        """Vary the usual colours; `variety` 0 gives the usual ones."""
        rng = np.random.default_rng((seed, 31))

        def near(colour: Colour, spread: float, strength: float) -> Colour:
            vector = np.clip(np.array(colour) + rng.normal(0, spread * variety, 3), 0.03, None)
            vector *= np.exp(rng.normal(0, strength * variety)) / np.linalg.norm(vector)
            return float(vector[0]), float(vector[1]), float(vector[2])

        haematoxylin = near(_HAEMATOXYLIN, 0.028, 0.09)
        eosin = near(_EOSIN, 0.03, 0.10)
        blood = near(_BLOOD, 0.02, 0.05)
        white = np.clip(_WHITE + rng.normal(0, 2.0 * variety, 3), 228, 252)
        return Stain(
            haematoxylin, eosin, blood, (float(white[0]), float(white[1]), float(white[2]))
        )

    def light(self, dyes: Float) -> Float:
        """Grey values of R, G, B behind dyes.

        Parameters
        ----------
        dyes
            Amounts of haematoxylin, eosin and blood, (3, height, width).

        Returns
        -------
        float32 (height, width, 3), 0 to 255
        """
        vectors = np.array([self.haematoxylin, self.eosin, self.blood], np.float32)
        density = np.tensordot(dyes, vectors, axes=(0, 0))
        light: Float = np.array(self.white, np.float32) * np.exp(-_LN10 * density)
        return light
