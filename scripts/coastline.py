#!/usr/bin/env python3
"""Makes crates/plots/resources/coastline.bin from the land polygons of Natural Earth (public domain).

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python3 scripts/coastline.py package/land-10m.json crates/plots/resources/coastline.bin

world-atlas is Natural Earth's 1:10m land as TopoJSON, joined again over the antimeridian and the poles. Here its rings
are unrolled (longitudes run on beyond 180 where a ring crosses it; Antarctica is closed along the pole), thinned by
Douglas-Peucker, and written as differences on a grid. The format is described in crates/plots/src/coast.rs.
Standard library only.
"""

import json
import math
import sys

GRID = 600  # steps a degree: a tenth of a minute of arc
TOLERANCE = 0.005  # degrees of latitude: about 550 m


def read_rings(path):
    """Rings of (longitude, latitude); the first point is not repeated at the end."""
    topology = json.load(open(path))
    (scale_x, scale_y), (left, bottom) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for steps in topology["arcs"]:
        x = y = 0
        arc = []
        for step_x, step_y in steps:
            x, y = x + step_x, y + step_y
            arc.append((x * scale_x + left, y * scale_y + bottom))
        arcs.append(arc)
    for geometry in topology["objects"]["land"]["geometries"]:
        for polygon in geometry["arcs"]:
            for indices in polygon:
                ring = []
                for index in indices:
                    ring += (arcs[index] if index >= 0 else arcs[~index][::-1])[:-1]
                yield ring


def unrolled(ring):
    """The ring without jumps of longitude; one that goes round a pole is closed along it."""
    turns = 0
    points = [ring[0]]
    for (before, _), (longitude, latitude) in zip(ring, ring[1:] + ring[:1]):
        turns += (before - longitude > 180) - (longitude - before > 180)
        points.append((longitude + 360 * turns, latitude))
    if turns:
        pole = math.copysign(90, points[0][1])
        return points + [(points[-1][0], pole), (points[0][0], pole)]
    return points[:-1]


def thinned(points, tolerance):
    """Douglas-Peucker on the closed ring, distances as on the ground."""
    middle = sum(latitude for _, latitude in points) / len(points)
    plane = [(x * math.cos(math.radians(max(-85, min(85, middle)))), y) for x, y in points]
    far = max(range(len(plane)), key=lambda i: math.dist(plane[0], plane[i]))
    keep = {0, far}
    plane.append(plane[0])
    stack = [(0, far), (far, len(points))]
    while stack:
        first, last = stack.pop()
        (ax, ay), (bx, by) = plane[first], plane[last]
        length = math.hypot(bx - ax, by - ay)
        worst, at = tolerance, None
        for i in range(first + 1, last):
            x, y = plane[i]
            if length == 0:
                distance = math.hypot(x - ax, y - ay)
            else:
                t = max(0, min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length**2))
                distance = math.hypot(ax + t * (bx - ax) - x, ay + t * (by - ay) - y)
            if distance > worst:
                worst, at = distance, i
        if at is not None:
            keep.add(at)
            stack += [(first, at), (at, last)]
    return [points[i] for i in sorted(keep)]


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return out


def zigzag(number):
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


def encoded(ring):
    """Bounds, number of points, length in bytes, then the points as differences."""
    points = [(round(x * GRID), round(y * GRID)) for x, y in ring]
    points = [point for point, before in zip(points, points[-1:] + points[:-1]) if point != before]
    if len(points) < 3:
        return b""
    steps = bytearray()
    x = y = 0
    for next_x, next_y in points:
        steps += zigzag(next_x - x) + zigzag(next_y - y)
        x, y = next_x, next_y
    xs, ys = [x for x, _ in points], [y for _, y in points]
    head = bytearray()
    for bound in (min(xs), max(xs), min(ys), max(ys)):
        head += zigzag(bound)
    return bytes(head + varint(len(points)) + varint(len(steps)) + steps)


def main():
    source, target = sys.argv[1:]
    rings = []
    for ring in read_rings(source):
        ring = unrolled(ring)
        thin = thinned(ring, TOLERANCE)
        # A small island keeps its shape rather than vanish.
        rings.append(encoded(thin if len(thin) > 4 else thinned(ring, TOLERANCE / 4)))
    rings = [ring for ring in rings if ring]
    with open(target, "wb") as out:
        out.write(b"coast1" + varint(GRID) + varint(len(rings)) + b"".join(rings))


main()
