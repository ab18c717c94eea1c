import ConcordCore

extension CaptionDataset {
    /// The items of a split; all for nil.
    ///
    /// - Throws: `.invalidDataset` for a split that no picture is in, with those that there are.
    public func pictures(ofSplit split: String?) throws(ConcordError) -> CaptionDataset {
        guard let split else { return self }
        let chosen = filtered(split: split)
        guard chosen.items.isEmpty else { return chosen }
        var counts: [String: Int] = [:]
        for item in items { if let split = item.split { counts[split, default: 0] += 1 } }
        let source = captionFile.isEmpty ? folder : captionFile
        guard !counts.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "there is no split `\(split)`: \(source) puts no picture into a split; leave the split out, or say it in "
                    + "a column or member `split`")
        }
        let nearest = NearestName.suggestion(for: split, among: counts.keys)
        let known = counts.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value) pictures)" }
        throw ConcordError(
            .invalidDataset,
            "there is no split `\(split)` in \(source)" + (nearest.map { "; did you mean `\($0)`?" } ?? ".")
                + " It has " + known.joined(separator: ", "))
    }
}
