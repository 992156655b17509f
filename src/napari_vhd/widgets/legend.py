"""The legend dock: what colours the cells, what each colour means, what is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QStackedWidget,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_vhd.corrections.catalogue import CATEGORICAL, GENE_PREFIX, NUMBER
from napari_vhd.layers.categories import DROPPED

from .parts.categories_panel import CategoriesPanel
from .parts.column_choice import Choice, ColumnChoice, GeneField, choice_of
from .parts.gathering import column_of, columns_and_genes, distribution, dropped_reasons
from .parts.numbers_panel import NumbersPanel
from .parts.outlines_panel import OutlinesPanel
from .parts.scene_dock import SceneDock
from .parts.theme import theme_color
from .parts.wording import title_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_vhd.corrections.catalogue import Column
    from napari_vhd.layers.coloring import Coloring
    from napari_vhd.layers.scene import Scene
    from napari_vhd.review.summary import Distribution

_OUTLINES_ONLY = ""
_NO_COLUMNS = "No colours: outlines only. Run the domains or cell types to have labels to show."


class LegendDock(SceneDock):
    """What colours the cells, and what the colours mean.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Legend and colours")
        self.boundaries = QComboBox()
        self.boundaries.setAccessibleName("Segmentation to colour")
        self.column = ColumnChoice("Column that colours the cells")
        self.gene = GeneField()
        self.computed = QCheckBox("as computed, without corrections")
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Cells of", self.boundaries)
        form.addRow("Colour by", self.column)
        form.addRow("or gene", self.gene)
        form.addRow("", self.computed)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.categories = CategoriesPanel()
        self.table, self.show_all = self.categories.table, self.categories.show_all
        self.numbers = NumbersPanel()
        self.outlines = OutlinesPanel()
        self._kinds = QStackedWidget()
        for page in (QWidget(), self.categories, self.numbers):
            self._kinds.addWidget(page)
        self.body.addLayout(form)
        self.body.addWidget(self.told)
        self.body.addWidget(self._kinds, 1)
        self.body.addWidget(self.outlines)
        self._columns: tuple[Column, ...] = ()
        self._shown: tuple[str, str, str] | None = None
        self._listed = ""
        self._connect()
        self.refresh_theme()
        self.start()

    def _connect(self) -> None:
        self.boundaries.activated.connect(self._on_boundaries)
        self.column.chosen.connect(self._on_column)
        self.gene.chosen.connect(self._on_gene)
        self.gene.refused.connect(self._on_no_gene)
        self.computed.toggled.connect(self._on_computed)
        self.table.color_chosen.connect(self._on_category_color)
        self.table.visibility_toggled.connect(self._on_category_visible)
        self.table.solo_toggled.connect(self._on_solo)
        self.show_all.clicked.connect(self._on_show_all)
        self.numbers.limits_changed.connect(self._on_limits)
        self.numbers.colormap_changed.connect(self._on_colormap)
        self.numbers.filter_changed.connect(self._on_filter)

    def show_scene(self, scene: Scene) -> None:
        """List the sample's segmentations and columns, and what is coloured now."""
        self.listen(scene.coloring_changed, self._on_coloring_changed)
        self.listen(scene.session.columns_changed, self._ask_columns, thread=True)
        self.listen(scene.session.reloaded, self._ask_columns, thread=True)
        self.outlines.show_scene(scene)
        self.listen(scene.layers_changed, self.outlines.refresh)
        self._shown = None
        self._ask_columns()

    def leave_scene(self) -> None:
        """Forget columns and genes."""
        self._columns = ()
        self.gene.set_genes(())
        self.outlines.show_scene(None)

    def refresh_theme(self) -> None:
        """Draw in the theme's text colour."""
        ink = theme_color(self.viewer, "text")
        self.table.rows_model.set_ink(ink)
        self.numbers.set_ink(ink)
        self.outlines.set_ink(ink)

    def _ask_columns(self) -> None:
        if self.scene is None:
            return
        names = self.scene.session.segmentations()
        if not names:
            self.show_empty(
                "This sample has no cells yet.\n\nFind nuclei and cells with the Segmentation "
                "step of the workflow dock, or import boundaries made elsewhere."
            )
            return
        self.show_body()
        chosen = self.scene.coloring.boundaries or self.scene.session.typed or names[0]
        with signals_blocked(self.boundaries):
            self.boundaries.clear()
            for name in names:
                self.boundaries.addItem(title_of(name), name)
            self.boundaries.setCurrentIndex(max(self.boundaries.findData(chosen), 0))
        boundaries = self._listed = self.boundaries.currentData()
        self.ask(
            "columns", columns_and_genes, self.scene.session, boundaries, then=self._show_columns
        )

    def _show_columns(self, found: tuple[tuple[Column, ...], tuple[str, ...]]) -> None:
        self._columns, genes = found
        choices = [Choice(_OUTLINES_ONLY, "Outlines only")]
        choices += [choice_of(column) for column in self._columns]
        self.column.set_choices(choices)
        self.gene.set_genes(genes)
        self._on_coloring_changed()

    def _on_coloring_changed(self) -> None:
        if self.scene is None:
            return
        coloring = self.scene.coloring
        column = coloring.column or _OUTLINES_ONLY
        is_gene = column.startswith(GENE_PREFIX)
        # A gene is none of those listed: nothing is shown as chosen there.
        self.column.set_current(column)
        with signals_blocked(self.gene), signals_blocked(self.computed):
            self.gene.setText(column.removeprefix(GENE_PREFIX) if is_gene else "")
            self.computed.setChecked(coloring.computed)
        self.computed.setEnabled(bool(column) and not is_gene)
        place = self.boundaries.findData(coloring.boundaries)
        if place >= 0:
            self.boundaries.setCurrentIndex(place)
            if coloring.boundaries != self._listed:
                self._ask_columns()
        if not column:
            self._kinds.setCurrentIndex(0)
            self.told.setText("" if len(self._columns) else _NO_COLUMNS)
            self._shown = None
        elif coloring.kind == CATEGORICAL:
            self._show_categories(coloring)
        elif coloring.kind == NUMBER:  # else it is being read
            self._show_numbers(coloring)

    def _show_categories(self, coloring: Coloring) -> None:
        self._kinds.setCurrentIndex(1)
        self.told.setText(self.categories.show_coloring(coloring))
        if self.scene is not None and any(c.name == DROPPED for c in coloring.categories):
            self.ask(
                "reasons", dropped_reasons, self.scene.session, coloring.boundaries,
                then=self._show_reasons,
            )  # fmt: skip
        self._shown = None

    def _show_reasons(self, reasons: str) -> None:
        if reasons and self._kinds.currentIndex() == 1:
            told = self.told.text().split("\n")[0]
            self.told.setText(f"{told}\nLeft out by quality control: {reasons}")

    def _show_numbers(self, coloring: Coloring) -> None:
        self._kinds.setCurrentIndex(2)
        shown = (str(coloring.boundaries), str(coloring.column), str(coloring.computed))
        if shown != self._shown and self.scene is not None:
            self._shown = shown
            self.told.setText("")
            session = self.scene.session
            self.ask("values", distribution, session, coloring, then=self._show_distribution)
        elif coloring.limits is not None:
            self.numbers.show_style(coloring.limits, coloring.colormap)

    def _show_distribution(self, found: tuple[str, str, Distribution]) -> None:
        self.numbers.show_values(*found)
        if self.scene is not None and self.scene.coloring.limits is not None:
            self.numbers.show_style(self.scene.coloring.limits, self.scene.coloring.colormap)

    def _color_by(self, column: str, boundaries: str = "") -> None:
        if self.scene is not None:
            boundaries, computed = boundaries or self._listed, self.computed.isChecked()
            self.scene.color_by(column or None, boundaries, computed=computed)

    def _on_boundaries(self, _choice: int) -> None:
        """Colour the cells of another segmentation: as those before, where it has that column."""
        if self.scene is not None:
            boundaries, column = self.boundaries.currentData(), self.scene.coloring.column
            color = partial(self._color_by, boundaries=boundaries)
            self.ask("another", column_of, self.scene.session, boundaries, column, then=color)

    def _on_computed(self, _on: bool) -> None:
        self._color_by(self.scene.coloring.column or "" if self.scene else "")

    def _on_column(self, column: str) -> None:
        self._color_by(column)

    def _on_gene(self, gene: str) -> None:
        self._color_by(GENE_PREFIX + gene)

    def _on_no_gene(self, typed: str) -> None:
        self.told.setText(f"{typed!r} is not among the genes of this sample; check its spelling.")

    def _on_category_color(self, name: str, color: str) -> None:
        if self.scene is not None:
            self.scene.set_category_color(name, color)
            column = self.scene.coloring.column
            self.do(self.scene.session.set_colors, column, {name: color})

    def _on_category_visible(self, name: str, visible: bool) -> None:
        if self.scene is not None:
            self.scene.set_category_visible(name, visible)

    def _on_solo(self, name: str) -> None:
        if self.scene is not None:
            self.scene.solo(name or None)

    def _on_show_all(self) -> None:
        self._on_solo("")

    def _on_limits(self, low: float, high: float) -> None:
        if self.scene is not None:
            self.scene.set_limits(low, high)

    def _on_colormap(self, name: str) -> None:
        if self.scene is not None:
            self.scene.set_colormap(name)

    def _on_filter(self, low: float, high: float) -> None:
        if self.scene is not None:
            self.scene.filter_values(low, high)
