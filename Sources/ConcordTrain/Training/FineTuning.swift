import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor

/// Which parameters a run changes: what is locked, adapted and frozen by name.
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
                "train.lock_image, train.lock_text and train.frozen leave nothing of either tower to train; keep less")
        }
    }

    private func lock(_ tower: Tower, _ lock: TowerLock, blocks: Int, _ store: ParameterStore) throws(ConcordError) {
        let key = tower == .image ? "train.lock_image" : "train.lock_text"
        if case .blocks(let count) = lock, count > blocks {
            throw ConcordError(
                .invalidConfiguration,
                "\(key) is \(count), but the \(tower.rawValue) tower has \(blocks) blocks; give at most \(blocks), or "
                    + "all for everything behind them, too")
        }
        func isLocked(_ parameter: Parameter) -> Bool {
            guard let place = Tower.place(of: parameter), place.tower == tower else { return false }
            return lock.holds(place.part)
        }
        if let new = store.parameters.first(where: { isLocked($0) && $0.origin != .checkpoint }) {
            throw ConcordError(
                .invalidConfiguration,
                "\(key) \(lock) would lock \(new.name), which is drawn at random; lock the \(blocks) blocks by "
                    + "\(key) \(blocks), and it trains")
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
                        + "adapters of low rank, such as 8, are the point")
            }
        }
        let towers = Set(adapters.towers)
        model.store.freeze { parameter in
            guard parameter.origin == .checkpoint, let place = Tower.place(of: parameter) else { return false }
            return towers.contains(place.tower)
        }
    }

    /// Whether the vectors of captions stay the same from step to step.
    func keepsTexts(of model: any ImageTextEncoder) -> Bool {
        // A frozen tower with adapters trains, and none of the towers' own layers draws while training.
        !model.store.trainable.contains { Tower.place(of: $0)?.tower == .text }
    }

    /// How many parameters train, and where the others come from: for the user, when a run starts.
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
