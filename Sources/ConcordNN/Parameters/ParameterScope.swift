import ConcordTensor

/// A place in the tree of checkpoint names, from which layers make their parameters.
///
/// A layer spells each of its keys once, where it is made:
/// ```swift
/// let up = Linear(scope / "mlp" / "fc1", 64, 256)     // key: "<scope>.mlp.fc1.weight"
/// ```
/// Whether the values are drawn or read from a checkpoint is the store's business, not the layer's.
public struct ParameterScope {
    public let store: ParameterStore
    private let path: String

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
    ///   - resizing: makes the parameter of a checkpoint's tensor that has another shape.
    public func parameter(
        _ name: String, _ shape: [Int], _ initializer: Initializer, isTrained: Bool = true,
        resizing: ParameterStore.Resizing? = nil
    ) -> Tensor {
        store.makeParameter(key(name), shape, initializer, isTrained: isTrained, resizing: resizing)
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
