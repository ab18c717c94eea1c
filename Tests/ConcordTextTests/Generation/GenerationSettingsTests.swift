import ConcordCore
import ConcordText
import Testing

/// Command lines and requests leave most out: what they mean, and what they may not.
@Suite struct GenerationSettingsTests {
    private static func settings(_ change: (inout GenerationSettings) -> Void) -> GenerationSettings {
        var settings = GenerationSettings()
        change(&settings)
        return settings
    }

    private static let meant: [(GenerationSettings, GenerationStrategy)] = [
        (settings { _ in }, .greedy),
        (settings { $0.strategy = .beam }, .beam()),
        (settings { $0.strategy = .sample }, .sample()),
        // What only one strategy uses asks for it.
        (settings { $0.beams = 3 }, .beam(width: 3)),
        (settings { $0.lengthPenalty = 0.5 }, .beam(lengthPenalty: 0.5)),
        (settings { $0.beamGroups = 2 }, .beam(groups: 2, diversityPenalty: 0.5)),
        (
            settings {
                $0.topK = 4; $0.seed = 9
            }, .sample(topK: 4, seed: 9)
        ),
        (
            settings {
                $0.temperature = 0.7; $0.topP = 0.9
            }, .sample(temperature: 0.7, topP: 0.9)
        ),
        // What changes nothing does not.
        (
            settings {
                $0.beams = 1; $0.topP = 1; $0.temperature = 0
            }, .greedy
        ),
        (
            settings {
                $0.strategy = .greedy; $0.beamGroups = 1; $0.lengthPenalty = 1; $0.seed = 5
            }, .greedy
        ),
        // A search is as wide as its results are many.
        (
            settings {
                $0.strategy = .beam; $0.resultCount = 9
            }, .beam(width: 9)
        ),
    ]

    @Test(arguments: meant)
    func whatIsMeant(_ settings: GenerationSettings, _ strategy: GenerationStrategy) throws {
        #expect(try settings.options(default: .greedy).strategy == strategy)
    }

    @Test func theDefaultIsTheCallers() throws {
        let none = GenerationSettings()
        #expect(try none.options(default: .beam) == GenerationOptions(strategy: .beam()))
        #expect(try none.options(default: .greedy, usualTokens: 12).maxTokens == 12)
        #expect(try Self.settings { $0.minTokens = 40 }.options(default: .greedy).maxTokens == 40)
        // No randomness is what a temperature of 0 says, whatever the default.
        #expect(try Self.settings { $0.temperature = 0 }.options(default: .beam).strategy == .greedy)
    }

    private static let refused: [(GenerationSettings, GenerationOptions.Setting, String)] = [
        (
            settings {
                $0.strategy = .greedy; $0.topK = 3
            }, .topK, "is for the strategy sample, and this one is greedy"
        ),
        (
            settings {
                $0.strategy = .greedy; $0.temperature = 1
            }, .temperature, "is for the strategy sample"
        ),
        (
            settings {
                $0.strategy = .sample; $0.beams = 2
            }, .beams, "is for beam search, and the strategy is sample"
        ),
        (
            settings {
                $0.beams = 2; $0.topP = 0.5
            }, .topP, "is for the strategy sample, and this one is beam"
        ),
        (
            settings {
                $0.strategy = .sample; $0.temperature = 0
            }, .temperature, "is 0.0; it is above 0"
        ),
        (settings { $0.topP = 0 }, .topP, "is 0.0; it is above 0 and at most 1"),
        (settings { $0.beams = 0 }, .beams, "is 0; use 1 beam at least"),
        (settings { $0.resultCount = 2 }, .resultCount, "is 2, but the greedy strategy has one result"),
        (
            settings {
                $0.beams = 6; $0.resultCount = 9
            }, .resultCount, "is 9, more than the 6 beams"
        ),
        (
            settings {
                $0.maxTokens = 4; $0.minTokens = 5
            }, .minTokens, "is 5; it is between 0"
        ),
    ]

    @Test(arguments: refused)
    func whatDoesNotGoTogether(
        _ settings: GenerationSettings, _ setting: GenerationOptions.Setting, _ text: String
    ) {
        let problem = #expect(throws: GenerationOptions.Problem.self) { try settings.options(default: .greedy) }
        #expect(problem?.setting == setting && problem?.text.hasPrefix(text) == true, "\(String(describing: problem))")
    }
}
