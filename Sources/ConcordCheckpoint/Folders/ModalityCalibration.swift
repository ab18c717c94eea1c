import ConcordCore

/// The mean vector of each modality over a data set.
///
/// Towers that are trained against each other put each modality in a region of its own: any two pictures are closer than
/// a picture and its caption (Liang et al. 2022). Taking away each modality's mean closes that gap, so that pictures,
/// texts and sounds can stand in one ranking.
public struct ModalityCalibration: Sendable, Hashable {
    /// Each as wide as the model's vectors.
    public var means: [Modality: [Float]]
    /// The data set that they were measured on.
    public var dataset: String

    public init(means: [Modality: [Float]], dataset: String) {
        self.means = means
        self.dataset = dataset
    }

    var json: JSONValue {
        let all = means.sorted { $0.key < $1.key }.map { modality, mean in
            JSONValue.Member(modality.name, .array(mean.map { .number(Double($0)) }))
        }
        return ["dataset": .string(dataset), "mean": .object(all)]
    }

    init(_ fields: JSONFields) throws(ConcordError) {
        try fields.refuseUnknown(["dataset", "mean"])
        dataset = try fields.string("dataset")
        let all = try fields.object("mean")
        means = [:]
        for name in all.names {
            guard let value = all[name] else { continue }
            let mean = value.elements?.compactMap(\.double).map { Float($0) } ?? []
            guard !mean.isEmpty, mean.count == value.elements?.count, mean.allSatisfy(\.isFinite) else {
                throw all.failure(name, .wrong(expected: "a list of numbers", found: value))
            }
            means[Modality(name)] = mean
        }
    }
}
