/// One line of the table that turns a model's parameter names into a file's.
///
/// In both names each `*` stands for the same run of characters, as short as fits: a layer's number, or `weight` and
/// `bias`.
struct NameRule: Sendable, Hashable {
    private let pieces: [String]
    /// Where the file holds what fits, with `*` in the name.
    private let place: TensorPlace

    init(
        _ parameter: String, _ name: String, part: Int = 0, of parts: Int = 1, isTransposed: Bool = false,
        leadingAxes: Int = 0
    ) {
        pieces = parameter.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
        place = TensorPlace(name, part: part, of: parts, isTransposed: isTransposed, leadingAxes: leadingAxes)
    }

    /// Where the file holds the parameter; nil for one that the rule is not about.
    func place(of parameter: String) -> TensorPlace? {
        guard let runs = runs(in: parameter) else { return nil }
        let around = place.name.split(separator: "*", omittingEmptySubsequences: false)
        var result = place
        result.name = around.dropFirst().enumerated().reduce(String(around[0])) { name, piece in
            name + (piece.offset < runs.count ? runs[piece.offset] : "") + piece.element
        }
        return result
    }

    /// What the stars stand for; nil when the name does not fit.
    private func runs(in name: String) -> [Substring]? {
        guard let first = pieces.first, let last = pieces.last, name.hasPrefix(first) else { return nil }
        guard pieces.count > 1 else { return name == first ? [] : nil }
        var rest = name.dropFirst(first.count), runs = [Substring]()
        for piece in pieces[1..<(pieces.count - 1)] {
            guard let found = rest.firstRange(of: piece) else { return nil }
            runs.append(rest[..<found.lowerBound])
            rest = rest[found.upperBound...]
        }
        guard rest.hasSuffix(last) else { return nil }
        return runs + [rest.dropLast(last.count)]
    }
}
