import ArgumentParser
import Concord

/// The options of caption generation.
struct GenerationArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "beam (beam search), greedy (the most likely token at each step) or sample (random sampling); by default the "
                + "one that the other options ask for, else beam.", valueName: "strategy"))
    var strategy: GenerationSettings.Strategy?

    @Option(help: "Number of beams (default: 6, or as many as --results).")
    var beams: Int?

    @Option(help: "Number of beam groups for diverse beam search.")
    var beamGroups: Int?

    @Option(help: "Diversity penalty between beam groups (default: 0.5 with several groups).")
    var diversityPenalty: Double?

    @Option(help: "Length penalty of beam search: above 0 favors long captions, below 0 short ones (default: 1).")
    var lengthPenalty: Double?

    @Option(help: "Sampling temperature: below 1 favors likely tokens (default: 1).")
    var temperature: Double?

    @Option(help: "Sample from the k most likely tokens.")
    var topK: Int?

    @Option(
        help: "Sample from the fewest most likely tokens whose probabilities sum to at least this (nucleus sampling).")
    var topP: Double?

    @Option(help: "Random seed of sampling.")
    var seed: UInt64 = 0

    @Option(
        help:
            "Maximum number of generated tokens, end token included (default: 30, or what fits the context)."
    )
    var maxTokens: Int?

    @Option(help: "Minimum number of generated tokens.")
    var minTokens = 0

    @Option(help: "Repetition penalty: above 1 makes tokens that the caption already has less likely.")
    var repetitionPenalty = 1.0

    @Option(help: "Text that every caption starts with.")
    var prompt: String?

    @Option(help: "A file of texts, one per line; only their tokens may be generated.")
    var vocabulary: String?

    @Option(help: "Number of captions per image; more than one needs beam search or sampling.")
    var results = 1

    func validate() throws {
        do throws(GenerationOptions.Problem) { _ = try settings.options(default: .beam) } catch {
            throw ValidationError("\(Self.flag(error.setting)) \(error.text).")
        }
    }

    /// The options as they were given.
    var settings: GenerationSettings {
        var settings = GenerationSettings()
        settings.strategy = strategy
        settings.beams = beams
        settings.beamGroups = beamGroups
        settings.diversityPenalty = diversityPenalty
        settings.lengthPenalty = lengthPenalty
        settings.temperature = temperature
        settings.topK = topK
        settings.topP = topP
        settings.seed = seed
        settings.maxTokens = maxTokens
        settings.minTokens = minTokens
        settings.resultCount = results
        settings.repetitionPenalty = repetitionPenalty
        return settings
    }

    private static func flag(_ setting: GenerationOptions.Setting) -> String {
        switch setting {
        case .resultCount: "--results"
        case .allowedTokens: "--vocabulary"
        default: "--" + setting.rawValue.replacing("_", with: "-")
        }
    }

    /// Checks that the vocabulary file exists: call it before anything slow.
    func check() throws { if let vocabulary { _ = try LineReader(path: vocabulary) } }

    /// The options for a model, which needs its tokenizer.
    ///
    /// - Parameter default: the strategy if the user names none.
    func options(
        for captioner: Captioner, default: GenerationSettings.Strategy = .beam
    ) throws -> GenerationOptions {
        var options = try settings.options(
            default: `default`, usualTokens: captioner.usualTokens(prompt: try prompt(for: captioner)))
        if let vocabulary {
            let reader = try LineReader(path: vocabulary)
            var tokens = Set<Int32>()
            while let line = try reader.next() {
                // Without the start and end tokens.
                let ids = captioner.tokenizer.encode(String(decoding: line, as: UTF8.self))
                tokens.formUnion(ids.dropFirst().dropLast())
            }
            options.allowedTokens = tokens
        }
        return options
    }

    /// The tokens that captions start with; nil for the start token alone.
    func prompt(for captioner: Captioner) throws -> [Int32]? { try prompt.map { try captioner.prompt($0) } }
}

extension GenerationSettings.Strategy: ExpressibleByArgument {}
