"""pillow.py PASSES FILE…: what image-benchmark does, with Pillow and NumPy, on one thread."""

import sys
import time

import numpy as np
from PIL import Image

MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
DEVIATION = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)
SIZE = 224


def preprocess(path):
    with Image.open(path) as file:
        image = file.convert("RGB")
    width, height = image.size
    if width <= height:
        width, height = SIZE, int(SIZE * height / width)
    else:
        width, height = int(SIZE * width / height), SIZE
    image = image.resize((width, height), Image.BICUBIC)
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    image = image.crop((left, top, left + SIZE, top + SIZE))
    values = np.asarray(image).astype(np.float32)
    values /= 255
    values -= MEAN
    values /= DEVIATION
    return np.ascontiguousarray(values.transpose(2, 0, 1))


for number in range(int(sys.argv[1]) + 1):
    start = time.perf_counter()
    for file in sys.argv[2:]:
        preprocess(file)
    if number > 0:
        print(time.perf_counter() - start)
