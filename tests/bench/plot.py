"""Plots as SVG, without a library: panels of lines or bars that share one legend.

Series differ in colour (a palette for all kinds of colour vision), in marker and in dash, so that a
plot can be read without colours; the description in the file has the numbers.
"""

import html
import math

WIDTH, PANEL_HEIGHT = 840, 300
LEFT, RIGHT, TOP, BOTTOM = 84, 20, 40, 50
HEAD = 74
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#6A3D9A"]
DASHES = ["", "7 4", "2 3", "9 3 2 3"]
STYLE = ("text{font-family:system-ui,sans-serif;fill:#1a1a1a;font-size:13px}"
         ".title{font-size:18px;font-weight:600}.panel{font-size:14px;font-weight:600}"
         ".grid{stroke:#d9d9d9}.axis{stroke:#555}")


class Lines:
    """Values over numbers: `series` is a list of (name, [(x, y)])."""

    def __init__(self, title, x, y, series, log_x=True, log_y=True):
        self.title, self.x, self.y, self.series = title, x, y, series
        self.log_x, self.log_y = log_x, log_y


class Bars:
    """Values of categories: `series` is a list of (name, [y of each category])."""

    def __init__(self, title, y, categories, series):
        self.title, self.y, self.categories, self.series = title, y, categories, series


def number(value):
    """A number for an axis or a label: 12,000, 1.5, 0.02."""
    if value == 0:
        return "0"
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.3g} M"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.3g}"


def nice(top):
    """A round step for an axis from 0 to `top`, with four to eight steps."""
    step = 10 ** math.floor(math.log10(top))
    for part in (0.1, 0.2, 0.25, 0.5, 1):
        if top / (step * part) <= 8:
            return step * part
    return step


class Scale:
    """From values to places on an axis, with ticks."""

    def __init__(self, values, log, begin, end):
        self.log, self.begin, self.end = log, begin, end
        if log:
            positive = [value for value in values if value > 0] or [1]
            self.low = 10 ** math.floor(math.log10(min(positive)) + 1e-9)
            self.high = 10 ** math.ceil(math.log10(max(positive)) - 1e-9)
            self.high = self.high if self.high > self.low else self.low * 10
            decades = range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)
            self.ticks = [10.0 ** decade for decade in decades]
        else:
            top = max(values, default=1) or 1
            step = nice(top)
            self.low, self.high = 0, step * math.ceil(top / step - 1e-9)
            self.ticks = [step * count for count in range(round(self.high / step) + 1)]

    def at(self, value):
        if self.log:
            value = max(value, self.low)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)


class Drawing:
    def __init__(self):
        self.parts = []

    def text(self, x, y, text, kind="", anchor="middle", turn=""):
        kind = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}{turn}>'
                          f'{html.escape(str(text))}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'class="{kind}"/>')

    def marker(self, x, y, index):
        colour = COLOURS[index % len(COLOURS)]
        if index == 0:
            shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"'
        else:
            points = {1: [(-4, -4), (4, -4), (4, 4), (-4, 4)], 2: [(0, -5.5), (5, 4), (-5, 4)],
                      3: [(0, -6), (6, 0), (0, 6), (-6, 0)]}[index % 4]
            points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in points)
            shape = f'<polygon points="{points}"'
        self.parts.append(f'{shape} fill="{colour}" stroke="#fff"/>')

    def path(self, points, index):
        dash = DASHES[index % len(DASHES)]
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{points}" fill="none" stroke-width="2.2" '
                          f'stroke="{COLOURS[index % len(COLOURS)]}"{dash}/>')


def frame(drawing, panel, left, right, top, bottom, y_scale):
    drawing.text((left + right) / 2, top - 14, panel.title, "panel")
    for tick in y_scale.ticks:
        at = y_scale.at(tick)
        drawing.line(left, at, right, at, "grid")
        drawing.text(left - 7, at + 4, number(tick), anchor="end")
    drawing.line(left, top, left, bottom, "axis")
    drawing.line(left, bottom, right, bottom, "axis")
    x, y = left - LEFT + 18, (top + bottom) / 2
    drawing.text(x, y, panel.y, turn=f' transform="rotate(-90 {x:.1f} {y:.1f})"')


