"""The correction dock: labels and outlines by hand, undone and redone, with who and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from napari_vhd.exceptions import BadInputError
from napari_vhd.layers.corrector import close_corrector, corrector_of

from .parts.correction_body import Body
from .parts.deeds import Asked, Deeds
from .parts.review_mode import ReviewMode
from .parts.scene_dock import SceneDock
from .parts.settings import author_setting
from .parts.status_line import saved_in
from .parts.theme import theme_color
from .parts.tools import PICK

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    from napari_vhd.corrections.correction import Entry
    from napari_vhd.exceptions import VhdError
    from napari_vhd.layers.scene import Scene

# Counts are taken again once edits have come to rest; what others wrote is looked for now and then.
_REST_MS, _DECIDE_MS, _POLL_MS = 60, 1200, 2000


class CorrectionsDock(SceneDock):
    """Corrects the open sample.

    Parameters
    ----------
    napari_viewer
        The viewer whose sample it is about.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Corrections")
        self.parts = Body(self, self.viewer, self.body)
        self.head, self.labels, self.tools = self.parts.head, self.parts.labels, self.parts.tools
        self.deeds = Deeds(self, self._asked_now)
        self.review = ReviewMode(self)
        self._rest, self._decide_rest = _timer(self, _REST_MS), _timer(self, _DECIDE_MS)
        self._poll = QTimer(self)
        self._poll.setInterval(_POLL_MS)
        self._connect()
        self.refresh_theme()
        self.start()

    def _connect(self) -> None:
        head, deeds, labels, review = self.head, self.deeds, self.labels, self.review
        for asked in (head.undo_asked, review.undo_asked):
            asked.connect(self._on_undo)
        for asked in (head.redo_asked, review.redo_asked):
            asked.connect(self._on_redo)
        head.named.connect(self._on_named)
        head.review.toggled.connect(review.turn)
        review.toggled.connect(head.review.setChecked)
        review.label_asked.connect(self._on_label_key)
        review.commit_asked.connect(deeds.commit)
        review.escape_asked.connect(self._on_escape)
        for asked in (self.tools.chosen, review.tool_asked):
            asked.connect(deeds.start)
        deeds.tool_changed.connect(self._on_tool)
        for told in (deeds.told, self.parts.refine.told):
            told.connect(head.tell)
        deeds.refused.connect(show_error)
        deeds.mendable.connect(head.mend.offer)
        deeds.done.connect(labels.note.clear)
        deeds.painting.picked.connect(labels.palette_table.set_current)
        deeds.painting.opened.connect(self._on_layers)
        labels.label_given.connect(deeds.give)
        labels.palette_table.select_asked.connect(self.parts.selected.select_category)
        labels.listed.connect(self._on_listed)
        self._rest.timeout.connect(labels.refresh_labels)
        self._decide_rest.timeout.connect(self.parts.refresh_rested)
        self._poll.timeout.connect(self._ask_poll)

    # The open sample

    def show_scene(self, scene: Scene) -> None:
        """Follow a sample."""
        session = scene.session
        self.deeds.set_scene(scene)
        self.review.set_scene(scene)
        corrector = corrector_of(scene)
        self.listen(corrector.busy_changed, self.head.status.set_busy, thread=True)
        self.listen(corrector.refused, self._on_refused)
        self.listen(scene.selection_changed, self._on_selection)
        self.listen(scene.coloring_changed, self.labels.follow)
        self.listen(scene.viewer.layers.events.inserted, self._on_layers)
        self.listen(session.cells_changed, self._on_changed, thread=True)
        self.listen(session.columns_changed, self.labels.refresh_columns, thread=True)
        self.listen(session.reloaded, self._on_reloaded, thread=True)
        self.listen(session.regions_changed, self.parts.selected.refresh_regions, thread=True)
        self.listen(session.history_changed, self._on_history, thread=True)
        self.listen(session.saved, self._on_saved, thread=True)
        if not session.author:
            session.author = author_setting().agreed()
        self.listen(author_setting().changed, self._on_author_set)
        self.head.author.setText(session.author)
        self._on_selection(scene.selection)
        self.labels.refresh_columns()
        self.parts.selected.refresh_regions()
        self.parts.refresh_computed()
        self._on_history()
        self.ask("newest", saved_in, session, then=lambda f: self.head.status.show_saved(*f))
        self._poll.start()

    def leave_scene(self) -> None:
        """Let what is under way be written, and forget the sample."""
        self._poll.stop()
        self._rest.stop()
        self._decide_rest.stop()
        self.deeds.set_scene(None)
        self.review.set_scene(None)
        self.parts.leave()
        self.labels.forget()
        self.head.mend.forget()
        if self.scene is not None:
            close_corrector(self.scene)

    def let_go(self) -> None:
        """Hear nothing any more, nor does the card."""
        self.parts.card.let_go()
        super().let_go()

    def refresh_theme(self) -> None:
        """Draw in the theme's text colour."""
        ink = theme_color(self.viewer, "text")
        self.parts.set_colors(ink, theme_color(self.viewer, "current"))

    def correct(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], None] | None = None,
        **named: Any,
    ) -> None:
        """Call a verb of the session beside the window, in the order they are asked for."""
        self.deeds.do(verb, *arguments, then=then, **named)

    # What people ask for

    def _asked_now(self) -> Asked:
        boundaries, column = self.labels.shown
        return Asked(
            boundaries,
            column,
            self.labels.palette_table.current,
            self.labels.color,
            self.labels.note.text().strip(),
            self.tools.overlap.currentData(),
            self.tools.distance.value(),
        )

    def _on_undo(self) -> None:
        if self.scene is not None:
            self.correct(self.scene.session.undo, then=self._on_switched)

    def _on_redo(self) -> None:
        if self.scene is not None:
            self.correct(self.scene.session.redo, then=self._on_switched)

    def _on_switched(self, entry: Entry | None) -> None:
        if entry is None:
            self.head.tell("There is nothing of yours to undo or redo.")

    def _on_label_key(self, key: str) -> None:
        name = self.labels.palette_table.of_key(key)
        if name:
            self.labels.give(name)
        else:
            self.head.tell(f"No label has the key {key}.")

    def _on_escape(self) -> None:
        if self.deeds.tool == PICK:
            self.review.turn(False)
        else:
            self.deeds.leave()

    def _on_named(self, name: str) -> None:
        if self.scene is None or name == self.scene.session.author:
            return
        try:
            author_setting().set(name)
        except BadInputError as error:
            self._on_refused(error)
        else:
            self.scene.session.author = name

    def _on_author_set(self, before: str, now: str) -> None:
        # A name that was given for this session stays.
        if self.scene is not None and self.scene.session.author in ("", before):
            self.scene.session.author = now
            self.head.author.setText(now)

    # What is to be shown

    def _on_selection(self, ids: tuple[str, ...]) -> None:
        self.parts.selected.show_number(len(ids), ids[0] if ids else "")
        self.tools.set_selected(len(ids))

    def _on_tool(self, name: str) -> None:
        self.tools.set_current(name)
        if self.scene is not None:
            self.tools.set_selected(len(self.scene.selection))
        self.review.refresh()

    def _on_layers(self, _layer: Any = None) -> None:
        self.review.refresh()

    def _on_listed(self) -> None:
        rows = self.labels.palette_table.rows
        self.parts.selected.set_categories([row.name for row in rows if row.count])
        self.parts.history.set_titles(self.labels.titles)

    def _on_changed(self, _news: Any = None) -> None:
        self._rest.start()

    def _on_reloaded(self) -> None:
        self.labels.refresh_columns()
        self.parts.refresh_computed()

    def _on_history(self) -> None:
        self.parts.history.refresh()
        self._decide_rest.start()

    def _on_saved(self, entry: Entry) -> None:
        if self.scene is not None:
            self.head.status.show_saved(entry, len(self.scene.session.editor.history))

    def _on_refused(self, error: VhdError) -> None:
        show_error(str(error))
        self.head.status.show_refused(str(error))
        if self.scene is not None and not self.scene.session.author:
            self.head.ask_name()

    def _ask_poll(self) -> None:
        if self.scene is not None:
            self.ask("poll", self.scene.session.poll, then=lambda _: None)


def _timer(parent: SceneDock, milliseconds: int) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    return timer
