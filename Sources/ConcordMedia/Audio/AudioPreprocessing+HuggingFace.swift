import ConcordCore

// The feature extractors of transformers, and a form of our own for all other values.
extension AudioPreprocessing {
    /// Reads the feature extractor of a model folder: the one inside `processor_config.json`, which transformers 5 writes
    /// and prefers, or else `preprocessor_config.json`.
    ///
    /// Throws `.fileSystem` where neither is there, `.malformedText` and `.invalidConfiguration` with the path.
    public init(folder: String) throws(ConcordError) {
        let file = try PreprocessingFile.find(in: folder, member: "feature_extractor")
        self = try file.read { config throws(ConcordError) in try Self(preprocessorConfig: config) }
    }

    /// Reads a `preprocessor_config.json` of transformers' `ClapFeatureExtractor`, `WhisperFeatureExtractor` or
    /// `ASTFeatureExtractor`, or of the form that ``preprocessorConfig()`` writes for all other values.
    ///
    /// What it does not say is what its class would take. Throws `.invalidConfiguration` for a value that is impossible,
    /// a class that is not known, and what would make features random.
    public init(preprocessorConfig config: JSONValue) throws(ConcordError) {
        guard config.members != nil else {
            throw ConcordError(
                .invalidConfiguration, "the preprocessing configuration is \(config.text()); write a JSON object")
        }
        let fields = try JSONFields(config, path: "the preprocessing configuration")
        let type = fields["feature_extractor_type"]
        switch type?.string {
        case "ClapFeatureExtractor": self = try Self.clap(fields)
        case "WhisperFeatureExtractor": self = try Self.whisper(fields)
        case "ASTFeatureExtractor": self = try Self.ast(fields)
        case Self.ownType: self = try Self.own(fields)
        default:
            throw fields.problem(
                "names the feature extractor \(type?.text() ?? "null"), which is not supported; known are "
                    + "ClapFeatureExtractor, WhisperFeatureExtractor, ASTFeatureExtractor and \(Self.ownType)")
        }
        try clip.validate()
        try mel.validate()
    }

    /// The `preprocessor_config.json` that transformers reads, where one of its classes does the same; else one of our
    /// own, with all values.
    public func preprocessorConfig() -> JSONValue {
        let candidates = [clapConfig, whisperConfig, astConfig]
        return candidates.first { (try? AudioPreprocessing(preprocessorConfig: $0)) == self } ?? ownConfig
    }

    /// Seconds that a feature extractor may be made for.
    private static let seconds = 1...3600

    // MARK: - CLAP

    private static func clap(_ fields: JSONFields) throws(ConcordError) -> AudioPreprocessing {
        let rate = try fields.integer("sampling_rate", default: 48_000, in: 1...1_000_000)
        let truncation = try fields.string("truncation", default: "fusion")
        guard ["fusion", "rand_trunc"].contains(truncation) else {
            throw fields.problem("has truncation \"\(truncation)\"; write \"fusion\" or \"rand_trunc\"")
        }
        let isFused = truncation == "fusion"
        return AudioPreprocessing(
            clip: .samples(
                try fields.integer("max_length_s", default: 10, in: seconds) * rate,
                short: try fields.choice("padding", default: .repeatPad), long: isFused ? .thirds : .crop),
            mel: MelSpectrogram(
                sampleRate: rate,
                transformSize: try fields.integer("fft_window_size", default: 1024, in: 2...65_536),
                hop: try fields.integer("hop_length", default: 480, in: 1...65_536),
                bins: try fields.integer("feature_size", default: 64, in: 1...4096),
                frequencies: try fields.frequencies(low: 0, high: 14_000), scale: isFused ? .htk : .slaney,
                isAreaNormalized: !isFused))
    }

    private var clapConfig: JSONValue {
        guard case .samples(let count, let short, let long) = clip else { return .null }
        return [
            "feature_extractor_type": "ClapFeatureExtractor", "feature_size": .integer(mel.bins),
            "fft_window_size": .integer(mel.transformSize),
            "frequency_max": .number(mel.frequencies.upperBound),
            "frequency_min": .number(mel.frequencies.lowerBound), "hop_length": .integer(mel.hop),
            "max_length_s": .integer(count / max(sampleRate, 1)), "padding": .string(short.rawValue),
            "padding_value": 0, "return_attention_mask": false, "sampling_rate": .integer(sampleRate),
            "top_db": nil, "truncation": long == .thirds ? "fusion" : "rand_trunc",
        ]
    }

