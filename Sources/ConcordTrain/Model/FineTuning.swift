import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// The parameters that a run trains: which are frozen, by tower or by name, and which adapted.
struct FineTuning {
    private let train: Recipe.TrainSection

    init(_ train: Recipe.TrainSection) { self.train = train }

    /// Stops the training of everything that the recipe keeps.
    ///
    /// - Throws: `.invalidConfiguration` for a lock of more blocks than there are or of weights that are new, a rank
    ///   that is not low, and when nothing is left to train.
    func apply(to model: any ImageTextEncoder) throws(ConcordError) {
        try lock(.image, train.lockImage, blocks: model.visionConfiguration.layers, model.store)
        try lock(.text, train.lockText, blocks: model.textConfiguration.layers, model.store)
        try adapt(model)
        try model.store.freeze(matching: train.frozen)
        guard model.store.trainable.contains(where: { Tower.place(of: $0) != nil }) else {
            throw ConcordError(
                .invalidConfiguration,
                "train.lock_image, train.lock_text and train.frozen leave nothing of either tower to train; freeze less"
            )
        }
    }

    private func lock(_ tower: Tower, _ lock: FreezeDepth, blocks: Int, _ store: ParameterStore) throws(ConcordError) {
        let key = tower == .image ? "train.lock_image" : "train.lock_text"
        if case .blocks(let count) = lock, count > blocks {
            throw ConcordError(
                .invalidConfiguration,
                "\(key) is \(count), but the \(tower.rawValue) tower has \(blocks) blocks; give at most \(blocks), or "
                    + "all for everything after them, too")
        }
        func isLocked(_ parameter: Parameter) -> Bool {
            guard let place = Tower.place(of: parameter), place.tower == tower else { return false }
            return lock.holds(place.part)
        }
        if let new = store.parameters.first(where: { isLocked($0) && $0.origin != .checkpoint }) {
            throw ConcordError(
                .invalidConfiguration,
                "\(key) \(lock) would freeze \(new.name), which is drawn at random; freeze the \(blocks) blocks alone with "
                    + "\(key) \(blocks)")
        }
        store.freeze(where: isLocked)
    }

    /// In an adapted tower all that was read from a checkpoint stays.
    private func adapt(_ model: any ImageTextEncoder) throws(ConcordError) {
        let adapters = train.adapters
        guard adapters.rank > 0 else { return }
        for tower in adapters.towers {
            let width = tower == .image ? model.visionConfiguration.width : model.textConfiguration.width
            guard adapters.rank <= width else {
                throw ConcordError(
                    .invalidConfiguration,
                    "train.lora.rank \(adapters.rank) is above \(width), the width of the \(tower.rawValue) tower; "
                        + "choose a low rank, such as 8")
            }
        }
        let towers = Set(adapters.towers)
        model.store.freeze { parameter in
            guard parameter.origin == .checkpoint, let place = Tower.place(of: parameter) else { return false }
            return towers.contains(place.tower)
        }
    }

    /// Whether the vectors of captions stay the same from step to step.
    func freezesText(of model: any ImageTextEncoder) -> Bool {
        // A frozen tower with adapters trains, and none of the towers' own layers draws while training.
        !model.store.trainable.contains { Tower.place(of: $0)?.tower == .text }
    }

    /// A line for the user: how many parameters train, and how many come from a checkpoint.
    static func summary(_ store: ParameterStore, from start: String?) -> String {
        func count(_ fits: (Parameter) -> Bool) -> String {
            let count = store.parameters.filter(fits).reduce(0) { $0 + $1.tensor.scalarCount }
            return count < 100_000 ? "\(count)" : NumberText.significant(Double(count) / 1e6) + " M"
        }
        var text = "trainable: \(count { $0.tensor.requiresGradient }) of \(count { _ in true }) parameters"
        if let start { text += "; \(count { $0.origin == .checkpoint }) are from \(start)" }
        return text
    }
}

/// The part of a tower that is frozen.
public enum FreezeDepth: Sendable, Hashable, CustomStringConvertible {
    case none
    /// The whole tower, with its last norm, its pooling and its projection.
    case all
    /// The embeddings and so many blocks, counted from the input.
    case blocks(Int)

    /// Reads `none`, `all` or a number; nil for anything else.
    public init?(_ text: String) {
        switch text {
        case "none": self = .none
        case "all": self = .all
        default:
            guard let count = Int(text), count >= 0 else { return nil }
            self = .blocks(count)
        }
    }

    public var description: String {
        switch self {
        case .none: "none"
        case .all: "all"
        case .blocks(let count): String(count)
        }
    }

    /// Whether a parameter at that place keeps its value.
    func holds(_ part: Tower.Part) -> Bool {
        switch (self, part) {
        case (.none, _): false
        case (.all, _), (.blocks, .embeddings): true
        case (.blocks(let count), .block(let index)): index < count
        case (.blocks, .head): false
        }
    }
}

/// Lower learning rates for the layers nearer to the input (Bao et al. 2021, BEiT).
///
/// The layers of a tower of L blocks are numbered from 0, the embeddings, over 1…L, the blocks, to L + 1, the head; a
/// layer `i` learns at `decay^(L + 1 − i)` of the rate. What belongs to no tower learns at the full rate.
public struct LayerDecay: Sendable, Hashable {
    public let decay: Double
    private let blocks: [Tower: Int]

    public init(_ decay: Double, model: any ImageTextEncoder) {
        self.decay = decay
        blocks = [.image: model.visionConfiguration.layers, .text: model.textConfiguration.layers]
    }

    /// The factor on the learning rate of a parameter.
    public func factor(for parameter: Parameter) -> Double {
        guard let (tower, part) = Tower.place(of: parameter) else { return 1 }
        let blocks = blocks[tower] ?? 0
        let depth =
            switch part {
            case .embeddings: blocks + 1
            case .block(let index): blocks - index
            case .head: 0
            }
        return pow(decay, Double(depth))
    }
}

extension TextTowerConfiguration {
    /// Blocks of the tower.
    var layers: Int {
        switch self {
        case .transformer(let text): text.layers
        case .bert(let text): text.layers
        }
    }
}

extension Tower {
    /// Where in a tower a parameter stands, from its input to its output.
    public enum Part: Sendable, Hashable {
        /// Patch, token, position and class embeddings, and a norm before the first block.
        case embeddings
        /// A block of the transformer, the first being 0.
        case block(Int)
        /// The norm behind the blocks, the pooling and the projection.
        case head
    }

    /// Where a parameter of a dual encoder stands; nil for those that belong to no tower: logit scale and bias.
    public static func place(of parameter: Parameter) -> (tower: Tower, part: Part)? {
        let name = parameter.name.split(separator: ".")
        for tower in allCases {
            if name[0] == tower.projection { return (tower, .head) }
            guard name[0] == tower.root, name.count > 1 else { continue }
            if ["embeddings", "pre_layrnorm"].contains(name[1]) { return (tower, .embeddings) }
            if name[1] == "encoder", name.count > 3, let block = Int(name[3]) { return (tower, .block(block)) }
            return (tower, .head)
        }
        return nil
    }
}
