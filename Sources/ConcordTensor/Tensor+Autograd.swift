import CTorch
import ConcordCore

extension Tensor {
    /// Whether gradients flow to this tensor. Only leaves allow setting it.
    public var requiresGradient: Bool {
        get { ctorch_requires_gradient(handle) }
        set {
            let status = ctorch_set_requires_gradient(handle, newValue)
            if status != CTORCH_OK { operationFailed("requires_grad_", status, "", 0) }
        }
    }

    /// Whether this tensor was made by the user, and not by an operation that records gradients.
    package var isLeaf: Bool { ctorch_is_leaf(handle) }

    /// The sum of the gradients of all ``backward(gradient:retainingGraph:file:line:)`` passes to this leaf; nil before
    /// the first.
    public var gradient: Tensor? {
        get {
            var result: OpaquePointer?
            let status = ctorch_gradient(handle, &result)
            if status != CTORCH_OK { operationFailed("grad", status, "", 0) }
            return result.map { Tensor(handle: $0) }
        }
        set {
            let status = withExtendedLifetime(newValue) { ctorch_set_gradient(handle, newValue?.handle) }
            if status != CTORCH_OK { operationFailed("grad", status, "", 0) }
        }
    }

    /// Releases the gradient and its memory.
    public func clearGradient() { gradient = nil }

    /// Adds the gradients of this tensor to ``gradient`` of every leaf that it was computed from.
    ///
    /// - Parameters:
    ///   - gradient: The gradient of the final result with respect to this tensor; may be nil for a tensor of one
    ///     element, where it is 1.
    ///   - retainingGraph: Keeps the graph for another backward pass.
    public func backward(
        gradient: Tensor? = nil, retainingGraph: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) {
        Tensor.backward([self], gradients: [gradient], retainingGraph: retainingGraph, file: file, line: line)
    }

    /// One backward pass from several tensors.
    public static func backward(
        _ outputs: [Tensor], gradients: [Tensor?], retainingGraph: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) {
        precondition(outputs.count == gradients.count, "\(outputs.count) outputs need as many gradients")
        let status = withExtendedLifetime((outputs, gradients)) {
            ctorch_backward(handles(outputs), gradients.map { $0?.handle }, outputs.count, retainingGraph)
        }
        if status != CTORCH_OK { operationFailed("backward", status, file, line) }
    }

    /// The gradients of `outputs` with respect to `inputs`, without touching ``gradient``.
    ///
    /// - Parameters:
    ///   - gradientOutputs: The gradients of the final result with respect to `outputs`; nil stands for ones, where
    ///     every output has one element.
    ///   - retainingGraph: Keeps the graph for another backward pass.
    ///   - creatingGraph: Makes the gradients differentiable themselves, and keeps the graph.
    /// - Returns: One gradient for each input; nil for an input that the outputs do not depend on.
    public static func gradients(
        of outputs: [Tensor], withRespectTo inputs: [Tensor], gradientOutputs: [Tensor]? = nil,
        retainingGraph: Bool = false, creatingGraph: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> [Tensor?] {
        precondition(
            gradientOutputs == nil || gradientOutputs?.count == outputs.count,
            "\(outputs.count) outputs need as many gradients")
        var results: UnsafeMutablePointer<OpaquePointer?>?
        var count = 0
        let starts = gradientOutputs.map(handles) ?? outputs.map { _ in nil }
        let status = withExtendedLifetime((outputs, inputs, gradientOutputs)) {
            ctorch_gradients(
                handles(outputs), starts, outputs.count, handles(inputs), inputs.count, retainingGraph, creatingGraph,
                &results, &count)
        }
        if status != CTORCH_OK {
            operationFailed("grad", status, file, line)
            return inputs.map { _ in nil }
        }
        defer { ctorch_free(results) }
        return (0..<count).map { index in results?[index].map { Tensor(handle: $0) } }
    }

    /// This number `[]` as a result of `inputs` whose gradients are known already.
    ///
    /// - Parameters:
    ///   - gradients: For each input the gradient of this number, of the input's shape. Their memory is taken over: the
    ///     backward pass changes them, unless it retains the graph.
    ///   - value: Computes this number from the inputs, by recorded operations. Second derivatives are those of what it
    ///     returns. Without it they are those of the gradients, which have to be computed with gradients on for that;
    ///     asking for them otherwise is a failed operation.
    package func withGradients(
        _ gradients: [(input: Tensor, gradient: Tensor)], of value: (([Tensor]) -> Tensor)? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        var body = ctorch_gradients_body()
        if let value {
            let again = GradientsAnew(value: value, inputs: gradients.map(\.input))
            body = ctorch_gradients_body(
                context: Unmanaged.passRetained(again).toOpaque(),
                run: { context, gradients, _ in
                    guard let context, let gradients else { return }
                    Unmanaged<GradientsAnew>.fromOpaque(context).takeUnretainedValue().write(to: gradients)
                },
                release: { context in
                    if let context { Unmanaged<GradientsAnew>.fromOpaque(context).release() }
                })
        }
        var result: OpaquePointer?
        let status = withExtendedLifetime(gradients) {
            ctorch_known_gradients(
                handle, handles(gradients.map(\.input)), handles(gradients.map(\.gradient)), gradients.count, body,
                &result)
        }
        if status != CTORCH_OK { operationFailed("withGradients", status, file, line) }
        return Tensor(handle: result)
    }
}

/// Gradients that can be differentiated again.
private final class GradientsAnew {
    let value: ([Tensor]) -> Tensor
    let inputs: [Tensor]

    init(value: @escaping ([Tensor]) -> Tensor, inputs: [Tensor]) {
        self.value = value
        self.inputs = inputs
    }

    /// Writes a handle with a reference for each input, or none where the value does not depend on it.
    func write(to handles: UnsafeMutablePointer<OpaquePointer?>) {
        let learned = inputs.indices.filter { inputs[$0].requiresGradient }
        // Views: of an input that is there twice, each has a gradient of its own.
        let views = inputs.map { Tensor.callOperator("aten::alias", [.tensor($0)])[0] }
        let gradients = Tensor.gradients(
            of: [value(views)], withRespectTo: learned.map { views[$0] }, creatingGraph: true)
        for (index, gradient) in zip(learned, gradients) {
            if let gradient { handles[index] = ctorch_retain(gradient.handle) }
        }
    }
}
