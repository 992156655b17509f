"""What is missing or out of date, and what will run: a pure function of recipes and state."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from napari_vhd.io.publishing import Done
    from napari_vhd.stages.stage import Stage

    from .recipe import Recipe

Status = Literal["done", "stale", "missing"]


@dataclass(frozen=True)
class Step:
    """A stage in a plan.

    Attributes
    ----------
    stage
        Its name.
    status
        How things are now.
    reason
        Why it is not done, or why it runs all the same; empty where it is done and does not run.
    runs
        Whether it will run.
    """

    stage: str
    status: Status
    reason: str
    runs: bool


@dataclass(frozen=True)
class Choice:
    """Which stages a user asks for; all that are not done if nothing is said.

    Attributes
    ----------
    only
        This stage alone.
    from_, until
        The stages from, or up to and with, this one in the order of the pipeline.
    force
        Those that are done, too.
    """

    only: str | None = None
    from_: str | None = None
    until: str | None = None
    force: bool = False


def plan(
    stages: Sequence[Stage],
    recipes: Mapping[str, Recipe],
    done: Mapping[str, Done],
    choice: Choice | None = None,
    *,
    beside: Mapping[str, Mapping[str, int]] | None = None,
    again: Collection[str] = (),
) -> list[Step]:
    """Find what is done and what will run.

    Parameters
    ----------
    stages
        In order. A stage that another needs but that is not among them is not waited for.
    recipes
        Name -> what the stage's result would depend on now.
    done
        Name -> what was done.
    choice
        What the user asks for.
    beside
        For a joint stage, what else it takes in: ``"other sample/stage"`` -> version.
    again
        Stages that have to run for another sample's sake.

    Raises
    ------
    BadInputError
        Where a name is unknown, or a chosen stage waits for one that is neither done nor chosen.
    """
    choice = choice or Choice()
    chosen = _chosen([stage.name for stage in stages], choice)
    known = {stage.name for stage in stages}
    steps: dict[str, Step] = {}
    for stage in stages:
        needs = [name for name in stage.needs if name in known]
        inputs = {name: done[name].version if name in done else 0 for name in needs}
        inputs |= (beside or {}).get(stage.name, {})
        reason = _why_stale(stage, recipes[stage.name], done.get(stage.name), inputs)
        waits = [steps[name] for name in needs if steps[name].status != "done" or steps[name].runs]
        if reason is None and waits:
            reason = _why_waits(waits[0])
        status: Status = "missing" if stage.name not in done else "stale" if reason else "done"
        runs = stage.name in chosen and (choice.force or reason is not None or stage.name in again)
        if runs and reason is None:
            reason = "forced" if choice.force else "runs with the other samples"
        steps[stage.name] = Step(stage.name, status, reason or "", runs)
        lacking = [n for n in needs if steps[n].status == "missing" and not steps[n].runs]
        if runs and lacking:
            raise BadInputError(
                f"stage {stage.name} needs {lacking[0]}, which has not run; choose --until "
                f"{stage.name}, or --from {lacking[0]}."
            )
    return list(steps.values())


def _chosen(names: Sequence[str], choice: Choice) -> set[str]:
    """Find the stages that a user asks for."""
    for option, name in (("only", choice.only), ("from", choice.from_), ("until", choice.until)):
        if name is not None and name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            mend = f"did you mean {near[0]!r}? The" if near else "the"
            raise BadInputError(
                f"--{option} {name}: there is no such stage in this run; {mend} stages are "
                f"{', '.join(names)}."
            )
    if choice.only is not None:
        if choice.from_ is not None or choice.until is not None:
            raise BadInputError("--only cannot be combined with --from or --until; leave one out.")
        return {choice.only}
    first = names.index(choice.from_) if choice.from_ is not None else 0
    last = names.index(choice.until) if choice.until is not None else len(names) - 1
    if first > last:
        raise BadInputError(
            f"--from {choice.from_} comes after --until {choice.until}; exchange them."
        )
    return set(names[first : last + 1])


def _why_stale(
    stage: Stage, recipe: Recipe, done: Done | None, inputs: Mapping[str, int]
) -> str | None:
    """Say why a stage by itself is not done, or None."""
    if done is None:
        return "has not run yet"
    now, then = recipe.to_dict(), done.recipe
    for part, title in (("parameters", "parameters"), ("sample", "the sample's settings")):
        changes = _changes(then.get(part, {}), now[part])
        if changes:
            return f"{title} changed: {changes}"
    for name in sorted({*then.get("files", {}), *now["files"]}):
        if then.get("files", {}).get(name) != now["files"].get(name):
            return f"input changed: {name}"
    if then.get("code") != now["code"]:
        return f"the code of {stage.name} changed"
    for name in sorted({*done.inputs, *inputs}):
        if done.inputs.get(name) != inputs.get(name):
            how = "has run again" if name in inputs and name in done.inputs else "is new"
            return f"input changed: {name} {how if name in inputs else 'is left out'}"
    return None


def _why_waits(before: Step) -> str:
    """Say that a stage follows one that is not done."""
    if before.runs:
        return f"input changed: {before.stage} runs again"
    return f"input changed: {before.stage} is {before.status}"


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Put the entries that differ into words."""
    words = []
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            words.append(f"{name} {_short(then.get(name))} -> {_short(now.get(name))}")
    return ", ".join(words)


def _short(value: Any) -> str:
    """Write a value in at most a few words."""
    if value is None:
        return "none"
    text = ", ".join(value) if isinstance(value, dict) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
