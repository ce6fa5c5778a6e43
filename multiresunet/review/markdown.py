"""Pieces of Markdown, as GitHub shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def folded(title: str, text: str) -> str:
    """A text that shows its title alone, until the reader opens it."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
