#!/usr/bin/env python3
"""Runs decision_bench at 1,000 to 1,000,000 hosts and draws how the time grows: docs/growth.svg.

usage: plot_growth.py BUILD_DIRECTORY [--json FILE] [--out FILE]     --json: draw these results of decision_bench instead
"""

import argparse
import json
import math
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 230, 40, 60
X_DECADES, Y_DECADES = (3, 6), (0, 6)  # hosts; microseconds
LINES = {
    "decide_default": ("default profile, with the front", "#b5533c"),
    "decide_nova": ("Nova's rules, hosts with nova_state", "#7a4fa3"),
    "decide_nova_plain": ("Nova's rules, amounts only", "#3c6eb5"),
    "decide_by_weight": ("built-in filters, three weighers", "#2d8a57"),
    "read_nova_columns": ("reading the columns only", "#888888"),
}
TIMES = {0: "1 µs", 1: "10 µs", 2: "100 µs", 3: "1 ms", 4: "10 ms", 5: "100 ms", 6: "1 s"}


def x_of(hosts):
    low, high = X_DECADES
    return LEFT + (math.log10(hosts) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def y_of(microseconds):
    low, high = Y_DECADES
    return HEIGHT - BOTTOM - (math.log10(microseconds) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def run(build):
    names = "|".join(LINES)
    done = subprocess.run(
        [os.path.join(build, "bin/decision_bench"), f"--benchmark_filter=^({names})/", "--benchmark_min_time=0.1",
         "--benchmark_repetitions=3", "--benchmark_format=json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def points_of(results):
    """Per line: {hosts: least CPU time in microseconds}."""
    points = {name: {} for name in LINES}
    for run_ in results["benchmarks"]:
        name, _, hosts = run_["name"].partition("/")
        if run_["run_type"] == "iteration" and name in points:
            known = points[name].get(int(hosts), math.inf)
            points[name][int(hosts)] = min(known, run_["cpu_time"])
    return points


def text(x, y, words, anchor="middle", color="#333333"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{words}</text>'


def axes():
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for decade in range(X_DECADES[0], X_DECADES[1] + 1):
        x = x_of(10**decade)
        yield f'<line x1="{x:.0f}" y1="{TOP}" x2="{x:.0f}" y2="{bottom}" stroke="#dddddd"/>'
        yield text(x, bottom + 20, f"{10**decade:,}")
    for decade in range(Y_DECADES[0], Y_DECADES[1] + 1):
        y = y_of(10**decade)
        yield f'<line x1="{LEFT}" y1="{y:.0f}" x2="{right}" y2="{y:.0f}" stroke="#dddddd"/>'
        yield text(LEFT - 8, y + 4, TIMES[decade], "end")
    yield text((LEFT + right) / 2, HEIGHT - 16, "hosts")
    yield text(LEFT, TOP - 16, "CPU time of one decision, both axes logarithmic", "start")


def line(name, points):
    _, color = LINES[name]
    places = [(x_of(hosts), y_of(points[hosts])) for hosts in sorted(points)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'


def legend(points):
    """By time at the largest size, so that the order is that of the lines."""
    order = sorted((name for name in LINES if points[name]), key=lambda name: -points[name][max(points[name])])
    for i, name in enumerate(order):
        label, color = LINES[name]
        yield text(WIDTH - RIGHT + 12, TOP + 20 + 22 * i, label, "start", color)


def draw(points):
    parts = [*axes(), *(part for name in LINES if points[name] for part in line(name, points[name])), *legend(points)]
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>', *parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--json")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs/growth.svg"))
    options = parser.parse_args()
    if options.json:
        with open(options.json, encoding="utf-8") as file:
            results = json.load(file)
    else:
        results = run(options.build)
    points = points_of(results)
    for name, line_points in points.items():
        print(f"{name:18}", "  ".join(f"{hosts:,}: {time:,.0f} µs" for hosts, time in sorted(line_points.items())))
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(draw(points))
    return 0


if __name__ == "__main__":
    sys.exit(main())
