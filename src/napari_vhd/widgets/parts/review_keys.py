"""Keys of Review mode: taken on our layers only, and given back as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.utils.key_bindings import coerce_keybinding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari.layers import Layer


class LayerKeys:
    """Takes some keys on some layers.

    What napari binds for all layers of a kind stays bound behind ours, and is back as soon as ours
    are given back; what a layer itself had bound is put back.

    Parameters
    ----------
    actions
        Key -> what is called with the layer; a generator function goes on when the key is let go.
    """

    def __init__(self, actions: Mapping[str, Callable[[Layer], Any]]) -> None:
        self._actions = {coerce_keybinding(key): action for key, action in actions.items()}
        self._before: WeakKeyDictionary[Layer, dict[Any, Any]] = WeakKeyDictionary()

    @property
    def layers(self) -> list[Layer]:
        """Where keys are taken now."""
        return list(self._before)

    def take(self, layers: Iterable[Layer]) -> None:
        """Take the keys on these layers, and give them back on all others."""
        wanted = list(layers)
        for layer in self.layers:
            if layer not in wanted:
                self._give_back(layer)
        for layer in wanted:
            if layer not in self._before:
                self._before[layer] = {
                    key: layer.keymap[key] for key in self._actions if key in layer.keymap
                }
                layer.keymap.update(self._actions)

    def give_back(self) -> None:
        """Give all keys back."""
        for layer in self.layers:
            self._give_back(layer)

    def _give_back(self, layer: Layer) -> None:
        before = self._before.pop(layer)
        for key, action in self._actions.items():
            if layer.keymap.get(key) is not action:
                continue  # somebody else has bound it since
            del layer.keymap[key]
            if key in before:
                layer.keymap[key] = before[key]
