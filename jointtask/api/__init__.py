"""What a plugin author imports: the contracts of every component, and the records that pass between them.

A name is imported from its module when it is first used, so that listing components does not import torch;
`__init__.pyi` lists the names.
"""

from importlib.metadata import version

import lazy_loader
import pluggy

__version__ = version("jointtask")

hookimpl = pluggy.HookimplMarker("jointtask")
"""Marks a plugin's function as the implementation of the hook of the same name in `jointtask.registry.hookspecs`."""

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = ["__version__", "hookimpl", *_names]
