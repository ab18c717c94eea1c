import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// One vector for any modalities that a row has: early, late and in-between fusion by one value,
/// ``FusionConfiguration``.
///
/// A row goes four ways: each modality's tower embeds it, its first layers see that modality alone, the exchange lets
/// modalities see each other, and the combiner makes one vector of theirs. Only rows that have a modality are encoded;
/// rows with the same modalities go through the exchange together, and nothing stands for what they lack unless the
/// configuration says so. Padding counts for nothing, as lengths say.
///
/// With late fusion the vector of a row that has one modality is that tower's, so towers can be compared and indexed.
/// Training asks for outputs by name: `.embedding(.fused)` of all that a row has, `.embedding(.image)` or
/// `.embedding(.joined([.image, .text]))` of some modalities of the rows that have them all, `.embedding(.target)` of the
/// modalities ``ConcordCore/Modality/target(_:)``, and `.logits`.
public final class FusedModel: ImageTextEncoder {
    public let configuration: FusedModelConfiguration
    public let store: ParameterStore
    /// The logarithm of the logit scale, `[]`.
    public let logitScale: Tensor
    package private(set) var towers: [Modality: any TokenTower]
    package let projections: [Modality: Linear]
    package let exchange: any Exchange
    private let combiner: any Combiner
    /// `[1, width]` each.
    private let missingTokens: [Modality: Tensor]
    /// `[tokens, width]` for each set of present modalities.
    private let prompts: [[Modality]: Tensor]
    package let classifier: Linear?

    /// Makes the model from a store: drawn at random, or read from the store's checkpoints.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member.
    public convenience init(_ configuration: FusedModelConfiguration, store: ParameterStore) throws(ConcordError) {
        try configuration.validate()
        self.init(checked: configuration, store: store)
    }

    /// Makes the model of a configuration that is known to be possible.
    init(checked configuration: FusedModelConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store), fusion = configuration.fusion, modalities = fusion.modalities
        let width = configuration.width, vectorWidth = configuration.projectionWidth
        logitScale = scope.parameter("logit_scale", [], .constant(configuration.initialLogitScale))
        var towers = [Modality: any TokenTower]()
        for modality in modalities { towers[modality] = Self.makeTower(scope / "towers", configuration, modality) }
        self.towers = towers
        projections = modalities.keyed {
            Linear(
                scope / "projections" / $0.name, width, vectorWidth, hasBias: false,
                weightInitializer: .normal(standardDeviation: 1 / Double(width).squareRoot()))
        }
        exchange = Self.makeExchange(scope / "exchange", configuration, towers)
        combiner = makeCombiner(scope / "combiner", fusion.combine, modalities: modalities, width: vectorWidth)
        let small = Initializer.normal(standardDeviation: 0.02)
        missingTokens =
            fusion.missing == .token
            ? modalities.keyed { (scope / "missing").parameter($0.name, [1, width], small) } : [:]
        if case .prompt(let tokens) = fusion.missing {
            let patterns = modalities.nonEmptySubsets
            let made = patterns.map {
                (scope / "prompts").parameter(Modality.joined($0).name, [tokens, width], small)
            }
            prompts = Dictionary(uniqueKeysWithValues: zip(patterns, made))
        } else {
            prompts = [:]
        }
        classifier =
            configuration.classes > 0 ? Linear(scope / "classifier", vectorWidth, configuration.classes) : nil
    }

    private static func makeTower(
        _ scope: ParameterScope, _ configuration: FusedModelConfiguration, _ modality: Modality
    ) -> (any TokenTower)? {
        // One stack for all replaces the layers of each.
        let layers = configuration.fusion.exchange == .full ? configuration.fusion.at : configuration.layers
        switch configuration.tower(of: modality) {
        case .image(var tower):
            tower.layers = layers
            return VisionTransformer(scope / modality.name, tower)
        case .text(var tower):
            tower.layers = layers
            return TextTransformer(scope / modality.name, tower)
        case .speech(var tower):
            tower.layers = layers
            return SpeechTower(scope / modality.name, tower)
        case nil: return nil
        }
    }

    private static func makeExchange(
        _ scope: ParameterScope, _ configuration: FusedModelConfiguration, _ towers: [Modality: any TokenTower]
    ) -> any Exchange {
        let fusion = configuration.fusion, modalities = fusion.modalities
        let stacks = ModalityStacks(
            encoders: towers.mapValues(\.encoder),
            layers: fusion.at..<(fusion.exchange == .full ? fusion.at : configuration.layers))
        guard !configuration.isLate else { return NoExchange(stacks: stacks) }
        let shared = TransformerConfiguration(
            width: configuration.width, intermediateWidth: configuration.intermediateWidth,
            layers: configuration.layers - fusion.at, heads: configuration.heads, activation: .gelu,
            layerNormEpsilon: 1e-5, isCausal: false, initialization: .torchDefaults)
        switch fusion.exchange {
        case .full: return FullExchange(scope, shared, modalities: modalities)
        case .bottleneck(let tokens): return BottleneckExchange(scope, shared, tokens: tokens, stacks: stacks)
        case .cross: return CrossExchange(scope, shared, modalities: modalities, stacks: stacks)
        case .latents(let count): return LatentExchange(scope, shared, count: count, stacks: stacks)
        }
    }

    /// The share of patches left out of each image while training.
    public var patchDropout: Double {
        get { (towers[.image] as? VisionTransformer)?.patchDropout ?? 0 }
        set {
            guard var tower = towers[.image] as? VisionTransformer else { return }
            tower.patchDropout = newValue
            towers[.image] = tower
        }
    }

    /// What the class head makes of vectors: `[…, width] → […, classes]`; nil for a model without one.
    public func logits(_ vectors: Tensor) -> Tensor? { classifier?(vectors) }
}

