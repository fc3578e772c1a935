"""Files inside a tar file, read in place."""

from __future__ import annotations

import tarfile
from pathlib import Path

from attrs import frozen

from jointtask.api import DataError
from jointtask_object_extraction.data.names import shown

__all__ = ["Member", "list_members"]


@frozen
class Member:
    """A file in a tar file.

    Attributes
    ----------
    tar : pathlib.Path
        The tar file.
    name : str
        Name of the file in it.
    offset, size : int
        Place of its content, in bytes.
    """

    tar: Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        """Return the tar file and the name in it, as one path."""
        return f"{self.tar}/{self.name}"

    def read(self) -> bytes:
        """Return its content.

        Raises
        ------
        OSError
            If the tar file cannot be read, or ends before.
        """
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise OSError(f"{self.tar} ends within it")
        return content

    def place(self) -> str:
        """Return offset, size and name as one text, for an index."""
        return f"{self.offset}:{self.size}:{self.name}"

    @classmethod
    def at(cls, tar: Path, place: str) -> Member:
        """Return the file of a tar file at a `place`."""
        offset, size, name = place.split(":", 2)
        return cls(tar, name, int(offset), int(size))


def list_members(path: Path) -> list[Member]:
    """List the regular files of a tar file that is not compressed; hidden ones are left out.

    Raises
    ------
    DataError
        If it is no such file, or is cut off.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = [
                Member(path, member.name, member.offset_data, member.size)
                for member in tar
                if member.isreg() and not member.issparse() and not Path(member.name).name.startswith(".")
            ]
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{shown(path)}: cannot be read as a tar file",
            cause=str(error),
            remedy="a shard is a tar file that is not compressed: its files are read in place",
        ) from error
    if members and members[-1].offset + members[-1].size > path.stat().st_size:
        raise DataError(f"{shown(path)}: cut off within {shown(members[-1].name)}", remedy="copy or download it again")
    return members
