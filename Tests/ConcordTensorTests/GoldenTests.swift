import ConcordCore
import ConcordTensor
import Foundation
import Testing

/// Values and gradients of the operations against PyTorch (scripts/golden/make_tensor.py).
@Suite struct GoldenTests {
    // An unreadable file gives no cases, which `everyCaseHasAnOperation` notices.
    static let golden: [GoldenCase] = (try? load()) ?? []

    private static func load() throws -> [GoldenCase] {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Golden/tensor/operations.json")
        let file = try JSONValue(parsing: String(contentsOf: path, encoding: .utf8))
        return try #require(file["cases"]?.elements).map(GoldenCase.init)
    }

    @Test func everyCaseHasAnOperation() {
        #expect(Set(Self.golden.map(\.name)) == Set(goldenOperations.keys))
    }

    /// In float64 the same library must give the same numbers, up to the order of sums.
    @Test(arguments: golden) func agreesInDouble(_ golden: GoldenCase) throws {
        try check(golden, dtype: .float64, tolerance: 1e-12)
    }

    @Test(arguments: golden) func agreesInFloat(_ golden: GoldenCase) throws {
        try check(golden, dtype: .float32, tolerance: 1e-6)
    }

    private func weights(_ shape: [Int]) -> Tensor {
        let indices = 0..<shape.reduce(1, *)
        let values: [Int] = indices.map { (7 * $0 + 3) % 11 - 5 }
        return Tensor(values.map { Double($0) / 8 }, shape: shape)
    }

    private func check(_ golden: GoldenCase, dtype: DType, tolerance: Double) throws {
        let operation = try #require(goldenOperations[golden.name], "no operation for \(golden.name)")
        let inputs = golden.inputs.map { $0.tensor(floats: dtype) }
        for input in inputs where input.dtype.isFloatingPoint { input.requiresGradient = true }
        let outputs = operation(inputs)
        try #require(outputs.count == golden.outputs.count)
        var loss = Tensor(0, dtype: dtype)
        for (index, (output, expected)) in zip(outputs, golden.outputs).enumerated() {
            #expect(output.shape == expected.shape, "\(golden.name) output \(index)")
            let isFloat = output.dtype.isFloatingPoint
            #expect(isFloat == (expected.dtype == .float64), "\(golden.name) output \(index) is \(output.dtype)")
            expectClose(output.scalars(as: Double.self), expected.values, tolerance, "\(golden.name) output \(index)")
            if isFloat && output.requiresGradient {
                loss = loss + (output * weights(output.shape).to(dtype)).sum()
            }
        }
        guard golden.gradients.contains(where: { !$0.isEmpty }) else { return }
        let leaves = inputs.filter(\.requiresGradient)
        let gradients = Tensor.gradients(of: [loss], withRespectTo: leaves)
        try #require(gradients.count == golden.gradients.count)
        for (index, (gradient, expected)) in zip(gradients, golden.gradients).enumerated() {
            // The gradient of a sum of several terms may lose digits by cancellation.
            expectClose(
                gradient?.scalars(as: Double.self) ?? [], expected, tolerance, "\(golden.name) gradient \(index)")
        }
    }
}

struct GoldenCase: Sendable, CustomTestStringConvertible {
    struct Array: Sendable {
        let shape: [Int]
        let dtype: DType
        let values: [Double]

        init(_ json: JSONValue) throws {
            shape = try #require(json["shape"]?.elements).map { try #require($0.int) }
            dtype = try #require(json["dtype"]?.string.flatMap(DType.init))
            values = try #require(json["values"]?.elements).map { try #require($0.double) }
        }

        func tensor(floats: DType) -> Tensor {
            Tensor(values, shape: shape).to(dtype == .float64 ? floats : dtype)
        }
    }

    let name: String
    let inputs: [Array]
    let outputs: [Array]
    let gradients: [[Double]]

    init(_ json: JSONValue) throws {
        name = try #require(json["name"]?.string)
        inputs = try #require(json["inputs"]?.elements).map(Array.init)
        outputs = try #require(json["outputs"]?.elements).map(Array.init)
        gradients = try #require(json["gradients"]?.elements).map { list in
            try #require(list.elements).map { try #require($0.double) }
        }
    }

    var testDescription: String { name }
}

/// Expects equal counts and elements, with an error relative to the largest element (at least 1).
func expectClose(
    _ values: [Double], _ expected: [Double], _ tolerance: Double, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard values.count == expected.count else {
        Issue.record("\(what): \(values.count) elements, not \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = max(1, expected.map(abs).max() ?? 1)
    for (index, (value, wanted)) in zip(values, expected).enumerated()
    where !(abs(value - wanted) <= tolerance * scale) && !(value.isNaN && wanted.isNaN) {
        Issue.record("\(what): element \(index) is \(value), not \(wanted)", sourceLocation: sourceLocation)
        return
    }
}