    // MARK: - Whisper

    private static func whisper(_ fields: JSONFields) throws(ConcordError) -> AudioPreprocessing {
        guard try fields.number("dither", default: 0) == 0 else {
            throw fields.problem("has a dither, which adds random noise to every sound; write 0")
        }
        guard try fields.number("padding_value", default: 0) == 0 else {
            throw fields.problem("has a padding_value that is not silence; write 0")
        }
        let rate = try fields.integer("sampling_rate", default: 16_000, in: 1...1_000_000)
        var whisper = AudioPreprocessing.whisper(bins: try fields.integer("feature_size", default: 80, in: 1...4096))
        whisper.clip = .samples(
            try fields.integer("chunk_length", default: 30, in: seconds) * rate, short: .pad, long: .start)
        whisper.mel.sampleRate = rate
        whisper.mel.transformSize = try fields.integer("n_fft", default: 400, in: 2...65_536)
        whisper.mel.frameSize = whisper.mel.transformSize
        whisper.mel.hop = try fields.integer("hop_length", default: 160, in: 1...65_536)
        return whisper
    }

    private var whisperConfig: JSONValue {
        guard case .samples(let count, _, _) = clip else { return .null }
        return [
            "chunk_length": .integer(count / max(sampleRate, 1)), "dither": 0,
            "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": .integer(mel.bins),
            "hop_length": .integer(mel.hop), "n_fft": .integer(mel.transformSize), "padding_side": "right",
            "padding_value": 0, "return_attention_mask": false, "sampling_rate": .integer(sampleRate),
        ]
    }

    // MARK: - AST

    private static func ast(_ fields: JSONFields) throws(ConcordError) -> AudioPreprocessing {
        var ast = AudioPreprocessing.ast
        ast.clip = .frames(try fields.integer("max_length", default: 1024, in: 1...1_000_000))
        ast.mel.sampleRate = try fields.integer("sampling_rate", default: 16_000, in: 1...1_000_000)
        ast.mel.frequencies = 20...max(20, Double(ast.mel.sampleRate / 2))
        ast.mel.bins = try fields.integer("num_mel_bins", default: 128, in: 1...4096)
        let normalizes = try fields.boolean("do_normalize", default: true)
        ast.mel.mean = normalizes ? try fields.number("mean", default: -4.2677393) : 0
        ast.mel.deviation = normalizes ? 2 * (try fields.number("std", default: 4.5689974)) : 1
        return ast
    }

    private var astConfig: JSONValue {
        guard case .frames(let count) = clip else { return .null }
        let normalizes = mel.mean != 0 || mel.deviation != 1
        return [
            "do_normalize": .bool(normalizes), "feature_extractor_type": "ASTFeatureExtractor", "feature_size": 1,
            "max_length": .integer(count), "mean": .number(normalizes ? mel.mean : -4.2677393),
            "num_mel_bins": .integer(mel.bins), "padding_side": "right", "padding_value": 0,
            "return_attention_mask": false, "sampling_rate": .integer(sampleRate),
            "std": .number(normalizes ? mel.deviation / 2 : 4.5689974),
        ]
    }
}

extension JSONFields {
    /// The range of a spectrogram's frequencies, in Hz.
    fileprivate func frequencies(low: Double?, high: Double?) throws(ConcordError) -> ClosedRange<Double> {
        let lowest = try number("frequency_min", default: low)
        let highest = try number("frequency_max", default: high)
        guard lowest < highest else {
            throw problem("has the frequencies \(lowest) to \(highest) Hz; write frequency_min below frequency_max")
        }
        return lowest...highest
    }
}

// MARK: - Our own form

extension AudioPreprocessing {
    private static let ownType = "ConcordAudioExtractor"

