import CTorch
import ConcordCore

/// A listener for the operations of a thread, for example to write them into an ONNX graph.
public protocol OpRecorder: AnyObject {
    /// Called after every operation that succeeded, on the thread that ran it.
    func record(_ call: OpCall)
}

/// One operation that ran.
public struct OpCall {
    /// An operand.
    public enum Input {
        case tensor(Tensor)
        /// An operand that may be left out.
        case optional(Tensor?)
        case list([Tensor])
    }

    /// An argument that is not a tensor.
    public enum Value {
        case int(Int?)
        case double(Double?)
        case bool(Bool)
        case ints([Int]?)
        case dtype(DType)
        case device(Device)
        case string(String)
        case generator(Generator?)
    }

    /// The operation's name and overload in libtorch: `aten::softmax.int`.
    public let name: String
    /// The operands, in the order of the operation's schema.
    public let inputs: [Input]
    /// The other arguments by their names in the schema. Those that the Swift method does not offer are left out.
    public let attributes: [(name: String, value: Value)]
    /// The results. For an operation in place, the operand that it changed.
    public let outputs: [Tensor]

    /// The argument called `name`, if the Swift method offers it.
    public func attribute(_ name: String) -> Value? {
        attributes.first { $0.name == name }?.value
    }
}

/// Runs `body` with `recorder` listening to every operation of this thread. Scopes nest; the innermost one listens.
public func withRecorder<Result>(_ recorder: any OpRecorder, _ body: () throws -> Result) rethrows -> Result {
    let thread = ctorch_this_thread()
    let box = RecorderBox(recorder)
    let previous = thread?.pointee.recorder
    thread?.pointee.recorder = Unmanaged.passUnretained(box).toOpaque()
    defer {
        thread?.pointee.recorder = previous
        withExtendedLifetime(box) {}
    }
    return try body()
}

/// Whether a recorder listens to the operations of this thread.
package var isRecordingOperations: Bool { ctorch_this_thread()?.pointee.recorder != nil }

/// Runs `body` without anyone listening.
func withoutRecorder<Result>(_ body: () throws -> Result) rethrows -> Result {
    let thread = ctorch_this_thread()
    let previous = thread?.pointee.recorder
    thread?.pointee.recorder = nil
    defer { thread?.pointee.recorder = previous }
    return try body()
}

private final class RecorderBox {
    let recorder: any OpRecorder
    init(_ recorder: any OpRecorder) { self.recorder = recorder }
}

@inline(never)
func record(
    _ box: UnsafeMutableRawPointer, _ name: StaticString, _ inputs: [OpCall.Input],
    _ attributes: KeyValuePairs<StaticString, OpCall.Value>, _ outputs: [Tensor]
) {
    let recorder = Unmanaged<RecorderBox>.fromOpaque(box).takeUnretainedValue().recorder
    let call = OpCall(
        name: "aten::\(name)", inputs: inputs,
        attributes: attributes.map { (name: "\($0.key)", value: $0.value) }, outputs: outputs)
    // What the recorder itself computes is not part of the recording.
    withoutRecorder { recorder.record(call) }
}
