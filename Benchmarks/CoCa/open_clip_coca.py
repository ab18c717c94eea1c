#!/usr/bin/env python3
"""coca_ViT-B-32 with open_clip: the other side of compare.py.

`prepare` writes a folder with a random model, pictures of noise and captions; `train` takes training steps as open_clip's
own loop does; `generate` captions pictures. All print JSON lines.
"""
import argparse
import json
import pathlib
import random
import sys
import time

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Support"))
import process_memory  # noqa: E402

library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
import open_clip  # noqa: E402

NAME = "coca_ViT-B-32"
CONTEXT, START, END, PAD = 76, 49406, 49407, 0
# How many of 100 captions have so many tokens, start and end included. Captions of COCO have 8 words or more and 10.5 on
# average, and a word is a little more than a token: 13.5 tokens on average.
COCO_LENGTHS = {10: 4, 11: 14, 12: 20, 13: 21, 14: 16, 15: 10, 16: 6, 17: 4, 18: 2, 19: 2, 20: 1}


def prepare(folder, batch, steps):
    torch.manual_seed(0)
    model = open_clip.create_model(NAME)
    # open_clip leaves the language head as memory happens to be.
    torch.nn.init.normal_(model.text_decoder.text_projection, std=model.text_decoder.width**-0.5)
    # With vectors as short as at its start of training, a model says the same token again and again.
    torch.nn.init.normal_(model.text.token_embedding.weight, std=1)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()},
              folder / "open_clip_model.safetensors")
    configuration = {"model_cfg": open_clip.get_model_config(NAME),
                     "preprocess_cfg": open_clip.get_model_preprocess_cfg(model)}
    (folder / "open_clip_config.json").write_text(json.dumps(configuration))
    randomness = random.Random(0)
    lengths = randomness.choices(list(COCO_LENGTHS), COCO_LENGTHS.values(), k=(steps + 1) * batch)

    def captions(lengths):
        rows = [[START] + [randomness.randrange(1, START) for _ in range(length - 2)] + [END] for length in lengths]
        return torch.tensor([row + [PAD] * (CONTEXT - len(row)) for row in rows]).reshape(-1, batch, CONTEXT)

    data = {"pixels": torch.randn(batch, 3, 224, 224), "short": captions(lengths),
            "full": captions([CONTEXT] * len(lengths))}
    save_file(data, folder / "data.safetensors")
    print(json.dumps({"mean": sum(lengths) / len(lengths),
                      "longest": data["short"].ne(PAD).sum(2).amax(1).tolist()}))


def load(folder):
    model = open_clip.create_model(NAME)
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    return model, load_file(folder / "data.safetensors")


def train(folder, captions):
    model, data = load(folder)
    model.train()
    loss_function = open_clip.CoCaLoss(caption_loss_weight=2.0, clip_loss_weight=1.0)
    exclude = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for n, p in named if exclude(n, p)], "weight_decay": 0.0},
         {"params": [p for n, p in named if not exclude(n, p)], "weight_decay": 0.2}],
        lr=1e-4, betas=(0.9, 0.98), eps=1e-6)
    for texts in data[captions]:
        process_memory.reset_peak()
        start = time.perf_counter()
        output = model(data["pixels"], texts)
        losses = loss_function(**output, output_dict=True)
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.6052)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak": process_memory.peak(),
                          "contrastive": losses["contrastive_loss"].item(),
                          "caption": losses["caption_loss"].item() / 2}), flush=True)


def generate(folder, beams, lengths, batch):
    """Captions of exactly so many tokens behind the start token, by the loops of `CoCa.generate`.

    open_clip 3.3's `generate` itself does not run with transformers 5: its first line refuses, because BeamSearchScorer,
    which it imports, is gone. What costs time in it is here as it is there: pictures are encoded once, for beams after
    they were repeated; then each token runs text tower, decoder and language head on the whole prefix. The choice
    among the scores, which costs little, is the ordinary one: the largest, or the best beams by their sum of
    log-probabilities (`generate` adds up scores that were never normalised, in 3 groups of 2 beams).
    """
    model, data = load(folder)
    model.eval()
    pixels = data["pixels"][:batch]
    captions(model, pixels, beams, 2)  # the first calls allocate
    for tokens in lengths:
        print(json.dumps(captions(model, pixels, beams, tokens)), flush=True)


@torch.no_grad()
def captions(model, pixels, beams, tokens):
    batch = len(pixels)
    process_memory.reset_peak()
    start = time.perf_counter()
    images = pixels.repeat_interleave(beams, dim=0)
    latent, embeddings = model._encode_image(images)
    image_seconds = time.perf_counter() - start
    ids = torch.full((batch * beams, 1), START)
    # The first beam alone counts at first: all are the same.
    sums = torch.full((batch, beams), -torch.inf)
    sums[:, 0] = 0
    for _ in range(tokens):
        logits = model(images, ids, image_latent=latent, image_embs=embeddings, output_labels=False)["logits"][:, -1]
        scores = logits.log_softmax(1)
        scores[:, [PAD, END]] = -torch.inf
        scores = sums[:, :, None] + scores.reshape(batch, beams, -1)  # [B, beams, V]
        sums, best = scores.flatten(1).topk(beams)
        rows = best // logits.shape[1] + torch.arange(batch)[:, None] * beams
        ids = torch.cat([ids[rows.flatten()], (best % logits.shape[1]).reshape(-1, 1)], 1)
    return {"length": tokens, "seconds": time.perf_counter() - start, "imageSeconds": image_seconds,
            "peak": process_memory.peak(), "tokens": ids.reshape(batch, beams, -1)[:, 0, 1:].tolist(),
            "logProbabilities": sums[:, 0].tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=("prepare", "train", "generate"))
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="timed steps to prepare captions for")
    parser.add_argument("--captions", choices=("short", "full"), default="short")
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--lengths", type=int, nargs="+", default=[30])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.mode == "prepare":
        prepare(arguments.folder, arguments.batch, arguments.steps)
    elif arguments.mode == "train":
        train(arguments.folder, arguments.captions)
    else:
        generate(arguments.folder, arguments.beams, arguments.lengths, arguments.batch)


if __name__ == "__main__":
    main()
