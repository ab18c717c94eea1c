import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// The InfoNCE family equals its peers, in value and in every gradient; see scripts/golden/make_infonce.py.
@Suite struct InfoNCEGoldenTests {
    /// One case of the golden file: inputs as leaves, expected loss and gradients.
    struct Case {
        let name: String
        private let golden: [String: Golden.Tensor]
        private(set) var leaves: [String: Tensor] = [:]

        init(_ name: String, _ dtype: DType, inputs: [String]) throws {
            self.name = name
            golden = try Golden.tensors("losses", "infonce.safetensors")
            for input in inputs {
                let value = try #require(golden["\(name).\(input)"])
                let isFloating = golden["\(name).gradient.\(input)"] != nil
                let tensor = Tensor(value.values, shape: value.shape).to(isFloating ? dtype : .int64)
                tensor.requiresGradient = isFloating
                leaves[input] = tensor
            }
        }

        subscript(_ input: String) -> Tensor { leaves[input] ?? .undefined }

        /// Compares loss and gradients; tolerances are relative to the largest value of each tensor, or to the size of
        /// the terms that it is a sum of, where they cancel: the scale in a gradient, the scaled cosines in their sum.
        func check(_ loss: Tensor, _ plan: String) throws {
            loss.sum().backward()
            let expected = try #require(golden["\(name).loss"])
            let isDouble = loss.dtype == .float64
            let scale = golden["\(name).scale"].map { exp($0.values[0]) } ?? 1
            func compare(
                _ what: String, _ actual: [Double], _ expected: [Double], terms: Double = 0, relative: Double
            ) {
                let largest = expected.map(abs).max() ?? 0
                expectClose(
                    actual, expected, absolute: relative * max(largest, terms),
                    "\(name), \(plan), \(loss.dtype): \(what)")
            }
            compare("loss", loss.scalars(), expected.values, relative: isDouble ? 1e-12 : 1e-6)
            for (input, leaf) in leaves where leaf.requiresGradient {
                let gradient = try #require(golden["\(name).gradient.\(input)"])
                let actual = try #require(leaf.gradient, "\(name): \(input) has no gradient")
                compare(
                    "gradient of \(input)", actual.scalars(), gradient.values,
                    terms: scale / Double(max(1, leaf.shape.first ?? 1)), relative: isDouble ? 1e-10 : 1e-5)
            }
        }
    }

    static var plans: [(name: String, plan: ScorePlan)] {
        [
            ("dense", .dense), ("tiled by 3", .tiled(rows: 3)), ("tiled by 64", .tiled(rows: 64)),
        ]
    }

    private func run(
        _ name: String, _ inputs: [String], _ loss: (Case, ScorePlan) throws -> Tensor
    ) throws {
        for dtype in [DType.float64, .float32] {
            for (planName, plan) in Self.plans {
                let example = try Case(name, dtype, inputs: inputs)
                try example.check(loss(example, plan), planName)
            }
        }
    }

    @Test(arguments: ["clip", "clip.identical", "clip.opposite", "clip.one"])
    func symmetricLossOfOpenCLIP(_ name: String) throws {
        try run(name, ["first", "second", "scale"]) {
            try InfoNCE(logitScale: $0["scale"])($0["first"], $0["second"], plan: $1)
        }
    }

    @Test(arguments: ["siglip", "siglip.opposite"]) func sigmoidLossOfOpenCLIP(_ name: String) throws {
        try run(name, ["first", "second", "scale", "bias"]) {
            try SigmoidLoss(logitScale: $0["scale"], logitBias: $0["bias"])($0["first"], $0["second"], plan: $1)
        }
    }

    @Test func labelSmoothingOfPyTorch() throws {
        try run("smoothed", ["first", "second", "scale"]) {
            var loss = InfoNCE(logitScale: $0["scale"])
            loss.labelSmoothing = 0.1
            return try loss($0["first"], $0["second"], plan: $1)
        }
    }

    @Test(arguments: [("multiple", DuplicatePolicy.positives), ("ignoring", .ignored)])
    func samplesWithTheSameLabel(_ name: String, _ duplicates: DuplicatePolicy) throws {
        try run(name, ["first", "second", "scale", "labels"]) {
            var loss = InfoNCE(logitScale: $0["scale"])
            loss.duplicates = duplicates
            return try loss($0["first"], $0["second"], labels: $0["labels"], plan: $1)
        }
    }

    /// The same pairs, said by masks.
    @Test(arguments: ["multiple", "ignoring"]) func masksSayTheSameAsLabels(_ name: String) throws {
        try run(name, ["first", "second", "scale", "labels"]) {
            let same = $0["labels"].unsqueezed(1).equal(to: $0["labels"])
            let others = same.logicalAnd(Tensor.identity(7, dtype: .bool).logicalNot())
            let masks = name == "multiple" ? PairMasks(positives: same) : PairMasks(ignored: others)
            return try InfoNCE(logitScale: $0["scale"])(
                $0["first"], $0["second"], labels: nil, masks: masks, plan: $1)
        }
    }

    @Test func hardnessOfSentenceTransformers() throws {
        try run("hard", ["first", "second"]) {
            var loss = try InfoNCE(temperature: 0.05)
            loss.isSymmetric = false
            loss.hardness = 5
            return try loss($0["first"].normalized(), $0["second"].normalized(), plan: $1)
        }
    }

    @Test(arguments: [
        ("shared", Reduction.mean), ("shared.none", .none), ("each", .mean), ("each.sum", .sum), ("in_batch", .mean),
    ])
    func explicitNegatives(_ name: String, _ reduction: Reduction) throws {
        let hasNegatives = name != "in_batch"
        try run(name, ["anchor", "positive"] + (hasNegatives ? ["negatives"] : [])) { example, _ in
            try infoNCELoss(
                anchor: example["anchor"], positive: example["positive"],
                negatives: hasNegatives ? example["negatives"] : nil, reduction: reduction)
        }
    }

    @Test(arguments: [("ntxent", 0.5), ("ntxent.metric", 0.2)])
    func viewsOfLightlyAndMetricLearning(_ name: String, _ temperature: Double) throws {
        try run(name, ["first", "second"]) {
            try ntXentLoss($0["first"], $0["second"], temperature: temperature, plan: $1)
        }
    }

    @Test func decoupledLossOfLightly() throws {
        try run("decoupled", ["first", "second"]) {
            try decoupledContrastiveLoss($0["first"], $0["second"], plan: $1)
        }
    }

    @Test func supConOfMetricLearning() throws {
        try run("supcon", ["embeddings", "labels"]) {
            try supConLoss($0["embeddings"], labels: $0["labels"], plan: $1)
        }
    }
}
