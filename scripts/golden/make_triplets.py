#!/usr/bin/env python3
"""Golden files for the triplet losses and the miners, in float64.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_triplets.py
`triplets.safetensors`: torch's losses of given triplets, PyTorch Metric Learning's and sentence-transformers' losses of
labelled batches, values and gradients. `miners.safetensors`: the indices that PyTorch Metric Learning's miners find,
as sorted tuples of bytes, and the probabilities of its distance-weighted miner. The tests rebuild the names.
"""
import pathlib

import torch
from safetensors.torch import save_file

# torchvision's CPU-incompatible build misses two operators at import.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
from pytorch_metric_learning import distances, losses, miners, reducers  # noqa: E402
from pytorch_metric_learning.miners import distance_weighted_miner  # noqa: E402
from pytorch_metric_learning.utils import loss_and_miner_utils  # noqa: E402
from sentence_transformers.sentence_transformer import losses as st  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/losses"
F = torch.nn.functional


def batches():
    generator = torch.Generator().manual_seed(7)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    # Class 4 has one member; the others two to four.
    random = normal(13, 5) * 0.6
    random_labels = torch.tensor([0, 1, 0, 2, 1, 0, 3, 2, 2, 4, 3, 2, 1])
    # Small integers, so that distances tie exactly, and rows repeat within and between classes.
    ties = torch.tensor([[0, 0, 1], [1, 0, 1], [0, 0, 1], [2, 1, 0], [0, 0, 1], [1, 1, 0], [2, 1, 0], [0, 2, 1],
                         [1, 0, 1], [1, 2, 2], [0, 1, 1], [2, 1, 0]], dtype=torch.float64)
    ties_labels = torch.tensor([0, 0, 0, 1, 1, 1, 0, 2, 2, 3, 2, 2])
    return {"random": (random, random_labels), "ties": (ties, ties_labels)}


def candidates():
    """Another modality for the random batch: other samples, one of a class that no anchor has."""
    generator = torch.Generator().manual_seed(8)
    return (torch.randn(9, 5, generator=generator, dtype=torch.float64) * 0.6,
            torch.tensor([2, 0, 1, 5, 0, 2, 3, 1, 0]))


DISTANCES = {
    "euclidean": lambda: distances.LpDistance(normalize_embeddings=False),
    "manhattan": lambda: distances.LpDistance(normalize_embeddings=False, p=1),
    "squared": lambda: distances.LpDistance(normalize_embeddings=False, power=2),
    "cosine": lambda: distances.CosineSimilarity(),
}
# Gaps of exactly the margin occur in the batch of integers.
MARGINS = {"random": {"euclidean": 0.3, "manhattan": 0.5, "squared": 0.7, "cosine": 0.2},
           "ties": {"euclidean": 1.0, "manhattan": 1.0, "squared": 2.0}}
EASY_HARD = [(p, n) for p in ("hard", "semihard", "easy", "all") for n in ("hard", "semihard", "easy", "all")
             if not (p == n == "semihard" or {p, n} == {"semihard", "all"})]


def with_gradients(name, store, function, *inputs):
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    value = function(*leaves)
    store[f"{name}.value"] = value.detach().clone()
    weights = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).reshape(value.shape)
    gradients = torch.autograd.grad((value * weights).sum(), leaves, allow_unused=True)
    for index, (leaf, gradient) in enumerate(zip(leaves, gradients)):
        store[f"{name}.gradient{index}"] = torch.zeros_like(leaf) if gradient is None else gradient


