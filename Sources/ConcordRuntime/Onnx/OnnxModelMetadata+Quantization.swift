extension OnnxModelMetadata {
    /// Under what a quantized model says how it was made: `int8`, with ranges of activations from a calibration, or
    /// `int8-weights`.
    public static let quantizationMethodKey = "concord.quantization"
    /// Under what a quantized model says how many bits its weights use: `8`, or `7` of a reduced range.
    public static let weightBitsKey = "concord.quantization.weight_bits"

    /// The bits of weights that are multiplied with other 8-bit numbers, 8 or 7; nil where no weights are.
    var multipliedWeightBits: Int? {
        guard entries[Self.quantizationMethodKey] == ArtifactManifest.Precision.int8.rawValue else { return nil }
        return entries[Self.weightBitsKey].flatMap { Int($0) }
    }
}
