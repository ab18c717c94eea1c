#!/usr/bin/env python3
"""Compares Concord's sentence similarities with the original's on a real pretrained sentence encoder.

Usage, after `make minilm peers`: .peers/bin/python scripts/check_sentence_encoder.py [--model .deps/minilm]
The sentences are English emoji names and keywords where data/emoji is there, and hard strings of the tokenizer tests.
Fails when an embedding differs by more than 2e-6 or a cosine by more than 1e-5.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch

# torchvision's wheel does not register its operators beside the CPU build of torch; transformers imports it.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
import transformers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]


def sentences(limit):
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.",
             "A cheetah is running behind its prey.", "Zwei Hunde im Schnee", "1 + 1 = 2", "x" * 3000,
             "word " * 600]
    captions = ROOT / "data/emoji/captions.jsonl"
    if captions.exists():
        rows = [json.loads(line) for line in open(captions)]
        texts += [caption["text"] for row in rows[::7] for caption in row["captions"] if caption["language"] == "en"]
    rows = json.loads((ROOT / "Tests/Golden/text/strings.json").read_text())
    texts += [row["text"] for row in rows if row["text"].strip()]
    return list(dict.fromkeys(texts))[:limit]


def original(model, texts):
    """Mean of the token states without padding, then unit length, as the model's modules.json says."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    encoder = transformers.AutoModel.from_pretrained(model).eval()
    longest = json.loads((model / "sentence_bert_config.json").read_text())["max_seq_length"]
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(texts[start:start + 32], padding=True, truncation=True, max_length=longest,
                              return_tensors="pt")
            states, mask = encoder(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1).float()
            vectors.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1))
    return torch.cat(vectors).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / ".deps/minilm")
    parser.add_argument("--limit", type=int, default=2000)
    arguments = parser.parse_args()
    texts = sentences(arguments.limit)
    with tempfile.TemporaryDirectory() as folder:
        inputs, output = pathlib.Path(folder, "texts.jsonl"), pathlib.Path(folder, "vectors.npy")
        inputs.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        subprocess.run([ROOT / ".build/release/concord", "embed", "--model", arguments.model, "--input", inputs,
                        "--output", output], check=True)
        ours = numpy.load(output)
    expected = original(arguments.model, texts)
    embeddings = float(abs(ours - expected).max())
    cosines = float(abs(ours @ ours.T - expected @ expected.T).max())
    print(f"{len(texts)} sentences: embeddings differ by at most {embeddings:.1e}, the {len(texts) ** 2} cosines by "
          f"{cosines:.1e}")
    if embeddings > 2e-6 or cosines > 1e-5:
        sys.exit("more than 2e-6 or 1e-5")


if __name__ == "__main__":
    main()
