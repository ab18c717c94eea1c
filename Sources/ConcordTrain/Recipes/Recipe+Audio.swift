import ConcordCheckpoint
import ConcordCore
import ConcordMedia

extension Recipe {
    /// `model.audio`: a tower for speech, beside those of images and texts.
    public struct AudioTowerSection: Sendable {
        public enum Kind: String, Sendable, CaseIterable {
            case none
            /// Convolutions and a transformer over log-mel spectrograms.
            case speech
        }

        public var kind: Kind
        public var channels, convolutions, width, layers, heads: Int
        /// Of longer sounds the beginning is heard.
        public var seconds: Double
        /// The keys that only a tower has a use for, as far as the recipe has them.
        private let given: [String]

        init(_ read: inout RecipeReader) throws {
            kind = try read.choice(
                "model.audio.kind", Kind.none,
                "Tower for sounds, beside those of images and texts: none, or speech (convolutions and a transformer over "
                    + "log-mel spectrograms).")
            channels = try read.integer(
                "model.audio.channels", 64, in: 1...4096, "Channels of the audio tower's convolutions.")
            convolutions = try read.integer(
                "model.audio.convolutions", 2, in: 1...6,
                "Convolutions of the audio tower; each halves frames (100 a second) and mel bins (64).")
            width = try read.integer("model.audio.width", 192, in: 2...65536, "Width of the audio transformer.")
            layers = try read.integer("model.audio.layers", 4, in: 1...1024, "Blocks of the audio transformer.")
            heads = try read.integer("model.audio.heads", 4, in: 1...1024, "Attention heads of an audio block.")
            seconds = try read.number(
                "model.audio.seconds", 10, in: 0.1...600, "Longest sound; of a longer one the beginning is heard.")
            given = ["channels", "convolutions", "width", "layers", "heads", "seconds"].filter {
                read.isGiven("model.audio." + $0)
            }
        }

        /// The tower; nil where there is none.
        var tower: SpeechTowerConfiguration? {
            guard kind == .speech else { return nil }
            let frames = Int((seconds * 100).rounded(.up)) + 1
            return SpeechTowerConfiguration(
                channels: channels, convolutions: convolutions,
                positions: (0..<convolutions).reduce(frames) { frames, _ in (frames + 1) / 2 }, width: width,
                intermediateWidth: 4 * width, layers: layers, heads: heads)
        }

        /// Throws `.invalidConfiguration` for sizes that no tower can have, and those of a tower that there is not.
        func validate(source: String, start: String?) throws(ConcordError) {
            if kind == .none, let key = given.first {
                throw ConcordError(
                    .invalidConfiguration,
                    "\(source): model.audio.\(key) is for a tower, and model.audio.kind is none; choose speech, or leave it "
                        + "out")
            }
            guard kind != .none else { return }
            guard start == nil else {
                throw ConcordError(
                    .invalidConfiguration,
                    "\(source): model.audio cannot be given beside model.start, whose folder says it; leave it out")
            }
            try tower?.validate(path: source, prefix: "model.audio.")
        }
    }
}

extension Recipe.DataSection {
    /// `data.audio_augmentation`: how sounds are varied.
    static func readAudioAugmentation(_ read: inout RecipeReader) throws -> AudioAugmentation {
        var augmentation = AudioAugmentation.speech
        augmentation.bandProbability = try read.number(
            "data.audio_augmentation.band", augmentation.bandProbability, in: 0...1,
            "Probability that low and high frequencies of a sound are cut off.")
        augmentation.noiseProbability = try read.number(
            "data.audio_augmentation.noise", augmentation.noiseProbability, in: 0...1,
            "Probability of noise, 5 to 40 dB below the sound.")
        augmentation.gains = try read.interval(
            "data.audio_augmentation.gain", augmentation.gains, in: -60...60,
            "Amplification of a sound, decibels.")
        augmentation.warp = try read.number(
            "data.audio_augmentation.warp", augmentation.warp, in: 0...0.9,
            "Stretch of the frequency axis of a sound, ±, as vocal tracts differ in length.")
        augmentation.bandMasks = try read.integer(
            "data.audio_augmentation.band_masks", augmentation.bandMasks, in: 0...16,
            "Masks over mel bands, up to 8 wide (SpecAugment).")
        augmentation.timeMasks = try read.integer(
            "data.audio_augmentation.time_masks", augmentation.timeMasks, in: 0...16,
            "Masks over time, up to a tenth of the sound (SpecAugment).")
        return augmentation
    }
}

extension Recipe.LossSection {
    /// Two modalities that are compared.
    public enum Pair: String, Sendable, CaseIterable {
        case imageText = "image-text"
        case audioText = "audio-text"
        case imageAudio = "image-audio"

        package var modalities: (first: Modality, second: Modality) {
            switch self {
            case .imageText: (.image, .text)
            case .audioText: (.audio, .text)
            case .imageAudio: (.image, .audio)
            }
        }

        /// The name of its term in logs.
        var name: String { self == .imageText ? "contrastive" : rawValue.replacing("-", with: "_") }
    }
}
