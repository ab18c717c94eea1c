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

    /// The same of a model whose weights are needed.
    func weightsPath() throws -> String {
        let path = try path()
        guard !Files.exists(path + "/" + ArtifactManifest.fileName) else {
            throw ConcordError(
                .invalidConfiguration,
                "\(path) is an exported model, for `concord serve` and concord-server; name the folder of the model that "
                    + "it was exported from")
        }
        return path
    }
}

/// Which model, and where it runs.
struct ModelOptions: ParsableArguments {
    @OptionGroup var location: ModelFolderOptions

    @Option(help: "cpu, cuda, cuda:N or mps.")
    var device = "cpu"

    /// The folder of a model that can be loaded, as far as that can be told at once: to be asked before anything that
    /// takes long.
    func folder() throws -> String {
        _ = try Device(device).checked()
        return try location.weightsPath()
    }

    /// The model, ready to embed; what is odd about it is printed as warnings.
    func load() throws -> EmbeddingModel {
        let model = try EmbeddingModel.load(folder(), device: Device(device))
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

    /// What the user should know of a data set: how it was read, and which rows cannot be used.
    static func notes(of dataset: CaptionDataset) {
        for text in dataset.notes { note("note: \(text)") }
        guard !dataset.skipped.isEmpty else { return }
        warn(
            [
                "of \(dataset.rowCount) rows of \(dataset.captionFile), these rows or captions are left out: "
                    + SkippedRow.summary(dataset.skipped)
            ])
    }

    /// Tells which pictures were left out, the first of many.
    static func leftOut(_ first: [SkippedInput], count: Int, of total: Int, file: String? = nil) {
        for input in first.prefix(10) { warn(["picture \(input.index) is left out: \(input.reason)"]) }
        let more = count > 10 ? ", \(count - 10) more than are named here" : ""
        warn(["\(count) of \(total) pictures are left out\(more)" + (file.map { "; \($0) lists them" } ?? "")])
    }

    /// Tells of texts that spell a special token, which is not read as the letters that somebody typed.
    static func warn(ofSpecialTokensIn texts: [String], _ tokenizer: any Tokenizer) {
        let found = texts.compactMap { tokenizer.specialTokens(in: $0).first }
        guard let first = found.first else { return }
        warn([
            "\(found.count) of \(texts.count) texts spell a special token, the first `\(first)`; it is read as that token, "
                + "as other programs do, not as the letters of its name"
        ])
    }

    /// Tells how many texts lost their ends, if any did.
    static func warn(ofTruncated count: Int, of total: Int) {
        guard count > 0 else { return }
        warn(["\(count) of \(total) texts were cut at the model's context length"])
    }
}

/// How a caption file is read.
struct CaptionFileArguments: ParsableArguments {
    @Option(help: "The column or JSON member that names the picture.")
    var imageColumn: String?

    @Option(name: .customLong("caption-column"), help: "A column or JSON member with captions; may be repeated.")
    var captionColumns: [String] = []

    @Option(help: "What stands between the columns of a table: , ; | or tab. Without it, it is found.")
    var separator: String?

    @Flag(help: "Take pictures that lie outside the folder of the caption file, too.")
    var allowOutsideImages = false

    func validate() throws {
        do throws(ConcordError) { _ = try separator.map(CaptionFileOptions.separator) } catch {
            throw ValidationError(error.message)
        }
    }

    func options(maximumSkippedFraction: Double) throws -> CaptionFileOptions {
        var options = CaptionFileOptions()
        options.imageColumn = imageColumn
        options.captionColumns = captionColumns.isEmpty ? nil : captionColumns
        options.separator = try separator.map(CaptionFileOptions.separator)
        options.allowsImagesOutsideFolder = allowOutsideImages
        options.maximumSkippedFraction = maximumSkippedFraction
        return options
    }
}

/// What becomes of pictures and rows that cannot be used.
struct SkippingOptions: ParsableArguments {
    @Option(help: "Stop when more than this share of rows or pictures is unusable.")
    var maximumSkippedFraction = 0.1

    @Flag(help: "Stop at the first row or picture that is unusable, as --maximum-skipped-fraction 0 does.")
    var strict = false

    var limit: Double { strict ? 0 : maximumSkippedFraction }

    func validate() throws {
        guard (0...1).contains(maximumSkippedFraction) else {
            throw ValidationError("--maximum-skipped-fraction is \(maximumSkippedFraction); it is in 0…1.")
        }
    }
}

/// Which data set.
struct DataOptions: ParsableArguments {
    @Option(name: .customLong("data"), help: "A folder with captions.jsonl, .tsv or .csv, or such a file.")
    var path: String

    @OptionGroup var file: CaptionFileArguments
    @OptionGroup var skipping: SkippingOptions

    @Option(help: "Write what was left out to this file, one JSON object a line.")
    var skipped: String?

    /// - Parameter needsCaptions: whether a folder of pictures alone is not enough.
    func load(needsCaptions: Bool) throws -> CaptionDataset {
        if let skipped { try Files.checkIsWritable(skipped) }
        let options = try file.options(maximumSkippedFraction: skipping.limit)
        let dataset =
            try needsCaptions
            ? CaptionDataset(contentsOf: path, options: options) : CaptionDataset(imagesAt: path, options: options)
        Message.notes(of: dataset)
        return dataset
    }

    /// Everything that was left out of a gallery: rows of the caption file, then pictures.
    private func leftOut(_ dataset: CaptionDataset, _ gallery: ImageGallery) -> [JSONValue] {
        dataset.skipped.map(\.json) + gallery.skipped.map(\.json)
    }

    /// The same as a member of a JSON object, where anything was.
    func skippedMembers(_ dataset: CaptionDataset, _ gallery: ImageGallery) -> [JSONValue.Member] {
        let entries = leftOut(dataset, gallery)
        return entries.isEmpty ? [] : [.init("skipped", .array(entries))]
    }

    /// Writes the list of what was left out, where one is asked for, and fails when a picture was.
    func finish(_ dataset: CaptionDataset, _ gallery: ImageGallery) throws {
        if let skipped {
            try Files.replace(skipped, with: leftOut(dataset, gallery).map { $0.text() + "\n" }.joined())
        }
        let isPictureLost = !gallery.skipped.isEmpty || dataset.skipped.contains { $0.reason.isOfImage }
        if isPictureLost { throw ExitCode.failure }
    }
}

/// What becomes of pictures that cannot be read, among those that are named one by one.
struct PictureFaultOptions: ParsableArguments {
    @Flag(help: "Stop at the first picture that cannot be read.")
    var strict = false

    @Option(help: "Write the pictures that were left out to this file, one JSON object a line.")
    var skipped: String?

    /// To be called before anything that takes long.
    func check() throws { if let skipped { try Files.checkIsWritable(skipped) } }

    /// Tells what was left out, in words and in the file, and fails when anything was.
    func finish(_ inputs: [SkippedInput], of count: Int) throws {
        if let skipped { try Files.replace(skipped, with: inputs.map { $0.json.text() + "\n" }.joined()) }
        guard !inputs.isEmpty else { return }
        Message.leftOut(inputs, count: inputs.count, of: count)
        throw ExitCode.failure
    }
}
