import ArgumentParser
import Concord

struct PreprocessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preprocess", abstract: "Write pictures as the model's image tower sees them.",
        discussion: """
            A .npy output holds the normalised pixels, float32 [pictures, 3, height, width]; a .png output shows the
            resized and cropped picture before normalisation.

            Examples:
              concord preprocess --model M --image cat.jpg --output pixels.npy
              concord preprocess --model M --image a.jpg b.jpg --output batch.npy
              concord preprocess --model M --image cat.jpg --output cropped.png
            """)

    @OptionGroup var location: ModelFolderOptions

    @Option(name: .customLong("image"), parsing: .upToNextOption, help: "Pictures.")
    var images: [String]

    @Option(help: "The file to write: .npy, or .png for one picture.")
    var output: String

    func validate() throws {
        guard output.hasSuffix(".npy") || output.hasSuffix(".png") else {
            throw ValidationError("--output \(output): the ending must be .npy or .png.")
        }
        guard output.hasSuffix(".npy") || images.count == 1 else {
            throw ValidationError("A .png holds one picture, not \(images.count); write .npy, or one after another.")
        }
    }

    func run() throws {
        let preprocessing = try ModelFolder(location.path()).loadPreprocessing()
        if output.hasSuffix(".png") {
            return try preprocessing.pixels(Image(contentsOf: images[0])).write(to: output, as: .png)
        }
        let size = preprocessing.cropSize
        var values = [Float]()
        values.reserveCapacity(images.count * 3 * size * size)
        for path in images { values += preprocessing(try Image(contentsOf: path)) }
        try values.withUnsafeBytes {
            try NumPyFile.write($0, dtype: .float32, shape: [images.count, 3, size, size], to: output)
        }
    }
}
