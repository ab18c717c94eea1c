/// A text on its way through the normalizers of a pipeline.
struct NormalizedText {
    var scalars: [Unicode.Scalar]
    /// How many of the first scalars stem from the first character of the whole text, which `Metaspace` asks for.
    var originCount: Int

    /// Drops what `isDropped` says.
    mutating func remove(where isDropped: (Unicode.Scalar) -> Bool) {
        guard let first = scalars.firstIndex(where: isDropped) else { return }
        if first < originCount { originCount -= scalars.prefix(originCount).count(where: isDropped) }
        scalars.removeAll(where: isDropped)
    }

    /// Replaces each scalar by some.
    mutating func expand(_ expansion: (Unicode.Scalar, inout [Unicode.Scalar]) -> Void) {
        var output = [Unicode.Scalar]()
        output.reserveCapacity(scalars.count)
        var newOriginCount = 0
        for (index, scalar) in scalars.enumerated() {
            expansion(scalar, &output)
            if index + 1 == originCount { newOriginCount = output.count }
        }
        originCount = newOriginCount
        scalars = output
    }

    /// Replaces all by what a function of the whole text gives.
    mutating func transform(_ function: ([Unicode.Scalar]) -> [Unicode.Scalar]) {
        let origin = function(Array(scalars.prefix(originCount))).count
        scalars = function(scalars)
        originCount = min(origin, scalars.count)
    }

    /// Replaces each match of a pattern by `content`.
    mutating func replace(_ pattern: TextPattern, with content: [Unicode.Scalar]) {
        var output = [Unicode.Scalar]()
        var copied = 0
        var newOriginCount = originCount
        pattern.forEachMatch(in: scalars[...]) { range in
            output += scalars[copied..<range.lowerBound]
            output += content
            copied = range.upperBound
            // The new characters stand for the last one that they replace.
            if range.upperBound <= originCount {
                newOriginCount += content.count - range.count
            } else if range.lowerBound < originCount {
                newOriginCount -= originCount - range.lowerBound
            }
        }
        guard copied > 0 else { return }
        output += scalars[copied...]
        scalars = output
        originCount = newOriginCount
    }

    mutating func prepend(_ content: [Unicode.Scalar]) {
        guard !scalars.isEmpty else { return }
        scalars.insert(contentsOf: content, at: 0)
        if originCount > 0 { originCount += content.count }
    }

    /// Drops white space at the ends.
    mutating func strip(left: Bool, right: Bool) {
        if right, let last = scalars.lastIndex(where: { CharacterClass($0) != .space }) {
            scalars.removeLast(scalars.count - 1 - last)
        } else if right {
            scalars = []
        }
        if left {
            let count = scalars.firstIndex { CharacterClass($0) != .space } ?? scalars.count
            scalars.removeFirst(count)
            originCount -= count
        }
        originCount = min(max(originCount, 0), scalars.count)
    }
}
