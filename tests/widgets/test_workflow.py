"""The workflow dock, by its real controls: empty, running, cancelled, failed, saved, closed."""

from __future__ import annotations

import pytest
from bench import (
    LONG,
    GuiWatch,
    OpenSession,
    configured,
    copied,
    open_session,
    space_ranger_folder,
    use_quick_stages,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QMessageBox

from napari_vhd.config import RunConfig
from napari_vhd.io.store import RunStore
from napari_vhd.runner.run import run_config
from napari_vhd.session import Session
from napari_vhd.widgets import docked, opening
from napari_vhd.widgets.current import current_of
from napari_vhd.widgets.parts import closing
from napari_vhd.widgets.parts.place import PlaceDialog

# A generous guard; what it is, benchmarks/display.py measures.
MOST_MS = 150
SAMPLE, REGION, SEGMENTATION, DOMAINS, DECONVOLUTION, CELL_TYPES, REVIEW = range(7)


@pytest.fixture
def dock(viewer, qtbot):
    held = docked.Workflow(viewer)
    viewer.window.add_dock_widget(held, name="workflow")
    qtbot.waitUntil(lambda: held.dock is not None, timeout=LONG)
    return held.dock


@pytest.fixture
def quick(monkeypatch, finished_run):
    use_quick_stages(monkeypatch, finished_run)


def looked(dock, qtbot):
    """Wait until it is known what a run would do."""
    qtbot.waitUntil(lambda: dock.control.outlook is not None, timeout=LONG)


def run_until_ended(dock, qtbot, start) -> list:
    """Start a run and wait for its end; gives the error that ended it, or None."""
    errors = []
    dock.control.ended.connect(errors.append)
    start()
    qtbot.waitUntil(lambda: bool(errors), timeout=LONG)
    dock.control.ended.disconnect(errors.append)
    return errors[0]


@pytest.fixture
def new_sample(viewer, dock, qtbot, quick, simulated, tmp_path):
    """A Space Ranger folder that is only looked at, with its settings."""
    session = open_session(viewer, space_ranger_folder(simulated, tmp_path))
    dock.control.set_config(configured(simulated, tmp_path / "processed"))
    looked(dock, qtbot)
    return session


@pytest.fixture
def ready_sample(viewer, dock, qtbot, quick, finished_run, tmp_path):
    """A run folder whose nuclei are to be found anew."""
    session = open_session(viewer, copied(finished_run, tmp_path))
    looked(dock, qtbot)
    dock.control.change("min_area", 25.0)
    qtbot.waitUntil(lambda: dock.control.outlook.of("stardist").status == "stale", timeout=LONG)
    return session


def accept_place(monkeypatch, asked: list) -> None:
    def accept(self):
        asked.append(self.place)
        return PlaceDialog.DialogCode.Accepted

    monkeypatch.setattr(PlaceDialog, "exec", accept)


def test_with_nothing_open_each_step_says_what_to_do_next(dock):
    for number in range(REVIEW + 1):
        dock.open_step(number)
        panel = dock.panel(number)
        if number == SAMPLE:
            assert "Choose a folder" in panel.facts.text()
        else:
            assert panel.empty.isVisibleTo(panel)
            assert "Sample" in panel.empty.text()
        assert not panel.run_button.isVisibleTo(dock)


def test_a_finished_run_shows_what_came_out(dock, viewer, qtbot, finished_run, tmp_path):
    open_session(viewer, copied(finished_run, tmp_path))
    looked(dock, qtbot)
    segmentation = dock.panel(SEGMENTATION)
    assert "nuclei" in segmentation.results.text()
    assert "done" in dock.headers[REGION].text() or "out of date" in dock.headers[REGION].text()
    assert "bins of 2 µm" in dock.panel(REGION).size.text()


def test_what_is_turned_in_a_form_is_in_the_config_and_makes_the_step_stale(
    dock, viewer, qtbot, finished_run, tmp_path
):
    session = open_session(viewer, copied(finished_run, tmp_path))
    looked(dock, qtbot)
    form = next(f for f in dock.panel(DOMAINS).forms() if "pct_mito" in f.editors)
    form.editors["pct_mito"].value = 7.5
    assert session.config.params.pct_mito == 7.5
    qtbot.waitUntil(lambda: "pct_mito" in dock.control.outlook.of("qc").reason, timeout=LONG)
    assert "pct_mito 10 -&gt; 7.5" in dock.panel(DOMAINS).results.text().replace("10.0", "10")
    assert "out of date" in dock.headers[DOMAINS].text()


def test_a_contradiction_is_said_in_the_panel_and_stops_run(new_sample, dock, qtbot):
    dock.control.change("patch_overlap", 1500)
    qtbot.waitUntil(lambda: "patch_overlap" in dock.panel(SEGMENTATION).needs.text(), timeout=LONG)
    assert not dock.panel(SEGMENTATION).run_button.isEnabled()


def test_the_place_is_asked_at_the_first_run_and_nothing_is_written_before(
    new_sample, dock, qtbot, monkeypatch, tmp_path
):
    assert not (tmp_path / "processed").exists()
    dock.open_step(SAMPLE)
    monkeypatch.setattr(PlaceDialog, "exec", lambda _: PlaceDialog.DialogCode.Rejected)
    dock.panel(SAMPLE).run_button.click()
    assert not dock.control.is_running
    assert not (tmp_path / "processed").exists()


def test_run_shows_progress_and_result_and_saves_what_was_run(
    new_sample, dock, qtbot, monkeypatch, tmp_path
):
    asked, shares = [], []
    accept_place(monkeypatch, asked)
    dock.control.progressed.connect(lambda task, p: shares.append((task.stage, p.done)))
    form = next(f for f in dock.panel(SEGMENTATION).forms() if "min_area" in f.editors)
    form.editors["min_area"].value = 25.0
    dock.open_step(REGION)
    panel = dock.panel(REGION)
    panel.drawn.click()
    panel.box.setText("0, 0, 400, 300")
    panel.box.editingFinished.emit()
    assert "about" in panel.estimate.text()
    assert run_until_ended(dock, qtbot, panel.run_button.click) is None
    assert len(asked) == 1
    assert {stage for stage, _ in shares} == {"region"}
    qtbot.waitUntil(lambda: dock.control.outlook.of("region").status == "done", timeout=LONG)
    assert "2 µm bins" in panel.results.text()
    assert panel.again_button.isVisibleTo(panel.run_box)
    qtbot.waitUntil(lambda: bool(panel.pictures.buttons), timeout=LONG)
    # The new run folder is open by itself.
    qtbot.waitUntil(lambda: dock.control.session.run_dir == dock.control.run_dir, timeout=LONG)
    path = tmp_path / "saved.yaml"
    dock.panel(REVIEW).save(path)
    saved = RunConfig.from_yaml(path)
    assert saved == RunStore.open(dock.control.run_dir).config()
    assert saved.params.min_area == 25.0
    assert saved.samples[0].region == (0, 0, 400, 300)


def test_a_run_never_freezes_the_window(
    dock, viewer, qtbot, quick, monkeypatch, simulated, tmp_path
):
    """The docks themselves; what layers take to be made is measured with the layers."""
    current_of(viewer).scene = OpenSession(Session.open(space_ranger_folder(simulated, tmp_path)))
    dock.control.set_config(configured(simulated, tmp_path / "processed"))
    monkeypatch.setattr(opening, "open_path", lambda *_: None)
    looked(dock, qtbot)
    qtbot.wait(300)
    with GuiWatch() as watch:
        assert run_until_ended(dock, qtbot, lambda: dock.control.run(["region"])) is None
        qtbot.waitUntil(lambda: dock.control.outlook.of("region").status == "done", timeout=LONG)
    assert watch.longest_ms < MOST_MS, f"the GUI thread worked {watch.longest_ms:.0f} ms at once"


def test_cancel_ends_the_run_at_once_and_keeps_what_was_finished(
    ready_sample, dock, qtbot, monkeypatch
):
    monkeypatch.setenv("QUICK_SLEEP", "stardist")
    control = dock.control
    dock.open_step(SEGMENTATION)
    panel = dock.panel(SEGMENTATION)
    old = []

    def start_and_cancel():
        panel.run_button.click()
        qtbot.waitUntil(lambda: "stardist" in control.running, timeout=LONG)
        qtbot.waitUntil(lambda: "left" in panel.progress.text.text(), timeout=LONG)
        old.append(control._request)
        qtbot.mouseClick(panel.progress.cancel, Qt.MouseButton.LeftButton)

    error = run_until_ended(dock, qtbot, start_and_cancel)
    assert "cancelled" in str(error)
    qtbot.waitUntil(lambda: control.outlook.of("patches").status == "done", timeout=LONG)
    assert control.outlook.of("stardist").status == "stale"
    assert panel.progress.isHidden()
    # News of that run that comes late is dropped.
    before = len(control.messages)
    old[0].said.emit("failed", (object(), object()))
    qtbot.wait(100)
    assert control.failed == {}
    assert len(control.messages) == before
    assert not control.is_running


def test_a_failure_is_told_in_the_sentence_of_the_command_line(
    ready_sample, dock, qtbot, monkeypatch
):
    monkeypatch.setenv("QUICK_FAIL", "stardist")
    dock.open_step(SEGMENTATION)
    panel = dock.panel(SEGMENTATION)
    error = run_until_ended(dock, qtbot, panel.run_button.click)
    with pytest.raises(type(error)) as told:
        run_config(dock.control.config, run_dir=dock.control.run_dir, until="stardist")
    assert str(error) == str(told.value) == "no nuclei were found; choose another region."
    assert str(error) in panel.results.text()
    assert ("error", str(error)) in dock.control.messages
    assert "failed" in dock.headers[SEGMENTATION].text()


def test_closing_during_a_run_asks_and_hiding_does_not(
    ready_sample, dock, viewer, qtbot, monkeypatch
):
    control, window = dock.control, viewer.window._qt_window
    monkeypatch.setenv("QUICK_SLEEP", "stardist")
    dock.open_step(SEGMENTATION)
    dock.panel(SEGMENTATION).run_button.click()
    qtbot.waitUntil(lambda: "stardist" in control.running, timeout=LONG)
    # The run folder is open by now: what closes samples with the window was added after the dock.
    qtbot.waitUntil(lambda: control.session.run_dir is not None, timeout=LONG)
    answers = []
    monkeypatch.setattr(closing, "wants_to_end", lambda _: answers.pop(0))
    held = dock.parentWidget()
    around = held.parentWidget()

    around.titleBarWidget().hide_button.click()
    assert not around.isVisible()
    around.setVisible(True)
    assert control.is_running

    for floats in (False, True):
        before = around.titleBarWidget()
        around.setFloating(floats)
        qtbot.wait(50)
        assert (around.titleBarWidget() is not before) is floats
        answers.append(False)
        qtbot.mouseClick(around.titleBarWidget().close_button, Qt.MouseButton.LeftButton)
        qtbot.wait(50)
        assert answers == []
        assert control.is_running
        assert held.parentWidget() is around
    around.setFloating(False)
    qtbot.wait(50)

    answers.append(False)
    assert not window.close()
    assert answers == []
    assert control.is_running
    assert control.session is not None
    assert viewer.layers

    answers.append(True)
    qtbot.mouseClick(around.titleBarWidget().close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not control.is_running, timeout=LONG)
    assert answers == []


def test_the_question_at_closing_names_both_ways(dock, qtbot, monkeypatch):
    seen = []

    def press(box):
        seen.extend(button.text() for button in box.buttons())
        box.buttons()[0].click()

    monkeypatch.setattr(QMessageBox, "exec", press)
    closing.wants_to_end(dock)
    assert set(seen) == {closing.END, closing.GO_ON}


def test_keys_open_steps_and_are_listed(dock, qtbot):
    from qtpy.QtGui import QShortcut

    # Without a window manager no window is active, and keys reach no shortcut.
    by_key = {shortcut.key().toString(): shortcut for shortcut in dock.findChildren(QShortcut)}
    by_key["Alt+3"].activated.emit()
    qtbot.waitUntil(lambda: dock.step == SEGMENTATION, timeout=2000)
    assert "Alt+1" in dock.shortcuts.body.text()


def test_shortcuts_do_not_clash_with_naparis(dock, viewer):
    from napari.utils.action_manager import action_manager
    from qtpy.QtGui import QShortcut

    taken = {
        str(key).replace(" ", "").lower()
        for keys in action_manager._shortcuts.values()
        for key in keys
    }
    own = {s.key().toString().lower() for s in dock.findChildren(QShortcut)}
    assert len(own) == 10
    assert not own & taken


def test_every_control_can_be_reached_and_is_named(dock, viewer, qtbot, finished_run, tmp_path):
    open_session(viewer, copied(finished_run, tmp_path))
    looked(dock, qtbot)
    for number in range(7):
        dock.open_step(number)
        QApplication.processEvents()
        kinds = (QAbstractButton, QComboBox, QLineEdit)
        for kind in kinds:
            for widget in dock.findChildren(kind):
                if not widget.isVisible() or widget.parentWidget().metaObject().className() in (
                    "QAbstractSpinBox",
                    "QDoubleSpinBox",
                    "QLargeIntSpinBox",
                    "QComboBox",
                ):
                    continue
                named = widget.accessibleName() or getattr(widget, "text", lambda: "")()
                focus = widget.focusPolicy() & Qt.FocusPolicy.TabFocus or widget.focusProxy()
                assert focus, f"{widget} of step {number} cannot be reached by Tab"
                assert named or widget.parentWidget().accessibleName(), f"{widget} {number}"


def test_tab_goes_from_a_heading_into_its_step_and_on_to_the_next(dock, qtbot):
    # Whichever was made first.
    for number in (DOMAINS, *range(7)):
        dock.panel(number)
        qtbot.wait(10)
    for number in range(7):
        panel, here, inside = dock.panel(number), dock.headers[number], []
        after = dock.headers[number + 1] if number < REVIEW else dock.shortcuts.heading
        while (here := here.nextInFocusChain()) is not after:
            if here.focusPolicy() & Qt.FocusPolicy.TabFocus:
                inside.append(here)
        assert all(panel.isAncestorOf(one) for one in inside)
        assert len(inside) >= 1 or number == REVIEW
