import ConcordCore

/// How an exported model uses the machine.
public struct ExportedModelOptions: Sendable, Hashable {
    /// How each graph's session runs. On 2 to 8 cores several threads of the caller's with ``OnnxSessionOptions/threadsPerRun``
    /// 1 embed more in all; one with all threads has its result sooner.
    public var session: OnnxSessionOptions
    /// Whether every file is compared with its checksum, or its hash where it has none, before the model is given out.
    public var verifiesHashes: Bool
    /// Whether the model says of its canary what it said when it was exported; see ``ExportedModel/checkCanary()``. Asked
    /// while files are compared.
    public var checksCanary: Bool
    /// The batch sizes that runs are padded to, rising; longer batches are split. Few sizes keep memory flat, and in
    /// runs of one shape an item's result does not depend on its neighbours.
    public var batchBuckets: [Int]
    /// Whether JPEG photos are decoded at 1/2, 1/4 or 1/8 of their size where that still has twice the pixels along each
    /// edge that the model needs, which is much faster; smaller pictures are exact (as Pillow's `reducing_gap` 2).
    public var shrinksPhotos: Bool

    public init(
        session: OnnxSessionOptions = OnnxSessionOptions(), verifiesHashes: Bool = true, checksCanary: Bool = false,
        batchBuckets: [Int] = [1, 2, 3, 4, 6, 8, 12, 16], shrinksPhotos: Bool = true
    ) {
        self.session = session
        self.verifiesHashes = verifiesHashes
        self.checksCanary = checksCanary
        self.batchBuckets = batchBuckets
        self.shrinksPhotos = shrinksPhotos
    }

    /// Throws `.invalidArgument` for batch sizes that are none, not above 0, or not rising.
    func validate() throws(ConcordError) {
        guard let first = batchBuckets.first, first > 0, zip(batchBuckets, batchBuckets.dropFirst()).allSatisfy(<)
        else {
            throw ConcordError(
                .invalidArgument, "batch buckets are sizes above 0 that rise, such as 1, 4, 16; got \(batchBuckets)")
        }
    }
}
