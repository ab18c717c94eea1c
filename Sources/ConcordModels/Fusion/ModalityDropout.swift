import ConcordCore

/// Takes modalities from samples while training, so that a model learns to do without.
///
/// What is drawn depends on the seed, the epoch, the sample's ID and the modality alone: the same in every batch, on
/// every process, and after every resume. The last modality of a sample stays.
public struct ModalityDropout: Sendable, Hashable {
    /// The share of samples from which a modality is taken, 0..<1.
    public let rates: [Modality: Double]
    public let seed: UInt64

    public init(_ rates: [Modality: Double], seed: UInt64) {
        self.rates = rates
        self.seed = seed
    }

    /// The modalities that a sample keeps, of those that it has, in their order.
    public func kept(_ present: [Modality], sampleID: Int, epoch: Int) -> [Modality] {
        let draws = present.map { modality in
            var random = RandomSource(
                seed: seed, stream: Self.stream, UInt64(bitPattern: Int64(epoch)), UInt64(bitPattern: Int64(sampleID)),
                Self.key(modality))
            // Below 1 the modality goes; the one that is furthest from going stays.
            let rate = rates[modality] ?? 0
            return rate > 0 ? random.uniform() / rate : .infinity
        }
        let kept = zip(present, draws).filter { $1 >= 1 }.map(\.0)
        guard kept.isEmpty, let last = draws.indices.max(by: { draws[$0] < draws[$1] }) else { return kept }
        return [present[last]]
    }

    private static let stream: UInt64 = 0x6D6F_6461_6C69_7479  // "modality"

    private static func key(_ modality: Modality) -> UInt64 {
        modality.name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }  // FNV-1a
    }
}
