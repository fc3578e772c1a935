"""Tells whether a plugin's code wrote into its inputs, by the version counters that torch keeps anyway."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from jointtask.api.errors import PluginError

__all__ = ["Unchanged"]


class Unchanged:
    """Tensors that plugins read and must not write into.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The inputs by name. A tensor made in inference mode has no version counter, and is not checked.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = {name: tensor for name, tensor in tensors.items() if not tensor.is_inference()}
        self._versions = self._read()

    def require(self, what: str) -> None:
        """Raise if a tensor was written into since the last call, or since this was made.

        Parameters
        ----------
        what : str
            The component that ran since, and its method, for the error.

        Raises
        ------
        PluginError
            If a tensor was changed in place.
        """
        versions = self._read()
        if versions != self._versions:
            changed = [name for name, version in versions.items() if version != self._versions[name]]
            self._versions = versions
            raise PluginError(
                f"{what} changed {', '.join(changed)} in place; expected its inputs as they were",
                cause="other parts read the same tensors after it",
                remedy="work on a copy: tensor.clone(), or an operation without a trailing underscore",
            )

    def _read(self) -> dict[str, int]:
        return {name: tensor._version for name, tensor in self._tensors.items()}
