"""Forms made from the parameter dataclasses: labels, units, ranges and what each one does.

A form speaks values: `ParameterForm.value`, `set_value`, and `changed` with the name and value of
one parameter. `Binder` keeps a form and a config in step.
"""

from __future__ import annotations

import dataclasses
import functools
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from magicgui import widgets as magic
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QWidget

from . import words
from .editors import FromTo, Maybe, Suggested, WheelGuard, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_vhd.config import RunConfig

_MOST = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Texts that are offered for a parameter, and what its button looks for."""

    texts: tuple[str, ...] = ()
    kind: str = ""


class ParameterForm(QWidget):
    """Editors of some fields of a dataclass of parameters.

    Parameters
    ----------
    kind
        The dataclass.
    names
        Which fields, in this order; all if None.
    suggestions
        For parameters that are text.
    """

    changed = Signal(str, object)

    def __init__(
        self,
        kind: type,
        names: Sequence[str] | None = None,
        suggestions: Mapping[str, Suggestion] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.kind = kind
        hints = hints_of(kind)
        chosen = [f.name for f in dataclasses.fields(kind)] if names is None else list(names)
        self.editors: dict[str, Any] = {}
        self._quiet = False
        self._guard = WheelGuard(self)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(6)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in chosen:
            base, info = _annotated(hints[name])
            if dataclasses.is_dataclass(base):
                inner = ParameterForm(base, suggestions=suggestions)  # type: ignore[arg-type]
                inner.changed.connect(lambda *_, name=name: self._tell(name))
                self.editors[name] = _Nested(inner)
                layout.addRow(inner)
                continue
            editor = _editor(name, base, info, (suggestions or {}).get(name, Suggestion()))
            self.editors[name] = editor
            editor.changed.connect(lambda *_, name=name: self._tell(name))
            layout.addRow(self._label(name, info, editor), editor.native)
            self._guard.protect(editor.native)

    def value(self) -> dict[str, Any]:
        """Give the value of every field in the form."""
        return {name: editor.value for name, editor in self.editors.items()}

    def set_value(self, values: Mapping[str, Any]) -> None:
        """Show values, without telling of them."""
        self._quiet = True
        try:
            for name, editor in self.editors.items():
                if name in values:
                    editor.value = values[name]
        finally:
            self._quiet = False

    def _label(self, name: str, info: Any, editor: Any) -> QLabel:
        """Name a field, and tell what it does."""
        said = words.label(name)
        inner = getattr(editor, "inner", editor)
        has_suffix = hasattr(inner.native, "setSuffix") or isinstance(inner.native, QComboBox)
        unit = "" if has_suffix else _unit(info)
        text = QLabel(f"{said} ({unit})" if unit else said)
        text.setWordWrap(True)
        text.setMinimumWidth(110)
        text.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        tip = f"<qt>{info.description}<br><i>{name}</i> in the config file</qt>"
        for widget in (text, editor.native, *editor.native.findChildren(QWidget)):
            widget.setToolTip(tip)
        focus = _focusable(editor)
        for widget in (editor.native, focus):
            widget.setAccessibleName(widget.accessibleName() or said)
            widget.setAccessibleDescription(info.description or "")
        text.setBuddy(focus)
        return text

    def _tell(self, name: str) -> None:
        if not self._quiet:
            self.changed.emit(name, self.editors[name].value)


class _Nested:
    """A dataclass within one, as an editor."""

    def __init__(self, form: ParameterForm) -> None:
        self.native = form

    @property
    def value(self) -> Any:
        return self.native.kind(**self.native.value())

    @value.setter
    def value(self, value: Any) -> None:
        self.native.set_value(dataclasses.asdict(value))


class Binder:
    """Keeps a form and the parameters of a config in step.

    Only what the user turns is written, so that a value shown rounded stays as it was.

    Parameters
    ----------
    form
        Of fields of `napari_vhd.parameters.Params`.
    change
        Given a name and a value when the user changed it.
    """

    def __init__(self, form: ParameterForm, change: Callable[[str, Any], None]) -> None:
        self.form = form
        self._change = change
        form.changed.connect(self._on_changed)

    def show(self, config: RunConfig | None) -> None:
        """Show the parameters of a config; without one, the form is off."""
        self.form.setEnabled(config is not None)
        if config is None:
            return
        params = config.params
        now = self.form.value()
        wanted = {name: getattr(params, name) for name in self.form.editors}
        # What is shown already is left alone: the cursor may be in it.
        self.form.set_value({name: v for name, v in wanted.items() if v != now[name]})

    def _on_changed(self, name: str, value: Any) -> None:
        self._change(name, value)


@functools.cache
def hints_of(kind: type) -> dict[str, Any]:
    """Give the types of a dataclass's fields, with what is said about them.

    Slow the first time: ask where nobody waits.
    """
    return get_type_hints(kind, include_extras=True)


def _annotated(hint: Any) -> tuple[Any, Any]:
    """Part the type of a field from what is said about it."""
    info = hint.__metadata__[0]
    return get_args(hint)[0], info


def _editor(name: str, kind: Any, info: Any, suggestion: Suggestion) -> Any:
    """Make the editor that fits a type."""
    arguments = get_args(kind)
    if NoneType in arguments:
        (inner,) = (one for one in arguments if one is not NoneType)
        editor = _editor(name, inner, info, suggestion)
        if name in words.FIRST:
            editor.value = words.FIRST[name]
        return Maybe(editor, words.WITHOUT.get(name, "none"))
    if get_origin(kind) is Literal:
        unit = f" {_unit(info)}" if _unit(info) else ""
        choices = [(f"{words.CHOICES.get(str(v), str(v))}{unit}", v) for v in arguments]
        combo = magic.ComboBox(choices=choices, value=arguments[0])
        # The longest choice must not make the dock wider than its place.
        combo.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        combo.native.setMinimumWidth(80)
        return combo
    if get_origin(kind) is tuple:
        if arguments[-1] is Ellipsis:
            return Whole()
        return FromTo(int(_bounds(arguments[0].__metadata__[0])[0]))
    if kind is bool:
        return magic.CheckBox()
    if kind in (int, float):
        return _number(kind, info)
    return Suggested(suggestion.texts, suggestion.kind)


def _number(kind: type, info: Any) -> Any:
    """Make a spin box with bounds and unit."""
    low, high = _bounds(info)
    if kind is int:
        box: Any = magic.SpinBox(min=int(low), max=int(min(high, 2**32 - 1)), value=int(low))
    else:
        share = high <= 1
        box = magic.FloatSpinBox(
            min=low, max=min(high, 1e9), value=max(low, 0), step=0.05 if share else 1
        )
        box.native.setDecimals(3 if share else 2)
    unit = _unit(info)
    if unit and hasattr(box.native, "setSuffix"):
        box.native.setSuffix(f" {unit}")
    box.native.setKeyboardTracking(False)
    box.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.native.setMinimumWidth(80)
    return box


def _bounds(info: Any) -> tuple[float, float]:
    """Read the bounds that pydantic checks."""
    low, high = 0.0, float(_MOST)
    for bound in info.metadata:
        low = getattr(bound, "ge", low)
        if getattr(bound, "gt", None) is not None:
            low = bound.gt + 0.01
        high = getattr(bound, "le", high)
    return low, high


def _unit(info: Any) -> str:
    return str((info.json_schema_extra or {}).get("unit", ""))


def _focusable(editor: Any) -> QWidget:
    """Find the part of an editor that takes the keyboard."""
    for name in ("tick", "combo"):
        if hasattr(editor, name):
            found: QWidget = getattr(editor, name)
            return found
    if isinstance(editor, FromTo):
        first: QWidget = editor.low.native
        return first
    native: QWidget = editor.native
    return native
