"""How many cells are selected, and other ways to select them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QWidget

from .choosing import in_region, of_category, shown_by_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_vhd.session import Session

    from .desk import Desk


class SelectionBar(QWidget):
    """A line and a menu.

    Parameters
    ----------
    desk
        Whose sample it is about.
    shown
        Gives the segmentation and the column that are corrected.
    """

    def __init__(
        self, desk: Desk, shown: Callable[[], tuple[str, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._desk, self._shown = desk, shown
        self.told = QLabel()
        self.told.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.button = QToolButton()
        self.button.setText("Select")
        self.button.setStyleSheet("padding-right: 14px")  # else the arrow lies on the text
        self.button.setToolTip("Select the cells of a region, of a label, or what a filter shows.")
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.regions = self.menu.addMenu("Cells in region")
        self.categories = self.menu.addMenu("All cells of label")
        self.menu.addAction("What the filter shows").triggered.connect(self.select_filtered)
        self.menu.addSeparator()
        self.menu.addAction("Nothing").triggered.connect(lambda: self._select(()))
        self.button.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.told, 1)
        layout.addWidget(self.button)
        self.show_number(0)

    def show_number(self, number: int, first: str = "") -> None:
        """Show how many cells are selected, and the id of the only one."""
        if number == 1:
            self.told.setText(f"<b>{first}</b> is selected")
        else:
            self.told.setText(f"<b>{number:,}</b> cells selected" if number else "No cell selected")

    def refresh_regions(self) -> None:
        """Offer the regions that there are now."""
        if self._desk.scene is not None:
            session = self._desk.scene.session
            self._desk.ask("region names", _region_names, session, then=self.set_regions)

    def set_regions(self, names: Sequence[str]) -> None:
        """Offer other regions."""
        self._fill(self.regions, names, self.select_region)

    def set_categories(self, names: Sequence[str]) -> None:
        """Offer other labels."""
        self._fill(self.categories, names, self.select_category)

    def select_region(self, name: str) -> None:
        """Select the cells in a region."""
        self._ask(in_region, self._shown()[0], name)

    def select_category(self, name: str) -> None:
        """Select the cells that have a label."""
        self._ask(of_category, *self._shown(), name)

    def select_filtered(self) -> None:
        """Select what the legend's filter shows."""
        if self._desk.scene is not None:
            self._ask(shown_by_filter, self._desk.scene.coloring)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        if self._desk.scene is not None:
            session = self._desk.scene.session
            self._desk.ask("select", function, session, *arguments, then=self._select)

    def _select(self, ids: tuple[str, ...]) -> None:
        if self._desk.scene is not None:
            self._desk.scene.select(ids)

    def _fill(self, menu: QMenu, names: Sequence[str], chosen: Callable[[str], None]) -> None:
        menu.clear()
        for name in names:
            # A single & would be read as the mark of a key.
            action = menu.addAction(name.replace("&", "&&"))
            action.triggered.connect(lambda _=False, name=name: chosen(name))
        menu.setEnabled(bool(names))


def _region_names(session: Session) -> list[str]:
    return [str(name) for name in session.regions().index]
