import ConcordLosses

/// Signs of a run that does not learn, told once each: not while the model is new, and not for a single batch.
struct LearningSigns {
    /// New towers put all inputs near one point and guess; later that is a collapse.
    private let beginning: Int
    private var counts: [EmbeddingWarning.Kind: Int] = [:]

    private static let fewestSteps = 50
    /// So many logged steps in a row are no accident.
    private static let repetitions = 3

    init(_ plan: TrainingPlan) {
        beginning = max(plan.warmupSteps, plan.totalSteps / 10, Self.fewestSteps)
    }

    /// What is to be said after a step.
    mutating func warnings(of report: TrainingStep) -> [String] {
        guard report.step > beginning else { return [] }
        var messages = [String]()
        for kind in EmbeddingWarning.Kind.allCases where counts[kind, default: 0] < Self.repetitions {
            let warning = report.warnings.first { $0.kind == kind }
            counts[kind] = warning == nil ? 0 : counts[kind, default: 0] + 1
            if let warning, counts[kind] == Self.repetitions { messages.append(warning.message) }
        }
        return messages
    }
}
