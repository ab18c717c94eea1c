import ArgumentParser
import Concord

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate", abstract: "Measure how well texts find pictures, and pictures texts.",
        discussion: """
            The captions of the chosen split are searched among all pictures of the data set, and its pictures among
            all captions of the chosen language and kind. With --captions a CoCa also captions the pictures of the
            split, and what it writes is compared with the captions of that language and kind.

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
        let model = try model.load(), dataset = try data.load()
        // Before the pictures are embedded, which may take long.
        let captioner = captions ? try Captioner(model) : nil
        let gallery = try PictureGallery(
            model: model, dataset: dataset, maximumSkippedFraction: data.maximumSkippedFraction,
            progress: ProgressDisplay(label: "embedding"))
        let evaluation = RetrievalEvaluation(model: model, dataset: dataset, gallery: gallery)
        let result = try evaluation.measure(split: split, language: language, kind: kind)
        guard let captioner else { return print(json ? result.json.text() : result.table) }
        let captions = try CaptionEvaluation(
            captioner, dataset: dataset, split: split, language: language, kind: kind,
            prompt: generation.prompt(for: captioner), options: generation.options(for: captioner),
            progress: ProgressDisplay(label: "captioning"))
        if json {
            print(JSONValue.object((result.json.members ?? []) + [.init("captions", captions.metrics.json)]).text())
        } else {
            print(result.table + "\n\n" + captions.table)
        }
    }
}
