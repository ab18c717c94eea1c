import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// The processes of a run. All take the same steps; rank 0 writes and prints. A run on its own is its only process.
struct TrainingGroup {
    /// Nil for a run on its own.
    let group: ProcessGroup?

    /// Whether this process writes files and shows progress.
    var isWriter: Bool { (group?.rank ?? 0) == 0 }

    /// What the processes do next: the gravest of what each of them wants.
    enum Course: Int, CaseIterable {
        case step
        /// A signal has come to one of them.
        case stop
        /// One of them cannot go on.
        case fail
    }

    /// The gravest course that a process wants.
    ///
    /// - Throws: `.processGroup`.
    func agreed(_ own: Course) throws(ConcordError) -> Course {
        Course.allCases[try largest(own.rawValue)]
    }

    /// Whether rank 0, whose clock counts for all, says so.
    func asRankZero(_ condition: Bool) throws(ConcordError) -> Bool { try largest(isWriter && condition ? 1 : 0) > 0 }

    private func largest(_ value: Int) throws(ConcordError) -> Int {
        guard let group, group.worldSize > 1 else { return value }
        return try group.largest(value)
    }

    /// Waits for a process that leaves with an error, to report the same.
    ///
    /// - Throws: `.processGroup` with the error of that process.
    func waitForFailure() throws(ConcordError) { _ = try largest(0) }

    /// The rows that other processes skipped, and this one did not.
    func skippedElsewhere(_ own: [SkippedRow]) throws -> [SkippedRow] {
        guard let group, group.worldSize > 1 else { return [] }
        var known = Set(own.map(\.line)), others: [SkippedRow] = []
        for text in try group.gatherTexts(JSONValue.array(own.map(\.json)).text()) {
            for row in try JSONValue(parsing: Array(text.utf8), source: "skipped rows").elements ?? [] {
                guard let line = row["line"]?.int, known.insert(line).inserted,
                    let reason = row["reason"]?.string.flatMap(SkippedRow.Reason.init)
                else { continue }
                others.append(
                    SkippedRow(
                        file: row["file"]?.string ?? "", line: line, reason: reason,
                        detail: row["detail"]?.string ?? ""))
            }
        }
        return others
    }
}

extension TrainingGroup {
    /// Compares what the processes begin with.
    ///
    /// - Throws: `.processGroup` on all of them, naming what differs; `.invalidConfiguration` for fewer samples in a
    ///   batch than processes.
    func check(_ recipe: Recipe, _ data: TrainingData) throws(ConcordError) {
        guard let group, group.worldSize > 1 else { return }
        let settings: [(name: String, text: String)] = [
            ("the version of concord", ConcordVersion.current), ("the recipe", recipe.text),
            ("the checkpoint that the run resumes from", data.checkpoint.map { "step \($0.step)" } ?? "none"),
        ]
        try group.agree(on: settings + data.fingerprint.texts)
        guard data.plan.batchSize >= group.worldSize else {
            throw ConcordError(
                .invalidConfiguration,
                "a batch of \(data.plan.batchSize) images is too small for \(group.worldSize) processes, each of which "
                    + "needs one; raise train.batch_size, or start fewer processes")
        }
    }

    /// Compares the parameters that the processes train.
    ///
    /// - Throws: `.processGroup` on all of them, naming the first that differs.
    func check(_ setup: TrainingRun.Setup) throws(ConcordError) {
        guard let group, group.worldSize > 1 else { return }
        let parameters = setup.model.store.parameters.map { parameter in
            "\(parameter.name) \(parameter.tensor.shape) \(parameter.tensor.dtype.rawValue)"
                + (parameter.tensor.requiresGradient ? "" : ", frozen")
        }
        try group.agree(on: [
            ("the tokenizer", "\(setup.tokenizer.vocabularySize) tokens"),
            ("a parameter of the model", parameters.joined(separator: "\n")),
        ])
    }
}

extension ProcessGroup {
    /// The sums of numbers over the processes.
    func sum(_ values: [Double]) throws(ConcordError) -> [Double] {
        let tensor = Tensor(values)
        try allReduce(tensor)
        return tensor.scalars(as: Double.self)
    }

    /// The largest of a number of each process.
    func largest(_ value: Int) throws(ConcordError) -> Int {
        let tensor = Tensor([value])
        try allReduce(tensor, .maximum)
        return tensor.scalars(as: Int.self)[0]
    }
}
