#!/usr/bin/env python3
"""Golden files for losses over pairs, proxies, redundancy, distillation, Matryoshka and the embedding queue.

Run with the peers' environment (`make peers`), from the repository root:
    .peers/bin/python scripts/golden/make_pair_losses.py
Everything is computed in float64 by pytorch_metric_learning, sentence-transformers, lightly and open_clip. Stored per
case: the inputs, the loss, and the whole gradient of every input that has one.
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

# torchvision's CPU-incompatible build misses two operators at import; the peers need the import, not them.
library = torch.library.Library("torchvision", "DEF")
for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
               "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):
    library.define(schema)
from lightly.loss import barlow_twins_loss, vicreg_loss  # noqa: E402
from open_clip.loss import DistillClipLoss  # noqa: E402
from pytorch_metric_learning import distances, losses  # noqa: E402
from sentence_transformers.sentence_transformer import losses as sentence_losses  # noqa: E402
from sentence_transformers.util import pairwise_cos_sim  # noqa: E402

OUTPUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/losses"
torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(2024)


def draw(*shape) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def leaf(values: torch.Tensor) -> torch.Tensor:
    return values.detach().clone().requires_grad_()


def save(name: str, tensors: dict) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / f"{name}.safetensors"
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, path)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def pair_losses():
    tied = draw(10, 6)
    tied[4] = tied[0]  # a positive at distance 0
    tied[7] = tied[1]  # a negative at distance 0
    tied[9] = -3 * tied[2]  # a cosine of -1
    cluster_labels = torch.tensor([3, 1, 3, 7, 1, 3, 9, 7, 3, 1, 3, 5])
    clusters = torch.eye(6)[(cluster_labels - 3).abs() % 6]  # 3 and 9 share a centre
    sets = {
        "plain": (draw(12, 6), torch.tensor([3, 1, 3, 7, 1, 3, 9, 7, 3, 1, 3, 5])),
        "tied": (tied, torch.tensor([0, 1, 2, 2, 0, 0, 1, 0, -4, 2])),
        # Nearly learned, so that terms are small and some are zero.
        "learned": (clusters + 0.15 * draw(12, 6), cluster_labels),
        # Above 25 rows torch computes distances by a matrix product.
        "large": (draw(40, 8), torch.randint(0, 7, (40,), generator=generator)),
    }
    reference, reference_labels = draw(9, 6), torch.tensor([3, 3, 9, 2, 2, 1, 7, 3, 6])
    plain_distance = distances.LpDistance(normalize_embeddings=False)
    plain_product = distances.DotProductSimilarity(normalize_embeddings=False)
    cases = {
        "contrastive": losses.ContrastiveLoss(),
        "contrastive_margins": losses.ContrastiveLoss(pos_margin=0.4, neg_margin=1.3),
        "contrastive_plain": losses.ContrastiveLoss(neg_margin=3, distance=plain_distance),
        "contrastive_cosine": losses.ContrastiveLoss(
            pos_margin=0.9, neg_margin=0.1, distance=distances.CosineSimilarity()),
        "circle": losses.CircleLoss(),
        "circle_faces": losses.CircleLoss(m=0.25, gamma=256),
        "multi_similarity": losses.MultiSimilarityLoss(),
        "multi_similarity_other": losses.MultiSimilarityLoss(alpha=3, beta=20, base=0.7),
        "n_pairs": losses.NPairsLoss(),
        "n_pairs_plain": losses.NPairsLoss(distance=plain_product),
    }
    stored = {"reference.embeddings": reference, "reference.labels": reference_labels}
    for name, (values, labels) in sets.items():
        stored[f"{name}.embeddings"], stored[f"{name}.labels"] = values, labels
        for case, peer in cases.items():
            embeddings = leaf(values)
            loss = peer(embeddings, labels)
            loss.backward()
            stored[f"{name}.{case}.loss"], stored[f"{name}.{case}.gradient"] = loss, embeddings.grad
    values, labels = sets["plain"]
    for case, peer in cases.items():
        if case.startswith("n_pairs"):
            continue
        embeddings, columns = leaf(values), leaf(reference)
        loss = peer(embeddings, labels, ref_emb=columns, ref_labels=reference_labels)
        loss.backward()
        stored |= {f"reference.{case}.loss": loss, f"reference.{case}.gradient": embeddings.grad,
                   f"reference.{case}.referenceGradient": columns.grad}

    for name, width in (("even", 6), ("odd", 7)):
        first, second = draw(11, width), draw(11, width)
        second[3] = first[3]
        second[5] = -first[5]
        scores = torch.tensor([0.5, 0.25, 1, 0.5, 0, 0.25, 0.75, 0.5, 1, -0.5, 0.25])
        stored |= {f"{name}.first": first, f"{name}.second": second, f"{name}.scores": scores}
        for case, peer in {"cosent": sentence_losses.CoSENTLoss(None),
                           "cosent_steep": sentence_losses.CoSENTLoss(None, scale=100),
                           "angle": sentence_losses.AnglELoss(None),
                           "cosine_similarity": sentence_losses.CosineSimilarityLoss(None)}.items():
            sides = [leaf(first), leaf(second)]
            loss = peer.compute_loss_from_embeddings(sides, scores)
            loss.backward()
            stored |= {f"{name}.{case}.loss": loss, f"{name}.{case}.gradient": sides[0].grad,
                       f"{name}.{case}.secondGradient": sides[1].grad}
    save("pair_losses", stored)


def proxy_losses():
    classes, width = 6, 5
    proxies = draw(classes, width)
    values = draw(10, width)
    labels = torch.tensor([0, 4, 4, 1, 0, 4, 5, 1, 4, 0])  # classes 2 and 3 are absent
    values[3] = -proxies[1] + 0.05 * draw(width)  # nearly opposite: the angle and the margin exceed 180 degrees
    values[6] = 2 * proxies[5] + 0.01 * draw(width)
    stored = {"embeddings": values, "labels": labels, "proxies": proxies}
    for case, peer in {
        "arc_face": losses.ArcFaceLoss(classes, width), "arc_face_wide": losses.ArcFaceLoss(
            classes, width, margin=90, scale=30),
        "cos_face": losses.CosFaceLoss(classes, width), "cos_face_other": losses.CosFaceLoss(
            classes, width, margin=0.1, scale=16),
        "proxy_anchor": losses.ProxyAnchorLoss(classes, width), "proxy_anchor_other": losses.ProxyAnchorLoss(
            classes, width, margin=0.3, alpha=10),
    }.items():
        table = peer.proxies if case.startswith("proxy") else peer.W
        transposed = table.shape != proxies.shape
        table.data = (proxies.T if transposed else proxies).clone()
        embeddings = leaf(values)
        loss = peer(embeddings, labels)
        loss.backward()
        stored |= {f"{case}.loss": loss, f"{case}.gradient": embeddings.grad,
                   f"{case}.proxyGradient": table.grad.T if transposed else table.grad}
        if not case.startswith("proxy"):
            stored[f"{case}.logits"] = peer.get_logits(embeddings)
    save("proxy_losses", stored)


def redundancy_losses():
    # Columns of quite different spread; one constant; and one view a copy of the other in some rows.
    first = draw(9, 6) * torch.tensor([0.1, 0.5, 1, 2, 0, 0.7]) + 0.3
    second = draw(9, 6) * torch.tensor([0.2, 1.5, 0.4, 1, 0.1, 3])
    second[:3] = first[:3]
    stored = {"first": first, "second": second}

    def store(case, function, terms):
        sides = [leaf(first), leaf(second)]
        loss = function(*sides)
        loss.backward()
        stored.update({f"{case}.loss": loss, f"{case}.gradient": sides[0].grad, f"{case}.secondGradient": sides[1].grad})
        stored.update({f"{case}.{name}": value for name, value in terms.items()})

    terms = {
        "invariance": vicreg_loss.invariance_loss(first, second),
        "variance": (vicreg_loss.variance_loss(first) + vicreg_loss.variance_loss(second)) / 2,
        "covariance": vicreg_loss.covariance_loss(first) + vicreg_loss.covariance_loss(second)}
    store("vicreg", vicreg_loss.VICRegLoss(), terms)
    store("vicreg_other", vicreg_loss.VICRegLoss(lambda_param=2, mu_param=10, nu_param=3, eps=0.01), {})
    store("barlow", barlow_twins_loss.BarlowTwinsLoss(), {
        "invariance": barlow_twins_loss.BarlowTwinsLoss(lambda_param=0)(first, second)})
    store("barlow_other", barlow_twins_loss.BarlowTwinsLoss(lambda_param=0.3), {})
    save("redundancy_losses", stored)


def distillation_losses():
    student, teacher = draw(7, 5), draw(7, 5)
    teacher[2] = student[2]
    stored = {"student": student, "teacher": teacher}
    for metric in ("mse", "cosine"):
        embeddings = leaf(student)
        loss = sentence_losses.EmbedDistillLoss(None, distance_metric=metric).compute_loss_from_embeddings(
            [embeddings], [teacher])
        loss.backward()
        stored |= {f"embedding_{metric}.loss": loss, f"embedding_{metric}.gradient": embeddings.grad}

    sides = [draw(7, 5), draw(7, 5)]
    teachers = [draw(7, 8), draw(7, 8)]
    scales = [torch.tensor(14.0), torch.tensor(40.0)]
    stored |= {"studentFirst": sides[0], "studentSecond": sides[1], "teacherFirst": teachers[0],
               "teacherSecond": teachers[1], "studentScale": scales[0], "teacherScale": scales[1]}
    learned, scale = [leaf(side) for side in sides], leaf(scales[0])
    unit = [F.normalize(side, dim=1) for side in learned + teachers]
    _, loss = DistillClipLoss()(unit[0], unit[1], scale, unit[2], unit[3], scales[1])
    loss.backward()
    stored |= {"similarity.loss": loss, "similarity.gradient": learned[0].grad,
               "similarity.secondGradient": learned[1].grad, "similarity.scaleGradient": scale.grad}
    logits, targets = scales[0] * unit[0] @ unit[1].T, scales[1] * unit[2] @ unit[3].T
    stored["similarity.divergence"] = sum(
        F.kl_div(a.log_softmax(1), b.softmax(1), reduction="batchmean")
        for a, b in ((logits, targets), (logits.T, targets.T))) / 2

    queries, positives, negatives = draw(6, 4), draw(6, 4), [draw(6, 4) for _ in range(3)]
    margins, scores = draw(6, 1), draw(6, 4) * 3
    stored |= {"queries": queries, "positives": positives, "margins": margins, "scores": scores}
    stored |= {f"negatives.{index}": negative for index, negative in enumerate(negatives)}
    for case, count, labels, options in (
            ("margin", 1, margins, {}), ("margin_scores", 3, scores, {}),
            ("margin_cosine", 3, scores, {"similarity_fct": pairwise_cos_sim})):
        columns = [leaf(column) for column in [queries, positives] + negatives[:count]]
        loss = sentence_losses.MarginMSELoss(None, **options).compute_loss_from_embeddings(columns, labels)
        loss.backward()
        stored[f"{case}.loss"] = loss
        stored |= {f"{case}.gradient.{index}": column.grad for index, column in enumerate(columns)}
    save("distillation_losses", stored)


class Passing(torch.nn.Module):
    """A model whose sentence embeddings are its input."""

    def forward(self, features):
        return {"sentence_embedding": features["embedding"]}

    def get_embedding_dimension(self):
        return 8


def matryoshka_losses():
    first, second = draw(6, 8), draw(6, 8)
    scores = torch.tensor([0.5, 0.25, 1, 0.5, 0, 0.75])
    stored = {"first": first, "second": second, "scores": scores}
    for case, dimensions, weights in (("equal", [8, 4, 2], None), ("weighted", [3, 8, 1], [0.5, 2, 0.25])):
        model = Passing()
        columns = [leaf(first), leaf(second)]
        peer = sentence_losses.MatryoshkaLoss(model, sentence_losses.CoSENTLoss(model), dimensions, weights)
        loss = peer([{"embedding": column} for column in columns], scores)
        loss.backward()
        stored |= {f"{case}.loss": loss, f"{case}.gradient": columns[0].grad, f"{case}.secondGradient": columns[1].grad}
    save("matryoshka_losses", stored)


def embedding_queue():
    stored = {}
    # The queue of 10 wraps in the third step, and the last step replaces all of it from the middle on.
    sizes = [4, 4, 4, 3, 7, 10]
    batches = [(draw(size, 5), torch.randint(0, 3, (size,), generator=generator)) for size in sizes]
    for case, peer in (("contrastive", losses.ContrastiveLoss()), ("multi_similarity", losses.MultiSimilarityLoss()),
                       ("circle", losses.CircleLoss())):
        memory = losses.CrossBatchMemory(peer, embedding_size=5, memory_size=10)
        for step, (values, labels) in enumerate(batches):
            embeddings = leaf(values)
            loss = memory(embeddings, labels)
            loss.backward()
            stored |= {f"{step}.embeddings": values, f"{step}.labels": labels, f"{step}.{case}.loss": loss,
                       f"{step}.{case}.gradient": embeddings.grad}
            filled = 10 if memory.has_been_filled else memory.queue_idx
            stored[f"{step}.memory"] = memory.embedding_memory[:filled].clone()
            stored[f"{step}.memoryLabels"] = memory.label_memory[:filled].clone()
    save("embedding_queue", stored)


if __name__ == "__main__":
    pair_losses()
    proxy_losses()
    redundancy_losses()
    distillation_losses()
    matryoshka_losses()
    embedding_queue()
