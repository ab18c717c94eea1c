import ConcordCore
import ConcordRuntime

/// Weights and activations in 8 bits: smaller, and faster than float32 on every processor that was measured.
///
/// Activations are unsigned, with a range for each that was found beforehand (``ActivationStatistics``), so a sample's
/// result does not depend on those beside it. Weights are signed, with a scale for each output. The graph has pairs of
/// `QuantizeLinear` and `DequantizeLinear` around products and convolutions, which ONNX Runtime turns into products of
/// 8-bit numbers when it loads it; attention, norms and sums stay float32. Tables are as with ``WeightQuantization``.
public struct StaticQuantization: Hashable, Sendable {
    /// By the name of the value: the input of each product, the input and the result of each convolution.
    public var ranges: [String: ActivationRange]
    /// Leaves weights 7 of their 8 bits.
    ///
    /// A model with 8 bits gives wrong results on processors where `CPUFeatures.int8DotSaturates` holds; one with 7 is right
    /// everywhere, and a little less exact. The model says what it has, under `OnnxModelMetadata.weightBitsKey`.
    public var reducesWeightRange: Bool
    /// Weights with fewer elements stay as they are.
    public var minimumElementCount = 4096

    /// - Parameters:
    ///   - ranges: those of ``ActivationStatistics/ranges(_:)``.
    ///   - reducesWeightRange: what suits this processor, if it is the one that the model will run on.
    public init(ranges: [String: ActivationRange], reducesWeightRange: Bool = CPUFeatures.int8DotSaturates) {
        self.ranges = ranges
        self.reducesWeightRange = reducesWeightRange
    }

    /// The largest number that a weight becomes.
    var weightLimit: Int { reducesWeightRange ? 63 : 127 }

    func range(of value: String, for layer: QuantizableLayer) throws(ConcordError) -> ActivationRange {
        guard let range = ranges[value] else {
            throw ConcordError(
                .invalidArgument,
                "the layer '\(layer.name)' needs the range of the activation '\(value)'; collect statistics of this very "
                    + "model")
        }
        return range
    }
}
