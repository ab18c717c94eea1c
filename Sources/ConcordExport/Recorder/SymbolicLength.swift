import ConcordCore

/// An integer of a recorded graph: fixed, or a function of lengths that each run chooses.
///
/// A model is recorded at two sets of sizes. What is the same in both is fixed; what differs is a multiple of a symbol
/// or of a product of two, a symbol and something fixed, or the sum of two symbols.
struct SymbolicLength: Hashable, CustomStringConvertible {
    /// Sorted; empty for a fixed number.
    let symbols: [String]
    /// Whether the symbols are added to one another, not multiplied.
    let isSum: Bool
    let factor: Int
    let offset: Int

    static func fixed(_ value: Int) -> SymbolicLength {
        SymbolicLength(symbols: [], factor: 1, offset: value)
    }

    /// The number, where it is the same in every run.
    var fixed: Int? { symbols.isEmpty ? offset : nil }

    /// The symbol that it is, if it is just that.
    var symbol: String? { symbols.count == 1 && factor == 1 && offset == 0 ? symbols[0] : nil }

    /// - Parameters:
    ///   - first, second: what was seen in the two recordings.
    ///   - sizes: each symbol's length in both.
    /// - Throws: `.invalidArgument` when no such function gives both numbers, or more than one does.
    init(_ first: Int, _ second: Int, sizes: [String: (first: Int, second: Int)]) throws(ConcordError) {
        if first == second {
            self = .fixed(first)
            return
        }
        let names = sizes.keys.sorted()
        let sets = names.map { [$0] } + names.indices.flatMap { i in names[(i + 1)...].map { [names[i], $0] } }
        var candidates: [SymbolicLength] = []
        for set in sets {
            let a = set.reduce(1) { $0 * (sizes[$1]?.first ?? 1) }, b = set.reduce(1) { $0 * (sizes[$1]?.second ?? 1) }
            if first % a == 0, second % b == 0, first / a == second / b {
                candidates.append(SymbolicLength(symbols: set, factor: first / a, offset: 0))
            } else if first - a == second - b {
                candidates.append(SymbolicLength(symbols: set, factor: 1, offset: first - a))
            }
            let sum = set.reduce((0, 0)) { ($0.0 + (sizes[$1]?.first ?? 0), $0.1 + (sizes[$1]?.second ?? 0)) }
            if set.count == 2, sum == (first, second) {
                candidates.append(SymbolicLength(symbols: set, isSum: true, factor: 1, offset: 0))
            }
        }
        guard let only = candidates.first, candidates.count == 1 else {
            let reason =
                candidates.isEmpty
                ? "which nothing simple of \(names.joined(separator: " and ")) explains"
                : "which could be \(candidates.map(\.description).joined(separator: " or ")); record at other sizes"
            throw ConcordError(
                .invalidArgument, "a length is \(first) in one recording and \(second) in the other, \(reason)")
        }
        self = only
    }

    private init(symbols: [String], isSum: Bool = false, factor: Int, offset: Int) {
        self.symbols = symbols
        self.isSum = isSum
        self.factor = factor
        self.offset = offset
    }

    var description: String {
        if isSum { return symbols.joined(separator: " + ") }
        let product = ((factor == 1 ? [] : ["\(factor)"]) + symbols).joined(separator: " · ")
        if product.isEmpty { return "\(offset)" }
        return offset == 0 ? product : "\(product) \(offset < 0 ? "−" : "+") \(abs(offset))"
    }
}
