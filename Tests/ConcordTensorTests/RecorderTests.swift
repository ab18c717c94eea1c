import ConcordCore
import ConcordTensor
import Testing

@Suite struct RecorderTests {
    private final class Log: OpRecorder {
        var calls: [OpCall] = []
        func record(_ call: OpCall) {
            calls.append(call)
            // An operation of the recorder's own must not be recorded.
            _ = call.outputs.first.map { $0 + 1 }
        }
        var names: [String] { calls.map(\.name) }
    }

    @Test func hearsEveryOperationOfItsScope() throws {
        let log = Log()
        let x = Tensor.ones([2, 3])
        let y = withRecorder(log) {
            let sum = (x + x * 2).softmax(axis: -1)
            let parts = sum.split(sizes: [1, 2], axis: 1)
            parts[1].formAdd(1)
            return Tensor.linear(x, weight: x, bias: nil).gelu(tanhApproximation: true)
        }
        _ = y + 1
        #expect(
            log.names == [
                "aten::mul.Scalar", "aten::add.Tensor", "aten::softmax.int", "aten::split_with_sizes",
                "aten::add_.Scalar", "aten::linear", "aten::gelu",
            ])
        guard case .tensor(let first) = log.calls[0].inputs[0], case .double(2) = log.calls[0].attribute("other") else {
            Issue.record("the product's arguments are wrong")
            return
        }
        #expect(first === x)
        guard case .int(-1) = log.calls[2].attribute("dim"),
            case .ints([1, 2]) = log.calls[3].attribute("split_sizes"),
            case .optional(nil) = log.calls[5].inputs[2], case .string("tanh") = log.calls[6].attribute("approximate"),
            case .tensor(let changed) = log.calls[4].inputs[0]
        else {
            Issue.record("attributes are wrong")
            return
        }
        #expect(log.calls[3].outputs.count == 2)
        #expect(log.calls[4].outputs[0] === changed)
        #expect(log.calls[6].outputs[0] === y)
        #expect(log.calls[6].attribute("dim") == nil)
    }

    @Test func recomputationIsNotHeard() {
        let log = Log()
        let x = Tensor.ones([2])
        x.requiresGradient = true
        withRecorder(log) {
            let y = checkpointed([x]) { $0[0].exp() }
            y.sum().backward()
        }
        #expect(log.names == ["aten::exp", "aten::sum"])
    }

    @Test func scopesNestAndEndOnErrors() {
        struct Stop: Error {}
        let (outer, inner) = (Log(), Log())
        let x = Tensor.ones([1])
        withRecorder(outer) {
            _ = x.exp()
            #expect(throws: Stop.self) {
                try withRecorder(inner) {
                    _ = x.log()
                    throw Stop()
                }
            }
            _ = x.sin()
        }
        _ = x.cos()
        #expect(outer.names == ["aten::exp", "aten::sin"])
        #expect(inner.names == ["aten::log"])
    }
}
