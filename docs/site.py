"""A hook of the documentation site: links to files of the repository become their paths, and must lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace links that leave the docs folder, which the site does not hold.

    Raises
    ------
    FileNotFoundError
        If such a link leads nowhere.
    """
    folder = Path(page.file.abs_src_path).parent

    def replaced(match: re.Match[str]) -> str:
        text, link = match.groups()
        target = (folder / link.partition("#")[0]).resolve()
        if link.startswith(("http:", "https:", "#")) or target.is_relative_to(ROOT / "docs"):
            return match[0]
        if not target.exists():
            raise FileNotFoundError(f"{page.file.src_path}: {link}")
        path = target.relative_to(ROOT).as_posix()
        return text if path in text else f"{text} (`{path}`)"

    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", replaced, markdown)
