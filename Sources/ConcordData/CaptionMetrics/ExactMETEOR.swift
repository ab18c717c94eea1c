/// METEOR with its exact matcher alone (Banerjee and Lavie 2005).
enum ExactMETEOR {
    private static let recallWeight = 0.9
    /// How many partial alignments are kept: far more than a caption has, unless a word fills it.
    private static let beamWidth = 64

    static func score(_ candidate: [UInt32], reference: [UInt32]) -> Double {
        let (matches, chunks) = align(candidate, reference)
        guard matches > 0 else { return 0 }
        let precision = Double(matches) / Double(candidate.count)
        let recall = Double(matches) / Double(reference.count)
        let mean = precision * recall / (recallWeight * precision + (1 - recallWeight) * recall)
        let fragmentation = Double(chunks) / Double(matches)
        return mean * (1 - 0.5 * fragmentation * fragmentation * fragmentation)
    }

    /// Pairs of places up to some word of the candidate.
    private struct Alignment: Hashable {
        /// The places of the reference that are taken, a bit each.
        private var used: [UInt64]
        /// The place that the last word of the candidate has; nil when it has none.
        private(set) var last: Int?

        init(places: Int) { used = Array(repeating: 0, count: (places + 63) / 64) }

        func isFree(_ place: Int) -> Bool { used[place / 64] >> UInt64(place % 64) & 1 == 0 }

        mutating func take(_ place: Int) {
            used[place / 64] |= 1 << UInt64(place % 64)
            last = place
        }

        mutating func leaveOut() { last = nil }
    }

    /// As many pairs of equal words as there can be, each word once, in as few chunks as possible.
    ///
    /// Words that occur once leave no choice; where words repeat, all alignments are followed from left to right, and
    /// of those that differ only in what came before the best is kept. When there are more than `beamWidth`, those with
    /// most chunks are dropped, and the chunks may then be more than the fewest.
    private static func align(_ candidate: [UInt32], _ reference: [UInt32]) -> (matches: Int, chunks: Int) {
        let places = Dictionary(grouping: reference.indices) { reference[$0] }
        var candidateLeft = [UInt32: Int]()
        for word in candidate { candidateLeft[word, default: 0] += 1 }
        let matches = candidateLeft.reduce(0) { $0 + min($1.value, places[$1.key]?.count ?? 0) }
        guard matches > 0 else { return (0, 0) }

        var beam = [(alignment: Alignment(places: reference.count), chunks: 0)]
        for word in candidate {
            let wordPlaces = places[word] ?? []
            candidateLeft[word, default: 0] -= 1
            var next = [(alignment: Alignment, chunks: Int)]()
            var indices = [Alignment: Int]()
            func keep(_ alignment: Alignment, _ chunks: Int) {
                if let index = indices[alignment] {
                    next[index].chunks = min(next[index].chunks, chunks)
                } else {
                    indices[alignment] = next.count
                    next.append((alignment, chunks))
                }
            }
            for (alignment, chunks) in beam {
                let free = wordPlaces.filter(alignment.isFree)
                for place in free {
                    var extended = alignment
                    extended.take(place)
                    let continues = alignment.last.map { $0 + 1 == place } ?? false
                    keep(extended, continues ? chunks : chunks + 1)
                }
                // Leaving the word out loses a pair unless the words alike that follow can fill all free places.
                if free.count <= candidateLeft[word, default: 0] {
                    var skipping = alignment
                    skipping.leaveOut()
                    keep(skipping, chunks)
                }
            }
            if next.count > beamWidth {
                let best = next.indices.sorted { (next[$0].chunks, $0) < (next[$1].chunks, $1) }
                next = best.prefix(beamWidth).map { next[$0] }
            }
            beam = next
        }
        return (matches, beam.map(\.chunks).min() ?? matches)
    }
}
