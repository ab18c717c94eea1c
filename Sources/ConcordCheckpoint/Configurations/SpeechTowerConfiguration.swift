import ConcordCore

/// A small tower for speech: convolutions that halve the log-mel spectrogram, then a transformer.
///
/// The sizes are those of the front end of the same name: 64 bins, 100 frames a second, so 25 tokens a second after two
/// convolutions.
public struct SpeechTowerConfiguration: Sendable, Hashable {
    /// Mel bins of a frame.
    public var bins: Int
    /// Channels of the convolutions.
    public var channels: Int
    /// Convolutions; each halves frames and bins.
    public var convolutions: Int
    /// Tokens of the longest sound.
    public var positions: Int
    public var width, intermediateWidth, layers, heads: Int
    public var activation: Activation
    public var layerNormEpsilon: Double

    public init(
        bins: Int = 64, channels: Int = 64, convolutions: Int = 2, positions: Int = 512, width: Int = 192,
        intermediateWidth: Int = 768, layers: Int = 4, heads: Int = 4, activation: Activation = .gelu,
        layerNormEpsilon: Double = 1e-5
    ) {
        self.bins = bins
        self.channels = channels
        self.convolutions = convolutions
        self.positions = positions
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
    }

    /// Bins after the convolutions.
    package var reducedBins: Int { (0..<convolutions).reduce(bins) { bins, _ in (bins + 1) / 2 } }

    /// Frames of the longest sound.
    package var frames: Int { positions << convolutions }

    /// - Throws: `.invalidConfiguration`, naming the member.
    package func validate(path: String, prefix: String = "") throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["bins": bins, "channels": channels, "positions": positions], prefix: prefix)
        try check.require(
            (1...6).contains(convolutions), "`\(prefix)convolutions` is \(convolutions), not within 1...6")
        try check.require(width.isMultiple(of: 2), "`\(prefix)hidden_size` is \(width), which is odd")
        // Layers may all be in the exchange of a fused model.
        try check.blocks(
            width: width, intermediateWidth: intermediateWidth, layers: max(1, layers), heads: heads,
            epsilon: layerNormEpsilon, prefix: prefix)
    }
}
