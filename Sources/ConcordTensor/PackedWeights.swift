import CTorch
import ConcordCore

/// Copies of weights in the layout that the CPU multiplies few rows with fastest, as in decoding token by token.
///
/// ```swift
/// let weights = PackedWeights()
/// let logits = withoutGradient { weights { Tensor.linear(states, weight: head) } }
/// ```
///
/// Inside its scope ``Tensor/linear(_:weight:bias:file:line:)`` multiplies 4 to 64 rows of float32 on the CPU with the
/// packed copy of a weight of 2²⁰ numbers or more. The copy is made when it is first needed, and again after the
/// weight has changed. Everything else is computed as outside: products that record gradients, other types and
/// devices, and all of them where libtorch has no oneDNN. Results differ in rounding only.
///
/// The copies take as much memory as the weights that they are of. Like tensors they belong to one thread at a time.
public final class PackedWeights {
    private let handle: UnsafeMutableRawPointer?

    public init() { handle = ctorch_make_packed_weights() }

    deinit { ctorch_free_packed_weights(handle) }

    /// How many weights have a copy.
    public var count: Int { ctorch_packed_weight_count(handle) }

    /// Forgets the copies and their memory.
    public func removeAll() { ctorch_clear_packed_weights(handle) }

    /// Runs `body` with packed weights on this thread. Scopes nest; the innermost one counts.
    public func callAsFunction<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let thread = ctorch_this_thread(), previous = thread?.pointee.packed_weights
        thread?.pointee.packed_weights = handle
        defer {
            thread?.pointee.packed_weights = previous
            withExtendedLifetime(self) {}
        }
        return try body()
    }
}
