"""A picture of what a loss costs a sample by the samples of a batch, as SVG text."""
import math

WIDTH, HEIGHT = 800, 480
LEFT, RIGHT, TOP, BOTTOM = 84, 150, 64, 64
INK, PALE, GRID = "#24292f", "#57606a", "#e4e8ec"
SIDES = {"open_clip": ("open_clip", "#c2410c"), "concord": ("Concord", "#0f766e")}


def svg(results):
    """
    results: for each number of samples the sides' measurements, None where the memory did not suffice.
    """
    counts = sorted(results)
    costs = {side: [(count, results[count][side]["seconds"] / count * 1e6) for count in counts
                    if results[count][side]] for side in SIDES}
    values = [cost for points in costs.values() for _, cost in points]
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    highest = max(highest, lowest + 1)
    first, last = math.log2(counts[0]), math.log2(max(counts[-1], 2 * counts[0]))

    def x(count):
        return LEFT + (math.log2(count) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(cost):
        return HEIGHT - BOTTOM - (math.log10(cost) - lowest) / (highest - lowest) * (HEIGHT - TOP - BOTTOM)

    def text(at_x, at_y, content, size=14, fill=PALE, anchor="middle", more=""):
        return (f'<text x="{at_x:.1f}" y="{at_y:.1f}" font-size="{size}" fill="{fill}" '
                f'text-anchor="{anchor}"{more}>{content}</text>')

    def line(x1, y1, x2, y2, stroke=GRID):
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>'

    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, -apple-system, \'Segoe UI\', Helvetica, Arial, sans-serif" role="img" '
        'aria-label="Time of InfoNCE a sample by the samples of a batch, for open_clip and Concord">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT, 30, "Cost of InfoNCE, forward and backward", 18, INK, "start", ' font-weight="600"'),
        text(LEFT, 50, "microseconds a sample; less is better", 14, PALE, "start"),
    ]
    for power in range(lowest, highest + 1):
        parts += [line(LEFT, y(10 ** power), right, y(10 ** power)),
                  text(LEFT - 10, y(10 ** power) + 5, f"{10.0 ** power:,.10g}", anchor="end")]
    for count in counts:
        parts += [line(x(count), floor, x(count), floor + 6, PALE), text(x(count), floor + 24, f"{count:,}")]
    parts += [line(LEFT, floor, right, floor, PALE), text((LEFT + right) / 2, HEIGHT - 14, "samples of a batch")]
    for side, (name, colour) in SIDES.items():
        points = costs[side]
        if not points:
            continue
        path = " ".join(f"{x(count):.1f},{y(cost):.1f}" for count, cost in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x(count):.1f}" cy="{y(cost):.1f}" r="4" fill="{colour}"/>' for count, cost in points]
        end_x, end_y = x(points[-1][0]), y(points[-1][1])
        if points[-1][0] < counts[-1]:
            # It ends inside the picture: the label stands above, clear of the other line.
            parts += [text(end_x, end_y - 32, name, 15, colour, "middle", ' font-weight="600"'),
                      text(end_x, end_y - 14, "then out of memory", 13, colour)]
        else:
            # The higher line's label a little higher, so that labels of near ends do not meet.
            other = [cost for key, entries in costs.items() if key != side for count, cost in entries[-1:]
                     if count == counts[-1]]
            shift = 0 if not other else (-5 if points[-1][1] > other[0] else 15)
            parts.append(text(end_x + 12, end_y + shift + (0 if other else 5), name, 15, colour, "start",
                              ' font-weight="600"'))
    return "\n".join(parts + ["</svg>"]) + "\n"
