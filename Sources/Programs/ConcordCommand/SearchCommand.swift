import ArgumentParser
import Concord

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find the images of a data set that best match a text, an image or a sound.",
        discussion: """
            The data set may be a folder of images without a caption file. Images that cannot be read are skipped, and
            the exit status is 1; --json and --skipped list them as {"index": …, "path": …, "reason": …}, and unusable
            rows of the caption file as {"file": …, "line": …, "reason": …, "detail": …}.

            Examples:
              concord search --model runs/emoji --data data/emoji --text "red apple"
              concord search --model runs/emoji --data data/emoji --image q.png --top 5 --json
              concord search --model runs/emoji --data data/emoji --text "红苹果" --html results.html
              concord search --model openai/clip-vit-base-patch32 --data photos --text "a red car"
              concord search --model runs/spoken --data data/spoken --audio question.wav
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var data: DataOptions

    @Option(help: "The text to search for.")
    var text: String?

    @Option(help: "The image to search for.")
    var image: String?

    @Option(help: "The sound to search for.")
    var audio: String?

    @Flag(help: "Take the mean of each modality from queries and images first; see `concord calibrate`.")
    var calibrate = false

    @Option(help: "Number of images to return.")
    var top = 10

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: "Also write an HTML page with the images to this file.")
    var html: String?

    func validate() throws {
        guard [text, image, audio].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("Give one of --text, --image and --audio.")
        }
        guard top > 0 else { throw ValidationError("--top is \(top); it must be at least 1.") }
    }

    func run() throws {
        if let html { try Files.checkIsWritable(html) }
        _ = try model.folder()
        // Fails before the images are embedded, which may be slow.
        if let image { _ = try Image(contentsOf: image) }
        if let audio { _ = try AudioDecoder.read(audio) }
        let dataset = try data.load(needsCaptions: false)
        let model = try model.load()
        if calibrate, model.calibration == nil {
            throw ConcordError(
                .invalidConfiguration,
                "the model's concord.json has no means of its modalities; measure them with `concord calibrate`")
        }
        if let text {
            _ = try model.imageTextEncoder()
            Message.warn(ofSpecialTokensIn: [text], try model.textSide().tokenizer)
        }
        if audio != nil { _ = try model.audioSide() }
        let gallery = try ImageGallery(
            model: model, dataset: dataset, maximumSkippedFraction: data.skipping.limit,
            progress: ProgressDisplay(label: "embedding"))
        let search =
            if calibrate, let calibration = model.calibration {
                try ImageSearch(model: model, dataset: dataset, gallery: gallery, calibration: calibration)
            } else {
                ImageSearch(model: model, dataset: dataset, gallery: gallery)
            }
        let query = text.map(ImageSearch.Query.text) ?? audio.map(ImageSearch.Query.audio) ?? .image(image ?? "")
        let results = try search.find(query, top: top)
        if let html { try search.page(for: query, results).write(to: html) }
        if json {
            let found = JSONValue.Member("results", .array(results.map(\.json)))
            print(JSONValue.object([found] + data.skippedMembers(dataset, gallery)).text())
        } else {
            for result in results { print(result.line) }
        }
        try data.finish(dataset, gallery)
    }
}
