"""Previews: StarDist on the view with thresholds as sliders, ProSeg with few iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import FloatSlider
from napari.utils.notifications import show_error
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_vhd.io.models import SHIPPED
from napari_vhd.layers.changing import put
from napari_vhd.layers.tasks import Tasks
from napari_vhd.parameters import Params
from napari_vhd.runner.events import Progress
from napari_vhd.runner.preview import (
    OVERLAP_OWN,
    PROBABILITY_OWN,
    FindNuclei,
    GrowCells,
)

from .dispatch import dispatcher
from .editors import WheelGuard
from .frame import is_sample, rgb_layers
from .preview_layers import CELLS, NUCLEI, PictureNuclei, ask_path, show_outlines
from .previewing import ITERATIONS, Previewing, Thresholds
from .progress import TaskProgress
from .step_labels import text_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image, Layer
    from napari.viewer import Viewer

    from napari_vhd.runner.preview import Answer
    from napari_vhd.widgets.run_control import RunControl

_START = (0.5, 0.3)
_NO_PICTURE = "Open a sample, or any RGB picture of an H&E, to try it on."
_OUT_OF_VIEW = "The picture is out of view; bring it back (Home button, below the layer list)."


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
        self.previewing = Previewing(viewer)
        # What is previewed may be no sample, which would have its own.
        self._tasks = Tasks(dispatcher(), self._on_unshown)
        self._turned = False
        self._hint = ""
        self._nuclei: PictureNuclei | None = None
        self._build()
        self._lay_out()
        self.previewing.answered.connect(self._on_answered)
        self.previewing.segmented.connect(self._on_segmented)
        self.previewing.progressed.connect(self._on_progressed)
        self.previewing.failed.connect(self._on_failed)
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        self.refresh()

    def release(self) -> None:
        """End what is at work, and let go of the viewer."""
        self.viewer.layers.events.inserted.disconnect(self._on_layers)
        self.viewer.layers.events.removed.disconnect(self._on_layers)
        self.previewing.close()
        self._tasks.close()

    def _build(self) -> None:
        self.pictures = QComboBox()
        self.pictures.setAccessibleName("Picture")
        self.pictures.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.pictures.currentIndexChanged.connect(lambda _: self._show_buttons())
        self.probability = FloatSlider(min=0.05, max=0.95, step=0.01, value=_START[0])
        self.overlap = FloatSlider(min=0.0, max=0.9, step=0.01, value=_START[1])
        for slider, name in ((self.probability, "Probability from"), (self.overlap, "Overlap")):
            slider.native.setAccessibleName(name)
            slider.changed.connect(self._on_slider)
        buttons = (
            ("nuclei_button", "Nuclei in view", "StarDist on what is in view; nothing is kept."),
            (
                "cells_button",
                "ProSeg in view",
                f"ProSeg on what is in view with {ITERATIONS} iterations: a preview, no result.",
            ),
            ("take_button", "Use these thresholds", "Write both into StarDist's parameters."),
            ("whole_button", "Nuclei of the whole picture", "StarDist alone, as a Shapes layer."),
            ("save_button", "Save outlines…", "As GeoJSON, in pixels of the picture."),
        )
        slots = (self._on_nuclei, self._on_cells, self._on_take, self._on_whole, self._on_save)
        for (name, title, tip), slot in zip(buttons, slots, strict=True):
            button = QPushButton(title)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            setattr(self, name, button)
        self.said = text_label("")
        self.progress = TaskProgress()
        self.progress.cancel_requested.connect(self._on_cancel)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Picture", self.pictures)
        form.addRow("Probability from", self.probability.native)
        form.addRow("Overlap up to", self.overlap.native)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        pairs: tuple[tuple[QPushButton, ...], ...] = (
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
        WheelGuard(self).protect(self)

    # What is shown

    def refresh(self) -> None:
        """Bring the list of pictures and the buttons up to date."""
        names = [layer.name for layer in rgb_layers(self.viewer)]
        if names != [self.pictures.itemText(row) for row in range(self.pictures.count())]:
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
        busy, picture, ours = self.previewing.is_busy, self.picture, self.is_of_sample
        outlook = self.control.outlook
        has_nuclei = outlook is not None and outlook.of("stardist").record is not None
        self.nuclei_button.setEnabled(picture is not None and not busy)
        self.whole_button.setVisible(picture is not None and not ours)
        self.whole_button.setEnabled(not busy)
        self.save_button.setVisible(self._nuclei is not None)
        self.cells_button.setVisible(ours)
        self.cells_button.setEnabled(has_nuclei and not busy)
        self.take_button.setVisible(self.control.config is not None)
        self.take_button.setEnabled(self.previewing.has_candidates)
        hint = _NO_PICTURE if picture is None else "Zoom to a few hundred cells first."
        if ours and not has_nuclei:
            hint += " ProSeg needs StarDist to have run."
        if self.said.text() in ("", self._hint):
            self.said.setText(hint)
        self._hint = hint

    # Asking

    def _params(self) -> Params:
        config = self.control.config
        return Params(stardist_model=SHIPPED) if config is None else config.params

    def _thresholds(self) -> Thresholds:
        """Give the sliders' thresholds; before they were turned, those of the parameters."""
        if self._turned:
            return self.probability.value, self.overlap.value
        params = self._params()
        return params.prob_thresh, params.nms_thresh

    def _began(self, text: str) -> None:
        if text:
            self.progress.start(text)
        else:
            self.said.setText(_OUT_OF_VIEW)
        self._show_buttons()

    def _on_nuclei(self) -> None:
        if self.picture is not None:
            self._began(self.previewing.nuclei(self.picture, self._params(), self._thresholds()))

    def _on_slider(self) -> None:
        self._turned = True
        self.previewing.choose(self._params(), self._thresholds())

    def _on_cells(self) -> None:
        if self.picture is not None:
            self._began(self.previewing.cells(self.picture, self.control))

    def _on_whole(self) -> None:
        if self.picture is not None:
            self._began(self.previewing.whole(self.picture, self._params(), self._thresholds()))

    def _on_take(self) -> None:
        self.control.change("prob_thresh", round(float(self.probability.value), 3))
        self.control.change("nms_thresh", round(float(self.overlap.value), 3))

    def _on_save(self) -> None:
        nuclei = self._nuclei
        path = None if nuclei is None else ask_path(self, nuclei.picture)
        if nuclei is not None and path is not None:
            self.previewing.background.ask(
                "save", nuclei.save, path, then=lambda _: self.said.setText(f"Saved: {path}.")
            )

    def _on_cancel(self) -> None:
        self.previewing.cancel()
        self.progress.finish()
        self._show_buttons()

    # Answers

    def _on_answered(self, answer: Answer, outlines: Any, place: dict[str, Any]) -> None:
        self.progress.finish()
        numbers = _told(answer.numbers)
        if isinstance(answer.wish, GrowCells):
            show_outlines(self.viewer, CELLS, outlines, place, self._tasks)
            self.said.setText(f"<b>Preview, not a result</b>: {numbers}.")
        else:
            self._show_thresholds(answer)
            show_outlines(self.viewer, NUCLEI, outlines, place, self._tasks)
            self.said.setText(f"<b>Preview</b>: {numbers}.")
        self._show_buttons()

    def _on_segmented(self, nuclei: PictureNuclei, layer: Layer, numbers: dict[str, Any]) -> None:
        put(self.viewer.layers, layer, self._tasks)
        self.progress.finish()
        self._nuclei = nuclei
        some = len(nuclei.shown) < len(nuclei.rings)
        note = f" The {len(nuclei.shown):,} around the view are shown; saving keeps all."
        self.said.setText(f"Shapes layer made: {_told(numbers)}.{note if some else ''}")
        self._show_buttons()

    def _show_thresholds(self, answer: Answer) -> None:
        """Put the sliders where the thresholds were, until they are turned."""
        if self._turned or not isinstance(answer.wish, FindNuclei):
            return
        given = (answer.wish.prob_thresh, answer.wish.nms_thresh)
        own = (answer.numbers[PROBABILITY_OWN], answer.numbers[OVERLAP_OWN])
        for slider, value, model in zip((self.probability, self.overlap), given, own, strict=True):
            with slider.changed.blocked():
                slider.value = float(model) if value is None else value

    def _on_progressed(self, done: float, total: float, what: str) -> None:
        self.progress.show_progress("Preview", Progress(done, total, what, None))

    def _on_unshown(self, error: Exception) -> None:
        self._on_failed(f"The preview cannot be shown: {error}")

    def _on_failed(self, sentence: str) -> None:
        self.progress.finish()
        self.said.setText(sentence)
        self._show_buttons()
        show_error(sentence)


def _told(numbers: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in numbers.items())