def lines(drawing, panel, left, right, top, bottom, names):
    points = [point for _, series in panel.series for point in series]
    y_scale = Scale([y for _, y in points], panel.log_y, bottom, top)
    frame(drawing, panel, left, right, top, bottom, y_scale)
    marks = sorted({x for x, _ in points})
    x_scale = Scale(marks, panel.log_x, left + 12, right - 12)
    if panel.log_x:
        # As far as the points go, and no further.
        x_scale.low, x_scale.high = marks[0], max(marks[-1], marks[0] * 2)
    for x in marks:
        drawing.line(x_scale.at(x), bottom, x_scale.at(x), bottom + 5, "axis")
        drawing.text(x_scale.at(x), bottom + 20, number(x))
    drawing.text((left + right) / 2, bottom + 40, panel.x)
    for name, series in panel.series:
        index = names.index(name)
        places = [(x_scale.at(x), y_scale.at(y)) for x, y in series]
        drawing.path(places, index)
        for x, y in places:
            drawing.marker(x, y, index)


def bars(drawing, panel, left, right, top, bottom, names):
    y_scale = Scale([y for _, series in panel.series for y in series], False, bottom, top)
    frame(drawing, panel, left, right, top, bottom, y_scale)
    room = (right - left) / len(panel.categories)
    width = room * 0.8 / len(panel.series)
    for place, category in enumerate(panel.categories):
        begin = left + place * room + room * 0.1
        drawing.text(begin + room * 0.4, bottom + 20, category)
        for at, (name, series) in enumerate(panel.series):
            colour = COLOURS[names.index(name) % len(COLOURS)]
            y = y_scale.at(series[place])
            drawing.parts.append(
                f'<rect x="{begin + at * width:.1f}" y="{y:.1f}" width="{width - 2:.1f}" '
                f'height="{bottom - y:.1f}" fill="{colour}"/>')
            drawing.parts.append(
                f'<text x="{begin + (at + 0.5) * width:.1f}" y="{y - 4:.1f}" '
                f'text-anchor="middle" style="font-size:11px">{number(series[place])}</text>')


def describe(panels):
    """The numbers of a plot in words, for readers that do not see it."""
    parts = []
    for panel in panels:
        for name, series in panel.series:
            if isinstance(panel, Bars):
                values = zip(panel.categories, series)
            else:
                values = ((number(x), y) for x, y in series)
            listed = ", ".join(f"{x}: {number(y)}" for x, y in values)
            parts.append(f"{panel.title} ({panel.y}), {name}: {listed}.")
    return " ".join(parts)


def draw(title, rows, names=()):
    """Returns the text of an SVG: rows of panels that share the width. `names` are the series of
    all plots, so that one of them looks the same in each."""
    panels = [panel for row in rows for panel in row]
    height = HEAD + len(rows) * PANEL_HEIGHT
    shown = dict.fromkeys(name for panel in panels for name, _ in panel.series)
    names = list(names or shown)
    drawing = Drawing()
    drawing.text(16, 28, title, "title", "start")
    x = 24
    for index, name in enumerate(names):
        if name not in shown:
            continue
        drawing.path([(x, 52), (x + 28, 52)], index)
        drawing.marker(x + 14, 52, index)
        drawing.text(x + 36, 56, name, anchor="start")
        x += 60 + 7.4 * len(name)
    for at, row in enumerate(rows):
        width = WIDTH / len(row)
        top = HEAD + at * PANEL_HEIGHT + TOP - 8
        bottom = top + PANEL_HEIGHT - TOP - BOTTOM
        for place, panel in enumerate(row):
            left, right = place * width + LEFT, (place + 1) * width - RIGHT
            kind = bars if isinstance(panel, Bars) else lines
            kind(drawing, panel, left, right, top, bottom, names)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title about">\n'
            f'<title id="title">{html.escape(title)}</title>\n'
            f'<desc id="about">{html.escape(describe(panels))}</desc>\n'
            f'<style>{STYLE}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(drawing.parts) + "\n</svg>\n")
