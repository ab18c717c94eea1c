import ArgumentParser
import Concord

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure retrieval of images by text and of texts by image.",
        discussion: """
            Reports recall@1, @5 and @10 and the median rank. Each caption of the chosen split is a query among all
            images of the data set, and each image of the split is a query among all captions of the chosen language and
            kind. --captions also captions the images of the split with a CoCa model and scores the captions against
            those of the data set. --modalities image,text,audio measures every direction between images, texts and sounds
            instead, by split and by the condition of the sounds, with what chance finds. If the data set has no splits, "held-out" is the split that the training run made.

            Images that cannot be read are skipped, and the exit status is 1; --json and --skipped list them as
            {"index": …, "path": …, "reason": …}, and unusable rows of the caption file as
            {"file": …, "line": …, "reason": …, "detail": …}.

            Examples:
              concord evaluate --model runs/emoji --data data/emoji --split held-out --language en
              concord evaluate --model runs/emoji --data data/emoji --split all --json
              concord evaluate --model runs/spoken --data data/spoken --modalities image,text,audio --language en
              concord evaluate --model runs/emoji-coca --data data/emoji --split held-out --captions
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var data: DataOptions

    @Option(help: "The split whose captions and images are the queries, or all.")
    var split = "all"

    @Option(help: "Use only captions in this language.")
    var language: String?

    @Option(help: "Use only captions of this kind (default: \"name\" if the data set has any, otherwise all).")
    var kind: String?

    @Option(
        help: "Measure every direction between these: two or three of image, text and audio, separated by commas.")
    var modalities: String?

    @Flag(help: "Also caption the images of the split and score the captions.")
    var captions = false

    @OptionGroup(title: "Captions") var generation: GenerationArguments

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if modalities != nil, captions || split != "all" {
            throw ValidationError(
                "--modalities measures all splits, and no captions; leave --split and --captions out.")
        }
    }

    func run() throws {
        let folder = try RunFolder(model.folder())
        if let modalities { return try compare(modalities.split(separator: ",").map { Modality(String($0)) }, folder) }
        if captions { try generation.check() }
        let dataset = try folder.withHeldOut(data.load(needsCaptions: true))
        // Fails before the images are embedded, which may be slow.
        try RetrievalEvaluation.check(dataset, split: split, language: language, kind: kind)
        let model = try model.load()
        _ = try model.imageTextEncoder()
        let captioner = captions ? try Captioner(model) : nil
        let prompt = try captioner.flatMap { try generation.prompt(for: $0) }
        let options = try captioner.map { try generation.options(for: $0) }
        let gallery = try ImageGallery(
            model: model, dataset: dataset, maximumSkippedFraction: data.skipping.limit,
            progress: ProgressDisplay(label: "embedding"))
        let evaluation = RetrievalEvaluation(model: model, dataset: dataset, gallery: gallery)
        let result = try evaluation.measure(split: split, language: language, kind: kind)
        let captions = try captioner.map {
            try CaptionEvaluation.measure(
                $0, dataset: dataset, split: split, language: language, kind: kind, prompt: prompt, options: options,
                progress: ProgressDisplay(label: "captioning"))
        }
        if json {
            let written = captions.map { [JSONValue.Member("captions", $0.metrics.json)] } ?? []
            print(
                JSONValue.object((result.json.members ?? []) + written + data.skippedMembers(dataset, gallery)).text())
        } else {
            print(([result.table] + (captions.map { [$0.table] } ?? [])).joined(separator: "\n\n"))
        }
        try data.finish(dataset, gallery)
    }
    /// Measures every direction between modalities.
    private func compare(_ modalities: [Modality], _ folder: RunFolder) throws {
        let dataset = try folder.withHeldOut(data.load(needsCaptions: true))
        let evaluation = try ModalityEvaluation(
            model: model.load(), dataset: dataset, modalities: modalities, language: language, kind: kind,
            maximumSkippedFraction: data.skipping.limit, progress: { ProgressDisplay(label: $0) })
        if json {
            let skipped = dataset.skipped.map(\.json) + evaluation.skipped.map(\.json)
            print(JSONValue.object([.init("rows", evaluation.json), .init("skipped", .array(skipped))]).text())
        } else {
            print(evaluation.table)
        }
        if !evaluation.skipped.isEmpty { throw ExitCode.failure }
    }
}
