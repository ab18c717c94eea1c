/// A part of a normalized text on its way through the splitting steps of a pipeline.
struct TextSlice {
    var scalars: ArraySlice<Unicode.Scalar>
    /// Whether it begins with the first character of the whole text.
    var isAtOrigin: Bool
}

/// What becomes of the matches that a text is split at, as `tokenizer.json` names it.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// The parts that matches and what lies between them (`false`) make, in order.
    func parts(of pieces: [(range: Range<Int>, isMatch: Bool)]) -> [Range<Int>] {
        switch self {
        case .removed: return pieces.filter { !$0.isMatch }.map(\.range)
        case .isolated: return pieces.map(\.range)
        case .contiguous: return Self.merging(pieces) { $0 == $1 }
        case .mergedWithPrevious: return Self.merging(pieces) { !$0 && $1 }
        case .mergedWithNext: return Self.merging(pieces) { $0 && !$1 }
        }
    }

    /// Joins neighbours for which `joins` of their two flags is true. A part that is joined joins by its last flag.
    private static func merging(
        _ pieces: [(range: Range<Int>, isMatch: Bool)], _ joins: (Bool, Bool) -> Bool
    ) -> [Range<Int>] {
        var parts = [Range<Int>]()
        var previous: Bool?
        for (range, isMatch) in pieces {
            if let previous, let last = parts.last, joins(previous, isMatch) {
                parts[parts.count - 1] = last.lowerBound..<range.upperBound
            } else {
                parts.append(range)
            }
            previous = isMatch
        }
        return parts
    }
}
