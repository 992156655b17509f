"""The bins dock: counts, a gene, dominant types or proportions in bins of 2, 8 or 16 µm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSlider, QStackedWidget, QWidget
from superqt.utils import signals_blocked

from napari_vhd import keys
from napari_vhd.layers.bins import GENE, TOTAL
from napari_vhd.review.summary import Distribution

from .parts.bin_choices import bin_choices
from .parts.category_table import CategoryTable, Row
from .parts.column_choice import ColumnChoice, GeneField
from .parts.numbers_panel import NumbersPanel
from .parts.scene_dock import SceneDock
from .parts.theme import theme_color

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_vhd.layers.scene import Scene

    from .parts.column_choice import Choice

_HINT = "Choose a size to see bins under the cells."
_READING = "Reading bins …"


class BinsDock(SceneDock):
    """What the bins of one size show.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Bins")
        self.sizes = QComboBox()
        self.sizes.setAccessibleName("Size of bins")
        self.what = ColumnChoice("What bins show")
        self.gene = GeneField()
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setAccessibleName("Opacity of bins")
        self.opacity.setRange(0, 100)
        self.opacity.setValue(75)
        self.told = QLabel(_HINT)
        self.told.setWordWrap(True)
        self.table = CategoryTable(fixed=True)
        self.numbers = NumbersPanel(filters=False)
        self._kinds = QStackedWidget()
        for page in (QWidget(), self.table, self.numbers):
            self._kinds.addWidget(page)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Bins", self.sizes)
        form.addRow("Show", self.what)
        form.addRow("or gene", self.gene)
        form.addRow("Opacity", self.opacity)
        self.body.addLayout(form)
        self.body.addWidget(self.told)
        self.body.addWidget(self._kinds, 1)
        self._layer: Image | Labels | None = None
        # Size whose columns and genes are offered.
        self._offered = 0
        self._connect()
        self.refresh_theme()
        self.start()

    def _connect(self) -> None:
        self.sizes.activated.connect(self._on_size)
        self.what.chosen.connect(self._show_bins)
        self.gene.chosen.connect(self._on_gene)
        self.gene.refused.connect(self._on_no_gene)
        self.opacity.valueChanged.connect(self._on_opacity)
        self.numbers.limits_changed.connect(self._on_limits)
        self.numbers.colormap_changed.connect(self._on_colormap)

    def show_scene(self, scene: Scene) -> None:
        """Offer the sizes of bins that the sample has."""
        self.listen(scene.layers_changed, self._on_layers)
        self.listen(scene.session.reloaded, self._ask_sizes, thread=True)
        self._ask_sizes()

    def leave_scene(self) -> None:
        """Forget the layer."""
        self._layer = None
        self._kinds.setCurrentIndex(0)

    def refresh_theme(self) -> None:
        """Draw in the theme's text colour."""
        ink = theme_color(self.viewer, "text")
        self.table.rows_model.set_ink(ink)
        self.numbers.set_ink(ink)

    def _ask_sizes(self) -> None:
        self._offered = 0
        if self.scene is not None:
            with signals_blocked(self.sizes):
                self.sizes.clear()
                self.sizes.addItem("none", 0)
                for size in keys.BIN_SIZES_UM:
                    self.sizes.addItem(f"{size} µm", size)
            self._on_layers()

    def _shown_size(self) -> int:
        return int(self.sizes.currentData() or 0)

    def _on_size(self) -> None:
        if self.scene is None:
            return
        for other in list(self.scene.background.bins):
            self.scene.show_bins(other, None)
        self._layer = None
        self._kinds.setCurrentIndex(0)
        size = self._offered = self._shown_size()
        for field in (self.what, self.gene, self.opacity):
            field.setEnabled(size > 0)
        self.told.setText(_READING if size else _HINT)
        if size:
            self.ask("choices", bin_choices, self.scene.session, size, then=self._show_choices)

    def _show_choices(self, found: tuple[list[Choice], tuple[str, ...]] | None) -> None:
        if found is None:
            self.told.setText(f"This sample has no bins of {self._shown_size()} µm.")
            return
        now = self.what.current()
        self._offer(found)
        known = now in self.what.offered() or now.startswith(GENE)
        self._show_bins(now if known else TOTAL)

    def _offer(self, found: tuple[list[Choice], tuple[str, ...]] | None) -> None:
        """Offer what bins can show, and keep what they show."""
        if found is not None:
            self.what.set_choices(found[0])
            self.gene.set_genes(found[1])

    def _show_bins(self, what: str) -> None:
        if self.scene is not None and self._shown_size():
            self.what.set_current(what)
            if not what.startswith(GENE):
                self.gene.clear()
            self.told.setText(_READING)
            self.scene.show_bins(self._shown_size(), what)

    def _on_gene(self, gene: str) -> None:
        self._show_bins(GENE + gene)

    def _on_no_gene(self, typed: str) -> None:
        self.told.setText(f"{typed!r} is not among the genes of this sample; check its spelling.")

    def _on_layers(self) -> None:
        """Describe the layer that came, or that another part of the window made."""
        if self.scene is None:
            return
        bins = self.scene.background.bins
        size = self._shown_size() or next(iter(bins), 0)
        what, layer = bins.get(size, ("", None))
        if layer is self._layer:
            return
        self._layer = layer
        with signals_blocked(self.sizes):
            self.sizes.setCurrentIndex(max(self.sizes.findData(size), 0))
        if layer is None:
            self._kinds.setCurrentIndex(0)
            return
        self.what.set_current(what)
        if what.startswith(GENE):
            self.gene.setText(what.removeprefix(GENE))
        for field in (self.what, self.gene, self.opacity):
            field.setEnabled(True)
        if size != self._offered:
            self._offered = size
            self.ask("choices", bin_choices, self.scene.session, size, then=self._offer)
        layer.opacity = self.opacity.value() / 100
        if isinstance(layer, Image):
            self.ask("values", _distribution, layer, then=self._show_numbers)
        else:
            self.ask("values", _categories, layer, then=self._show_categories)

    def _show_numbers(self, values: Distribution) -> None:
        if isinstance(self._layer, Image):
            low, high = self._layer.contrast_limits
            self.numbers.show_values(self.what.currentText(), "", values, noun="bins")
            self.numbers.show_style((low, high), self._layer.colormap.name)
            self.told.setText("")
            self._kinds.setCurrentIndex(2)

    def _show_categories(self, rows: list[Row]) -> None:
        self.table.set_rows(rows)
        self.told.setText(f"{len(rows)} categories, {sum(row.count for row in rows):,} bins")
        self._kinds.setCurrentIndex(1)

    def _on_opacity(self, value: int) -> None:
        if self._layer is not None:
            self._layer.opacity = value / 100

    def _on_limits(self, low: float, high: float) -> None:
        if isinstance(self._layer, Image) and high > low:
            self._layer.contrast_limits = (low, high)

    def _on_colormap(self, name: str) -> None:
        if isinstance(self._layer, Image):
            self._layer.colormap = name


def _distribution(layer: Image) -> Distribution:
    """Describe the values of a layer; where the grid has no bin there is none."""
    values = np.asarray(layer.data).ravel()
    return Distribution.of(values[np.isfinite(values)])


def _categories(layer: Labels) -> list[Row]:
    """Read the legend of a layer of categories."""
    names = [str(name) for name in layer.features["category"]]
    counts = np.bincount(np.asarray(layer.data).ravel(), minlength=len(names))
    colors = layer.colormap.color_dict
    return [
        Row(name, name, _hex(colors[code]), int(counts[code]), True, named=False)
        for code, name in enumerate(names)
        if code > 0 and counts[code]
    ]


def _hex(color: Any) -> str:
    return "#" + "".join(f"{round(255 * float(part)):02X}" for part in color[:3])
