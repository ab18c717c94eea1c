import ConcordCore
import ConcordTensor

/// The Swift side of the cases in scripts/golden/make_tensor.py, in its order.
let goldenOperations: [String: @Sendable ([Tensor]) -> [Tensor]] =
    elementwiseCases.merging(shapingCases) { first, _ in first }
    .merging(reductionCases) { first, _ in first }
    .merging(neuralCases) { first, _ in first }

private let elementwiseCases: [String: @Sendable ([Tensor]) -> [Tensor]] = [
    "exp": { [$0[0].exp()] },
    "expm1": { [$0[0].expm1()] },
    "log": { [$0[0].log()] },
    "log1p": { [$0[0].log1p()] },
    "log2": { [$0[0].log2()] },
    "sqrt": { [$0[0].sqrt()] },
    "rsqrt": { [$0[0].rsqrt()] },
    "square": { [$0[0].square()] },
    "reciprocal": { [$0[0].reciprocal()] },
    "powScalar": { [$0[0].pow(2.5)] },
    "powInteger": { [$0[0].pow(3)] },
    "powTensor": { [$0[0].pow($0[1])] },
    "powBase": { [Tensor.pow(2, $0[0])] },
    "abs": { [$0[0].abs()] },
    "sign": { [$0[0].sign()] },
    "neg": { [-$0[0]] },
    "sin": { [$0[0].sin()] },
    "cos": { [$0[0].cos()] },
    "tanh": { [$0[0].tanh()] },
    "sigmoid": { [$0[0].sigmoid()] },
    "relu": { [$0[0].relu()] },
    "leakyReLU": { [$0[0].leakyReLU(negativeSlope: 0.1)] },
    "elu": { [$0[0].elu(alpha: 0.7)] },
    "silu": { [$0[0].silu()] },
    "erf": { [$0[0].erf()] },
    "gelu": { [$0[0].gelu()] },
    "geluTanh": { [$0[0].gelu(tanhApproximation: true)] },
    "softplus": { [$0[0].softplus(beta: 1.5, threshold: 10)] },
    "logSigmoid": { [$0[0].logSigmoid()] },
    "clamped": { [$0[0].clamped(min: -0.5, max: 1.25)] },
    "clampedBelow": { [$0[0].clamped(min: 0.25)] },
    "lerp": { [$0[0].lerp(to: $0[1], weight: 0.3)] },
    "maximum": { [$0[0].maximum($0[1])] },
    "minimum": { [Tensor.minimum($0[0], $0[1])] },
    "floor": { [$0[0].floor()] },
    "ceil": { [$0[0].ceil()] },
    "round": { [$0[0].round()] },
    "trunc": { [$0[0].trunc()] },
    "remainder": { [$0[0].remainder(dividingBy: 0.7)] },
    "floorDivided": { [$0[0].floorDivided(by: 2)] },
    "logAddExp": { [$0[0].logAddExp($0[1])] },
    "addingScaled": { [$0[0].adding($0[1], scale: 0.4)] },
    "addingProduct": { [$0[0].addingProduct(of: $0[1], $0[2], scale: 0.4)] },
    "add": { [$0[0] + $0[1]] },
    "subtract": { [$0[0] - $0[1]] },
    "multiply": { [$0[0] * $0[1]] },
    "divide": { [$0[0] / $0[1]] },
    "scalars": { input in
        let x = input[0]
        let first = (2.5 - (3 + x * 0.5 - 1)) / 4
        return [first + 2 * x - 3 / x]
    },
    "where": { [Tensor.where($0[0], $0[1], $0[2])] },
    "whereScalar": { [Tensor.where($0[0], $0[1], -1.5)] },
    "maskedFilled": { [$0[0].maskedFilled($0[1], -7)] },
    "maskedSelected": { [$0[0].maskedSelected($0[1])] },
    "comparisons": { input in
        let (x, y) = (input[0], input[1])
        return [
            x.equal(to: y), x.notEqual(to: y), x.greater(than: y), x.greaterOrEqual(to: y), x.less(than: y),
            x.lessOrEqual(to: y), x.greater(than: 0.5), x.lessOrEqual(to: 0.5),
            x.greater(than: 0).logicalAnd(y.greater(than: 0)), x.greater(than: 0).logicalOr(y.greater(than: 0)),
            x.greater(than: 0).logicalNot(),
        ]
    },
]

