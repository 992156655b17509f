"""The nine cell types of a simulated colorectal section: their look and their markers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CellType:
    """One cell type.

    Attributes
    ----------
    name
        As in the tables and in the config's marker genes.
    long, short
        Semi-axes of the nucleus (um).
    spread
        Relative standard deviation of both.
    wobble
        Relative amplitude of the nucleus outline's irregularity.
    shade
        Haematoxylin density of the nucleus relative to an enterocyte's.
    vesicular
        0: even, dark chromatin; 1: pale centre, dark rim, nucleoli.
    reach
        How far the cell body reaches beyond the nucleus (um).
    richness
        Transcripts per area relative to an enterocyte.
    markers
        Gene symbols, strongest first.
    """

    name: str
    long: float
    short: float
    spread: float
    wobble: float
    shade: float
    vesicular: float
    reach: float
    richness: float
    markers: tuple[str, ...]


def _genes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TYPES: tuple[CellType, ...] = (
    CellType(
        "Tumor", 5.3, 3.7, 0.14, 0.08, 0.92, 0.8, 5.0, 1.5,
        _genes("REG1A REG1B CEACAM6 TGFBI CEACAM5 LCN2 MMP7 CLDN1 SOX4 ASCL2 AXIN2 LGR5 NKD1"
               " PLAGL2 MYC CD44 S100P TSPAN1 DPEP1 KRT18"),
    ),
    CellType(
        "Fibroblasts", 7.6, 1.4, 0.22, 0.06, 1.05, 0.25, 3.6, 0.7,
        _genes("COL1A1 COL1A2 COL3A1 DCN LUM COL6A1 COL6A3 SPARC THY1 FAP POSTN MMP2 FBLN1 BGN"
               " VCAN ACTA2 TAGLN PDGFRB CTHRC1 FN1"),
    ),
    CellType(
        "Macrophages", 4.2, 3.1, 0.12, 0.11, 0.8, 0.5, 5.5, 1.0,
        _genes("CD68 C1QA C1QB C1QC SAT1 CD163 CD14 SPP1 APOE LYZ MS4A7 AIF1 TYROBP FCER1G CTSB"
               " CTSD MRC1 FCGR3A MARCO SELENOP"),
    ),
    CellType(
        "Neutrophils", 2.9, 2.5, 0.08, 0.17, 1.35, 0.0, 2.8, 0.7,
        _genes("S100A8 S100A9 CXCL8 FCGR3B CSF3R G0S2 S100A12 CXCR2 CXCR1 IL1B SOD2 NAMPT PTGS2"
               " MMP9 AQP9 TREM1 BCL2A1 PROK2"),
    ),
    CellType(
        "Goblet_cells", 3.2, 2.0, 0.1, 0.05, 1.25, 0.1, 5.0, 1.1,
        _genes("MUC2 TFF3 FCGBP ZG16 CLCA1 SPINK4 AGR2 AGR3 ITLN1 RETNLB ATOH1 SPDEF TFF1 KLK1"
               " REP15 BEST2 SYTL2 WFDC2"),
    ),
    CellType(
        "Enterocytes", 4.4, 2.7, 0.1, 0.05, 1.0, 0.35, 5.0, 1.0,
        _genes("CA1 CA2 CA4 SLC26A3 AQP8 GUCA2A GUCA2B FABP1 KRT20 CEACAM7 MS4A12 SLC26A2 CLCA4"
               " PHGR1 KRT19 TSPAN8 FABP2 SELENBP1 CDHR5 MT1G"),
    ),
    CellType(
        "T_cells", 2.85, 2.65, 0.08, 0.05, 1.3, 0.05, 1.6, 0.65,
        _genes("CD3D CD3E TRAC CD3G CD2 IL7R TRBC1 TRBC2 CCL5 GZMA GZMK CD8A CD4 CD7 LTB IL32"
               " NKG7 CD52 KLRB1 CTLA4"),
    ),
    CellType(
        "B_cells", 3.05, 2.8, 0.09, 0.05, 1.25, 0.1, 2.2, 0.9,
        _genes("CD79A MS4A1 CD79B JCHAIN IGKC IGHA1 IGHM MZB1 CD19 BANK1 CD37 TNFRSF17 DERL3 XBP1"
               " IGLC2 IGHG1 CD22 FCRL5 POU2AF1 VPREB3"),
    ),
    CellType(
        "Endothelial_cells", 5.2, 1.25, 0.15, 0.04, 1.1, 0.15, 2.8, 0.7,
        _genes("PECAM1 VWF CDH5 PLVAP CLDN5 ENG KDR FLT1 CD34 EMCN ESAM ACKR1 RAMP2 ECSCR"
               " EGFL7 ERG TIE1 SPARCL1"),
    ),
)  # fmt: skip

NAMES: tuple[str, ...] = tuple(t.name for t in TYPES)
TUMOR, FIBROBLAST, MACROPHAGE, NEUTROPHIL, GOBLET, ENTEROCYTE, T_CELL, B_CELL, ENDOTHELIAL = range(
    len(TYPES)
)
