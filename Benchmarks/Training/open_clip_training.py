#!/usr/bin/env python3
"""Training steps of ViT-B/32 with open_clip, as its own training loop takes them: the other side of compare.py.

Reads captions from a JSON file, pads every caption to open_clip's 77 slots, and prints one JSON line a timed step.
"""
import argparse
import json
import time

import torch

library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
import open_clip  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--captions", required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--tokenize-to", help="only write the captions' ids, without padding, to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    captions = json.load(open(arguments.captions))
    tokenize = open_clip.get_tokenizer("ViT-B-32")
    if arguments.tokenize_to:
        ids = [[i for i in row if i != 0] for row in tokenize(captions).tolist()]
        json.dump(ids, open(arguments.tokenize_to, "w"))
        return

    model = open_clip.create_model("ViT-B-32")
    model.train()
    loss_function = open_clip.ClipLoss()
    exclude = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for n, p in named if exclude(n, p)], "weight_decay": 0.0},
         {"params": [p for n, p in named if not exclude(n, p)], "weight_decay": 0.2}],
        lr=5e-4, betas=(0.9, 0.98), eps=1e-6)
    images = torch.rand(arguments.batch, 3, 224, 224)

    for step in range(arguments.steps + 1):
        texts = tokenize([captions[(step * arguments.batch + i) % len(captions)] for i in range(arguments.batch)])
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bfloat16"):
            image_features, text_features, scale = model(images, texts)
            loss = loss_function(image_features, text_features, scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.6052)
        seconds = time.perf_counter() - start
        if step > 0:  # the first step allocates
            print(json.dumps({"seconds": seconds, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()
