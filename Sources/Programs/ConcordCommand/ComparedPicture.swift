import Concord

/// A picture that was asked about: what it is like, or why that is not known.
struct ComparedPicture {
    let path: String
    let row: Similarity.Row?
    let problem: String?

    /// The picture with the members that `report` makes of what it is like, or with an `error`.
    func json(_ report: (Similarity.Row) -> [JSONValue.Member]) -> JSONValue {
        let members = row.map(report) ?? [.init("error", problem.map(JSONValue.string) ?? .null)]
        return .object([.init("image", .string(path))] + members)
    }
}

extension Similarity {
    /// The rows with their pictures, and the pictures that were left out.
    func pictures(_ paths: [String], leftOut: [SkippedInput]) -> [ComparedPicture] {
        let problems = Dictionary(leftOut.map { ($0.index, $0.reason) }) { first, _ in first }
        return paths.indices.map { index in
            let problem = problems[index]
            return ComparedPicture(path: paths[index], row: problem == nil ? rows[index] : nil, problem: problem)
        }
    }
}

extension EmbeddedInputs {
    /// The list of what was left out as a member of a JSON object, where anything was.
    var skippedMembers: [JSONValue.Member] {
        skipped.isEmpty ? [] : [.init("skipped", .array(skipped.map(\.json)))]
    }
}
