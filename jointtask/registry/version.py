"""Which versions of the programming interface a plugin is built for: its dependency on jointtask says so."""

from __future__ import annotations

from importlib.metadata import Distribution

from jointtask.api import __version__

__all__ = ["supported_range", "why_unsupported"]


def supported_range(version: str) -> str:
    """Return the range of versions that promise what `version` does: the minor version before 1.0, the major after.

    Examples
    --------
    >>> supported_range("0.1.0"), supported_range("1.4.2")
    ('>=0.1,<0.2', '>=1.4,<2')
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}" if major == 0 else f">={major}.{minor},<{major + 1}"


def why_unsupported(distribution: Distribution, version: str = __version__) -> str:
    """Say why a distribution cannot work with this version of jointtask; "" if it can, or does not say.

    An installer sees to this when it installs; it does not when jointtask alone is upgraded afterwards.
    """
    for text in distribution.requires or ():
        if not text.lower().startswith("jointtask"):
            continue
        # Few plugins get here, and most commands should not wait for what reads versions.
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.name.lower() != "jointtask" or (wanted.marker is not None and not wanted.marker.evaluate()):
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            return (
                f"it is built for jointtask{wanted.specifier}, and this is jointtask {version}; install a version of"
                f" {distribution.name} for {version} (pip install -U {distribution.name}),"
                f" or the jointtask that it is built for (pip install 'jointtask{wanted.specifier}')"
            )
    return ""
