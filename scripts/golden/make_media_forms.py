"""Writes the golden files of the forms in which picture files store pixels: one tiny file for each colour space,
compression, sample format and layout, and what Pillow reads from it. Run with a Python that has pillow, numpy,
pillow-heif and imagecodecs:

    python scripts/golden/make_media_forms.py

Output: Tests/Golden/media/forms.png (bytes, as the values of an RGB picture: the files, and the pixels after them) and
forms.json: for each form its name, the length of its file, and where its pixels begin, and how many columns and rows
they have, or nothing more where Pillow reads no RGB from it. Pillow reads neither HEIC nor JPEG XL: the pixels of those are
pillow-heif's, and those that lossless files were written from. A few more are those of another form: see `twins`.
"""

import io
import json
import lzma
import math
import struct
import warnings
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import PIL
import pillow_heif
from PIL import Image, ImageOps

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[2] / "Tests/Golden/media"
WIDTH, HEIGHT = 7, 5
random = np.random.default_rng(20261130)
forms = {}


def samples(channels=1, bits=8, width=WIDTH, height=HEIGHT):
    """Values [height, width, channels] that fill the range of so many bits, smooth enough to survive JPEG; the same
    ones for the same arguments."""
    random = np.random.default_rng([channels, bits, width, height])
    y, x = np.mgrid[0:height, 0:width]
    top = 2 ** bits - 1
    planes = []
    for channel in range(channels):
        wave = np.sin(x * (0.35 + 0.2 * channel) + channel) + np.cos(y * (0.5 - 0.1 * channel) - channel)
        planes.append((wave + 2) / 4 * top * 0.9 + random.uniform(0, 0.1 * top, (height, width)))
    return np.stack(planes, -1).astype(np.uint64)


