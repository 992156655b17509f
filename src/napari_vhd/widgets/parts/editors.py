"""Editors of one value that magicgui does not have; each with `value`, `changed` and `native`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Maybe:
    """An editor with a tick for "no value"."""

    changed = Signal(object)

    def __init__(self, inner: Any, without: str) -> None:
        self.inner = inner
        self.native = QWidget()
        self.tick = QCheckBox(without)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.tick)
        layout.addWidget(inner.native)
        self.tick.toggled.connect(self._on_ticked)
        inner.changed.connect(self._on_inner)
        self.value = None

    @property
    def value(self) -> Any:
        """The value, None where the tick is set."""
        return None if self.tick.isChecked() else self.inner.value

    @value.setter
    def value(self, value: Any) -> None:
        self.tick.setChecked(value is None)
        self._show_inner()
        if value is not None:
            self.inner.value = value

    def _show_inner(self) -> None:
        self.inner.native.setVisible(not self.tick.isChecked())

    def _on_ticked(self) -> None:
        self._show_inner()
        self.changed.emit(self.value)

    def _on_inner(self) -> None:
        if not self.tick.isChecked():
            self.changed.emit(self.value)


class Suggested:
    """Text with suggestions; with `kind`, also a button that looks for a file or folder."""

    changed = Signal(str)

    def __init__(self, suggestions: Sequence[str] = (), kind: str = "") -> None:
        self.native = QWidget()
        self._kind = kind
        self.combo = QComboBox()
        self.combo.setEditable(True)
        self.combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.combo.setMinimumWidth(60)
        self.combo.addItems(list(suggestions))
        layout = QHBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.combo, 1)
        self.button = QToolButton()
        self.button.setText("…")
        self.button.setVisible(bool(kind))
        layout.addWidget(self.button)
        self.button.clicked.connect(self._on_button)
        self.combo.activated.connect(self._on_edited)
        self.combo.lineEdit().editingFinished.connect(self._on_edited)
        self._told = self.value

    @property
    def value(self) -> str:
        """The text."""
        return self.combo.currentText().strip()

    @value.setter
    def value(self, value: str) -> None:
        self.combo.setCurrentText(value)
        self._told = self.value

    def suggest(self, suggestions: Sequence[str]) -> None:
        """Offer other suggestions; the text stays."""
        text = self.combo.currentText()
        self.combo.blockSignals(True)
        self.combo.clear()
        self.combo.addItems(list(suggestions))
        self.combo.setCurrentText(text)
        self.combo.blockSignals(False)

    def _on_edited(self) -> None:
        if self.value != self._told:
            self._told = self.value
            self.changed.emit(self.value)

    def _on_button(self) -> None:
        if self._kind == "folder":
            found = QFileDialog.getExistingDirectory(self.native, "Choose a folder", self._start())
        else:
            found, _ = QFileDialog.getOpenFileName(self.native, "Choose a file", self._start())
        if found:
            self.combo.setCurrentText(found)
            self._on_edited()

    def _start(self) -> str:
        path = Path(self.value).expanduser()
        return str(path if path.is_dir() else path.parent) if path.exists() else ""


class Whole:
    """Whole numbers in a row, as text: ``1, 3, 5``."""

    changed = Signal(tuple)

    def __init__(self) -> None:
        from magicgui.widgets import LineEdit

        self._line = LineEdit()
        self.native = self._line.native
        self.native.setPlaceholderText("numbers, for example 1, 3")
        self._good: tuple[int, ...] = ()
        self.native.editingFinished.connect(self._on_edited)

    @property
    def value(self) -> tuple[int, ...]:
        """The numbers; what is no number leaves them as they were."""
        return self._good

    @value.setter
    def value(self, value: Sequence[int]) -> None:
        self._good = tuple(value)
        self._line.value = ", ".join(map(str, value))

    def _on_edited(self) -> None:
        parts = self._line.value.replace(";", ",").replace(" ", ",").split(",")
        try:
            found = tuple(int(part) for part in parts if part.strip())
        except ValueError:
            self.value = self._good
            return
        if found != self._good:
            self.value = found
            self.changed.emit(found)


class FromTo:
    """Two whole numbers, the first not above the second."""

    changed = Signal(tuple)

    def __init__(self, least: int) -> None:
        from magicgui.widgets import SpinBox

        self.low, self.high = SpinBox(min=least, max=999), SpinBox(min=least, max=999)
        self.native = QWidget()
        layout = QHBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for part in (self.low, self.high):
            part.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            part.native.setMinimumWidth(50)
        for widget, share in ((self.low.native, 1), (QLabel("to"), 0), (self.high.native, 1)):
            layout.addWidget(widget, share)
        self.low.native.setAccessibleName("from")
        self.high.native.setAccessibleName("to")
        self.low.changed.connect(self._on_low)
        self.high.changed.connect(self._on_high)

    @property
    def value(self) -> tuple[int, int]:
        """Both numbers."""
        return self.low.value, self.high.value

    @value.setter
    def value(self, value: tuple[int, int]) -> None:
        with self.low.changed.blocked(), self.high.changed.blocked():
            self.low.value, self.high.value = value

    def _on_low(self, low: int) -> None:
        with self.high.changed.blocked():
            self.high.value = max(low, self.high.value)
        self.changed.emit(self.value)

    def _on_high(self, high: int) -> None:
        with self.low.changed.blocked():
            self.low.value = min(high, self.low.value)
        self.changed.emit(self.value)


class WheelGuard(QObject):
    """Lets the wheel scroll the dock, not change the value that happens to be under it."""

    def protect(self, widget: QWidget) -> None:
        """Guard a widget and all in it that turns with the wheel."""
        kinds = (QAbstractSpinBox, QComboBox)
        turning = [part for kind in kinds for part in widget.findChildren(kind)]
        for part in [*turning, *([widget] if isinstance(widget, kinds) else [])]:
            part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            part.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ignore the wheel where there is no focus."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():  # type: ignore[attr-defined]
            event.ignore()
            return True
        return False
