"""Writes the golden files of the audio front ends: what transformers' feature extractors make of synthetic sounds. Run with
a Python that has transformers, torch and numpy:

    python scripts/golden/make_audio.py

Output: Tests/Golden/media/audio.json and audio.bin (float32). No sound is stored: `sound` makes them from integers, and so
does the test. Of each result there are a few whole frames, the mean of each band over all frames, and two sums over all
values, the second with signs that depend on the place; Benchmarks/Audio/compare.py compares all values.

Where an extractor draws random numbers, it draws those of Concord for the sample's number: the class RandomSource is its
generator.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import transformers
from transformers import ASTFeatureExtractor, ClapFeatureExtractor, WhisperFeatureExtractor

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
ROOT = Path(__file__).resolve().parents[2] / "Tests/Golden/media"
MASK = 2**64 - 1


def sound(count, number):
    """A sound: two triangle waves, of which one rises, and noise; the fourth of five parts is 1/4096 as loud, the last one
    silent. All by integers, so that other languages make the same one."""
    index = np.arange(count, dtype=np.uint64)
    noise = (index * np.uint64(2654435761) + np.uint64(40503 * (number + 1))) & np.uint64(0xFFFFFFFF)
    noise ^= noise >> np.uint64(15)
    noise = (noise * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    noise ^= noise >> np.uint64(13)

    def triangle(phase):
        return np.abs((phase & np.uint64(0xFFFF)).astype(np.int64) - 32768).astype(np.float64) / 16384 - 1

    values = 0.3 * triangle(index * np.uint64(1201 + 97 * number))
    values += 0.2 * triangle(index * (index >> np.uint64(9)))
    values += 0.05 * (noise.astype(np.float64) / 2147483648 - 1)
    part = index * np.uint64(5) // np.uint64(count)
    return (values * np.where(part == 4, 0, np.where(part == 3, 1 / 4096, 1))).astype(np.float32)


class RandomSource:
    """xoshiro256** with the streams of Concord's generator of the same name."""

    def __init__(self, seed, *keys):
        mixed = self.mix(seed)
        for key in keys:
            mixed = self.mix(mixed ^ self.mix((key + 0x632BE59BD9B4E019) & MASK))
        self.state = []
        for _ in range(4):
            mixed = (mixed + 0x9E3779B97F4A7C15) & MASK
            self.state.append(self.mix(mixed))

    @staticmethod
    def mix(value):
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
        return value ^ (value >> 31)

    def next(self):
        def rotate(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        s = self.state
        result = (rotate((s[1] * 5) & MASK, 7) * 9) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 45)
        return result

    def index(self, below):
        product = self.next() * below
        while product & MASK < below and product & MASK < (2**64 - below) % below:
            product = self.next() * below
        return product >> 64

    # What the extractors call.
    def randint(self, low, high):
        return low + self.index(high - low)

    def choice(self, values):
        return values[self.index(len(values))]


def choosing(sample):
    return RandomSource(0x636C6970, 0, sample)


def clap(extractor, values, sample):
    draws = np.random
    np.random = choosing(sample)
    try:
        mel, longer = extractor._get_input_mel(
            values.astype(np.float64), extractor.nb_max_samples, extractor.truncation, extractor.padding)
    finally:
        np.random = draws
    return mel, longer


def whisper(extractor, values, sample):
    padded = np.pad(values[:extractor.n_samples], (0, max(0, extractor.n_samples - len(values))))
    # In double precision; the other path of the extractor, torch's in single, differs from it by up to 2e-6.
    return np.ascontiguousarray(extractor._np_extract_fbank_features([padded], "cpu")[0].T)[None], False


def ast(extractor, values, sample):
    return np.asarray(extractor(values, sampling_rate=16000, return_tensors="np")["input_values"]), False


EXTRACTORS = {
    "clap": (clap, ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc"), 7),
    "clap-repeat": (clap, ClapFeatureExtractor(frequency_min=50, truncation="rand_trunc", padding="repeat"), 7),
    "clap-fused": (clap, ClapFeatureExtractor(frequency_min=50, truncation="fusion"), 3),
    "whisper": (whisper, WhisperFeatureExtractor(), 6),
    "whisper-128": (whisper, WhisperFeatureExtractor(feature_size=128), 4),
    "ast": (ast, ASTFeatureExtractor(), 4),
}
CASES = [
    ("clap", 31_001), ("clap", 480_000), ("clap", 480_001), ("clap", 601_234),
    ("clap-repeat", 31_001),
    ("clap-fused", 31_001), ("clap-fused", 480_001), ("clap-fused", 481_000), ("clap-fused", 1_103_456),
    ("whisper", 1), ("whisper", 31_007), ("whisper", 480_000), ("whisper", 480_001),
    ("whisper-128", 77_777),
    ("ast", 400), ("ast", 31_007), ("ast", 163_999), ("ast", 170_001),
]


def signs(count):
    index = np.arange(count, dtype=np.uint64)
    bits = (index * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    return np.where((bits >> np.uint64(17)) & np.uint64(1) == 1, 1.0, -1.0)


def main():
    data, cases = b"", []
    for number, (name, count) in enumerate(CASES):
        extract, extractor, kept = EXTRACTORS[name]
        values, longer = extract(extractor, sound(count, number), number)
        values = np.ascontiguousarray(values, dtype=np.float32)
        channels, frames, bins = values.shape
        picked = sorted({round(step * (frames - 1) / (kept - 1)) for step in range(kept)})
        flat = values.reshape(-1).astype(np.float64)
        cases.append({
            "name": name, "count": count, "number": number, "shape": [channels, frames, bins], "longer": bool(longer),
            "offset": len(data) // 4, "frames": picked, "sum": float(flat.sum()),
            "signed": float((flat * signs(len(flat))).sum()),
        })
        data += values[:, picked].tobytes()
        data += values.astype(np.float64).mean((0, 1)).astype(np.float32).tobytes()
    configs = {name: json.loads(extractor.to_json_string()) for name, (_, extractor, _) in EXTRACTORS.items()}
    random = choosing(5)
    (ROOT / "audio.json").write_text(json.dumps({
        "transformers": transformers.__version__, "cases": cases, "configs": configs,
        "draws": [random.index(1000) for _ in range(8)],
    }, indent=1) + "\n")
    (ROOT / "audio.bin").write_bytes(data)
    print(f"{len(cases)} cases, {len(data)} bytes")


if __name__ == "__main__":
    main()
