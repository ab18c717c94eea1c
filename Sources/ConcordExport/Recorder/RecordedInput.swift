import ConcordRuntime
import ConcordTensor

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
