#!/usr/bin/env python3
"""Golden files for the InfoNCE family: what open_clip, lightly, pytorch-metric-learning, sentence-transformers and
PyTorch compute on small random embeddings in float64, with every gradient.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_infonce.py
Each case NAME holds its inputs as they are given to the loss (`NAME.first`, …), the loss (`NAME.loss`) and the gradient
of each input (`NAME.gradient.first`, …).
"""
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

# torchvision's CPU-incompatible build misses two operators at import; the peers need the import, not them.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
import lightly.loss  # noqa: E402
import open_clip  # noqa: E402
from open_clip.loss import SigLipLoss  # noqa: E402
import pytorch_metric_learning.losses as metric  # noqa: E402
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/losses/infonce.safetensors"
torch.manual_seed(7)
tensors = {}


def vectors(*shape, unit=False):
    values = torch.randn(*shape, dtype=torch.float64)
    return F.normalize(values, dim=-1) if unit else values


def case(name, function, **inputs):
    """Calls `function` with leaves of the inputs, and keeps inputs, loss and gradients."""
    leaves = {key: value.clone().requires_grad_(value.is_floating_point()) for key, value in inputs.items()}
    loss = function(**leaves)
    loss.sum().backward()
    tensors[f"{name}.loss"] = loss.detach().clone()
    for key, leaf in leaves.items():
        tensors[f"{name}.{key}"] = leaf.detach().clone()
        if leaf.is_floating_point():
            tensors[f"{name}.gradient.{key}"] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.clone()


def scalar(value):
    return torch.tensor(value, dtype=torch.float64)


# CLIP's and SigLIP's losses, as open_clip trains with them.
def clip(first, second, scale):
    return open_clip.ClipLoss()(first, second, scale.exp())


def siglip(first, second, scale, bias):
    return SigLipLoss()(first, second, scale.exp(), bias)


first, second = vectors(7, 5, unit=True), vectors(7, 5, unit=True)
case("clip", clip, first=first, second=second, scale=scalar(math.log(1 / 0.07)))
case("clip.identical", clip, first=first[:1].repeat(4, 1), second=first[:1].repeat(4, 1), scale=scalar(math.log(100)))
case("clip.opposite", clip, first=first[:4], second=-first[:4], scale=scalar(math.log(100)))
case("clip.one", clip, first=first[:1], second=second[:1], scale=scalar(2.0))
case("siglip", siglip, first=first, second=second, scale=scalar(math.log(10)), bias=scalar(-10.0))
case("siglip.opposite", siglip, first=first[:4], second=-first[:4], scale=scalar(math.log(100)), bias=scalar(-10.0))


# Label smoothing is PyTorch's; both directions as in CLIP.
def smoothed(first, second, scale):
    logits = scale.exp() * first @ second.T
    own = torch.arange(len(logits))
    return (F.cross_entropy(logits, own, label_smoothing=0.1) + F.cross_entropy(logits.T, own, label_smoothing=0.1)) / 2


case("smoothed", smoothed, first=first, second=second, scale=scalar(3.0))


# Several positives share the probability: PyTorch's cross-entropy with probabilities as targets.
def multiple(first, second, scale, labels):
    logits = scale.exp() * first @ second.T
    targets = (labels[:, None] == labels).double()
    targets = targets / targets.sum(1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


# False negatives are left out: PyTorch's cross-entropy of logits at minus infinity.
def ignoring(first, second, scale, labels):
    own = torch.arange(len(first))
    false = (labels[:, None] == labels) & ~torch.eye(len(first), dtype=torch.bool)
    logits = (scale.exp() * first @ second.T).masked_fill(false, -math.inf)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


labels = torch.tensor([0, 1, 0, 2, 1, 0, 3])
case("multiple", multiple, first=first, second=second, scale=scalar(2.0), labels=labels)
case("ignoring", ignoring, first=first, second=second, scale=scalar(2.0), labels=labels)


# Explicit negatives: the formula of van den Oord et al. in PyTorch.
def shared(anchor, positive, negatives, reduction="mean"):
    a, p, n = (F.normalize(x, dim=-1) for x in (anchor, positive, negatives))
    logits = torch.cat([(a * p).sum(1, keepdim=True), a @ n.T], 1) / 0.1
    return F.cross_entropy(logits, torch.zeros(len(a), dtype=torch.long), reduction=reduction)


def each(anchor, positive, negatives, reduction="mean"):
    a, p, n = (F.normalize(x, dim=-1) for x in (anchor, positive, negatives))
    logits = torch.cat([(a * p).sum(1, keepdim=True), torch.einsum("nd,nmd->nm", a, n)], 1) / 0.1
    return F.cross_entropy(logits, torch.zeros(len(a), dtype=torch.long), reduction=reduction)


def in_batch(anchor, positive):
    a, p = F.normalize(anchor, dim=-1), F.normalize(positive, dim=-1)
    return F.cross_entropy(a @ p.T / 0.1, torch.arange(len(a)))


anchor, positive = vectors(4, 6), vectors(4, 6)
case("shared", shared, anchor=anchor, positive=positive, negatives=vectors(9, 6))
case("shared.none", lambda **x: shared(**x, reduction="none"), anchor=anchor, positive=positive,
     negatives=vectors(9, 6))
case("each", each, anchor=anchor, positive=positive, negatives=vectors(4, 3, 6))
case("each.sum", lambda **x: each(**x, reduction="sum"), anchor=anchor, positive=positive, negatives=vectors(4, 3, 6))
case("in_batch", in_batch, anchor=anchor, positive=positive)

# Views of the same samples, compared among themselves.
view, other = vectors(5, 6), vectors(5, 6)
case("ntxent", lambda first, second: lightly.loss.NTXentLoss(temperature=0.5)(first, second), first=view, second=other)
case("ntxent.metric", lambda first, second: metric.NTXentLoss(temperature=0.2)(
    torch.cat([first, second]), torch.arange(5).repeat(2)), first=view, second=other)
case("decoupled", lambda first, second: lightly.loss.DCLLoss(temperature=0.1)(first, second), first=view, second=other)
case("supcon", lambda embeddings, labels: metric.SupConLoss(temperature=0.1)(embeddings, labels),
     embeddings=vectors(9, 6), labels=torch.tensor([0, 1, 1, 2, 0, 1, 3, 2, 4]))


# The hardness weighting of sentence-transformers: its logits of in-batch negatives are raised.
def hard(first, second):
    loss = MultipleNegativesRankingLoss(None, scale=20.0, hardness_mode="in_batch_negatives", hardness_strength=5.0)
    return loss.compute_loss_from_embeddings([first, second], None)


case("hard", hard, first=first, second=second)

OUTPUT.parent.mkdir(parents=True, exist_ok=True)
save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, OUTPUT)
print(f"{len(tensors)} tensors in {OUTPUT.relative_to(OUTPUT.parents[3])}")
