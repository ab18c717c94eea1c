import ConcordCore

/// The tokens of a vocabulary and their ids, checked: ids are 0 to n-1, each once, and no token is listed twice.
struct TokenTable: Sendable {
    /// How the vocabulary file spells each token, by id.
    let tokens: [String]
    /// Keys are bytes: `String` would take canonically equivalent names for one.
    let ids: [[UInt8]: Int32]

    /// Checks and indexes a vocabulary; `source` names the file in errors. Throws `.invalidTokenizer`.
    init(entries: [(name: String, id: Int)], source: String) throws(ConcordError) {
        func failure(_ problem: String) -> ConcordError { .init(.invalidTokenizer, "\(source): \(problem)") }
        var tokens = [String?](repeating: nil, count: entries.count)
        var ids = [[UInt8]: Int32](minimumCapacity: entries.count)
        for (name, id) in entries {
            guard tokens.indices.contains(id) else {
                throw failure(
                    "token \"\(name)\" has id \(id), but \(entries.count) tokens need ids 0 to \(entries.count - 1)")
            }
            if let other = tokens[id] { throw failure("tokens \"\(other)\" and \"\(name)\" share id \(id)") }
            guard ids.updateValue(Int32(id), forKey: Array(name.utf8)) == nil else {
                throw failure("token \"\(name)\" is listed twice")
            }
            tokens[id] = name
        }
        // As many ids as tokens, all different and in range: none is left out.
        self.tokens = tokens.compactMap { $0 }
        self.ids = ids
    }

    func id(of name: String) -> Int32? { ids[Array(name.utf8)] }
}
