/// Tokens as numbers from 1, so that an n-gram is four numbers and not a list of texts.
///
/// Canonically equivalent spellings get one number, because `String` compares so.
struct MetricVocabulary {
    private var numbers = [String: UInt32]()

    mutating func numbers(of tokens: [String]) -> [UInt32] {
        tokens.map { token in
            if let number = numbers[token] { return number }
            let number = UInt32(numbers.count + 1)
            numbers[token] = number
            return number
        }
    }
}

/// One to four tokens; unused places are 0, which is no token.
typealias NGram = SIMD4<UInt32>

/// How often each n-gram of one to four tokens occurs in a caption.
///
/// They are listed in the order in which they occur, shortest n-grams first: sums over them must not depend on the
/// order of a dictionary, which differs from run to run.
struct NGramCounts {
    struct Entry {
        let ngram: NGram
        /// Number of tokens less one.
        let order: Int
        var count: Int
    }

    static let orders = 4

    let tokenCount: Int
    private(set) var entries = [Entry]()
    private var places = [NGram: Int]()

    init(_ tokens: [UInt32]) {
        tokenCount = tokens.count
        for order in 0..<Self.orders where order < tokens.count {
            for start in 0..<(tokens.count - order) {
                var ngram = NGram()
                for offset in 0...order { ngram[offset] = tokens[start + offset] }
                if let place = places[ngram] {
                    entries[place].count += 1
                } else {
                    places[ngram] = entries.count
                    entries.append(Entry(ngram: ngram, order: order, count: 1))
                }
            }
        }
    }

    /// Number of n-grams of `order` + 1 tokens.
    func total(order: Int) -> Int { max(0, tokenCount - order) }

    subscript(_ ngram: NGram) -> Int { places[ngram].map { entries[$0].count } ?? 0 }
}
