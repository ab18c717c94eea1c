import ConcordCore
import ConcordTensor

/// Classifies images by what their labels say, without training: a label's vector is that of its descriptions.
///
/// Each template is filled with the label and embedded; the unit vectors of a label's templates are averaged and the
/// mean is made a unit vector again. Follows `build_zero_shot_classifier` of open_clip 3.3.
public struct ZeroShotClassifier {
    /// The placeholder of the label in a template.
    package static let placeholder = "{}"
    public static let standardTemplates = ["a photo of a {}"]
    /// That of transformers' pipeline for sounds.
    public static let standardAudioTemplates = ["This is a sound of {}."]

    public let labels: [String]
    /// The labels' unit vectors, `[labels, width]` float32 on the host.
    public let weights: Tensor
    /// The number of filled templates that were truncated to the model's context length.
    public let truncatedCount: Int

    /// Embeds every label in every template.
    ///
    /// - Parameters:
    ///   - modality: what is to be classified: images or sounds.
    ///   - templates: each with `{}` where the label goes.
    ///   - batchSize: texts that are embedded before progress shows.
    /// - Throws: `.invalidConfiguration` without labels or templates, for a template that has no place for the label,
    ///   and for a model without what is to be classified or without texts.
    public init(
        model: EmbeddingModel, of modality: Modality = .image, labels: [String],
        templates: [String] = standardTemplates, batchSize: Int = 1024,
        progress: ProgressDisplay? = nil
    ) throws(ConcordError) {
        try model.checkComparison(of: modality)
        guard !labels.isEmpty else {
            throw ConcordError(.invalidConfiguration, "there are no labels; give at least one")
        }
        guard !templates.isEmpty else {
            throw ConcordError(.invalidConfiguration, "there are no templates; give one, such as \"a photo of a {}\"")
        }
        for template in templates { try Self.check(template) }
        let step = max(1, batchSize / templates.count)
        var blocks = [Tensor](), truncatedCount = 0
        for start in stride(from: 0, to: labels.count, by: step) {
            let rows = labels[start..<min(start + step, labels.count)]
            let texts = rows.flatMap { label in templates.map { Self.filled($0, with: label) } }
            let (vectors, truncated) = try model.embed(texts: texts)
            truncatedCount += truncated
            blocks.append(
                withoutGradient {
                    vectors.reshaped([rows.count, templates.count, vectors.shape[1]]).mean(axes: [1]).normalized()
                })
            progress?.show(done: rows.endIndex, of: labels.count)
        }
        progress?.finish()
        self.labels = labels
        self.truncatedCount = truncatedCount
        weights = Tensor.concatenated(blocks)
    }

    /// Throws `.invalidConfiguration` for a template without `{}`.
    public static func check(_ template: String) throws(ConcordError) {
        guard template.contains(placeholder) else {
            throw ConcordError(
                .invalidConfiguration,
                "the template \"\(template)\" has no place for the label; write {} in its place, as in "
                    + "\"a photo of a {}\"")
        }
    }

    private static func filled(_ template: String, with label: String) -> String {
        var result = "", rest = template[...]
        while let place = rest.firstRange(of: placeholder) {
            result += rest[..<place.lowerBound] + label
            rest = rest[place.upperBound...]
        }
        return result + rest
    }
}

extension ZeroShotClassifier {
    /// Reads labels from a UTF-8 file, one a line; spaces around them and blank lines do not count.
    ///
    /// - Throws: `.fileSystem`; `.malformedText` for a line that is not UTF-8, a label that appears twice, and a file
    ///   without labels.
    package static func readLabels(_ path: String) throws(ConcordError) -> [String] {
        let reader = try LineReader(path: path)
        var labels = [String](), lines = [[UInt8]: Int]()
        while let line = try reader.next() {
            let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
            let trimmed = Array(line.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
            guard !trimmed.isEmpty else { continue }
            guard let label = String(validating: trimmed, as: UTF8.self) else {
                throw ConcordError(
                    .malformedText, "\(path), line \(reader.number) is not UTF-8; save the file as UTF-8")
            }
            if let first = lines.updateValue(reader.number, forKey: trimmed) {
                throw ConcordError(
                    .malformedText,
                    "\(path) has the label \"\(label)\" on lines \(first) and \(reader.number); remove one")
            }
            labels.append(label)
        }
        guard !labels.isEmpty else {
            throw ConcordError(.malformedText, "\(path) has no labels; write one per line")
        }
        return labels
    }
}
