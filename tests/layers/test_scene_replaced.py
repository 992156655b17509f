"""What a Scene shows gives way to new results, to another sample, and to nothing."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pixels import codes, expected

from napari_vhd import keys
from napari_vhd.io.publishing import Provenance
from napari_vhd.io.store import RunStore
from napari_vhd.layers import Scene, scene_of
from napari_vhd.layers.coloring import first_column
from napari_vhd.layers.prepared import Prepared
from napari_vhd.stages.stage import Outcome

if TYPE_CHECKING:
    from napari_vhd.session import Session

TYPE, DOMAINS = keys.TYPE_DOMAIN, keys.domains(5)


def test_a_stage_that_published_is_shown(scene: Scene) -> None:
    scene.color_by(DOMAINS)
    scene.go_to(200.0, 200.0, 2.0)
    told: list[int] = []
    scene.layers_changed.connect(lambda: told.append(1))
    scene.session.reload()
    assert told
    assert scene.coloring.column == DOMAINS
    assert scene.camera.center == pytest.approx((200, 200))
    scene.session.relabel(["c000009"], DOMAINS, "D1")
    np.testing.assert_array_equal(codes(scene), expected(scene, DOMAINS))


def test_cell_types_that_have_just_been_computed_are_shown(scene: Scene) -> None:
    scene.color_by(DOMAINS)
    table = scene.session.sdata.tables[keys.CELLS].copy()
    counted = table.copy()
    counted.obs = counted.obs[[keys.CELL_ID, keys.REGION_KEY, keys.AREA_UM2]]
    grouped = counted.copy()
    grouped.obs = grouped.obs.assign(**{DOMAINS: table.obs[DOMAINS]})
    store = RunStore.open(scene.session.run_dir)

    def publish(one: Any) -> None:
        store.publish("aggregation", Outcome(elements={keys.CELLS: one}), Provenance())
        scene.session.reload()

    publish(counted)  # what coloured the cells is gone
    assert scene.coloring.column is None
    publish(grouped)
    assert scene.coloring.column == DOMAINS
    scene.color_by(keys.AREA_UM2)
    publish(table)
    assert scene.coloring.column == first_column(scene.session, keys.PROSEG)
    scene.color_by(keys.AREA_UM2)
    publish(table)
    assert scene.coloring.column == keys.AREA_UM2
    store.close()


def test_a_scene_that_is_closed_leaves_nothing(session: Session) -> None:
    Prepared.of(session)
    session.labels(keys.PROSEG, TYPE)
    viewer = ViewerModel()
    callbacks = len(viewer.mouse_move_callbacks), len(viewer.mouse_drag_callbacks)
    scenes = []
    for _ in range(3):
        scene = Scene(viewer, session)
        scene.select(["c000001"])
        scene.paint_window()
        scenes.append(weakref.ref(scene))
        scene.close()
        assert len(viewer.layers) == 0
        assert scene_of(viewer) is None
    session.relabel(["c000001"], TYPE, "Tumor")  # nobody listens who is gone
    del scene
    gc.collect()
    assert [one() for one in scenes] == [None] * 3
    assert callbacks == (len(viewer.mouse_move_callbacks), len(viewer.mouse_drag_callbacks))
    gone = weakref.ref(viewer)
    kept = Scene(viewer, session)
    del viewer
    gc.collect()
    assert gone() is None, "a Scene keeps its viewer alive"
    kept.close()


def test_a_second_sample_takes_the_place_of_the_first(session: Session) -> None:
    viewer = ViewerModel()
    first = Scene(viewer, session)
    number = len(viewer.layers)
    second = Scene(viewer, session)
    assert scene_of(viewer) is second
    assert len(viewer.layers) == number
    assert not first.layers
    second.close()
