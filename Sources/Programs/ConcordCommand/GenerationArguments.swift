import ArgumentParser
import Concord

/// The options of caption generation.
struct GenerationArguments: ParsableArguments {
    enum Strategy: String, ExpressibleByArgument, CaseIterable {
        case beam, greedy, sample
    }

    @Option(help: "beam (beam search), greedy (the most likely token at each step) or sample (random sampling).")
    var strategy: Strategy?

    @Option(help: "Number of beams.")
    var beams = 6

    @Option(help: "Number of beam groups for diverse beam search.")
    var beamGroups = 1

    @Option(help: "Diversity penalty between beam groups (default: 0.5 with several groups).")
    var diversityPenalty: Double?

    @Option(help: "Length penalty of beam search: above 0 favors long captions, below 0 short ones.")
    var lengthPenalty = 1.0

    @Option(help: "Sampling temperature: below 1 favors likely tokens.")
    var temperature = 1.0

    @Option(help: "Sample from the k most likely tokens.")
    var topK: Int?

    @Option(
        help: "Sample from the fewest most likely tokens whose probabilities sum to at least this (nucleus sampling).")
    var topP = 1.0

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

    private static let searchKeys = "--beam-groups, --diversity-penalty and --length-penalty"

    func validate() throws {
        let strategy = strategy ?? .beam
        if strategy != .beam, beamGroups != 1 || diversityPenalty != nil || lengthPenalty != 1 {
            throw ValidationError("\(Self.searchKeys) work only with --strategy beam.")
        }
        if strategy != .sample, temperature != 1 || topK != nil || topP != 1 {
            throw ValidationError("--temperature, --top-k and --top-p work only with --strategy sample.")
        }
        do throws(ConcordError) { try options(strategy, usualTokens: max(30, minTokens)).validate() } catch {
            throw ValidationError(error.message)
        }
    }

    /// Checks that the vocabulary file exists: call it before anything slow.
    func check() throws { if let vocabulary { _ = try LineReader(path: vocabulary) } }

    /// The options for a model, which needs its tokenizer.
    ///
    /// - Parameter default: the strategy if the user names none.
    func options(for captioner: Captioner, default: Strategy = .beam) throws -> GenerationOptions {
        var options = options(
            strategy ?? `default`, usualTokens: captioner.usualTokens(prompt: try prompt(for: captioner)))
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

    private func options(_ strategy: Strategy, usualTokens: Int) -> GenerationOptions {
        let choice: GenerationStrategy =
            switch strategy {
            case .greedy: .greedy
            case .sample: .sample(temperature: temperature, topK: topK, topP: topP, seed: seed)
            case .beam:
                .beam(
                    width: beams, groups: beamGroups,
                    // Vijayakumar et al. recommend 0.2 to 0.8.
                    diversityPenalty: diversityPenalty ?? (beamGroups > 1 ? 0.5 : 0), lengthPenalty: lengthPenalty)
            }
        return GenerationOptions(
            strategy: choice, maxTokens: maxTokens ?? usualTokens, minTokens: minTokens, resultCount: results,
            repetitionPenalty: repetitionPenalty)
    }
}
