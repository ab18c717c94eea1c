"""Writes the golden files of ConcordMedia: small odd pictures, and what Pillow, torchvision and Hugging Face make of
them. Run with a Python that has pillow, numpy, torch, torchvision and transformers:

    python scripts/golden/make_media.py

Output: Tests/Golden/media/images/*, expected.png (raw values, as those of an RGB picture) and expected.json (where each
value array stands).
"""

import io
import json
import math
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch

# torchvision of the package index registers kernels for two ops that the CPU build of torch does not define.
_stand_ins = torch.library.Library("torchvision", "DEF")
for _schema in ("nms(Tensor dets, Tensor scores, float threshold) -> Tensor",
                "qnms(Tensor dets, Tensor scores, float threshold) -> Tensor"):
    try:
        _stand_ins.define(_schema)
    except RuntimeError:
        pass

import PIL
import torchvision
import transformers
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode, functional
from transformers import CLIPImageProcessor

try:  # transformers 5 keeps the Pillow backend under this name
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as HuggingFaceProcessor
except ImportError:
    HuggingFaceProcessor = CLIPImageProcessor

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[2] / "Tests/Golden/media"
IMAGES = ROOT / "images"
CROP = 32
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
random = np.random.default_rng(20240607)


def photo(width, height, channels=3):
    """A smooth random picture with edges and a little noise."""
    grid = random.integers(0, 256, (max(2, height // 9), max(2, width // 9), channels), dtype=np.uint8)
    planes = [Image.fromarray(grid[..., c]).resize((width, height), Image.BICUBIC) for c in range(channels)]
    pixels = np.stack([np.asarray(p) for p in planes], -1).astype(np.int32)
    pixels[:, width // 2:] = 255 - pixels[:, width // 2:]
    pixels += random.integers(-9, 10, pixels.shape)
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return pixels if channels > 1 else pixels[..., 0]


def picture(width, height):
    return Image.fromarray(photo(width, height))


def save(name, image, **options):
    image.save(IMAGES / name, **options)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(name, width, height, depth, colour, rows, interlace=0, extra=()):
    """A PNG that Pillow cannot write: `rows` is the filtered, uncompressed data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    for kind, body in extra:
        data += chunk(kind, body)
    (IMAGES / name).write_bytes(data + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def unfiltered(array):
    return b"".join(b"\0" + row.tobytes() for row in array)


def packed(values, depth):
    """Grey values of `depth` bits, packed into bytes row by row."""
    bits = np.unpackbits(values[..., None].astype(np.uint8), axis=-1)[..., 8 - depth:]
    return np.packbits(bits.reshape(values.shape[0], -1), axis=-1)


def adam7(array):
    data = b""
    for x, y, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = array[y::dy, x::dx]
        if part.size:
            data += unfiltered(part)
    return data


def tiff16(name, array):
    """A 16-bit RGB TIFF, uncompressed, little-endian."""
    height, width, channels = array.shape
    data = array.astype("<u2").tobytes()
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, None), (259, 3, 1, 1), (262, 3, 1, 2),
               (273, 4, 1, None), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(data))]
    depths = 8 + 2 + 12 * len(entries) + 4
    start = depths + 2 * channels
    body = b""
    for tag, kind, count, value in entries:
        value = {258: depths, 273: start}.get(tag, value)
        body += struct.pack("<HHII", tag, kind, count, value)
    (IMAGES / name).write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body
                                + struct.pack("<I", 0) + struct.pack("<%dH" % channels, *[16] * channels) + data)


def make_images():
    for long in (40, 41, 42, 43, 44, 45, 47, 48, 49):  # resized long sides 32 … 39: margins 0 … 7
        save(f"margin-{long}x40.png", picture(long, 40))
    for long in (42, 44, 48):
        save(f"margin-40x{long}.png", picture(40, long))
    save("tiny-1x1.png", picture(1, 1))
    save("tiny-2x3.png", picture(2, 3))
    save("sliver-1x500.png", picture(1, 500))
    save("sliver-500x1.png", picture(500, 1))
    save("small-17x23.png", picture(17, 23))
    save("tall-20x53.png", picture(20, 53))  # more than twice as tall as wide: Pillow 13 filters columns first

    save("jpeg-444.jpg", picture(39, 29), quality=90, subsampling=0)
    save("jpeg-422.jpg", picture(39, 29), quality=90, subsampling=1)
    save("jpeg-420.jpg", picture(39, 29), quality=90, subsampling=2)
    save("jpeg-420-odd.jpg", picture(37, 51), quality=75, subsampling=2)
    save("jpeg-1x1.jpg", picture(1, 1), quality=90)
    save("jpeg-9x50.jpg", picture(9, 50), quality=85)
    save("jpeg-low-quality.jpg", picture(42, 33), quality=8)
    save("jpeg-progressive.jpg", picture(31, 35), quality=88, progressive=True)
    save("jpeg-restarts.jpg", picture(33, 25), quality=88, restart_marker_blocks=2)
    save("jpeg-rgb.jpg", picture(35, 35), quality=90, keep_rgb=True)
    save("jpeg-grey.jpg", Image.fromarray(photo(41, 39, 1)), quality=90)
    save("jpeg-cmyk.jpg", Image.fromarray(photo(38, 34, 4), mode="CMYK"), quality=92)
    save("jpeg-cmyk-subsampled.jpg", Image.fromarray(photo(45, 41, 4), mode="CMYK"), quality=80, subsampling=2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"exif-{orientation}.jpg", picture(34, 25), quality=90, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("exif-6.png", picture(44, 33), exif=exif)
    save("exif-6.webp", picture(44, 33), lossless=True, exif=exif)
    save("exif-6.tiff", picture(44, 33), exif=exif)

    save("png-grey.png", Image.fromarray(photo(40, 36, 1)))
    save("png-grey-alpha.png", Image.fromarray(photo(40, 36, 2), mode="LA"))
    save("png-rgba.png", Image.fromarray(photo(40, 36, 4), mode="RGBA"))
    save("png-bilevel.png", Image.fromarray(photo(43, 36, 1)).convert("1"))
    save("png-palette.png", picture(42, 37).quantize(64))
    save("png-palette-16.png", picture(42, 37).quantize(13))
    save("png-palette-transparent.png", picture(42, 37).quantize(64), transparency=bytes(range(0, 256, 4)))
    save("png-palette-key.png", picture(42, 37).quantize(32), transparency=5)
    save("png-rgb-key.png", picture(42, 37), transparency=(10, 20, 30))
    levels = random.integers(0, 4, (35, 41))
    write_png("png-grey-2-bit.png", 41, 35, 2, 0, unfiltered(packed(levels, 2)))
    levels = random.integers(0, 16, (35, 41))
    write_png("png-grey-4-bit.png", 41, 35, 4, 0, unfiltered(packed(levels, 4)))
    write_png("png-interlaced.png", 39, 45, 8, 2, adam7(photo(39, 45)), interlace=1)
    wide = lambda channels: (photo(37, 35, channels).astype(np.uint16) * 257
                             + random.integers(0, 99, (35, 37, channels) if channels > 1 else (35, 37))).clip(0, 65535)
    write_png("png-rgb-16-bit.png", 37, 35, 16, 2, unfiltered(wide(3).astype(">u2")))
    write_png("png-rgba-16-bit.png", 37, 35, 16, 6, unfiltered(wide(4).astype(">u2")))
    write_png("png-grey-alpha-16-bit.png", 37, 35, 16, 4, unfiltered(wide(2).astype(">u2")))
    dark = random.integers(0, 400, (35, 37)).astype(np.uint16)
    save("png-grey-16-bit.png", Image.fromarray(dark))
    write_png("png-grey-16-bit-key.png", 37, 35, 16, 0, unfiltered(dark.astype(">u2")),
              extra=[(b"tRNS", struct.pack(">H", int(dark[3, 4])))])

    save("gif-palette.gif", picture(45, 36).quantize(80))
    save("gif-grey.gif", Image.fromarray(photo(45, 36, 1)))
    save("gif-transparent.gif", picture(45, 36).quantize(80), transparency=7)
    frames = [picture(42, 36).quantize(60) for _ in range(3)]
    save("gif-animated.gif", frames[0], save_all=True, append_images=frames[1:], transparency=3, disposal=2)

    save("webp-lossless.webp", picture(38, 29), lossless=True)
    save("webp-lossy.webp", picture(37, 29), quality=80)
    save("webp-alpha.webp", Image.fromarray(photo(44, 35, 4), mode="RGBA"), lossless=True, exact=True)
    frames = [picture(40, 34) for _ in range(2)]
    save("webp-animated.webp", frames[0], save_all=True, append_images=frames[1:], lossless=True)

    save("tiff-rgb.tiff", picture(35, 29))
    save("tiff-lzw.tif", picture(35, 29), compression="tiff_lzw")
    save("tiff-deflate.tif", picture(35, 29), compression="tiff_adobe_deflate")
    save("tiff-packbits.tif", picture(35, 29), compression="packbits")
    save("tiff-grey.tif", Image.fromarray(photo(35, 29, 1)))
    save("tiff-grey-alpha.tif", Image.fromarray(photo(35, 29, 2), mode="LA"))
    save("tiff-rgba.tif", Image.fromarray(photo(35, 29, 4), mode="RGBA"))
    save("tiff-palette.tif", picture(35, 29).quantize(50))
    save("tiff-cmyk.tif", Image.fromarray(photo(35, 29, 4), mode="CMYK"))
    save("tiff-bilevel.tif", Image.fromarray(photo(43, 36, 1)).convert("1"), compression="group4")
    save("tiff-grey-16-bit.tif", Image.fromarray(dark))
    save("tiff-grey-int32.tif", Image.fromarray(random.integers(-50, 400, (35, 37)).astype(np.int32)))
    save("tiff-grey-float.tif", Image.fromarray(random.uniform(-50, 400, (35, 37)).astype(np.float32)))
    tiff16("tiff-rgb-16-bit.tif", wide(3))


class Arrays:
    def __init__(self):
        self.data, self.index = b"", {}

    def add(self, name, array):
        array = np.ascontiguousarray(array)
        assert array.dtype in (np.uint8, np.float32), array.dtype
        self.index[name] = {"type": str(array.dtype), "shape": list(array.shape), "offset": len(self.data)}
        self.data += array.tobytes()


def rgb(path):
    # Through an array, because Hugging Face blends a picture that still carries Pillow's note of a transparent colour.
    return Image.fromarray(np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")))


def torchvision_pixels(image, size=CROP):
    # The shorter edge by torchvision's rule, the long edge as it computes it.
    return functional.center_crop(functional.resize(image, size, InterpolationMode.BICUBIC), size)


def torchvision_floats(image):
    return functional.normalize(functional.to_tensor(image), MEAN, DEVIATION).numpy()


def padded_pixels(image, size=CROP):
    """open_clip's resize mode `longest`."""
    ratio = max(image.height / size, image.width / size)
    height, width = (max(1, round(edge / ratio)) for edge in (image.height, image.width))
    return functional.center_crop(functional.resize(image, [height, width], InterpolationMode.BICUBIC), size)


def hugging_face(image, pixels_only, **options):
    processor = HuggingFaceProcessor(
        size={"shortest_edge": CROP}, crop_size={"height": CROP, "width": CROP}, resample=3,
        image_mean=list(MEAN), image_std=list(DEVIATION))
    if pixels_only:
        options |= {"do_rescale": False, "do_normalize": False}
    return processor(image, return_tensors="np", **options)["pixel_values"][0]


def main():
    IMAGES.mkdir(parents=True, exist_ok=True)
    for old in IMAGES.iterdir():
        old.unlink()
    make_images()
    arrays = Arrays()
    names = sorted(path.name for path in IMAGES.iterdir())
    for name in names:
        image = rgb(IMAGES / name)
        arrays.add(f"decoded/{name}", np.asarray(image))
        pixels = np.asarray(torchvision_pixels(image))
        arrays.add(f"torchvision/{name}", pixels)
        other = hugging_face(image, True).transpose(1, 2, 0).astype(np.uint8)
        if (other != pixels).any():
            arrays.add(f"huggingface/{name}", other)
        if name in ("margin-44x40.png", "jpeg-420.jpg", "exif-6.jpg", "sliver-1x500.png"):
            if name.startswith(("margin", "jpeg")):
                arrays.add(f"torchvision-floats/{name}", torchvision_floats(torchvision_pixels(image)))
                arrays.add(f"huggingface-floats/{name}", hugging_face(image, False).astype(np.float32))
            arrays.add(f"squash/{name}", np.asarray(functional.resize(image, [CROP, CROP], InterpolationMode.BICUBIC)))
            arrays.add(f"longest/{name}", np.asarray(padded_pixels(image)))
            arrays.add(f"crop-40-torchvision/{name}", np.asarray(functional.center_crop(
                functional.resize(image, 27, InterpolationMode.BICUBIC), 40)))
            arrays.add(f"crop-40-huggingface/{name}", HuggingFaceProcessor(
                size={"shortest_edge": 27}, crop_size={"height": 40, "width": 40}, resample=3, do_rescale=False,
                do_normalize=False)(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0).astype(np.uint8))

    image = rgb(IMAGES / "margin-49x40.png")
    resizes = []
    for kind in ("nearest", "lanczos", "bilinear", "bicubic", "box"):
        for width, height, box in [(20, 13, None), (55, 44, None), (49, 17, None), (31, 40, None), (98, 3, None),
                                   (1, 1, None), (23, 29, (3.25, 1.5, 40.75, 33.125)), (49, 40, (0.1, 0, 48.7, 40)),
                                   (60, 9, (10, 5, 20, 39.3))]:
            name = f"resize/{kind}-{width}x{height}-{len(resizes)}"
            resized = image.resize((width, height), getattr(Image.Resampling, kind.upper()), box)
            arrays.add(name, np.asarray(resized))
            resizes.append({"name": name, "filter": kind, "width": width, "height": height, "box": box})

    colours = []
    ramp = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    ramp[:8] = ramp[:8, :, :1]
    ramp[8:16, :, 1] = ramp[8:16, :, 0]
    ramp[16:20] //= 20
    ramp = Image.fromarray(ramp)
    ramp.save(ROOT / "colours.png")
    for kind, factors in {"brightness": (0.0, 0.37, 1.0, 1.6), "contrast": (0.0, 0.45, 1.33),
                          "saturation": (0.0, 0.7, 1.9), "hue": (-0.5, -0.17, 0.003, 0.08, 0.5)}.items():
        for factor in factors:
            name = f"colour/{kind}-{factor}"
            arrays.add(name, np.asarray(getattr(functional, f"adjust_{kind}")(ramp, factor)))
            colours.append({"name": name, "kind": kind, "factor": factor})
    arrays.add("colour/grey", np.asarray(functional.to_grayscale(ramp, 3)))

    rows = math.ceil(len(arrays.data) / (3 * 256))
    packed = Image.frombytes("RGB", (256, rows), bytes(arrays.data).ljust(3 * 256 * rows, b"\0"))
    packed.save(ROOT / "expected.png", optimize=True)
    (ROOT / "expected.json").write_text(json.dumps({
        "versions": {"pillow": PIL.__version__, "torchvision": torchvision.__version__,
                     "transformers": transformers.__version__},
        "crop": CROP, "images": names, "resizes": resizes, "colours": colours, "arrays": arrays.index}, indent=0))
    print(len(names), "images,", len(arrays.data), "bytes of expected values")


main()
