"""svg - what the pictures of draw.py are made of: boxes, lines with heads, texts on a ground of their own.

Widths of text are estimated for a wide font, and a text that does not fit its box ends the script: no picture has cut words.
"""
from xml.sax.saxutils import escape

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
INK, QUIET, GROUND, FRAME = "#1c2733", "#55616e", "#ffffff", "#c5ccd4"
BOXES = {                       # ground, edge, dashed, corner
    "process": ("#e3edfb", "#23599e", False, 10),
    "parent":  ("#c9dcf7", "#173e73", False, 10),
    "program": ("#e2f3e6", "#257a3e", False, 10),
    "memory":  ("#efe7fa", "#6a45a5", False, 0),
    "disk":    ("#fdf0d2", "#96660a", False, 3),
    "group":   ("#f6f8fa", "#97a2ae", True, 8),
    "state":   ("#e3edfb", "#23599e", False, 22),
    "free":    ("#f1f3f5", "#6c7783", False, 22),
}
LINES = {                       # colour, width, dashes
    "bytes":  ("#23599e", 2.6, None),
    "tcp":    ("#0f3b57", 4.2, None),
    "word":   ("#6a45a5", 1.6, "6 4"),
    "disk":   ("#96660a", 2.2, None),
    "start":  ("#6c7783", 1.3, "2 3"),
    "step":   ("#3a4754", 1.8, None),
    "ask":    ("#257a3e", 1.8, None),
}


def width_of(text, size, bold=False):
    em = 0.0
    for c in text:
        em += 0.37 if c in "iljtfrI.,:;'|!()[] -" else 0.95 if c in "mwMW@" else 0.71 if c.isupper() else 0.63
    return em * size * (1.1 if bold else 1.0)


class Picture:
    def __init__(self, width, height, title, says):
        self.width, self.height, self.title, self.says = width, height, title, says
        self.parts, self.labels = [], []
        self.text(24, 34, title, 18, bold=True)

    def text(self, x, y, text, size=13, bold=False, anchor="start", colour=INK, room=None, ground=None):
        wide = width_of(text, size, bold)
        left = x - (0 if anchor == "start" else wide / 2 if anchor == "middle" else wide)
        if left < 4 or left + wide > self.width - 4 or (room is not None and wide > room):
            raise SystemExit(f"{self.title}: no room for the text: {text}")
        if ground:               # on a line: the line does not run through the letters
            self.labels.append(f'<rect x="{left - 2:g}" y="{y - size:g}" width="{wide + 4:.0f}" height="{size + 3:g}" fill="{ground}"/>')
        (self.labels if ground else self.parts).append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}"' + (' font-weight="bold"' if bold else "") +
            (f' text-anchor="{anchor}"' if anchor != "start" else "") + f' fill="{colour}">{escape(text)}</text>')

    def box(self, x, y, w, h, kind, name="", *lines, size=13):
        ground, edge, dashed, corner = BOXES[kind]
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{corner}" fill="{ground}" stroke="{edge}" stroke-width="1.5"' +
                          (' stroke-dasharray="5 4"' if dashed else "") + "/>")
        if kind == "group":
            self.text(x + 12, y + 20, name, size, bold=True, colour=QUIET, room=w - 16)
            return
        top = y + h / 2 + size * 0.36 - 8 * len(lines)
        if name:
            self.text(x + w / 2, top, name, size, bold=True, anchor="middle", room=w - 8)
        for i, line in enumerate(lines):
            self.text(x + w / 2, top + 16 * (i + 1), line, size - 2, anchor="middle", colour=QUIET, room=w - 6)

    def line(self, kind, *points, head=True, tail=False):
        colour, wide, dashes = LINES[kind]
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{wide}" stroke-linejoin="round"' +
                          (f' stroke-dasharray="{dashes}"' if dashes else "") + "/>")
        if head:
            self.arrow_head(points[-2], points[-1], colour, wide)
        if tail:
            self.arrow_head(points[1], points[0], colour, wide)

    def arrow_head(self, a, b, colour, wide):
        length, half = 7 + 2 * wide, 3 + wide
        distance = ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5 or 1
        ux, uy = (b[0] - a[0]) / distance, (b[1] - a[1]) / distance
        x, y = b[0] - ux * length, b[1] - uy * length
        self.parts.append(f'<path d="M{b[0] + ux:.1f} {b[1] + uy:.1f} L{x - uy * half:.1f} {y + ux * half:.1f} L{x + uy * half:.1f} {y - ux * half:.1f} Z" fill="{colour}"/>')

    def label(self, x, y, text, size=11.5, ground=BOXES["group"][0]):
        self.text(x, y, text, size, anchor="middle", colour=QUIET, ground=ground)

    def band(self, y, height, ground):
        self.parts.append(f'<rect x="14" y="{y:g}" width="{self.width - 28:g}" height="{height:g}" rx="6" fill="{ground}"/>')

    def legend(self, x, y, kinds):
        for kind, text in kinds:
            if kind in LINES:
                self.line(kind, (x, y - 4), (x + 34, y - 4))
                x += 42
            else:
                self.box(x, y - 13, 22, 16, kind)
                x += 30
            self.text(x, y, text, 11.5, colour=QUIET)
            x += width_of(text, 11.5) + 24

    def __str__(self):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}" '
            f'font-family="{FONT}" role="img">',
            f"<title>{escape(self.title)}</title>", f"<desc>{escape(self.says)}</desc>",
            f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="10" fill="{GROUND}" stroke="{FRAME}"/>',
            *self.parts, *self.labels, "</svg>", ""])
