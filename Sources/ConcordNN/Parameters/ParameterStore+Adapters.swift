import ConcordTensor

extension ParameterStore {
    /// Runs `body` with every adapter's product added to the weight of its layer, and puts the weights back, bit for bit.
    ///
    /// Inside, the model is a plain one that computes the same.
    public func withMergedAdapters<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard !adapters.isEmpty, !hasMergedAdapters else { return try body() }
        hasMergedAdapters = true
        let kept = withoutGradient { adapters.map { $0.merge() } }
        defer {
            withoutGradient { for (adapter, weight) in zip(adapters, kept) { adapter.unmerge(weight) } }
            hasMergedAdapters = false
        }
        return try body()
    }
}
