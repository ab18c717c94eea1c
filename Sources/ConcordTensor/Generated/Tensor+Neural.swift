// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// The rows of `weight` `[count, width]` that `indices` name: `[…, width]`.
    public static func embedding(
        _ indices: Tensor, weight: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("embedding", [.tensor(weight), .tensor(indices)], [:], file, line) {
            ctorch_embedding(weight.handle, indices.handle, $0)
        }
    }

    /// The last axes, of the given `shape`, brought to mean 0 and variance 1, then scaled and shifted.
    public func layerNorm(
        shape: [Int], weight: Tensor?, bias: Tensor?, epsilon: Double = 1e-5, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "layer_norm", [.tensor(self), .optional(weight), .optional(bias)],
            ["normalized_shape": .ints(shape), "eps": .double(epsilon)], file, line
        ) {
            ctorch_layer_norm(handle, shape, shape.count, weight?.handle, bias?.handle, epsilon, $0)
        }
    }

    /// The last axes, of the given `shape`, divided by their root mean square, then scaled.
    public func rmsNorm(
        shape: [Int], weight: Tensor?, epsilon: Double? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "rms_norm", [.tensor(self), .optional(weight)],
            ["normalized_shape": .ints(shape), "eps": .double(epsilon)], file, line
        ) {
            ctorch_rms_norm(handle, shape, shape.count, weight?.handle, epsilon ?? 0, epsilon != nil, $0)
        }
    }

    /// Axis 1 brought to mean 0 and variance 1: of the batch when `training` (which updates the running
    /// statistics in place), else of the running statistics.
    public func batchNorm(
        weight: Tensor?, bias: Tensor?, runningMean: Tensor?, runningVariance: Tensor?, training: Bool,
        momentum: Double = 0.1, epsilon: Double = 1e-5, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "batch_norm",
            [.tensor(self), .optional(weight), .optional(bias), .optional(runningMean), .optional(runningVariance)],
            ["training": .bool(training), "momentum": .double(momentum), "eps": .double(epsilon)], file, line
        ) {
            ctorch_batch_norm(
                handle, weight?.handle, bias?.handle, runningMean?.handle, runningVariance?.handle, training, momentum,
                epsilon, $0
            )
        }
    }

    /// Axis 1 cut into `groups`, each brought to mean 0 and variance 1 per sample, then scaled and shifted.
    public func groupNorm(
        groups: Int, weight: Tensor?, bias: Tensor?, epsilon: Double = 1e-5, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "group_norm", [.tensor(self), .optional(weight), .optional(bias)],
            ["num_groups": .int(groups), "eps": .double(epsilon)], file, line
        ) {
            ctorch_group_norm(handle, groups, weight?.handle, bias?.handle, epsilon, $0)
        }
    }

    /// Convolution of `[batch, in, length]` with `weight` `[out, in / groups, kernel]`.
    public func convolution1D(
        weight: Tensor, bias: Tensor?, stride: [Int] = [1], padding: [Int] = [0], dilation: [Int] = [1],
        groups: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "conv1d", [.tensor(self), .tensor(weight), .optional(bias)],
            [
                "stride": .ints(stride), "padding": .ints(padding), "dilation": .ints(dilation), "groups": .int(groups),
            ], file, line
        ) {
            ctorch_conv1d(
                handle, weight.handle, bias?.handle, stride, stride.count, padding, padding.count, dilation,
                dilation.count, groups, $0
            )
        }
    }

    /// Convolution of `[batch, in, height, width]` with `weight` `[out, in / groups, kernel, kernel]`.
    public func convolution2D(
        weight: Tensor, bias: Tensor?, stride: [Int] = [1, 1], padding: [Int] = [0, 0], dilation: [Int] = [1, 1],
        groups: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "conv2d", [.tensor(self), .tensor(weight), .optional(bias)],
            [
                "stride": .ints(stride), "padding": .ints(padding), "dilation": .ints(dilation), "groups": .int(groups),
            ], file, line
        ) {
            ctorch_conv2d(
                handle, weight.handle, bias?.handle, stride, stride.count, padding, padding.count, dilation,
                dilation.count, groups, $0
            )
        }
    }

    /// The gradient of a convolution as a layer: `weight` is `[in, out / groups, kernel, kernel]`.
    public func transposedConvolution2D(
        weight: Tensor, bias: Tensor?, stride: [Int] = [1, 1], padding: [Int] = [0, 0], outputPadding: [Int] = [0, 0],
        groups: Int = 1, dilation: [Int] = [1, 1], file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "conv_transpose2d.input", [.tensor(self), .tensor(weight), .optional(bias)],
            [
                "stride": .ints(stride), "padding": .ints(padding), "output_padding": .ints(outputPadding),
                "groups": .int(groups), "dilation": .ints(dilation),
            ], file, line
        ) {
            ctorch_conv_transpose2d_input(
                handle, weight.handle, bias?.handle, stride, stride.count, padding, padding.count, outputPadding,
                outputPadding.count, groups, dilation, dilation.count, $0
            )
        }
    }

    /// The means of windows of the last two axes; an empty `stride` is the window's size.
    public func averagePool2D(
        size: [Int], stride: [Int] = [], padding: [Int] = [0, 0], roundingUp: Bool = false,
        countingPadding: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "avg_pool2d", [.tensor(self)],
            [
                "kernel_size": .ints(size), "stride": .ints(stride), "padding": .ints(padding),
                "ceil_mode": .bool(roundingUp), "count_include_pad": .bool(countingPadding),
            ], file, line
        ) {
            ctorch_avg_pool2d(
                handle, size, size.count, stride, stride.count, padding, padding.count, roundingUp, countingPadding, $0
            )
        }
    }

    /// The largest elements of windows of the last two axes; an empty `stride` is the window's size.
    public func maxPool2D(
        size: [Int], stride: [Int] = [], padding: [Int] = [0, 0], dilation: [Int] = [1, 1], roundingUp: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "max_pool2d", [.tensor(self)],
            [
                "kernel_size": .ints(size), "stride": .ints(stride), "padding": .ints(padding),
                "dilation": .ints(dilation), "ceil_mode": .bool(roundingUp),
            ], file, line
        ) {
            ctorch_max_pool2d(
                handle, size, size.count, stride, stride.count, padding, padding.count, dilation, dilation.count,
                roundingUp, $0
            )
        }
    }

    /// The means of the windows that bring the last two axes to `size`.
    public func adaptiveAveragePool2D(size: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("adaptive_avg_pool2d", [.tensor(self)], ["output_size": .ints(size)], file, line) {
            ctorch_adaptive_avg_pool2d(handle, size, size.count, $0)
        }
    }

    /// `softmax(query · keyᵀ * scale + mask) · value` with `[batch, heads, tokens, width]`; `scale` is `1 / √width`
    /// unless given. A boolean mask is true where a query may look; a float one is added. Dropout draws from libtorch's
    /// default generator.
    public static func scaledDotProductAttention(
        query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, isCausal: Bool = false, dropout: Double = 0,
        scale: Double? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "scaled_dot_product_attention", [.tensor(query), .tensor(key), .tensor(value), .optional(mask)],
            ["dropout_p": .double(dropout), "is_causal": .bool(isCausal), "scale": .double(scale)], file, line
        ) {
            ctorch_scaled_dot_product_attention(
                query.handle, key.handle, value.handle, mask?.handle, dropout, isCausal, scale ?? 0, scale != nil, $0
            )
        }
    }

    /// The cross entropy of `logits` `[count, classes, …]` against int64 class indices `[count, …]` or probabilities.
    public static func crossEntropy(
        _ logits: Tensor, targets: Tensor, weight: Tensor? = nil, reduction: Reduction = .mean, ignoreIndex: Int = -100,
        labelSmoothing: Double = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "cross_entropy_loss", [.tensor(logits), .tensor(targets), .optional(weight)],
            [
                "reduction": .int(reduction.rawValue), "ignore_index": .int(ignoreIndex),
                "label_smoothing": .double(labelSmoothing),
            ], file, line
        ) {
            ctorch_cross_entropy_loss(
                logits.handle, targets.handle, weight?.handle, reduction.rawValue, ignoreIndex, labelSmoothing, $0
            )
        }
    }

    /// The negative log-likelihood of `logProbabilities` `[count, classes]` at int64 class indices `[count]`.
    public static func nllLoss(
        _ logProbabilities: Tensor, targets: Tensor, weight: Tensor? = nil, reduction: Reduction = .mean,
        ignoreIndex: Int = -100, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "nll_loss", [.tensor(logProbabilities), .tensor(targets), .optional(weight)],
            ["reduction": .int(reduction.rawValue), "ignore_index": .int(ignoreIndex)], file, line
        ) {
            ctorch_nll_loss(
                logProbabilities.handle, targets.handle, weight?.handle, reduction.rawValue, ignoreIndex, $0
            )
        }
    }

    /// The binary cross entropy of `sigmoid(logits)` against `targets` in 0...1.
    public static func binaryCrossEntropyWithLogits(
        _ logits: Tensor, targets: Tensor, weight: Tensor? = nil, positiveWeight: Tensor? = nil,
        reduction: Reduction = .mean, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "binary_cross_entropy_with_logits",
            [.tensor(logits), .tensor(targets), .optional(weight), .optional(positiveWeight)],
            ["reduction": .int(reduction.rawValue)], file, line
        ) {
            ctorch_binary_cross_entropy_with_logits(
                logits.handle, targets.handle, weight?.handle, positiveWeight?.handle, reduction.rawValue, $0
            )
        }
    }

    /// The squared differences.
    public static func mseLoss(
        _ prediction: Tensor, target: Tensor, reduction: Reduction = .mean, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "mse_loss", [.tensor(prediction), .tensor(target)], ["reduction": .int(reduction.rawValue)], file, line
        ) {
            ctorch_mse_loss(prediction.handle, target.handle, reduction.rawValue, $0)
        }
    }

    /// The absolute differences, squared and halved below `beta`.
    public static func smoothL1Loss(
        _ prediction: Tensor, target: Tensor, reduction: Reduction = .mean, beta: Double = 1,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "smooth_l1_loss", [.tensor(prediction), .tensor(target)],
            ["reduction": .int(reduction.rawValue), "beta": .double(beta)], file, line
        ) {
            ctorch_smooth_l1_loss(prediction.handle, target.handle, reduction.rawValue, beta, $0)
        }
    }

    /// `target * (log(target) - logProbabilities)`.
    public static func klDivergence(
        _ logProbabilities: Tensor, target: Tensor, reduction: Reduction = .mean, logTarget: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "kl_div", [.tensor(logProbabilities), .tensor(target)],
            ["reduction": .int(reduction.rawValue), "log_target": .bool(logTarget)], file, line
        ) {
            ctorch_kl_div(logProbabilities.handle, target.handle, reduction.rawValue, logTarget, $0)
        }
    }

    /// The discrete Fourier transform of real elements, as complex numbers; see `complexAsReal()`.
    public func rfft(count: Int? = nil, axis: Int = -1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("fft_rfft", [.tensor(self)], ["n": .int(count), "dim": .int(axis)], file, line) {
            ctorch_fft_rfft(handle, count ?? 0, count != nil, axis, $0)
        }
    }

    /// The inverse of `rfft`: real elements from complex ones.
    public func irfft(count: Int? = nil, axis: Int = -1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("fft_irfft", [.tensor(self)], ["n": .int(count), "dim": .int(axis)], file, line) {
            ctorch_fft_irfft(handle, count ?? 0, count != nil, axis, $0)
        }
    }

    /// A view of complex elements as pairs (real, imaginary) on a new last axis of length 2.
    public func complexAsReal(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("view_as_real", [.tensor(self)], [:], file, line) {
            ctorch_view_as_real(handle, $0)
        }
    }

    /// A view of pairs on the last axis, of length 2, as complex elements.
    public func realAsComplex(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("view_as_complex", [.tensor(self)], [:], file, line) {
            ctorch_view_as_complex(handle, $0)
        }
    }
}
