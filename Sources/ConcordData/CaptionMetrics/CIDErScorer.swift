import ConcordCore

/// CIDEr-D with document frequencies of the references that are scored against (coco-caption, `cider_scorer.py`).
struct CIDErScorer {
    private let sigma = 6.0
    private let logPictureCount: Double
    /// In how many pictures' references an n-gram occurs.
    private var documentFrequencies = [NGram: Int]()

    init(references: [[NGramCounts]]) {
        logPictureCount = log(Double(references.count))
        for picture in references {
            let ngrams = Set(picture.flatMap { $0.entries.map(\.ngram) })
            for ngram in ngrams { documentFrequencies[ngram, default: 0] += 1 }
        }
    }

    func score(_ candidate: NGramCounts, references: [NGramCounts]) -> Double {
        let candidateNorms = norms(candidate)
        var sum = 0.0
        for reference in references {
            let referenceNorms = norms(reference)
            var products = [Double](repeating: 0, count: NGramCounts.orders)
            for entry in candidate.entries {
                let count = reference[entry.ngram]
                guard count > 0 else { continue }
                let inverseFrequency = inverseFrequency(of: entry.ngram)
                let weight = Double(count) * inverseFrequency
                // Clipped, so that repeating a word that the reference has does not pay.
                products[entry.order] += min(Double(entry.count) * inverseFrequency, weight) * weight
            }
            for order in products.indices where candidateNorms[order] != 0 && referenceNorms[order] != 0 {
                products[order] /= candidateNorms[order] * referenceNorms[order]
            }
            // The peer measures length in bigrams; so captions of no and of one word are equally long.
            let difference = Double(candidate.total(order: 1) - reference.total(order: 1))
            let penalty = exp(-difference * difference / (2 * sigma * sigma))
            sum += penalty * products.reduce(0, +)
        }
        return 10 * sum / Double(NGramCounts.orders * references.count)
    }

    private func inverseFrequency(of ngram: NGram) -> Double {
        logPictureCount - log(Double(documentFrequencies[ngram] ?? 1))
    }

    /// The length of a caption's vector of weights, by order.
    private func norms(_ caption: NGramCounts) -> [Double] {
        var squares = [Double](repeating: 0, count: NGramCounts.orders)
        for entry in caption.entries {
            let weight = Double(entry.count) * inverseFrequency(of: entry.ngram)
            squares[entry.order] += weight * weight
        }
        return squares.map { $0.squareRoot() }
    }
}