def given_triplets(store):
    generator = torch.Generator().manual_seed(9)
    anchor, positive, negative = (torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    positive[1] = anchor[1]
    negative[2] = positive[2]
    negative[3] = anchor[3]
    store.update({"given.anchor": anchor, "given.positive": positive, "given.negative": negative})
    for p in (1, 2, 3):
        for swap in (False, True):
            for reduction in ("none", "mean", "sum"):
                with_gradients(
                    f"given.euclidean{p}.{'swap' if swap else 'plain'}.{reduction}", store,
                    lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.8, p=p, swap=swap, reduction=reduction),
                    anchor, positive, negative)
    functions = {"squared": lambda x, y: (x - y).square().sum(-1), "cosine": lambda x, y: 1 - F.cosine_similarity(x, y)}
    for distance, function in functions.items():
        for swap in (False, True):
            for reduction in ("none", "mean", "sum"):
                with_gradients(
                    f"given.{distance}.{'swap' if swap else 'plain'}.{reduction}", store,
                    lambda a, b, c: F.triplet_margin_with_distance_loss(
                        a, b, c, distance_function=function, margin=0.8, swap=swap, reduction=reduction),
                    anchor, positive, negative)


def miner_of(mining, distance, margin):
    if mining == "any":
        return None
    if mining in ("all", "hard", "semihard", "easy"):
        return miners.TripletMarginMiner(margin=margin, type_of_triplets=mining, distance=distance)
    if mining == "batchHard":
        return miners.BatchHardMiner(distance=distance)
    positive, negative = mining.split("-")
    return miners.BatchEasyHardMiner(pos_strategy=positive, neg_strategy=negative, distance=distance)


def exact_softplus(x):
    return -F.logsigmoid(-x)


def labelled(store):
    # The library's softplus turns linear at 20, which is 2e-9 off; both sides here are exact.
    losses.triplet_margin_loss.torch.nn.functional.softplus = exact_softplus
    for batch, (embeddings, labels) in batches().items():
        for distance, margin in MARGINS[batch].items():
            minings = ["any", "all", "hard", "semihard", "easy", "batchHard"]
            if distance == "euclidean":
                minings += [f"{p}-{n}" for p, n in EASY_HARD]
            for mining in minings:
                for penalty in ("hinge", "softplus"):
                    if "-" in mining and penalty == "softplus":
                        continue
                    if distance not in ("euclidean", "cosine") and penalty == "softplus":
                        continue
                    for averaging in ("nonZero", "all"):
                        loss = losses.TripletMarginLoss(
                            margin=margin, smooth_loss=penalty == "softplus", distance=DISTANCES[distance](),
                            reducer=reducers.AvgNonZeroReducer() if averaging == "nonZero" else reducers.MeanReducer())
                        miner = miner_of(mining, DISTANCES[distance](), margin)
                        with_gradients(
                            f"{batch}.{distance}.{mining}.{penalty}.{averaging}", store,
                            lambda x: loss(x, labels, miner(x, labels) if miner else None), embeddings)
    embeddings, labels = batches()["random"]
    others, other_labels = candidates()
    for mining in ("any", "all", "hard", "semihard", "batchHard", "easy-semihard", "all-hard"):
        distance = DISTANCES["euclidean"]
        loss = losses.TripletMarginLoss(margin=0.3, distance=distance(), reducer=reducers.AvgNonZeroReducer())
        miner = miner_of(mining, distance(), 0.3)
        with_gradients(
            f"cross.{mining}", store,
            lambda x, y: loss(x, labels, miner(x, labels, y, other_labels) if miner else None, ref_emb=y,
                              ref_labels=other_labels), embeddings, others)


