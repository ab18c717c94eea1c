import ConcordCore

/// What somebody asks of a caption, on a command line or in a request: anything may be left out.
///
/// It says which settings go together; ``GenerationOptions`` says which values they may have. Whoever asks only spells
/// the names in another way.
package struct GenerationSettings: Sendable, Hashable {
    package enum Strategy: String, Sendable, CaseIterable {
        case beam, greedy, sample
    }

    /// Nil for the one that the other settings ask for.
    package var strategy: Strategy?

    // Beam search
    package var beams: Int?
    package var beamGroups: Int?
    package var diversityPenalty: Double?
    package var lengthPenalty: Double?

    // Sampling
    /// 0 asks for the most likely token.
    package var temperature: Double?
    package var topK: Int?
    package var topP: Double?
    package var seed: UInt64?

    package var maxTokens: Int?
    package var minTokens: Int?
    package var resultCount: Int?
    package var repetitionPenalty: Double?

    package init() {}

    /// Settings that only a beam search uses; those which ask for nothing are left out.
    private var ofBeamSearch: [GenerationOptions.Setting] {
        let given: [(GenerationOptions.Setting, Bool)] = [
            (.beams, (beams ?? 1) != 1), (.beamGroups, (beamGroups ?? 1) != 1),
            (.diversityPenalty, (diversityPenalty ?? 0) != 0), (.lengthPenalty, (lengthPenalty ?? 1) != 1),
        ]
        return given.filter(\.1).map(\.0)
    }

    /// Settings that only sampling uses; those which ask for nothing are left out.
    private var ofSampling: [GenerationOptions.Setting] {
        let given: [(GenerationOptions.Setting, Bool)] = [
            (.temperature, (temperature ?? 0) != 0), (.topK, topK != nil), (.topP, (topP ?? 1) != 1),
        ]
        return given.filter(\.1).map(\.0)
    }

    /// The strategy: the one that is named, else the one that the other settings ask for.
    package func strategy(default standard: Strategy) -> Strategy {
        if let strategy { return strategy }
        if !ofBeamSearch.isEmpty { return .beam }
        if !ofSampling.isEmpty { return .sample }
        return temperature == 0 ? .greedy : standard
    }

    /// The options that the settings stand for.
    ///
    /// - Parameters:
    ///   - standard: the strategy where none is asked for.
    ///   - usualTokens: the most tokens where nothing is said of them.
    /// - Throws: a problem for settings that do not go together, and for impossible values.
    package func options(
        default standard: Strategy, usualTokens: Int = 30
    ) throws(GenerationOptions.Problem) -> GenerationOptions {
        let chosen = strategy(default: standard)
        if chosen != .beam, let setting = ofBeamSearch.first {
            throw GenerationOptions.Problem(setting, "is for beam search, and the strategy is \(chosen.rawValue)")
        }
        if chosen != .sample, let setting = ofSampling.first {
            throw GenerationOptions.Problem(setting, "is for the strategy sample, and this one is \(chosen.rawValue)")
        }
        let count = resultCount ?? 1
        let choice: GenerationStrategy =
            switch chosen {
            case .greedy: .greedy
            case .sample:
                .sample(temperature: temperature ?? 1, topK: topK, topP: topP ?? 1, seed: seed ?? 0)
            case .beam:
                .beam(
                    width: beams ?? max(6, count), groups: beamGroups ?? 1,
                    // Vijayakumar et al. recommend 0.2 to 0.8.
                    diversityPenalty: diversityPenalty ?? ((beamGroups ?? 1) > 1 ? 0.5 : 0),
                    lengthPenalty: lengthPenalty ?? 1)
            }
        let options = GenerationOptions(
            strategy: choice, maxTokens: maxTokens ?? max(usualTokens, minTokens ?? 0), minTokens: minTokens ?? 0,
            resultCount: count, repetitionPenalty: repetitionPenalty ?? 1)
        if let problem = options.problem { throw problem }
        return options
    }
}

