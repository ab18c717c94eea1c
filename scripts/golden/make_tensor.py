#!/usr/bin/env python3
"""Makes Tests/Golden/tensor/operations.json: values and gradients of tensor operations, from PyTorch.

Every case is a name, its float64 inputs, its outputs, and the gradients of sum(output * weight) where the weight of
element i of an output is ((7 i + 3) mod 11 - 5) / 8. Integer inputs are marked by their dtype.
"""
import json
import pathlib

import torch
import torch.nn.functional as F

TARGET = pathlib.Path(__file__).resolve().parents[2] / "Tests/Golden/tensor/operations.json"
torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(20240607)


def r(*shape, low=-2.0, high=2.0):
    """Random numbers with few digits, none twice, so that ties have no influence."""
    values = torch.rand(*shape, generator=generator) * (high - low) + low
    return (values * 1000).round() / 1000


def positive(*shape):
    return r(*shape, low=0.2, high=2.0)


def index(*values):
    return torch.tensor(values)


mask = torch.tensor([[True, False, True, True], [False, True, True, False], [True, True, False, True]])

CASES = {
    "exp": (lambda x: x.exp(), [r(3, 4)]),
    "expm1": (lambda x: x.expm1(), [r(3, 4)]),
    "log": (lambda x: x.log(), [positive(3, 4)]),
    "log1p": (lambda x: x.log1p(), [positive(3, 4)]),
    "log2": (lambda x: x.log2(), [positive(3, 4)]),
    "sqrt": (lambda x: x.sqrt(), [positive(3, 4)]),
    "rsqrt": (lambda x: x.rsqrt(), [positive(3, 4)]),
    "square": (lambda x: x.square(), [r(3, 4)]),
    "reciprocal": (lambda x: x.reciprocal(), [positive(3, 4)]),
    "powScalar": (lambda x: x.pow(2.5), [positive(3, 4)]),
    "powInteger": (lambda x: x.pow(3), [r(3, 4)]),
    "powTensor": (lambda x, y: x.pow(y), [positive(3, 4), r(4)]),
    "powBase": (lambda x: torch.pow(2.0, x), [r(3, 4)]),
    "abs": (lambda x: x.abs(), [r(3, 4)]),
    "sign": (lambda x: x.sign(), [r(3, 4)]),
    "neg": (lambda x: -x, [r(3, 4)]),
    "sin": (lambda x: x.sin(), [r(3, 4)]),
    "cos": (lambda x: x.cos(), [r(3, 4)]),
    "tanh": (lambda x: x.tanh(), [r(3, 4)]),
    "sigmoid": (lambda x: x.sigmoid(), [r(3, 4)]),
    "relu": (lambda x: x.relu(), [r(3, 4)]),
    "leakyReLU": (lambda x: F.leaky_relu(x, 0.1), [r(3, 4)]),
    "elu": (lambda x: F.elu(x, 0.7), [r(3, 4)]),
    "silu": (lambda x: F.silu(x), [r(3, 4)]),
    "erf": (lambda x: x.erf(), [r(3, 4)]),
    "gelu": (lambda x: F.gelu(x), [r(3, 4)]),
    "geluTanh": (lambda x: F.gelu(x, approximate="tanh"), [r(3, 4)]),
    "softplus": (lambda x: F.softplus(x, 1.5, 10), [r(3, 4)]),
    "logSigmoid": (lambda x: F.logsigmoid(x), [r(3, 4)]),
    "clamped": (lambda x: x.clamp(-0.5, 1.25), [r(3, 4)]),
    "clampedBelow": (lambda x: x.clamp(min=0.25), [r(3, 4)]),
    "lerp": (lambda x, y: x.lerp(y, 0.3), [r(3, 4), r(3, 4)]),
    "maximum": (lambda x, y: torch.maximum(x, y), [r(3, 4), r(4)]),
    "minimum": (lambda x, y: torch.minimum(x, y), [r(3, 4), r(4)]),
    "floor": (lambda x: x.floor(), [r(3, 4)]),
    "ceil": (lambda x: x.ceil(), [r(3, 4)]),
    "round": (lambda x: x.round(), [r(3, 4)]),
    "trunc": (lambda x: x.trunc(), [r(3, 4)]),
    "remainder": (lambda x: x.remainder(0.7), [r(3, 4)]),
    "floorDivided": (lambda x: x.floor_divide(2), [index(5, -3, 4)]),
    "logAddExp": (lambda x, y: torch.logaddexp(x, y), [r(3, 4), r(4)]),
    "addingScaled": (lambda x, y: torch.add(x, y, alpha=0.4), [r(3, 4), r(4)]),
    "addingProduct": (lambda x, y, z: x.addcmul(y, z, value=0.4), [r(3, 4), r(4), r(3, 1)]),
    "add": (lambda x, y: x + y, [r(3, 4), r(4)]),
    "subtract": (lambda x, y: x - y, [r(3, 4), r(3, 1)]),
    "multiply": (lambda x, y: x * y, [r(3, 4), r(4)]),
    "divide": (lambda x, y: x / y, [r(3, 4), positive(4)]),
    "scalars": (lambda x: (2.5 - (3 + x * 0.5 - 1)) / 4 + 2 * x - 3 / x, [positive(3, 4)]),
    "where": (lambda c, x, y: torch.where(c, x, y), [mask, r(3, 4), r(4)]),
    "whereScalar": (lambda c, x: torch.where(c, x, -1.5), [mask, r(3, 4)]),
    "maskedFilled": (lambda x, c: x.masked_fill(c, -7), [r(3, 4), mask]),
    "maskedSelected": (lambda x, c: x.masked_select(c), [r(3, 4), mask]),
    "comparisons": (
        lambda x, y: [x.eq(y), x.ne(y), x.gt(y), x.ge(y), x.lt(y), x.le(y), x.gt(0.5), x.le(0.5),
                      x.gt(0).logical_and(y.gt(0)), x.gt(0).logical_or(y.gt(0)), x.gt(0).logical_not()],
        [index(1, 2, 3, 4), index(4, 2, 1, 4)]),
    "reshaped": (lambda x: x.reshape(2, -1), [r(3, 4)]),
    "transposed": (lambda x: x.transpose(0, -1), [r(2, 3, 2)]),
    "permuted": (lambda x: x.permute(2, 0, 1), [r(2, 3, 2)]),
    "unsqueezed": (lambda x: x.unsqueeze(1), [r(3, 4)]),
    "squeezed": (lambda x: [x.squeeze(1), x.squeeze()], [r(3, 1, 2)]),
    "flattened": (lambda x: x.flatten(1, 2), [r(2, 3, 2)]),
    "unflattened": (lambda x: x.unflatten(1, (2, 3)), [r(2, 6)]),
    "expanded": (lambda x: x.expand(2, 3, 4), [r(3, 1)]),
    "repeated": (lambda x: x.repeat(2, 2), [r(2, 3)]),
    "repeatInterleaved": (lambda x: x.repeat_interleave(2, 1), [r(2, 3)]),
    "sliced": (lambda x: [x[:, 1:3], x[::2], x[-2:]], [r(4, 4)]),
    "selected": (lambda x: x.select(1, -1), [r(3, 4)]),
    "narrowed": (lambda x: x.narrow(1, 1, 2), [r(3, 4)]),
    "indexSelected": (lambda x, i: x.index_select(1, i), [r(3, 4), index(3, 0, 3)]),
    "gathered": (lambda x, i: x.gather(1, i), [r(3, 4), index([3, 0], [1, 1], [2, 0])]),
    "takeAlong": (lambda x, i: torch.take_along_dim(x, i, 1), [r(3, 4), index([3, 0])]),
    "scatterAdded": (lambda x, i, s: x.scatter_add(1, i, s), [r(3, 4), index([3, 0], [1, 1], [2, 0]), r(3, 2)]),
    "scattered": (lambda x, i, s: x.scatter(1, i, s), [r(3, 4), index([3, 0], [1, 2], [2, 0]), r(3, 2)]),
    "indexAdded": (lambda x, i, s: x.index_add(0, i, s, alpha=2), [r(3, 4), index(2, 0), r(2, 4)]),
    "indexCopied": (lambda x, i, s: x.index_copy(0, i, s), [r(3, 4), index(2, 0), r(2, 4)]),
    "indexed": (lambda x, i, j: [x[i, j], x[:, j]], [r(3, 4), index(2, 0, 2), index(1, 3, 0)]),
    "concatenated": (lambda x, y: torch.cat([x, y, x], 1), [r(3, 2), r(3, 1)]),
    "stacked": (lambda x, y: torch.stack([x, y], 1), [r(3, 2), r(3, 2)]),
    "chunked": (lambda x: list(x.chunk(2, 1)), [r(3, 5)]),
    "split": (lambda x: list(x.split([1, 3, 1], 1)), [r(3, 5)]),
    "unstacked": (lambda x: list(x.unbind(1)), [r(3, 2)]),
    "flipped": (lambda x: x.flip([0, 1]), [r(3, 4)]),
    "rolled": (lambda x: x.roll([1, -1], [0, 1]), [r(3, 4)]),
    "triangular": (lambda x: [x.tril(1), x.triu()], [r(4, 4)]),
    "diagonal": (lambda x: x.diagonal(1), [r(3, 4)]),
    "padded": (lambda x: F.pad(x, (1, 2, 0, 1), value=0.5), [r(2, 3)]),
    "unfolded": (lambda x: x.unfold(1, 3, 2), [r(2, 7)]),
    "diagonalEmbedded": (lambda x: torch.diag_embed(x), [r(2, 3)]),
    "oneHot": (lambda i: F.one_hot(i, 4), [index(3, 0, 2)]),
    "sum": (lambda x: [x.sum(), x.sum((0, 2)), x.sum((-1,), keepdim=True)], [r(2, 3, 2)]),
    "mean": (lambda x: [x.mean(), x.mean((0, 2)), x.mean((-1,), keepdim=True)], [r(2, 3, 2)]),
    "product": (lambda x: [x.prod(), x.prod(1)], [r(2, 3)]),
    "variance": (lambda x: [x.var((1,)), x.var((0, 1), unbiased=False, keepdim=True)], [r(3, 4)]),
    "standardDeviation": (lambda x: x.std((1,)), [r(3, 4)]),
    "extremes": (
        lambda x: [x.max(), x.min(), *x.max(1), *x.min(0, keepdim=True), x.amax((0, 1)), x.amin((1,)),
                   x.argmax(), x.argmax(1), x.argmin(0)], [r(3, 4)]),
    "anyAll": (lambda c: [c.any(), c.all(), c.any(0), c.all(1)], [mask]),
    "cumulativeSum": (lambda x: x.cumsum(1), [r(3, 4)]),
    "norm": (lambda x: [x.norm(), torch.linalg.vector_norm(x, 1, 1), torch.linalg.vector_norm(x, 3, 0, True)],
             [r(3, 4)]),
    "logSumExp": (lambda x: x.logsumexp((1,)), [r(3, 4)]),
    "softmax": (lambda x: x.softmax(0), [r(3, 4)]),
    "logSoftmax": (lambda x: x.log_softmax(-1), [r(3, 4)]),
    "sorted": (lambda x: [*x.sort(1, descending=True), x.argsort(0)], [r(3, 4)]),
    "topK": (lambda x: [*x.topk(2, 1), *x.topk(1, 0, largest=False)], [r(3, 4)]),
    "bincount": (lambda i: torch.bincount(i, minlength=6), [index(1, 3, 3, 0)]),
    "unique": (lambda i: list(torch.unique(i, return_inverse=True, return_counts=True)), [index(5, 3, 3, 1, 5)]),
    "matmul": (lambda x, y: x @ y, [r(2, 3, 4), r(4, 2)]),
    "linear": (lambda x, w, b: F.linear(x, w, b), [r(2, 3, 4), r(5, 4), r(5)]),
    "addmm": (lambda c, x, y: torch.addmm(c, x, y, beta=0.5, alpha=2), [r(2), r(3, 4), r(4, 2)]),
    "baddbmm": (lambda c, x, y: torch.baddbmm(c, x, y, beta=0.5), [r(2, 3, 2), r(2, 3, 4), r(2, 4, 2)]),
    "outer": (lambda x, y: torch.outer(x, y), [r(3), r(2)]),
    "einsum": (lambda x, y: torch.einsum("bnd,bmd->bnm", x, y), [r(2, 3, 4), r(2, 2, 4)]),
    "pairwiseDistance": (lambda x, y: torch.cdist(x, y), [r(3, 4), r(2, 4)]),
    "cosineSimilarity": (lambda x, y: F.cosine_similarity(x, y, -1), [r(3, 4), r(3, 4)]),
    "normalized": (lambda x: F.normalize(x, dim=1), [r(3, 4)]),
    "embedding": (lambda w, i: F.embedding(i, w), [r(4, 3), index([3, 0], [0, 2])]),
    "layerNorm": (lambda x, w, b: F.layer_norm(x, (4,), w, b, 1e-5), [r(3, 4), r(4), r(4)]),
    "rmsNorm": (lambda x, w: F.rms_norm(x, (4,), w, 1e-6), [r(3, 4), r(4)]),
    "batchNorm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5), [r(3, 2, 2), r(2), r(2)]),
    "groupNorm": (lambda x, w, b: F.group_norm(x, 2, w, b, 1e-5), [r(2, 4, 3), r(4), r(4)]),
    "convolution1D": (lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), [r(2, 3, 6), r(2, 3, 3), r(2)]),
    "convolution2D": (lambda x, w: F.conv2d(x, w, None, stride=(2, 1), padding=(1, 0), groups=2),
                      [r(2, 4, 4, 3), r(2, 2, 2, 2)]),
    "transposedConvolution2D": (lambda x, w: F.conv_transpose2d(x, w, stride=2), [r(1, 2, 2, 2), r(2, 1, 2, 2)]),
    "averagePool2D": (lambda x: F.avg_pool2d(x, 2), [r(1, 2, 4, 4)]),
    "maxPool2D": (lambda x: F.max_pool2d(x, (2, 2), (1, 2), (1, 0)), [r(1, 2, 4, 4)]),
    "adaptiveAveragePool2D": (lambda x: F.adaptive_avg_pool2d(x, (2, 1)), [r(1, 2, 4, 3)]),
    "interpolateNearest": (lambda x: F.interpolate(x, (3, 5), mode="nearest"), [r(1, 1, 2, 3)]),
    "interpolateBilinear": (lambda x: F.interpolate(x, (3, 5), mode="bilinear", align_corners=True), [r(1, 1, 2, 3)]),
    "interpolateBilinearAntialias": (
        lambda x: F.interpolate(x, (2, 2), mode="bilinear", antialias=True), [r(1, 1, 4, 5)]),
    "interpolateBicubic": (lambda x: F.interpolate(x, (3, 5), mode="bicubic"), [r(1, 1, 4, 4)]),
    "interpolateBicubicAntialias": (lambda x: F.interpolate(x, (2, 3), mode="bicubic", antialias=True),
                                    [r(1, 1, 5, 4)]),
    "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v), [r(1, 2, 3, 4), r(1, 2, 4, 4), r(1, 2, 4, 4)]),
    "attentionCausal": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3),
                        [r(1, 2, 3, 4), r(1, 2, 3, 4), r(1, 2, 3, 4)]),
    "attentionMask": (lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m),
                      [r(1, 2, 3, 4), r(1, 2, 4, 4), r(1, 2, 4, 4), mask]),
    "crossEntropy": (
        lambda x, t: [F.cross_entropy(x, t, ignore_index=1, label_smoothing=0.1), F.cross_entropy(x, t, reduction="sum")],
        [r(3, 4), index(3, 1, 0)]),
    "nllLoss": (lambda x, t: F.nll_loss(x, t, reduction="none"), [r(3, 4), index(3, 1, 0)]),
    "binaryCrossEntropy": (lambda x, t: F.binary_cross_entropy_with_logits(x, t), [r(3, 4), r(3, 4, low=0, high=1)]),
    "mseLoss": (lambda x, t: F.mse_loss(x, t), [r(3, 4), r(3, 4)]),
    "smoothL1Loss": (lambda x, t: F.smooth_l1_loss(x, t, beta=0.5), [r(3, 4), r(3, 4)]),
    "klDivergence": (lambda x, t: F.kl_div(x, t, reduction="sum"), [r(3, 4), positive(3, 4)]),
    "rfft": (lambda x: torch.view_as_real(torch.fft.rfft(x)), [r(2, 6)]),
    "irfft": (lambda x: torch.fft.irfft(torch.view_as_complex(x), 6), [r(2, 4, 2)]),
    "stft": (lambda x, w: torch.view_as_real(torch.stft(x, 8, 4, window=w, center=True, return_complex=True)),
             [r(2, 16), torch.hann_window(8)]),
    "arange": (lambda: [torch.arange(2, 9, 3), torch.arange(3), torch.linspace(0, 1, 4), torch.eye(3)[:2],
                        torch.hann_window(5, periodic=False)], []),
}


def weights(tensor):
    return ((7 * torch.arange(tensor.numel()) + 3) % 11 - 5).reshape(tensor.shape) / 8


def encode(tensor):
    name = str(tensor.dtype).removeprefix("torch.")
    values = tensor.detach().flatten().tolist()
    return {"shape": list(tensor.shape), "dtype": name, "values": [int(v) if name != "float64" else v for v in values]}


def main():
    cases = []
    for name, (function, inputs) in CASES.items():
        inputs = [t.clone().requires_grad_(t.is_floating_point()) for t in inputs]
        outputs = function(*inputs)
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        leaves = [t for t in inputs if t.requires_grad]
        loss = sum((o * weights(o)).sum() for o in outputs if o.requires_grad)
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True) if torch.is_tensor(loss) and leaves else []
        cases.append({
            "name": name,
            "inputs": [encode(t) for t in inputs],
            "outputs": [encode(t) for t in outputs],
            "gradients": [[] if g is None else g.flatten().tolist() for g in gradients],
        })
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    TARGET.write_text(f'{{"torch":"{torch.__version__.split("+")[0]}","cases":[\n{lines}\n]}}\n')
    print(f"{TARGET}: {len(cases)} cases, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
