import ArgumentParser
import Concord

/// coca_ViT-B-32 with Concord: the other side of `Benchmarks/CoCa/compare.py`, which prepares the folder.
@main
struct CoCaBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coca-benchmark", subcommands: [TrainingSteps.self, CaptionGeneration.self])
}
