import ConcordCore
import ConcordTensor
import ConcordTestSupport
import Testing

/// One of the files that scripts/golden/make_pair_losses.py wrote.
struct PairGolden {
    var tensors: [String: Golden.Tensor]

    init(_ name: String) throws {
        tensors = try Golden.tensors("losses", name + ".safetensors")
    }

    private func find(_ name: String) throws -> Golden.Tensor {
        try #require(tensors[name], "the golden file has no \(name)")
    }

    /// Numbers as a tensor, without gradient.
    func tensor(_ name: String, _ dtype: DType = .float64) throws -> Tensor {
        let golden = try find(name)
        return Tensor(golden.values, shape: golden.shape).to(dtype)
    }

    /// Numbers as a tensor that gradients flow to.
    func leaf(_ name: String, _ dtype: DType = .float64) throws -> Tensor {
        let tensor = try tensor(name, dtype)
        tensor.requiresGradient = true
        return tensor
    }

    func labels(_ name: String) throws -> Tensor { Tensor(try find(name).integers) }

    /// Runs backward and compares the loss and the whole gradient of each input with the golden ones.
    ///
    /// In float64 to 1e-10 of each value, in float32 to 1e-5 of the largest one of a gradient.
    func expect(
        _ loss: Tensor, _ name: String, _ gradients: [(Tensor, String)],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let expected = try find(name + ".loss").values[0]
        let isDouble = loss.dtype == .float64
        let relative = isDouble ? 1e-10 : 1e-5
        expectClose(
            [loss.item()], [expected], absolute: 1e-12, relative: relative, name, sourceLocation: sourceLocation)
        loss.backward()
        for (leaf, key) in gradients {
            let golden = try find("\(name).\(key)").values
            let gradient = try #require(leaf.gradient, "\(name).\(key)").scalars(as: Double.self)
            let largest = golden.map { abs($0) }.max() ?? 0
            expectClose(
                gradient, golden, absolute: isDouble ? 1e-12 : 1e-5 * largest, relative: isDouble ? 1e-10 : 0,
                "\(name).\(key)", sourceLocation: sourceLocation)
            leaf.clearGradient()
        }
    }
}

/// Expects the error and that its message names every part.
func expectError(
    _ code: ConcordError.Code, naming parts: [String], sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    let error = #expect(throws: ConcordError.self, sourceLocation: sourceLocation) { try body() }
    #expect(error?.code == code, sourceLocation: sourceLocation)
    for part in parts {
        #expect(
            error?.message.contains(part) == true, "\"\(error?.message ?? "")\" does not name \(part)",
            sourceLocation: sourceLocation)
    }
}

/// A leaf of random numbers.
func randomLeaf(_ shape: [Int], seed: UInt64 = 1, dtype: DType = .float32) -> Tensor {
    let tensor = Tensor.normal(shape, generator: Generator(seed: seed)).to(dtype)
    tensor.requiresGradient = true
    return tensor
}

/// Expects the loss and the gradients that flow from it to be numbers, and each leaf to have one.
func expectFinite(
    _ loss: Tensor, _ leaves: [Tensor], _ name: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(loss.item().isFinite, "\(name)", sourceLocation: sourceLocation)
    loss.backward()
    for leaf in leaves {
        #expect(
            leaf.gradient?.isFinite().all().item() == 1, "the gradient of \(name) is not finite",
            sourceLocation: sourceLocation)
        leaf.clearGradient()
    }
}
