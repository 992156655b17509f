"""Choosing a column by group, or by typing a part of its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtGui import QStandardItem, QStandardItemModel
from qtpy.QtWidgets import QComboBox, QCompleter, QLineEdit, QWidget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtpy.QtGui import QFocusEvent

    from napari_vhd.corrections.catalogue import Column

_ROWS_SHOWN = 14


@dataclass(frozen=True)
class Choice:
    """One thing to choose: its key, what is shown, and the group under which it stands."""

    key: str
    title: str
    group: str = ""


def choice_of(column: Column) -> Choice:
    """Offer a column of a session, with its unit where it has one."""
    title = f"{column.title} ({column.unit})" if column.unit else column.title
    return Choice(column.name, title, column.group)


class ColumnChoice(QComboBox):
    """A list in groups, with a field to search it.

    Attributes
    ----------
    chosen
        The key that a person chose; not emitted by `set_current`.
    """

    chosen = Signal(str)

    def __init__(self, accessible_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(accessible_name)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setMaxVisibleItems(_ROWS_SHOWN)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self._titles = QStringListModel(self)
        self._completer = _searching(self._titles, self)
        self.setCompleter(self._completer)
        self._completer.activated.connect(self._on_title)
        self.activated.connect(self._on_activated)
        self.lineEdit().returnPressed.connect(self._on_return)
        self.lineEdit().editingFinished.connect(self._restore)
        self.lineEdit().setPlaceholderText("type to search")
        self.currentTextChanged.connect(self.setToolTip)  # in a narrow dock it may be cut off
        self._current = ""

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Offer other choices, in this order, groups as they come; the current one stays."""
        model = QStandardItemModel(self)
        group = None
        for choice in choices:
            if choice.group != group:
                group = choice.group
                if group:
                    model.appendRow(_head(group))
            item = QStandardItem(choice.title)
            item.setData(choice.key, Qt.ItemDataRole.UserRole)
            item.setToolTip(choice.title)
            model.appendRow(item)
        self.setModel(model)
        self._titles.setStringList([choice.title for choice in choices])
        self.set_current(self._current)

    def current(self) -> str:
        """Key of the current choice."""
        return self._current

    def offered(self) -> list[str]:
        """Keys of all choices."""
        found = (self.itemData(place) for place in range(self.count()))
        return [str(key) for key in found if key is not None]

    def choose(self, key: str) -> None:
        """Choose, as a person does."""
        self._on_activated(self.findData(key))

    def set_current(self, key: str) -> None:
        """Show a choice as the current one."""
        self._current = key
        self.setCurrentIndex(self.findData(key))
        # A long name is read from its beginning.
        self.lineEdit().setCursorPosition(0)
        self.setToolTip(self.currentText())

    def _on_activated(self, place: int) -> None:
        key = self.itemData(place)
        if key is None or key == self._current:
            self._restore()
            return
        self.set_current(str(key))
        self.chosen.emit(self._current)

    def _on_title(self, title: str) -> None:
        self._on_activated(self.findText(title, Qt.MatchFlag.MatchExactly))

    def _on_return(self) -> None:
        """Take the first of what fits what is typed, where none of it was picked."""
        popup = self._completer.popup()
        picked = popup.isVisible() and popup.currentIndex().isValid()
        if picked or self.currentText() == self.itemText(self.currentIndex()):
            return
        first = self._completer.completionModel().index(0, 0)
        popup.hide()
        if first.isValid() and self.currentText():
            self._on_title(str(first.data()))
        else:
            self._restore()

    def _restore(self) -> None:
        """Show the current choice again where what is typed is none."""
        if not self._completer.popup().isVisible():  # else something may be picked yet
            self.set_current(self._current)


class GeneField(QLineEdit):
    """A field that knows the genes.

    Attributes
    ----------
    chosen
        A gene that was typed or picked, as the sample spells it.
    refused
        What was typed and is no gene of the sample.
    """

    chosen = Signal(str)
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Gene")
        self.setPlaceholderText("type a gene")
        self.setClearButtonEnabled(True)
        self._genes: dict[str, str] = {}
        self._names = QStringListModel(self)
        completer = _searching(self._names, self)
        self.setCompleter(completer)
        completer.activated.connect(self._take)
        self.returnPressed.connect(self._on_return)

    def set_genes(self, genes: Iterable[str]) -> None:
        """Offer these genes."""
        names = sorted(genes)
        self._genes = {name.upper(): name for name in names}
        self._names.setStringList(names)
        self.setEnabled(bool(names))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Select what is there, to be typed over."""
        super().focusInEvent(event)
        self.selectAll()

    def _on_return(self) -> None:
        self._take(self.text())

    def _take(self, typed: str) -> None:
        gene = self._genes.get(typed.strip().upper())
        if gene is not None:
            self.setText(gene)
            self.chosen.emit(gene)
        elif typed.strip():
            self.refused.emit(typed.strip())


def _searching(names: QStringListModel, parent: QWidget) -> QCompleter:
    completer = QCompleter(names, parent)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(Qt.MatchFlag.MatchContains)
    completer.setMaxVisibleItems(_ROWS_SHOWN)
    return completer


def _head(group: str) -> QStandardItem:
    item = QStandardItem(group)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    font = item.font()
    font.setBold(True)
    item.setFont(font)
    return item
