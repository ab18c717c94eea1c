import CTorch
import ConcordCore

// Every operation passes through these functions. They check the status of the C call, and tell the recorder of this
// thread, if there is one. `inputs` and `attributes` are evaluated only then; and because they hold the operands and
// are used after the call, no operand can be released while the C code works on it.

@inline(__always)
func perform(
    _ name: StaticString, _ inputs: @autoclosure () -> [OpCall.Input],
    _ attributes: @autoclosure () -> KeyValuePairs<StaticString, OpCall.Value>, _ file: StaticString, _ line: UInt,
    _ call: (UnsafeMutablePointer<OpaquePointer?>) -> Int32
) -> Tensor {
    var handle: OpaquePointer?
    let status = call(&handle)
    if status != CTORCH_OK { operationFailed(name, status, file, line) }
    let result = Tensor(handle: handle)
    if let recorder = ctorch_this_thread().pointee.recorder {
        record(recorder, name, inputs(), attributes(), [result])
    }
    return result
}

@inline(__always)
func performPair(
    _ name: StaticString, _ inputs: @autoclosure () -> [OpCall.Input],
    _ attributes: @autoclosure () -> KeyValuePairs<StaticString, OpCall.Value>, _ file: StaticString, _ line: UInt,
    _ call: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<OpaquePointer?>) -> Int32
) -> (Tensor, Tensor) {
    var first: OpaquePointer?
    var second: OpaquePointer?
    let status = call(&first, &second)
    if status != CTORCH_OK { operationFailed(name, status, file, line) }
    let results = (Tensor(handle: first), Tensor(handle: second))
    if let recorder = ctorch_this_thread().pointee.recorder {
        record(recorder, name, inputs(), attributes(), [results.0, results.1])
    }
    return results
}

@inline(__always)
func performTriple(
    _ name: StaticString, _ inputs: @autoclosure () -> [OpCall.Input],
    _ attributes: @autoclosure () -> KeyValuePairs<StaticString, OpCall.Value>, _ file: StaticString, _ line: UInt,
    _ call: (
        UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<OpaquePointer?>,
        UnsafeMutablePointer<OpaquePointer?>
    ) -> Int32
) -> (Tensor, Tensor, Tensor) {
    var first: OpaquePointer?
    var second: OpaquePointer?
    var third: OpaquePointer?
    let status = call(&first, &second, &third)
    if status != CTORCH_OK { operationFailed(name, status, file, line) }
    let results = (Tensor(handle: first), Tensor(handle: second), Tensor(handle: third))
    if let recorder = ctorch_this_thread().pointee.recorder {
        record(recorder, name, inputs(), attributes(), [results.0, results.1, results.2])
    }
    return results
}

@inline(__always)
func performList(
    _ name: StaticString, _ inputs: @autoclosure () -> [OpCall.Input],
    _ attributes: @autoclosure () -> KeyValuePairs<StaticString, OpCall.Value>, _ file: StaticString, _ line: UInt,
    _ call: (UnsafeMutablePointer<UnsafeMutablePointer<OpaquePointer?>?>, UnsafeMutablePointer<Int>) -> Int32
) -> [Tensor] {
    var handles: UnsafeMutablePointer<OpaquePointer?>?
    var count = 0
    let status = call(&handles, &count)
    if status != CTORCH_OK { operationFailed(name, status, file, line) }
    let results = (0..<count).map { Tensor(handle: handles?[$0]) }
    ctorch_free(handles)
    if let recorder = ctorch_this_thread().pointee.recorder {
        record(recorder, name, inputs(), attributes(), results)
    }
    return results
}

@inline(__always)
func performInPlace(
    _ name: StaticString, _ inputs: @autoclosure () -> [OpCall.Input],
    _ attributes: @autoclosure () -> KeyValuePairs<StaticString, OpCall.Value>, _ file: StaticString, _ line: UInt,
    _ call: () -> Int32
) {
    let status = call()
    if status != CTORCH_OK { operationFailed(name, status, file, line) }
    if let recorder = ctorch_this_thread().pointee.recorder {
        let operands = inputs()
        // The operand that changed is also the result.
        let outputs: [Tensor] = if case .tensor(let changed) = operands.first { [changed] } else { [] }
        record(recorder, name, operands, attributes(), outputs)
    }
}
