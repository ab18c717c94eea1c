#!/usr/bin/env python3
"""Golden files for zero-shot classification: what open_clip's `build_zero_shot_classifier` makes of a tiny model.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_zeroshot.py
The model is a folder as open_clip saves them, with random weights, a vocabulary of bytes and a few merges, and the
merges themselves as `merges.txt`. Stored beside it: labels, templates, two pictures, the classifier's weights
`[labels, width]`, and for each picture its unit vector and its logits.
"""
import gzip
import json
import pathlib
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

# torchvision's CPU-incompatible build misses two operators at import; open_clip needs the import, not them.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
import open_clip  # noqa: E402
from open_clip.tokenizer import SimpleTokenizer  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/zeroshot"
MERGES = ["t h", "th e</w>", "a n", "r e", "o f</w>", "p h", "ph o", "t o</w>", "pho to</w>", "e r</w>", "i n", "o n",
          "c a", "t</w> s"]
# More than one of open_clip's batches of ten, of unequal lengths, one longer than the context.
LABELS = ["cat", "dog", "tabby cat", "great white shark", "red apple", "apple", "a house by the sea", "train", "cable car",
          "pen", "fountain pen", "写字的人", "naïve café", "dog & bone", "R2-D2", "the very long name of a thing that nobody "
          "has ever seen and that does not fit", "rose", "tulip", "wild rose", "moon", "full moon", "sun", "o"]
TEMPLATES = ["a photo of a {}.", "{}", "the {} on the right, drawn by a child"]
MODEL = dict(
    embed_dim=16,
    vision_cfg=dict(image_size=16, patch_size=8, width=16, layers=1, head_width=8, mlp_ratio=2.0),
    text_cfg=dict(context_length=32, vocab_size=512 + len(MERGES) + 2, width=16, heads=2, layers=1, mlp_ratio=2.0))


def main():
    torch.set_num_threads(1)
    torch.manual_seed(20)
    folder = OUTPUT / "model"
    folder.mkdir(parents=True, exist_ok=True)
    model = open_clip.CLIP(**MODEL).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Far from the first values, so that texts differ by more than rounding.
            if parameter.ndim > 0:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    save_file({name: value.contiguous() for name, value in model.state_dict().items() if name != "attn_mask"},
              folder / "open_clip_model.safetensors", {"format": "pt"})
    preprocess = dict(size=16, mode="RGB", mean=list(open_clip.OPENAI_DATASET_MEAN),
                      std=list(open_clip.OPENAI_DATASET_STD), interpolation="bicubic", resize_mode="shortest",
                      fill_color=0)
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": MODEL, "preprocess_cfg": preprocess}, indent=2) + "\n")
    merges = "#version: 0.2\n" + "".join(merge + "\n" for merge in MERGES)
    (folder / "merges.txt").write_text(merges)

    # The folder must be one that open_clip itself reads.
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    with tempfile.TemporaryDirectory() as temporary:
        packed = pathlib.Path(temporary) / "merges.txt.gz"
        # Without the last line feed, behind which it would see one more merge.
        packed.write_bytes(gzip.compress(merges.rstrip().encode()))
        tokenizer = SimpleTokenizer(bpe_path=str(packed), context_length=32)
    assert tokenizer.vocab_size == MODEL["text_cfg"]["vocab_size"], tokenizer.vocab_size

    weights = open_clip.build_zero_shot_classifier(model, tokenizer, LABELS, TEMPLATES, use_tqdm=False)  # [16, labels]
    generator = np.random.default_rng(7)
    vectors = []
    for name, (height, width) in (("wide", (20, 31)), ("tall", (25, 18))):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(OUTPUT / f"{name}.png")
        with torch.no_grad():
            vectors.append(model.encode_image(transform(Image.open(OUTPUT / f"{name}.png"))[None], normalize=True)[0])
    images = torch.stack(vectors)
    with torch.no_grad():
        logits = model.logit_scale.exp() * images @ weights
    save_file({"classifier": weights.T.contiguous(), "images": images, "logits": logits.contiguous()},
              OUTPUT / "outputs.safetensors")
    (OUTPUT / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (OUTPUT / "templates.txt").write_text("\n".join(TEMPLATES) + "\n")


if __name__ == "__main__":
    main()
