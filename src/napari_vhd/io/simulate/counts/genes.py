"""Gene symbols of an invented sample: mitochondrial, markers, housekeeping, then families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_vhd.io.simulate.tissue.celltypes import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MT = "CO1 CO2 CO3 ATP6 ATP8 CYB ND1 ND2 ND3 ND4 ND4L ND5 ND6"
MITOCHONDRIAL = tuple(f"MT-{name}" for name in _MT.split())

# Programmes shared by several types: symbols, and the names of the types that express them.
SHARED = (
    ("EPCAM KRT8 CDH1 CLDN3 CLDN4 CLDN7 ELF3 LGALS4 CDX1 CDX2 TSPAN1 PIGR",
     ("Tumor", "Goblet_cells", "Enterocytes")),
    ("PTPRC CD53 CORO1A LAPTM5 ARHGDIB RAC2 CXCR4 CD48 SRGN",
     ("Macrophages", "Neutrophils", "T_cells", "B_cells")),
    ("HLA-DRA HLA-DRB1 HLA-DPA1 HLA-DPB1 HLA-DQA1 CD74", ("Macrophages", "B_cells")),
    ("VIM IGFBP7 SPARCL1 COL4A1 COL4A2 CALD1 TIMP1 TIMP3", ("Fibroblasts", "Endothelial_cells")),
)  # fmt: skip

_COMMON = """
ACTB ACTG1 GAPDH B2M TMSB4X TMSB10 EEF1A1 EEF2 FTL FTH1 TPT1 UBA52 UBB UBC FAU MALAT1 NEAT1 HLA-A
HLA-B HLA-C HLA-E PFN1 CFL1 MYL6 MYL12A TUBA1B TUBB PPIA PPIB HSP90AA1 HSP90AB1 HSPA8 HSPA5 CALM1
CALM2 YWHAZ YWHAB ENO1 LDHA LDHB PGK1 PKM ALDOA TPI1 NACA BTF3 NPM1 NCL H3-3A H3-3B H2AZ1 HMGB1
HMGN2 PTMA SET SERF2 OAZ1 ITM2B CD63 CD9 CD81 GNAS GNB1 ARPC2 ARPC3 CAPZB RHOA CDC42 RAC1 RAB7A
SUMO2 UBE2D3 SKP1 ELOB ATP5F1B ATP5MC3 COX4I1 COX6C COX7C UQCRB UQCRH CHCHD2 PRDX1 PRDX2 TXN SOD1
GSTP1 PARK7 CTNNB1 JUN FOS EGR1 IER2 DUSP1 ZFP36 KLF2 KLF6 NFKBIA MCL1 BTG1 BTG2 DDX5 DDX3X HNRNPA1
HNRNPA2B1 HNRNPK SRSF3 SRSF5 EIF1 EIF4A1 EIF4G2 PABPC1 CANX CALR PDIA3 SEC61B SSR4 LAMP1 PSAP
"""
HOUSEKEEPING = frozenset(_COMMON.split())

# Families: a pattern and its numbers (some of the long ones at the end name no real gene).
_FAMILIES: tuple[tuple[str, Sequence[int]], ...] = (
    ("RPL{}", (*range(3, 16), 17, 18, 19, *range(21, 25), *range(26, 33), *range(34, 40), 41)),
    ("RPS{}", (2, 3, *range(5, 22), *range(23, 30))), ("NDUFA{}", range(1, 14)),
    ("NDUFB{}", range(1, 12)), ("NDUFS{}", range(1, 9)), ("PSMA{}", range(1, 8)),
    ("PSMB{}", range(1, 11)), ("PSMC{}", range(1, 7)), ("PSMD{}", range(1, 15)),
    ("MRPL{}", range(1, 58)), ("MRPS{}", range(2, 36)),
    ("SNRPD{}", range(1, 4)), ("CCT{}", range(2, 9)), ("RAB{}", range(8, 45)),
    ("KIF{}", range(2, 27)), ("CDK{}", range(1, 21)), ("MAPK{}", range(1, 15)),
    ("WNT{}", range(1, 12)), ("FGF{}", range(1, 24)), ("BMP{}", range(1, 9)),
    ("CXCL{}", range(9, 15)), ("CCL{}", range(11, 29)), ("TNFSF{}", range(8, 16)),
    ("SLC{}A1", range(1, 53)), ("SLC{}A3", range(1, 40)), ("SLC{}A5", range(1, 40)),
    ("USP{}", range(1, 55)), ("TRIM{}", range(2, 75)), ("DHX{}", range(8, 39)),
    ("DDX{}", range(10, 61)), ("ADAM{}", range(8, 34)), ("FOXO{}", range(1, 7)),
    ("HOXA{}", range(1, 14)), ("HOXB{}", range(1, 10)), ("SOX{}", range(5, 19)),
    ("KLHL{}", range(1, 43)), ("FBXO{}", range(2, 49)), ("WDR{}", range(1, 97)),
    ("CCDC{}", range(3, 200)), ("TMEM{}", range(9, 270)), ("FAM{}A", range(8, 240)),
    ("LRRC{}", range(1, 75)), ("ANKRD{}", range(1, 60)), ("PRSS{}", range(8, 60)),
    ("OR{}A1", range(1, 15)), ("ZNF{}", range(2, 860)),
    ("LINC{:05d}", range(100, 3000)), ("MIR{}HG", range(100, 2000)),
    ("LOC{}", range(100_000, 120_000)),
)  # fmt: skip


@dataclass(frozen=True)
class Genes:
    """Names of the genes of a sample; both columns are unique."""

    ids: tuple[str, ...]
    symbols: tuple[str, ...]

    def __len__(self) -> int:
        """Give the number of genes."""
        return len(self.ids)


def invent_genes(count: int) -> Genes:
    """Choose gene symbols: mitochondrial ones and markers first.

    The Ensembl ids are well-formed but made up (ENSG9...): no real gene has them.
    """
    symbols: list[str] = []
    seen = set()
    for symbol in _in_order():
        if symbol not in seen:
            seen.add(symbol)
            symbols.append(symbol)
        if len(symbols) == count:
            break
    return Genes(tuple(f"ENSG9{i:010d}" for i in range(1, count + 1)), tuple(symbols))


def _in_order() -> Iterator[str]:
    yield from MITOCHONDRIAL
    for rank in range(max(len(t.markers) for t in TYPES)):
        for kind in TYPES:
            yield from kind.markers[rank : rank + 1]
    for symbols, _ in SHARED:
        yield from symbols.split()
    yield from _COMMON.split()
    for pattern, numbers in _FAMILIES:
        yield from (pattern.format(n) for n in numbers)
