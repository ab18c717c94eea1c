import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTrain
import Foundation

/// One run of the matrix of runs: 20 steps of a small model.
struct RunCell: Hashable {
    enum Recipe: String, CaseIterable {
        case clip = "CLIP"
        case coca = "CoCa"
        case sigLIP = "SigLIP"
        case triplet
    }

    let recipe: Recipe
    let isCached: Bool
    let hasDropout: Bool
    let dtype: DType
    /// Whether processes share out the optimizer's moments.
    let isSharded: Bool

    var name: String {
        [
            recipe.rawValue, isCached ? "cached" : "dense", hasDropout ? "dropout" : "none", dtype.rawValue,
            isSharded ? "sharded" : "whole",
        ].joined(separator: "/")
    }

    /// The cells of a world of so many processes.
    ///
    /// - Parameter isSmall: every recipe once, for the tests.
    static func all(worldSize: Int, isSmall: Bool) -> [RunCell] {
        Recipe.allCases.enumerated().flatMap { number, recipe in
            [false, true].flatMap { isCached in
                [false, true].flatMap { hasDropout in
                    [DType.float64, .float32].flatMap { dtype in
                        [false, true].filter { !$0 || worldSize > 1 }.map { isSharded in
                            RunCell(
                                recipe: recipe, isCached: isCached, hasDropout: hasDropout, dtype: dtype,
                                isSharded: isSharded)
                        }
                    }
                }
            }.filter { cell in
                !isSmall || (cell.isCached == (number % 2 == 0) && cell.hasDropout == (number / 2 == 0))
            }
        }
    }

    /// The run that others are compared with: one process, all activations at once.
    var reference: RunCell {
        RunCell(recipe: recipe, isCached: false, hasDropout: hasDropout, dtype: dtype, isSharded: false)
    }
}

/// The steps of a cell, in this process and those of its group.
struct RunSteps {
    static let count = 20
    private static let sizes = [11, 11, 7]

    let cell: RunCell
    let group: ProcessGroup?

    /// The losses of all steps, and the weights after the last.
    func take() throws -> (losses: [Double], weights: [(String, Tensor)]) {
        let store = ParameterStore(seed: 3, dtype: cell.dtype)
        let model = model(store)
        let trainer = Trainer(model: model, objectives: try objectives(model), options: options)
        let losses = try (0..<Self.count).map { step in
            try trainer.step(step, batch(step), measures: step == 5).loss
        }
        return (losses, store.parameters.map { ($0.name, $0.tensor.detached()) })
    }

    private func model(_ store: ParameterStore) -> any ImageTextEncoder {
        var text = TextTransformerConfiguration(
            vocabularySize: 40, width: 16, intermediateWidth: 32, layers: 1, heads: 2, contextLength: 8,
            activation: .gelu, padToken: 0, startToken: 1, endToken: 39, pooling: .argmax)
        var vision = VisionTransformerConfiguration(
            width: 16, intermediateWidth: 32, layers: 1, heads: 2, imageSize: 16, patchSize: 4, activation: .gelu)
        guard cell.recipe == .coca else {
            var model = DualEncoder(
                DualEncoderConfiguration(
                    text: .transformer(text), vision: vision, projectionWidth: 12, initialLogitScale: log(10),
                    initialLogitBias: cell.recipe == .sigLIP ? -10 : nil), store: store)
            model.patchDropout = cell.hasDropout ? 0.4 : 0
            return model
        }
        text.classTokenMask = .correct
        vision.queryPooling = QueryPoolingConfiguration(queries: 5, width: 16, heads: 2)
        vision.normalizesAfterPooling = false
        var model = CoCa(
            CoCaConfiguration(
                text: text, vision: vision,
                decoder: .init(width: 16, intermediateWidth: 32, layers: 1, heads: 2), projectionWidth: 12),
            store: store)
        model.patchDropout = cell.hasDropout ? 0.4 : 0
        return model
    }

