"""Previews: StarDist on the view with thresholds as sliders, ProSeg with few iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import FloatSlider
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_vhd.parameters import Params
from napari_vhd.runner.preview import (
    OVERLAP_OWN,
    PROBABILITY_OWN,
    ChooseNuclei,
    FindNuclei,
    GrowCells,
    Preview,
    SegmentPicture,
)

from .background import Background
from .editors import WheelGuard
from .frame import Frame, finest, frame_of, is_sample, rgb_layers, view_of
from .preview_layers import OutlinesFile, show_cells, show_nuclei, show_shapes
from .progress import TaskProgress
from .step_labels import text_label

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_vhd.exceptions import VhdError
    from napari_vhd.runner.preview import Answer, Wish
    from napari_vhd.widgets.run_control import RunControl

MOST_PX = 1024
MOST_PROSEG_PX = 1500
ITERATIONS = 20
_START = (0.5, 0.3)


class PreviewPanel(QWidget):
    """Choose a picture, look ahead, and take the thresholds over.

    Parameters
    ----------
    viewer
        Whose view is looked at.
    control
        Takes the thresholds.
    """

    def __init__(self, viewer: Viewer, control: RunControl) -> None:
        super().__init__()
        self.viewer = viewer
        self.control = control
        self.preview = Preview()
        self.background = Background(self)
        self._frame: Frame | None = None
        self._corner = (0, 0)
        self._picture: Image | None = None
        self._has_candidates = False
        self._turned = False
        self._hint = ""
        self._file: OutlinesFile | None = None
        self._build()
        self.preview.answered.connect(self._on_answered, thread="main")
        self.preview.progressed.connect(self._on_progressed, thread="main")
        self.preview.failed.connect(self._on_failed, thread="main")
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        self.refresh()

    def release(self) -> None:
        """End what is at work, and let go of the viewer."""
        self.viewer.layers.events.inserted.disconnect(self._on_layers)
        self.viewer.layers.events.removed.disconnect(self._on_layers)
        self.background.close()
        self.preview.close()

    def _build(self) -> None:
        self.pictures = QComboBox()
        self.pictures.setAccessibleName("Picture")
        self.pictures.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.probability = FloatSlider(min=0.05, max=0.95, step=0.01, value=_START[0])
        self.overlap = FloatSlider(min=0.0, max=0.9, step=0.01, value=_START[1])
        self.nuclei_button = QPushButton("Nuclei in view")
        self.nuclei_button.setToolTip("StarDist on what is in view, in seconds; nothing is kept.")
        self.cells_button = QPushButton("ProSeg in view")
        self.cells_button.setToolTip(
            f"ProSeg on what is in view with {ITERATIONS} iterations: a preview, not a result."
        )
        self.take_button = QPushButton("Use these thresholds")
        self.take_button.setToolTip("Write both into the parameters of StarDist below.")
        self.whole_button = QPushButton("Nuclei of the whole picture")
        self.save_button = QPushButton("Save outlines…")
        self.said = text_label("")
        self.progress = TaskProgress()
        form = QFormLayout()
        form.addRow("Picture", self.pictures)
        form.addRow("Probability from", self.probability.native)
        form.addRow("Overlap up to", self.overlap.native)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        pairs = (
            (self.nuclei_button, self.cells_button),
            (self.whole_button, self.save_button),
            (self.take_button,),
        )
        for pair in pairs:
            row = QHBoxLayout()
            for button in pair:
                row.addWidget(button)
            layout.addLayout(row)
        layout.addWidget(self.said)
        layout.addWidget(self.progress)
        for slider, name in ((self.probability, "Probability from"), (self.overlap, "Overlap")):
            slider.native.setAccessibleName(name)
            slider.changed.connect(self._on_slider)
        WheelGuard(self).protect(self)
        self.pictures.currentIndexChanged.connect(lambda _: self._show_buttons())
        self.nuclei_button.clicked.connect(self._on_nuclei)
        self.cells_button.clicked.connect(self._on_cells)
        self.take_button.clicked.connect(self._on_take)
        self.whole_button.clicked.connect(self._on_whole)
        self.save_button.clicked.connect(self._on_save)
        self.progress.cancel_requested.connect(self._on_cancel)

    # What is shown

    def refresh(self) -> None:
        """Bring the list of pictures and the buttons up to date."""
        names = [layer.name for layer in rgb_layers(self.viewer)]
        known = [self.pictures.itemText(row) for row in range(self.pictures.count())]
        if names != known:
            chosen = self.pictures.currentText()
            self.pictures.blockSignals(True)
            self.pictures.clear()
            self.pictures.addItems(names)
            if chosen in names:
                self.pictures.setCurrentText(chosen)
            self.pictures.blockSignals(False)
        self._show_buttons()

    def _on_layers(self, _event: Any = None) -> None:
        self.refresh()

    @property
    def picture(self) -> Image | None:
        """The picture that is chosen."""
        name = self.pictures.currentText()
        return next((one for one in rgb_layers(self.viewer) if one.name == name), None)

    @property
    def is_of_sample(self) -> bool:
        """Whether it is the sample's H&E."""
        session, picture = self.control.session, self.picture
        return session is not None and picture is not None and is_sample(picture, session.sample_id)

    def _show_buttons(self) -> None:
        busy, picture = self.preview.is_busy, self.picture
        is_sample_picture = self.is_of_sample
        self.nuclei_button.setEnabled(picture is not None and not busy)
        self.whole_button.setVisible(picture is not None and not is_sample_picture)
        self.whole_button.setEnabled(not busy)
        self.save_button.setVisible(self._file is not None)
        self.cells_button.setVisible(is_sample_picture)
        outlook = self.control.outlook
        nuclei = outlook is not None and outlook.of("stardist").record is not None
        self.cells_button.setEnabled(nuclei and not busy)
        self.take_button.setVisible(self.control.config is not None)
        self.take_button.setEnabled(self._has_candidates)
        self._show_hint(nuclei or not is_sample_picture)

    def _show_hint(self, has_nuclei: bool) -> None:
        """Say what to do, until there is an answer to show."""
        if self.picture is None:
            hint = "Open a sample, or any RGB picture of an H&E, to try it on."
        else:
            hint = "Zoom to a few hundred cells first."
            hint += "" if has_nuclei else " ProSeg needs StarDist to have run."
        if self.said.text() in ("", self._hint):
            self.said.setText(hint)
        self._hint = hint

    # Asking

    def _params(self) -> Params:
        config = self.control.config
        return Params(stardist_model="vhd-he-small") if config is None else config.params

    def _on_nuclei(self) -> None:
        picture = self.picture
        if picture is None:
            return
        (y0, x0, y1, x1), is_larger = view_of(picture, MOST_PX)
        if min(y1 - y0, x1 - x0) < 32:
            self.said.setText("The picture is out of view; bring it back (Home key).")
            return
        self._place(picture, (y0, x0))
        pixels = finest(picture)
        note = f" (the middle {MOST_PX:,} px of it)" if is_larger else ""
        self.progress.start(f"Finding nuclei in view{note}…")
        target = self.preview.folder / "view.npy"
        self.background.ask(
            "picture",
            lambda: _write_picture(pixels[y0:y1, x0:x1], target),
            then=lambda path: self._ask(
                FindNuclei(
                    str(path),
                    self._params().stardist_model,
                    *self._thresholds(),
                    self._params().min_area,
                )
            ),
            failed=self._on_unreadable,
        )
        self._show_buttons()

    def _thresholds(self) -> tuple[float | None, float | None]:
        """Give the sliders' thresholds; before they were turned, those of the parameters."""
        if self._turned:
            return self.probability.value, self.overlap.value
        params = self._params()
        return params.prob_thresh, params.nms_thresh

    def _on_slider(self) -> None:
        self._turned = True
        if self._has_candidates:
            self._ask(
                ChooseNuclei(self.probability.value, self.overlap.value, self._params().min_area)
            )

    def _on_cells(self) -> None:
        picture, run_dir, config = self.picture, self.control.run_dir, self.control.config
        if picture is None or run_dir is None or config is None:
            return
        (y0, x0, y1, x1), _ = view_of(picture, MOST_PROSEG_PX)
        x, y = self._origin()
        self._place(picture, (y0, x0))
        self.progress.start("ProSeg on the view: a preview with few iterations…")
        box = (int(x + x0), int(y + y0), int(x + x1), int(y + y1))
        self._ask(GrowCells(str(run_dir), config.to_dict(), box, ITERATIONS))

    def _on_whole(self) -> None:
        picture = self.picture
        if picture is None:
            return
        self._place(picture, (0, 0))
        pixels, params = finest(picture), self._params()
        shape = (int(pixels.shape[0]), int(pixels.shape[1]))
        self.progress.start("Reading the picture…")
        target = self.preview.folder / "whole.npy"
        self.background.ask(
            "picture",
            lambda: _write_picture(pixels, target, channels_first=True),
            then=lambda path: self._ask(
                SegmentPicture(
                    str(path),
                    shape,
                    params.stardist_model,
                    *self._thresholds(),
                    params.min_area,
                    params.patch_width,
                    params.patch_overlap,
                )
            ),
            failed=self._on_unreadable,
        )

    def _ask(self, wish: Wish) -> None:
        self.preview.ask(wish)
        self._show_buttons()

    def _origin(self) -> tuple[float, float]:
        """Full-resolution px (x, y) of the picture's corner."""
        session: Any = self.control.session
        if not self.is_of_sample or not hasattr(session, "source"):
            return 0.0, 0.0
        pyramid = session.source.image()
        return (0.0, 0.0) if pyramid is None else pyramid.origin

    def _place(self, picture: Image, corner: tuple[int, int]) -> None:
        self._picture, self._corner = picture, corner
        self._frame = frame_of(picture)

    # Answers

    def _on_answered(self, answer: Answer) -> None:
        self.progress.finish()
        if self._frame is None:
            return
        numbers = ", ".join(f"{name} {value}" for name, value in answer.numbers.items())
        if isinstance(answer.wish, SegmentPicture):
            self._file = show_shapes(self.viewer, answer, self._frame, self._picture)
            self.said.setText(f"Shapes layer made: {numbers}.")
        elif isinstance(answer.wish, GrowCells):
            show_cells(self.viewer, answer, self._frame, self._corner)
            self.said.setText(f"<b>Preview, not a result</b>: {numbers}.")
        else:
            self._has_candidates = True
            self._show_thresholds(answer)
            show_nuclei(self.viewer, answer, self._frame, self._corner)
            self.said.setText(f"<b>Preview</b>: {numbers}.")
        self._show_buttons()

    def _show_thresholds(self, answer: Answer) -> None:
        """Put the sliders where the model's own thresholds are, until they are turned."""
        pairs = ((self.probability, PROBABILITY_OWN), (self.overlap, OVERLAP_OWN))
        given = (answer.wish.prob_thresh, answer.wish.nms_thresh)  # type: ignore[union-attr]
        for (slider, own), value in zip(pairs, given, strict=True):
            if not self._turned:
                with slider.changed.blocked():
                    slider.value = float(answer.numbers[own]) if value is None else value

    def _on_progressed(self, _wish: Wish, done: float, total: float, what: str) -> None:
        from napari_vhd.runner.events import Progress

        self.progress.show_progress("Preview", Progress(done, total, what, None))

    def _on_failed(self, _wish: Wish, error: VhdError) -> None:
        from napari.utils.notifications import show_error

        self._has_candidates = False
        self.progress.finish()
        self.said.setText(str(error))
        self._show_buttons()
        show_error(str(error))

    def _on_unreadable(self, error: Exception) -> None:
        self.progress.finish()
        self.said.setText(f"The picture cannot be read: {error}")
        self._show_buttons()

    def _on_cancel(self) -> None:
        self.background.forget("picture")
        self._has_candidates = False
        self.preview.cancel()
        self.progress.finish()
        self._show_buttons()

    def _on_take(self) -> None:
        self.control.change("prob_thresh", round(float(self.probability.value), 3))
        self.control.change("nms_thresh", round(float(self.overlap.value), 3))

    def _on_save(self) -> None:
        if self._file is not None:
            self._file.ask_and_save(self)


def _write_picture(pixels: Any, path: Path, channels_first: bool = False) -> Path:
    """Read pixels (y, x, 3 or 4) and write them for the worker."""
    here = np.asarray(pixels)[..., :3]
    if here.dtype != np.uint8:
        top = float(here.max(initial=1)) if here.dtype.kind == "f" else np.iinfo(here.dtype).max
        here = (here.astype(np.float32) * (255 / max(top, 1e-9))).astype(np.uint8)
    np.save(path, np.moveaxis(here, 2, 0) if channels_first else here)
    return path
