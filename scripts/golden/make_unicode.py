"""Writes Tests/Golden/text/normal-forms.json: hashes of two long texts in the normalization forms of Unicode.

The texts have every character of Unicode 14, whose normal forms no later version changes. Needs Python 3.11 alone.
Usage: python scripts/golden/make_unicode.py
"""

import hashlib
import json
import unicodedata
from pathlib import Path

GOLDEN = Path(__file__).parents[2] / "Tests/Golden/text"
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
# Latin, Greek, Hangul as letters and as syllables, kana, half-width kana.
BASES = "AEIOUCNSZaeioucnsz\u03b1\u03c5\u03c9\u1100\u1161\u11a8\uac00\u304b\u30cf\uff76\uff8a"


def texts() -> dict[str, str]:
    """All characters in an order that puts strangers side by side, and letters with two marks each."""
    assigned = [point for point in range(0x110000) if unicodedata.category(chr(point)) not in ("Cn", "Cs")]
    marks = [chr(point) for point in assigned if unicodedata.combining(chr(point))]
    marks += ["\u1161", "\u11a8", "\u11bf", "\uff9e", "\uff9f"]
    return {
        "all": "".join(map(chr, sorted(assigned, key=lambda point: (point * 2654435761 % (1 << 32), point)))),
        "marks": "".join(
            BASES[7 * index % len(BASES)] + marks[31 * index % len(marks)] + marks[(17 * index + 5) % len(marks)]
            for index in range(50_000)),
    }


def main() -> None:
    assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
    hashes = {
        name: {
            form: hashlib.sha256(unicodedata.normalize(form, text).encode()).hexdigest() for form in FORMS
        } | {"text": hashlib.sha256(text.encode()).hexdigest()}
        for name, text in texts().items()
    }
    (GOLDEN / "normal-forms.json").write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main()
