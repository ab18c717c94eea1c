import ArgumentParser
import Concord
import ConcordCore

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Export a model to ONNX, to serve it without libtorch.",
        discussion: """
            Writes a folder with the graphs, the tokenizer, the preprocessing, artifact.json (every file with its hash)
            and a report (report.html, report.json). Before anything appears at --output, ONNX Runtime runs the graphs
            on images and texts of --data, or on synthetic ones; if the outputs do not match the model's, the export
            fails.

            --quantize stores 8-bit integers wherever the embeddings keep a mean cosine of at least 0.995 to those in
            float32 and recall@1 on the held-out split of --data drops by at most half a point; layers that cost more
            stay float32. report.html shows the result.

            --format triton writes a model repository for NVIDIA's Triton Inference Server with the same graphs.
            --plain-operations uses standard ONNX operations only, for other runtimes; the default graphs are faster in
            ONNX Runtime.

            Examples:
              concord export --model runs/emoji-coca --output artifacts/coca
              concord export --model runs/emoji --data data/emoji --output artifacts/emoji --force --json
              concord export --model runs/emoji --data data/emoji --output artifacts/emoji-int8 --quantize int8
              concord export --model M --format triton --output repository
            """)

    @OptionGroup var location: ModelFolderOptions

    @Option(help: "The folder to create.")
    var output: String

    @Option(name: .customLong("data"), help: "A data set for the comparison with the model and for quantization.")
    var data: String?

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Option(help: "folder (for concord-server) or triton.")
    var format = ExportOptions.Format.folder

    @Flag(help: "Use standard ONNX operations only.")
    var plainOperations = false

    @Option(
        help:
            "int8 (weights and activations, calibrated on --data) or int8-weights (weights only, without calibration)."
    )
    var quantize: ArtifactManifest.Precision?

    @Option(help: "Model name stored in the export (default: the folder's name).")
    var name: String?

    @Flag(help: "Replace an export in the output folder.")
    var force = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        var options = ExportOptions()
        options.format = format
        options.usesFusedOperations = !plainOperations
        options.replaces = force
        options.name = name
        options.precision = quantize ?? .float32
        let folder = try location.weightsPath()
        let fileOptions = try file.options(maximumSkippedFraction: 0.1)
        let dataset = try data.map {
            try RunFolder(folder).withHeldOut(CaptionDataset(contentsOf: $0, options: fileOptions))
        }
        if let dataset { Message.notes(of: dataset) }
        let export = try ArtifactExport.export(folder, to: output, options: options, data: dataset, bar: ProgressBar())
        Message.warn(export.notes)
        if json {
            print(export.json.text())
        } else {
            print("export: \(output), \(NumberText.bytes(export.files.values.reduce(0, +)))")
        }
    }
}

extension ExportOptions.Format: ExpressibleByArgument {}

extension ArtifactManifest.Precision: ExpressibleByArgument {
    /// float32 is what an export has without the option.
    public init?(argument: String) {
        self.init(rawValue: argument)
        if self == .float32 { return nil }
    }

    public static var allValueStrings: [String] { allCases.filter { $0 != .float32 }.map(\.rawValue) }
}
