import ArgumentParser
import Concord

/// Which model, and where it runs.
struct ModelOptions: ParsableArguments {
    @Option(name: .customLong("model"), help: "A model folder, such as a finished run.")
    var folder: String

    @Option(help: "cpu, cuda, cuda:N or mps.")
    var device = "cpu"

    func load() throws -> EmbeddingModel { try EmbeddingModel.load(folder, device: Device(device)) }
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