    private static func own(_ fields: JSONFields) throws(ConcordError) -> AudioPreprocessing {
        let resampler = try fields.string("resampler")
        guard resampler == Self.resampler else {
            throw fields.problem(
                "has the resampler \"\(resampler)\"; write \"\(Self.resampler)\", the only one there is")
        }
        let transformSize = try fields.integer("transform_size", in: 2...65_536)
        return AudioPreprocessing(
            clip: try ClipRule(fields),
            mel: MelSpectrogram(
                sampleRate: try fields.integer("sampling_rate", in: 1...1_000_000), transformSize: transformSize,
                frameSize: try fields.integer("frame_size", default: transformSize, in: 1...65_536),
                hop: try fields.integer("hop_length", in: 1...65_536),
                window: try fields.choice("window", default: .hann),
                isPeriodic: try fields.boolean("window_is_periodic", default: true),
                centering: try fields.choice("centering", default: .reflect),
                dropsLastFrame: try fields.boolean("drops_last_frame", default: false),
                removesMean: try fields.boolean("removes_mean", default: false),
                preEmphasis: try fields.number("pre_emphasis", default: 0),
                bins: try fields.integer("num_mel_bins", in: 1...4096),
                frequencies: try fields.frequencies(low: nil, high: nil), scale: try fields.choice("mel_scale"),
                isAreaNormalized: try fields.boolean("is_area_normalized", default: false),
                hasTrianglesInMels: try fields.boolean("has_triangles_in_mels", default: false),
                logarithm: try fields.choice("logarithm"), floor: try fields.number("floor"),
                range: try fields.optionalNumber("range"), mean: try fields.number("mean", default: 0),
                deviation: try fields.number("deviation", default: 1)),
            roundsTo16Bits: try fields.boolean("rounds_to_16_bits", default: false))
    }

    private static let resampler = "soxr_hq"

    private var ownConfig: JSONValue {
        .object(
            [
                .init("feature_extractor_type", .string(Self.ownType)),
                .init("sampling_rate", .integer(sampleRate)),
                .init("resampler", .string(Self.resampler)),
                .init("rounds_to_16_bits", .bool(roundsTo16Bits)),
            ] + clip.members + [
                .init("transform_size", .integer(mel.transformSize)),
                .init("frame_size", .integer(mel.frameSize)),
                .init("hop_length", .integer(mel.hop)),
                .init("window", .string(mel.window.rawValue)),
                .init("window_is_periodic", .bool(mel.isPeriodic)),
                .init("centering", .string(mel.centering.rawValue)),
                .init("drops_last_frame", .bool(mel.dropsLastFrame)),
                .init("removes_mean", .bool(mel.removesMean)),
                .init("pre_emphasis", .number(mel.preEmphasis)),
                .init("num_mel_bins", .integer(mel.bins)),
                .init("frequency_min", .number(mel.frequencies.lowerBound)),
                .init("frequency_max", .number(mel.frequencies.upperBound)),
                .init("mel_scale", .string(mel.scale.rawValue)),
                .init("is_area_normalized", .bool(mel.isAreaNormalized)),
                .init("has_triangles_in_mels", .bool(mel.hasTrianglesInMels)),
                .init("logarithm", .string(mel.logarithm.rawValue)),
                .init("floor", .number(mel.floor)),
                .init("range", mel.range.map(JSONValue.number) ?? .null),
                .init("mean", .number(mel.mean)),
                .init("deviation", .number(mel.deviation)),
            ])
    }
}

extension ClipRule {
    private enum Kind: String, CaseIterable { case whole, samples, frames }

    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        switch try fields.choice("clip", among: Kind.allCases) {
        case .whole: self = .whole
        case .frames: self = .frames(try fields.integer("clip_frames", in: 1...(1 << 30)))
        case .samples:
            self = .samples(
                try fields.integer("clip_samples", in: 1...(1 << 30)), short: try fields.choice("padding"),
                long: try fields.choice("truncation"))
        }
    }

    /// The members that say it.
    fileprivate var members: [JSONValue.Member] {
        switch self {
        case .whole: [.init("clip", "whole")]
        case .frames(let count): [.init("clip", "frames"), .init("clip_frames", .integer(count))]
        case .samples(let count, let short, let long):
            [
                .init("clip", "samples"), .init("clip_samples", .integer(count)),
                .init("padding", .string(short.rawValue)), .init("truncation", .string(long.rawValue)),
            ]
        }
    }
}
