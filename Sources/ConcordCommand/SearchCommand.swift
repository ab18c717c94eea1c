import ArgumentParser
import Concord

struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find the pictures of a data set that match a text or a picture best.",
        discussion: """
            Examples:
              concord search --model runs/emoji --data data/emoji --text "red apple"
              concord search --model runs/emoji --data data/emoji --image q.png --top 5 --json
              concord search --model runs/emoji --data data/emoji --text "红苹果" --html page.html
            """)

    @OptionGroup var model: ModelOptions
    @OptionGroup var data: DataOptions

    @Option(help: "The text to search for.")
    var text: String?

    @Option(help: "The picture to search for.")
    var image: String?

    @Option(help: "How many pictures to return.")
    var top = 10

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: "Also write a page with the pictures to this file.")
    var html: String?

    func validate() throws {
        guard (text == nil) != (image == nil) else { throw ValidationError("Give either --text or --image.") }
        guard top > 0 else { throw ValidationError("--top is \(top); it must be at least 1.") }
    }

    func run() throws {
        let model = try model.load(), dataset = try data.load()
        let gallery = try PictureGallery(
            model: model, dataset: dataset, maximumSkippedFraction: data.maximumSkippedFraction,
            progress: ProgressDisplay(label: "embedding"))
        let search = PictureSearch(model: model, dataset: dataset, gallery: gallery)
        let results = try search.find(text.map(PictureSearch.Query.text) ?? .image(image ?? ""), top: top)
        if let html { try search.page(text ?? image ?? "", results).write(to: html) }
        if json {
            print(JSONValue.object([.init("results", .array(results.map(\.json)))]).text())
        } else {
            for result in results { print(result.line) }
        }
    }
}
