import ConcordCore
import ConcordData
import ConcordText
import Foundation

/// Captions the images of a split and compares with what people wrote.
///
/// References are compared as the model's tokenizer reads and writes them: one that loses capitals and the spaces around
/// punctuation, as CLIP's does, cannot write "medium-dark" other than "medium - dark".
package struct CaptionEvaluation {
    package let metrics: CaptionMetrics
    /// The captioned images, with the caption and the references.
    package let images: [(image: String, caption: GeneratedCaption, references: [String])]
    /// Images that could not be decoded, and why.
    package let failures: [(image: String, problem: String)]

    /// Captions the images of a split and scores the captions.
    ///
    /// - Parameters:
    ///   - split: the name of a split, or `all`.
    ///   - language: only references of this language; nil takes all.
    ///   - kind: only references of this kind; nil takes `name` where the data set has names, else all.
    ///   - options: nil takes the likeliest token each time, up to ``Captioner/usualTokens(prompt:)``.
    /// - Throws: `.invalidDataset` when no image has such a reference; what the model throws.
    package static func measure(
        _ captioner: Captioner, dataset: CaptionDataset, split: String, language: String?, kind: String?,
        prompt: [Int32]? = nil, options: GenerationOptions? = nil, batchSize: Int = 16,
        progress: ProgressDisplay? = nil
    ) throws -> CaptionEvaluation {
        let hasNames = dataset.items.contains { $0.captions.contains { $0.kind == "name" } }
        let kind = kind ?? (hasNames ? "name" : nil)
        let items = dataset.items.filter { split == "all" || $0.split == split }
        let chosen: [(image: String, path: String, references: [String])] = items.compactMap { item in
            let texts = item.captions.filter {
                (language == nil || $0.language == language) && (kind == nil || $0.kind == kind)
            }.map { captioner.tokenizer.decode(captioner.tokenizer.encode($0.text)) }
            guard !texts.isEmpty, let image = item.image else { return nil }
            return (image: image, path: dataset.path(ofFile: image), references: texts)
        }
        guard !chosen.isEmpty else {
            throw ConcordError(
                .invalidDataset,
                "no image of the split \(split) has a caption of language \(language ?? "any") and kind "
                    + "\(kind ?? "any") to compare with")
        }
        let batches = stride(from: 0, to: chosen.count, by: batchSize).map { $0..<min($0 + batchSize, chosen.count) }
        let loader = PrefetchLoader(batches: 0..<batches.count) { [preprocessing = captioner.preprocessing] index in
            DecodedBatch(batches[index].map { chosen[$0].path }, preprocessing)
        }
        let options = options ?? GenerationOptions(maxTokens: captioner.usualTokens(prompt: prompt))
        var images = [(image: String, caption: GeneratedCaption, references: [String])]()
        var failures = [(image: String, problem: String)]()
        for range in batches {
            guard let batch = try loader.next(unless: { InterruptSignal.hasArrived }) else { break }
            let captions = try captioner.captions(
                pixels: batch.pixels, count: batch.rows.count, prompt: prompt, options: options)
            for (row, found) in zip(batch.rows, captions) {
                let image = chosen[range.lowerBound + row]
                if let best = found.first { images.append((image.image, best, image.references)) }
            }
            failures += batch.failures.map { (chosen[range.lowerBound + $0.row].image, $0.error.message) }
            progress?.show(done: range.upperBound, of: chosen.count)
        }
        try InterruptSignal.check()
        progress?.finish()
        let metrics = try CaptionMetrics(
            ids: images.map(\.image), candidates: images.map(\.caption.text), references: images.map(\.references))
        return CaptionEvaluation(metrics: metrics, images: images, failures: failures)
    }

    /// The form that `concord evaluate --captions` prints.
    package var table: String {
        let scores = metrics.overall
        func percent(_ value: Double) -> String { NumberText.fixed(100 * value, decimals: 1) + " %" }
        let rows = [
            ("exact match", percent(scores.exactMatch)), ("CIDEr-D", NumberText.fixed(scores.cider, decimals: 2)),
            ("BLEU-4", percent(scores.bleu4)), ("METEOR (exact words)", percent(scores.exactMETEOR)),
            ("ROUGE-L", percent(scores.rougeL)),
        ]
        return
            (["\(images.count) captions"]
            + rows.map { $0.0.padding(toLength: 22, withPad: " ", startingAt: 0) + $0.1 })
            .joined(separator: "\n")
    }
}
