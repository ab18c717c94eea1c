import ConcordCore
import ConcordNN
import ConcordTensor

/// A model that a trainer can train: its parameters, and the encoders of what objectives ask for.
///
/// ```swift
/// func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
///     [RowEncoder(.image) { pixels, _ in embed(pixels) }, RowEncoder("depth") { maps, _ in embed(depth: maps) }]
/// }
/// ```
public protocol TrainableModel {
    var store: ParameterStore { get }

    /// The encoders that give these outputs, in as few passes as the model needs. An encoder of which no output is asked
    /// for may be left out.
    func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder]

    /// Values of the model for the log of a step, such as the logit scale.
    var loggedValues: [(name: String, value: Double)] { get }

    /// Called after every update of the parameters, for limits on them.
    func didUpdate()
}

extension TrainableModel {
    public var loggedValues: [(name: String, value: Double)] { [] }
    public func didUpdate() {}
}

/// A result of a model, by name: an open set.
public struct ModelOutput: Sendable, Hashable, CustomStringConvertible {
    public let name: String

    public init(_ name: String) { self.name = name }

    /// The unit vectors of a modality, `[rows, views, width]`.
    public static func embedding(_ modality: Modality) -> ModelOutput { ModelOutput("\(modality) embeddings") }

    public var description: String { name }
}

/// The values of a modality as an encoder gets them: `[rows, views, …]`, on the model's device.
public struct EncoderInput {
    public let values: Tensor
    /// How much of each value is no padding, int64 `[rows, views]`; nil when all is.
    public let lengths: Tensor?
    /// The places of the rows among those that the encoder works on; nil for all.
    public let rows: [Int]?

    package init(values: Tensor, lengths: Tensor?, rows: [Int]? = nil) {
        self.values = values
        self.lengths = lengths
        self.rows = rows
    }
}

/// A part of a model that encodes rows of a batch, each by itself: one tower, or several that see each other.
///
/// A plan may give it the whole batch or a chunk of its rows at a time, and may call it again for the backward pass.
public struct RowEncoder {
    /// Which rows of a batch an encoder gets.
    package enum Presence {
        /// Those that have all of its modalities.
        case all
        /// Those that have any of them, after training has taken some away: the share of rows of each modality.
        case any(dropout: [Modality: Double])
    }

    /// The modalities that it reads.
    public let modalities: [Modality]
    public let outputs: [ModelOutput]
    package let presence: Presence
    /// Maps inputs and the number of rows to outputs, each `[rows, views, …]`; no input where no row has the modality.
    package let encode: ([Modality: EncoderInput], _ count: Int) -> [Tensor]

    /// An encoder of the rows that have all of some modalities.
    ///
    /// - Parameter encode: maps the inputs of `modalities` to `outputs`, each `[rows, views, …]`.
    public init(_ modalities: [Modality], outputs: [ModelOutput], encode: @escaping ([EncoderInput]) -> [Tensor]) {
        self.modalities = modalities
        self.outputs = outputs
        presence = .all
        self.encode = { inputs, _ in encode(modalities.compactMap { inputs[$0] }) }
    }

    /// An encoder of the rows that have any of some modalities.
    ///
    /// - Parameters:
    ///   - dropout: the share of rows from which training takes a modality, never the last one that a row has. Drawn from
    ///     the seed, the epoch, the sample's ID and the modality: the same in every batch, on every process, after every
    ///     resume.
    ///   - encode: maps the inputs, of which each says which rows have it, and the number of rows to `outputs`, each
    ///     `[rows, views, …]`. All inputs have one view or the same number of them.
    public init(
        anyOf modalities: [Modality], dropout: [Modality: Double] = [:], outputs: [ModelOutput],
        encode: @escaping ([Modality: EncoderInput], _ count: Int) -> [Tensor]
    ) {
        self.modalities = modalities
        self.outputs = outputs
        presence = .any(dropout: dropout)
        self.encode = encode
    }

    /// A tower of one modality.
    ///
    /// - Parameter embed: maps values `[count, …]`, with their lengths `[count]` where there are any, to unit vectors
    ///   `[count, width]`.
    public init(_ modality: Modality, embed: @escaping (Tensor, _ lengths: Tensor?) -> Tensor) {
        self.init([modality], outputs: [.embedding(modality)]) { inputs in
            let values = inputs[0].values, lengths = inputs[0].lengths
            let vectors = embed(values.flattened(to: 1), lengths?.flattened(to: 1))  // [rows · views, width]
            return [vectors.reshaped([values.size(0), values.size(1)] + vectors.shape.dropFirst())]
        }
    }
}
