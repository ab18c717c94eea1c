import ConcordTensor

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