extension GenerationOptions {
    /// An option by the words of its name, which Swift, command lines and JSON write in three ways.
    package enum Setting: String, Sendable, Hashable, CaseIterable {
        case beams
        case beamGroups = "beam_groups"
        case diversityPenalty = "diversity_penalty"
        case lengthPenalty = "length_penalty"
        case temperature
        case topK = "top_k"
        case topP = "top_p"
        case maxTokens = "max_tokens"
        case minTokens = "min_tokens"
        case resultCount = "result_count"
        case repetitionPenalty = "repetition_penalty"
        case allowedTokens = "allowed_tokens"

        /// The label of the option in Swift.
        var label: String {
            switch self {
            case .beams: "width"
            case .beamGroups: "groups"
            default: "\(self)"
            }
        }
    }

    /// What is wrong with a request: a setting, and a text that goes on from its name.
    package struct Problem: Error, Sendable, Hashable {
        package let setting: Setting
        package let text: String

        init(_ setting: Setting, _ text: String) {
            self.setting = setting
            self.text = text
        }
    }

    /// Throws `.invalidArgument` that names the first option with an impossible value, the value, and what would do. What
    /// depends on the model is not looked at.
    package func validate() throws(ConcordError) {
        guard let problem else { return }
        throw ConcordError(.invalidArgument, "\(problem.setting.label) \(problem.text)")
    }

    /// The first option with a value that no model takes.
    package var problem: Problem? {
        func unless(_ holds: Bool, _ setting: Setting, _ text: String) -> Problem? {
            holds ? nil : Problem(setting, text)
        }
        return unless(maxTokens > 0, .maxTokens, "is \(maxTokens); ask for 1 token at least")
            ?? unless(
                minTokens >= 0 && minTokens <= maxTokens, .minTokens,
                "is \(minTokens); it is between 0 and the most tokens, which are \(maxTokens)")
            ?? unless(
                (1...Self.mostRows).contains(resultCount), .resultCount,
                "is \(resultCount); ask for 1 result at least and \(Self.mostRows) at most")
            ?? unless(
                repetitionPenalty > 0 && repetitionPenalty.isFinite, .repetitionPenalty,
                "is \(repetitionPenalty); it is above 0, and 1 changes nothing")
            ?? unless(
                allowedTokens?.isEmpty != true, .allowedTokens,
                "is empty; name the tokens that may come, or leave it out for all")
            ?? strategyProblem
    }

    private var strategyProblem: Problem? {
        func unless(_ holds: Bool, _ setting: Setting, _ text: String) -> Problem? {
            holds ? nil : Problem(setting, text)
        }
        switch strategy {
        case .greedy:
            return unless(
                resultCount == 1, .resultCount,
                "is \(resultCount), but the greedy strategy has one result; sample, or search with beams")
        case .sample(let temperature, let topK, let topP, _):
            return unless(
                temperature > 0 && temperature.isFinite, .temperature,
                "is \(temperature); it is above 0, and the greedy strategy takes the most probable token")
                ?? unless((topK ?? 1) > 0, .topK, "is \(topK ?? 0); keep 1 token at least, or leave it out for all")
                ?? unless(topP > 0 && topP <= 1, .topP, "is \(topP); it is above 0 and at most 1, which keeps all")
        case .beam(let width, let groups, let diversityPenalty, let lengthPenalty):
            return unless(
                (1...Self.mostRows).contains(width), .beams,
                "is \(width); use 1 beam at least and \(Self.mostRows) at most")
                ?? unless(
                    resultCount <= width, .resultCount,
                    "is \(resultCount), more than the \(width) beams of the search")
                ?? unless(groups > 0, .beamGroups, "is \(groups); use 1 group at least")
                ?? unless(
                    groups > 0 && width % groups == 0, .beams,
                    "is \(width), which does not divide into \(groups) groups of equal size; use a multiple of "
                        + "\(groups)")
                ?? unless(
                    diversityPenalty >= 0 && diversityPenalty.isFinite, .diversityPenalty,
                    "is \(diversityPenalty); it is 0 or above")
                ?? unless(
                    groups == 1 || diversityPenalty > 0, .diversityPenalty,
                    "is 0, and \(groups) groups of beams would all find the same; give one above 0")
                ?? unless(
                    lengthPenalty.isFinite, .lengthPenalty,
                    "is \(lengthPenalty); it is a finite number, as a rule near 1")
        }
    }

    /// The most sequences that one request may keep at a time.
    private static let mostRows = 1024
}
