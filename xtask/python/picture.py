"""Draws what a terminal showed as SVG: python picture.py OUT.svg TITLE < text-with-colours"""
import io
import re
import sys

from rich.console import Console
from rich.text import Text


def main(out, title):
    text = Text.from_ansi(sys.stdin.read().rstrip("\n"))
    width = max(len(line) for line in text.plain.splitlines())
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text)
    svg = console.export_svg(title=title)
    # The fonts are named with download addresses; a reader's own monospace font does as well.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    with open(out, "w") as file:
        file.write(svg.replace("Fira Code", "monospace") + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
