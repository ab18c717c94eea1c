import ArgumentParser
import Concord

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify",
        abstract: "Classify images or sounds by a list of labels, without training (zero-shot).",
        discussion: """
            Each label replaces {} in each template, and the embeddings of a label's templates are averaged; several
            templates make the result more robust. Probabilities are computed as in `concord similarity`.

            --json prints:
              {"results": [{"image": …, "labels": [{"label": …, "probability": …, "logit": …, "cosine": …}, …]}, …],
               "probability": "softmax"}
            With --audio "image" is "audio". A file that cannot be read is skipped: its result has an "error" instead of labels, "skipped" lists it as
            {"index": …, "path": …, "reason": …}, and the exit status is 1.

            Examples:
              concord classify --model M --image a.jpg b.jpg --labels labels.txt
              concord classify --model M --image a.jpg --labels labels.txt --template "a photo of a {}" \\
                --template "a drawing of a {}" --top 3 --json
              concord classify --model laion/clap-htsat-unfused --audio street.flac --labels sounds.txt
            """)

    @OptionGroup var model: ModelOptions

    @OptionGroup var media: MediaOptions

    @Option(help: "A text file with one label per line.")
    var labels: String

    @Option(
        name: .customLong("template"), parsing: .upToNextOption,
        help:
            "A text with {} in place of the label; may be repeated (default: \"a photo of a {}\", for sounds \"This is a sound of {}.\")."
    )
    var templates: [String] = []

    @Option(help: "Number of labels to show for each image or sound.")
    var top = 5

    @OptionGroup var unreadable: UnreadableMediaOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard top > 0 else { throw ValidationError("--top is \(top); it must be at least 1.") }
        for template in templates {
            do throws(ConcordError) { try ZeroShotClassifier.check(template) } catch {
                throw ValidationError(error.message)
            }
        }
    }

    func run() throws {
        try unreadable.check()
        let labels = try ZeroShotClassifier.readLabels(labels)
        let model = try model.load()
        Message.warn(ofSpecialTokensIn: labels + templates, try model.textSide().tokenizer)
        let standard =
            media.modality == .audio ? ZeroShotClassifier.standardAudioTemplates : ZeroShotClassifier.standardTemplates
        let classifier = try ZeroShotClassifier(
            model: model, of: media.modality, labels: labels, templates: templates.isEmpty ? standard : templates,
            progress: Message.progress("labels", count: labels.count))
        Message.warn(
            ofTruncated: classifier.truncatedCount, of: labels.count * max(1, templates.count))
        let embedded = try media.embed(model, isStrict: unreadable.strict)
        let similarity = try media.similarity(model, embedded.vectors, texts: classifier.weights)
        let rows = similarity.scored(media.paths, media.modality, skipped: embedded.skipped)
        if json {
            print(
                JSONValue.object(
                    [
                        .init("results", .array(rows.map { $0.json { report($0, labels) } })),
                        .init("probability", .string(similarity.probability.rawValue)),
                    ] + embedded.skippedMembers
                ).text())
        } else {
            for row in rows { if let found = row.row { print("\(row.path)\n\(found.table(labels, top: top))") } }
        }
        try unreadable.finish(embedded.skipped, of: rows.count, media.noun)
    }

    private func report(_ row: Similarity.Row, _ labels: [String]) -> [JSONValue.Member] {
        let best = row.ranking.prefix(top).map { index -> JSONValue in
            [
                "label": .string(labels[index]), "probability": .number(row.probabilities[index]),
                "logit": .number(row.logits[index]), "cosine": .number(row.cosines[index]),
            ]
        }
        return [.init("labels", .array(best))]
    }
}
