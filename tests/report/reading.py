"""Reads reports back, independently of how they were written."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

VOID = {"meta", "img", "br", "hr", "input", "link"}


@dataclass
class Page(HTMLParser):
    """The elements of a page in order, with the names of their attributes; its rows; its text."""

    elements: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    text: str = ""
    oddities: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows:
            self.rows[-1] += data

    def handle_comment(self, data: str) -> None:
        self.oddities.append(f"comment {data}")

    def handle_pi(self, data: str) -> None:
        self.oddities.append(f"instruction {data}")

    def unknown_decl(self, data: str) -> None:
        self.oddities.append(f"declaration {data}")


def page(html: str) -> Page:
    found = Page()
    found.feed(html)
    found.close()
    return found


def tokens(markdown: str) -> list[Token]:
    """All tokens of the Markdown, inner ones too."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [inner for token in parser.parse(markdown) for inner in (token, *(token.children or ()))]


def markdown_text(markdown: str) -> str:
    """What a reader sees of the Markdown, a line a block."""
    joined = "\n".join(
        "".join(child.content for child in token.children or ()) for token in tokens(markdown) if token.type == "inline"
    )
    return joined.replace("\u2060", "")


def table_rows(markdown: str) -> list[list[str]]:
    """The cells of every table row as a reader sees them."""
    rows: list[list[str]] = []
    inside = False
    for token in tokens(markdown):
        inside = token.type == "tr_open" or (inside and token.type != "tr_close")
        if token.type == "tr_open":
            rows.append([])
        elif inside and token.type == "inline":
            rows[-1].append("".join(child.content for child in token.children or ()).replace("\u2060", ""))
    return rows


def without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)
