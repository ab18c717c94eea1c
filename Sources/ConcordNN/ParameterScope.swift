import ConcordTensor

/// A place in the tree of checkpoint names, from which layers make their parameters.
///
/// A layer spells each of its keys once, where it is made:
/// ```swift
/// let up = Linear(scope / "mlp" / "fc1", 64, 256)     // key: "<scope>.mlp.fc1.weight"
/// ```
/// The store decides whether the values are drawn or read from a checkpoint.
public struct ParameterScope {
    package let store: ParameterStore
    let path: String

    /// The root scope of a store.
    public init(_ store: ParameterStore) {
        self.store = store
        path = ""
    }

    private init(store: ParameterStore, path: String) {
        self.store = store
        self.path = path
    }

    /// The scope one component below.
    public static func / (scope: ParameterScope, component: String) -> ParameterScope {
        ParameterScope(store: scope.store, path: scope.key(component))
    }

    /// The scope of the `index`-th of a list of layers.
    public static func / (scope: ParameterScope, index: Int) -> ParameterScope { scope / String(index) }

    /// The parameter `name` of `shape`, drawn by `initializer` unless the store reads it from a checkpoint.
    ///
    /// - Parameters:
    ///   - isTrained: whether training may change it.
    ///   - resizing: converts a checkpoint's tensor with another shape.
    public func parameter(
        _ name: String, _ shape: [Int], _ initializer: Initializer, isTrained: Bool = true,
        resizing: ParameterStore.Resizing? = nil
    ) -> Tensor {
        store.makeParameter(key(name), shape, initializer, isTrained: isTrained, resizing: resizing)
    }

    /// Values that belong to the model and never train, as they are unless the store reads them from a checkpoint.
    ///
    /// - Parameters:
    ///   - standard: the values without a checkpoint. Integers may be missing in a checkpoint, which then has these.
    ///   - mayDiffer: whether a checkpoint's integers may be others.
    package func buffer(_ name: String, _ standard: Tensor, mayDiffer: Bool = false) -> Tensor {
        store.makeBuffer(key(name), standard, mayDiffer: mayDiffer)
    }

    /// The adapter of the layer at this scope; nil where the store has none for such layers.
    func adapter(for target: LowRankAdaptation.Target, weight: Tensor) -> LowRankAdapter? {
        guard let adaptation = store.adaptation, adaptation.targets.contains(target),
            let root = path.split(separator: ".").first, adaptation.roots.contains(String(root))
        else { return nil }
        let adapter = LowRankAdapter(self, adaptation, weight: weight)
        store.adapters.append(adapter)
        return adapter
    }

    func adapterParameter(_ name: String, _ shape: [Int], _ initializer: Initializer) -> Tensor {
        store.makeAdapterParameter(key(name), shape, initializer)
    }

    private func key(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
}

/// The initialization of a new parameter.
public enum Initializer: Sendable {
    case constant(Double)
    case normal(standardDeviation: Double)
    /// Uniform in `[-bound, bound)`.
    case uniform(bound: Double)
    /// Values in row-major order, made when they are needed.
    case values(@Sendable () -> [Float])

    public static let zeros = Initializer.constant(0)
    public static let ones = Initializer.constant(1)

    /// torch's initialization of linear and convolution layers: uniform with bound `1/√fanIn`.
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
