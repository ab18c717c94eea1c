import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordRuntime
import ConcordText
import Foundation

/// Pictures and texts that an exported model is compared on with the model that it came from.
public struct ExportSamples: Sendable {
    /// The canary first. None for a model of texts alone.
    public let pictures: [PreparedImage]
    /// The canary first.
    public let texts: [String]
    /// What is wrong with pictures of the data set that cannot be read, and so were left out.
    public let problems: [String]

    /// A note on the images that were skipped, if any.
    var notes: [String] {
        guard let first = problems.first else { return [] }
        return ["\(problems.count) of the images to compare on cannot be read and are skipped: \(first)"]
    }

    /// The text that stands in every artifact folder with what the model said to it.
    public static let canaryText = "a red apple on a white table"

    /// Draws pictures and texts: of a data set where one is given, spread over the whole of it, otherwise made up of waves
    /// and of the tokenizer's words.
    ///
    /// - Parameters:
    ///   - pictureCount, textCount: how many at the most, the canary included.
    /// - Throws: `.invalidDataset` for a data set without a picture that can be read.
    public init(
        for model: EmbeddingModel, data: CaptionDataset? = nil, pictureCount: Int = 32, textCount: Int = 64
    ) throws {
        var pictures: [PreparedImage] = [], problems: [String] = []
        if let preprocessing = model.images?.preprocessing {
            let size = preprocessing.cropSize
            pictures.append(.canary(size: size))
            if let data {
                let chosen = Self.spread(data.withImages.items, count: pictureCount - 1)
                let found = Self.decoded(chosen, of: data, preprocessing, problems: &problems)
                guard !found.isEmpty || pictureCount < 2 else {
                    throw ConcordError(
                        .invalidDataset,
                        "\(data.folder) has no pictures to compare the models on"
                            + (problems.first.map { "; the first problem: \($0)" } ?? ""))
                }
                pictures += found.map(\.picture)
            } else {
                var random = RandomSource(seed: 1)
                for _ in 1..<max(1, pictureCount) { pictures.append(Self.waves(size: size, &random)) }
            }
        }
        self.pictures = pictures
        self.problems = problems
        let texts =
            try data.map { Self.spread($0.items.flatMap(\.captions).map(\.text), count: textCount - 1) }
            ?? Self.words(of: model.textSide(), count: textCount - 1)
        self.texts = [Self.canaryText] + texts
    }

    /// The pictures that can be read, with their items; what is wrong with the others is added to `problems`.
    static func decoded(
        _ items: [CaptionItem], of data: CaptionDataset, _ preprocessing: ImagePreprocessing, problems: inout [String]
    ) -> [(item: CaptionItem, picture: PreparedImage)] {
        items.compactMap { item in
            guard let path = data.path(of: item) else { return nil }
            do throws(ConcordError) {
                let image = try Image(contentsOf: path)
                return (item, PreparedImage(size: preprocessing.cropSize, pixels: preprocessing(image)))
            } catch {
                problems.append(error.message)
                return nil
            }
        }
    }

    /// At most `count` elements at like distances.
    static func spread<Element>(_ elements: [Element], count: Int) -> [Element] {
        guard elements.count > count else { return elements }
        return (0..<max(0, count)).map { elements[$0 * elements.count / count] }
    }

    /// A picture of a few waves in each channel, as normalised pixels are: most of them between −2 and 2.
    private static func waves(size: Int, _ random: inout RandomSource) -> PreparedImage {
        var pixels: [Float] = []
        for _ in 0..<3 {
            let waves = (0..<3).map { _ in
                (x: random.uniform(-15, 15), y: random.uniform(-15, 15), phase: random.uniform(0, 7))
            }
            let level = random.uniform(-1, 1)
            for index in 0..<size * size {
                let x = Double(index % size) / Double(size), y = Double(index / size) / Double(size)
                pixels.append(Float(waves.reduce(level) { $0 + 0.5 * sin($1.x * x + $1.y * y + $1.phase) }))
            }
        }
        return PreparedImage(size: size, pixels: pixels)
    }

    /// Texts of 0 words to more than the context holds.
    private static func words(of side: EmbeddingModel.TextSide, count: Int) -> [String] {
        var random = RandomSource(seed: 2)
        let context = side.encoder.textConfiguration.contextLength
        return (0..<max(0, count)).map { index in
            // Short ones are more common, as they are among captions.
            let most = index % 4 == 0 ? context + 3 : min(context, 12)
            let length = random.index(below: most)
            let ids = (0..<length).map { _ in Int32(random.index(below: side.tokenizer.vocabularySize)) }
            return side.tokenizer.decode(ids)
        }
    }
}
