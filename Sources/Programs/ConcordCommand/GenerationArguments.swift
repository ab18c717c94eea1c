import ArgumentParser
import Concord

/// How captions are chosen.
struct GenerationArguments: ParsableArguments {
    enum Strategy: String, ExpressibleByArgument, CaseIterable {
        case beam, greedy, sample
    }

    @Option(help: "beam (the best of a search), greedy (the likeliest token each time) or sample (drawn).")
    var strategy: Strategy?

    @Option(help: "Beams of the search.")
    var beams = 6

    @Option(help: "Groups that the beams are divided into, each kept from what the others say.")
    var beamGroups = 1

    @Option(help: "What a token loses for each beam of another group that has it; for several groups.")
    var diversityPenalty: Double?

    @Option(help: "Above 0 a search favours long captions, below 0 short ones.")
    var lengthPenalty = 1.0

    @Option(help: "Below 1 draws keep to likely tokens.")
    var temperature = 1.0

    @Option(help: "Draw from so many of the likeliest tokens only.")
    var topK: Int?

    @Option(help: "Draw from the fewest of the likeliest tokens that have this probability together.")
    var topP = 1.0

    @Option(help: "Seed of the draws.")
    var seed: UInt64 = 0

    @Option(
        help:
            "Most new tokens of a caption, the one that ends it included; 30, or what the model's context has room for."
    )
    var maxTokens: Int?

    @Option(help: "Fewest new tokens of a caption.")
    var minTokens = 0

    @Option(help: "Above 1 makes tokens unlikely that the caption has already.")
    var repetitionPenalty = 1.0

    @Option(help: "What the captions begin with.")
    var prompt: String?

    @Option(help: "A file of texts, one a line; only their tokens may come.")
    var vocabulary: String?

    @Option(help: "Captions of each picture; more than one when sampling or searching.")
    var results = 1

    private static let searchKeys = "--beam-groups, --diversity-penalty and --length-penalty"

    func validate() throws {
        let strategy = strategy ?? .beam
        if strategy != .beam, beamGroups != 1 || diversityPenalty != nil || lengthPenalty != 1 {
            throw ValidationError("\(Self.searchKeys) are for --strategy beam.")
        }
        if strategy != .sample, temperature != 1 || topK != nil || topP != 1 {
            throw ValidationError("--temperature, --top-k and --top-p are for --strategy sample.")
        }
        do throws(ConcordError) { try options(strategy, usualTokens: max(30, minTokens)).validate() } catch {
            throw ValidationError(error.message)
        }
    }

    /// Looks for the file of words: to be called before anything that takes long.
    func check() throws { if let vocabulary { _ = try LineReader(path: vocabulary) } }

    /// The options for a model, with what needs its tokenizer.
    ///
    /// - Parameter default: the strategy where none is named.
    func options(for captioner: Captioner, default: Strategy = .beam) throws -> GenerationOptions {
        var options = options(
            strategy ?? `default`, usualTokens: captioner.usualTokens(prompt: try prompt(for: captioner)))
        if let vocabulary {
            let reader = try LineReader(path: vocabulary)
            var tokens = Set<Int32>()
            while let line = try reader.next() {
                // Without the tokens that begin and end a text.
                let ids = captioner.tokenizer.encode(String(decoding: line, as: UTF8.self))
                tokens.formUnion(ids.dropFirst().dropLast())
            }
            options.allowedTokens = tokens
        }
        return options
    }

    /// The tokens that captions begin with; nil for the start token alone.
    func prompt(for captioner: Captioner) throws -> [Int32]? { try prompt.map { try captioner.prompt($0) } }

    private func options(_ strategy: Strategy, usualTokens: Int) -> GenerationOptions {
        let choice: GenerationStrategy =
            switch strategy {
            case .greedy: .greedy
            case .sample: .sample(temperature: temperature, topK: topK, topP: topP, seed: seed)
            case .beam:
                .beam(
                    width: beams, groups: beamGroups,
                    // What Vijayakumar et al. recommend lies between 0.2 and 0.8.
                    diversityPenalty: diversityPenalty ?? (beamGroups > 1 ? 0.5 : 0), lengthPenalty: lengthPenalty)
            }
        return GenerationOptions(
            strategy: choice, maxTokens: maxTokens ?? usualTokens, minTokens: minTokens, resultCount: results,
            repetitionPenalty: repetitionPenalty)
    }
}
