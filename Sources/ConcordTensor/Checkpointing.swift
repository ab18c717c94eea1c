import CTorch
import ConcordCore

/// Runs `body` on `inputs` without keeping activations for its backward pass, which computes them again.
///
/// Saves memory for about one more forward pass of `body` (Chen et al. 2016, "Training Deep Nets with Sublinear Memory
/// Cost"). Values and gradients are the same as without, also those of parameters that `body` captures. Autocast and
/// the given generators are set back for the recomputation.
///
/// - Parameters:
///   - inputs: The tensors that `body` works on. They stay in memory until the backward pass.
///   - generators: The generators that `body` draws from, as in dropout.
///   - body: Does the same operations each time it is called with the same inputs.
/// - Returns: what `body` returns: a tensor, or several.
public func checkpointed<Result>(
    _ inputs: [Tensor], generators: [Generator] = [], _ body: @escaping ([Tensor]) -> Result
) -> Result {
    guard isGradientEnabled else { return body(inputs) }
    let recomputation = Recomputation(inputs: inputs, generators: generators) { _ = body($0) }
    let status = ctorch_begin_checkpoint(
        ctorch_checkpoint_body(
            context: Unmanaged.passRetained(recomputation).toOpaque(),
            run: { context in
                if let context { Unmanaged<Recomputation>.fromOpaque(context).takeUnretainedValue().run() }
            },
            release: { context in
                if let context { Unmanaged<Recomputation>.fromOpaque(context).release() }
            }))
    if status != CTORCH_OK {
        operationFailed("checkpoint", status, "", 0)
        return body(inputs)
    }
    defer { ctorch_end_checkpoint() }
    return body(inputs)
}

/// The state that a checkpointed part needs to run again.
private final class Recomputation {
    let inputs: [Tensor]
    let generators: [(generator: Generator, state: Tensor)]
    let body: ([Tensor]) -> Void

    init(inputs: [Tensor], generators: [Generator], body: @escaping ([Tensor]) -> Void) {
        self.inputs = inputs
        self.generators = generators.map { ($0, $0.state) }
        self.body = body
    }

    func run() {
        let current = generators.map(\.generator.state)
        for (generator, state) in generators { generator.state = state }
        // A recorder has seen these operations already.
        withoutRecorder { body(inputs) }
        for (entry, state) in zip(generators, current) { entry.generator.state = state }
    }
}