private let shapingCases: [String: @Sendable ([Tensor]) -> [Tensor]] = [
    "reshaped": { [$0[0].reshaped([2, -1])] },
    "transposed": { [$0[0].transposed(0, -1)] },
    "permuted": { [$0[0].permuted([2, 0, 1])] },
    "unsqueezed": { [$0[0].unsqueezed(1)] },
    "squeezed": { [$0[0].squeezed(1), $0[0].squeezed()] },
    "flattened": { [$0[0].flattened(from: 1, to: 2)] },
    "unflattened": { [$0[0].unflattened(axis: 1, into: [2, 3])] },
    "expanded": { [$0[0].expanded(to: [2, 3, 4])] },
    "repeated": { [$0[0].repeated([2, 2])] },
    "repeatInterleaved": { [$0[0].repeatInterleaved(2, axis: 1)] },
    "sliced": {
        [$0[0].sliced(axis: 1, from: 1, to: 3), $0[0].sliced(axis: 0, step: 2), $0[0].sliced(axis: 0, from: -2)]
    },
    "selected": { [$0[0].selected(axis: 1, at: -1)] },
    "narrowed": { [$0[0].narrowed(axis: 1, from: 1, count: 2)] },
    "indexSelected": { [$0[0].indexSelected(axis: 1, $0[1])] },
    "gathered": { [$0[0].gathered(axis: 1, $0[1])] },
    "takeAlong": { [$0[0].takeAlong(axis: 1, $0[1])] },
    "scatterAdded": { [$0[0].scatterAdded(axis: 1, $0[1], $0[2])] },
    "scattered": { [$0[0].scattered(axis: 1, $0[1], $0[2])] },
    "indexAdded": { [$0[0].indexAdded(axis: 0, $0[1], $0[2], scale: 2)] },
    "indexCopied": { [$0[0].indexCopied(axis: 0, $0[1], $0[2])] },
    "indexed": { [$0[0].indexed([$0[1], $0[2]]), $0[0].indexed([nil, $0[2]])] },
    "concatenated": { [Tensor.concatenated([$0[0], $0[1], $0[0]], axis: 1)] },
    "stacked": { [Tensor.stacked([$0[0], $0[1]], axis: 1)] },
    "chunked": { $0[0].chunked(2, axis: 1) },
    "split": { $0[0].split(sizes: [1, 3, 1], axis: 1) },
    "unstacked": { $0[0].unstacked(axis: 1) },
    "flipped": { [$0[0].flipped(axes: [0, 1])] },
    "rolled": { [$0[0].rolled(by: [1, -1], axes: [0, 1])] },
    "triangular": { [$0[0].triangularLower(diagonal: 1), $0[0].triangularUpper()] },
    "diagonal": { [$0[0].diagonal(offset: 1)] },
    "padded": { [$0[0].padded([1, 2, 0, 1], value: 0.5)] },
    "unfolded": { [$0[0].unfolded(axis: 1, size: 3, step: 2)] },
    "diagonalEmbedded": { [$0[0].diagonalEmbedded()] },
    "oneHot": { [$0[0].oneHot(classes: 4)] },
    "arange": { _ in
        [
            Tensor.arange(2, 9, step: 3), Tensor.arange(3), Tensor.linspace(0, 1, count: 4, dtype: .float64),
            Tensor.identity(3, dtype: .float64).sliced(axis: 0, to: 2),
            Tensor.hannWindow(5, periodic: false, dtype: .float64),
        ]
    },
]

private let reductionCases: [String: @Sendable ([Tensor]) -> [Tensor]] = [
    "sum": { [$0[0].sum(), $0[0].sum(axes: [0, 2]), $0[0].sum(axes: [-1], keepingAxes: true)] },
    "mean": { [$0[0].mean(), $0[0].mean(axes: [0, 2]), $0[0].mean(axes: [-1], keepingAxes: true)] },
    "product": { [$0[0].product(), $0[0].product(axis: 1)] },
    "variance": { [$0[0].variance(axes: [1]), $0[0].variance(axes: [0, 1], unbiased: false, keepingAxes: true)] },
    "standardDeviation": { [$0[0].standardDeviation(axes: [1])] },
    "extremes": { input in
        let x = input[0]
        let largest = x.maximum(axis: 1)
        let smallest = x.minimum(axis: 0, keepingAxes: true)
        return [
            x.max(), x.min(), largest.values, largest.indices, smallest.values, smallest.indices, x.max(axes: [0, 1]),
            x.min(axes: [1]), x.argmax(axis: nil), x.argmax(axis: 1), x.argmin(axis: 0),
        ]
    },
    "anyAll": { [$0[0].any(), $0[0].all(), $0[0].any(axis: 0), $0[0].all(axis: 1)] },
    "cumulativeSum": { [$0[0].cumulativeSum(axis: 1)] },
    "norm": { [$0[0].norm(), $0[0].norm(p: 1, axes: [1]), $0[0].norm(p: 3, axes: [0], keepingAxes: true)] },
    "logSumExp": { [$0[0].logSumExp(axes: [1])] },
    "softmax": { [$0[0].softmax(axis: 0)] },
    "logSoftmax": { [$0[0].logSoftmax(axis: -1)] },
    "sorted": { input in
        let sorted = input[0].sorted(axis: 1, descending: true)
        return [sorted.values, sorted.indices, input[0].argsort(axis: 0)]
    },
    "topK": { input in
        let (best, worst) = (input[0].topK(2, axis: 1), input[0].topK(1, axis: 0, largest: false))
        return [best.values, best.indices, worst.values, worst.indices]
    },
    "bincount": { [$0[0].countsOfValues(minimumLength: 6)] },
    "unique": { input in
        let unique = input[0].unique()
        return [unique.values, unique.inverse, unique.counts]
    },
]