def sentence_transformers(store):
    # Its batch-hard losses count anchors without a positive as if one were at distance 0, so no class has one member.
    embeddings, labels = batches()["random"]
    labels = labels.clone()
    labels[9] = 0
    store["sentence.labels"] = labels
    functions = st.batch_hard_triplet.BatchHardTripletLossDistanceFunction
    metrics = {"euclidean": functions.euclidean_distance, "cosine": functions.cosine_distance,
               "squared": lambda x: functions.euclidean_distance(x, squared=True)}
    for distance, metric in metrics.items():
        margin = MARGINS["random"][distance]
        for name, loss in (("batchAll", st.BatchAllTripletLoss(None, distance_metric=metric, margin=margin)),
                           ("batchHard", st.BatchHardTripletLoss(None, distance_metric=metric, margin=margin)),
                           ("batchHardSoftMargin", st.BatchHardSoftMarginTripletLoss(None, distance_metric=metric)),
                           ("batchSemiHard", st.BatchSemiHardTripletLoss(None, distance_metric=metric, margin=margin))):
            with_gradients(f"sentence.{name}.{distance}", store,
                           lambda x: loss.compute_loss_from_embeddings([x], labels), embeddings)
    # Not a margin that equals a gap: there this peer passes on half a gradient.
    ties, ties_labels = batches()["ties"]
    loss = st.BatchSemiHardTripletLoss(None, distance_metric=metrics["squared"], margin=1.75)
    with_gradients("sentence.batchSemiHard.ties", store,
                   lambda x: loss.compute_loss_from_embeddings([x], ties_labels), ties)


def sorted_tuples(*indices):
    return torch.tensor(sorted(zip(*(i.tolist() for i in indices))), dtype=torch.int64).reshape(-1, len(indices))


def mined(store):
    def add(name, found):
        if len(found) == 3:
            store[name] = sorted_tuples(*found).to(torch.uint8)
        else:
            store[f"{name}.positive"] = sorted_tuples(*found[:2]).to(torch.uint8)
            store[f"{name}.negative"] = sorted_tuples(*found[2:]).to(torch.uint8)

    sets = {name: (x, y, None, None) for name, (x, y) in batches().items()}
    sets["cross"] = (*batches()["random"], *candidates())
    for batch, arguments in sets.items():
        for distance, margin in MARGINS["ties" if batch == "ties" else "random"].items():
            if batch == "cross" and distance != "euclidean":
                continue
            for mining in ("all", "hard", "semihard", "easy"):
                add(f"{batch}.triplet.{distance}.{mining}", miner_of(mining, DISTANCES[distance](), margin)(*arguments))
            for positive, negative in EASY_HARD:
                if distance in ("euclidean", "cosine"):
                    add(f"{batch}.easyHard.{distance}.{positive}-{negative}",
                        miner_of(f"{positive}-{negative}", DISTANCES[distance](), margin)(*arguments))
            add(f"{batch}.hard.{distance}", miners.BatchHardMiner(distance=DISTANCES[distance]())(*arguments))
        for epsilon in (0.1, 0.5):
            add(f"{batch}.multiSimilarity.{epsilon}", miners.MultiSimilarityMiner(epsilon=epsilon)(*arguments))
        for angle in (20, 45):
            add(f"{batch}.angular.{angle}", miners.AngularMiner(angle=angle)(*arguments))
        # The miner's probabilities, seen where it hands them to the sampler; rows without a negative are NaN there.
        def capture(labels, ref_labels=None, weights=None):
            store[f"{batch}.distanceWeighted"] = weights.nan_to_num()
            return loss_and_miner_utils.get_random_triplet_indices(labels, ref_labels)
        distance_weighted_miner.lmu = type("Capture", (), {"get_random_triplet_indices": staticmethod(capture)})
        miners.DistanceWeightedMiner()(*arguments)


def main():
    torch.set_num_threads(1)
    inputs = {}
    for name, (embeddings, labels) in {**batches(), "cross": candidates()}.items():
        inputs[f"{name}.embeddings"], inputs[f"{name}.labels"] = embeddings, labels
    for file, parts in (("triplets", (given_triplets, labelled, sentence_transformers)), ("miners", (mined,))):
        store = dict(inputs)
        for part in parts:
            part(store)
        save_file({name: tensor.contiguous() for name, tensor in store.items()}, OUTPUT / f"{file}.safetensors")


if __name__ == "__main__":
    OUTPUT.mkdir(parents=True, exist_ok=True)
    main()