    private func objectives(_ model: any ImageTextEncoder) throws -> [any TrainingObjective] {
        let scale = model.logitScale
        switch cell.recipe {
        case .clip: return [ContrastiveObjective(InfoNCE(logitScale: scale))]
        case .sigLIP:
            let bias = model.logitBias ?? .zeros([])
            return [ContrastiveObjective(SigmoidLoss(logitScale: scale, logitBias: bias))]
        case .triplet: return [ContrastiveObjective(try TripletMarginLoss(margin: 0.2, mining: .batchHard))]
        case .coca:
            var objectives: [any TrainingObjective] = [ContrastiveObjective(InfoNCE(logitScale: scale))]
            if let model = model as? any CaptioningModel { objectives.append(CaptioningObjective(model)) }
            return objectives
        }
    }

    private var options: Trainer.Options {
        var options = Trainer.Options(
            schedule: LearningRateSchedule(.cosine, peak: 1e-3, warmupSteps: 3, totalSteps: Self.count),
            plan: cell.isCached ? .cached(chunk: 2, scores: .tiled(rows: 4)) : .dense, gradientClip: 1,
            averageDecay: 0.9, seed: 5, group: group)
        options.shardsOptimizer = cell.isSharded
        return options
    }

    /// This process's rows of a batch: pictures, and two captions of each, of unequal lengths.
    private func batch(_ step: Int) throws -> Batch {
        let count = Self.sizes[step % Self.sizes.count]
        var random = RandomSource(seed: UInt64(step), stream: 1)
        let ids = (0..<count * 2).flatMap { _ -> [Int64] in
            let length = 3 + random.index(below: 6)
            return (0..<8).map { place in
                place == 0 ? 1 : place == length - 1 ? 39 : place >= length ? 0 : Int64(2 + random.index(below: 36))
            }
        }
        let lengths = (0..<count * 2).map { text in
            Int64(8 - ids[text * 8..<text * 8 + 8].reversed().prefix { $0 == 0 }.count)
        }
        let pixels = Tensor.normal([count, 3, 16, 16], generator: Generator(seed: UInt64(step))).to(cell.dtype)
        let rows = DistributedSampler(
            count: count, batchSize: count, seed: 0, rank: group?.rank ?? 0, worldSize: group?.worldSize ?? 1
        ).share(of: count)
        func own(_ tensor: Tensor) -> Tensor { tensor.narrowed(axis: 0, from: rows.lowerBound, count: rows.count) }
        return try Batch(
            [
                .image: ModalityBatch(own(pixels)),
                .text: ModalityBatch(
                    own(Tensor(ids, shape: [count, 2, 8])), lengths: own(Tensor(lengths, shape: [count, 2])),
                    hasViews: true),
            ], firstRow: rows.lowerBound)
    }
}

/// What a cell came to in a world of processes, against its reference.
struct RunRow {
    let cell: RunCell
    let world: Int
    /// The largest difference of a weight, and the largest of a loss relative to it.
    let weightError, lossError: Double
    /// Whether all weights have the bits of the same run with the moments kept whole; nil where they are.
    let hasSameBits: Bool?

    var json: JSONValue {
        .object([
            .init("recipe", .string(cell.recipe.rawValue)), .init("cached", .bool(cell.isCached)),
            .init("dropout", .bool(cell.hasDropout)), .init("dtype", .string(cell.dtype.rawValue)),
            .init("sharded", .bool(cell.isSharded)), .init("world", .integer(world)),
            .init("weight_error", .number(weightError)), .init("loss_error", .number(lossError)),
            .init("same_bits", hasSameBits.map { .bool($0) } ?? .null),
        ])
    }
}

/// Runs of a number of processes, and their comparison with one.
struct RunWorld {
    let size: Int
    let isSmall: Bool