private let neuralCases: [String: @Sendable ([Tensor]) -> [Tensor]] = [
    "matmul": { [$0[0].matmul($0[1])] },
    "linear": { [Tensor.linear($0[0], weight: $0[1], bias: $0[2])] },
    "addmm": { [$0[0].addmm($0[1], $0[2], beta: 0.5, alpha: 2)] },
    "baddbmm": { [$0[0].baddbmm($0[1], $0[2], beta: 0.5)] },
    "outer": { [$0[0].outer($0[1])] },
    "einsum": { [Tensor.einsum("bnd,bmd->bnm", $0)] },
    "pairwiseDistance": { [$0[0].pairwiseDistance(to: $0[1])] },
    "cosineSimilarity": { [$0[0].cosineSimilarity(to: $0[1])] },
    "normalized": { [$0[0].normalized()] },
    "embedding": { [Tensor.embedding($0[1], weight: $0[0])] },
    "layerNorm": { [$0[0].layerNorm(shape: [4], weight: $0[1], bias: $0[2], epsilon: 1e-5)] },
    "rmsNorm": { [$0[0].rmsNorm(shape: [4], weight: $0[1], epsilon: 1e-6)] },
    "batchNorm": {
        [$0[0].batchNorm(weight: $0[1], bias: $0[2], runningMean: nil, runningVariance: nil, training: true)]
    },
    "groupNorm": { [$0[0].groupNorm(groups: 2, weight: $0[1], bias: $0[2])] },
    "convolution1D": { [$0[0].convolution1D(weight: $0[1], bias: $0[2], stride: [2], padding: [1])] },
    "convolution2D": {
        [$0[0].convolution2D(weight: $0[1], bias: nil, stride: [2, 1], padding: [1, 0], groups: 2)]
    },
    "transposedConvolution2D": { [$0[0].transposedConvolution2D(weight: $0[1], bias: nil, stride: [2, 2])] },
    "averagePool2D": { [$0[0].averagePool2D(size: [2, 2])] },
    "maxPool2D": { [$0[0].maxPool2D(size: [2, 2], stride: [1, 2], padding: [1, 0])] },
    "adaptiveAveragePool2D": { [$0[0].adaptiveAveragePool2D(size: [2, 1])] },
    "interpolateNearest": { [$0[0].interpolated(height: 3, width: 5, mode: .nearest)] },
    "interpolateBilinear": { [$0[0].interpolated(height: 3, width: 5, alignCorners: true)] },
    "interpolateBilinearAntialias": { [$0[0].interpolated(height: 2, width: 2, antialias: true)] },
    "interpolateBicubic": { [$0[0].interpolated(height: 3, width: 5, mode: .bicubic)] },
    "interpolateBicubicAntialias": {
        [$0[0].interpolated(height: 2, width: 3, mode: .bicubic, antialias: true)]
    },
    "attention": { [Tensor.scaledDotProductAttention(query: $0[0], key: $0[1], value: $0[2])] },
    "attentionCausal": {
        [Tensor.scaledDotProductAttention(query: $0[0], key: $0[1], value: $0[2], isCausal: true, scale: 0.3)]
    },
    "attentionMask": {
        [Tensor.scaledDotProductAttention(query: $0[0], key: $0[1], value: $0[2], mask: $0[3])]
    },
    "crossEntropy": {
        [
            Tensor.crossEntropy($0[0], targets: $0[1], ignoreIndex: 1, labelSmoothing: 0.1),
            Tensor.crossEntropy($0[0], targets: $0[1], reduction: .sum),
        ]
    },
    "nllLoss": { [Tensor.nllLoss($0[0], targets: $0[1], reduction: .none)] },
    "binaryCrossEntropy": { [Tensor.binaryCrossEntropyWithLogits($0[0], targets: $0[1])] },
    "mseLoss": { [Tensor.mseLoss($0[0], target: $0[1])] },
    "smoothL1Loss": { [Tensor.smoothL1Loss($0[0], target: $0[1], beta: 0.5)] },
    "klDivergence": { [Tensor.klDivergence($0[0], target: $0[1], reduction: .sum)] },
    "rfft": { [$0[0].rfft().complexAsReal()] },
    "irfft": { [$0[0].realAsComplex().irfft(count: 6)] },
    "stft": { [$0[0].stft(size: 8, hop: 4, window: $0[1])] },
]
