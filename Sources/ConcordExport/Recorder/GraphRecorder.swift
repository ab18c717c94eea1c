import ConcordCore
import ConcordNN
import ConcordONNX
import ConcordRuntime
import ConcordTensor

/// Writes what a model does into an ONNX graph, by running it and listening to its operations.
///
/// The model runs twice, with different sizes of what each run may choose (batch, sequence). Integers that differ
/// between the two, in shapes and arguments, become functions of those sizes; everything that does not depend on the
/// inputs becomes a constant.
public struct GraphRecorder {
    /// Whether attention and GELUs are written as the fused operations of ONNX Runtime
    /// (`com.microsoft`), or all in plain ONNX, for other runtimes.
    public var usesFusedOperations = true
    /// The lengths that each run may choose: a symbol's name, and the two lengths that it is recorded with.
    ///
    /// Where two functions of the symbols explain what was seen, recording ends with an error. Numbers without simple
    /// ratios, such as 3 and 4, 7 and 11, avoid that.
    public var sizes: [String: (first: Int, second: Int)]
    /// Tensors with the names that their constants get.
    public var parameters: [Parameter]
    /// Shared by recorders of one model.
    var constants = RecordedConstants()

    public init(sizes: [String: (first: Int, second: Int)], parameters: [Parameter] = []) {
        self.sizes = sizes
        self.parameters = parameters
    }

    /// Records `body` as a graph.
    ///
    /// - Parameters:
    ///   - name: the graph's name.
    ///   - outputs: the names of what `body` returns, in its order.
    ///   - body: takes a value for each of `inputs`. It may not look at the values themselves.
    /// - Throws: `.invalidArgument` for an operation that cannot be written, or a model that takes different paths at
    ///   different sizes; and what `body` throws.
    public func record(
        _ name: String, inputs: [RecordedInput], outputs: [String], _ body: ([Tensor]) throws -> [Tensor]
    ) throws -> OnnxGraphBuilder {
        let first = try run(inputs, \.first, body), second = try run(inputs, \.second, body)
        let builder = OnnxGraphBuilder(name: name)
        let lowering = GraphLowering(builder, self, inputs: inputs)
        for (index, input) in inputs.enumerated() {
            try lowering.addInput(input, first.inputs[index], second.inputs[index])
        }
        guard first.trace.calls.count == second.trace.calls.count else {
            throw ConcordError(
                .invalidArgument,
                "the model does \(first.trace.calls.count) operations at one size and "
                    + "\(second.trace.calls.count) at another; record it at sizes where it takes the same path")
        }
        for (first, second) in zip(first.trace.calls, second.trace.calls) { try lowering.lower(first, second) }
        guard first.outputs.count == outputs.count, second.outputs.count == outputs.count else {
            throw ConcordError(
                .invalidArgument,
                "the model returned \(first.outputs.count) values for \(outputs.count) names of "
                    + "outputs")
        }
        for (index, name) in outputs.enumerated() {
            try lowering.addOutput(name, first.outputs[index], second.outputs[index])
        }
        return builder
    }

    private struct Recording {
        let inputs, outputs: [Tensor]
        let trace: OpTrace
    }

    private func run(
        _ inputs: [RecordedInput], _ size: KeyPath<(first: Int, second: Int), Int>,
        _ body: ([Tensor]) throws -> [Tensor]
    ) throws -> Recording {
        let trace = OpTrace()
        let tensors = try inputs.map { input in
            input.sample(
                try input.shape.map { dimension in
                    switch dimension {
                    case .fixed(let length): return length
                    case .symbol(let name):
                        guard let pair = sizes[name] else {
                            throw ConcordError(
                                .invalidArgument, "no sizes are given for '\(name)' of the input '\(input.name)'")
                        }
                        return pair[keyPath: size]
                    }
                })
        }
        let outputs = try withoutGradient { try withRecorder(trace) { try body(tensors) } }
        return Recording(inputs: tensors, outputs: outputs, trace: trace)
    }
}

/// The operations of one recording, in their order.
final class OpTrace: OpRecorder {
    private(set) var calls: [OpCall] = []

    func record(_ call: OpCall) { calls.append(call) }
}

extension OpCall {
    /// The operands in one list, where those that are left out are nil.
    var operands: [Tensor?] {
        inputs.flatMap { input -> [Tensor?] in
            switch input {
            case .tensor(let tensor): [tensor]
            case .optional(let tensor): [tensor]
            case .list(let tensors): tensors
            }
        }
    }
}

/// An input of a graph that is to be recorded.
public struct RecordedInput {
    public let name: String
    /// Lengths that each run chooses are symbols.
    public let shape: [OnnxDimension]
    let sample: (_ shape: [Int]) -> Tensor

    /// - Parameter sample: makes a value of the shape given, with elements that the model can take. Its element type is
    ///   the input's.
    public init(_ name: String, shape: [OnnxDimension], sample: @escaping (_ shape: [Int]) -> Tensor) {
        self.name = name
        self.shape = shape
        self.sample = sample
    }
}

/// The parameters that recorded graphs hold, by the names of their constants, so that several graphs of one model share
/// their memory.
final class RecordedConstants {
    private var values: [String: OnnxValue] = [:]

    /// The constant of this name, made when it is first asked for.
    func value(_ name: String, make: () throws -> OnnxValue) rethrows -> OnnxValue {
        if let known = values[name] { return known }
        let value = try make()
        values[name] = value
        return value
    }
}

/// A tensor of the recorded model, as both recordings saw it, and where it is in the graph.
final class RecordedValue {
    let first, second: Tensor
    /// Where it is in the graph; nil for a constant that no node has used yet.
    var edge: OnnxEdge?
    /// Whether it is the same in every run.
    let isConstant: Bool
    var origin = Origin.other

    /// What is known of how a value came about, for what can be written as one operation.
    enum Origin {
        case other
        /// `[B, T, C]` seen as `[B, T, H, D]`.
        case splitHeads(OnnxEdge)
        /// `[B, T, C]` seen as `[B, H, T, D]`.
        case heads(OnnxEdge)
        /// Keys or values `[B, H, P, D]` with those of new tokens, `[B, T, C]`, behind them: `[B, H, P + T, D]`.
        case appended(past: RecordedValue, new: OnnxEdge)
        /// The places of tokens, rising by 1 from `start`: `[T]`, and as a column `[T, 1]`.
        case places(start: SymbolicLength), placeColumn(start: SymbolicLength)
        /// Where a place is not behind that of the token that looks, the first of which is at `start`: `[T, start + T]`.
        case causalMask(start: SymbolicLength)
        /// Attention's result, `[B, T, C]` seen as `[B, H, T, D]`.
        case attended(OnnxEdge)
        /// The same, seen as `[B, T, H, D]`.
        case attendedTokens(OnnxEdge)
        /// Patches `[B, T, C]` seen as a picture `[B, C, h, w]`, and that as `[B, C, T]`.
        case patches(OnnxEdge), patchChannels(OnnxEdge)
        /// A value times a number.
        case scaled(RecordedValue, Double)
        /// The logistic function of a value times a number.
        case sigmoid(RecordedValue, Double)
    }

    init(_ first: Tensor, _ second: Tensor, edge: OnnxEdge?, isConstant: Bool) {
        self.first = first
        self.second = second
        self.edge = edge
        self.isConstant = isConstant
    }
}
