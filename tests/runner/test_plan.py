"""What is missing or out of date, without any process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_vhd import parameters
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.publishing import Done
from napari_vhd.runner.plan import Choice, check_choice, plan
from napari_vhd.runner.recipe import Recipe
from napari_vhd.stages.stage import Stage, each

NEEDS = {
    "read": (),
    "cells": ("read",),
    "domains": ("cells",),
    "bins": ("read",),
    "types": ("cells", "domains"),
}
STAGES = [
    Stage(name, name, parameters.ReadParameters, each(lambda *_: None), needs=needs)
    for name, needs in NEEDS.items()
]
RECIPE = Recipe({"radius": 50}, {"region": None}, {"counts.h5": "sha256:1"}, "code")
RECIPES = dict.fromkeys(NEEDS, RECIPE)


def all_done() -> dict[str, Done]:
    versions = {name: number for number, name in enumerate(NEEDS, 1)}
    return {
        name: Done(versions[name], RECIPE.to_dict(), {n: versions[n] for n in needs}, {}, {})
        for name, needs in NEEDS.items()
    }


def running(steps: list) -> list[str]:
    return [step.stage for step in steps if step.runs]


def test_everything_runs_in_a_new_folder() -> None:
    steps = plan(STAGES, RECIPES, {})
    assert running(steps) == list(NEEDS)
    assert {step.status for step in steps} == {"missing"}


def test_nothing_runs_where_nothing_changed() -> None:
    steps = plan(STAGES, RECIPES, all_done())
    assert running(steps) == []
    assert {(step.status, step.reason) for step in steps} == {("done", "")}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (replace(RECIPE, parameters={"radius": 40}), "parameters changed: radius 50 -> 40"),
        (replace(RECIPE, sample={"region": [0, 0, 9, 9]}), "region none -> [0, 0, 9, 9]"),
        (replace(RECIPE, files={"counts.h5": "sha256:2"}), "input changed: counts.h5"),
        (replace(RECIPE, files={}), "input changed: counts.h5"),
        (replace(RECIPE, code="other"), "the code of cells changed"),
    ],
)
def test_a_change_runs_its_stage_and_what_depends_on_it(changed: Recipe, words: str) -> None:
    steps = plan(STAGES, {**RECIPES, "cells": changed}, all_done())
    assert running(steps) == ["cells", "domains", "types"]
    by_name = {step.stage: step for step in steps}
    assert words in by_name["cells"].reason
    assert by_name["domains"].reason == "input changed: cells runs again"
    assert by_name["bins"].status == "done"


def test_a_stage_that_ran_again_leaves_what_follows_stale() -> None:
    """Also where its recipe is the same: ProSeg never gives the same twice."""
    done = all_done()
    done["cells"] = replace(done["cells"], version=9)
    steps = plan(STAGES, RECIPES, done)
    assert running(steps) == ["domains", "types"]
    assert steps[2].reason == "input changed: cells has run again"


def test_a_stage_left_out_is_not_waited_for() -> None:
    stages = [stage for stage in STAGES if stage.name != "domains"]
    done = all_done()
    del done["domains"]
    steps = plan(stages, RECIPES, done)
    assert running(steps) == ["types"]
    assert steps[-1].reason == "input changed: domains is left out"
    done["types"] = replace(done["types"], inputs={"cells": 2})
    assert running(plan(stages, RECIPES, done)) == []


def test_force_runs_what_is_done() -> None:
    assert running(plan(STAGES, RECIPES, all_done(), Choice(force=True))) == list(NEEDS)
    steps = plan(STAGES, RECIPES, all_done(), Choice(only="cells", force=True))
    assert running(steps) == ["cells"]
    assert steps[1].reason == "forced"
    assert steps[2].reason == "input changed: cells runs again"


def test_from_and_until_limit_what_runs() -> None:
    assert running(plan(STAGES, RECIPES, {}, Choice(until="cells"))) == ["read", "cells"]
    changed = {**RECIPES, "read": replace(RECIPE, code="new")}
    done = all_done()
    assert running(plan(STAGES, changed, done, Choice(from_="bins"))) == ["bins", "types"]
    choice = Choice(from_="cells", until="domains")
    assert running(plan(STAGES, changed, done, choice)) == ["cells", "domains"]


def test_a_stage_alone_that_lacks_its_input_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="domains needs cells, which has not run"):
        plan(STAGES, RECIPES, {}, Choice(only="domains"))
    with pytest.raises(BadInputError, match="domains needs cells"):
        check_choice(STAGES, Choice(only="domains"))
    check_choice(STAGES, Choice(until="domains"))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(only="domain"), "--only domain: .* did you mean 'domains'.*read, cells"),
        (Choice(until="xyz"), "--until xyz: .*the stages are read, cells"),
        (Choice(from_="bins", until="cells"), "exchange them"),
        (Choice(only="bins", until="cells"), "cannot be combined"),
    ],
)
def test_choices_that_cannot_be_are_bad_input(choice: Choice, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        plan(STAGES, RECIPES, {}, choice)


def test_a_joint_stage_follows_the_other_samples() -> None:
    beside = {"domains": {"other/cells": 4}}
    assert running(plan(STAGES, RECIPES, all_done(), beside=beside)) == ["domains", "types"]
    done = all_done()
    done["domains"] = replace(done["domains"], inputs={"cells": 2, "other/cells": 4})
    assert running(plan(STAGES, RECIPES, done, beside=beside)) == []
    assert running(plan(STAGES, RECIPES, done, beside=beside, again={"domains": "so"})) == [
        "domains",
        "types",
    ]


def test_a_stage_whose_element_was_replaced_runs_before_the_one_that_replaced_it() -> None:
    done = all_done()
    done["cells"] = replace(done["cells"], made={"lost": {"table": "domains"}})
    assert running(plan(STAGES, RECIPES, done)) == []
    changed = {**RECIPES, "domains": replace(RECIPE, code="new")}
    steps = plan(STAGES, changed, done)
    assert running(steps) == ["cells", "domains", "types"]
    assert steps[1].reason == "its table was replaced by domains, which runs again"
    with pytest.raises(BadInputError, match="choose --from cells"):
        plan(STAGES, changed, done, Choice(only="domains"))


def test_a_stage_whose_element_was_replaced_by_one_now_left_out_runs_again() -> None:
    done = all_done()
    done["cells"] = replace(done["cells"], made={"lost": {"boundaries": "from_file"}})
    steps = plan(STAGES, RECIPES, done)
    assert running(steps) == ["cells", "domains", "types"]
    assert steps[1].reason == "its boundaries was replaced by from_file, which is left out"
