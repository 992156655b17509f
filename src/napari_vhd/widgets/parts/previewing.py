"""Asking for previews of a picture, and placing what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_vhd.runner.preview import (
    ChooseNuclei,
    FindNuclei,
    GrowCells,
    Preview,
    SegmentPicture,
)

from .background import Background
from .frame import finest, frame_of, sample_frame, view_of
from .preview_layers import PictureNuclei, outlines_in

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_vhd.exceptions import VhdError
    from napari_vhd.parameters import Params
    from napari_vhd.runner.preview import Answer, Wish
    from napari_vhd.widgets.run_control import RunControl

MOST_PX = 1024
MOST_PROSEG_PX = 1500
LEAST_PX = 32
ITERATIONS = 20
_STRIP = 1024  # rows

Thresholds = tuple[float | None, float | None]


class Previewing:
    """Reads pictures beside the window and asks a worker. Signals come on the GUI thread.

    Parameters
    ----------
    viewer
        Whose view is looked at.
    """

    #: Answer, its outlines in the view, and their place (scale, translation, units).
    answered = Signal(object, object, dict)
    #: Nuclei of a whole picture, their layer, what came out.
    segmented = Signal(object, object, dict)
    #: Done, total, what.
    progressed = Signal(float, float, str)
    #: A sentence.
    failed = Signal(str)

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.preview = Preview()
        self.background = Background()
        self.has_candidates = False
        self._reading = False
        self._place: dict[str, Any] = {}
        self._picture = ""
        self._middle = (0.0, 0.0)
        self.preview.answered.connect(self._on_answered, thread="main")
        self.preview.progressed.connect(self._on_progressed, thread="main")
        self.preview.failed.connect(self._on_failed, thread="main")

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._reading or self.preview.is_busy

    def nuclei(self, picture: Image, params: Params, thresholds: Thresholds) -> str:
        """Find nuclei in view; gives what to say meanwhile."""
        (y0, x0, y1, x1), is_larger = view_of(self._viewer, picture, MOST_PX)
        if min(y1 - y0, x1 - x0) < LEAST_PX:
            return ""
        frame = frame_of(picture)
        self._picture, self._place = picture.name, frame.at(y0, x0)
        pixels, target = finest(picture), self.preview.folder / "view.npy"
        self._read(
            lambda: write_picture(pixels, (y0, x0, y1, x1), target),
            lambda path: FindNuclei(str(path), params.stardist_model, *thresholds, params.min_area),
        )
        note = f" (the middle {MOST_PX:,} px of it)" if is_larger else ""
        return f"Finding nuclei in view{note}…"

    def choose(self, params: Params, thresholds: Thresholds) -> None:
        """Choose again with other thresholds."""
        if self.has_candidates:
            self.preview.ask(ChooseNuclei(*thresholds, params.min_area))

    def cells(self, picture: Image, control: RunControl) -> str:
        """Grow cells in view by ProSeg with few iterations; gives what to say meanwhile."""
        (y0, x0, y1, x1), _ = view_of(self._viewer, picture, MOST_PROSEG_PX)
        if min(y1 - y0, x1 - x0) < LEAST_PX or control.run_dir is None or control.config is None:
            return ""
        here, px = frame_of(picture), sample_frame(control.session)
        low, high = px.to_px(here.to_world(y0, x0)), px.to_px(here.to_world(y1, x1))
        box = (round(low[0]), round(low[1]), round(high[0]), round(high[1]))
        self._picture, self._place = picture.name, px.picture(box[0], box[1], 1)
        self.preview.ask(GrowCells(str(control.run_dir), control.config.to_dict(), box, ITERATIONS))
        return "ProSeg on the view: a preview with few iterations…"

    def whole(self, picture: Image, params: Params, thresholds: Thresholds) -> str:
        """Find the nuclei of a whole picture; gives what to say meanwhile."""
        (y0, x0, y1, x1), _ = view_of(self._viewer, picture, MOST_PX)
        self._middle = (y0 + y1) / 2, (x0 + x1) / 2
        self._picture, self._place = picture.name, frame_of(picture).vertices()
        pixels, target = finest(picture), self.preview.folder / "whole.npy"
        shape = (int(pixels.shape[0]), int(pixels.shape[1]))
        self._read(
            lambda: write_picture(pixels, (0, 0, *shape), target, channels_first=True),
            lambda path: SegmentPicture(
                str(path),
                shape,
                params.stardist_model,
                *thresholds,
                params.min_area,
                params.patch_width,
                params.patch_overlap,
            ),
        )
        return "Finding the nuclei of the whole picture…"

    def cancel(self) -> None:
        """End what is at work."""
        self.background.forget("picture")
        self._reading = False
        self.has_candidates = False
        self.preview.cancel()

    def close(self) -> None:
        """End it for good."""
        self.background.close()
        self.preview.close()

    def _read(self, read: Any, wish: Any) -> None:
        """Read a picture beside the window, then ask."""
        self._reading = True

        def ask(path: Path) -> None:
            self._reading = False
            self.preview.ask(wish(path))

        self.background.ask("picture", read, then=ask, failed=self._on_unreadable)

    def _on_answered(self, answer: Answer) -> None:
        if isinstance(answer.wish, FindNuclei):
            self.has_candidates = True
        place, picture, middle = self._place, self._picture, self._middle
        self._reading = True

        def read() -> Any:
            if answer.labels is not None:
                return outlines_in(answer.labels)
            nuclei = PictureNuclei.read(answer.outlines, picture, middle)
            return nuclei, nuclei.layer(place)

        def show(found: Any) -> None:
            self._reading = False
            if answer.labels is not None:
                self.answered.emit(answer, found, place)
            else:
                self.segmented.emit(*found, dict(answer.numbers))

        self.background.ask("picture", read, then=show, failed=self._on_unreadable)

    def _on_progressed(self, _wish: Wish, done: float, total: float, what: str) -> None:
        self.progressed.emit(done, total, what)

    def _on_failed(self, _wish: Wish, error: VhdError) -> None:
        self.has_candidates = False
        self.failed.emit(str(error))

    def _on_unreadable(self, error: Exception) -> None:
        self._reading = False
        self.failed.emit(f"The picture cannot be read: {error}")


def write_picture(
    pixels: Any, box: tuple[int, int, int, int], path: Path, channels_first: bool = False
) -> Path:
    """Write a part of a picture for the worker, as 8 bit; only a strip is in memory at once.

    Parameters
    ----------
    pixels
        (y, x, 3 or 4), lazy or not; floats lie between 0 and 1, as napari draws them.
    box
        y0, x0, y1, x1, px of the picture.
    path
        ``.npy`` file.
    channels_first
        Write (3, y, x), else (y, x, 3).
    """
    y0, x0, y1, x1 = box
    shape = (3, y1 - y0, x1 - x0) if channels_first else (y1 - y0, x1 - x0, 3)
    written = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    by_rows = np.moveaxis(written, 0, 2) if channels_first else written
    for top in range(y0, y1, _STRIP):
        strip = np.asarray(pixels[top : min(top + _STRIP, y1), x0:x1])
        by_rows[top - y0 : top - y0 + len(strip)] = _bytes(strip[..., :3])
    written.flush()
    return path


def _bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    return (np.clip(pixels / top, 0, 1) * 255).astype(np.uint8)