// MARK: - Forward

/// The tokens of a modality, and the rows that they belong to.
struct OpenedRows {
    let sequence: TokenSequence
    let rows: [Int]
}

extension FusedModel {
    /// The tokens of a modality where others may look in: after the layers that see it alone.
    ///
    /// - Parameters:
    ///   - values: `[rows, …]`.
    ///   - lengths: int64 `[rows]`.
    private func opened(_ modality: Modality, _ values: Tensor, _ lengths: Tensor?) -> TokenSequence {
        guard let tower = towers[modality] else { preconditionFailure("the model has no tower of \(modality)") }
        return tower.embedded(values, lengths: lengths).through(tower.encoder, layers: 0..<configuration.fusion.at)
    }

    /// The unit vectors of rows that all have some modality, `[count, width]`, with the modalities' shares.
    private func combined(_ opened: [Modality: OpenedRows], count: Int) -> Combined {
        let modalities = configuration.fusion.modalities
        var patterns = [[Modality]](repeating: [], count: count)
        for modality in modalities { for row in opened[modality]?.rows ?? [] { patterns[row].append(modality) } }
        let groups = Dictionary(grouping: 0..<count) { patterns[$0] }.sorted { $0.value[0] < $1.value[0] }
        let parts = groups.map { pattern, rows in
            alike(pattern.map { modality in (modality, opened[modality].map { $0.selecting(rows) }) })
        }
        guard parts.count > 1 else { return parts[0] }
        // Back in the order of the rows.
        let order = groups.flatMap(\.value)
        let places = Tensor(order.indices.sorted { order[$0] < order[$1] }.map(Int64.init)).to(parts[0].vector.device)
        func joined(_ tensors: [Tensor]) -> Tensor {
            .concatenated(tensors).indexSelected(axis: 0, places)
        }
        let shares = parts.compactMap(\.shares)
        return Combined(vector: joined(parts.map(\.vector)), shares: shares.isEmpty ? nil : joined(shares))
    }

    /// The vectors of rows that all have the same modalities.
    private func alike(_ present: [(modality: Modality, sequence: TokenSequence?)]) -> Combined {
        let modalities = configuration.fusion.modalities
        let known = Dictionary(
            uniqueKeysWithValues: present.compactMap { entry in entry.sequence.map { (entry.modality, $0) } })
        let rows = present[0].sequence?.tokens.size(0) ?? 0
        let prompt = prompts[present.map(\.modality)].map { $0.unsqueezed(0).expanded(to: [rows] + $0.shape) }
        var sequences = [(modality: Modality, sequence: TokenSequence)](), counts = [Int]()
        for modality in modalities {
            let missing = missingTokens[modality].map {
                TokenSequence($0.unsqueezed(0).expanded(to: [rows] + $0.shape))
            }
            guard let sequence = known[modality] ?? missing else { continue }
            counts.append(sequence.tokens.size(1))
            sequences.append((modality, prompt.map { sequence.appending($0) } ?? sequence))
        }
        let exchanged = zip(exchange(sequences), counts).map { $0.prefix($1) }
        let vectors = zip(sequences, exchanged).map { entry, sequence in
            (modality: entry.modality, vector: vector(of: sequence, entry.modality))
        }
        let result = combiner(vectors)
        let columns = result.shares.map { shares in
            modalities.map { modality in
                vectors.firstIndex { $0.modality == modality }.map { shares.sliced(axis: 1, from: $0, to: $0 + 1) }
                    ?? .full([rows, 1], 0, dtype: shares.dtype, device: shares.device)
            }
        }
        return Combined(vector: result.vector.normalized(), shares: columns.map { .concatenated($0, axis: 1) })
    }