def color_table(count, channels=3):
    """A palette, [count × channels] bytes: no grey, and no color twice."""
    index = np.arange(count) * 255 // max(count - 1, 1)
    return np.stack([index, 255 - index, index // 2 + 60, index // 3][:channels], -1).astype(np.uint8)


def form(name, data):
    assert name not in forms, name
    forms[name] = bytes(data)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(mode, shift=0, **size):
    """A Pillow image, moved to the right by `shift` pixels: frames of an animation differ."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    array = np.roll(samples(bands, **size).astype(np.uint8), shift, 1)
    return Image.fromarray(array if bands > 1 else array[..., 0]).convert(mode) if mode in ("1", "P") \
        else Image.frombytes(mode, array.shape[1::-1], array.tobytes())


# --- TIFF ------------------------------------------------------------------------------------------------------

NONE, G3, G4, OLD_JPEG, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE = 1, 3, 4, 6, 5, 7, 8, 32773, 32946
RLE, LZMA, ZSTD, WEBP, JPEG_2000 = 2, 34925, 50000, 50001, 34712
COMPRESSIONS = {"none": NONE, "lzw": LZW, "deflate": DEFLATE, "old-deflate": OLD_DEFLATE, "packbits": PACKBITS,
                "zstd": ZSTD, "lzma": LZMA}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, SEPARATED, YCBCR, LAB, ICC_LAB, ITU_LAB = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
    10,
)
UNSIGNED, SIGNED, FLOAT, UNDEFINED, COMPLEX_SIGNED, COMPLEX = 1, 2, 3, 4, 5, 6


def packed(array, bits, order):
    """Samples as TIFF stores them: rows begin at bytes."""
    if array.dtype.kind in "fc" or bits in (8, 16, 32, 64, 128):
        return array.astype(array.dtype.newbyteorder(order)).tobytes()
    values = array.reshape(array.shape[0], -1).astype(">u2").view(np.uint8).reshape(array.shape[0], -1, 2)
    return np.packbits(np.unpackbits(values, axis=-1)[..., 16 - bits:].reshape(array.shape[0], -1), axis=-1).tobytes()


def through_pillow(data, width, height, mode, compression):
    """One strip, as libtiff compresses it."""
    if mode == "1":
        data = bytes(255 - byte for byte in data)
    file = encoded(Image.frombytes(mode, (width, height), data), "TIFF", compression=compression)
    tags = Image.open(io.BytesIO(file)).tag_v2
    assert len(tags[273]) == 1
    return file[tags[273][0]:][:tags[279][0]]


def compressed(data, compression, height, width_in_bits, image):
    row = math.ceil(width_in_bits / 8)
    if compression in (DEFLATE, OLD_DEFLATE):
        return zlib.compress(data, 9)
    if compression == LZMA:
        return lzma.compress(data)
    if compression in (LZW, PACKBITS, ZSTD):
        name = {LZW: "tiff_lzw", PACKBITS: "packbits", ZSTD: "zstd"}[compression]
        if len(data) != row * height:  # data units of subsampled YCbCr
            row, height = len(data), 1
        return through_pillow(data, row, height, "L", name)
    if compression in (RLE, G3, G4):
        name = {RLE: "tiff_ccitt", G3: "group3", G4: "group4"}[compression]
        return through_pillow(data, width_in_bits, height, "1", name)
    if compression in (JPEG, OLD_JPEG, WEBP, JPEG_2000):
        return image(height)
    return data


def tiff(array, photometric, *, bits=8, sample_format=UNSIGNED, compression=NONE, planar=1, tile=None, order="<",
         extra=(), fill_order=None, predictor=None, rows=3, big=False, tags=(), pages=1, image=None, subsampling=None):
    """A TIFF file. `tags` are further ones, (tag, type, values); `image` compresses a block as a picture."""
    if array.ndim == 2:
        array = array[..., None]
    height, width, channels = array.shape
    planes = [array] if planar == 1 else [array[..., c:c + 1] for c in range(channels)]
    blocks = []
    for plane in planes:
        if tile:
            for y in range(0, height, tile):
                for x in range(0, width, tile):
                    block = plane[y:y + tile, x:x + tile]
                    block = np.pad(block, ((0, tile - block.shape[0]), (0, tile - block.shape[1]), (0, 0)), "edge")
                    blocks.append(block)
        else:
            blocks += [plane[y:y + rows] for y in range(0, height, rows)]
    strips = []
    for block in blocks:
        if predictor == 2:
            block = np.concatenate([block[:, :1], np.diff(block.astype(np.int64), axis=1)], 1).astype(block.dtype)
        if predictor == 3:  # Bytes by significance, then differences of bytes.
            size = block.dtype.itemsize
            line = block.astype(block.dtype.newbyteorder(">")).reshape(block.shape[0], -1).view(np.uint8)
            line = line.reshape(block.shape[0], -1, size).transpose(0, 2, 1).reshape(block.shape[0], -1)
            step = block.shape[2]
            data = np.concatenate([line[:, :step], line[:, step:] - line[:, :-step]], 1).tobytes()
        else:
            data = subsampled(block, subsampling) if subsampling else packed(block, bits, order)
        width_in_bits = block.shape[1] * block.shape[2] * bits
        data = compressed(data, compression, block.shape[0], width_in_bits, image and (lambda _, b=block: image(b)))
        if fill_order == 2:
            data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, 8)[:, ::-1]).tobytes()
        strips.append(data)
    entries = [(256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [compression]),
               (262, 3, [photometric]), (277, 3, [channels]), (284, 3, [planar])]
    if sample_format != UNSIGNED:
        entries.append((339, 3, [sample_format] * channels))
    if extra:
        entries.append((338, 3, list(extra)))
    if fill_order:
        entries.append((266, 3, [fill_order]))
    if predictor:
        entries.append((317, 3, [predictor]))
    if subsampling:
        entries.append((530, 3, list(subsampling)))
    entries += [(322, 4, [tile]), (323, 4, [tile])] if tile else [(278, 4, [rows])]
    entries += list(tags)
    word, count, head = ("Q", "Q", 16) if big else ("I", "H", 8)
    file = (b"II" if order == "<" else b"MM") + (struct.pack(order + "HHH", 43, 8, 0) if big else
                                                struct.pack(order + "H", 42))
    file += struct.pack(order + word, head)
    for page in range(pages):
        start = len(file) + struct.calcsize("=" + count) + (len(entries) + 2) * (20 if big else 12) \
            + struct.calcsize("=" + word)
        body, directory = b"", []
        offsets = []
        for data in strips:
            offsets.append(start + len(body))
            body += data + b"\0" * (len(data) % 2)
        both = entries + [(324 if tile else 273, 16 if big else 4, offsets),
                          (325 if tile else 279, 4, [len(data) for data in strips])]
        for tag, kind, values in sorted(both):
            code = {1: "B", 3: "H", 4: "I", 5: "II", 7: "B", 16: "Q"}[kind]
            raw = struct.pack(order + code * (len(values) // len(code)), *values)
            if len(raw) > (8 if big else 4):
                position = struct.pack(order + word, start + len(body))
                body += raw + b"\0" * (len(raw) % 2)
                raw = position
            directory.append(struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values) // len(code))
                             + raw.ljust(8 if big else 4, b"\0"))
        following = 0 if page == pages - 1 else start + len(body)
        file += (
            struct.pack(order + count, len(directory))
            + b"".join(directory)
            + struct.pack(order + word, following)
            + body
        )
        strips = [bytes(255 - byte for byte in data) for data in strips]
    return file


def subsampled(block, subsampling):
    """YCbCr data units: the luma of a block of pixels, then its chroma."""
    across, down = subsampling
    height, width = (math.ceil(block.shape[0] / down) * down, math.ceil(block.shape[1] / across) * across)
    block = np.pad(block, ((0, height - block.shape[0]), (0, width - block.shape[1]), (0, 0)), "edge")
    data = b""
    for y in range(0, height, down):
        for x in range(0, width, across):
            unit = block[y:y + down, x:x + across]
            data += unit[..., 0].tobytes() + unit[..., 1:].mean((0, 1)).astype(np.uint8).tobytes()
    return data


def jpeg_block(mode, **options):
    return lambda block: encoded(
        Image.fromarray(block.squeeze().astype(np.uint8), mode), "JPEG", quality=92, **options
    )


def ycbcr_jpeg(subsampling):
    """A block of YCbCr samples as a JPEG: Pillow converts the RGB that it is given."""
    return lambda block: encoded(Image.fromarray(block.astype(np.uint8)), "JPEG", quality=92, subsampling=subsampling)


SPACES = {  # name: photometric, channels, extra samples
    "white-is-zero": (WHITE_IS_ZERO, 1, ()), "grey": (BLACK_IS_ZERO, 1, ()), "rgb": (RGB, 3, ()),
    "palette": (PALETTE, 1, ()), "cmyk": (SEPARATED, 4, ()), "ycbcr": (YCBCR, 3, ()), "lab": (LAB, 3, ()),
    "icc-lab": (ICC_LAB, 3, ()), "itu-lab": (ITU_LAB, 3, ()), "rgb-alpha": (RGB, 4, (2,)),
    "rgb-associated-alpha": (RGB, 4, (1,)), "rgb-unspecified": (RGB, 4, (0,)), "rgb-four-samples": (RGB, 4, ()),
    "grey-alpha": (BLACK_IS_ZERO, 2, (2,)), "grey-associated-alpha": (BLACK_IS_ZERO, 2, (1,)),
    "grey-unspecified": (BLACK_IS_ZERO, 2, (0,)), "grey-two-samples": (BLACK_IS_ZERO, 2, ()),
    "palette-alpha": (PALETTE, 2, (2,)), "cmyk-unspecified": (SEPARATED, 5, (0,)), "cmyk-alpha": (SEPARATED, 5, (2,)),
    "ycbcr-alpha": (YCBCR, 4, (2,)), "rgb-five-samples": (RGB, 5, (2, 0)), "separated-three": (SEPARATED, 3, ()),
}


def tags_of(space, bits=8):
    tags = []
    if "palette" in space:
        tags.append((320, 3, [int(v) * 257 for v in color_table(2 ** bits).T.ravel()]))
    if "ycbcr" in space:
        tags.append((530, 3, [1, 1]))
    return tags


def space_samples(space, bits=8, **size):
    photometric, channels, extra = SPACES[space]
    array = samples(channels, bits, **size)
    if "associated" in space:  # No colour is above its alpha.
        array[..., :-1] = array[..., :-1] * array[..., -1:] // (2 ** bits - 1)
        array[0, 0] = 0
    return array


def tiff_of(space, bits=8, dtype=None, sample_format=UNSIGNED, **options):
    photometric, channels, extra = SPACES[space]
    dtype = dtype or (np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.uint64)
    if sample_format == FLOAT:
        array = np.random.default_rng(bits).uniform(-40, 300, (HEIGHT, WIDTH, channels)).astype(dtype)
    elif sample_format == SIGNED:
        array = (samples(channels, min(bits, 9)).astype(np.int64) - 90).astype(dtype)
    elif "grey" in space and bits > 8:
        array = (space_samples(space, 9) if channels == 1 else space_samples(space, bits)).astype(dtype)
    else:
        array = space_samples(space, bits).astype(dtype)
    tags = options.pop("tags", []) + tags_of(space, min(bits, 8))
    return tiff(array, photometric, bits=bits, sample_format=sample_format, extra=extra, tags=tags, **options)


def make_tiffs():
    for space in SPACES:
        for name, compression in COMPRESSIONS.items():
            if space in ("grey", "rgb", "palette", "cmyk", "ycbcr", "lab") or name in ("none", "lzw"):
                form(f"tiff/{space}/{name}", tiff_of(space, compression=compression))
        form(f"tiff/{space}/big-endian", tiff_of(space, order=">"))
        form(f"tiff/{space}/tiled", tiff_of(space, tile=16))
        form(f"tiff/{space}/tiled-deflate", tiff_of(space, tile=16, compression=DEFLATE))
        if SPACES[space][1] > 1:
            form(f"tiff/{space}/planar", tiff_of(space, planar=2))
            form(f"tiff/{space}/planar-deflate", tiff_of(space, planar=2, compression=DEFLATE))
            form(f"tiff/{space}/planar-tiled", tiff_of(space, planar=2, tile=16))
            form(f"tiff/{space}/planar-tiled-lzw", tiff_of(space, planar=2, tile=16, compression=LZW))
        form(f"tiff/{space}/predictor", tiff_of(space, predictor=2, compression=LZW))
    for space in ("white-is-zero", "grey", "palette"):
        for bits in (1, 2, 4):
            for name, options in {"none": {}, "lzw": {"compression": LZW}, "big-endian": {"order": ">"},
                                  "tiled": {"tile": 16}, "fill-order-2": {"fill_order": 2},
                                  "fill-order-2-deflate": {"fill_order": 2, "compression": DEFLATE}}.items():
                form(f"tiff/{space}/{bits}-bit-{name}", tiff_of(space, bits, **options))
    for space in ("white-is-zero", "grey", "rgb", "cmyk", "ycbcr", "lab", "palette", "rgb-alpha", "grey-alpha",
                  "rgb-associated-alpha", "grey-associated-alpha"):
        for name, bits, dtype, sample_format in (
                ("12-bit", 12, None, UNSIGNED), ("16-bit", 16, None, UNSIGNED), ("32-bit", 32, None, UNSIGNED),
                ("64-bit", 64, None, UNSIGNED), ("signed-8-bit", 8, np.int8, SIGNED),
                ("signed-16-bit", 16, np.int16, SIGNED), ("signed-32-bit", 32, np.int32, SIGNED),
                ("half-float", 16, np.float16, FLOAT), ("float", 32, np.float32, FLOAT),
                ("double", 64, np.float64, FLOAT), ("undefined-8-bit", 8, None, UNDEFINED),
                ("undefined-16-bit", 16, None, UNDEFINED)):
            if space == "palette" and bits > 16:
                continue
            for order in "<>":
                for compression in (NONE, DEFLATE):
                    if space not in ("grey", "rgb") and (order == ">") != (compression == DEFLATE):
                        continue
                    suffix = {"<": "", ">": "-big-endian"}[order] + {NONE: "", DEFLATE: "-deflate"}[compression]
                    form(f"tiff/{space}/{name}{suffix}",
                         tiff_of(space, bits, dtype, sample_format, order=order, compression=compression))
    complex_values = (random.uniform(0, 255, (HEIGHT, WIDTH)) + 1j).astype(np.complex64)
    form("tiff/grey/complex", tiff(complex_values, BLACK_IS_ZERO, bits=64, sample_format=COMPLEX))
    form("tiff/grey/mixed-depths", tiff(samples(2).astype(np.uint8), BLACK_IS_ZERO, extra=(2,)).replace(
        struct.pack("<HHIHH", 258, 3, 2, 8, 8), struct.pack("<HHIHH", 258, 3, 2, 8, 4)))
    for space in ("rgb", "grey", "cmyk", "rgb-alpha"):
        form(f"tiff/{space}/16-bit-planar", tiff_of(space, 16, planar=2))
        form(f"tiff/{space}/16-bit-planar-deflate", tiff_of(space, 16, planar=2, compression=DEFLATE))
        form(f"tiff/{space}/16-bit-tiled", tiff_of(space, 16, tile=16, order=">", compression=LZW))
        form(f"tiff/{space}/16-bit-predictor", tiff_of(space, 16, predictor=2, compression=DEFLATE))
    form("tiff/grey/float-predictor",
         tiff_of("grey", 32, np.float32, FLOAT, predictor=3, compression=DEFLATE))
    for name, compression in {"rle": RLE, "group-3": G3, "group-4": G4}.items():
        for space in ("white-is-zero", "grey"):
            form(f"tiff/{space}/ccitt-{name}", tiff_of(space, 1, compression=compression, rows=HEIGHT))
    for space, array in (("grey", "L"), ("rgb", "RGB"), ("cmyk", "CMYK")):
        block = jpeg_block(array, **({"keep_rgb": True, "subsampling": 0} if array == "RGB" else {}))
        for layout, options in {"strips": {"rows": HEIGHT}, "tiles": {"tile": 16}}.items():
            form(f"tiff/{space}/jpeg-{layout}", tiff_of(space, compression=JPEG, image=block, **options))
    form("tiff/rgb/jpeg-planar", tiff_of("rgb", compression=JPEG, image=jpeg_block("L"), planar=2, rows=HEIGHT))
    form("tiff/rgb/jpeg-of-ycbcr",
         tiff_of("rgb", compression=JPEG, image=jpeg_block("RGB", subsampling=0), rows=HEIGHT))
    for name, (number, factors) in {"444": (0, (1, 1)), "422": (1, (2, 1)), "420": (2, (2, 2))}.items():
        array = samples(3, width=32, height=16).astype(np.uint8)
        for layout, options in {"strips": {"rows": 16}, "tiles": {"tile": 16}}.items():
            form(f"tiff/ycbcr/jpeg-{name}-{layout}",
                 tiff(array, YCBCR, compression=JPEG, image=ycbcr_jpeg(number), tags=[(530, 3, factors)], **options))
    array = samples(3, width=16, height=8).astype(np.uint8)
    for factors in ((2, 1), (2, 2), (1, 2), (4, 1), (4, 4)):
        for name in ("none", "lzw", "deflate"):
            form(f"tiff/ycbcr/subsampled-{factors[0]}x{factors[1]}-{name}",
                 tiff(array, YCBCR, compression=COMPRESSIONS[name], subsampling=factors, rows=8))
    form("tiff/ycbcr/subsampling-not-given", tiff(array, YCBCR, compression=LZW, rows=8))
    rational = lambda *values: [part for value in values for part in (round(value * 10000), 10000)]
    for name in ("none", "lzw"):
        options = {"compression": COMPRESSIONS[name], "rows": HEIGHT}
        form(f"tiff/ycbcr/coefficients-{name}", tiff_of(
            "ycbcr", tags=[(529, 5, rational(0.2125, 0.7154, 0.0721))], **options))
        form(f"tiff/ycbcr/reference-{name}", tiff_of(
            "ycbcr", tags=[(532, 5, rational(16, 235, 128, 240, 128, 240))], **options))
    for orientation in range(2, 9):
        for space in ("rgb", "ycbcr"):
            form(f"tiff/{space}/orientation-{orientation}",
                 tiff_of(space, tags=[(274, 3, [orientation])], compression=LZW))
    form("tiff/ycbcr/orientation-6-none", tiff_of("ycbcr", tags=[(274, 3, [6])]))
    for order in "<>":
        for space in ("rgb", "ycbcr", "grey"):
            suffix = {"<": "", ">": "-big-endian"}[order]
            form(f"tiff/{space}/big-tiff{suffix}", tiff_of(space, big=True, order=order))
            form(f"tiff/{space}/multi-page{suffix}", tiff_of(space, pages=3, order=order))
    form("tiff/mask", tiff(samples(1, 1).astype(np.uint8), MASK, bits=1, tags=[(254, 4, [4])]))
    form("tiff/color-filter-array", tiff(samples(1).astype(np.uint8), 32803))
    form("tiff/linear-raw", tiff(samples(3).astype(np.uint8), 34892))
    form("tiff/log-l", tiff(samples(1, 16).astype(np.uint16), 32844, bits=16))
    form("tiff/log-luv", tiff(samples(3, 8).astype(np.uint8), 32845))
    form("tiff/rgb/webp", tiff_of("rgb", compression=WEBP, rows=HEIGHT, image=lambda block: encoded(
        Image.fromarray(block), "WEBP", lossless=True)))
    form("tiff/rgb/jpeg-2000", tiff_of("rgb", compression=JPEG_2000, rows=HEIGHT, image=lambda block: encoded(
        Image.fromarray(block), "JPEG2000", no_jp2=True)))
    form("tiff/ycbcr/old-jpeg", tiff_of("ycbcr", compression=OLD_JPEG, rows=HEIGHT, image=ycbcr_jpeg(0)))
    form("tiff/rgb/old-jpeg", tiff_of("rgb", compression=OLD_JPEG, rows=HEIGHT, image=ycbcr_jpeg(0)))
    form("tiff/rgb/unknown-compression", tiff_of("rgb", compression=12345))


# --- PNG, JPEG, GIF, WebP --------------------------------------------------------------------------------------

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(array, bits, color, interlaced=False, chunks=(), after=()):
    parts = [array[y::down, x::across] for x, y, across, down in PASSES] if interlaced else [array]
    data = b""
    for part in parts:
        if part.size:
            rows = packed(part, bits, ">")
            size = len(rows) // part.shape[0]
            data += b"".join(b"\0" + rows[i * size:(i + 1) * size] for i in range(part.shape[0]))
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], bits, color, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in chunks)
            + chunk(b"IDAT", zlib.compress(data, 9)) + b"".join(chunk(*c) for c in after) + chunk(b"IEND", b""))


def make_pngs():
    colors = {"grey": (0, 1, (1, 2, 4, 8, 16)), "rgb": (2, 3, (8, 16)), "palette": (3, 1, (1, 2, 4, 8)),
              "grey-alpha": (4, 2, (8, 16)), "rgb-alpha": (6, 4, (8, 16))}
    for name, (color, channels, depths) in colors.items():
        for bits in depths:
            dtype = np.uint16 if bits == 16 else np.uint8
            array = samples(channels, bits).astype(dtype)
            if name == "grey" and bits == 16:
                array = samples(1, 9).astype(dtype)
            palette = [(b"PLTE", color_table(2 ** bits).tobytes())] \
                if name == "palette" else []
            transparent = []
            if name == "grey":
                transparent = [(b"tRNS", struct.pack(">H", int(array[2, 3, 0])))]
            if name == "rgb":
                transparent = [(b"tRNS", struct.pack(">HHH", *(int(v) for v in array[2, 3])))]
            if name == "palette":
                transparent = [(b"tRNS", bytes(range(0, 256, 256 >> bits)))]
            for interlaced in (False, True):
                suffix = "-interlaced" if interlaced else ""
                form(f"png/{name}/{bits}-bit{suffix}", png(array, bits, color, interlaced, palette))
                if transparent:
                    form(f"png/{name}/{bits}-bit-transparency{suffix}",
                         png(array, bits, color, interlaced, palette + transparent))
    rgb = samples(3).astype(np.uint8)
    for name, extra in {
        "gamma": (b"gAMA", struct.pack(">I", 100000)),
        "chromaticities": (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        "srgb": (b"sRGB", b"\0"),
        "significant-bits": (b"sBIT", b"\5\6\5"),
        "background": (b"bKGD", struct.pack(">HHH", 9, 8, 7)),
        "text": (b"tEXt", b"Comment\0a picture"),
    }.items():
        form(f"png/rgb/{name}", png(rgb, 8, 2, chunks=[extra]))
    form(
        "png/grey/gamma-16-bit",
        png(samples(1, 9).astype(np.uint16), 16, 0, chunks=[(b"gAMA", struct.pack(">I", 45455))]),
    )
    # 30,000 × 30,000 pixels of 1 bit in about 100 kB, 2.7 GB of RGB.
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 30_000 // 8)) for _ in range(30_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    form("png/huge", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    form(
        "png/palette/short",
        png(np.minimum(samples(1), 200).astype(np.uint8), 8, 3, chunks=[(b"PLTE", bytes(range(150)) * 3)]),
    )
    form("png/palette/index-outside", png(samples(1).astype(np.uint8), 8, 3, chunks=[(b"PLTE", bytes(range(30)))]))
    frames = [picture("RGB", shift) for shift in range(2)]
    form("png/animated", encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    form("png/animated-default-image", encoded(
        frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True))


def without_segments(jpeg, markers):
    """A JPEG without the segments of those markers."""
    result, position = jpeg[:2], 2
    while jpeg[position + 1] != 0xDA:
        size = struct.unpack(">H", jpeg[position + 2:position + 4])[0] + 2
        if jpeg[position + 1] not in markers:
            result += jpeg[position:position + size]
        position += size
    return result + jpeg[position:]


def with_component_ids(jpeg, ids):
    data = bytearray(jpeg)
    frame = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    scan = data.index(b"\xFF\xDA")
    for index, number in enumerate(ids):
        data[frame + 10 + 3 * index] = ord(number) if isinstance(number, str) else number
        data[scan + 5 + 2 * index] = data[frame + 10 + 3 * index]
    return data


def make_jpegs():
    size = {"width": 19, "height": 17}
    rgb, cmyk = picture("RGB", **size), picture("CMYK", **size)
    for progressive in (False, True):
        suffix = "-progressive" if progressive else ""
        options = {"quality": 90, "progressive": progressive}
        form(f"jpeg/grey{suffix}", encoded(picture("L", **size), "JPEG", **options))
        for name, number in {"444": 0, "422": 1, "420": 2}.items():
            form(f"jpeg/ycbcr-{name}{suffix}", encoded(rgb, "JPEG", subsampling=number, **options))
        form(f"jpeg/rgb-adobe{suffix}", encoded(rgb, "JPEG", keep_rgb=True, subsampling=0, **options))
        adobe = encoded(cmyk, "JPEG", **options)
        form(f"jpeg/cmyk-adobe{suffix}", adobe)
        form(f"jpeg/cmyk-without-adobe{suffix}", without_segments(adobe, (0xEE,)))
        at = adobe.index(b"Adobe") + 11
        form(f"jpeg/ycck-adobe{suffix}", adobe[:at] + b"\2" + adobe[at + 1:])
    plain = without_segments(encoded(rgb, "JPEG", quality=90, subsampling=0), (0xE0, 0xEE))
    form("jpeg/no-markers", plain)
    form("jpeg/no-markers-ids-rgb", with_component_ids(plain, "RGB"))
    form("jpeg/no-markers-ids-0", with_component_ids(plain, (0, 1, 2)))
    form("jpeg/no-markers-ids-odd", with_component_ids(plain, (34, 35, 36)))
    form("jpeg/jfif-ids-rgb", with_component_ids(encoded(rgb, "JPEG", quality=90, subsampling=0), "RGB"))
    adobe = encoded(rgb, "JPEG", keep_rgb=True, subsampling=0, quality=90)
    at = adobe.index(b"Adobe") + 11
    form("jpeg/adobe-transform-1", adobe[:at] + b"\1" + adobe[at + 1:])
    form("jpeg/adobe-transform-2", adobe[:at] + b"\2" + adobe[at + 1:])
    pixels = np.asarray(rgb)
    for name, options in {"lossless": {"lossless": True}, "12-bit": {"bitspersample": 12},
                          "lossless-16-bit": {"lossless": True, "bitspersample": 16}}.items():
        data = pixels if "bitspersample" not in options else pixels.astype(np.uint16) * 16
        form(f"jpeg/{name}", imagecodecs.jpeg8_encode(data, level=90, **options))
    form("jpeg/jpeg-ls", imagecodecs.jpegls_encode(pixels))
    form("jpeg/two-pictures", encoded(rgb, "MPO", save_all=True, append_images=[rgb], quality=90))
    form("jpeg/icc-profile", encoded(rgb, "JPEG", quality=90, icc_profile=b"\0" * 200))


def make_gifs():
    rgb = picture("RGB")
    for colors in (2, 3, 16, 200):
        form(f"gif/{colors}-colors", encoded(rgb.quantize(colors), "GIF"))
    form("gif/grey", encoded(picture("L"), "GIF"))
    form("gif/bilevel", encoded(picture("L").convert("1"), "GIF"))
    form("gif/interlaced", encoded(picture("RGB", width=17, height=19).quantize(30), "GIF", interlace=1))
    form("gif/not-interlaced", encoded(picture("RGB", width=17, height=19).quantize(30), "GIF", interlace=0))
    form("gif/transparency", encoded(rgb.quantize(16), "GIF", transparency=3))
    frames = [picture("RGB", shift).quantize(20) for shift in range(3)]
    for disposal in range(4):
        form(f"gif/animated-disposal-{disposal}", encoded(
            frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal, transparency=2))

    def built(
        canvas, frame, at=(0, 0), background=0, table=True, local=False, control=b"", interlace=0, version=b"GIF89a"
    ):
        """A GIF of one frame that need not fill its canvas."""
        palette = color_table(16).tobytes()
        array = samples(1, 4, *frame).astype(np.uint8)[..., 0]
        plain = encoded(Image.fromarray(array).convert("P"), "GIF", interlace=0, optimize=False)
        start = plain.index(b",", 13 + 768 if plain[10] & 0x80 else 13)
        data = plain[start + 10 + (3 << ((plain[start + 9] & 7) + 1) if plain[start + 9] & 0x80 else 0):-1]
        file = version + struct.pack("<HHBBB", *canvas, 0xB3 if table else 0x30, background, 0)
        file += (palette if table else b"") + control
        file += (
            b","
            + struct.pack("<HHHHB", *at, *frame, (0x83 if local else 0) | interlace)
            + (palette[::-1] if local else b"")
        )
        return file + data + b";"

    keyed = b"\x21\xF9\x04\x01\0\0\x02\0"
    form("gif/local-palette", built((11, 7), (11, 7), local=True))
    form("gif/local-palette-alone", built((11, 7), (11, 7), local=True, table=False))
    form("gif/87a", built((11, 7), (11, 7), version=b"GIF87a"))
    form("gif/smaller-frame", built((11, 7), (6, 4), (2, 1)))
    form("gif/smaller-frame-background", built((11, 7), (6, 4), (2, 1), background=5))
    form("gif/smaller-frame-transparency", built((11, 7), (6, 4), (2, 1), background=5, control=keyed))
    form("gif/larger-frame", built((6, 4), (11, 7)))
    form("gif/frame-outside", built((6, 4), (6, 4), (3, 2)))
    form("gif/no-palette", built((11, 7), (11, 7), table=False))
    form("gif/keyed", built((11, 7), (11, 7), control=keyed))


def make_webps():
    rgb, rgba = picture("RGB"), picture("RGBA")
    for name, options in {
        "lossy": {"quality": 80},
        "lossless": {"lossless": True},
        "exact": {"lossless": True, "exact": True},
    }.items():
        form(f"webp/{name}", encoded(rgb, "WEBP", **options))
        form(f"webp/{name}-alpha", encoded(rgba, "WEBP", **options))
    form("webp/icc-profile", encoded(rgb, "WEBP", icc_profile=b"\0" * 200, lossless=True))
    for name, mode, options in (
        ("opaque", "RGB", {}),
        ("alpha", "RGBA", {}),
        ("background", "RGBA", {"background": (200, 40, 9, 255)}),
    ):
        frames = [picture(mode, shift) for shift in range(2)]
        form(f"webp/animated-{name}", encoded(
            frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, **options))
    # The first frame covers a part of the canvas only: an ANMF chunk whose place is not the corner.
    part = bytearray(
        encoded(
            picture("RGBA", width=6, height=4),
            "WEBP",
            save_all=True,
            append_images=[picture("RGBA", 1, width=6, height=4)],
            lossless=True,
        )
    )
    canvas = part.index(b"VP8X") + 12
    part[canvas:canvas + 6] = bytes([10, 0, 0, 6, 0, 0])
    frame = part.index(b"ANMF") + 8
    part[frame:frame + 6] = bytes([1, 0, 0, 1, 0, 0])
    form("webp/animated-part", part)


# --- BMP, TGA, Netpbm ------------------------------------------------------------------------------------------

def bmp(data, width, height, bits, *, header=40, compression=0, palette=b"", masks=b"", colors=0):
    if header == 12:
        information = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        information = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colors, 0)
        if header > 40:
            information = struct.pack("<I", header) + information[4:] + masks.ljust(header - 40, b"\0")
            masks = b""
    start = 14 + len(information) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + information + masks + palette + data


def bmp_rows(array, bits, order="<", bottom_up=True):
    array = array[::-1] if bottom_up else array
    rows = packed(array, bits, order)
    size = len(rows) // array.shape[0]
    return b"".join(rows[i * size:(i + 1) * size] + b"\0" * (-size % 4) for i in range(array.shape[0]))


def bmp_rle(array, bits):
    """Runs and literal stretches in turn, with an end of line after each row and an end of bitmap after all."""
    data = b""
    for y, row in enumerate(array[::-1, :, 0]):
        row, x = [int(v) for v in row], 0
        while x < len(row):
            if y % 2 and len(row) - x >= 5:  # five literal values
                data += bytes([0, 5])
                if bits == 8:
                    data += bytes(row[x:x + 5]) + b"\0"
                else:
                    data += bytes([row[x] << 4 | row[x + 1], row[x + 2] << 4 | row[x + 3], row[x + 4] << 4, 0])
                x += 5
            elif bits == 8:
                data += bytes([1, row[x]])
                x += 1
            else:
                pair = row[x:x + 2]
                data += bytes([len(pair), pair[0] << 4 | pair[-1]])
                x += len(pair)
        data += b"\0\0"
    return data + b"\0\1"


def make_bmps():
    palette = lambda count: color_table(count, 4).tobytes()
    greys = lambda count: b"".join(bytes([v, v, v, 0]) for v in (np.arange(count) * 255 // (count - 1)))
    for bits in (1, 4, 8):
        array = samples(1, bits).astype(np.uint8)
        form(f"bmp/palette-{bits}-bit", bmp(bmp_rows(array, bits), WIDTH, HEIGHT, bits, palette=palette(2 ** bits)))
        form(f"bmp/grey-{bits}-bit", bmp(bmp_rows(array, bits), WIDTH, HEIGHT, bits, palette=greys(2 ** bits)))
        form(f"bmp/top-down-{bits}-bit", bmp(
            bmp_rows(array, bits, bottom_up=False), WIDTH, -HEIGHT, bits, palette=palette(2 ** bits)))
        form(
            f"bmp/os2-{bits}-bit",
            bmp(bmp_rows(array, bits), WIDTH, HEIGHT, bits, header=12, palette=palette(2**bits)[: 3 * 2**bits]),
        )
        form(
            f"bmp/v5-{bits}-bit", bmp(bmp_rows(array, bits), WIDTH, HEIGHT, bits, header=124, palette=palette(2**bits))
        )
        form(
            f"bmp/os2-64-{bits}-bit",
            bmp(bmp_rows(array, bits), WIDTH, HEIGHT, bits, header=64, palette=palette(2**bits)),
        )
    few = np.minimum(samples(1), 99).astype(np.uint8)
    form("bmp/palette-of-100", bmp(bmp_rows(few, 8), WIDTH, HEIGHT, 8, palette=palette(100), colors=100))
    form("bmp/palette-index-outside", bmp(
        bmp_rows(samples(1).astype(np.uint8), 8), WIDTH, HEIGHT, 8, palette=palette(20), colors=20))
    form(
        "bmp/white-is-zero",
        bmp(bmp_rows(samples(1, 1).astype(np.uint8), 1), WIDTH, HEIGHT, 1, palette=b"\xff\xff\xff\0\0\0\0\0"),
    )
    wide = samples(1, 16).astype(np.uint16)
    form("bmp/16-bit", bmp(bmp_rows(wide, 16), WIDTH, HEIGHT, 16))
    for name, masks in {"555": (0x7C00, 0x3E0, 0x1F), "565": (0xF800, 0x7E0, 0x1F), "444": (0xF00, 0xF0, 0xF)}.items():
        packed_masks = struct.pack("<III", *masks)
        form(f"bmp/bitfields-{name}", bmp(bmp_rows(wide, 16), WIDTH, HEIGHT, 16, compression=3, masks=packed_masks))
        form(
            f"bmp/bitfields-{name}-v4",
            bmp(bmp_rows(wide, 16), WIDTH, HEIGHT, 16, compression=3, masks=packed_masks, header=108),
        )
    for height, name in ((HEIGHT, "24-bit"), (-HEIGHT, "24-bit-top-down")):
        form(f"bmp/{name}", bmp(bmp_rows(samples(3).astype(np.uint8), 8, bottom_up=height > 0), WIDTH, height, 24))
    form("bmp/os2-24-bit", bmp(bmp_rows(samples(3).astype(np.uint8), 8), WIDTH, HEIGHT, 24, header=12))
    full = samples(4).astype(np.uint8)
    form("bmp/32-bit", bmp(bmp_rows(full, 8), WIDTH, HEIGHT, 32))
    for name, masks in {"bgrx": (0xFF0000, 0xFF00, 0xFF, 0), "xbgr": (0xFF000000, 0xFF0000, 0xFF00, 0),
                        "abgr": (0xFF000000, 0xFF0000, 0xFF00, 0xFF), "rgba": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                        "bgra": (0xFF0000, 0xFF00, 0xFF, 0xFF000000), "bgxr": (0xFF000000, 0xFF00, 0xFF, 0),
                        "none": (0, 0, 0, 0), "10-bit": (0x3FF00000, 0xFFC00, 0x3FF, 0)}.items():
        for header in (40, 56, 124):
            stored = struct.pack("<IIII", *masks)[:12 if header == 40 else 16]
            form(f"bmp/bitfields-{name}-{header}", bmp(
                bmp_rows(full, 8), WIDTH, HEIGHT, 32, compression=3, masks=stored, header=header))
    for bits, code in ((8, 1), (4, 2)):
        array = samples(1, bits).astype(np.uint8)
        data = bmp_rle(array, bits)
        form(f"bmp/rle-{bits}", bmp(data, WIDTH, HEIGHT, bits, compression=code, palette=palette(2 ** bits)))
        form(f"bmp/rle-{bits}-grey", bmp(data, WIDTH, HEIGHT, bits, compression=code, palette=greys(2 ** bits)))
        moves = bytes([3, 17, 0, 2, 2, 1, 4, 18, 0, 0, 2, 33, 0, 1])
        form(f"bmp/rle-{bits}-moves", bmp(moves, WIDTH, HEIGHT, bits, compression=code, palette=palette(2 ** bits)))
        short = bytes([3, 17, 0, 0, 9, 34, 0, 0, 20, 33, 0, 1])
        form(f"bmp/rle-{bits}-short", bmp(short, WIDTH, HEIGHT, bits, compression=code, palette=palette(2 ** bits)))
    form("bmp/jpeg", bmp(encoded(picture("RGB"), "JPEG"), WIDTH, HEIGHT, 0, compression=4))
    form("bmp/png", bmp(encoded(picture("RGB"), "PNG"), WIDTH, HEIGHT, 0, compression=5))
    form("bmp/2-bit", bmp(bmp_rows(samples(1, 2).astype(np.uint8), 2), WIDTH, HEIGHT, 2, palette=palette(4)))


def tga(data, kind, bits, *, flags=0, palette=b"", map_bits=0, first=0, name=b"", footer=True):
    count = len(palette) * 8 // map_bits if palette else 0
    header = struct.pack(
        "<BBBHHBHHHHBB", len(name), int(bool(palette)), kind, first, count, map_bits, 0, 0, WIDTH, HEIGHT, bits, flags
    )
    return header + name + palette + data + (struct.pack("<II", 0, 0) + b"TRUEVISION-XFILE.\0" if footer else b"")


def tga_rle(data, size):
    """Runs and literal packets in turn."""
    pixels = [data[i:i + size] for i in range(0, len(data), size)]
    result, index = b"", 0
    while index < len(pixels):
        run = 1
        while index + run < len(pixels) and run < 128 and pixels[index + run] == pixels[index]:
            run += 1
        if run > 1:
            result += bytes([127 + run]) + pixels[index]
        else:
            run = min(3, len(pixels) - index)
            result += bytes([run - 1]) + b"".join(pixels[index:index + run])
        index += run
    return result


def make_tgas():
    kinds = {
        "palette": (1, 8, 1),
        "grey": (3, 8, 1),
        "grey-alpha": (3, 16, 2),
        "15-bit": (2, 16, 2),
        "24-bit": (2, 24, 3),
        "32-bit": (2, 32, 4),
    }
    for name, (kind, bits, size) in kinds.items():
        array = samples(size).astype(np.uint8)
        array[3:5, 2:9] = array[3, 2]
        palettes = {"": (b"", 0)} if name != "palette" else {
            "-15": (color_table(256, 2).tobytes(), 16),
            "-24": (color_table(256).tobytes(), 24),
            "-32": (color_table(256, 4).tobytes(), 32)}
        for suffix, (palette, map_bits) in palettes.items():
            for flags in (0x00, 0x10, 0x20, 0x30):
                flags |= {"32-bit": 8, "grey-alpha": 8}.get(name, 0)
                form(
                    f"tga/{name}{suffix}-flags-{flags:02x}",
                    tga(array.tobytes(), kind, bits, flags=flags, palette=palette, map_bits=map_bits),
                )
                form(f"tga/{name}{suffix}-rle-flags-{flags:02x}", tga(
                    tga_rle(array.tobytes(), size), kind + 8, bits, flags=flags, palette=palette, map_bits=map_bits))
    form("tga/name", tga(samples(3).astype(np.uint8).tobytes(), 2, 24, name=b"a picture"))
    form("tga/no-footer", tga(samples(3).astype(np.uint8).tobytes(), 2, 24, footer=False))
    form("tga/palette-from-16", tga((samples(1, 4) + 16).astype(np.uint8).tobytes(), 1, 8, first=16, map_bits=24,
                                   palette=color_table(16).tobytes()))
    form("tga/1-bit", tga(samples(1, 1).astype(np.uint8).tobytes(), 3, 1))


def make_netpbm():
    def plain(array):
        return b"\n".join(b" ".join(str(int(v)).encode() for v in row.ravel()) for row in array) + b"\n"

    def header(kind, *numbers, comment=b""):
        return kind + b"\n" + comment + b" ".join(str(n).encode() for n in (WIDTH, HEIGHT, *numbers)) + b"\n"

    bits = samples(1, 1).astype(np.uint8)
    form("ppm/p1", header(b"P1") + plain(bits))
    form("ppm/p1-together", header(b"P1") + plain(bits).replace(b" ", b""))
    form("ppm/p4", header(b"P4") + packed(bits, 1, ">"))
    for name, binary, channels in (("grey", b"P5", 1), ("rgb", b"P6", 3)):
        for most in (1, 7, 100, 255, 256, 1000, 65535):
            array = (samples(channels, 16) * most // 65535)
            if channels == 1 and most > 255:  # Pillow clips such greys to 255.
                array = np.minimum(array, most // 150 + 1)
            data = array.astype(np.uint8 if most < 256 else ">u2").tobytes()
            form(f"ppm/{name}-{most}", header(binary, most) + data)
            form(f"ppm/{name}-{most}-plain", header(bytes([binary[0], binary[1] - 3]), most) + plain(array))
    rgb = samples(3).astype(np.uint8)
    form("ppm/comments", header(b"P6", 255, comment=b"# made by hand\n#\n") + rgb.tobytes())
    form("ppm/comments-plain", header(b"P3", 255, comment=b"# made by hand\n") + b"# pixels\n" + plain(rgb))
    form("ppm/value-above-most", header(b"P6", 100) + rgb.tobytes())
    form("ppm/value-above-most-plain", header(b"P3", 100) + plain(rgb))
    form("ppm/negative-plain", header(b"P2", 255) + plain(samples(1)).replace(b"1", b"-1", 1))
    floats = random.uniform(-40, 300, (HEIGHT, WIDTH)).astype("<f4")
    form("other/pfm", header(b"Pf", -1.0) + floats.tobytes())
    form("other/pfm-big-endian", header(b"Pf", 1.0) + floats.astype(">f4").tobytes())
    form("other/pfm-rgb", header(b"PF", -1.0) + floats.tobytes() * 3)
    form("other/pam", b"P7\nWIDTH 11\nHEIGHT 7\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + rgb.tobytes())


# --- JPEG 2000, AVIF, HEIC, JPEG XL ----------------------------------------------------------------------------

def make_jpeg_2000s():
    for mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        for suffix, options in {"": {}, "-codestream": {"no_jp2": True}}.items():
            form(f"jp2/{mode}{suffix}".lower(), encoded(picture(mode), "JPEG2000", **options))
    rgb = picture("RGB", width=24, height=18)
    form("jp2/lossy", encoded(rgb, "JPEG2000", irreversible=True, quality_mode="dB", quality_layers=[40]))
    form("jp2/no-transform", encoded(picture("RGB"), "JPEG2000", mct=0))
    form("jp2/tiled", encoded(rgb, "JPEG2000", tile_size=(16, 16)))
    form("jp2/offset", encoded(rgb, "JPEG2000", offset=(3, 2), tile_offset=(0, 0), tile_size=(32, 32)))
    form("jp2/ycc", encoded(rgb.convert("YCbCr"), "JPEG2000"))
    form("jp2/grey-16-bit", encoded(Image.fromarray(samples(1, 9)[..., 0].astype(np.uint16)), "JPEG2000"))
    for name, array, options in (
            ("rgb-16-bit", samples(3, 16).astype(np.uint16), {}),
            ("rgb-12-bit", samples(3, 12).astype(np.uint16), {"bitspersample": 12}),
            ("grey-12-bit", samples(1, 12)[..., 0].astype(np.uint16), {"bitspersample": 12}),
            ("grey-4-bit", samples(1, 4)[..., 0].astype(np.uint8), {"bitspersample": 4}),
            ("signed", (samples(3).astype(np.int16) - 128).astype(np.int8), {}),
            ("grey-alpha-16-bit", samples(2, 16).astype(np.uint16), {}),
            ("five", samples(5).astype(np.uint8), {})):
        for codec in ("jp2", "j2k"):
            form(
                f"jp2/{name}-{codec}",
                imagecodecs.jpeg2k_encode(array, level=0, codecformat=codec, reversible=True, **options),
            )


def make_avifs():
    rgb = picture("RGB", width=21, height=18)
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:0:0"):
        for range_ in ("full", "limited"):
            form(
                f"avif/{sampling.replace(':', '')}-{range_}",
                encoded(rgb, "AVIF", subsampling=sampling, range=range_, quality=85),
            )
    form("avif/alpha", encoded(picture("RGBA"), "AVIF", quality=85))
    form("avif/premultiplied", encoded(picture("RGBA"), "AVIF", quality=85, alpha_premultiplied=True))
    form("avif/grey", encoded(picture("L"), "AVIF", quality=85))
    form(
        "avif/sequence", encoded(picture("RGB"), "AVIF", save_all=True, append_images=[picture("RGB", 1)], quality=85)
    )
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        form(f"avif/orientation-{orientation}", encoded(rgb, "AVIF", exif=exif, quality=85))
    # The box says 64 × 64 pixels, the AV1 sequence header 9000 × 9000.
    lie = bytearray(encoded(Image.new("RGB", (9000, 9000)), "AVIF", quality=30, speed=10))
    size = lie.index(b"ispe") + 8
    lie[size:size + 8] = struct.pack(">II", 64, 64)
    form("avif/lie", lie)
    for bits in (10, 12):
        form(
            f"avif/{bits}-bit",
            imagecodecs.avif_encode(samples(3, bits).astype(np.uint16), level=85, bitspersample=bits),
        )


def make_heics():
    for name, mode, options in (
        ("444", "RGB", {"chroma": "444"}),
        ("420", "RGB", {"chroma": "420"}),
        ("grey", "L", {}),
        ("alpha", "RGBA", {"chroma": "444"}),
    ):
        buffer = io.BytesIO()
        pillow_heif.from_pillow(picture(mode, width=64, height=64 if name == "444" else 24)).save(buffer, quality=90, **options)
        form(f"heic/{name}", buffer.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture("RGB", width=32, height=24)).save(
        buffer, quality=90, chroma="444", exif=exif.tobytes()
    )
    form("heic/orientation-6", buffer.getvalue())


def make_jpeg_xls():
    """Returns the pixels: Pillow reads no JPEG XL, but these are lossless."""
    pixels = {}
    for name, channels in (("grey", 1), ("grey-alpha", 2), ("rgb", 3), ("rgb-alpha", 4)):
        array = samples(channels).astype(np.uint8)
        form(f"jxl/{name}", imagecodecs.jpegxl_encode(array.squeeze(), lossless=True))
        form(f"jxl/{name}-container", imagecodecs.jpegxl_encode(array.squeeze(), lossless=True, usecontainer=True))
        shown = np.repeat(array[..., :1], 3, -1) if channels < 3 else array[..., :3]
        pixels[f"jxl/{name}"] = pixels[f"jxl/{name}-container"] = shown
    form("jxl/huge", imagecodecs.jpegxl_encode(np.zeros((9000, 9000), np.uint8), lossless=True))
    pixels["jxl/huge"] = None
    array = samples(3, 16).astype(np.uint16)
    form("jxl/rgb-16-bit", imagecodecs.jpegxl_encode(array, lossless=True))
    pixels["jxl/rgb-16-bit"] = (array >> 8).astype(np.uint8)
    return pixels


# ---------------------------------------------------------------------------------------------------------------

def twins():
    """Forms of the same picture as another, which Pillow reads: it confuses the byte order or the planes of these,
    leaves their coefficients out, or knows them in the other byte order only."""
    result = {f"tiff/{space}/big-tiff-big-endian": f"tiff/{space}/big-tiff" for space in ("rgb", "ycbcr", "grey")}
    for space, forms in {
            "grey": ("32-bit-big-endian", "32-bit-big-endian-deflate", "signed-16-bit-big-endian-deflate",
                     "signed-32-bit-big-endian-deflate", "float-big-endian-deflate"),
            "white-is-zero": ("16-bit-big-endian-deflate", "float-big-endian-deflate")}.items():
        result |= {f"tiff/{space}/{name}": f"tiff/{space}/{name.split('-big')[0]}" for name in forms}
    result |= {f"tiff/{space}/16-bit-planar": f"tiff/{space}/16-bit" for space in ("grey", "rgb", "cmyk", "rgb-alpha")}
    result |= {f"tiff/{space}/planar": f"tiff/{space}/none" for space in ("rgb-associated-alpha", "rgb-unspecified")}
    result["tiff/rgb-four-samples/planar-deflate"] = "tiff/rgb-four-samples/none"
    result["tiff/ycbcr/planar"] = "tiff/ycbcr/lzw"
    result |= {f"tiff/palette/{bits}-bit-fill-order-2": f"tiff/palette/{bits}-bit-none" for bits in (1, 2, 4)}
    result |= {f"tiff/ycbcr/{name}-none": f"tiff/ycbcr/{name}-lzw" for name in (
        "coefficients", "reference", "subsampled-2x1", "subsampled-2x2", "subsampled-1x2", "subsampled-4x1",
        "subsampled-4x4")}
    result["tiff/rgb/webp"] = "tiff/rgb/none"
    return result


def rgb_of(name, data):
    """What Pillow shows of a file, or None where it reads no RGB from it."""
    try:
        image = (
            pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
            if name.startswith("heic/")
            else Image.open(io.BytesIO(data))
        )
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception:
        return None


def main():
    for make in (
        make_tiffs,
        make_pngs,
        make_jpegs,
        make_gifs,
        make_webps,
        make_bmps,
        make_tgas,
        make_netpbm,
        make_jpeg_2000s,
        make_avifs,
        make_heics,
    ):
        make()
    shown = make_jpeg_xls()
    shown |= {name: rgb_of(name, data) for name, data in forms.items() if name not in shown}
    files, pixels, places, index = b"", b"", {}, []
    for name, data in forms.items():
        files += data
        index.append([name, len(data)])
        array = shown[name]
        if name in twins():
            assert not np.array_equal(array, shown[twins()[name]]), f"{name} needs no twin"
            array = shown[twins()[name]]
        if array is not None:
            raw = array.tobytes()
            if raw not in places:
                places[raw] = len(pixels)
                pixels += raw
            index[-1] += [places[raw], array.shape[1], array.shape[0]]
    values = files + pixels
    rows = math.ceil(len(values) / (3 * 256))
    packed = Image.frombytes("RGB", (256, rows), values.ljust(3 * 256 * rows, b"\0"))
    packed.save(ROOT / "forms.png", optimize=True)
    versions = {"pillow": PIL.__version__, "pillow-heif": pillow_heif.__version__,
                "imagecodecs": imagecodecs.__version__}
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in index)
    (ROOT / "forms.json").write_text(
        f'{{"versions": {json.dumps(versions)}, "files": {len(files)}, "forms": [\n{lines}\n]}}\n')
    unread = sum(len(entry) == 2 for entry in index)
    print(f"{len(index)} forms, {unread} unread; {len(files)} bytes of files, {len(pixels)} of pixels")


main()
