"""How a Scene follows what is corrected, and has written what is drawn in its layer of regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_vhd import keys
from napari_vhd.corrections.catalogue import GENE_PREFIX

from .color_verbs import ColorVerbs
from .coloring import Wish, read_if_there
from .corrector import corrector_of
from .view_verbs import ViewVerbs, boxes_of

if TYPE_CHECKING:
    from napari_vhd.corrections.reviewed import CellsChanged

    from .background import Background
    from .coloring import Read
    from .comparison import Comparison

# Edits that are looked at again when a column comes in that was read meanwhile.
RECENT = 256


class Following(ViewVerbs, ColorVerbs):
    """The part of a Scene that listens to its Session, and hands on what is drawn."""

    background: Background
    comparison: Comparison

    def _on_cells_changed(self, news: CellsChanged) -> None:
        """Take in an edit: pixels in the thread that made it, layers where they may be touched."""
        self._edits += 1
        self._recent.append((self._edits, news))
        cells = self.cells.get(news.boundaries)
        if cells is None:
            return
        boxes = []
        if news.outlines:
            boxes = cells.raster.redraw(news.rows)
        self.tasks.soon(lambda: self._follow(news, boxes))

    def _follow(self, news: CellsChanged, boxes: list[Any]) -> None:
        cells = self.cells.get(news.boundaries)
        if cells is None:
            return
        colored = self._patch(news)
        if colored or news.outlines:
            cells.refresh(news.outlines)
        if news.outlines:
            self.comparison.refresh(news.boundaries)
            self.tasks.later("shapes", 0.0, self._update_shapes)
            self.select(self._selection)
        if news.boundaries == self._coloring.boundaries and (colored or news.outlines):
            self.rewrite_paint(boxes or boxes_of(cells.outlines.bounds[news.rows]))
            self._say_coloring()

    def _patch(self, news: CellsChanged) -> bool:
        """Take over the values of changed cells; says whether any is coloured by them."""
        read, coloring = self._read, self._coloring
        if read is None or coloring.column is None or news.boundaries != coloring.boundaries:
            return False
        if keys.KEPT in news.columns and not news.outlines and read.codes is not None:
            # Cells that a filter dropped and that were brought back are no longer drawn as such.
            self._color_anew()
            return False
        if not news.outlines and coloring.column not in news.columns:
            return False
        if read.codes is not None:
            labels = self.session.labels(
                coloring.boundaries, coloring.column, computed=coloring.computed
            )
            if not read.codes.patch(labels, news.rows):
                # There is a new category: other codes for all.
                self._ask(Wish(coloring.column, coloring.boundaries, coloring.computed))
                return False
        elif read.values is not None:
            numbers = self.session.numbers(coloring.boundaries, coloring.column)
            read.values.patch(numbers, news.rows)
        return True

    def _catch_up(self, since: int | None) -> None:
        """Take in the edits that were made while a column was read."""
        for news in [] if since is None else self.news_since(since):
            self._patch(news)

    def on_recolored(self, boundaries: str, column: str) -> None:
        """Colour by the column that napari-spatialdata was asked for, or as before."""
        columns = {one.name for one in self.session.columns(boundaries)}
        gene = f"{GENE_PREFIX}{column}"
        if column in columns or column in self.session.genes():
            self.color_by(column if column in columns else gene, boundaries)
        else:
            self._color_anew()

    def _on_columns_changed(self) -> None:
        """Read the column in view again: it may have other categories or colours."""
        self.tasks.soon(self._color_anew)

    def _color_anew(self) -> None:
        coloring, since = self._coloring, self._edits
        if coloring.column is None or coloring.boundaries not in self.cells:
            return
        wish = Wish(coloring.column, coloring.boundaries, coloring.computed)

        def show(found: Read | None) -> None:
            if found is None:
                self._show_nothing(wish.boundaries)
            else:
                self.tasks.in_turns("column", self._showing(found, since))

        self.tasks.ask("column", lambda: read_if_there(self.session, wish), show)

    def _on_regions_changed(self) -> None:
        def ask() -> None:
            self.tasks.ask("regions", self.session.regions, self.background.regions.show)

        self.tasks.soon(ask)

    # What is drawn in the layer of regions

    def on_region_drawn(self, polygon: Any) -> None:
        """Add a region that was drawn in the layer of regions."""
        self._correct(self._add_region, polygon)

    def on_region_moved(self, name: str, polygon: Any) -> None:
        """Keep the vertices of a region that were moved in its layer."""
        self._correct(self.session.edit_region, name, polygon)

    def on_regions_removed(self, names: tuple[str, ...]) -> None:
        """Delete regions that were deleted in their layer."""
        for name in names:
            self._correct(self.session.delete_region, name)

    def _add_region(self, polygon: Any) -> None:
        taken = set(self.session.regions().index)
        number = 1
        while f"region {number}" in taken:
            number += 1
        self.session.add_region(polygon, f"region {number}")

    def _correct(self, verb: Any, *arguments: Any) -> None:
        """Call a verb where corrections are written; the layer is written anew if it is refused."""
        if self.tasks.is_direct:
            verb(*arguments)
        else:
            corrector_of(self).do(verb, *arguments, refused=lambda _: self._on_regions_changed())
