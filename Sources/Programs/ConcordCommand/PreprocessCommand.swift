import ArgumentParser
import Concord

struct PreprocessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preprocess", abstract: "Write images as the model's image tower receives them.",
        discussion: """
            A .npy output holds the normalized pixels, float32 [images, 3, height, width]; a .png output shows the
            resized and cropped image before normalization.

            An image that cannot be read is NaN in the .npy; OUTPUT.skipped.jsonl lists it as
            {"index": …, "path": …, "reason": …}, with indices from 0, and the exit status is 1.

            Examples:
              concord preprocess --model M --image cat.jpg --output pixels.npy
              concord preprocess --model M --image a.jpg b.jpg --output batch.npy
              concord preprocess --model M --image cat.jpg --output cropped.png
            """)

    @OptionGroup var location: ModelFolderOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Image files.")
    var images: [String]

    @Option(help: "The file to write: .npy, or .png for one image.")
    var output: String

    @Flag(help: "Stop at the first image that cannot be read.")
    var strict = false

    @Flag(help: "Print one JSON object: output, shape, skipped.")
    var json = false

    func validate() throws {
        guard output.hasSuffix(".npy") || output.hasSuffix(".png") else {
            throw ValidationError("--output \(output): the extension must be .npy or .png.")
        }
        guard output.hasSuffix(".npy") || images.count == 1 else {
            throw ValidationError("A .png holds one image, not \(images.count); write a .npy, or one .png at a time.")
        }
    }

    func run() throws {
        try Files.checkIsWritable(output)
        let preprocessing = try ModelFolder(location.path()).loadPreprocessing()
        let size = preprocessing.cropSize
        var skipped: [SkippedInput] = []
        var shape = [images.count, 3, size, size]
        if output.hasSuffix(".png") {
            try preprocessing.pixels(Image(contentsOf: images[0])).write(to: output, as: .png)
            shape = [size, size, 3]
        } else {
            try NumPyFile.writeRows(shape: shape, to: output) { index in
                do throws(ConcordError) { return preprocessing(try Image(contentsOf: images[index])) } catch {
                    if strict { throw error }
                    skipped.append(SkippedInput(index: index, path: images[index], reason: error.message))
                    return [Float](repeating: .nan, count: 3 * size * size)
                }
            }
        }
        let list = output + ".skipped.jsonl"
        try SkippedInput.write(skipped, to: list)
        if json {
            let report: JSONValue = [
                "output": .string(output), "shape": .array(shape.map { .integer($0) }),
                "skipped": .array(skipped.map(\.json)),
            ]
            print(report.text())
        }
        guard skipped.isEmpty else {
            Message.skipped(skipped, count: skipped.count, of: images.count, file: list)
            throw ExitCode.failure
        }
    }
}
