"""Draws what a program printed, colours included, as SVG: ci/terminal.py TITLE <printed >picture.svg"""

import re
import sys
from html import escape

COLOURS = {31: "#e5534b", 32: "#57ab5a", 33: "#c69026", 34: "#539bf5", 35: "#b083f0", 36: "#39c5cf",
           91: "#ff938a", 92: "#6bc46d", 93: "#daaa3f", 94: "#6cb6ff"}
WIDE, HIGH, TOP = 8.0, 18, 44


def spans(line):
    """The parts of a line, each with its style."""
    style = {}
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not codes:
            if part:
                yield part, dict(style)
            continue
        for code in [int(code or 0) for code in codes[1].split(";")]:
            if code == 0:
                style = {}
            elif code == 1:
                style["font-weight"] = "bold"
            elif code == 2:
                style["opacity"] = "0.65"
            elif code in COLOURS:
                style["fill"] = COLOURS[code]


lines = sys.stdin.read().rstrip("\n").split("\n")
plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
width, height = int(max(map(len, plain)) * WIDE) + 40, TOP + len(lines) * HIGH + 14
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">')
print(f"<title>{escape(sys.argv[1])}</title>")
print(f'<rect width="{width}" height="{height}" rx="8" fill="#1c2128"/>')
print(f'<text x="20" y="26" fill="#768390" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13">$ {escape(sys.argv[1])}</text>')
print('<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13" fill="#cdd9e5">')
for row, line in enumerate(lines):
    column = 0
    for text, style in spans(line):
        attributes = "".join(f' {name}="{value}"' for name, value in style.items())
        # Each word has its place and its width, so that columns stay columns in every font.
        for word in re.finditer(r"\S+", text):
            x, wide = 20 + (column + word.start()) * WIDE, len(word[0]) * WIDE
            print(f'<text x="{x:g}" y="{TOP + (row + 1) * HIGH - 5}" textLength="{wide:g}"{attributes}>{escape(word[0])}</text>')
        column += len(text)
print("</g></svg>")
