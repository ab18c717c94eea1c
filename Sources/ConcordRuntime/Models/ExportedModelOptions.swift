/// How an exported model uses the machine.
public struct ExportedModelOptions: Sendable, Hashable {
    /// How each graph's session runs.
    public var session: OnnxSessionOptions
    /// Whether every file is compared with its hash first.
    public var verifiesHashes: Bool
    /// The batch sizes that runs are padded to, rising; longer batches are split. Few sizes keep memory flat, and within
    /// one size an item's result does not depend on its neighbours.
    public var batchBuckets: [Int]

    public init(
        session: OnnxSessionOptions = OnnxSessionOptions(), verifiesHashes: Bool = true,
        batchBuckets: [Int] = [1, 2, 4, 8, 16]
    ) {
        self.session = session
        self.verifiesHashes = verifiesHashes
        self.batchBuckets = batchBuckets
    }
}
