"""A page as a browser reads it."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would see of the page, and what it would fetch."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self._look_at(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._look_at(tag, dict(attrs))

    def _look_at(self, tag: str, attrs: dict[str, str | None]) -> None:
        if tag in {"img", "svg"}:
            self.images.append(attrs)
        self.ids += [value for name, value in attrs.items() if name == "id" and value]
        self.references += [
            value for name, value in attrs.items() if name in {"href", "src", "xlink:href", "srcset"} and value
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def links(self) -> list[str]:
        """References to other files."""
        return [reference for reference in self.references if not reference.startswith(("#", "data:"))]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())
