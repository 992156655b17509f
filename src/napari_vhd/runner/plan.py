"""What is missing or out of date, and what will run: a pure function of recipes and state."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_vhd.exceptions import BadInputError

from .recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from napari_vhd.io.publishing import Done
    from napari_vhd.stages.stage import Stage

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
    again: Mapping[str, str] | None = None,
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
        Stages that have to run all the same -> why.

    Raises
    ------
    BadInputError
        Where a name is unknown, or a chosen stage waits for one that is neither done nor chosen.
    """
    choice = choice or Choice()
    chosen = chosen_stages([stage.name for stage in stages], choice)
    again = dict(again or {})
    while True:
        steps = _steps(stages, recipes, done, choice.force, chosen, beside or {}, again)
        replaced = _replaced(steps, done, chosen)
        if not replaced.keys() - again.keys():
            return list(steps.values())
        again |= replaced


def check_choice(stages: Sequence[Stage], choice: Choice) -> None:
    """Check, before there is a run folder, what a user asks for in a new one.

    Raises
    ------
    BadInputError
        As `plan` does.
    """
    nothing = Recipe({}, {}, {}, "")
    plan(stages, {stage.name: nothing for stage in stages}, {}, choice)


def _steps(
    stages: Sequence[Stage],
    recipes: Mapping[str, Recipe],
    done: Mapping[str, Done],
    force: bool,
    chosen: Collection[str],
    beside: Mapping[str, Mapping[str, int]],
    again: Mapping[str, str],
) -> dict[str, Step]:
    """Go through the stages once, in order."""
    known = {stage.name for stage in stages}
    steps: dict[str, Step] = {}
    for stage in stages:
        name = stage.name
        needs = [need for need in stage.needs if need in known]
        inputs = {need: done[need].version if need in done else 0 for need in needs}
        inputs |= beside.get(name, {})
        reason = _why_stale(stage, recipes[name], done.get(name), inputs)
        waits = [steps[need] for need in needs if steps[need].status != "done" or steps[need].runs]
        if reason is None and waits:
            reason = _why_waits(waits[0])
        if reason is None and name in done:
            reason = _why_lost(done[name], known)
        status: Status = "missing" if name not in done else "stale" if reason else "done"
        runs = name in chosen and (force or reason is not None or name in again)
        if runs and reason is None:
            reason = again.get(name, "forced")
        steps[name] = Step(name, status, reason or "", runs)
        lacking = [n for n in needs if steps[n].status == "missing" and not steps[n].runs]
        if runs and lacking:
            raise BadInputError(
                f"stage {name} needs {lacking[0]}, which has not run; choose --until {name}, or "
                f"--from {lacking[0]}."
            )
    return steps


def _replaced(
    steps: Mapping[str, Step], done: Mapping[str, Done], chosen: Collection[str]
) -> dict[str, str]:
    """Find the stages whose elements a stage that runs had put its own in place of."""
    found = {}
    for name, step in steps.items():
        lost = done[name].made.get("lost", {}) if name in done and not step.runs else {}
        for element, taker in lost.items():
            if taker in steps and steps[taker].runs:
                if name not in chosen:
                    raise BadInputError(
                        f"stage {taker} had replaced {element}, which {name} made; choose --from "
                        f"{name}."
                    )
                found[name] = f"its {element} was replaced by {taker}, which runs again"
    return found


def chosen_stages(names: Sequence[str], choice: Choice) -> set[str]:
    """Find the stages that a user asks for.

    Raises
    ------
    BadInputError
        For an unknown name; names the known ones.
    """
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


def _why_lost(done: Done, known: Collection[str]) -> str | None:
    """Say that something a stage made was replaced by one that is now left out."""
    for element, taker in done.made.get("lost", {}).items():
        if taker not in known:
            return f"its {element} was replaced by {taker}, which is left out"
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
