import ConcordTensor

/// How a new parameter gets its first values.
public enum Initializer: Sendable {
    case constant(Double)
    case normal(standardDeviation: Double)
    /// Uniform in `[-bound, bound)`.
    case uniform(bound: Double)
    /// Values in row-major order, made when they are needed.
    case values(@Sendable () -> [Float])

    public static let zeros = Initializer.constant(0)
    public static let ones = Initializer.constant(1)

    /// What torch gives the weight and bias of a linear or convolution layer: uniform with bound `1/√fanIn`.
    public static func fanIn(_ fanIn: Int) -> Initializer { .uniform(bound: 1 / Double(fanIn).squareRoot()) }

    /// Glorot & Bengio 2010: uniform with bound `√(6 / (fanIn + fanOut))`.
    public static func xavierUniform(fanIn: Int, fanOut: Int) -> Initializer {
        .uniform(bound: (6 / Double(fanIn + fanOut)).squareRoot())
    }

    /// A tensor of `shape`, drawn on the CPU in float32, so that every dtype and device starts from the same values.
    func makeTensor(_ shape: [Int], generator: Generator) -> Tensor {
        switch self {
        case .constant(let value): .full(shape, value)
        case .normal(let deviation): .normal(shape, standardDeviation: deviation, generator: generator)
        case .uniform(let bound): .uniform(shape, from: -bound, to: bound, generator: generator)
        case .values(let values): Tensor(values(), shape: shape)
        }
    }
}
