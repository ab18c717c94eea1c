import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// What a loss of some leaves is, and its gradients, which a weighted sum of several losses has too.
struct LossAndGradients {
    let value: [Double]
    let gradients: [[Double]]

    init(_ inputs: [Tensor], _ loss: ([Tensor]) throws -> Tensor) rethrows {
        let leaves = inputs.map { $0.cloned() }
        for leaf in leaves { leaf.requiresGradient = true }
        let value = try loss(leaves)
        let weights = Tensor.linspace(0.5, 1.5, count: value.scalarCount, dtype: value.dtype).reshaped(value.shape)
        let gradients = Tensor.gradients(of: [(value * weights).sum()], withRespectTo: leaves)
        self.value = value.scalars(as: Double.self)
        self.gradients = zip(gradients, leaves).map { ($0 ?? Tensor.zeros(like: $1)).scalars(as: Double.self) }
    }

    func expectClose(
        to other: LossAndGradients, relative: Double = 1e-10, _ name: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        expectClose(to: other.value, other.gradients, relative: relative, name, sourceLocation: sourceLocation)
    }

    /// Tolerances are relative to the value, and to the largest gradient.
    func expectClose(
        to value: [Double], _ gradients: [[Double]], relative: Double = 1e-10, _ name: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        ConcordTestSupport.expectClose(
            self.value, value, absolute: relative / 100, relative: relative, name, sourceLocation: sourceLocation)
        for (index, (actual, expected)) in zip(self.gradients, gradients).enumerated() {
            let largest = expected.map(abs).max() ?? 0
            ConcordTestSupport.expectClose(
                actual, expected, absolute: relative / 100 + relative * largest, "\(name), gradient \(index)",
                sourceLocation: sourceLocation)
        }
    }

    var isFinite: Bool { (value + gradients.flatMap(\.self)).allSatisfy(\.isFinite) }
}

extension Golden.Tensor {
    var tensor: ConcordTensor.Tensor { ConcordTensor.Tensor(values, shape: shape) }
    var labels: ConcordTensor.Tensor { ConcordTensor.Tensor(integers, shape: shape) }
}

/// The distances, margins and choices that scripts/golden/make_triplets.py names.
enum TripletCase {
    static let distances: [String: EmbeddingDistance] = [
        "euclidean": .euclidean(), "manhattan": .euclidean(p: 1), "squared": .squaredEuclidean, "cosine": .cosine,
    ]
    static let choices: [String: PairChoice] = ["hard": .hard, "semihard": .semiHard, "easy": .easy, "all": .all]
    static let difficulties: [String: TripletDifficulty] = [
        "all": .all, "hard": .hard, "semihard": .semiHard, "easy": .easy,
    ]

    static func margin(_ batch: String, _ distance: String) throws -> Double {
        let margins =
            batch == "ties"
            ? ["euclidean": 1.0, "manhattan": 1, "squared": 2]
            : ["euclidean": 0.3, "manhattan": 0.5, "squared": 0.7, "cosine": 0.2]
        return try #require(margins[distance])
    }

    static func mining(_ name: String) throws -> TripletMining {
        let named: [String: TripletMining] = [
            "any": .any, "all": .all, "hard": .hard, "semihard": .semiHard, "easy": .easy, "batchHard": .batchHard,
        ]
        if let mining = named[name] { return mining }
        let (positive, negative) = try pair(name)
        return .easyHard(positive: positive, negative: negative)
    }

    static func pair(_ name: String) throws -> (positive: PairChoice, negative: PairChoice) {
        let parts = name.split(separator: "-").map(String.init)
        return (try #require(choices[parts[0]]), try #require(choices[parts[1]]))
    }
}

/// Expects an error of a code whose message has all of the given words.
func expectError(
    _ code: ConcordError.Code, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("no error; expected \(code.rawValue)", sourceLocation: sourceLocation)
    } catch let error as ConcordError {
        #expect(error.code == code, "\(error.message)", sourceLocation: sourceLocation)
        for word in words {
            #expect(error.message.contains(word), "\(error.message)", sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
}
