import ArgumentParser
import Concord
import ConcordCore

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a model as ONNX graphs, to be served without libtorch.",
        discussion: """
            The folder holds the graphs, tokenizer and preprocessing, artifact.json, which names each file with its
            hash, and report.json, with report.html to look at. The graphs are run by ONNX Runtime first, on pictures and
            texts of --data or on synthetic ones, and compared with the model; where they do not say the same, nothing is
            left at --output.

            --format triton writes a model repository of NVIDIA's Triton Inference Server with the same graphs.
            --plain-operations keeps to ONNX's own operations, for other runtimes; the usual graphs are faster in ONNX
            Runtime.

            With --quantize the graphs have numbers of 8 bits where that keeps the mean cosine to float32's vectors at 0.995
            and costs pictures and captions of the data's held-out split no more than half a point of R@1; layers that
            cost more stay float32. report.html shows what came of it.

            Examples:
              concord export --model runs/emoji-coca --output artifacts/coca
              concord export --model runs/emoji --data data/emoji --output artifacts/emoji --force --json
              concord export --model runs/emoji --data data/emoji --output artifacts/emoji-int8 --quantize int8
              concord export --model M --format triton --output repository
            """)

    enum Quantization: String, ExpressibleByArgument, CaseIterable {
        case int8
        case weights = "int8-weights"
    }

    @OptionGroup var location: ModelFolderOptions

    @Option(help: "The folder to make.")
    var output: String

    @Option(name: .customLong("data"), help: "A data set whose pictures and captions are compared on.")
    var data: String?

    @OptionGroup(title: "Data set") var file: CaptionFileArguments

    @Option(help: "folder (for concord-server) or triton.")
    var format = ExportOptions.Format.folder

    @Flag(help: "Use ONNX's own operations only.")
    var plainOperations = false

    @Option(
        help:
            "int8 (weights and activations, with ranges found on --data) or int8-weights (smaller, without samples)."
    )
    var quantize: Quantization?

    @Option(help: "What the model is called where nobody names it otherwise; otherwise the name of its folder.")
    var name: String?

    @Flag(help: "Replace an export that is in the output folder.")
    var force = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        var options = ExportOptions()
        options.format = format
        options.usesFusedOperations = !plainOperations
        options.replaces = force
        options.name = name
        options.precision = quantize.map { $0 == .int8 ? .int8 : .int8Weights } ?? .float32
        let folder = try location.weightsPath(), fileOptions = try file.options(maximumSkippedFraction: 0.1)
        let dataset = try data.map {
            try RunFolder(folder).withHeldOut(CaptionDataset(contentsOf: $0, options: fileOptions))
        }
        if let dataset { Message.notes(of: dataset) }
        let export = try ArtifactExport(of: folder, to: output, options: options, data: dataset, bar: ProgressBar())
        Message.warn(export.notes)
        if json {
            print(export.json.text())
        } else {
            print("export: \(output), \(NumberText.bytes(export.files.values.reduce(0, +)))")
        }
    }
}

extension ExportOptions.Format: ExpressibleByArgument {}