    /// The unit vector that a tower makes of its tokens, `[rows, width]`.
    private func vector(of sequence: TokenSequence, _ modality: Modality) -> Tensor {
        guard let tower = towers[modality], let projection = projections[modality] else {
            preconditionFailure("the model has no tower of \(modality)")
        }
        return projection(tower.pooled(sequence)).normalized()
    }

    /// The vectors of rows, `[count, views, width]`, and shares `[count, views, modalities]`.
    func encode(_ inputs: [Modality: EncoderInput], _ count: Int) -> Combined {
        let views = inputs.values.map { $0.values.size(1) }.max() ?? 1
        var opened = [Modality: OpenedRows]()
        // In order: a part that is computed again must do the same operations.
        for modality in configuration.fusion.modalities {
            guard let input = inputs[modality] else { continue }
            let rows = input.rows ?? Array(0..<count), own = input.values.size(1)
            guard !rows.isEmpty else { continue }
            var sequence = store.withSeeds(ofRows: rows) {
                self.opened(modality, input.values.flattened(to: 1), input.lengths?.flattened(to: 1))
            }
            if own < views {
                // One value stands beside all views of the others.
                let places = rows.indices.flatMap { Array(repeating: Int64($0), count: views) }
                sequence = sequence.selecting(Tensor(places).to(sequence.tokens.device))
            }
            opened[modality] = OpenedRows(
                sequence: sequence, rows: rows.flatMap { row in (0..<views).map { row * views + $0 } })
        }
        let result = combined(opened, count: count * views)
        func split(_ tensor: Tensor) -> Tensor { tensor.reshaped([count, views, tensor.size(1)]) }
        return Combined(vector: split(result.vector), shares: result.shares.map(split))
    }
}

extension OpenedRows {
    /// The tokens of some of the rows, which are all here.
    func selecting(_ wanted: [Int]) -> TokenSequence {
        guard rows != wanted else { return sequence }
        let places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, Int64($0)) })
        return sequence.selecting(Tensor(wanted.compactMap { places[$0] }).to(sequence.tokens.device))
    }
}

extension Array<Modality> {
    /// All subsets with an element, each in order.
    package var nonEmptySubsets: [[Modality]] {
        (1..<1 << count).map { bits in indices.filter { bits >> $0 & 1 == 1 }.map { self[$0] } }
    }
}

extension ModelOutput {
    /// The scores of classes, `[rows, views, classes]`.
    public static let logits = ModelOutput("logits")
}

// MARK: - Training

extension FusedModel {
    public func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
        let modalities = configuration.fusion.modalities
        var encoders = [RowEncoder]()
        if outputs.contains(.embedding(.fused)) || outputs.contains(.logits) {
            encoders.append(
                RowEncoder(
                    anyOf: modalities, dropout: configuration.fusion.dropout,
                    outputs: [.embedding(.fused)] + (classifier == nil ? [] : [.logits])
                ) { [self] inputs, count in
                    let vectors = encode(inputs, count).vector
                    return [vectors] + (classifier.map { [$0(vectors)] } ?? [])
                })
        }
        if outputs.contains(.embedding(.target)) {
            encoders.append(
                RowEncoder(anyOf: modalities.map { .target($0) }, outputs: [.embedding(.target)]) {
                    [self] inputs, count in
                    let own = modalities.compactMap { modality in inputs[.target(modality)].map { (modality, $0) } }
                    return [encode(Dictionary(uniqueKeysWithValues: own), count).vector]
                })
        }
        for subset in modalities.nonEmptySubsets where outputs.contains(.embedding(.joined(subset))) {
            encoders.append(
                RowEncoder(subset, outputs: [.embedding(.joined(subset))]) { [self] inputs in
                    let named = Dictionary(uniqueKeysWithValues: zip(subset, inputs))
                    return [encode(named, inputs[0].values.size(0)).vector]
                })
        }
        return encoders
    }
}
