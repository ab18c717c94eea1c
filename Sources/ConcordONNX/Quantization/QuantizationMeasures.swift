/// How near a quantized model is to the float32 one, and how good it is.
public struct QuantizationMeasures: Hashable, Sendable {
    /// The mean of the cosines between each sample's output and that of the float32 model.
    public var meanCosine: Double
    /// The least of them.
    public var worstCosine: Double
    /// The cosine of each sample, in their order; empty where they were not kept.
    public var cosines: [Double]
    /// Further ones, by name, of which more is better: `recall@1`.
    public var others: [String: Double]

    public init(
        meanCosine: Double, worstCosine: Double, cosines: [Double] = [], others: [String: Double] = [:]
    ) {
        self.meanCosine = meanCosine
        self.worstCosine = worstCosine
        self.cosines = cosines
        self.others = others
    }
}
