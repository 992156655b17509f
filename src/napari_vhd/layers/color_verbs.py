"""What a Scene is asked about colours: a column, its legend, its colour bar."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

from .batch import show
from .coloring import Coloring, Wish, read

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from napari.layers import Layer

    from napari_vhd.session import Session

    from .awaited import Awaited
    from .categories import CategoryLayer
    from .cells import CellsLayers
    from .coloring import Read
    from .tasks import Tasks
    from .values import Limits


class ColorVerbs:
    """The part of a Scene that colours the cells."""

    session: Session
    tasks: Tasks
    cells: dict[str, CellsLayers]
    coloring_changed: Any
    _coloring: Coloring
    _read: Read | None
    _hidden: set[str]
    _wished: Wish | None
    _edits: int
    _awaited: Awaited

    @property
    def viewer(self) -> Any:
        """The viewer."""
        raise NotImplementedError

    @property
    def coloring(self) -> Coloring:
        """What colours the cells."""
        return self._coloring

    def end_paint(self, before: Layer | None = None) -> None:
        """Take the paint window away."""
        raise NotImplementedError

    def _restyle_paint(self, fills: CategoryLayer) -> None:
        raise NotImplementedError

    def _catch_up(self, since: int | None) -> None:
        raise NotImplementedError

    def color_by(
        self, column: str | None, boundaries: str | None = None, *, computed: bool = False
    ) -> None:
        """Colour the cells of a segmentation by a column.

        Parameters
        ----------
        column
            Name of a column; ``gene:<symbol>``; None: outlines only.
        boundaries
            Segmentation, None: the one that is coloured now.
        computed
            As computed, without corrections.

        Raises
        ------
        BadInputError
            Where there is no such column or segmentation (with `dispatch`: `failed` is told).
        """
        boundaries = boundaries or self._coloring.boundaries or next(iter(self.cells), "")
        if self._awaited.put_off(
            [boundaries], lambda: self.color_by(column, boundaries, computed=computed)
        ):
            return
        if column is not None and boundaries not in self.cells:
            raise BadInputError(
                f"{self.session.sample_id}: there are no boundaries {boundaries!r}; there are: "
                f"{', '.join(self.cells) or 'none'}."
            )
        wish = Wish(column, boundaries, computed)
        if (column, boundaries) != (self._coloring.column, self._coloring.boundaries):
            self._hidden = set()
        if column is None:
            self._wished = None
            self.tasks.forget("column")
            self._show_nothing(boundaries)
        else:
            self._ask(wish)

    def color_again(
        self,
        column: str | None,
        boundaries: str,
        *,
        computed: bool = False,
        hidden: Collection[str] = (),
        limits: Limits | None = None,
        only: Limits | None = None,
        colormap: str | None = None,
    ) -> None:
        """Colour the cells as they were once: see `Coloring`; `hidden` are categories."""
        self._hidden = set(hidden)
        kept = Coloring(column, boundaries, limits=limits, only=only)
        self._coloring = kept if colormap is None else replace(kept, colormap=colormap)
        self.color_by(column, boundaries, computed=computed)

    def _ask(self, wish: Wish) -> None:
        since, self._wished = self._edits, wish

        def find() -> Read:
            try:
                return read(self.session, wish)
            except BaseException:
                if self._wished is wish:
                    self._wished = None
                raise

        def make(found: Read) -> None:
            self.tasks.in_turns("column", self._showing(found, since))

        self.tasks.ask("column", find, make)

    def _showing(self, found: Read, since: int | None = None) -> Generator[None, None, None]:
        """Colour the cells by a column that was read, in steps."""
        wish, cells = found.wish, self.cells[found.wish.boundaries]
        yield from cells.make_fill(found)
        same = (wish.column, wish.boundaries) == (self._coloring.column, self._coloring.boundaries)
        before, self._read = self._coloring, found
        self._coloring = Coloring(
            wish.column,
            wish.boundaries,
            kind="number" if found.codes is None else "categorical",
            limits=found.limits,
            computed=wish.computed,
            title=found.title,
            unit=found.unit,
        )
        if found.values is not None:
            if same and before.limits is not None:
                self._coloring = replace(
                    self._coloring, limits=before.limits, colormap=before.colormap
                )
            cells.numbers.show(found.values, self._coloring.limits or (0.0, 1.0))
            cells.numbers.layer.colormap = self._coloring.colormap
            if same and before.only is not None:
                self.filter_values(*before.only)
        elif found.codes is not None:
            cells.fills.show(found.codes, self._hidden)
        self._catch_up(since)
        self.end_paint()
        yield
        self._show_fills(wish.boundaries)
        yield
        if self._wished == wish:
            self._wished = None
        self._say_coloring()

    def _show_nothing(self, boundaries: str) -> None:
        self._read = None
        self._coloring = Coloring(None, boundaries)
        self._show_fills(boundaries)
        self.end_paint()
        self._say_coloring()

    def _show_fills(self, boundaries: str) -> None:
        """Show what is coloured of one segmentation, hide that of others."""
        wanted: list[tuple[Layer, bool]] = []
        for name, cells in self.cells.items():
            wanted += cells.fills_seen(self._coloring.kind if name == boundaries else "none")
        show(self.viewer.layers, wanted)

    def _say_coloring(self) -> None:
        """Count the categories anew and tell who listens."""
        if self._read is not None and self._read.codes is not None:
            cells = self.cells[self._coloring.boundaries]
            categories = self._read.codes.categories(cells.outlines.alive, self._hidden)
            self._coloring = replace(self._coloring, categories=categories)
        self.coloring_changed.emit()

    def set_category_visible(self, name: str, visible: bool) -> None:
        """Show or hide the cells of a category."""
        self._hide(self._hidden - {name} if visible else self._hidden | {name})

    def solo(self, name: str | None) -> None:
        """Show the cells of one category only; None: all again."""
        others = {one.name for one in self._coloring.categories if one.name != name}
        self._hide(set() if name is None else others)

    def _hide(self, names: set[str]) -> None:
        if self._read is None or self._read.codes is None:
            return
        self._hidden = names
        fills = self.cells[self._coloring.boundaries].fills
        fills.hidden = set(names)
        self._restyle()

    def set_category_color(self, name: str, color: str) -> None:
        """Draw a category in another colour; `Session.set_colors` keeps it."""
        if self._read is None or self._read.codes is None:
            return
        codes = self._read.codes
        if name in codes.names:
            place = codes.names.index(name)
            codes.colors = (*codes.colors[:place], color, *codes.colors[place + 1 :])
            self._restyle()

    def _restyle(self) -> None:
        fills = self.cells[self._coloring.boundaries].fills
        fills.restyle()
        self._restyle_paint(fills)
        self._say_coloring()

    def set_limits(self, low: float, high: float) -> None:
        """Set the values at the ends of the colour bar."""
        if self._coloring.kind == "number":
            self._coloring = replace(self._coloring, limits=(low, high))
            self.cells[self._coloring.boundaries].numbers.set_limits((low, high))
            self.coloring_changed.emit()

    def set_colormap(self, name: str) -> None:
        """Colour numbers by another of napari's colour maps."""
        if self._coloring.kind == "number":
            self._coloring = replace(self._coloring, colormap=name)
            self.cells[self._coloring.boundaries].numbers.layer.colormap = name
            self.coloring_changed.emit()

    def filter_values(self, low: float, high: float) -> None:
        """Show the cells whose value lies between two numbers, both included."""
        if self._read is not None and self._read.values is not None and self._coloring.column:
            cells = self.cells[self._coloring.boundaries]
            numbers = self.session.numbers(self._coloring.boundaries, self._coloring.column)
            self._read.values.show_only(numbers, low, high)
            self._coloring = replace(self._coloring, only=(low, high))
            cells.numbers.refresh()
            self.coloring_changed.emit()
