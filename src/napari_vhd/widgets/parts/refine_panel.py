"""Correct, then refine: corrected nuclei given back to ProSeg on one region, taken or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_vhd import keys
from napari_vhd.layers.proposal_layer import ProposalLayer

from .active_layer import activate
from .ears import Ears
from .outline_drawing import HOW, OutlineDrawing

if TYPE_CHECKING:
    from napari_vhd.corrections.refine import Proposal
    from napari_vhd.exceptions import VhdError
    from napari_vhd.runner.refinery import Refinement
    from napari_vhd.session import Session

    from .desk import Desk

_WHAT = (
    "ProSeg neither merges nor splits cells. Correct the StarDist nuclei of a region first, then "
    "let ProSeg grow its cells anew from them; cells outside stay as they are."
)
_MISSING = "This needs StarDist nuclei and ProSeg cells; run the segmentation first."
_ASK, _WORK, _JUDGE = range(3)


class RefinePanel(QWidget):
    """From a drawn region to a proposal that is accepted or dropped.

    Parameters
    ----------
    desk
        Whose sample it is about.

    Attributes
    ----------
    told
        What to do next, "" for nothing.
    """

    told = Signal(str)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._job: Refinement | None = None
        self._ears = Ears()
        self.destroyed.connect(self._ears.let_go)
        self.proposal: Proposal | None = None
        self.shown: ProposalLayer | None = None
        self.drawing = OutlineDrawing(self)
        self.what = QLabel(_WHAT)
        self.begin = QPushButton("Draw the region to refine…")
        self.bar = QProgressBar()
        self.step = QLabel()
        self.cancel = QPushButton("Cancel")
        self.summary = QLabel()
        self.old, self.new = QCheckBox("as they are (yellow)"), QCheckBox("proposed (pink)")
        self.accept, self.drop = QPushButton("Accept"), QPushButton("Drop")
        self.pages = QStackedWidget()
        self.pages.addWidget(_column(self.what, self.begin))
        self.pages.addWidget(_column(self.step, self.bar, self.cancel))
        self.pages.addWidget(
            _column(self.summary, self.old, self.new, _row(self.accept, self.drop))
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.pages)
        self.begin.clicked.connect(self._on_begin)
        self.drawing.drawn.connect(self.start)
        self.drawing.ended.connect(lambda: self.told.emit(""))
        self.cancel.clicked.connect(self._on_cancel)
        self.accept.clicked.connect(self._on_accept)
        self.drop.clicked.connect(self.leave)
        for box, name in ((self.old, "old"), (self.new, "new")):
            box.toggled.connect(lambda on, name=name: self._show(name, on))

    def refresh(self) -> None:
        """Offer it where the sample has what it needs."""
        scene = self._desk.scene
        names = () if scene is None else scene.session.segmentations()
        there = keys.STARDIST in names and keys.PROSEG in names
        self.begin.setEnabled(there)
        self.what.setText(_WHAT if there else _MISSING)

    def start(self, region: Any) -> None:
        """Refine the cells of a region (polygon, full-resolution px)."""
        scene = self._desk.scene
        if scene is not None:
            self._desk.ask("refinement", scene.session.refinement, region, then=self._begin)

    def leave(self) -> None:
        """End what is at work, and drop what is proposed."""
        self.drawing.cancel()
        job, self._job = self._job, None
        self._ears.let_go()
        if job is not None:
            job.cancel()
        if self.shown is not None:
            self.shown.close()
            if self._desk.scene is not None:
                activate(self._desk.scene)
        self.shown = self.proposal = None
        self.pages.setCurrentIndex(_ASK)

    def _on_begin(self) -> None:
        if self._desk.scene is not None:
            self.drawing.start(self._desk.scene, "lasso")
            self.told.emit(HOW["lasso"])

    def _begin(self, job: Refinement) -> None:
        self.leave()
        self._job = job
        self._ears.listen(job.progressed, self._on_progress, thread=True)
        self._ears.listen(job.finished, self._on_finished, thread=True)
        self._ears.listen(job.failed, self._on_failed, thread=True)
        self.bar.setRange(0, 0)
        self.step.setText("ProSeg grows the cells of the region…")
        self.pages.setCurrentIndex(_WORK)
        self._desk.ask("refine", _started, job, then=self._on_started)

    def _on_started(self, error: VhdError | None) -> None:
        if error is not None:
            self._on_failed(error)

    def _on_progress(self, done: float, total: float, what: str) -> None:
        self.bar.setRange(0, 100)
        self.bar.setValue(round(100 * done / total) if total else 0)
        self.step.setText(what or self.step.text())

    def _on_cancel(self) -> None:
        self.leave()

    def _on_failed(self, error: VhdError) -> None:
        self._job = None  # it is over
        self.leave()
        show_error(str(error))

    def _on_finished(self, proposal: Proposal) -> None:
        scene = self._desk.scene
        self._job = None
        self.leave()
        if scene is None:
            return
        self.proposal = proposal
        um_per_px = scene.session.um_per_px
        self.shown = ProposalLayer(scene.viewer, proposal, um_per_px, scene.tasks)
        for box in (self.old, self.new):
            box.setChecked(True)
        kept = f" {len(proposal.kept)} without a nucleus stay." if proposal.kept else ""
        self.summary.setText(proposal.summary + kept)
        self.pages.setCurrentIndex(_JUDGE)

    def _show(self, name: str, on: bool) -> None:
        if self.shown is not None:
            getattr(self.shown, name).visible = on

    def _on_accept(self) -> None:
        scene, proposal = self._desk.scene, self.proposal
        if scene is not None and proposal is not None:
            self._desk.correct(_take, scene.session, proposal, then=lambda _: self.leave())


def _started(job: Refinement) -> VhdError | None:
    """Start; give what was wrong, so that the panel can go back."""
    from napari_vhd.exceptions import VhdError

    try:
        job.start()
    except VhdError as error:
        return error
    return None


def _take(session: Session, proposal: Proposal) -> list[str]:
    note = "grown again by ProSeg from corrected nuclei"
    return session.refine(keys.PROSEG, proposal.outlines, proposal.made, note)


def _column(*parts: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setAlignment(Qt.AlignmentFlag.AlignTop)
    for part in parts:
        if isinstance(part, QLabel):
            part.setWordWrap(True)
        layout.addWidget(part)
    return page


def _row(*parts: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(part)
    return row
