#!/usr/bin/env python3
"""Losses of open_clip and PyTorch Metric Learning, forward and backward, on the CPU: the other side of compare.py.

Prints one JSON line a round, as loss-benchmark does, or {"outOfMemory": true}. With --write it only makes the
embeddings that both sides read: unit vectors, those of a pair with cosines about 0.3, as of a model in training.
"""
import argparse
import json
import math
import pathlib
import resource
import sys
import time

import safetensors.torch
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Support"))
import process_memory  # noqa: E402

# torchvision's wheel does not import its operators beside the CPU build of torch.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)


def write(path, count, width):
    generator = torch.Generator().manual_seed(1)
    image = F.normalize(torch.randn(count, width, generator=generator))
    noise = torch.randn(count, width, generator=generator) * (3 / math.sqrt(width))
    safetensors.torch.save_file({"image": image, "text": F.normalize(image + noise)}, path)


def batch_hard():
    """Triplets of an anchor's farthest positive and nearest negative, in classes of four; without text and scale."""
    from pytorch_metric_learning import distances, losses, miners
    distance = distances.LpDistance(normalize_embeddings=False)
    miner = miners.BatchHardMiner(distance=distance)
    loss = losses.TripletMarginLoss(margin=0.2, distance=distance)

    def value(image, _, scale):
        labels = torch.arange(len(image)) // 4
        return loss(image, labels, miner(image, labels)) + 0 * scale
    return value


def loss_function_of(name):
    if name == "triplets":
        return batch_hard()
    import open_clip.loss
    return open_clip.loss.ClipLoss() if name == "infonce" else open_clip.loss.SigLipLoss()


def measure(loss_function, name, image, text):
    log_scale = torch.tensor(math.log(10) if name == "siglip" else math.log(1 / 0.07)).requires_grad_()
    bias = torch.tensor(-10.0).requires_grad_()
    for tensor in (image, text):
        tensor.grad = None
        tensor.requires_grad_()
    process_memory.reset_peak()
    before = process_memory.resident()
    start = time.perf_counter()
    loss = loss_function(image, text, log_scale.exp(), *([bias] if name == "siglip" else []))
    loss.backward()
    seconds = time.perf_counter() - start
    peak = process_memory.peak()
    return {"seconds": seconds, "extra": peak - before, "peak": peak, "loss": loss.item(),
            "gradientNorm": image.grad.norm().item(), "scaleGradient": log_scale.grad.item()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", help="only write embeddings to this safetensors file")
    parser.add_argument("--embeddings", help="the safetensors file to read")
    parser.add_argument("--count", type=int, default=8192)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--loss", choices=("infonce", "siglip", "triplets"), default="infonce")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.write:
        write(arguments.write, arguments.count, arguments.width)
        return

    tensors = safetensors.torch.load_file(arguments.embeddings)
    image, text = (tensors.pop(name)[:arguments.count].clone() for name in ("image", "text"))
    loss_function = loss_function_of(arguments.loss)
    # A small batch brings the code and the threads into memory, so that what follows is the loss's alone.
    measure(loss_function, arguments.loss, image[:64].clone(), text[:64].clone())
    # A tenth is left to the machine: past the limit torch raises an error, where the kernel would end a process.
    limit = process_memory.address_space() + int(0.9 * process_memory.available())
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for _ in range(arguments.rounds):
        try:
            result = measure(loss_function, arguments.loss, image, text)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
                raise
            result = {"outOfMemory": True}
        print(json.dumps(result), flush=True)
        if "outOfMemory" in result:
            break


if __name__ == "__main__":
    main()
