"""Pictures of a stage: small ones in a row, each opens large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QImageReader, QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .background import Background

SMALL = QSize(150, 110)
_LARGE = QSize(1400, 1000)


def read_picture(path: Path, largest: QSize) -> QImage:
    """Read a picture, made to fit; may be called in any thread."""
    reader = QImageReader(str(path))
    size = reader.size()
    if size.isValid() and (size.width() > largest.width() or size.height() > largest.height()):
        reader.setScaledSize(size.scaled(largest, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()


def caption(path: Path) -> str:
    """Name a picture by its file."""
    return path.stem.replace("_", " ")


class Pictures(QWidget):
    """A row of small pictures.

    Parameters
    ----------
    background
        Reads and shrinks them.
    """

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._shown: tuple[tuple[Path, float], ...] = ()
        self.buttons: list[QToolButton] = []
        self._row = QWidget()
        self._layout = QHBoxLayout(self._row)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._row)
        self._scroll.setFixedHeight(SMALL.height() + 54)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.hide()

    def show_files(self, paths: Sequence[Path]) -> None:
        """Show these files; those that are shown already and did not change stay."""
        wanted = tuple((path, path.stat().st_mtime) for path in paths if path.is_file())
        if wanted == self._shown:
            return
        self._shown = wanted
        for button in self.buttons:
            self._layout.removeWidget(button)
            button.deleteLater()
        while self._layout.count():
            self._layout.takeAt(0)
        self.buttons = [self._button(path) for path, _ in wanted]
        for button in self.buttons:
            self._layout.addWidget(button)
        self._layout.addStretch()
        self.setVisible(bool(wanted))
        if wanted:
            files = [path for path, _ in wanted]
            self._background.ask(
                f"pictures {id(self)}",
                lambda: [read_picture(path, SMALL) for path in files],
                then=self._show_small,
            )

    def _button(self, path: Path) -> QToolButton:
        button = QToolButton()
        button.setText(_short(caption(path)))
        button.setAccessibleName(f"Picture: {caption(path)}")
        button.setToolTip(f"{caption(path)}: click to enlarge")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(SMALL)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda: self._enlarge(path))
        return button

    def _show_small(self, images: Sequence[QImage]) -> None:
        for button, image in zip(self.buttons, images, strict=False):
            button.setIcon(QIcon(QPixmap.fromImage(image)))

    def _enlarge(self, path: Path) -> None:
        """Open a picture large; it is read beside the window."""
        dialog = PictureDialog(path, self.window())
        question = f"large {id(dialog)}"
        # Who closes it before the picture is there waits for none.
        dialog.finished.connect(lambda: self._background.forget(question))
        dialog.show()
        self._background.ask(question, read_picture, path, _LARGE, then=dialog.show_image)


class PictureDialog(QDialog):
    """One picture, large."""

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(caption(path))
        self._label = QLabel("Reading the picture…")
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setAccessibleName(caption(path))
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(self._label)
        place = QLabel(str(path))
        place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        place.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(place)
        layout.addWidget(buttons)
        self.resize(900, 700)

    def show_image(self, image: QImage) -> None:
        """Show the picture that was read, or say that there is none."""
        if image.isNull():
            self._label.setText("The picture cannot be read; run its stage again to draw it.")
            return
        self._label.setPixmap(QPixmap.fromImage(image))


def _short(text: str, most: int = 22) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