    /// - Parameter references: the losses and weights of cells in one process, filled as they are needed.
    func compare(
        _ references: inout [RunCell: (losses: [Double], weights: [(String, Tensor)])]
    ) throws -> [RunRow] {
        let cells = RunCell.all(worldSize: size, isSmall: isSmall)
        return try ProcessWorld(size: size).run(["--runs"] + (isSmall ? ["--small"] : [])) { results in
            try cells.map { cell in
                let key = cell.reference
                let reference = try references[key] ?? RunSteps(cell: key, group: nil).take()
                references[key] = reference
                func result(_ cell: RunCell, _ name: String) throws -> Tensor {
                    guard let tensor = results[cell.name + ":" + name] else {
                        throw ConcordError(.processGroup, "no result of \(cell.name) for \(name)")
                    }
                    return tensor
                }
                let losses = try result(cell, "losses").scalars(as: Double.self)
                let lossError = zip(losses, reference.losses).map { abs($0 - $1) / abs($1) }.max() ?? .infinity
                var weightError = 0.0, hasSameBits = true
                let whole = RunCell(
                    recipe: cell.recipe, isCached: cell.isCached, hasDropout: cell.hasDropout, dtype: cell.dtype,
                    isSharded: false)
                for (name, expected) in reference.weights {
                    let actual = try result(cell, name)
                    weightError = max(weightError, (actual - expected).abs().max().item())
                    let other = try result(whole, name)
                    hasSameBits = hasSameBits && actual.scalars(as: Double.self) == other.scalars(as: Double.self)
                }
                return RunRow(
                    cell: cell, world: size, weightError: weightError, lossError: lossError,
                    hasSameBits: cell.isSharded ? hasSameBits : nil)
            }
        }
    }
}

/// The matrix of runs for people.
struct RunTable {
    private let rows: [RunRow]

    init(_ rows: [RunRow]) { self.rows = rows }

    func print() {
        Swift.print(
            "\(RunSteps.count) steps against one process with all activations at once, batches of 11, 11 and 7:")
        Swift.print(
            "the largest difference of a weight in float64, of a loss in float32 (relative), and whether shared-out")
        Swift.print("moments give the same bits.")
        line("recipe", "plan", "dropout", "processes", "float64", "float32", "sharded")
        for row in rows where row.cell.dtype == .float64 && !row.cell.isSharded {
            let same = rows.filter {
                $0.world == row.world && $0.cell.recipe == row.cell.recipe && $0.cell.isCached == row.cell.isCached
                    && $0.cell.hasDropout == row.cell.hasDropout
            }
            let single = same.first { $0.cell.dtype == .float32 && !$0.cell.isSharded }
            let bits = same.compactMap(\.hasSameBits)
            line(
                row.cell.recipe.rawValue, row.cell.isCached ? "cached" : "dense",
                row.cell.hasDropout ? "yes" : "no", "\(row.world)", String(format: "%.1e", row.weightError),
                single.map { String(format: "%.1e", $0.lossError) } ?? "–",
                bits.isEmpty ? "–" : bits.allSatisfy(\.self) ? "same bits" : "DIFFERENT")
        }
    }

    private func line(_ columns: String...) {
        let texts = zip(columns, [10, 8, 9, 11, 10, 10, 10]).map { text, width in
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        Swift.print(texts.joined())
    }
}

/// One process of a world: takes the steps of every cell, and as rank 0 writes losses and weights.
struct RunWorker {
    /// Where the results go.
    let folder: String
    let isSmall: Bool

    func run() throws {
        guard let group = try ProcessGroup.fromEnvironment(timeout: 60) else {
            throw ConcordError(.invalidConfiguration, "a worker needs MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE")
        }
        var results: [(String, Tensor)] = []
        for cell in RunCell.all(worldSize: group.worldSize, isSmall: isSmall) {
            let (losses, weights) = try RunSteps(cell: cell, group: group).take()
            results.append((cell.name + ":losses", Tensor(losses)))
            results += weights.map { (cell.name + ":" + $0, $1) }
        }
        if group.rank == 0 { try TensorFile.write(results, to: ProcessWorld.results(in: folder)) }
    }
}
