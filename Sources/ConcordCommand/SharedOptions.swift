import ArgumentParser
import Concord
import Foundation

/// Which model, by its folder.
struct ModelFolderOptions: ParsableArguments {
    @Option(
        name: .customLong("model"),
        help: "A model folder, such as a finished run; or OWNER/NAME or OWNER/NAME@REVISION, fetched by `concord pull`."
    )
    var model: String

    /// The folder that is meant.
    func path() throws -> String { try ModelLocation.folder(model) }
}

/// Which model, and where it runs.
struct ModelOptions: ParsableArguments {
    @OptionGroup var location: ModelFolderOptions

    @Option(help: "cpu, cuda, cuda:N or mps.")
    var device = "cpu"

    /// The model, ready to embed; what is odd about it is printed as warnings.
    func load() throws -> EmbeddingModel {
        let model = try EmbeddingModel.load(location.path(), device: Device(device))
        Message.warn(model.notes)
        return model
    }
}

/// What the user is told besides results, on standard error.
enum Message {
    /// A bar for work on `count` things; nil for so few that it would be gone before it is read.
    static func progress(_ label: String, count: Int) -> ProgressDisplay? {
        count > 32 ? ProgressDisplay(label: label) : nil
    }

    static func warn(_ notes: [String]) {
        for text in notes { note("warning: \(text)") }
    }

    static func note(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    /// Tells how many texts lost their ends, if any did.
    static func warn(ofTruncated count: Int, of total: Int) {
        guard count > 0 else { return }
        warn(["\(count) of \(total) texts were cut at the model's context length"])
    }
}

/// Which data set.
struct DataOptions: ParsableArguments {
    @Option(name: .customLong("data"), help: "A folder with captions.jsonl, .tsv or .csv, or such a file.")
    var folder: String

    @Option(help: "The column that names the picture (.tsv, .csv).")
    var imageColumn: String?

    @Option(name: .customLong("caption-column"), help: "A column that holds captions (.tsv, .csv); may be repeated.")
    var captionColumns: [String] = []

    @Option(help: "Stop when more than this share of rows or pictures is unusable.")
    var maximumSkippedFraction = 0.1

    func load() throws -> CaptionDataset {
        var options = CaptionFileOptions()
        options.maximumSkippedFraction = maximumSkippedFraction
        options.imageColumn = imageColumn
        options.captionColumns = captionColumns.isEmpty ? nil : captionColumns
        return try CaptionDataset(contentsOf: folder, options: options)
    }
}
