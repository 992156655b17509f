"""What a step says in words: what it needs, how long it will take, what came out."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from . import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_vhd.config import RunConfig
    from napari_vhd.runner.events import Task
    from napari_vhd.runner.outlook import Outlook, StageOutlook

    from .steps import Step

_OK, _NO, _WAIT = "✓", "✗", "○"


def needs_of(step: Step, outlook: Outlook | None, problem: str) -> str:
    """Tell what a step needs, and whether that is there."""
    if outlook is None:
        return ""
    lines = []
    if problem or outlook.problem:
        lines.append((_NO, problem or outlook.problem))
    own = [one for one in outlook.stages if one.stage in step.stages]
    before = outlook.before(step.stages)
    waits = [one for one in before if one.status in ("missing", "stale")]
    if waits:
        names = ", ".join(one.title for one in waits)
        lines.append((_WAIT, f"Runs first: {names}."))
    elif before:
        lines.append((_OK, "The steps before are done."))
    blocked = next((one.problem for one in before if one.problem), "")
    for sentence in dict.fromkeys([blocked, *(one.problem for one in own)]):
        if sentence and sentence != problem:
            lines.append((_NO, sentence))
    for one in own:
        if one.status == "left out" and one.stage != "boundaries":
            lines.append(("–", f"{one.title} is left out: {one.reason}."))
    if not any(sign == _NO for sign, _ in lines) and own:
        lines.append((_OK, "Programs, models and files are here."))
    return "<b>Needs</b>" + _listed(lines)


def estimate_of(step: Step, outlook: Outlook | None, config: RunConfig | None) -> str:
    """Tell about how long a step will take, and how much memory, before it runs."""
    if outlook is None or config is None:
        return ""
    own = [one for one in outlook.stages if one.stage in step.stages]
    todo = [
        one for one in [*outlook.before(step.stages), *own] if one.status in ("missing", "stale")
    ]
    again = not todo
    if again:
        todo = [one for one in own if one.status == "done"]
    known = [one.estimate for one in todo if one.estimate.seconds is not None]
    if not known:
        return ""
    seconds = sum(one.seconds or 0 for one in known)
    memory = max(one.memory_mb or 0 for one in known)
    basis = known[-1].basis
    start = "Running again takes" if again else "Takes"
    return (
        f"{start} about <b>{words.span(seconds)}</b> and <b>{words.memory(memory)}</b> of memory "
        f"({html.escape(basis)})."
    )


def results_of(
    step: Step,
    outlook: Outlook | None,
    running: Mapping[str, Task],
    failed: Mapping[str, str],
) -> str:
    """Tell what came out of each stage of a step, and what is out of date."""
    if outlook is None:
        return ""
    parts = []
    for one in outlook.stages:
        if one.stage in step.stages and one.status != "left out":
            parts.append(_result(one, one.stage in running, failed.get(one.stage, "")))
    return "".join(parts)


def _result(one: StageOutlook, is_running: bool, failure: str) -> str:
    status = "failed" if failure else "running" if is_running else one.status
    head = f"{words.STATUS_SIGNS[status]} <b>{one.title}</b> · {words.STATUS_WORDS[status]}"
    record = one.record
    if record is not None and status in ("done", "stale"):
        took = f"{words.span(record.seconds)}, {words.memory(record.peak_rss_mb)}"
        head += f" <small>({took})</small>"
    lines = [head]
    if failure:
        lines.append(html.escape(failure))
    elif status == "stale":
        lines.append(html.escape(one.reason))
    if record is not None:
        numbers = [
            f"{html.escape(name)} <b>{html.escape(words.number(value))}</b>"
            for name, value in record.numbers.items()
        ]
        if numbers:
            lines.append(" · ".join(numbers))
        lines += [f"<i>{html.escape(notice)}</i>" for notice in record.notices]
    return f"<p style='margin:6px 0 0 0'>{'<br>'.join(lines)}</p>"


def _listed(lines: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f"<p style='margin:2px 0 0 0'>{sign} {html.escape(text)}</p>" for sign, text in lines
    )
