import ConcordCore

extension ProcessGroup {
    /// Compares what all ranks have to have in common, before they compute with it.
    ///
    /// - Parameter values: names, and texts of any length: a recipe, the hash of a file.
    /// - Throws: `.processGroup`, the same on all ranks, with the first name whose text differs, the ranks, and the first
    ///   line in which they do.
    public func agree(on values: [(name: String, text: String)]) throws(ConcordError) {
        guard worldSize > 1 else { return }
        let json = JSONValue.array(values.map { .array([.string($0.name), .string($0.text)]) })
        let rows = try gatherTexts(json.text())
        let lists = try rows.map { text throws(ConcordError) in
            try JSONValue(parsing: Array(text.utf8), source: "the values of a rank").elements?.map { pair in
                (name: pair.elements?.first?.string ?? "", text: pair.elements?.last?.string ?? "")
            } ?? []
        }
        for (index, (name, text)) in lists[0].enumerated() {
            for (rank, list) in lists.enumerated() {
                guard index < list.count, list[index].name == name else {
                    throw ConcordError(
                        .processGroup, "rank 0 has \(name), rank \(rank) does not; start all ranks with one command")
                }
                guard list[index].text != text else { continue }
                let (ours, theirs) = Self.firstDifference(text, list[index].text)
                throw ConcordError(
                    .processGroup,
                    "\(name) differs: rank 0 has \"\(ours)\", rank \(rank) has \"\(theirs)\"; start all ranks with the "
                        + "same recipe, data, weights and version")
            }
        }
    }

    /// A text of every rank, in order of ranks.
    package func gatherTexts(_ text: String) throws(ConcordError) -> [String] {
        let bytes = Array(text.utf8)
        let tensor = bytes.withUnsafeBytes { Tensor(copying: $0, shape: [bytes.count], dtype: .uint8) }
        let lengths = try allGather(Tensor([bytes.count])).map { $0.scalars(as: Int.self)[0] }
        let all = try gatherRows(tensor).all.scalars(as: UInt8.self)
        var start = 0
        return lengths.map { length in
            defer { start += length }
            return String(decoding: all[start..<start + length], as: UTF8.self)
        }
    }

    private static func firstDifference(_ first: String, _ second: String) -> (String, String) {
        let left = first.split(separator: "\n", omittingEmptySubsequences: false)
        let right = second.split(separator: "\n", omittingEmptySubsequences: false)
        for index in 0..<max(left.count, right.count) {
            let (ours, theirs) = (index < left.count ? left[index] : "", index < right.count ? right[index] : "")
            if ours != theirs { return (String(ours.prefix(100)), String(theirs.prefix(100))) }
        }
        return ("", "")
    }
}
