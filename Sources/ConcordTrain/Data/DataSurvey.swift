import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordLosses
import ConcordMedia
import ConcordText

/// Statistics of the images and captions of a run that decide whether anything can be learned from them.
package struct DataSurvey: Sendable {
    package let images, captions: Int
    /// Sounds that may be drawn, and the items that have them.
    let sounds, soundItems: Int
    /// Captions that are longer than the model reads.
    package let truncated: Int
    /// Captions that differ as texts, and those that differ in what the model reads of them.
    package let distinctTexts, distinctCaptions: Int
    /// The caption that most images share, and how many these are.
    package let mostShared: (text: String, images: Int)
    /// Of images spread over the data: how many were looked at, and how many are no copies of another of them.
    package let sampled, distinctSampled: Int
    /// The median of their shorter edges, pixels; nil where none can be read.
    package let usualEdge: Int?
    /// The longest caption, in tokens, as far as the model reads it.
    package let longest: Int
    /// Whether the model has a tower for sounds.
    private let hears: Bool
    /// Tokens that the tokenizer knows, and those of a text that the model reads.
    let vocabularySize, contextLength: Int

    private static let sampleSize = 64

    /// Tokenizes all captions that may be drawn, and reads a sample of the images.
    init(
        _ examples: CaptionDataset, _ sampling: CaptionSampling, _ tokenizer: any Tokenizer, contextLength: Int,
        hears: Bool = false
    ) {
        self.hears = hears
        // By their hashes: of ten million captions the texts would take gigabytes.
        var captions = 0, truncated = 0, longest = 0, texts = Set<Int>(), holders = [Int: Int]()
        var most: (text: String, images: Int) = ("", 0)
        for item in examples.items {
            var own = Set<Int>()
            for caption in item.captions where sampling.mayDraw(caption) {
                let (ids, isTruncated) = tokenizer.encode(caption.text, contextLength: contextLength)
                captions += 1
                truncated += isTruncated ? 1 : 0
                longest = max(longest, ids.count)
                texts.insert(caption.text.hashValue)
                guard own.insert(ids.hashValue).inserted else { continue }
                let count = holders[ids.hashValue, default: 0] + 1
                holders[ids.hashValue] = count
                if count > most.images { most = (caption.text, count) }
            }
        }
        vocabularySize = tokenizer.vocabularySize
        self.contextLength = contextLength
        let images = examples.items.count
        self.images = images
        sounds = examples.items.reduce(0) { $0 + $1.trainedSounds.count }
        soundItems = examples.items.count { !$0.trainedSounds.isEmpty }
        self.captions = captions
        self.truncated = truncated
        self.longest = longest
        distinctTexts = texts.count
        distinctCaptions = holders.count
        mostShared = most

        let paths = examples.imagePaths, count = min(Self.sampleSize, paths.count)
        let sample = (0..<count).map { paths[$0 * paths.count / count] }
        var hashes = Set<String>(), edges = [Int](), read = 0
        for path in sample {
            guard let bytes = try? Files.read(path, limit: ImageLimits.standard.maximumBytes) else { continue }
            read += 1
            hashes.insert(FileHash(.xxh128, of: bytes).hexadecimal)
            if let header = try? bytes.withUnsafeBytes({ try ImageHeader(of: $0, name: path) }) {
                edges.append(min(header.width, header.height))
            }
        }
        sampled = read
        distinctSampled = hashes.count
        usualEdge = edges.isEmpty ? nil : edges.sorted()[edges.count / 2]
    }

    /// Whether captions are shared as labels are, so that no model can tell which image is meant.
    var hasLabels: Bool { 2 * distinctCaptions <= min(images, captions) }

    /// Notes for the user before the first step, the warnings last.
    func notes(_ recipe: Recipe, imageSize: Int) -> [String] {
        [
            "\(images) images, \(captions) captions, \(vocabularySize) tokens; \(truncated) captions are truncated to "
                + "\(contextLength) tokens"
        ] + soundNotes + warnings(recipe, imageSize: imageSize).map { "warning: " + $0 }
    }

    private var soundNotes: [String] {
        guard sounds > 0 else { return [] }
        return [
            "\(sounds) sounds of \(soundItems) images"
                + (hears ? "" : ", which this model does not hear; model.audio.kind speech gives it a tower for them")
        ]
    }

    /// Problems that keep a model from learning, or from being evaluated, worst first.
    private func warnings(_ recipe: Recipe, imageSize: Int) -> [String] {
        var warnings = [String]()
        if images > 1, distinctCaptions == 1 {
            let how =
                distinctTexts == 1
                ? "all \(captions) captions are the same, \"\(shown)\""
                : "all \(captions) captions are the same as the model reads them (\(contextLength) tokens, no capitals): "
                    + "\"\(shown)\""
            warnings.append(
                how + ". Nothing tells the images apart, so nothing can be learned; give each a separate caption")
        } else if hasLabels {
            let duplicates =
                recipe.loss.duplicates == .negatives
                ? "In a batch they count as mismatches; loss.duplicates positives makes them matches. "
                : ""
            warnings.append(
                "\(images) images share \(distinctCaptions) captions; \"\(shown)\" is that of \(mostShared.images). "
                    + duplicates
                    + "Recall counts only the exact image, so it stays low; for labels use `concord classify`")
        } else if 10 * distinctCaptions < 9 * distinctTexts {
            warnings.append(
                "\(distinctTexts - distinctCaptions) of \(distinctTexts) captions differ from others only in what the "
                    + "model does not read: what is beyond \(contextLength) tokens, or capitals")
        }
        if sampled > 1, distinctSampled == 1 {
            warnings.append(
                "all \(sampled) images that were looked at are the same, byte for byte, so nothing can be learned; check "
                    + "how they were made")
        } else if sampled > 0, 2 * distinctSampled <= sampled {
            warnings.append(
                "of \(sampled) images that were looked at only \(distinctSampled) differ; copies with different captions "
                    + "cannot be told apart")
        }
        if let usualEdge, 2 * usualEdge <= imageSize {
            warnings.append(
                "the images are small: half of them have an edge of \(usualEdge) pixels or less, and the model sees "
                    + "\(imageSize) × \(imageSize)"
                    + (recipe.model.loads(.image) ? "" : "; a smaller model.image_size learns the same in less time"))
        }
        return warnings
    }

    private var shown: String {
        mostShared.text.count > 60 ? String(mostShared.text.prefix(60)) + "…" : mostShared.text
    }
}
