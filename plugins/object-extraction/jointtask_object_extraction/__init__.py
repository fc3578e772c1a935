"""Object extraction for jointtask: the salient object's box and, inside it, its mask (Wang et al., NIPS 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jointtask_object_extraction.extract.cutter import Cutter
    from jointtask_object_extraction.extract.result import Cutout
    from jointtask_object_extraction.extract.style import Style

__all__ = ["Cutout", "Cutter", "Style"]

_PLACES = {"Cutter": "cutter", "Cutout": "result", "Style": "style"}


def __getattr__(name: str) -> Any:
    """Import a public class when it is first asked for: listing components must stay fast."""
    if name not in _PLACES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.extract.{_PLACES[name]}"), name)
