import ArgumentParser
import Concord

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure how well texts find pictures, and pictures texts.",
        discussion: """
            The captions of the chosen split are searched among all pictures of the data set, and its pictures among
            all captions of the chosen language and kind. With --captions a CoCa also captions the pictures of the
            split, and what it writes is compared with the captions of that language and kind.

            Pictures that cannot be read are left out, and the exit status is 1; --json and --skipped list them as
            {"index": …, "path": …, "reason": …}, and rows of the caption file that cannot be used as
            {"file": …, "line": …, "reason": …, "detail": …}.

            Where the data name no splits, the pictures that a run held out by itself are its split held-out.

            Examples:
              concord evaluate --model runs/emoji --data data/emoji --split held-out --language en
              concord evaluate --model runs/emoji --data data/emoji --split all --json
              concord evaluate --model runs/emoji-coca --data data/emoji --split held-out --captions
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var data: DataOptions

    @Option(help: "Rows whose captions are searched for: a split's name, or all.")
    var split = "all"

    @Option(help: "Only captions of this language.")
    var language: String?

    @Option(help: "Only captions of this kind; without it \"name\" where the data set has names, else all.")
    var kind: String?

    @Flag(help: "Caption the pictures of the split, too, and compare.")
    var captions = false

    @OptionGroup(title: "Captions") var generation: GenerationArguments

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let folder = try RunFolder(model.folder())
        if captions { try generation.check() }
        let dataset = try folder.withHeldOut(data.load(needsCaptions: true))
        // Before the pictures are embedded, which may take long.
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
            try CaptionEvaluation(
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
}
