#!/usr/bin/env python3
"""Makes synthetic JPEGs, quality 90: noise with the spectrum of photos, the same files on every machine.

Usage: .peers/bin/python Benchmarks/Support/photos.py FOLDER NAME COUNT WIDTH HEIGHT
"""
import sys

import numpy as np
from PIL import Image


def make(folder, name, count, width, height):
    """Writes FOLDER/NAME-0.jpg … and returns their paths."""
    random = np.random.default_rng(1)
    paths = [f"{folder}/{name}-{number}.jpg" for number in range(count)]
    for path in paths:
        pixels = np.full((height, width, 3), 128, np.float32)
        size = 2
        while size < max(width, height):
            grid = random.normal(0, 90 / size ** 0.4, (max(2, size * height // width), size, 3))
            for channel in range(3):
                layer = grid[..., channel] * 0.4 + grid[..., 0] * 0.6
                pixels[..., channel] += np.asarray(
                    Image.fromarray(layer.astype(np.float32)).resize((width, height), Image.BICUBIC))
            size *= 2
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


if __name__ == "__main__":
    make(*sys.argv[1:3], *map(int, sys.argv[3:]))
