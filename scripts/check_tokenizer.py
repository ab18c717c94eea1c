"""Checks that Hugging Face loads a tokenizer which Concord wrote, and that both give the same ids.

Needs the peers and a release build. The texts are the adversarial strings of Tests/Golden/text, as far as they can
be given on a command line.
Usage: python scripts/check_tokenizer.py --model runs/emoji [--concord .build/release/concord]
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from transformers import AutoTokenizer

STRINGS = Path(__file__).parents[1] / "Tests/Golden/text/strings.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="folder with the tokenizer.json that Concord wrote")
    parser.add_argument("--concord", default=".build/release/concord")
    options = parser.parse_args()
    texts = [row["text"] for row in json.loads(STRINGS.read_text())]
    # No NUL in an argument, nothing that looks like an option, and no more bytes in all than a command line takes.
    texts = [text for text in texts if "\0" not in text and not text.startswith("-") and len(text) < 500]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    command = [options.concord, "tokenize", "--model", options.model, "--json"]
    command += ["--text", *texts]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["ids"]
    limit = tokenizer.model_max_length
    expected = [tokenizer(text, truncation=True, max_length=limit).input_ids for text in texts]
    wrong = [text for text, ours, theirs in zip(texts, found, expected, strict=True) if ours != theirs]
    for text in wrong:
        print("differs:", ascii(text))
    print(f"{type(tokenizer).__name__}, {len(tokenizer)} tokens: {len(texts) - len(wrong)} of {len(texts)} texts equal")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
